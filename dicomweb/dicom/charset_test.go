package dicom_test

import (
	"slices"
	"testing"
	"unicode/utf8"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
)

// characterSet is a value in some Specific Character Set.
type characterSet struct {
	name, charset string
	vr            dicom.VR
	value         string
	want          []string
}

// standardText returns the examples of PS3.5 annexes H to K and text in each character set.
func standardText() []characterSet {
	return []characterSet{
		{"H.3.1 Japanese, kanji", `\ISO 2022 IR 87`, dicom.PN,
			"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
			[]string{"Yamada^Tarou=山田^太郎=やまだ^たろう"}},
		{"H.3.2 Japanese, katakana first", `ISO 2022 IR 13\ISO 2022 IR 87`, dicom.PN,
			"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J",
			[]string{"ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"}},
		{"I.2 Korean", `\ISO 2022 IR 149`, dicom.PN,
			"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
			[]string{"Hong^Gildong=洪^吉洞=홍^길동"}},
		{"J.1 Unicode", "ISO_IR 192", dicom.PN, "Wang^XiaoDong=王^小东=", []string{"Wang^XiaoDong=王^小东="}},
		{"J.2 GB18030", "GB18030", dicom.PN, "Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab=",
			[]string{"Wang^XiaoDong=王^小东="}},
		{"K.2 Chinese", `\ISO 2022 IR 58`, dicom.PN, "Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=",
			[]string{"Zhang^XiaoDong=张^小东="}},
		{"Chinese, lines of text", `\ISO 2022 IR 58`, dicom.LO, "\x1b$)A\xb5\xda\xd2\xbb\r\n\x1b$)A\xb5\xda\xb6\xfe",
			[]string{"第一\r\n第二"}},
		{"supplementary kanji", `\ISO 2022 IR 159`, dicom.LO, "\x1b$(D0!\x1b(B", []string{"丂"}},
		{"two values in kanji", `\ISO 2022 IR 87`, dicom.LO, "\x1b$B;3\x1b(B\\\x1b$BED\x1b(B", []string{"山", "田"}},
		{"a delimiter's byte inside kanji", `\ISO 2022 IR 87`, dicom.LO, "\x1b$B$\\\x1b(B\\x", []string{"ぼ", "x"}},
		{"GBK second byte is a backslash", "GBK", dicom.LO, "\x81\x5c\\b", []string{"乗", "b"}},
		{"GB18030 four bytes", "GB18030", dicom.LO, "\x81\x30\x81\x30", []string{"\u0080"}},
		{"Latin 1", "ISO_IR 100", dicom.PN, "M\xfcller", []string{"Müller"}},
		{"Latin 2", "ISO_IR 101", dicom.PN, "Wa\xb3\xeasa", []string{"Wałęsa"}},
		{"Latin 3", "ISO_IR 109", dicom.LO, "\xa6\xb1", []string{"Ĥħ"}},
		{"Latin 4", "ISO_IR 110", dicom.LO, "\xaa\xba", []string{"Ēē"}},
		{"Latin 5", "ISO_IR 148", dicom.PN, "\xc7avu\xfeo\xf0lu", []string{"Çavuşoğlu"}},
		{"Latin 9", "ISO_IR 203", dicom.PN, "\xa4\xbd", []string{"€œ"}},
		{"Cyrillic", "ISO_IR 144", dicom.PN, "\xbb\xee\xdace\xdc\xd1yp\xd3", []string{"Люкceмбypг"}},
		{"Arabic", "ISO_IR 127", dicom.PN, "\xe2\xc8\xc7\xe6\xea^\xe4\xe6\xd2\xc7\xd1", []string{"قباني^لنزار"}},
		{"Greek", "ISO_IR 126", dicom.PN, "\xc4\xe9\xef\xed\xf5\xf3\xe9\xef\xf2", []string{"Διονυσιος"}},
		{"Hebrew", "ISO_IR 138", dicom.PN, "\xf9\xf8\xe5\xef^\xe3\xe1\xe5\xf8\xe4", []string{"שרון^דבורה"}},
		{"Thai", "ISO_IR 166", dicom.LO, "\xca\xc7\xd1\xca\xb4\xd5", []string{"สวัสดี"}},
		{"yen and overline", "ISO_IR 13", dicom.ST, "\\~", []string{"¥‾"}},
		{"Latin 1 with extension", `ISO 2022 IR 100\ISO 2022 IR 144`, dicom.LO, "\xfc\x1b-L\xbb\\\xfc", []string{"üЛ", "ü"}},
		{"reset at a component", `ISO 2022 IR 100\ISO 2022 IR 144`, dicom.PN, "\x1b-L\xbb^\xfc", []string{"Л^ü"}},
		{"no reset at a caret in LO", `ISO 2022 IR 100\ISO 2022 IR 144`, dicom.LO, "\x1b-L\xbb^\xbb", []string{"Л^Л"}},
		{"one value whatever it holds", "ISO_IR 100", dicom.LT, "\xfc\\\xfc ", []string{`ü\ü`}},
	}
}

