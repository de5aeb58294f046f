package kernel

import (
	"fmt"

	"mome/gpu/kernel/gemm"
)

// Conv3dShape is the shape of a three-dimensional cross-correlation without bias and with zero padding.
// x: [Batch, In, Size...], w: [Out, In, Kernel...], y: [Batch, Out, OutSize()...].
type Conv3dShape struct {
	Batch, In, Out int
	Size           [3]int // voxels of x along H, W, D
	Kernel         [3]int
	Stride, Pad    [3]int
}

// Check says which number makes the shape impossible.
func (s Conv3dShape) Check() error {
	if s.Batch < 1 || s.In < 1 || s.Out < 1 {
		return fmt.Errorf("conv3d: batch %d, channels %d -> %d: all must be positive", s.Batch, s.In, s.Out)
	}
	return checkWindow("conv3d", s.Size, s.Kernel, s.Stride, s.Pad)
}

// OutSize is the number of output voxels along H, W, D: floor((size + 2 pad - kernel) / stride) + 1.
func (s Conv3dShape) OutSize() [3]int { return windows(s.Size, s.Kernel, s.Stride, s.Pad) }

// outSize is OutSize along one axis.
func (s *Conv3dShape) outSize(axis int) int {
	return (s.Size[axis]+2*s.Pad[axis]-s.Kernel[axis])/s.Stride[axis] + 1
}

func checkWindow(what string, size, kernel, stride, pad [3]int) error {
	for a := range 3 {
		if size[a] < 1 || kernel[a] < 1 || stride[a] < 1 || pad[a] < 0 || pad[a] >= kernel[a] {
			return fmt.Errorf("%s: axis %d: size %d, kernel %d, stride %d, padding %d", what, a, size[a], kernel[a], stride[a], pad[a])
		}
		if size[a]+2*pad[a] < kernel[a] {
			return fmt.Errorf("%s: axis %d: size %d with padding %d is smaller than the kernel %d", what, a, size[a], pad[a], kernel[a])
		}
	}
	return nil
}

func windows(size, kernel, stride, pad [3]int) [3]int {
	var out [3]int
	for a := range 3 {
		out[a] = (size[a]+2*pad[a]-kernel[a])/stride[a] + 1
	}
	return out
}

func volume(size [3]int) int { return size[0] * size[1] * size[2] }

// patch is the length of one column of the unrolled input: In · Kernel.
func (s Conv3dShape) patch() int { return s.In * volume(s.Kernel) }

// Conv3d writes y, the correlation of x with w.
func Conv3d(s Conv3dShape, y, x, w []float32) {
	conv3d(gemm.Best(gemm.Float32), s, y, x, w)
}

func conv3d(k *gemm.Kernel, s Conv3dShape, y, x, w []float32) {
	voxels, patch := volume(s.OutSize()), s.patch()
	piece := k.Width()
	pieces := (voxels + piece - 1) / piece
	parallel(s.Batch*pieces, 1, func(from, to int) {
		u := unrolledPool.Get().(*unrolled)
		defer u.release()
		for i := from; i < to; i++ {
			n, voxel := i/pieces, i%pieces*piece
			u.s, u.x, u.voxel = &s, x[n*s.In*volume(s.Size):], voxel
			k.Multiply(gemm.Product{
				M: s.Out, N: min(piece, voxels-voxel), K: patch,
				A:         gemm.View{Data: w, Stride: patch},
				Source:    u,
				C:         s.outputs(y, n, voxel),
				DepthStep: s.channelsAtOnce() * volume(s.Kernel),
			})
		}
	})
}

// channelsAtOnce is the number of input channels whose windows are unrolled together.
func (s Conv3dShape) channelsAtOnce() int { return max(1, min(s.In, gemm.MaxDepth/volume(s.Kernel))) }

// inside is the range of i in [0, count) for which i·stride + shift lies in [0, size).
func inside(size, count, stride, shift int) (first, last int) {
	if shift < 0 {
		first = (-shift + stride - 1) / stride
	}
	if size-shift > 0 {
		last = (size - shift + stride - 1) / stride
	}
	return min(first, count), max(min(last, count), min(first, count))
}
