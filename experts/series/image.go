package series

import (
	"math"
	"slices"
	"strings"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/experts/volume"
)

// SOP classes whose images are read, PS3.4 annex B.5.
const (
	mrImage           = "1.2.840.10008.5.1.4.1.1.4"
	enhancedMR        = "1.2.840.10008.5.1.4.1.1.4.1"
	legacyConvertedMR = "1.2.840.10008.5.1.4.1.1.4.4"
	enhancedMRColor   = "1.2.840.10008.5.1.4.1.1.4.3"
	mrSpectroscopy    = "1.2.840.10008.5.1.4.1.1.4.2"
	maxFrames         = 200_000 // of one instance
)

// image is what the rules look at of one frame. Numbers that are absent are NaN.
type image struct {
	Frame
	uid            string // SOP Instance UID
	series         string // Series Instance UID
	instanceNumber int
	plane          volume.Plane
	planeErr       error
	placeMM        float64  // of the plane along its normal
	types          []string // Image Type or Frame Type, upper case
	kind           string   // what separates images within a series: "ADC", "FAT", "PHASE", ...; "" for the usual
	sequence       sequence
	temporal       int // Temporal Position, 0 if absent
	acquisition    int // Acquisition Number, 0 if absent
	clocks         clocks
	diffusion      diffusion
	manufacturer   string // upper case
	header         *dicom.Dataset
}

// sequence is how the image was acquired.
type sequence struct {
	trMS, teMS, tiMS, flipDeg float64  // NaN where absent
	scanning                  []string // Scanning Sequence
	spinEcho, gradientEcho    bool
	echoPlanar, inversion     bool
	threeD                    bool
	fatSuppressed             bool   // by header only
	name                      string // Sequence Name or Pulse Sequence Name, lower case
}

// imagesOf reads the frames of one instance: none for an object without rows and columns.
func imagesOf(index int, h *dicom.Dataset) []image {
	if h.IntOr(tag.Rows, 0) == 0 {
		return nil
	}
	if volume.IsMosaic(h) {
		return tilesOf(index, h)
	}
	frames := len(h.Items(tag.PerFrameFunctionalGroupsSequence))
	if frames == 0 || !isEnhanced(h) {
		return []image{imageOf(index, 0, h)}
	}
	out := make([]image, 0, min(frames, maxFrames))
	for n := 1; n <= min(frames, maxFrames); n++ {
		out = append(out, imageOf(index, n, h))
	}
	return out
}

// tilesOf makes an image of each tile; of an image whose tiles cannot be told, one that has no plane.
func tilesOf(index int, h *dicom.Dataset) []image {
	whole := imageOf(index, 0, h)
	m, err := volume.MosaicOf(h)
	if err != nil {
		whole.planeErr = err
		return []image{whole}
	}
	whole.types = slices.DeleteFunc(whole.types, func(v string) bool { return v == "MOSAIC" || v == "VFRAME" })
	whole.kind = kindOf(&whole, groups{h, 0})
	out := make([]image, len(m.Tiles))
	for k, plane := range m.Tiles {
		im := whole
		im.Tile, im.plane, im.planeErr = k+1, plane, nil
		im.placeMM = plane.Position.Dot(plane.Normal())
		out[k] = im
	}
	return out
}

func isEnhanced(h *dicom.Dataset) bool {
	switch h.String(tag.SOPClassUID) {
	case enhancedMR, legacyConvertedMR, enhancedMRColor:
		return true
	}
	return false
}

func imageOf(index, number int, h *dicom.Dataset) image {
	g := groups{h, number}
	im := image{
		Frame:          Frame{Instance: index, Number: number},
		uid:            h.String(tag.SOPInstanceUID),
		series:         h.String(tag.SeriesInstanceUID),
		instanceNumber: h.IntOr(tag.InstanceNumber, 0),
		acquisition:    g.in(tag.FrameContentSequence, tag.FrameAcquisitionNumber).IntOr(tag.FrameAcquisitionNumber, h.IntOr(tag.AcquisitionNumber, 0)),
		temporal:       g.in(tag.FrameContentSequence, tag.TemporalPositionIndex).IntOr(tag.TemporalPositionIndex, h.IntOr(tag.TemporalPositionIdentifier, 0)),
		manufacturer:   strings.ToUpper(h.String(tag.Manufacturer)),
		header:         h,
	}
	im.types = upper(g.in(tag.MRImageFrameTypeSequence, tag.FrameType).Strings(tag.FrameType))
	if len(im.types) == 0 {
		im.types = upper(h.Strings(tag.ImageType))
	}
	if im.plane, im.planeErr = volume.PlaneOf(h, number); im.planeErr == nil {
		im.placeMM = im.plane.Position.Dot(im.plane.Normal())
	}
	im.sequence = sequenceOf(g)
	im.clocks = clocksOf(g)
	im.diffusion = diffusionOf(g, im.types, im.sequence.name)
	im.kind = kindOf(&im, g)
	return im
}

