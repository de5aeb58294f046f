package vector

import (
	"math"
	"slices"
	"testing"
)

// All forms agree on what is hard to say: rows with infinities, NaN, huge and tiny numbers, at every place.
func TestFormsAgree(t *testing.T) {
	hard := []float32{inf, -inf, nan, 3e38, -3e38, 1e-45, -1e-45, 1e-38, 0, float32(math.Copysign(0, -1)), 87, -87, 88.7, -103}
	forms := implementations()
	for n := 1; n <= 40; n++ {
		x, y := make([]float32, n), normals(21, n, 0, 1)
		for i := range x {
			x[i] = hard[(i*5+n)%len(hard)]
		}
		for name, run := range map[string]func(form implementation, to []float32){
			"exp":       func(form implementation, to []float32) { form.exp(to, x) },
			"exp sub":   func(form implementation, to []float32) { to[0] = float32(form.expSub(to, x, 2)) },
			"max":       func(form implementation, to []float32) { to[0] = form.max(x) },
			"scale":     func(form implementation, to []float32) { form.scale(to, nan) },
			"add":       func(form implementation, to []float32) { form.add(to, x) },
			"max each":  func(form implementation, to []float32) { form.maxEach(to, x) },
			"dot":       func(form implementation, to []float32) { to[0] = float32(form.dot(x, y)) },
			"gelu":      func(form implementation, to []float32) { form.gelu(to, x) },
			"gelu grad": func(form implementation, to []float32) { form.geluGrad(to, x, y) },
			"affine":    func(form implementation, to []float32) { form.normAffine(to, x, y, y, 1, 1e-8, 2) },
			"relu":      func(form implementation, to []float32) { form.normReLU(to, x, 1, 1e-8, 2) },
			"relu grad": func(form implementation, to []float32) { form.reluGrad(to, x, y, 1, 1e-8, 2, 3, 0) },
			"adam": func(form implementation, to []float32) {
				form.adam(to, slices.Clone(y), make([]float32, n), x, 1, 1, 0, 1)
			},
		} {
			want := slices.Clone(y)
			run(forms[0], want)
			for _, form := range forms[1:] {
				got := slices.Clone(y)
				run(form, got)
				for i, v := range got {
					if !near(float64(v), float64(want[i]), 1e-6*(1e-30+math.Abs(float64(want[i])))) {
						t.Fatalf("%s of %d hard numbers, %s: number %d is %g, %s says %g", name, n, form.name, i, v, forms[0].name, want[i])
					}
				}
			}
		}
	}
}

func TestNothingIsAllocated(t *testing.T) {
	x, y, z, w := normals(1, 100, 0, 1), normals(2, 100, 0, 1), normals(3, 100, 0, 1), make([]float32, 100)
	if n := testing.AllocsPerRun(10, func() {
		SoftmaxRow(y, x)
		SoftmaxRowGrad(y, x, z)
		GELU(y, x)
		GELUGrad(y, x, z)
		mean, variance := Moments(x)
		NormAffine(y, x, z, z, mean, variance)
		NormAffineGrad(y, x, z, z, mean, variance)
		NormReLU(y, x, mean, variance)
		NormReLUGrad(y, x, z, mean, variance)
		Adam(y, z, w, x, 1, 1, 1, 1)
	}); n != 0 {
		t.Errorf("%g allocations", n)
	}
}
