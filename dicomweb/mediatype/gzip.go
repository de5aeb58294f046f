package mediatype

import (
	"net/http"
	"strconv"
	"strings"
)

// TakesGzip reports whether the client takes an answer with gzip: Accept-Encoding, RFC 9110 section 12.5.3. What it says of
// gzip counts before what it says of all others.
func TakesGzip(r *http.Request) bool {
	others := false
	for field := range strings.SplitSeq(strings.ToLower(strings.Join(r.Header.Values("Accept-Encoding"), ",")), ",") {
		name, params, _ := strings.Cut(field, ";")
		q, found := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q=")
		weight, err := strconv.ParseFloat(q, 64)
		takes := !found || err != nil || weight > 0
		switch strings.TrimSpace(name) {
		case "gzip":
			return takes
		case "*":
			others = takes
		}
	}
	return others
}
