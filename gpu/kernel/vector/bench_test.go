package vector

import (
	"fmt"
	"math"
	"testing"
)

// BenchmarkForms runs every function in every form: on the rows of the small and of the published model, and on one
// channel of the published model's first stem, which no cache near the core holds.
func BenchmarkForms(b *testing.B) {
	for _, c := range []struct {
		name   string
		arrays int // read or written
		run    func(form implementation, y, x, z, w []float32)
	}{
		{"Exp", 2, func(form implementation, y, x, _, _ []float32) { form.exp(y, x) }},
		{"ExpSub", 2, func(form implementation, y, x, _, _ []float32) { form.expSub(y, x, 1) }},
		{"Max", 1, func(form implementation, _, x, _, _ []float32) { form.max(x) }},
		{"Scale", 2, func(form implementation, y, _, _, _ []float32) { form.scale(y, 1) }},
		{"Add", 3, func(form implementation, y, x, _, _ []float32) { form.add(y, x) }},
		{"AddScaled", 3, func(form implementation, y, x, _, _ []float32) { form.addScaled(y, x, 1e-9) }},
		{"MaxEach", 3, func(form implementation, y, x, _, _ []float32) { form.maxEach(y, x) }},
		{"Moments", 1, func(form implementation, _, x, _, _ []float32) { form.sums(x, 1) }},
		{"Dot", 2, func(form implementation, _, x, z, _ []float32) { form.dot(x, z) }},
		{"GELU", 2, func(form implementation, y, x, _, _ []float32) { form.gelu(y, x) }},
		{"GELUGrad", 3, func(form implementation, y, x, z, _ []float32) { form.geluGrad(y, x, z) }},
		{"NormAffine", 4, func(form implementation, y, x, z, w []float32) { form.normAffine(y, x, z, w, 0, 0, 1) }},
		{"NormReLU", 2, func(form implementation, y, x, _, _ []float32) { form.normReLU(y, x, 0, 0, 1) }},
		{"Adam", 7, func(form implementation, y, x, z, w []float32) { form.adam(y, z, w, x, 1e-9, 1, 0, 1) }},
	} {
		for _, n := range []int{96, 3072, 1_600_000} {
			for _, form := range implementations() {
				b.Run(fmt.Sprintf("%s/%d/%s", c.name, n, form.name), func(b *testing.B) {
					y, x, z, w := normals(1, n, 0, 1), normals(2, n, 0, 1), normals(3, n, 0, 1), normals(4, n, 0, 1)
					for i := range w {
						w[i] *= w[i]
					}
					b.ReportAllocs()
					b.SetBytes(int64(4 * n * c.arrays))
					for b.Loop() {
						c.run(form, y, x, z, w)
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/number")
				})
			}
		}
	}
}

// BenchmarkMath is what one call of the standard library for each number costs.
func BenchmarkMath(b *testing.B) {
	x, y := normals(1, 3072, 0, 1), make([]float32, 3072)
	for _, c := range []struct {
		name string
		f    func(x float64) float64
	}{
		{"Exp", math.Exp},
		{"GELU", func(x float64) float64 { return x * 0.5 * math.Erfc(-x/math.Sqrt2) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(8 * 3072)
			for b.Loop() {
				for i, v := range x {
					y[i] = float32(c.f(float64(v)))
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/3072, "ns/number")
		})
	}
}
