package op_test

import (
	"math"
	"testing"

	"mome/gpu/op"
)

// The first step moves every weight by the rate against its gradient's sign, whatever the gradient's size.
func TestAdam(t *testing.T) {
	w, mean, square := []float32{1, 1, 1, 1}, make([]float32, 4), make([]float32, 4)
	const rate = 0.25
	step, unbias := float32(rate/(1-0.9)), float32(1/math.Sqrt(1-0.999))
	op.Adam(w, mean, square, []float32{3, -0.01, 100, 2}, step, unbias, 0, 2)
	for i, want := range []float32{0.75, 1.25, 0.75, 0.75} {
		if math.Abs(float64(w[i]-want)) > 1e-5 {
			t.Errorf("weight %d is %g, want %g", i, w[i], want)
		}
	}
	if math.Abs(float64(mean[0])-0.6) > 1e-6 || math.Abs(float64(square[0])-0.036) > 1e-6 {
		t.Errorf("moments %g and %g of gradient 2·3, want 0.6 and 0.036", mean[0], square[0])
	}
	op.Adam(w[:1], mean[:1], square[:1], []float32{0}, 0, 1, 0.5, 1) // decay alone: g = 0.5·0.75
	if want := 0.9*0.6 + 0.1*0.375; math.Abs(float64(mean[0])-want) > 1e-6 || math.Abs(float64(w[0])-0.75) > 1e-5 {
		t.Errorf("after a step of length 0 with decay: weight %g, mean %g; want 0.75, %g", w[0], mean[0], want)
	}
}
