package dicom

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/simplifiedchinese"

	"mome/dicomweb/dicom/tag"
)

// decodeText returns the element's text as UTF-8.
func (d *Dataset) decodeText(e *Element) string {
	if plain(e.Value) && bytes.IndexByte(e.Value, '\\') < 0 {
		return string(e.Value)
	}
	return d.coding(e).decode(e.Value, e.VR, false)[0]
}

// splitText returns the element's values as UTF-8, split at the value delimiter.
func (d *Dataset) splitText(e *Element) []string {
	if plain(e.Value) {
		return strings.Split(string(e.Value), `\`)
	}
	return d.coding(e).decode(e.Value, e.VR, true)
}

// plain reports whether b means the same in every character set, but for the backslash that ISO-IR 14 takes for a
// yen sign.
func plain(b []byte) bool {
	for _, c := range b {
		if c >= '~' || c == esc {
			return false
		}
	}
	return true
}

// charsets returns the Specific Character Set in force.
func (d *Dataset) charsets() []string {
	if e := d.Get(tag.SpecificCharacterSet); e != nil {
		return strings.Split(strings.TrimRight(string(e.Value), " \x00"), `\`)
	}
	return d.charset
}

// coding returns how the text of e is encoded: only some VRs follow Specific Character Set, the others are ASCII
// (PS3.5 section 6.1.2.2). Where no character set is named or counts, text that happens to be UTF-8 is taken as that: data sets
// that were built in memory get the name when they are written, and some products forget it.
func (d *Dataset) coding(e *Element) coding {
	if !e.VR.encoded() {
		if utf8.Valid(e.Value) {
			return coding{utf8: true}
		}
		return coding{g0: ascii}
	}
	names := d.charsets()
	if (len(names) == 0 || len(names) == 1 && names[0] == "") && utf8.Valid(e.Value) && !isASCII(e.Value) {
		return coding{utf8: true}
	}
	return codingOf(names)
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// coding is a character encoding of PS3.3 section C.12.1.1.2: one of the encodings without code extensions, or the
// sets in G0 and G1 with which each value begins and which escape sequences change (PS3.5 section 6.1.2.5).
type coding struct {
	utf8   bool
	other  encoding.Encoding // GB18030 or GBK
	g0, g1 set
}

// codingOf returns the encoding that the values of Specific Character Set name. The first one tells how values begin;
// what the others allow is known from the escape sequence itself. An unknown name means ASCII. The spelling with
// hyphens and in lower case, which some products write, is taken too.
func codingOf(names []string) coding {
	if len(names) == 0 {
		return coding{g0: ascii}
	}
	name := strings.NewReplacer("-", " ", "_", " ").Replace(strings.ToUpper(strings.Trim(names[0], " \x00")))
	switch name {
	case "ISO IR 192", "UTF 8", "UTF8":
		return coding{utf8: true}
	case "GB18030":
		return coding{other: simplifiedchinese.GB18030}
	case "GBK", "GB2312":
		return coding{other: simplifiedchinese.GBK}
	}
	number, ok := strings.CutPrefix(name, "ISO 2022 IR ")
	if !ok {
		number = strings.TrimPrefix(name, "ISO IR ")
	}
	if number == "13" {
		return coding{g0: romaji, g1: katakana}
	}
	c := coding{g0: ascii, g1: registered(number)}
	if c.g1 == none && len(names) > 1 {
		// Nothing is designated as G1, but some products forget the escape sequence of the set that they name next.
		c.g1 = codingOf(names[1:]).g1
	}
	return c
}

const esc = 0x1B

// decode returns the text of b as UTF-8, split at backslashes when split is set; there is always one value. What
// cannot be decoded becomes U+FFFD.
func (c coding) decode(b []byte, vr VR, split bool) []string {
	if c.utf8 || c.other != nil {
		text := string(b)
		if c.other != nil {
			// After decoding every backslash is one: in these encodings a second byte may look like it.
			text = decodeAll(c.other, b)
		}
		text = strings.ToValidUTF8(text, "\uFFFD")
		if split {
			return strings.Split(text, `\`)
		}
		return []string{text}
	}
	r := reader{initial: c, g0: c.g0, g1: c.g1, name: vr == PN, split: split}
	return r.read(b)
}

// reader decodes one element's text with code extensions.
type reader struct {
	initial     coding
	g0, g1      set
	name, split bool
	values      []string
	out         []byte
}

func (r *reader) read(b []byte) []string {
	r.out = make([]byte, 0, len(b)+len(b)/2)
	for len(b) > 0 {
		b = b[r.step(b):]
	}
	return append(r.values, string(r.out))
}

// step decodes what b begins with and returns how many bytes that was.
func (r *reader) step(b []byte) int {
	c := b[0]
	switch {
	case c == esc:
		return r.escape(b)
	case c < 0x20 || c == 0x7F: // control characters are the same in all sets, PS3.5 section 6.1.3
		if c == '\t' || c == '\n' || c == '\f' || c == '\r' {
			r.reset()
		}
		r.out = append(r.out, c)
		return 1
	case c == ' ' && r.g0.double():
		r.out = append(r.out, c)
		return 1
	case c < 0x80 && !r.g0.double():
		r.single(c)
		return 1
	case c < 0x80:
		return r.pairs(r.g0, b)
	case r.g1.double() && c > 0xA0:
		return r.pairs(r.g1, b)
	}
	r.out = utf8.AppendRune(r.out, r.g1.rune(c))
	return 1
}

// single decodes a character of a single-byte G0. The delimiters bring back the sets with which values begin.
func (r *reader) single(c byte) {
	if c == '\\' && r.split {
		r.reset()
		r.values = append(r.values, string(r.out))
		r.out = r.out[:0]
		return
	}
	if r.name && (c == '^' || c == '=') {
		r.reset()
	}
	r.out = utf8.AppendRune(r.out, r.g0.rune(c))
}

func (r *reader) reset() { r.g0, r.g1 = r.initial.g0, r.initial.g1 }

// pairs decodes the run of two-byte characters that b begins with, up to where the half of the code table changes.
func (r *reader) pairs(s set, b []byte) int {
	high := b[0] & 0x80
	n := 0
	for n < len(b) && b[n]&0x80 == high && b[n]&0x7F > 0x20 && b[n]&0x7F < 0x7F {
		n++
	}
	if n%2 == 1 && n > 1 {
		n--
	}
	if n < 2 {
		r.out = utf8.AppendRune(r.out, utf8.RuneError)
		return 1
	}
	r.out = append(r.out, s.pairs(b[:n])...)
	return n
}

// escape acts on an escape sequence of PS3.3 tables C.12-3 and C.12-4. A sequence that is none is U+FFFD.
func (r *reader) escape(b []byte) int {
	for _, n := range [...]int{3, 4} {
		if len(b) < n {
			break
		}
		s, g1 := designated(string(b[1:n]))
		switch {
		case s == none:
			continue
		case g1:
			r.g1 = s
		default:
			r.g0 = s
		}
		return n
	}
	r.out = utf8.AppendRune(r.out, utf8.RuneError)
	return 1
}
