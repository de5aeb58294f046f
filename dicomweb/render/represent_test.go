package render

import (
	"fmt"
	"testing"

	"mome/dicomweb"
	"mome/dicomweb/archive"
)

// TestRepresent: the middle image of the middle series; segmentations and results where there is nothing else; never a report.
func TestRepresent(t *testing.T) {
	made := func(series string, n int, k kind, result bool) (parts []part) {
		for i := range n {
			ref := dicomweb.Ref{Study: "1", Series: series, Instance: fmt.Sprint(series, ".", i+1)}
			parts = append(parts, part{Instance: archive.Instance{Ref: ref, Result: result}, kind: k})
		}
		return parts
	}
	join := func(lists ...[]part) (all []part) {
		for _, l := range lists {
			all = append(all, l...)
		}
		return all
	}
	a, b, c := made("2", 3, picture, false), made("3", 5, picture, false), made("4", 1, picture, false)
	masks, texts, results := made("5", 2, segments, true), made("6", 9, report, false), made("7", 3, picture, true)
	for _, tc := range []struct {
		name  string
		parts []part
		want  string // "" for none
	}{
		{"one series", a, "2.2"},
		{"three series", join(a, b, c), "3.3"},
		{"two series", join(a, b), "3.3"},
		{"reports and results before and behind", join(texts, results, a, masks, texts), "2.2"},
		{"results alone", join(masks, results), "7.2"},
		{"segmentations alone", join(texts, masks), "5.2"},
		{"reports alone", texts, ""},
		{"nothing", nil, ""},
	} {
		best, ok := represent(tc.parts)
		if ok != (tc.want != "") || best.Ref.Instance != tc.want {
			t.Errorf("%s: %q, %t, want %q", tc.name, best.Ref.Instance, ok, tc.want)
		}
	}
}
