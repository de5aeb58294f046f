//go:build unix

package kernel

import (
	"syscall"
	"testing"
	"time"
)

// The published model's linear layers, attention and convolutions, and those of the small one. The unit is GFLOP per
// second of processor time, user and system, of all cores together: on a busy machine that is what can be compared.

func processorTime(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// measure reports the rate of f, which takes flop operations and touches some numbers.
func measure(b *testing.B, flop float64, numbers int, f func()) {
	b.ReportAllocs()
	b.SetBytes(int64(4 * numbers))
	f() // buffers are made, pages touched
	before := processorTime(b)
	for b.Loop() {
		f()
	}
	b.ReportMetric(flop*float64(b.N)/float64(processorTime(b)-before), "GFLOP/cpu-s")
}

var linears = []struct {
	name string
	LinearShape
}{
	{"base projection", LinearShape{3073, 768, 768}},
	{"base up", LinearShape{3073, 768, 3072}},
	{"base down", LinearShape{3073, 3072, 768}},
	{"base adapter", LinearShape{3073, 768, 192}},
	{"base dwi", LinearShape{256, 768, 768}},
	{"small projection", LinearShape{43, 96, 96}},
	{"small up", LinearShape{43, 96, 384}},
	{"small down", LinearShape{43, 384, 96}},
	{"small dwi", LinearShape{6, 96, 96}},
	{"head", LinearShape{1, 768, 2}},
}

func BenchmarkLinear(b *testing.B) {
	for _, c := range linears {
		s := c.LinearShape
		x, w, bias, y := normals(1, s.Rows*s.In), normals(2, s.In*s.Out), normals(3, s.Out), make([]float32, s.Rows*s.Out)
		flop := 2 * float64(s.Rows*s.In*s.Out)
		b.Run(c.name+"/float32", func(b *testing.B) {
			measure(b, flop, len(x)+len(w)+len(y), func() { Linear(s, y, x, w, bias) })
		})
		b.Run(c.name+"/bfloat16", func(b *testing.B) {
			measure(b, flop, len(x)+len(w)+len(y), func() { LinearBFloat16(s, y, x, w, bias) })
		})
	}
}

func BenchmarkMatMul(b *testing.B) {
	for _, c := range []struct {
		name string
		MatMulShape
	}{
		{"base dispatch", MatMulShape{M: 128, N: 192, K: 4481, TransA: true}},
		{"base combine", MatMulShape{M: 4481, N: 192, K: 128}},
		{"base weight gradient", MatMulShape{M: 768, N: 768, K: 3073, TransA: true}},
		{"base input gradient", MatMulShape{M: 3073, N: 768, K: 768}},
		{"small weight gradient", MatMulShape{M: 96, N: 96, K: 43, TransA: true}},
		{"small input gradient", MatMulShape{M: 43, N: 96, K: 96}},
	} {
		s := c.MatMulShape
		x, w, y := normals(1, s.M*s.K), normals(2, s.K*s.N), make([]float32, s.M*s.N)
		b.Run(c.name, func(b *testing.B) {
			measure(b, 2*float64(s.M*s.N*s.K), len(x)+len(w)+len(y), func() { MatMul(s, y, x, w) })
		})
	}
}

// stem is the layer of a stem that maps in to out channels of a volume.
func stem(in, out int, size ...int) Conv3dShape {
	return Conv3dShape{
		Batch: 1, In: in, Out: out, Size: [3]int(size), Kernel: [3]int{3, 3, 3}, Stride: [3]int{2, 2, 2}, Pad: [3]int{1, 1, 1},
	}
}

var stems = []struct {
	name string
	Conv3dShape
}{
	{"base first", stem(6, 64, 384, 256, 128)},
	{"base second", stem(64, 128, 192, 128, 64)},
	{"base third", stem(128, 768, 96, 64, 32)},
	{"base dwi first", stem(1, 64, 256, 128, 32)},
	{"small first", stem(6, 64, 64, 48, 32)},
	{"small second", stem(64, 128, 32, 24, 16)},
	{"small third", stem(128, 96, 16, 12, 8)},
}

func BenchmarkConv3d(b *testing.B) {
	for _, c := range stems {
		s := c.Conv3dShape
		x, w := normals(1, s.In*volume(s.Size)), normals(2, s.Out*s.patch())
		y := make([]float32, s.Out*volume(s.OutSize()))
		flop := 2 * float64(len(y)*s.patch())
		b.Run(c.name+"/float32", func(b *testing.B) {
			measure(b, flop, len(x)+len(w)+len(y), func() { Conv3d(s, y, x, w) })
		})
		b.Run(c.name+"/bfloat16", func(b *testing.B) {
			measure(b, flop, len(x)+len(w)+len(y), func() { Conv3dBFloat16(s, y, x, w) })
		})
		b.Run(c.name+"/weight gradient", func(b *testing.B) {
			dw := make([]float32, len(w))
			measure(b, flop, len(x)+len(w)+len(y), func() { Conv3dGradWeight(s, dw, x, y) })
		})
		b.Run(c.name+"/input gradient", func(b *testing.B) {
			dx := make([]float32, len(x))
			measure(b, flop, len(x)+len(w)+len(y), func() { Conv3dGradInput(s, dx, w, y) })
		})
	}
}

func BenchmarkAttention(b *testing.B) {
	for _, c := range []struct {
		name string
		AttentionShape
	}{
		{"base dce", AttentionShape{Tokens: 3073, Heads: 2, Width: 64, Scale: 0.125}},
		{"base all", AttentionShape{Tokens: 4481, Heads: 2, Width: 64, Scale: 0.125}},
		{"base dwi", AttentionShape{Tokens: 256, Heads: 12, Width: 64, Scale: 0.125}},
		{"small all", AttentionShape{Tokens: 43, Heads: 4, Width: 24, Scale: 0.2}},
	} {
		s := c.AttentionShape
		qkv, y := normals(1, s.Tokens*3*s.embed()), make([]float32, s.Tokens*s.embed())
		flop := 4 * float64(s.Tokens*s.Tokens*s.embed())
		b.Run(c.name+"/float32", func(b *testing.B) {
			measure(b, flop, len(qkv)+len(y), func() { Attention(s, y, qkv) })
		})
		b.Run(c.name+"/bfloat16", func(b *testing.B) {
			measure(b, flop, len(qkv)+len(y), func() { AttentionBFloat16(s, y, qkv) })
		})
		b.Run(c.name+"/gradient", func(b *testing.B) {
			d := make([]float32, len(qkv))
			measure(b, 2.5*flop, len(qkv)+len(y), func() { AttentionGrad(s, d, qkv, y) })
		})
	}
}
