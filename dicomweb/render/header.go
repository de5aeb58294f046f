package render

import (
	"math"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
)

// frameHeader finds the attributes of one frame: in its functional groups, in the shared ones, at the top level.
type frameHeader struct {
	file               *dicom.File
	top, frame, shared *dicom.Dataset
}

// headerOf returns the header of frame n, which counts from 0; one that does not exist has no functional groups of its own.
func headerOf(f *dicom.File, n int) frameHeader {
	h := frameHeader{file: f, top: f.Dataset, shared: f.Dataset.Item(tag.SharedFunctionalGroupsSequence)}
	if groups := f.Dataset.Items(tag.PerFrameFunctionalGroupsSequence); n >= 0 && n < len(groups) {
		h.frame = groups[n]
	}
	return h
}

// group returns the functional group named by its sequence (PS3.3 C.7.6.16), nil where the object has none.
func (h frameHeader) group(sequence tag.Tag) *dicom.Dataset {
	if item := h.frame.Item(sequence); item != nil {
		return item
	}
	return h.shared.Item(sequence)
}

// groupOr returns the functional group, or the top level, where objects of one frame have the same attributes.
func (h frameHeader) groupOr(sequence tag.Tag) *dicom.Dataset {
	if item := h.group(sequence); item != nil {
		return item
	}
	return h.top
}

// squeeze returns by how much columns and rows have to be stretched to make pixels square; one of them is 1. Pixel
// Aspect Ratio is vertical over horizontal size (PS3.3 C.7.6.3.1.7); spacings come as rows, columns in mm.
func (h frameHeader) squeeze() (x, y float64) {
	size := [2]float64{1, 1} // vertical, horizontal
	for _, from := range []struct {
		in  *dicom.Dataset
		tag tag.Tag
	}{
		{h.top, tag.PixelAspectRatio}, {h.groupOr(tag.PixelMeasuresSequence), tag.PixelSpacing},
		{h.top, tag.ImagerPixelSpacing}, {h.top, tag.NominalScannedPixelSpacing},
	} {
		if v := from.in.Floats(from.tag); len(v) == 2 && positive(v[0]) && positive(v[1]) {
			size = [2]float64{v[0], v[1]}
			break
		}
	}
	const exact, most = 0.005, 8 // less is not seen; more is no pixel of an image but an error of the header
	switch ratio := size[0] / size[1]; {
	case math.Abs(ratio-1) < exact || ratio > most || ratio < 1.0/most:
		return 1, 1
	case ratio > 1:
		return 1, ratio
	default:
		return 1 / ratio, 1
	}
}

func positive(v float64) bool { return v > 0 && !math.IsInf(v, 0) }
