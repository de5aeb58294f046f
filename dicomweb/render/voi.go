package render

import (
	"math"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
)

// Function is a VOI LUT Function, PS3.3 C.11.2.1.2 and .3.
type Function string

// VOI LUT Functions, as the attribute names them.
const (
	Linear      Function = "LINEAR"
	LinearExact Function = "LINEAR_EXACT"
	Sigmoid     Function = "SIGMOID"
)

// Window is what is shown between black and white, in units of the Modality LUT's output.
type Window struct {
	Centre, Width float64
	Function      Function
}

// valid reports whether the window means something: a width of 1 at least for LINEAR, more than 0 for the others.
func (w Window) valid() bool {
	least := w.Function == Linear && w.Width >= 1 || w.Function != Linear && w.Width > 0
	return least && !math.IsInf(w.Width, 0) && !math.IsNaN(w.Centre) && !math.IsInf(w.Centre, 0)
}

// at returns what v is shown as, from 0 (black) to 1. What is no number is black.
func (w Window) at(v float64) float64 {
	if math.IsNaN(v) {
		return 0
	}
	switch w.Function {
	case Sigmoid:
		return 1 / (1 + math.Exp(-4*(v-w.Centre)/w.Width))
	case LinearExact:
		return ramp(v, w.Centre-w.Width/2, w.Centre+w.Width/2)
	}
	return ramp(v, w.Centre-0.5-(w.Width-1)/2, w.Centre-0.5+(w.Width-1)/2)
}

// ramp rises from 0 at low, which it includes, to 1 at high. What is no number is 0.
func ramp(v, low, high float64) float64 {
	switch {
	case !(v > low):
		return 0
	case v > high:
		return 1
	}
	return (v - low) / (high - low)
}

// ownWindow returns the first window of the object: of the frame's VOI LUT functional group or of the top level. A LINEAR
// one that is narrower than 1, which the standard does not allow and maps of small numbers have, is taken as exact.
func ownWindow(h frameHeader) (Window, bool) {
	in := h.groupOr(tag.FrameVOILUTSequence)
	centre, hasCentre := in.Float(tag.WindowCenter)
	width, hasWidth := in.Float(tag.WindowWidth)
	w := Window{centre, width, Function(in.String(tag.VOILUTFunction))}
	if w.Function != LinearExact && w.Function != Sigmoid {
		w.Function = Linear
	}
	if w.Function == Linear && w.Width < 1 {
		w.Function = LinearExact
	}
	return w, hasCentre && hasWidth && w.valid()
}

// ownTable returns the first table of the object's VOI LUT Sequence, nil where there is none.
func ownTable(h frameHeader, signed bool) (*lut, error) {
	item := h.groupOr(tag.FrameVOILUTSequence).Item(tag.VOILUTSequence)
	if item == nil {
		return nil, nil
	}
	return readLUT(h.file, item, tag.LUTDescriptor, tag.LUTData, signed)
}

// modality returns the Modality LUT (PS3.3 C.11.1, or the functional group of C.7.6.16.2.9b) as a function of the stored
// value; identity reports that it changes nothing.
func modality(h frameHeader, signed bool) (apply func(float64) float64, identity bool, err error) {
	if item := h.top.Item(tag.ModalityLUTSequence); item != nil {
		l, err := readLUT(h.file, item, tag.LUTDescriptor, tag.LUTData, signed)
		if err != nil {
			return nil, false, err
		}
		return l.at, false, nil
	}
	in := h.groupOr(tag.PixelValueTransformationSequence)
	slope, intercept := rescale(in)
	if slope == 1 && intercept == 0 {
		return func(v float64) float64 { return v }, true, nil
	}
	return func(v float64) float64 { return slope*v + intercept }, false, nil
}

func rescale(in *dicom.Dataset) (slope, intercept float64) {
	slope, intercept = 1, 0
	if v, ok := in.Float(tag.RescaleSlope); ok && v != 0 {
		slope = v
	}
	if v, ok := in.Float(tag.RescaleIntercept); ok {
		intercept = v
	}
	return slope, intercept
}
