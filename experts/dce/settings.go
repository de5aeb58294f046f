package dce

import (
	"fmt"

	"mome/experts"
)

// settings lists what the numbers rest on.
func (r *reading) settings() []experts.Setting {
	phases := r.s.DCE
	startS := phases[1].TimeS
	var out []experts.Setting
	add := func(name string, value float64, unit string) {
		out = append(out, experts.Setting{Name: name, Value: value, Unit: unit})
	}
	clock := "as stated by the images"
	if !r.s.TimesKnown {
		clock = "assumed"
	}
	out = append(out, experts.Setting{Name: "phase times", Text: clock})
	add("phases", float64(len(phases)), "1")
	add("first post-contrast phase after the pre-contrast one", startS-phases[0].TimeS, "s")
	add("duration of a phase", r.durationS, "s")
	add("early phase", float64(r.early+1), "1")
	add("early phase begins after arrival", phases[r.early].TimeS-startS, "s")
	if r.late >= 0 {
		add("late phase", float64(r.late+1), "1")
		add("late phase begins after arrival", phases[r.late].TimeS-startS, "s")
	} else {
		out = append(out, experts.Setting{Name: "late phase", Text: "none"})
	}
	add("last phase of the initial two minutes", float64(r.initial), "1")
	add("target of the early phase", r.cfg.EarlyS, "s")
	add("target of the late phase", r.cfg.LateS, "s")
	add("FTV least pre-contrast signal", 100*r.cfg.FTVBackground, "%")
	add("FTV least early enhancement", r.cfg.FTVMinPE, "%")
	add("FTV least neighbours", float64(max(r.cfg.FTVNeighbours, 0)), "1")
	add("curve least early enhancement", r.cfg.CurveMinPE, "%")
	add("curve change that is no plateau", r.cfg.CurveChange, "%")
	add("worst curve least share", 100*r.cfg.WorstShare, "%")
	add("BPE least early enhancement", r.cfg.BPEMinPE, "%")
	for n, c := range r.cfg.BPECuts {
		add(fmt.Sprintf("BPE %s from", [3]experts.Background{experts.Mild, experts.Moderate, experts.Marked}[n]), c, "%")
	}
	for n, c := range r.cfg.FGTCuts {
		add(fmt.Sprintf("FGT %s from", [3]experts.Composition{experts.CompositionB, experts.CompositionC, experts.CompositionD}[n]), c, "%")
	}
	return append(out, r.tofts.settings(r)...)
}
