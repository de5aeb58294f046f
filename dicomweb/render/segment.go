package render

import (
	"image"
	"image/color"
	"image/draw"
	"math"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/pixel"
)

// Opacity of a segment inside, and along its edge.
const (
	inside = 0.35
	edge   = 1.0
)

// Segments renders frames of a Segmentation (PS3.3 A.51) that lie on one plane, counted from 0, each in the colour of its
// segment (Recommended Display CIELab Value). They are drawn over under, an image of which on maps pixels to pixels of the
// segmentation; under may be nil for black.
func Segments(f *dicom.File, set *pixel.FrameSet, frames []int, under image.Image, on Mapping) (image.Image, error) {
	var out *image.RGBA
	if under != nil {
		out = image.NewRGBA(under.Bounds())
		draw.Draw(out, out.Rect, under, under.Bounds().Min, draw.Src)
	}
	colours := segmentColours(f.Dataset)
	for _, n := range frames {
		h := headerOf(f, n)
		s, err := decode(h, set, n)
		if err != nil {
			return nil, err
		}
		if s.unfold(); s.ints == nil || s.perPixel != 1 {
			return nil, dicomweb.Errorf(dicomweb.NotAcceptable, "segments need one integer per pixel")
		}
		if out == nil {
			out = image.NewRGBA(image.Rect(0, 0, s.columns, s.rows))
			draw.Draw(out, out.Rect, image.Black, image.Point{}, draw.Src)
			on = identity
		}
		labels := on.onto(s, out.Rect)
		number := h.group(tag.SegmentIdentificationSequence).IntOr(tag.ReferencedSegmentNumber, 1)
		switch f.Dataset.String(tag.SegmentationType) {
		case "LABELMAP":
			paint(out, labels, func(v int32) (color.RGBA, float64) { return colourOf(colours, int(v)), 0 })
		case "FRACTIONAL":
			most := float64(max(f.Dataset.IntOr(tag.MaximumFractionalValue, 255), 1))
			share := func(v int32) (color.RGBA, float64) { return colourOf(colours, number), min(float64(v)/most, 1) }
			paint(out, labels, share)
		default:
			paint(out, labels, func(int32) (color.RGBA, float64) { return colourOf(colours, number), 0 })
		}
	}
	return out, nil
}

// paint draws the pixels whose label is not 0, in the colour of the label; where the opacity that comes with it is 0 it is
// that of a mask: its edge is drawn in full.
func paint(out *image.RGBA, labels []int32, look func(label int32) (color.RGBA, float64)) {
	w, h := out.Rect.Dx(), out.Rect.Dy()
	for i, label := range labels {
		if label <= 0 {
			continue
		}
		c, opacity := look(label)
		if opacity == 0 {
			opacity = inside
			if x, y := i%w, i/w; x == 0 || y == 0 || x == w-1 || y == h-1 ||
				labels[i-1] != label || labels[i+1] != label || labels[i-w] != label || labels[i+w] != label {
				opacity = edge
			}
		}
		p := out.Pix[4*i : 4*i+3 : 4*i+3]
		for k, v := range [3]uint8{c.R, c.G, c.B} {
			p[k] = uint8(float64(p[k])*(1-opacity) + float64(v)*opacity + 0.5)
		}
	}
}

// Mapping brings a pixel (column, row) of an image to the pixel of another that lies at the same place: the place of pixel
// (0, 0), and the steps for one column and one row.
type Mapping struct{ Origin, Column, Row [2]float64 }

// identity maps each pixel to the same.
var identity = Mapping{Column: [2]float64{1, 0}, Row: [2]float64{0, 1}}

// onto returns the samples at the pixels of an image of the size of r, 0 where they have none.
func (m Mapping) onto(s *samples, r image.Rectangle) []int32 {
	if m == identity && r.Dx() == s.columns && r.Dy() == s.rows {
		return s.ints
	}
	out := make([]int32, r.Dx()*r.Dy())
	for i := range out {
		c, row := float64(i%r.Dx()), float64(i/r.Dx())
		x := math.Round(m.Origin[0] + c*m.Column[0] + row*m.Row[0])
		y := math.Round(m.Origin[1] + c*m.Column[1] + row*m.Row[1])
		if x >= 0 && y >= 0 && x < float64(s.columns) && y < float64(s.rows) {
			out[i] = s.ints[int(y)*s.columns+int(x)]
		}
	}
	return out
}

// plane is where the pixels of a frame lie in the patient, mm (PS3.3 C.7.6.2.1.1).
type plane struct {
	origin       [3]float64 // of pixel (0, 0)
	along, down  [3]float64 // unit vectors along a row and down a column
	right, below float64    // distances between columns and between rows, mm
}

// planeOf returns the plane of a frame; ok is false when the header does not tell it.
func planeOf(h frameHeader) (p plane, ok bool) {
	position := h.groupOr(tag.PlanePositionSequence).Floats(tag.ImagePositionPatient)
	orientation := h.groupOr(tag.PlaneOrientationSequence).Floats(tag.ImageOrientationPatient)
	spacing := h.groupOr(tag.PixelMeasuresSequence).Floats(tag.PixelSpacing)
	if len(position) != 3 || len(orientation) != 6 || len(spacing) != 2 || !positive(spacing[0]) || !positive(spacing[1]) {
		return p, false
	}
	copy(p.origin[:], position)
	copy(p.along[:], orientation[:3])
	copy(p.down[:], orientation[3:])
	p.below, p.right = spacing[0], spacing[1]
	return p, true
}

// mappingOf returns how pixels of the image map to those of the segmentation: by where they lie in the patient, else by their
// numbers where both have the same size. ok is false when neither can be told.
func mappingOf(img, seg frameHeader) (m Mapping, ok bool) {
	a, haveA := planeOf(img)
	b, haveB := planeOf(seg)
	if !haveA || !haveB {
		same := img.top.IntOr(tag.Rows, 0) == seg.top.IntOr(tag.Rows, 0) && img.top.IntOr(tag.Columns, 0) == seg.top.IntOr(tag.Columns, 0)
		return identity, same
	}
	var offset [3]float64
	for k := range offset {
		offset[k] = a.origin[k] - b.origin[k]
	}
	m.Origin = [2]float64{dot(offset, b.along) / b.right, dot(offset, b.down) / b.below}
	m.Column = [2]float64{a.right * dot(a.along, b.along) / b.right, a.right * dot(a.along, b.down) / b.below}
	m.Row = [2]float64{a.below * dot(a.down, b.along) / b.right, a.below * dot(a.down, b.down) / b.below}
	return m, true
}

func dot(a, b [3]float64) float64 { return a[0]*b[0] + a[1]*b[1] + a[2]*b[2] }
