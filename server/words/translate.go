package words

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// verb is what fmt takes an argument for; a percent sign before a space is the sign.
var verb = regexp.MustCompile(`%[-+#0]*\d*(?:\.\d+)?(?:\[(\d+)\])?([a-zA-Z])`)

// Translate returns in the language a text that was made in English elsewhere, by packages that know no other: "Lesion 3"
// of "Lesion %d". What was put in for %s is translated in turn. A text that no phrase of the tables fits comes back as it
// is, and ok is false; in English it always is true.
func (l Language) Translate(text string) (translated string, ok bool) {
	if l != Korean && l != Chinese {
		return text, true
	}
	if p := l.phrase(text); p != text {
		return p, true
	}
	for _, f := range formats() {
		if args := f.match.FindStringSubmatch(text); args != nil {
			return l.fill(f, args[1:]), true
		}
	}
	return text, false
}

// format is a phrase with verbs as a pattern.
type format struct {
	key   string
	match *regexp.Regexp
	kind  []string // of each verb: "s", "d", ...
}

// formats are those of the tables, the one with the most letters of its own first, so that "phase %d of %d" is not taken
// for "%s of %d".
var formats = sync.OnceValue(func() []format {
	var out []format
	for _, table := range tables {
		for _, key := range slices.Sorted(maps.Keys(table)) {
			if f, ok := compile(key); ok {
				out = append(out, f)
			}
		}
	}
	own := func(f format) int { return len(verb.ReplaceAllString(f.key, "")) }
	slices.SortStableFunc(out, func(a, b format) int { return own(b) - own(a) })
	return out
})

// compile returns the pattern of a phrase; ok is false for one that has no verb or nothing beside it.
func compile(key string) (f format, ok bool) {
	f.key = key
	var pattern strings.Builder
	at := 0
	literal := func(text string) { pattern.WriteString(regexp.QuoteMeta(strings.ReplaceAll(text, "%%", "%"))) }
	for _, m := range verb.FindAllStringSubmatchIndex(key, -1) {
		literal(key[at:m[0]])
		kind := key[m[4]:m[5]]
		switch kind {
		case "d":
			pattern.WriteString(`(-?\d+)`)
		case "f", "g", "e":
			pattern.WriteString(`([-+]?\d[-+.\de]*|NaN)`)
		default:
			pattern.WriteString(`(.+?)`)
		}
		f.kind = append(f.kind, kind)
		at = m[1]
	}
	literal(key[at:])
	own := strings.Trim(verb.ReplaceAllString(key, ""), " .,;:()%")
	if len(f.kind) == 0 || own == "" {
		return f, false
	}
	f.match = regexp.MustCompile(`(?s)^` + pattern.String() + `$`)
	return f, true
}

// fill puts args, as they were written, in the places of the translation's verbs.
func (l Language) fill(f format, args []string) string {
	n := 0
	phrase := verb.ReplaceAllStringFunc(l.phrase(f.key), func(v string) string {
		at := n
		n++
		if m := verb.FindStringSubmatch(v); m[1] != "" {
			at, _ = strconv.Atoi(m[1])
			at--
		}
		if at < 0 || at >= len(args) {
			return v
		}
		if f.kind[at] == "s" || f.kind[at] == "v" {
			arg, _ := l.Translate(args[at])
			return arg
		}
		return args[at]
	})
	return strings.ReplaceAll(phrase, "%%", "%")
}
