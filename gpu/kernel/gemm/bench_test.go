//go:build unix

package gemm

import (
	"fmt"
	"syscall"
	"testing"
)

func processorTime(b *testing.B) int64 {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return used.Utime.Nano() + used.Stime.Nano()
}

// BenchmarkMultiply multiplies matrices of the published model on one core. The unit is GFLOP per second of processor
// time, which a busy machine disturbs less than the clock.
func BenchmarkMultiply(b *testing.B) {
	for _, s := range []struct {
		name           string
		m, n, k        int
		transA, transB bool
	}{
		{"projection", 768, 768, 768, false, true},
		{"up", 768, 3072, 768, false, true},
		{"down", 768, 768, 3072, false, true},
		{"weight gradient", 768, 768, 3072, true, false},
		{"scores", 96, 384, 64, false, true},
		{"values", 96, 64, 384, false, false},
		{"small", 43, 96, 96, false, true},
		{"few rows", 6, 384, 96, false, true},
		{"head", 1, 2, 768, false, true},
	} {
		for p := range Precision(2) {
			for _, k := range Kernels(p) {
				b.Run(fmt.Sprintf("%s/precision=%d/%s", s.name, p, k.Name()), func(b *testing.B) {
					product := Product{
						M: s.m, N: s.n, K: s.k,
						A: view(1, s.m, s.k, 0, s.transA), B: view(2, s.k, s.n, 0, s.transB), C: view(3, s.m, s.n, 0, false),
					}
					b.ReportAllocs()
					b.SetBytes(int64(4 * (s.m*s.k + s.k*s.n + s.m*s.n)))
					k.Multiply(product)
					before := processorTime(b)
					for b.Loop() {
						k.Multiply(product)
					}
					b.ReportMetric(2*float64(s.m*s.n*s.k)*float64(b.N)/float64(processorTime(b)-before), "GFLOP/cpu-s")
				})
			}
		}
	}
}
