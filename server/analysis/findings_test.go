package analysis_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"mome/experts"
	"mome/fusion"
	"mome/server/analysis"
)

// TestFindings holds the form of findings.json against a lesion that has everything but numbers, and one that is its
// neighbour: what is unknown, infinite or not a number is absent, since JSON has no word for it.
func TestFindings(t *testing.T) {
	first, second := &experts.Lesion{Label: "Lesion 1", Side: experts.Left, Clock: 2, Depth: experts.Middle, Shape: experts.Oval,
		NippleMM: experts.Known(31.5), WallMM: experts.Known(math.NaN()), Solidity: experts.Known(math.Inf(1)),
		CurveShare: map[experts.Curve]float64{experts.Washout: 0.25}}, &experts.Lesion{Label: "Lesion 2"}
	first.Neighbours = []experts.Relation{{To: second, GapMM: 3, DistanceMM: 12, Spread: experts.Multifocal}}
	reading := &analysis.Reading{Assessment: &fusion.Assessment{
		Outcome: fusion.WithFindings, Findings: []fusion.Finding{{Lesion: first}, {Lesion: second}},
		Breasts: []experts.Breast{{Side: experts.Left}}, // as read from a report without its segmentation
	}}
	reading.Other = &analysis.Reading{Assessment: &fusion.Assessment{Outcome: fusion.NotDone, Reason: fusion.NotDoneReason{Code: "GEOM", Text: "tilted"}}}
	text, err := json.Marshal(analysis.AllFindings(reading, "notice"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"clock_hour":2`, `"depth":"middle"`, `"nipple_mm":31.5`, `"shape":"oval"`, `"curve_shares":{"washout":0.25}`,
		`"neighbours":[{"label":"Lesion 2","gap_mm":3,"distance_mm":12,"spread":"multifocal"}]`,
		`"other_breast":{"notice":"notice"`, `"reason":"tilted","reason_code":"GEOM"`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	for _, not := range []string{"chest_wall_mm", "solidity", "null"} {
		if strings.Contains(string(text), not) {
			t.Errorf("%s in %s", not, text)
		}
	}
}
