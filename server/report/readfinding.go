package report

import (
	"mome/dicomweb/iod/code"
	"mome/dicomweb/sr"
	"mome/experts"
	"mome/fusion"
)

// readFinding is the inverse of lesion, without the mask.
func readFinding(g sr.ROI) fusion.Finding {
	f := fusion.Finding{Lesion: &experts.Lesion{Label: g.TrackingID, Side: readSide(g.Laterality)}, TrackingUID: g.TrackingUID}
	if p, ok := g.Place(code.Center); ok {
		f.CentreMM = p.MM
	}
	l := f.Lesion
	l.Quadrant = wordOf(quadrants(), g.Topography)
	quantity := func(name code.Code) experts.Quantity {
		m, ok := g.Measured(name)
		return experts.Quantity{Value: m.Value, Known: ok}
	}
	f.Probability = quantity(code.ProbabilityOfCancer)
	f.Probability.Value /= 100
	l.VolumeCM3 = quantity(code.Volume).Value
	l.Sphericity = quantity(code.Sphericity).Value
	l.Suspicion = quantity(code.DetectionScore).Value
	l.LongAxisMM, l.LongLine = readAxis(g, code.Max3D)
	l.ShortAxisMM, l.ShortLine = readAxis(g, code.Ortho3D)
	_, l.AxialLong = readAxis(g, code.AxialLongest)
	_, l.AxialShort = readAxis(g, code.AxialAcross)
	for _, q := range quantities() {
		*q.of(l) = q.read(g)
	}
	l.Uptake = readUptake(g)
	readQualities(lesionQualities(), g, l)
	l.TimesS, l.Signal = readCourse(g.Text(code.TimeCourse))
	_, l.HotSpot.Signal = readCourse(g.Text(code.HotSpotCourse))
	if p, ok := g.Place(code.HotSpot); ok {
		l.HotSpot.CentreMM = p.MM
	}
	for _, m := range g.Measurements {
		switch {
		case m.Name.Is(code.VoxelCount) && sameModifiers(m.Modifiers, inHotSpot()):
			l.HotSpot.Voxels = int(m.Value)
		case m.Name.Is(code.VoxelCount) && sameModifiers(m.Modifiers, ofDiffusion()):
			l.ADCVoxels = int(m.Value)
		case m.Name.Is(code.T2Signal) && !m.Method.Is(code.T2Muscle):
			l.T2Ratio, l.T2Reference = experts.Known(m.Value), wordOf(t2References(), m.Method)
		}
	}
	for n := 1; n <= 5; n++ {
		if level, _ := code.SuspicionLevel(n); g.Evaluated(code.Suspicion).Is(level) {
			f.Suspicion = n
		}
	}
	for _, m := range g.Measurements {
		c := wordOf(curves(), m.Modifier(code.EnhancementPattern))
		if !m.Name.Is(code.CurveShare) || c == "" {
			continue
		}
		if f.CurveShare == nil {
			f.CurveShare = map[experts.Curve]float64{}
		}
		f.CurveShare[c] = m.Value / 100
	}
	f.Contributions = readContributions(g)
	return f
}

// readAxis returns the diameter that was measured by a method, mm, and the line that shows it.
func readAxis(g sr.ROI, by code.Code) (mm float64, line experts.Line) {
	for _, m := range g.Measurements {
		if !m.Method.Is(by) {
			continue
		}
		if p := m.Path.MM; len(p) == 2 {
			line = experts.Line{From: p[0], To: p[1]}
		}
		return m.Value, line
	}
	return 0, line
}

// readNeighbours sets how the findings lie to each other.
func readNeighbours(findings []fusion.Finding, groups []sr.ROI) {
	byLabel := map[string]*experts.Lesion{}
	for _, f := range findings {
		byLabel[f.Label] = f.Lesion
	}
	for _, g := range groups {
		l := byLabel[g.TrackingID]
		for _, m := range g.Measurements {
			to := byLabel[m.Other]
			switch {
			case l == nil || to == nil:
			case m.Name.Is(code.Gap):
				l.Neighbours = append(l.Neighbours, experts.Relation{To: to, GapMM: m.Value, Spread: wordOf(spreads(), m.Modifier(code.Spread))})
			case m.Name.Is(code.CentreDistance) && len(l.Neighbours) > 0:
				l.Neighbours[len(l.Neighbours)-1].DistanceMM = m.Value
			}
		}
	}
}

func readContributions(g sr.ROI) []fusion.Contribution {
	var out []fusion.Contribution
	for _, modality := range experts.Modalities {
		c, found := fusion.Contribution{Modality: modality}, false
		for _, m := range g.Measurements {
			switch {
			case !m.Modifier(code.ContribOf).Is(modalityCode(modality)):
			case m.Name.Is(code.Contribution):
				c.Share, found = m.Value/100, true
			case m.Name.Is(code.ContribLogOdd):
				c.LogOdds, found = m.Value, true
			}
		}
		if found {
			out = append(out, c)
		}
	}
	return out
}
