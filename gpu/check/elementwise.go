package check

import (
	"math"
	"math/rand/v2"

	"mome/gpu/op"
)

func elementwise() []Case {
	return []Case{
		{Name: "gelu", Kernel: op.GELUKernel{Rows: 37, Cols: 19}},
		{Name: "gelu of many", Kernel: op.GELUKernel{Rows: 3, Cols: 1001}},
		{Name: "gelu of one", Kernel: op.GELUKernel{Rows: 1, Cols: 1}},
		{Name: "gelu far out", Kernel: op.GELUKernel{Rows: 5, Cols: 205}, Fill: farOut},
		{Name: "gelu gradient", Kernel: op.GELUGradKernel{Rows: 37, Cols: 19}},
		{Name: "gelu gradient of whole blocks", Kernel: op.GELUGradKernel{Rows: 2, Cols: 1024}},
		{Name: "gelu gradient far out", Kernel: op.GELUGradKernel{Rows: 5, Cols: 205}, Fill: func(input, i int, random *rand.Rand) float32 {
			if input == 0 {
				return 1
			}
			return farOut(input, i, random)
		}},
		{Name: "sum of one", Kernel: op.SumKernel{Rows: 3, Cols: 5, Terms: 1}},
		{Name: "sum of two", Kernel: op.SumKernel{Rows: 31, Cols: 33, Terms: 2}},
		{Name: "sum of three", Kernel: op.SumKernel{Rows: 43, Cols: 96, Terms: 3}},
		{Name: "sum of four", Kernel: op.SumKernel{Rows: 1, Cols: 1, Terms: 4}},
		{Name: "sum of five", Kernel: op.SumKernel{Rows: 7, Cols: 11, Terms: 5}},
		{Name: "sum of nine", Kernel: op.SumKernel{Rows: 7, Cols: 12, Terms: 9}},
		{Name: "scale", Kernel: op.ScaleKernel{Rows: 29, Cols: 37}},
		{Name: "scale by zero", Kernel: op.ScaleKernel{Rows: 13, Cols: 17}, Fill: func(input, i int, random *rand.Rand) float32 {
			if input == 1 {
				return 0
			}
			return []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), 3}[i%4]
		}},
		{Name: "cross-entropy", Kernel: op.CrossEntropyKernel{Rows: 11, Classes: 4}, Fill: targets},
		{Name: "cross-entropy of one", Kernel: op.CrossEntropyKernel{Rows: 1, Classes: 2}, Fill: targets},
		{Name: "cross-entropy of many classes", Kernel: op.CrossEntropyKernel{Rows: 3, Classes: 77}, Fill: targets},
		{Name: "cross-entropy gradient", Kernel: op.CrossEntropyGradKernel{Rows: 11, Classes: 4}, Fill: targets},
		{Name: "cross-entropy gradient of one", Kernel: op.CrossEntropyGradKernel{Rows: 1, Classes: 1}, Fill: targets},
		{Name: "cross-entropy gradient of many classes", Kernel: op.CrossEntropyGradKernel{Rows: 9, Classes: 65}, Fill: targets},
	}
}

// farOut reaches from -1e6 to 1e6 by way of small numbers, and the infinities and NaN.
func farOut(_, i int, _ *rand.Rand) float32 {
	switch i {
	case 3:
		return float32(math.NaN())
	case 77:
		return float32(math.Inf(-1))
	case 78:
		return float32(math.Inf(1))
	}
	x := float64(i%205-102) / 17
	return float32(math.Copysign(math.Pow(math.Abs(x), 7), x))
}

// targets makes logits that need their maximum taken off, and targets that are no distribution.
func targets(input, _ int, random *rand.Rand) float32 {
	switch input {
	case 0:
		return float32(200 + 30*random.NormFloat64())
	case 1:
		return random.Float32()
	}
	return 0.7 // the loss's gradient
}
