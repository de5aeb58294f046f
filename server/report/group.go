package report

import (
	"strconv"
	"strings"

	"mome/dicomweb/iod/code"
	"mome/dicomweb/sr"
	"mome/experts"
	"mome/fusion"
)

// lesion returns the measurement group of a finding whose outline is a segment of the SEG, 0 for none. What is not
// known is left out: a NUM always has a value.
func (b *build) lesion(f fusion.Finding, segment int) sr.ROI {
	r := sr.ROI{
		TrackingID: f.Label, TrackingUID: b.tracking(f.TrackingUID, f.Label),
		Category: code.Abnormal, Finding: code.Lesion,
		Site: code.Breast, Laterality: sideCode(f.Side), Topography: codeOf(quadrants(), f.Quadrant),
	}
	b.segmentOf(&r, segment)
	b.explained(&r)
	if segment > 0 {
		b.places(&r, f.Lesion)
	}
	var m measurements
	m.add(code.ProbabilityOfCancer, percent(f.Probability), 1, code.Percent, method(code.Calibrated))
	m.add(code.Volume, positive(f.VolumeCM3), 3, code.CM3, method(code.VoxelSum))
	b.diameters(&m, f.Lesion)
	m.add(code.DetectionScore, positive(f.Lesion.Suspicion), 3, code.Dimensionless, method(code.StandsOut))
	m.add(code.Sphericity, positive(f.Sphericity), 3, code.Ratio, method(code.SphereArea))
	m.add(code.T2Signal, f.T2Ratio, 2, code.Ratio, how{derivation: code.Mean, method: codeOf(t2References(), f.T2Reference)})
	for _, q := range quantities() {
		m.add(q.name, *q.of(f.Lesion), q.decimals, q.unit, q.how)
	}
	if h := f.HotSpot; h.Voxels > 0 {
		m.add(code.VoxelCount, experts.Known(float64(h.Voxels)), 0, code.Dimensionless, how{method: code.Counted, modifiers: inHotSpot()})
	}
	if f.ADCVoxels > 0 {
		m.add(code.VoxelCount, experts.Known(float64(f.ADCVoxels)), 0, code.Dimensionless, how{method: code.Counted, modifiers: ofDiffusion()})
	}
	m.addUptake(f.Uptake)
	m.curveShares(f.CurveShare)
	m.contributions(f.Contributions)
	m.further(f.Further)
	for _, n := range f.Neighbours {
		b.neighbour(&m, &r, n)
	}
	r.Measurements = m.list
	r.Evaluations = evaluate(lesionQualities(), f.Lesion)
	if c, ok := code.SuspicionLevel(f.Suspicion); ok {
		r.Evaluations = append(r.Evaluations, sr.Quality{Name: code.Suspicion, Value: c})
	}
	b.courses(&r, f.Lesion)
	return r
}

// ofDiffusion says that something was counted on the diffusion-weighted images.
func ofDiffusion() []sr.Quality { return []sr.Quality{{Name: code.SeriesRole, Value: code.ADC}} }

// places adds the points that some viewers cannot take, unless they are to be left out.
func (b *build) places(r *sr.ROI, l *experts.Lesion) {
	frame := b.a.Grid.FrameOfReference
	if b.src.NoCenter || frame == "" {
		return
	}
	r.Places = append(r.Places, sr.Place{Name: code.Center, FrameOfReferenceUID: frame, MM: l.CentreMM})
	if l.HotSpot.Voxels > 0 {
		r.Places = append(r.Places, sr.Place{Name: code.HotSpot, FrameOfReferenceUID: frame, MM: l.HotSpot.CentreMM})
	}
}

// diameters adds the axes with the lines that they were measured along.
func (b *build) diameters(m *measurements, l *experts.Lesion) {
	add := func(name code.Code, mm float64, by code.Code, line experts.Line) {
		m.add(name, positive(mm), 1, code.MM, method(by))
		if frame := b.a.Grid.FrameOfReference; mm > 0 && line != (experts.Line{}) && frame != "" && !b.src.NoCenter {
			m.list[len(m.list)-1].Path = sr.Path{FrameOfReferenceUID: frame, MM: [][3]float64{line.From, line.To}}
		}
	}
	add(code.LongAxis, l.LongAxisMM, code.Max3D, l.LongLine)
	add(code.ShortAxis, l.ShortAxisMM, code.Ortho3D, l.ShortLine)
	add(code.LongAxis, l.AxialLong.LengthMM(), code.AxialLongest, l.AxialLong)
	add(code.ShortAxis, l.AxialShort.LengthMM(), code.AxialAcross, l.AxialShort)
}

