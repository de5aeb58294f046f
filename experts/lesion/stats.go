package lesion

import "slices"

// percentile returns the p-th part (0..1) of the values in order, 0 of none; it leaves values as they are and reads at
// most about a hundred thousand of them.
func percentile(values []float32, p float64) float32 {
	const samples = 100_000
	step := max(len(values)/samples, 1)
	sorted := make([]float32, 0, len(values)/step+1)
	for at := 0; at < len(values); at += step {
		sorted = append(sorted, values[at])
	}
	if len(sorted) == 0 {
		return 0
	}
	slices.Sort(sorted)
	return sorted[int(p*float64(len(sorted)-1)+0.5)]
}

// median returns the middle value, 0 of none; it sorts values.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[len(values)/2]
}
