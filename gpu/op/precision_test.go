package op_test

import (
	"fmt"
	"math"
	"testing"

	"mome/gpu/op"
	"mome/gpu/vm"
)

// Kernels that multiply must answer with the product of factors rounded to 8 bits: nearly what float32 gives, and not
// quite the same. All others must not change.
func TestPrecision(t *testing.T) {
	rounds := map[string]bool{
		"matmul": true, "matmul aT": true, "matmul bT": true, "matmul aT bT": true, "matmul of one factor": true,
		"linear": true, "grouped linear": true, "conv3d": true, "conv3d uneven": true, "attention": true,
		"attention of two blocks": true,
	}
	for _, o := range operations() {
		t.Run(o.name, func(t *testing.T) {
			b := build(t, o)
			p, err := vm.Compile(b.y)
			if err != nil {
				t.Fatal(err)
			}
			b.bind(t, p)
			runProgram(t, p)
			want := append([]float32(nil), read(t, p, b.y)...)
			reduced, err := (*vm.Machine)(nil).Lane(op.BFloat16).Compile(b.y)
			if err != nil {
				t.Fatal(err)
			}
			b.bind(t, reduced)
			runProgram(t, reduced)
			got := read(t, reduced, b.y)
			size, diff := 0.0, 0.0
			for i, v := range want {
				size += float64(v) * float64(v)
				diff += float64(got[i]-v) * float64(got[i]-v)
			}
			relative := math.Sqrt(diff / size)
			if rounds[o.name] != (relative > 0) || relative > 1e-2 {
				t.Errorf("bfloat16 differs from float32 by %.2g of its norm, rounds: %v", relative, rounds[o.name])
			}
			runProgram(t, p)
			if again := read(t, p, b.y); fmt.Sprint(again) != fmt.Sprint(want) {
				t.Errorf("float32 again gives %v, before %v", again, want)
			}
		})
	}
}
