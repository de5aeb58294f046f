package kernel

import "math"

// CrossEntropy returns the mean over rows of -Σ_j target[i, j] log softmax(logits)[i, j], both [rows, classes].
func CrossEntropy(rows, classes int, logits, target []float32) float32 {
	total := 0.0
	for r := range rows {
		line := logits[r*classes : (r+1)*classes]
		norm := logSumExp(line)
		for j, v := range line {
			total += float64(target[r*classes+j]) * (norm - float64(v))
		}
	}
	return float32(total / float64(rows))
}

// CrossEntropyGrad writes dlogits = scale (softmax(logits)·Σ_j target - target) / rows.
func CrossEntropyGrad(rows, classes int, dlogits, logits, target []float32, scale float32) {
	for r := range rows {
		line := logits[r*classes : (r+1)*classes]
		norm, mass := logSumExp(line), 0.0
		for j := range line {
			mass += float64(target[r*classes+j])
		}
		for j, v := range line {
			p := math.Exp(float64(v) - norm)
			dlogits[r*classes+j] = float32(float64(scale) * (p*mass - float64(target[r*classes+j])) / float64(rows))
		}
	}
}

func logSumExp(x []float32) float64 {
	top := math.Inf(-1)
	for _, v := range x {
		top = max(top, float64(v))
	}
	sum := 0.0
	for _, v := range x {
		sum += math.Exp(float64(v) - top)
	}
	return top + math.Log(sum)
}
