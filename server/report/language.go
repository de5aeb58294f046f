package report

import (
	"mome/dicomweb/iod/code"
	"mome/dicomweb/sr"
	"mome/server/words"
)

// languageCode returns the value of the language item, TID 1204.
func languageCode(l words.Language) code.Code {
	switch l {
	case words.Korean:
		return code.KoreanKR
	case words.Chinese:
		return code.ChineseCN
	}
	return code.EnglishUS
}

// label returns a lesion's label in the language of the report.
func (b *build) label(label string) string {
	text, _ := b.lang.Translate(clean(label))
	return text
}

// tree returns the content with the meanings of this project's own codes in the language of the report. Those of
// standard codes are the standard's.
func (b *build) tree(content sr.MeasurementReport) *sr.Item {
	root := content.Item()
	own := func(c *code.Code) {
		if c.Scheme == code.LocalScheme {
			c.Meaning = b.lang.Text(c.Meaning)
		}
	}
	root.Walk(func(i *sr.Item, _ int) {
		own(&i.Name)
		own(&i.Code)
	})
	return root
}
