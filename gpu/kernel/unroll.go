package kernel

import (
	"math/bits"
	"sync"
)

// A convolution is a product of its weights [Out, patch] with the unrolled input [patch, voxels], whose column v holds
// what output voxel v sees. The unrolled input is never held: pieces of it are gathered where the product needs them.

// runVoxels is the number of neighbouring output voxels that are gathered at once.
const runVoxels = 32

// tap is where the voxels of a run look for one entry of the kernel window: voxel i sees the number i·Stride[2] behind
// offset, if bit 2i of mask is set, and padding if not.
type tap struct {
	offset int // bytes from the first voxel of a channel; may be outside it where the mask is 0
	mask   uint64
}

// gatherer writes dst[(c·len(taps)+t)·line+i] for each channel c, tap t and voxel i < cols of a run. x starts with the
// first channel, further ones are channel numbers apart.
type gatherer func(dst []float32, line int, x []float32, channel, channels int, taps []tap, cols int)

// unrolled is the unrolled input of one image as the right factor of a product.
type unrolled struct {
	s       *Conv3dShape
	x       []float32 // [In, Size...]
	voxel   int       // output voxel of the first column
	channel int       // input channel of the first row
	taps    []tap     // memory of Fill
}

// unrolledPool keeps the memory of their taps.
var unrolledPool = sync.Pool{New: func() any { return new(unrolled) }}

// Fill implements gemm.Source. Where the window is small, k0 and k1 fall between channels.
func (u *unrolled) Fill(panel []float32, width, k0, k1, n0, n1 int) {
	s := u.s
	window, size, depth := volume(s.Kernel), volume(s.Size), s.OutSize()[2]
	taps := u.taps[:0]
	for n := n0; n < n1; {
		v := u.voxel + n
		row, d := v/depth, v%depth
		cols := min(n1-n, depth-d, runVoxels)
		for k := k0; k < k1; {
			c, first := k/window, k%window
			channels, count := 1, min(window-first, k1-k)
			if first == 0 {
				channels = max(1, (k1-k)/window)
			}
			if k == k0 || first != 0 || count != window {
				taps = s.taps(taps[:0], row, d, cols, first, count)
			}
			s.gather(panel[(k-k0)*width+n-n0:], width, u.x[(u.channel+c)*size:], size, channels, taps, cols)
			k += channels * count
		}
		n += cols
	}
	u.taps = taps
}

// taps appends count entries of the window, from the one numbered first, for the cols output voxels of a row from
// depth d on.
func (s *Conv3dShape) taps(taps []tap, row, d, cols, first, count int) []tap {
	width := s.OutSize()[1]
	h0, w0, d0 := row/width*s.Stride[0]-s.Pad[0], row%width*s.Stride[1]-s.Pad[1], d*s.Stride[2]-s.Pad[2]
	kd := first % s.Kernel[2]
	kw := first / s.Kernel[2] % s.Kernel[1]
	kh := first / s.Kernel[2] / s.Kernel[1]
	for range count {
		h, w := h0+kh, w0+kw
		t := tap{offset: 4 * ((h*s.Size[1]+w)*s.Size[2] + d0 + kd)}
		if h >= 0 && h < s.Size[0] && w >= 0 && w < s.Size[1] {
			from, to := inside(s.Size[2], cols, s.Stride[2], d0+kd)
			if from < to {
				t.mask = 0x5555555555555555 >> (2 * (runVoxels - (to - from))) << (2 * from)
			}
		}
		taps = append(taps, t)
		if kd++; kd == s.Kernel[2] {
			kd = 0
			if kw++; kw == s.Kernel[1] {
				kw = 0
				kh++
			}
		}
	}
	return taps
}

func (s *Conv3dShape) gather(dst []float32, line int, x []float32, channel, channels int, taps []tap, cols int) {
	if fast := gatherSecond(); fast != nil && s.Stride[2] == 2 {
		fast(dst, line, x, channel, channels, taps, cols)
		return
	}
	gather(s.Stride[2], dst, line, x, channel, channels, taps, cols)
}

// gather is the gatherer for any stride.
func gather(stride int, dst []float32, line int, x []float32, channel, channels int, taps []tap, cols int) {
	for c := range channels {
		for _, t := range taps {
			out := dst[:cols]
			from, to := t.span()
			clear(out[:from])
			clear(out[to:])
			at := c*channel + t.offset/4 + from*stride
			for i := from; i < to; i++ {
				out[i] = x[at]
				at += stride
			}
			dst = dst[min(line, len(dst)):]
		}
	}
}

// span is the range of voxels that see no padding.
func (t tap) span() (from, to int) {
	if t.mask == 0 {
		return 0, 0
	}
	return bits.TrailingZeros64(t.mask) / 2, 32 - bits.LeadingZeros64(t.mask)/2
}
