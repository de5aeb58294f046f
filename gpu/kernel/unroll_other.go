//go:build !amd64

package kernel

// everySecond lists the unrollers for taps that take every second number that are faster than that for any stride: there
// are none for this architecture.
func everySecond() []*unroller { return nil }
