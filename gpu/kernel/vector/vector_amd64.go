package vector

import "golang.org/x/sys/cpu"

// implementations are the forms that this processor can run, the fastest last.
func implementations() []implementation {
	all := []implementation{portable()}
	if cpu.X86.HasAVX512F && cpu.X86.HasBMI2 {
		all = append(all, avx512())
	}
	return all
}

// avx512 is the form for 16 numbers at a time; what remains at the end of a slice is masked.
func avx512() implementation {
	form := portable()
	form.name = "AVX-512"
	form.exp, form.expSub = expAVX512, expSubAVX512
	form.gelu, form.geluGrad = geluAVX512, geluGradAVX512
	return form
}

//go:noescape
func expAVX512(y, x []float32)

//go:noescape
func expSubAVX512(y, x []float32, top float32) float64

//go:noescape
func geluAVX512(y, x []float32)

//go:noescape
func geluGradAVX512(dx, x, dy []float32)
