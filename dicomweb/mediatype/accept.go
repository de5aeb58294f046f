package mediatype

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Range is one entry of an Accept list: a type that may hold wildcards, its parameters and its weight.
type Range struct {
	Type
	Q float64 // 0 to 1; 0 refuses
}

// maxRanges bounds an Accept list; browsers send fewer than ten entries.
const maxRanges = 64

// Accept returns what the request asks for: the query parameter accept where it is given (PS3.18 section 8.3.3.1),
// otherwise the Accept header. An empty list means that everything is welcome.
func Accept(r *http.Request) []Range {
	if values := queryAccept(r.URL.RawQuery); len(values) > 0 {
		return ParseAccept(values)
	}
	return ParseAccept(r.Header.Values("Accept"))
}

// queryAccept finds the parameter accept in a raw query. It does not use url.ParseQuery, which drops a parameter that
// holds a semicolon and turns the plus of "dicom+json" into a space.
func queryAccept(rawQuery string) []string {
	var values []string
	for field := range strings.SplitSeq(rawQuery, "&") {
		name, value, _ := strings.Cut(field, "=")
		if !strings.EqualFold(name, "accept") || value == "" {
			continue
		}
		if v, err := url.PathUnescape(value); err == nil {
			value = v
		}
		values = append(values, value)
	}
	return values
}

// ParseAccept reads the values of an Accept header. Entries that cannot be read are skipped, unless none can: then
// the list holds one entry that nothing matches, so that nonsense is answered by 406 and not by a guess.
func ParseAccept(values []string) []Range {
	var ranges []Range
	nonsense := false
	for _, v := range values {
		if len(v) > maxLen {
			v = v[:maxLen]
		}
		for _, entry := range split(v, ',') {
			if strings.TrimSpace(entry) == "" {
				continue
			}
			t, err := Parse(entry)
			if err != nil {
				nonsense = true
				continue
			}
			if len(ranges) < maxRanges {
				ranges = append(ranges, Range{Type: t, Q: quality(t)})
			}
		}
	}
	if len(ranges) == 0 && nonsense {
		return []Range{{}}
	}
	return ranges
}

func quality(t Type) float64 {
	s, ok := t.lookup("q")
	if !ok {
		return 1
	}
	q, err := strconv.ParseFloat(s, 64)
	if err != nil || !(q >= 0 && q <= 1) {
		return 1
	}
	return q
}

// Offer is a representation that a resource has.
type Offer struct {
	Media          string // "application/dicom"
	Multipart      bool   // as parts of multipart/related, PS3.18 section 8.7.1
	TransferSyntax string // UID, "" for media types that have none
	// Default says that this transfer syntax is meant when the range names the media type and no transfer syntax
	// (PS3.18 table 8.7.3-2 and following).
	Default bool
}

// PartType returns the media type of the answer, or of each of its parts: it always names the transfer syntax, since
// viewers choose their decoder by it.
func (o Offer) PartType() Type {
	if o.TransferSyntax == "" {
		return New(o.Media)
	}
	return New(o.Media, "transfer-syntax", o.TransferSyntax)
}

// List names offers for a client that asked for something else (PS3.18 section 8.7.5).
func List(offers []Offer) string {
	var list []string
	for _, o := range offers {
		t := o.PartType()
		if o.Multipart {
			t = Type{Name: Related, params: append([]param{{"type", o.Media}}, t.params...)}
		}
		list = append(list, t.String())
	}
	return strings.Join(list, ", ")
}

// Choose returns the index of the offer that suits the list best. A higher weight wins; among equals a range that
// names its type before a wildcard, then the client's order, then the default transfer syntax where the range names
// none, then the order of the offers: put what is stored first and "transfer-syntax=*" gets it. Each offer is
// weighed by the most specific range that it matches (RFC 9110 section 12.5.1). ok is false when nothing suits: 406.
func Choose(accept []Range, offers []Offer) (index int, ok bool) {
	if len(accept) == 0 {
		accept = []Range{{Type: Type{Name: "*/*"}, Q: 1}}
	}
	best := rank{}
	for i, o := range offers {
		if r := weigh(accept, o); r.q > 0 && (!ok || r.better(best)) {
			index, best, ok = i, r, true
		}
	}
	return index, ok
}

type rank struct {
	q        float64
	wildcard bool // matched by */* or type/* only
	place    int  // in the client's list
	second   bool // not the default transfer syntax, where none was named
}

func (a rank) better(b rank) bool {
	switch {
	case a.q != b.q:
		return a.q > b.q
	case a.wildcard != b.wildcard:
		return b.wildcard
	case a.place != b.place:
		return a.place < b.place
	}
	return !a.second && b.second
}

func weigh(accept []Range, o Offer) rank {
	var best rank
	most := -1
	for i, r := range accept {
		if s := specificity(r.Type, o); s > most {
			most = s
			best = rank{q: r.Q, wildcard: s < 2, place: i, second: r.Param("transfer-syntax") == "" && !o.Default}
		}
	}
	return best
}

// specificity returns how narrowly a range fits an offer: -1 not at all, 0 for */*, 1 for a type/*, 2 for the media
// type, 3 for the media type with the transfer syntax by its UID.
func specificity(r Type, o Offer) int {
	s := -1
	switch {
	case r.Name == "*/*":
		s = 0
	case r.Name == Related && o.Multipart:
		s = namesMedia(strings.ToLower(r.Param("type")), o.Media)
	case r.Name == "multipart/*" && o.Multipart:
		s = 1
	case !o.Multipart:
		s = namesMedia(r.Name, o.Media)
	}
	if s < 0 {
		return s
	}
	switch syntax := r.Param("transfer-syntax"); {
	case syntax == "*":
		return s
	case syntax == "":
		if s == 2 && o.TransferSyntax != "" && !o.Default {
			return -1
		}
		return s
	case syntax == o.TransferSyntax:
		return s + 1
	}
	return -1
}

func namesMedia(name, media string) int {
	switch {
	case name == "" || name == "*/*":
		return 0
	case name == media:
		return 2
	case strings.HasSuffix(name, "/*") && strings.HasPrefix(media, name[:len(name)-1]):
		return 1
	}
	return -1
}
