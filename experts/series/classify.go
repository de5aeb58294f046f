package series

import (
	"fmt"
	"math"
	"strings"

	"mome/dicomweb/dicom/tag"
	"mome/experts"
	"mome/experts/volume"
)

// Bounds of the contrasts, ms and degrees. They are wide: they part T1-weighted spoiled gradient echo (TR 3-12, TE 1-5;
// two-dimensional ones up to TR 300) from T2-weighted spin echo (TR over 2000, TE 70-120; three-dimensional ones TR
// 1500) and STIR (TE 40-100, TI 80-300), as breast protocols of all vendors use them, not one protocol from another.
const (
	t2MinTRms, t2MinTEms     = 1500, 60
	stirMinTEms              = 40
	stirMinTIms, stirMaxTIms = 80, 300
	t1MaxTEms, t1MaxTRms     = 10, 300
	t1FastTRms, t1MaxFlipDeg = 30, 45 // below this TR, more flip is balanced steady state, not T1 weighting
	t1SpinMaxTRms            = 1200
	t1SpinMaxTEms            = 30
	leastDiffusion           = 20 // s/mm2; less is no weighting
)

// contrastT1 and contrastT2 mark parts as candidates: what they become is decided over the whole study.
const (
	contrastT1        experts.Role = "T1 candidate"
	contrastT2        experts.Role = "T2 candidate"
	contrastDiffusion experts.Role = "DWI candidate"
	contrastADC       experts.Role = "ADC candidate"
)

// candidate reports whether the part is still to be decided, with the given contrast.
func (p *part) candidate(contrast experts.Role) bool { return p.role == contrast }

// classify judges every part of the series by itself.
func (s *oneSeries) classify() {
	h := s.header
	if m := h.String(tag.Modality); m != "MR" {
		if m == "" {
			s.judge(experts.RoleUncertain, "no modality", "Modality is absent.", 0)
			return
		}
		s.judge(experts.RoleExcluded, "modality "+m, fmt.Sprintf("Modality is %s, not MR.", m), 1)
		return
	}
	switch class := h.String(tag.SOPClassUID); class {
	case mrImage, enhancedMR, legacyConvertedMR:
	default:
		s.judge(experts.RoleExcluded, "no MR image", "SOP Class is none of the MR Image classes.", 0.95)
		return
	}
	if s.mixedOrientation() {
		s.judge(experts.RoleExcluded, kindLocalizer, "Image Orientation (Patient) is mixed: planes of different directions in one series.", 0.9)
		return
	}
	if s.scattered {
		s.judge(experts.RoleUncertain, "scattered planes", fmt.Sprintf("Its images fall into more than %d kinds of planes: no volume.", maxParts), 0.3)
		return
	}
	described := kindOfDescription(s.description)
	w := words(s.description + " " + h.String(tag.ProtocolName))
	var parts []*part
	for _, p := range s.parts {
		p.verdict = p.judge(described, w)
		parts = append(parts, p.slabs()...)
	}
	s.parts = parts
}

// judge decides over the whole series.
func (s *oneSeries) judge(role experts.Role, detail, reason string, confidence float64) {
	s.whole = verdict{role: role, detail: detail, reason: reason, confidence: confidence}
	for _, p := range s.parts {
		p.verdict = s.whole
	}
}

// mixedOrientation reports planes more than 20 degrees apart, in numbers too small for volumes.
func (s *oneSeries) mixedOrientation() bool {
	if len(s.parts) < 2 || s.images > 120 {
		return false
	}
	for _, p := range s.parts {
		for _, q := range s.parts {
			a, b := &p.images[0], &q.images[0]
			if a.planeErr == nil && b.planeErr == nil && math.Abs(a.plane.Normal().Dot(b.plane.Normal())) < math.Cos(20*math.Pi/180) {
				return true
			}
		}
	}
	return false
}