// neighbour adds how a lesion lies to another one of the report, in numbers and in words.
func (b *build) neighbour(m *measurements, r *sr.ROI, n experts.Relation) {
	for _, f := range b.a.Findings {
		if f.Lesion != n.To {
			continue
		}
		h := method(code.NearestEdge)
		if c := codeOf(spreads(), n.Spread); !c.Zero() {
			h.modifiers = []sr.Quality{{Name: code.Spread, Value: c}}
		}
		before := len(m.list)
		m.add(code.Gap, experts.Known(n.GapMM), 1, code.MM, h)
		m.add(code.CentreDistance, experts.Known(n.DistanceMM), 1, code.MM, method(code.CentreToCentre))
		for i := before; i < len(m.list); i++ {
			m.list[i].Other = f.Label
		}
		text := b.lang.Text("%s of the same breast: %.0f mm between the surfaces, %.0f mm between the centres", b.label(f.Label), n.GapMM, n.DistanceMM)
		switch n.Spread {
		case experts.Multifocal:
			text += b.lang.Text("; in one quadrant (multifocal in place)")
		case experts.Multicentric:
			text += b.lang.Text("; in different quadrants (multicentric in place)")
		}
		r.Texts = append(r.Texts, sr.Statement{Name: code.Comment, Text: text})
	}
}

// courses adds the time-signal curves.
func (b *build) courses(r *sr.ROI, l *experts.Lesion) {
	for _, c := range []struct {
		name   code.Code
		signal []float64
	}{{code.TimeCourse, l.Signal}, {code.HotSpotCourse, l.HotSpot.Signal}} {
		if text := course(l.TimesS, c.signal); text != "" {
			r.Texts = append(r.Texts, sr.Statement{Name: c.name, Text: text})
		}
	}
}

// course writes a curve as "0 s: 100; 90 s: 243", "" if times and values do not belong together.
func course(timesS, signal []float64) string {
	if len(timesS) != len(signal) {
		return ""
	}
	var points []string
	for n, v := range signal {
		points = append(points, number(sr.Round(timesS[n], 1))+" s: "+number(sr.Round(v, 1)))
	}
	return strings.Join(points, "; ")
}

// readCourse is the inverse of course.
func readCourse(text string) (timesS, signal []float64) {
	for _, point := range strings.Split(text, "; ") {
		at, value, ok := strings.Cut(point, " s: ")
		t, err := strconv.ParseFloat(at, 64)
		v, err2 := strconv.ParseFloat(value, 64)
		if !ok || err != nil || err2 != nil {
			return nil, nil
		}
		timesS, signal = append(timesS, t), append(signal, v)
	}
	return timesS, signal
}

// breastGroup returns the measurement group of a breast.
func (b *build) breastGroup(br experts.Breast, segment int) sr.ROI {
	label := sideName(br.Side) + " breast"
	r := sr.ROI{
		TrackingID: label, TrackingUID: b.tracking("", label),
		Category: code.Anatomical, Finding: code.Breast,
		Site: code.Breast, Laterality: sideCode(br.Side),
	}
	b.segmentOf(&r, segment)
	var m measurements
	m.add(code.Volume, positive(br.Mask.VolumeCM3()), 3, code.CM3, method(code.VoxelSum))
	for _, q := range breastQuantities(&br) {
		m.add(q.name, *q.q, q.decimals, q.unit, q.how)
	}
	r.Measurements = m.list
	r.Evaluations = evaluate(breastQualities(), &br)
	return r
}

func (b *build) segmentOf(r *sr.ROI, segment int) {
	if segment > 0 {
		r.Segment = sr.Ref{Instance: b.seg, Segments: []int{segment}}
		r.SourceSeriesUID = b.a.Reference.SeriesUID
	}
}
