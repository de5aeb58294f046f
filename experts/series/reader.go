package series

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"

	"mome/dicomweb/pixel"
	"mome/experts/volume"
)

// reader reads the frames of one stack; it keeps the last instance open for its next frame.
type reader struct {
	*builder
	instance int
	closer   io.Closer
	frames   *pixel.FrameSet
	layout   pixel.Layout
	syntax   string
	decoder  pixel.Decoder
	samples  []int32 // of the frame or the tile that was read last
	whole    []int32 // of the mosaic that was read last
	mosaic   Frame   // which that is
}

func (r *reader) close() {
	if r.closer != nil {
		r.closer.Close()
		r.closer = nil
	}
}

// build reads a stack's volume.
func (r *reader) build(ctx context.Context, s *Stack) (*volume.Volume, []string, error) {
	in := make([]volume.Slice, len(s.Slices))
	for k, frames := range s.Slices {
		plane, err := r.planeOf(frames[0])
		if err != nil {
			return nil, nil, err
		}
		in[k] = volume.Slice{Plane: plane, Read: func(ctx context.Context, dst []float32) error {
			defer r.sliceDone()
			return r.mean(ctx, frames, s.Geometric, dst)
		}}
	}
	v, _, notes, err := volume.Build(ctx, in)
	return v, notes, err
}

// mean fills dst with the arithmetic or geometric mean of the frames' rescaled values. Negative values have no geometric
// mean: they count as 0.
func (r *reader) mean(ctx context.Context, frames []Frame, geometric bool, dst []float32) error {
	geometric = geometric && len(frames) > 1
	clear(dst)
	for _, f := range frames {
		if err := r.read(ctx, f, len(dst)); err != nil {
			return err
		}
		slope, intercept := volume.Rescale(r.instances[f.Instance].Header, f.Number)
		for i, s := range r.samples {
			value := slope*float64(s) + intercept
			if geometric {
				value = math.Log(max(value, 0)) // log 0 is -Inf, and exp of it 0 again
			}
			dst[i] += float32(value)
		}
	}
	n := float32(len(frames))
	for i := range dst {
		if n > 1 {
			dst[i] /= n
		}
		if geometric {
			dst[i] = float32(math.Exp(float64(dst[i])))
		}
	}
	return nil
}

// read decodes a frame, or a tile of one, of n samples into r.samples.
func (r *reader) read(ctx context.Context, f Frame, n int) error {
	if f.Tile == 0 {
		var err error
		r.samples, err = r.decode(ctx, f, n, r.samples)
		return err
	}
	m, err := volume.MosaicOf(r.instances[f.Instance].Header)
	if err != nil {
		return err
	}
	if t := &m.Tiles[f.Tile-1]; t.Columns*t.Rows != n {
		return fmt.Errorf("the tile has %d x %d samples, %d were expected", t.Columns, t.Rows, n)
	}
	if of := (Frame{Instance: f.Instance, Number: f.Number}); len(r.whole) == 0 || r.mosaic != of {
		if r.whole, err = r.decode(ctx, f, m.Columns*m.Rows, r.whole); err != nil {
			r.whole = r.whole[:0]
			return err
		}
		if r.layout.Columns != m.Columns {
			return fmt.Errorf("the image has %d columns, its header told %d", r.layout.Columns, m.Columns)
		}
		r.mosaic = of
	}
	r.samples = m.Crop(r.samples, r.whole, f.Tile-1)
	return nil
}

// decode reads a whole frame of n samples; it reuses dst where that is large enough.
func (r *reader) decode(ctx context.Context, f Frame, n int, dst []int32) ([]int32, error) {
	if r.closer == nil || r.instance != f.Instance {
		r.close()
		file, closer, err := r.open(ctx, f.Instance)
		if err != nil {
			return dst, fmt.Errorf("open the instance: %w", err)
		}
		r.closer, r.instance, r.syntax = closer, f.Instance, file.TransferSyntax
		if r.layout, err = pixel.LayoutOf(file.Dataset); err != nil {
			return dst, err
		}
		if r.frames, err = pixel.Frames(file); err != nil {
			return dst, err
		}
	}
	if r.layout.Samples() != n {
		return dst, fmt.Errorf("the image has %d samples, its header told %d", r.layout.Samples(), n)
	}
	dst = slices.Grow(dst[:0], n)[:n]
	return dst, r.decoder.Frame(r.frames, r.layout, r.syntax, max(f.Number-1, 0), dst)
}
