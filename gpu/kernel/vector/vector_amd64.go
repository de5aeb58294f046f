package vector

import "golang.org/x/sys/cpu"

// implementations are the forms that this processor can run, the fastest last.
func implementations() []implementation {
	all := []implementation{portable()}
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		all = append(all, avx2())
	}
	if cpu.X86.HasAVX512F && cpu.X86.HasAVX2 && cpu.X86.HasBMI2 {
		all = append(all, avx512())
	}
	return all
}

// avx2 is the form for 8 numbers at a time; what remains at the end of a slice is masked.
func avx2() implementation {
	form := portable()
	form.name = "AVX2"
	form.exp, form.expSub = expAVX2, expSubAVX2
	form.gelu, form.geluGrad = geluAVX2, geluGradAVX2
	form.max, form.sums, form.dot = maxAVX2, sumsAVX2, dotAVX2
	form.scale, form.add, form.addScaled, form.maxEach = scaleAVX2, addAVX2, addScaledAVX2, maxEachAVX2
	form.normAffine, form.normReLU = normAffineAVX2, normReLUAVX2
	form.affineGradSums, form.affineGrad = affineGradSumsAVX2, affineGradAVX2
	form.reluGradSums, form.reluGrad = reluGradSumsAVX2, reluGradAVX2
	form.addNormal, form.softmaxGrad = addNormalAVX2, softmaxGradAVX2
	form.adam, form.transpose = adamAVX2, transposeAVX2
	return form
}

// avx512 is the form for 16 numbers at a time; what remains at the end of a slice is masked.
func avx512() implementation {
	form := portable()
	form.name = "AVX-512"
	form.exp, form.expSub = expAVX512, expSubAVX512
	form.gelu, form.geluGrad = geluAVX512, geluGradAVX512
	form.max, form.sums, form.dot = maxAVX512, sumsAVX512, dotAVX512
	form.scale, form.add, form.addScaled, form.maxEach = scaleAVX512, addAVX512, addScaledAVX512, maxEachAVX512
	form.normAffine, form.normReLU = normAffineAVX512, normReLUAVX512
	form.affineGradSums, form.affineGrad = affineGradSumsAVX512, affineGradAVX512
	form.reluGradSums, form.reluGrad = reluGradSumsAVX512, reluGradAVX512
	form.addNormal, form.softmaxGrad = addNormalAVX512, softmaxGradAVX512
	form.adam, form.transpose = adamAVX512, transposeAVX2
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

//go:noescape
func maxAVX512(x []float32) float32

//go:noescape
func sumsAVX512(x []float32, shift float32) (sum, squares float64)

//go:noescape
func dotAVX512(x, y []float32) float64

//go:noescape
func scaleAVX512(y []float32, a float32)

//go:noescape
func addAVX512(y, x []float32)

//go:noescape
func addScaledAVX512(y, x []float32, a float32)

//go:noescape
func maxEachAVX512(y, x []float32)

//go:noescape
func normAffineAVX512(y, x, gamma, beta []float32, mean, rest, scale float32)

//go:noescape
func normReLUAVX512(y, x []float32, mean, rest, scale float32)

//go:noescape
func adamAVX512(w, mean, square, gradient []float32, step, unbias, decay, factor float32)

//go:noescape
func affineGradSumsAVX512(x, dy, gamma []float32, mean, rest, scale float32) (sumG, sumGH float64)

//go:noescape
func affineGradAVX512(dx, x, dy, gamma []float32, mean, rest, scale, meanG, meanGH float32)

//go:noescape
func reluGradSumsAVX512(x, dy []float32, mean, rest, scale float32) (sumG, sumGH float64)

//go:noescape
func reluGradAVX512(dx, x, dy []float32, mean, rest, scale, meanG, meanGH float32)

//go:noescape
func addNormalAVX512(y, x, dy []float32, mean, rest, scale float32)

//go:noescape
func softmaxGradAVX512(dx, y, dy []float32, dot float32)

//go:noescape
func expAVX2(y, x []float32)

//go:noescape
func expSubAVX2(y, x []float32, top float32) float64

//go:noescape
func geluAVX2(y, x []float32)

//go:noescape
func geluGradAVX2(dx, x, dy []float32)

//go:noescape
func maxAVX2(x []float32) float32

//go:noescape
func sumsAVX2(x []float32, shift float32) (sum, squares float64)

//go:noescape
func dotAVX2(x, y []float32) float64

//go:noescape
func scaleAVX2(y []float32, a float32)

//go:noescape
func addAVX2(y, x []float32)

//go:noescape
func addScaledAVX2(y, x []float32, a float32)

//go:noescape
func maxEachAVX2(y, x []float32)

//go:noescape
func normAffineAVX2(y, x, gamma, beta []float32, mean, rest, scale float32)

//go:noescape
func normReLUAVX2(y, x []float32, mean, rest, scale float32)

//go:noescape
func adamAVX2(w, mean, square, gradient []float32, step, unbias, decay, factor float32)

//go:noescape
func affineGradSumsAVX2(x, dy, gamma []float32, mean, rest, scale float32) (sumG, sumGH float64)

//go:noescape
func affineGradAVX2(dx, x, dy, gamma []float32, mean, rest, scale, meanG, meanGH float32)

//go:noescape
func reluGradSumsAVX2(x, dy []float32, mean, rest, scale float32) (sumG, sumGH float64)

//go:noescape
func reluGradAVX2(dx, x, dy []float32, mean, rest, scale, meanG, meanGH float32)

//go:noescape
func addNormalAVX2(y, x, dy []float32, mean, rest, scale float32)

//go:noescape
func softmaxGradAVX2(dx, y, dy []float32, dot float32)

//go:noescape
func transposeAVX2(y []float32, yStride int, x []float32, xStride, blocks int)