// judge decides what the part is from its attributes, and checks that against the words of its description.
func (p *part) judge(described string, w []string) verdict {
	im := &p.images[0]
	if im.kind == kindMosaic { // one that was told apart has lost this kind
		reason := fmt.Sprintf("Image Type is %s: many slices in one image, and it could not be split.", strings.Join(im.types, `\`))
		if im.planeErr != nil {
			reason += fmt.Sprintf(" %s.", im.planeErr)
		}
		return verdict{experts.RoleUncertain, "tiles unknown", reason, 0.2}
	}
	if im.planeErr != nil {
		return verdict{experts.RoleUncertain, "no geometry", "No plane in patient space: " + im.planeErr.Error() + ".", 0}
	}
	if n := im.header.IntOr(tag.SamplesPerPixel, 1); n != 1 {
		return verdict{experts.RoleExcluded, "colour image", fmt.Sprintf("Samples per Pixel is %d.", n), 0.95}
	}
	if described == kindADC && (hasPrefix(im.types, "TRACE") || p.severalB()) {
		described = "" // the name of a protocol that also makes a map
	}
	if v := judgeKind(im.kind, described, im.types); v.decided() {
		return v
	}
	if v := p.judgeDiffusion(w); v.decided() {
		return v
	}
	v := p.judgeContrast(w)
	if _, intercept := volume.Rescale(im.header, im.Number); intercept < 0 && v.role != experts.RoleExcluded {
		return verdict{experts.RoleUncertain, "negative values", fmt.Sprintf("%s But Rescale Intercept is %g: magnitude has no negative values, maps and phase images do.", v.reason, intercept), 0.3}
	}
	return v
}

// judgeKind excludes what is known by its kind. What the attributes say of the kind goes before what is described.
func judgeKind(kind, described string, types []string) verdict {
	imageType := strings.Join(types, `\`)
	for _, e := range []struct {
		kind, reason string
		confidence   float64
	}{
		{kind, "Image Type is " + imageType + ".", 0.95},
		{described, fmt.Sprintf("By its Series Description: %s (Image Type is %s).", described, imageType), 0.85},
	} {
		switch e.kind {
		case kindLocalizer, kindPhase, kindReal, kindSubtraction, kindProjection, kindReformat, kindMap, kindCapture, kindComputedB, kindFat:
			return verdict{experts.RoleExcluded, e.kind, e.reason, e.confidence}
		case kindADC:
			return verdict{contrastADC, e.kind, e.reason, e.confidence}
		}
	}
	return verdict{}
}

// severalB reports whether the images differ in b-value: a map has none.
func (p *part) severalB() bool {
	least, most := math.Inf(1), math.Inf(-1)
	for i := range p.images {
		if b := p.images[i].diffusion.b; !math.IsNaN(b) {
			least, most = min(least, b), max(most, b)
		}
	}
	return most-least >= leastDiffusion
}

// judgeDiffusion decides over parts with diffusion weighting and over echo-planar ones without.
func (p *part) judgeDiffusion(w []string) verdict {
	im := &p.images[0]
	bMax, source, known, trace := 0.0, "", 0, false
	for i := range p.images {
		d := &p.images[i].diffusion
		if !math.IsNaN(d.b) {
			known++
			source = d.source
			bMax = max(bMax, d.b)
		}
		trace = trace || d.trace
	}
	named := hasPrefix(im.types, "DIFFUSION", "TRACE") || has(w, "dwi*", "diff*", "dti*", "ivim", "zoomit", "resolve") ||
		im.header.String(tag.AcquisitionContrast) == "DIFFUSION"
	switch {
	case im.diffusion.computed:
		return verdict{experts.RoleExcluded, kindComputedB, "Sequence Name tells a computed b-value.", 0.9}
	case bMax >= leastDiffusion:
		return verdict{contrastDiffusion, "", fmt.Sprintf("b-values from %s.", source), 0.95}
	case named && known > 0 && im.sequence.echoPlanar:
		return verdict{contrastDiffusion, "", fmt.Sprintf("Diffusion by name, b-values from %s.", source), 0.8}
	case named && !im.sequence.gradientEcho:
		return verdict{experts.RoleUncertain, "diffusion, b-values unknown", "Diffusion by name, but no attribute tells a b-value.", 0.3}
	case im.sequence.echoPlanar && len(w) == 0 && im.types0() != "ORIGINAL":
		return verdict{experts.RoleUncertain, "echo-planar, use unknown", "Echo-planar acquisition without a b-value, a description or an Image Type that tells what it shows.", 0.3}
	case im.sequence.echoPlanar:
		return verdict{experts.RoleExcluded, "echo-planar", "Echo-planar acquisition without diffusion weighting.", 0.8}
	}
	return verdict{}
}

// judgeContrast decides T1 and T2 weighting by TR, TE, TI and the kind of echo.
func (p *part) judgeContrast(w []string) verdict {
	im := &p.images[0]
	s := &im.sequence
	how := s.describe()
	saysT1, saysT2 := has(w, "t1*"), has(w, "t2*", "tirm", "stir*")
	untold := !s.spinEcho && !s.gradientEcho && !s.inversion // the kind of echo was stripped: TR and TE must do, with less confidence
	least := func(c float64) float64 {
		if untold {
			return c - 0.2
		}
		return c
	}
	switch {
	case math.IsNaN(s.trMS) || math.IsNaN(s.teMS):
		switch {
		case saysT2 && !saysT1:
			return verdict{contrastT2, "", "Series Description says T2; Repetition Time or Echo Time is absent.", 0.4}
		case im.types0() != "ORIGINAL": // what was computed from T1-weighted images has their name, and rarely TR and TE
		case saysT1 && !saysT2 || has(w, "dyn*", "vibrant*", "thrive*", "ethrive", "vibe", "fl3d", "lava*", "views", "bliss"):
			return verdict{contrastT1, "", "Series Description says T1; Repetition Time or Echo Time is absent.", 0.4}
		}
		return verdict{experts.RoleUncertain, "contrast unknown", "Repetition Time or Echo Time is absent.", 0}
	case s.inversion && s.tiMS > 1500:
		return verdict{experts.RoleExcluded, "FLAIR", fmt.Sprintf("Long inversion time (%s): fluid is suppressed.", how), 0.8}
	case !s.gradientEcho && s.trMS >= t2MinTRms && (s.teMS >= t2MinTEms ||
		s.inversion && s.teMS >= stirMinTEms && !(s.tiMS < stirMinTIms) && !(s.tiMS > stirMaxTIms)):
		if saysT1 && !saysT2 {
			return verdict{experts.RoleUncertain, "contradiction", fmt.Sprintf("Long TR and TE (%s) say T2, the description says T1.", how), 0.3}
		}
		if untold && (im.types0() != "ORIGINAL" || p.repeats()) {
			return verdict{experts.RoleUncertain, "contrast unknown", fmt.Sprintf("Long TR and TE (%s) fit T2 and diffusion; Scanning Sequence is absent and the images are derived or repeat each slice.", how), 0.3}
		}
		return verdict{contrastT2, "", fmt.Sprintf("T2-weighted by long TR and TE (%s).", how), least(0.95)}
	case !s.spinEcho && s.teMS <= t1MaxTEms && s.trMS <= t1MaxTRms && (s.trMS > t1FastTRms || !(s.flipDeg > t1MaxFlipDeg)):
		if saysT2 && !saysT1 {
			return verdict{experts.RoleUncertain, "contradiction", fmt.Sprintf("Short TR and TE (%s) say T1, the description says T2.", how), 0.3}
		}
		return verdict{contrastT1, "", fmt.Sprintf("T1-weighted gradient echo by short TR and TE (%s).", how), least(0.9)}
	case s.spinEcho && s.trMS <= t1SpinMaxTRms && s.teMS <= t1SpinMaxTEms:
		return verdict{experts.RoleExcluded, "T1 spin echo", fmt.Sprintf("T1-weighted spin echo (%s): anatomy, not part of the analysis.", how), 0.9}
	}
	return verdict{experts.RoleUncertain, "contrast unknown", fmt.Sprintf("%s fits neither T1-weighted gradient echo nor T2.", how), 0.2}
}

// repeats reports several images at one place.
func (p *part) repeats() bool {
	mm, of := places(p.images)
	return len(of) > len(mm)
}

// types0 returns the first value of Image Type, "" if it is absent.
func (im *image) types0() string {
	if len(im.types) == 0 {
		return ""
	}
	return im.types[0]
}

// describe names the attributes that tell the contrast.
func (s *sequence) describe() string {
	var b strings.Builder
	switch {
	case s.spinEcho && s.gradientEcho:
		b.WriteString("spin and gradient echo, ")
	case s.spinEcho:
		b.WriteString("spin echo, ")
	case s.gradientEcho:
		b.WriteString("gradient echo, ")
	}
	fmt.Fprintf(&b, "TR %g ms, TE %g ms", s.trMS, s.teMS)
	if s.tiMS > 0 {
		fmt.Fprintf(&b, ", TI %g ms", s.tiMS)
	}
	if s.flipDeg > 0 {
		fmt.Fprintf(&b, ", flip angle %g degrees", s.flipDeg)
	}
	return b.String()
}

func hasPrefix(values []string, prefixes ...string) bool {
	for _, v := range values {
		for _, p := range prefixes {
			if strings.HasPrefix(v, p) {
				return true
			}
		}
	}
	return false
}
