package gemm

import (
	"fmt"
	"math"
	"sync"
	"testing"
)

// each calls f for every kernel of both precisions.
func each(t *testing.T, f func(t *testing.T, k *Kernel)) {
	for p := range Precision(2) {
		kernels := Kernels(p)
		if Best(p) != kernels[0] || kernels[len(kernels)-1].Name() != "go" {
			t.Fatalf("precision %d: best is %s of %d kernels, last %s", p, Best(p).Name(), len(kernels), kernels[len(kernels)-1].Name())
		}
		for _, k := range kernels {
			if k.Precision() != p {
				t.Errorf("%s is among those of precision %d, but of %d", k.Name(), p, k.Precision())
			}
			t.Run(fmt.Sprintf("%s, precision %d", k.Name(), p), func(t *testing.T) { f(t, k) })
		}
	}
}

func TestNaNAndInfinityPassThrough(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	each(t, func(t *testing.T, k *Kernel) {
		for _, c := range []struct {
			name string
			x, y float32 // the factors at one k; all others are 1
			want func(v float32) bool
		}{
			{"NaN", nan, 0, func(v float32) bool { return v != v }},
			{"NaN on the right", 0, nan, func(v float32) bool { return v != v }},
			{"infinity", inf, 2, func(v float32) bool { return v == inf }},
			{"infinity of negative sign", 2, -inf, func(v float32) bool { return v == -inf }},
			{"infinity times zero", inf, 0, func(v float32) bool { return v != v }},
			{"beyond the range", math.MaxFloat32, 4, func(v float32) bool { return v == inf }},
		} {
			const m, n, depth = 13, 37, 5
			p := Product{
				M: m, N: n, K: depth, A: View{Data: ones(m * depth), Stride: depth}, B: View{Data: ones(depth * n), Stride: n},
				C: View{Data: ones(m * n), Stride: n},
			}
			p.A.Data[7*depth+3] = c.x
			p.B.Data[3*n+35] = c.y
			k.Multiply(p)
			if got := p.C.Data[7*n+35]; !c.want(got) {
				t.Errorf("%s: %g + %g times %g is %g", c.name, float32(depth-1), c.x, c.y, got)
			}
			if got := p.C.Data[6*n+34]; got != depth {
				t.Errorf("%s: an entry without it is %g, want %d", c.name, got, depth)
			}
		}
	})
}

func ones(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = 1
	}
	return x
}

// Subnormal factors may count as zero, as in the bfloat16 instructions, but must not disturb the rest.
func TestSubnormalNumbers(t *testing.T) {
	each(t, func(t *testing.T, k *Kernel) {
		p := Product{M: 1, N: 1, K: 2, A: View{Data: []float32{1e-40, 1}, Stride: 2}, B: View{Data: []float32{1, 1}, Stride: 1},
			C: View{Data: []float32{9}, Stride: 1}}
		if k.Multiply(p); p.C.Data[0] != 1 {
			t.Errorf("1e-40 + 1 = %g", p.C.Data[0])
		}
	})
}

// An entry's sum must not depend on where the product was cut.
func TestPiecesAreTheWhole(t *testing.T) {
	each(t, func(t *testing.T, k *Kernel) {
		const m, n, depth = 29, 70, 401
		p := Product{M: m, N: n, K: depth, A: view(1, m, depth, 0, false), B: view(2, depth, n, 0, true), Bias: normals(3, n),
			C: View{Data: make([]float32, m*n), Stride: n}}
		k.Multiply(p)
		for _, cut := range [][2]int{{1, 1}, {12, 32}, {17, 40}, {28, 69}} {
			whole := p
			whole.C.Data = make([]float32, m*n)
			for i := 0; i < m; i += cut[0] {
				for j := 0; j < n; j += cut[1] {
					piece := whole
					piece.M, piece.N = min(cut[0], m-i), min(cut[1], n-j)
					piece.A, piece.B, piece.C, piece.Bias = p.A.From(i, 0), p.B.From(0, j), whole.C.From(i, j), p.Bias[j:]
					k.Multiply(piece)
				}
			}
			for i, v := range whole.C.Data {
				if v != p.C.Data[i] {
					t.Fatalf("cut by %v: entry %d is %g, was %g", cut, i, v, p.C.Data[i])
				}
			}
		}
	})
}

func TestProductsAtOnce(t *testing.T) {
	each(t, func(t *testing.T, k *Kernel) {
		var wait sync.WaitGroup
		for i := range 8 {
			wait.Go(func() { testProduct(t, k, [3]int{20 + i, 70, 90}, i, uint64(i)) })
		}
		wait.Wait()
	})
}

func TestProductsBeyondTheirMemory(t *testing.T) {
	good := Product{
		M: 4, N: 5, K: 6, A: View{Data: ones(24), Stride: 6}, B: View{Data: ones(30), Stride: 5}, C: View{Data: ones(20), Stride: 5},
	}
	k := Best(Float32)
	k.Multiply(good)
	for _, c := range []struct {
		name   string
		change func(p *Product)
	}{
		{"left factor too short", func(p *Product) { p.A.Data = p.A.Data[1:] }},
		{"right factor too short", func(p *Product) { p.B.Data = p.B.Data[1:] }},
		{"result too short", func(p *Product) { p.C.Data = p.C.Data[1:] }},
		{"rows overlap", func(p *Product) { p.A.Stride = 5 }},
		{"transposed result", func(p *Product) { p.C.Trans = true }},
		{"bias too short", func(p *Product) { p.Bias = ones(4) }},
		{"packed for another kernel", func(p *Product) {
			other := Kernels(Float32)[len(Kernels(Float32))-1]
			p.Packed = new(Packed)
			other.Pack(p.Packed, p.B, 6, 4)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			p := good
			c.change(&p)
			k.Multiply(p)
		})
	}
}

func TestNothingIsAllocated(t *testing.T) {
	each(t, func(t *testing.T, k *Kernel) {
		p := Product{M: 40, N: 50, K: 60, A: view(1, 40, 60, 0, false), B: view(2, 60, 50, 0, true), C: view(3, 40, 50, 0, false)}
		k.Multiply(p)
		if n := testing.AllocsPerRun(20, func() { k.Multiply(p) }); n >= 1 {
			t.Errorf("%g allocations a product", n)
		}
	})
}
