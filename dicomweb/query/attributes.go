package query

import (
	"fmt"
	"io"

	"mome/dicomweb/dicom/tag"
)

// WriteAttributes writes the table as a table in Markdown, for the conformance statement: what a search at each level
// matches and answers (PS3.18 sections 10.6.1.2.3 and 10.6.3.3). Attributes outside the table, private ones too, are
// matched against the instances and answered with them.
func WriteAttributes(w io.Writer) error {
	if _, err := fmt.Fprint(w, "| Tag | Keyword | VR | Level | Matching | In answers |\n|---|---|---|---|---|---|\n"); err != nil {
		return err
	}
	for _, a := range table {
		matching, answer := "optional", [...]string{"on request", "when it has a value", "always"}[a.Answer]
		if a.Key {
			matching = "required"
		}
		e := tag.Lookup(a.Tag)
		if _, err := fmt.Fprintf(w, "| %v | %s | %s | %s | %s | %s |\n", a.Tag, e.Keyword, e.VRs[0], a.Level, matching, answer); err != nil {
			return err
		}
	}
	return nil
}
