package launch_test

import (
	"testing"

	"mome/gpu/kernel"
	"mome/gpu/launch"
	"mome/gpu/op"
)

var precisions = []op.Precision{op.Float32, op.TF32, op.BFloat16}

// The products of the published model that take time keep most of 132 multiprocessors busy, and fit into the shared memory of a
// device of compute capability 8.0, 163 KiB a block.
func TestTilesOfTheModel(t *testing.T) {
	var kernels []op.Kernel
	for _, rows := range []int{4481, 3073, 1152} {
		for _, s := range []kernel.LinearShape{
			{Rows: rows, In: 768, Out: 768}, {Rows: rows, In: 768, Out: 3072}, {Rows: rows, In: 3072, Out: 768},
		} {
			kernels = append(kernels, op.LinearKernel{LinearShape: s},
				op.MatMulKernel{MatMulShape: kernel.MatMulShape{M: s.Out, N: s.In, K: rows, TransA: true}}) // of the weight
		}
	}
	for i, size := range [][3]int{{384, 256, 128}, {192, 128, 64}, {96, 64, 32}} {
		s := kernel.Conv3dShape{
			Batch: 1, In: []int{6, 64, 128}[i], Out: []int{64, 128, 768}[i], Size: size,
			Kernel: [3]int{3, 3, 3}, Stride: [3]int{2, 2, 2}, Pad: [3]int{1, 1, 1},
		}
		kernels = append(kernels, op.Conv3dKernel{Conv3dShape: s}, op.Conv3dGradInputKernel{Conv3dShape: s}, op.Conv3dGradWeightKernel{Conv3dShape: s})
	}
	for _, k := range kernels {
		for _, p := range precisions {
			l, err := launch.For(k, p)
			if err != nil {
				t.Fatal(err)
			}
			most := 0
			for _, s := range l.Steps {
				most = max(most, s.Grid[0]*s.Grid[1])
				if s.Shared > 163<<10 {
					t.Errorf("%T%+v at %v: %s takes %d bytes of shared memory", k, k, p, s.Kernel, s.Shared)
				}
			}
			if most < 72 {
				t.Errorf("%T%+v at %v: at most %d blocks", k, k, p, most)
			}
		}
	}
}

// What the kernels cannot count or hold is refused and not computed wrongly.
func TestImpossibleIsRefused(t *testing.T) {
	one := [3]int{1, 1, 1}
	large := kernel.Conv3dShape{Batch: 1, In: 8, Out: 1, Size: [3]int{1024, 1024, 256}, Kernel: one, Stride: one}
	wide := kernel.Conv3dShape{Batch: 1, In: 1, Out: 1, Size: [3]int{1, 1, 2000}, Kernel: [3]int{1, 1, 1024}, Stride: one}
	terms := launch.LinearFused{LinearShape: kernel.LinearShape{Rows: 1, In: 1, Out: 1}, Terms: launch.MaxTerms + 1}
	for _, k := range []op.Kernel{
		op.Conv3dKernel{Conv3dShape: large}, op.Conv3dGradInputKernel{Conv3dShape: large}, op.Conv3dGradWeightKernel{Conv3dShape: large},
		launch.Conv3dNorm{Conv3dShape: large}, op.Conv3dKernel{Conv3dShape: wide}, terms,
	} {
		for _, p := range precisions {
			if _, err := launch.For(k, p); err == nil {
				t.Errorf("%T%+v at %v: no error", k, k, p)
			}
		}
	}
}