// oddText returns what products make of it, and what is broken: other readers may see it otherwise.
func oddText() []characterSet {
	return []characterSet{
		{"katakana", "ISO_IR 13", dicom.LO, "\xb1\\\xb2", []string{"ｱ", "ｲ"}},
		{"Korean without escapes", "ISO 2022 IR 149", dicom.PN, "\xc8\xab^\xb1\xe6\xb5\xbf", []string{"홍^길동"}},
		{"default repertoire", "", dicom.LO, "M\xfcller", []string{"M\uFFFDller"}},
		{"UTF-8 without a name", "", dicom.LO, "Müller", []string{"Müller"}},
		{"escapes without a name", "", dicom.LO, "\x1b$B;3\x1b(B", []string{"山"}},
		{"ASCII by name", "ISO_IR 6", dicom.LO, "ü", []string{"\uFFFD\uFFFD"}},
		{"unknown set", "ISO_IR 999", dicom.LO, "M\xfcller", []string{"M\uFFFDller"}},
		{"misspelt set", "ISO-IR 100", dicom.LO, "M\xfcller", []string{"Müller"}},
		{"broken UTF-8", "ISO_IR 192", dicom.LO, "a\xff\xc3b\\c", []string{"a\uFFFDb", "c"}},
		{"half a kanji", `\ISO 2022 IR 87`, dicom.LO, "\x1b$B;3E", []string{"山\uFFFD"}},
		{"unknown escape", `\ISO 2022 IR 87`, dicom.LO, "a\x1b(Zb", []string{"a\uFFFD(Zb"}},
		{"escape at the end", `\ISO 2022 IR 87`, dicom.LO, "a\x1b", []string{"a\uFFFD"}},
		{"code strings are ASCII", "ISO_IR 100", dicom.CS, "A\xfc\\B", []string{"A\uFFFD", "B"}},
	}
}

func TestCharacterSets(t *testing.T) {
	for _, c := range slices.Concat(standardText(), oddText()) {
		t.Run(c.name, func(t *testing.T) {
			d := dicom.New()
			if c.charset != "" {
				d.SetVR(tag.SpecificCharacterSet, dicom.CS, c.charset)
			}
			got := d.ElementStrings(&dicom.Element{Tag: 0x00091001, VR: c.vr, Value: []byte(c.value)})
			if !slices.Equal(got, c.want) {
				t.Errorf("%q in %q: got %q, want %q", c.value, c.charset, got, c.want)
			}
		})
	}
}

// FuzzCharset: whatever comes is decoded to valid UTF-8.
func FuzzCharset(f *testing.F) {
	f.Add(`\ISO 2022 IR 87`, []byte("\x1b$B;3ED\x1b(B^\\"), true)
	f.Add("GB18030", []byte("\x81\x30\x81"), false)
	f.Add(`ISO 2022 IR 13\ISO 2022 IR 159`, []byte("\xd4\x1b$(D\xff"), true)
	f.Fuzz(func(t *testing.T, charset string, value []byte, name bool) {
		d := dicom.New()
		d.Put(&dicom.Element{Tag: tag.SpecificCharacterSet, VR: dicom.CS, Value: []byte(charset)})
		vr := dicom.LT
		if name {
			vr = dicom.PN
		}
		for _, s := range d.ElementStrings(&dicom.Element{Tag: tag.PatientName, VR: vr, Value: value}) {
			if !utf8.ValidString(s) {
				t.Errorf("%q in %q: %q is not UTF-8", value, charset, s)
			}
			if len(s) > 4*len(value)+4 {
				t.Errorf("%q in %q: got %q", value, charset, s)
			}
		}
	})
}
