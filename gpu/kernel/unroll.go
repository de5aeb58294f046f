package kernel

import (
	"math/bits"
	"slices"
	"sync"
)

// A convolution is a product of its weights [Out, patch] with the unrolled input [patch, voxels], whose column v holds
// what output voxel v sees. The unrolled input is never held: pieces of it are gathered where the product needs them.

// runVoxels is the number of neighbouring output voxels that are gathered at once.
const runVoxels = 32

// tap is where the voxels of a run look for one entry of the kernel window: voxel i sees the number i·Stride[2] behind
// offset, if bit 2i of mask is set, and padding if not.
type tap struct {
	offset int // bytes from the first voxel of a channel; 0 where the mask is
	line   int // bytes from the first line of a channel of the unrolled input to the entry's
	mask   uint64
}

// unroller copies between the channels of a volume, channel numbers apart, and lines of unrolled input of cols numbers
// each, those of one channel block numbers behind those of the last.
type unroller struct {
	// gather writes what the voxels see, 0 for padding.
	gather func(dst []float32, block int, x []float32, channel, channels int, taps []tap, cols int)
	// scatter adds each number to the one that it would be gathered from.
	scatter func(x []float32, channel int, src []float32, block, channels int, taps []tap, cols int)
}

// unrolled is the unrolled input of one image, or of some of its channels: [In·Kernel, voxels].
type unrolled struct {
	s     *Conv3dShape
	x     []float32 // [In, Size...] from the first channel on that row 0 belongs to
	voxel int       // output voxel of the first column
	taps  []tap     // memory of each
}

// unrolledPool keeps the memory of their taps.
var unrolledPool = sync.Pool{New: func() any { return new(unrolled) }}

func (u *unrolled) release() {
	u.s, u.x = nil, nil
	unrolledPool.Put(u)
}

// Fill implements gemm.Source.
func (u *unrolled) Fill(panel []float32, width, k0, k1, n0, n1 int) {
	method := u.s.unroller()
	u.each(width, k0, k1, n0, n1, func(line, channel, channels int, taps []tap, cols int) {
		method.gather(panel[line:], volume(u.s.Kernel)*width, u.x[channel:], volume(u.s.Size), channels, taps, cols)
	})
}

// add adds rows [k0, k1) and the first n columns, width numbers from row to row, to the voxels they are gathered from.
func (u *unrolled) add(columns []float32, width, k0, k1, n int) {
	method := u.s.unroller()
	u.each(width, k0, k1, 0, n, func(line, channel, channels int, taps []tap, cols int) {
		method.scatter(u.x[channel:], volume(u.s.Size), columns[line:], volume(u.s.Kernel)*width, channels, taps, cols)
	})
}

// each visits the rows [k0, k1) and columns [n0, n1) run by run: line is where the first row of a run lies, channel
// where the channel of x starts.
func (u *unrolled) each(width, k0, k1, n0, n1 int, visit func(line, channel, channels int, taps []tap, cols int)) {
	s := u.s
	window, size, depth := volume(s.Kernel), volume(s.Size), s.outSize(2)
	for n := n0; n < n1; {
		v := u.voxel + n
		cols := min(n1-n, depth-v%depth, runVoxels)
		whole := false // whether the taps are those of a whole window
		for k := k0; k < k1; {
			first := k % window
			channels, count := 1, min(window-first, k1-k)
			if first == 0 {
				channels = max(1, (k1-k)/window)
			}
			if !whole || count != window {
				u.taps = s.appendTaps(u.taps[:0], v/depth, v%depth, cols, first, count, width)
				whole = count == window
			}
			visit((k-k0)*width+n-n0, k/window*size, channels, u.taps, cols)
			k += channels * count
		}
		n += cols
	}
}

// appendTaps appends count entries of the window, from the one numbered first, for the cols output voxels of a row
// from depth d on. Neighbours along D come far from each other, so that scatter does not wait for what it has just
// written.
func (s *Conv3dShape) appendTaps(taps []tap, row, d, cols, first, count, width int) []tap {
	across := s.outSize(1)
	size, kernel := s.Size, s.Kernel
	h0, w0, d0 := row/across*s.Stride[0]-s.Pad[0], row%across*s.Stride[1]-s.Pad[1], d*s.Stride[2]-s.Pad[2]
	taps = slices.Grow(taps, count)[:count]
	next := 0
	for kd := range kernel[2] {
		var lanes uint64
		if from, to := inside(size[2], cols, s.Stride[2], d0+kd); from < to {
			lanes = 0x5555555555555555 >> (2 * (runVoxels - (to - from))) << (2 * from)
		}
		entry := kd - first
		for h := h0; h < h0+kernel[0]; h++ {
			inPlane := lanes != 0 && uint(h) < uint(size[0])
			offset := 4 * ((h*size[1]+w0)*size[2] + d0 + kd)
			for w := w0; w < w0+kernel[1]; w++ {
				if uint(entry) < uint(count) {
					t := &taps[next]
					t.offset, t.line, t.mask = 0, 4*entry*width, 0
					if inPlane && uint(w) < uint(size[1]) {
						t.offset, t.mask = offset, lanes
					}
					next++
				}
				entry += kernel[2]
				offset += 4 * size[2]
			}
		}
	}
	return taps
}

// unroller is the fastest for the shape that this CPU can run.
func (s *Conv3dShape) unroller() *unroller {
	if fast := everySecond(); len(fast) > 0 && s.Stride[2] == 2 {
		return fast[0]
	}
	return anyStride(s.Stride[2])
}

// anyStride is the unroller for taps that take every stride-th number.
func anyStride(stride int) *unroller {
	if stride == 1 {
		return copying(1, func(dst, x []float32) { copy(dst, x) })
	}
	return copying(stride, func(dst, x []float32) {
		at := 0
		for i := range dst {
			dst[i] = x[at]
			at += stride
		}
	})
}

// copying is an unroller around a way to copy every stride-th number of x to dst.
func copying(stride int, every func(dst, x []float32)) *unroller {
	return &unroller{
		gather: func(dst []float32, block int, x []float32, channel, channels int, taps []tap, cols int) {
			for c := range channels {
				for _, t := range taps {
					out := dst[c*block+t.line/4:][:cols]
					from, to := t.span()
					clear(out[:from])
					clear(out[to:])
					if from < to {
						every(out[from:to], x[c*channel+t.offset/4+from*stride:])
					}
				}
			}
		},
		scatter: func(x []float32, channel int, src []float32, block, channels int, taps []tap, cols int) {
			for c := range channels {
				for _, t := range taps {
					from, to := t.span()
					at := c*channel + t.offset/4 + from*stride
					for _, v := range src[c*block+t.line/4:][from:to] {
						x[at] += v
						at += stride
					}
				}
			}
		},
	}
}

// span is the range of voxels that see no padding.
func (t tap) span() (from, to int) {
	if t.mask == 0 {
		return 0, 0
	}
	return bits.TrailingZeros64(t.mask) / 2, 32 - bits.LeadingZeros64(t.mask)/2
}
