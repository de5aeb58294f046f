package report_test

import (
	"strings"
	"testing"
	"unicode"

	"mome/dicomweb/iod/code"
	"mome/dicomweb/sr"
	"mome/server/report"
	"mome/server/words"
)

// TestLanguages: what the report says in a language is in that language, but for sentences of the analysis that have no
// translation, which say that they are English; standard codes keep their meanings; the disclaimer's words stay findable.
func TestLanguages(t *testing.T) {
	for l, script := range map[words.Language]*unicode.RangeTable{words.Korean: unicode.Hangul, words.Chinese: unicode.Han} {
		for _, c := range outcomes {
			src, a := source(), c.make()
			src.Language = l
			if len(a.Notes) > 0 {
				a.Notes = a.Notes[:1]
			}
			foreign := func(text string) bool {
				return !strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(script, r) })
			}
			english := 0
			root, err := sr.Parse(mustBuild(t, a, src).SR)
			if err != nil {
				t.Fatal(err)
			}
			if got := root.CodeOf(code.Language).Value; got != l.Tag() {
				t.Errorf("%s: the language item says %s, want %s", c.name, got, l.Tag())
			}
			root.Walk(func(i *sr.Item, _ int) {
				for _, own := range []code.Code{i.Name, i.Code} {
					if own.Scheme == code.LocalScheme && foreign(own.Meaning) {
						t.Errorf("%s in %s: %v", c.name, l, own)
					}
				}
				switch {
				case i.Type != sr.Text || !i.Name.Is(code.Comment):
				case i.CodeOf(code.Language).Is(code.EnglishUS):
					english++
				case foreign(i.Text):
					t.Errorf("%s in %s: %q", c.name, l, i.Text)
				}
			})
			if want := len(a.Notes) + len(a.Checks); english != want {
				t.Errorf("%s in %s: %d sentences in English, want %d", c.name, l, english, want)
			}
			if !strings.Contains(comments(content(t, mustBuild(t, a, src).SR)), report.Disclaimer) {
				t.Errorf("%s in %s lacks %q", c.name, l, report.Disclaimer)
			}
		}
	}
}

// TestReasonsAreTranslated: what the analysis states as reasons and the built-in weights as their data.
func TestReasonsAreTranslated(t *testing.T) {
	for _, text := range []string{
		notDone().Reason.Text, algorithm().TrainedOn, "412 labelled breast MRI studies of 388 patients",
		"the dynamic series has 5000000000 voxels, more than the 2000000000 that are read", "the phases of the dynamic series differ in size",
		"phase 2 cannot be read: unexpected EOF", "no breast was found in the dynamic series", "the analysis failed; the node's log tells why",
	} {
		for _, l := range words.Languages()[1:] {
			if got, ok := l.Translate(text); !ok || got == text {
				t.Errorf("%s has no %q", l, text)
			}
		}
	}
}

// TestLanguageReadsBack: the reader goes by codes, whatever language they are explained in.
func TestLanguageReadsBack(t *testing.T) {
	src, a := source(), withFindings()
	src.Language = words.Chinese
	o := mustBuild(t, a, src)
	segmentation, pixels := scanned(t, written(t, o.SEG))
	got, err := report.Read(o.SR, segmentation, pixels)
	if err != nil {
		t.Fatal(err)
	}
	sameFindings(t, got, a)
	sameBreasts(t, got, a)
}
