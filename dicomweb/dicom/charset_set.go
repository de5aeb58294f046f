package dicom

import (
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// set is a coded character set of the ISO registry, as PS3.3 section C.12.1.1.2 uses them in G0 or G1.
type set uint8

const (
	none        set = iota
	ascii           // ISO-IR 6
	romaji          // ISO-IR 14, the Latin half of JIS X 0201
	katakana        // ISO-IR 13, the other half
	latin1          // ISO-IR 100
	latin2          // ISO-IR 101
	latin3          // ISO-IR 109
	latin4          // ISO-IR 110
	latin5          // ISO-IR 148
	latin9          // ISO-IR 203
	cyrillic        // ISO-IR 144
	arabic          // ISO-IR 127
	greek           // ISO-IR 126
	hebrew          // ISO-IR 138
	thai            // ISO-IR 166, TIS 620
	kanji           // ISO-IR 87, JIS X 0208
	kanjiSecond     // ISO-IR 159, JIS X 0212
	hangul          // ISO-IR 149, KS X 1001
	hanzi           // ISO-IR 58, GB 2312
)

// registered returns the set of G1 with which values begin when Specific Character Set names ISO-IR number. The
// two-byte sets of Korea and China are no initial sets by PS3.3, but products name them so and leave out the escape
// sequence.
func registered(number string) set {
	switch number {
	case "100":
		return latin1
	case "101":
		return latin2
	case "109":
		return latin3
	case "110":
		return latin4
	case "148":
		return latin5
	case "203":
		return latin9
	case "144":
		return cyrillic
	case "127":
		return arabic
	case "126":
		return greek
	case "138":
		return hebrew
	case "166":
		return thai
	case "149":
		return hangul
	case "58":
		return hanzi
	}
	return none
}

// designated returns the set that the escape sequence ESC seq designates and whether that is as G1; none for an
// unknown one.
func designated(seq string) (s set, g1 bool) {
	switch seq {
	case "(B":
		return ascii, false
	case "(J":
		return romaji, false
	case ")I":
		return katakana, true
	case "-A":
		return latin1, true
	case "-B":
		return latin2, true
	case "-C":
		return latin3, true
	case "-D":
		return latin4, true
	case "-M":
		return latin5, true
	case "-b":
		return latin9, true
	case "-L":
		return cyrillic, true
	case "-G":
		return arabic, true
	case "-F":
		return greek, true
	case "-H":
		return hebrew, true
	case "-T":
		return thai, true
	case "$B", "$@": // the latter is the edition of 1978 of the same set
		return kanji, false
	case "$(D":
		return kanjiSecond, false
	case "$)C":
		return hangul, true
	case "$)A":
		return hanzi, true
	}
	return none, false
}

// double reports whether the characters of s take two bytes.
func (s set) double() bool { return s >= kanji }

// rune decodes a byte of a single-byte set.
func (s set) rune(c byte) rune {
	switch {
	case s == ascii && c < 0x80:
		return rune(c)
	case s == romaji && c < 0x80:
		switch c {
		case '\\':
			return '¥'
		case '~':
			return '‾'
		}
		return rune(c)
	case s == katakana && c >= 0xA1 && c <= 0xDF:
		return 0xFF61 + rune(c) - 0xA1
	case s == thai && c < 0xA1: // windows-874 has more there
		return utf8.RuneError
	case c >= 0xA0:
		if m := s.charmap(); m != nil {
			return m.DecodeByte(c)
		}
	}
	return utf8.RuneError
}

func (s set) charmap() *charmap.Charmap {
	switch s {
	case latin1:
		return charmap.ISO8859_1
	case latin2:
		return charmap.ISO8859_2
	case latin3:
		return charmap.ISO8859_3
	case latin4:
		return charmap.ISO8859_4
	case latin5:
		return charmap.ISO8859_9
	case latin9:
		return charmap.ISO8859_15
	case cyrillic:
		return charmap.ISO8859_5
	case arabic:
		return charmap.ISO8859_6
	case greek:
		return charmap.ISO8859_7
	case hebrew:
		return charmap.ISO8859_8
	case thai:
		return charmap.Windows874
	}
	return nil
}

// pairs decodes two-byte characters in either half of the code table.
func (s set) pairs(b []byte) string {
	euc := make([]byte, 0, len(b)*3/2)
	for i := 0; i+1 < len(b); i += 2 {
		if s == kanjiSecond {
			euc = append(euc, 0x8F) // single shift 3 of EUC-JP
		}
		euc = append(euc, b[i]|0x80, b[i+1]|0x80)
	}
	switch s {
	case hangul:
		return decodeAll(korean.EUCKR, euc)
	case hanzi:
		return decodeAll(simplifiedchinese.GBK, euc)
	}
	return decodeAll(japanese.EUCJP, euc)
}

// decodeAll decodes b; the decoders of x/text give U+FFFD for what they do not know, never an error.
func decodeAll(enc encoding.Encoding, b []byte) string {
	s, err := enc.NewDecoder().Bytes(b)
	if err != nil {
		return string(utf8.RuneError)
	}
	return string(s)
}
