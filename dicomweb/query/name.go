package query

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// canonicalName returns a person name (PS3.5 section 6.2.1) without case, accents, trailing delimiters and doubled
// spaces, its component groups separated by "=" where there are several.
func canonicalName(v string) string {
	groups := strings.Split(fold(v), "=")
	for i, g := range groups {
		components := strings.Split(g, "^")
		for j, c := range components {
			components[j] = strings.Join(strings.FieldsFunc(c, blank), " ")
		}
		groups[i] = strings.TrimRight(strings.Join(components, "^"), "^")
	}
	return strings.TrimRight(strings.Join(groups, "="), "=")
}

// blank reports white space and NUL, which pads values of careless senders, also before a line break.
func blank(r rune) bool { return r == 0 || unicode.IsSpace(r) }

// letters that are told apart from a base letter by more than a mark that Unicode can take off.
var letters = strings.NewReplacer("ß", "ss", "æ", "ae", "œ", "oe", "ø", "o", "đ", "d", "ð", "d", "ł", "l", "þ", "th", "ı", "i")

// fold returns s in lower case without accents.
func fold(s string) string {
	ascii := true
	for i := range len(s) {
		ascii = ascii && s[i] < 0x80
	}
	if ascii {
		return strings.ToLower(s)
	}
	stripped := strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, norm.NFD.String(strings.ToLower(s)))
	return norm.NFC.String(letters.Replace(stripped))
}

// matchName compares a canonical name with a term. Without "=" the term may be any of the component groups
// (alphabetic, ideographic, phonetic); with "=" each group is compared with its own, empty ones with all.
func matchName(t Term, name string) bool {
	groups := strings.Split(name, "=")
	wanted := strings.Split(t.Lo, "=")
	if len(wanted) == 1 {
		for _, g := range groups {
			if g != "" && matchGroup(t.Op, wanted[0], g) {
				return true
			}
		}
		return false
	}
	for i, w := range wanted {
		if w != "" && (i >= len(groups) || !matchGroup(t.Op, w, groups[i])) {
			return false
		}
	}
	return true
}

func matchGroup(op Op, want, group string) bool {
	if op == Wild {
		// A pattern's end may stand for components that the name lacks: "doe^*" finds "doe".
		return wild(want, group) || strings.HasSuffix(want, "^*") && wild(want, group+"^")
	}
	return want == group
}

// matchWords is the fuzzy semantic matching of names (PS3.18 8.3.4.2 leaves its meaning to the server): every word of
// the term begins some word of one component group, whatever their order; * and ? mean what they mean elsewhere.
func matchWords(t Term, name string) bool {
	wanted := Words(t.Lo)
	for group := range strings.SplitSeq(name, "=") {
		have := Words(group)
		all := len(wanted) > 0
		for _, w := range wanted {
			found := false
			for _, h := range have {
				found = found || wild(strings.TrimRight(w, "*")+"*", h)
			}
			all = all && found
		}
		if all {
			return true
		}
	}
	return false
}

// Words splits a name into the words that fuzzy matching compares.
func Words(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune("^=, .-'", r) })
}