// groups finds attributes of one frame: in its functional groups, else in the header.
type groups struct {
	header *dicom.Dataset
	frame  int
}

// in returns the data set that holds t for the frame: the functional group sequence's item where it does.
func (g groups) in(sequence, t tag.Tag) *dicom.Dataset {
	if d := volume.FunctionalGroup(g.header, g.frame, sequence); d.Has(t) {
		return d
	}
	return g.header
}

func (g groups) float(sequence, t tag.Tag) float64 {
	if f, ok := g.in(sequence, t).Float(t); ok {
		return f
	}
	return math.NaN()
}

func (g groups) text(sequence, t tag.Tag) string {
	return strings.ToUpper(g.in(sequence, t).String(t))
}

func sequenceOf(g groups) sequence {
	h := g.header
	s := sequence{
		trMS:     g.float(tag.MRTimingAndRelatedParametersSequence, tag.RepetitionTime),
		teMS:     g.float(tag.MREchoSequence, tag.EffectiveEchoTime),
		tiMS:     g.float(tag.MRModifierSequence, tag.InversionTimes),
		flipDeg:  g.float(tag.MRTimingAndRelatedParametersSequence, tag.FlipAngle),
		scanning: upper(h.Strings(tag.ScanningSequence)),
		name:     strings.ToLower(h.String(tag.SequenceName)),
	}
	if math.IsNaN(s.teMS) {
		s.teMS = g.float(0, tag.EchoTime)
	}
	if math.IsNaN(s.tiMS) {
		s.tiMS = g.float(0, tag.InversionTime)
	}
	if s.name == "" {
		s.name = strings.ToLower(h.String(tag.PulseSequenceName))
	}
	echo := h.String(tag.EchoPulseSequence)
	s.spinEcho = slices.Contains(s.scanning, "SE") || echo == "SPIN" || echo == "BOTH"
	s.gradientEcho = slices.Contains(s.scanning, "GR") || echo == "GRADIENT" || echo == "BOTH"
	s.echoPlanar = slices.Contains(s.scanning, "EP") || h.String(tag.EchoPlanarPulseSequence) == "YES"
	s.inversion = slices.Contains(s.scanning, "IR") || g.text(tag.MRModifierSequence, tag.InversionRecovery) == "YES" || s.tiMS > 0
	s.threeD = strings.HasPrefix(h.String(tag.MRAcquisitionType), "3D")
	spectral := g.text(tag.MRModifierSequence, tag.SpectrallySelectedSuppression)
	s.fatSuppressed = slices.Contains(upper(h.Strings(tag.ScanOptions)), "FS") ||
		strings.HasPrefix(spectral, "FAT") || g.text(tag.MRModifierSequence, tag.SpectrallySelectedExcitation) == "WATER"
	return s
}

// alike reports whether both images can belong to one volume or to volumes that follow each other.
func (a *image) alike(b *image) bool {
	p, q := &a.plane, &b.plane
	return (a.planeErr == nil) == (b.planeErr == nil) && a.kind == b.kind &&
		p.Columns == q.Columns && p.Rows == q.Rows && p.FrameOfReference == q.FrameOfReference &&
		closeTo(a.sequence.teMS, b.sequence.teMS, 0.05) &&
		p.Axis[0].Sub(q.Axis[0]).Norm() < 2e-3 && p.Axis[1].Sub(q.Axis[1]).Norm() < 2e-3 &&
		closeTo(p.SpacingMM[0], q.SpacingMM[0], 1e-3) && closeTo(p.SpacingMM[1], q.SpacingMM[1], 1e-3)
}

// closeTo reports whether two numbers agree to a relative tolerance, or are both absent.
func closeTo(a, b, relative float64) bool {
	if math.IsNaN(a) || math.IsNaN(b) {
		return math.IsNaN(a) && math.IsNaN(b)
	}
	return math.Abs(a-b) <= relative*max(math.Abs(a), math.Abs(b))
}

func upper(values []string) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = strings.ToUpper(v)
	}
	return out
}
