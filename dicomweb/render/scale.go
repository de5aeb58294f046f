package render

import (
	"image"
	"math"
)

// scale returns the pixels of part in another size: each is the mean of those around its place, weighed by a triangle that
// spans two pixels of whichever size is coarser. Rows come first, columns then; all that is held in between is one value of
// 16 bits for each column of the result and row of the part. img is *image.Gray or *image.RGBA.
func scale(img image.Image, part image.Rectangle, size image.Point) image.Image {
	across, down := tapsOf(part.Dx(), size.X), tapsOf(part.Dy(), size.Y)
	switch img := img.(type) {
	case *image.Gray:
		out := image.NewGray(image.Rectangle{Max: size})
		resample(out.Pix, img.Pix[img.PixOffset(part.Min.X, part.Min.Y):], img.Stride, 1, part.Dy(), across, down)
		return out
	case *image.RGBA:
		out := image.NewRGBA(image.Rectangle{Max: size})
		resample(out.Pix, img.Pix[img.PixOffset(part.Min.X, part.Min.Y):], img.Stride, 4, part.Dy(), across, down)
		return out
	}
	panic("render: scale an image that is neither grey nor RGBA")
}

// tap is the weights of the pixels from first on; together they are 1 << tapBits.
type tap struct {
	first   int
	weights []uint32
}

const tapBits = 14

// tapsOf returns the taps for each of out pixels made of in ones.
func tapsOf(in, out int) []tap {
	step := float64(in) / float64(out)
	reach := max(step, 1) // half the width of the triangle
	taps := make([]tap, out)
	for k := range taps {
		centre := (float64(k) + 0.5) * step
		first, last := max(int(math.Floor(centre-reach)), 0), min(int(math.Ceil(centre+reach)), in)
		t, sum := tap{first, make([]uint32, 0, last-first)}, 0.0
		weight := func(i int) float64 { return max(1-math.Abs(float64(i)+0.5-centre)/reach, 0) }
		for i := first; i < last; i++ {
			sum += weight(i)
		}
		left, largest := uint32(1<<tapBits), 0
		for i := first; i < last; i++ {
			w := min(uint32(weight(i)/sum*(1<<tapBits)+0.5), left)
			left -= w
			if t.weights = append(t.weights, w); w > t.weights[largest] {
				largest = i - first
			}
		}
		t.weights[largest] += left // what rounding took
		taps[k] = t
	}
	return taps
}

// resample writes to dst, whose rows follow each other, what across and down make of rows of src.
func resample(dst, src []uint8, stride, channels, rows int, across, down []tap) {
	width := len(across) * channels
	between := make([]uint16, rows*width) // in 1/256
	for row := range rows {
		in, out := src[row*stride:], between[row*width:(row+1)*width]
		for k, t := range across {
			for c := range channels {
				sum, at := uint32(0), t.first*channels+c
				for _, w := range t.weights {
					sum += w * uint32(in[at])
					at += channels
				}
				out[k*channels+c] = uint16(sum >> (tapBits - 8))
			}
		}
	}
	sums := make([]uint32, width)
	for k, t := range down {
		for i := range sums {
			sums[i] = 1 << (tapBits + 7) // rounds
		}
		for j, w := range t.weights {
			in := between[(t.first+j)*width:][:width]
			for i, v := range in {
				sums[i] += w * uint32(v)
			}
		}
		out := dst[k*width:][:width]
		for i, v := range sums {
			out[i] = uint8(v >> (tapBits + 8))
		}
	}
}

// flip mirrors an image of *image.Gray or *image.RGBA in place.
func flip(img image.Image, x, y bool) {
	var pix []uint8
	channels := 1
	switch img := img.(type) {
	case *image.Gray:
		pix = img.Pix
	case *image.RGBA:
		pix, channels = img.Pix, 4
	}
	w, h := img.Bounds().Dx(), img.Bounds().Dy()
	swap := func(a, b int) { // pixels by their number
		for c := range channels {
			pix[a*channels+c], pix[b*channels+c] = pix[b*channels+c], pix[a*channels+c]
		}
	}
	for row := 0; x && row < h; row++ {
		for i, j := row*w, row*w+w-1; i < j; i, j = i+1, j-1 {
			swap(i, j)
		}
	}
	for i, j := 0, h-1; y && i < j; i, j = i+1, j-1 {
		for column := range w {
			swap(i*w+column, j*w+column)
		}
	}
}
