package check

import (
	"fmt"
	"math/rand/v2"

	"mome/gpu/kernel"
	"mome/gpu/launch"
)

func fused() []Case {
	var all []Case
	for terms := range launch.MaxTerms + 1 {
		for _, gelu := range []bool{false, true} {
			for _, s := range []kernel.LinearShape{{Rows: 43, In: 96, Out: 24}, {Rows: 9, In: 21, Out: 67}, {Rows: 3, In: 768, Out: 7}} {
				all = append(all, Case{
					Name:   fmt.Sprintf("linear fused %v gelu %v terms %d", s, gelu, terms),
					Kernel: launch.LinearFused{LinearShape: s, GELU: gelu, Terms: terms},
				})
			}
		}
	}
	return append(all, norms3d()...)
}

// norms3d are convolutions followed by their norm. Weights around one make the means of channels large beside their deviations.
func norms3d() []Case {
	cube := func(n int) [3]int { return [3]int{n, n, n} }
	around := func(input, _ int, random *rand.Rand) float32 { return float32(random.NormFloat64() + float64(input)) }
	var all []Case
	for _, s := range []kernel.Conv3dShape{
		{Batch: 1, In: 1, Out: 3, Size: cube(1), Kernel: cube(1), Stride: cube(1)},
		{Batch: 2, In: 6, Out: 65, Size: [3]int{9, 10, 11}, Kernel: cube(3), Stride: cube(2), Pad: cube(1)},
		{Batch: 1, In: 3, Out: 5, Size: [3]int{8, 4, 8}, Kernel: cube(1), Stride: cube(1)},
		{Batch: 1, In: 33, Out: 64, Size: [3]int{6, 5, 8}, Kernel: cube(3), Stride: cube(2), Pad: cube(1)},
	} {
		all = append(all, Case{
			Name: fmt.Sprintf("conv3d norm %d %d to %d %v", s.Batch, s.In, s.Out, s.Size), Kernel: launch.Conv3dNorm{Conv3dShape: s, Eps: 1e-5}, Fill: around,
		})
	}
	for _, n := range []int{20, 25} { // large and huge tiles
		s := kernel.Conv3dShape{Batch: 1, In: 3, Out: 250, Size: cube(n), Kernel: [3]int{1, 1, 2}, Stride: cube(1), Pad: [3]int{0, 0, 1}}
		all = append(all, Case{Name: fmt.Sprintf("conv3d norm of %d", n), Kernel: launch.Conv3dNorm{Conv3dShape: s, Eps: 1e-5}, Slow: true})
	}
	return all
}
