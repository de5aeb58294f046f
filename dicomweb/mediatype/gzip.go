package mediatype

import (
	"net/http"
	"strconv"
	"strings"
)

// TakesGzip reports whether the client takes an answer with gzip: Accept-Encoding, RFC 9110 section 12.5.3.
func TakesGzip(r *http.Request) bool {
	for field := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, params, _ := strings.Cut(field, ";")
		if name = strings.ToLower(strings.TrimSpace(name)); name != "gzip" && name != "*" {
			continue
		}
		q, found := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q=")
		if weight, err := strconv.ParseFloat(q, 64); found && err == nil && weight == 0 {
			continue
		}
		return true
	}
	return false
}
