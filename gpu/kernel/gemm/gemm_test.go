package gemm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// normals are n normal numbers that the seed decides.
func normals(seed uint64, n int) []float32 {
	random := rand.New(rand.NewPCG(seed, 1))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(random.NormFloat64())
	}
	return x
}

func (v View) at(i, j int) float32 {
	if v.Trans {
		i, j = j, i
	}
	return v.Data[i*v.Stride+j]
}

// view is a matrix of random numbers whose memory ends with its last entry.
func view(seed uint64, rows, cols, gap int, trans bool) View {
	if trans {
		rows, cols = cols, rows
	}
	stride := cols + gap
	return View{Data: normals(seed, max(0, rows*stride-gap)), Stride: stride, Trans: trans}
}

// naive is the definition in double precision, and for each entry the sum of the products' sizes, with which rounding
// errors grow.
func naive(p Product, precision Precision) (want, size []float64) {
	want, size = make([]float64, p.M*p.N), make([]float64, p.M*p.N)
	a, b := make([]float32, p.K), make([]float32, p.K*p.N)
	for i := range b {
		b[i] = p.B.at(i/p.N, i%p.N)
	}
	if precision == BFloat16 {
		Round(b)
	}
	for i := range p.M {
		for k := range a {
			a[k] = p.A.at(i, k)
		}
		if precision == BFloat16 {
			Round(a)
		}
		wants, sizes := want[i*p.N:][:p.N], size[i*p.N:][:p.N]
		for j := range wants {
			if p.Add {
				wants[j] = float64(p.C.at(i, j))
			} else if p.Bias != nil {
				wants[j] = float64(p.Bias[j])
			}
			sizes[j] = math.Abs(wants[j])
		}
		for k, x := range a {
			for j, y := range b[k*p.N:][:p.N] {
				v := float64(x) * float64(y)
				wants[j] += v
				sizes[j] += math.Abs(v)
			}
		}
	}
	return want, size
}

// copied hands a matrix out as a Source.
type copied struct{ View }

func (s copied) Fill(panel []float32, width, k0, k1, n0, n1 int) {
	for k := k0; k < k1; k++ {
		for n := n0; n < n1; n++ {
			panel[(k-k0)*width+n-n0] = s.at(k, n)
		}
	}
}

func TestProductsOfEveryKernel(t *testing.T) {
	sizes := [][3]int{
		{1, 1, 1}, {1, 2, 3}, {2, 1, 0}, {3, 31, 17}, {4, 32, 16}, {5, 33, 15}, {12, 64, 64}, {13, 65, 1}, {43, 96, 48}, {7, 7, 769},
		{25, 140, 385}, {64, 129, 162}, {31, 400, 100}, {24, 777, 33}, {11, 17, 30},
	}
	for p := range Precision(2) {
		for _, k := range Kernels(p) {
			t.Run(fmt.Sprintf("%s, precision %d", k.Name(), p), func(t *testing.T) {
				for n, s := range sizes {
					for way := range 16 {
						if testing.Short() && (way+n)%4 != 0 {
							continue
						}
						testProduct(t, k, s, way, uint64(n))
					}
				}
			})
		}
	}
}

// testProduct multiplies in one of 16 ways: A and B transposed or not, four starts.
func testProduct(t *testing.T, k *Kernel, size [3]int, way int, seed uint64) {
	t.Helper()
	m, n, depth := size[0], size[1], size[2]
	p := Product{
		M: m, N: n, K: depth,
		A: view(seed, m, depth, way%3, way&1 != 0), B: view(seed+100, depth, n, way%5, way&2 != 0), C: view(seed+200, m, n, 3, false),
	}
	p.C.Data = append(p.C.Data, 1, 2, 3)
	switch way >> 2 {
	case 1:
		p.Add = true
	case 2:
		p.Bias = normals(seed+300, n)
	case 3:
		p.DepthStep = 27
	}
	before := p
	before.C.Data = append([]float32{}, p.C.Data...)
	k.Multiply(p)
	wants, sizes := naive(before, k.precision)
	check := func(what string, p Product) {
		t.Helper()
		for i := range m {
			for j := range p.C.Stride {
				got := p.C.Data[i*p.C.Stride+j]
				if j >= n {
					if got != before.C.Data[i*p.C.Stride+j] {
						t.Fatalf("%s %v way %d: wrote beyond row %d: %g", what, size, way, i, got)
					}
					continue
				}
				want := wants[i*n+j]
				if !(math.Abs(float64(got)-want) <= 2e-6*sizes[i*n+j]) {
					t.Fatalf("%s %v way %d: [%d, %d] = %g, want %g", what, size, way, i, j, got, want)
				}
			}
		}
	}
	check("product", p)
	again := p
	again.C.Data = append([]float32{}, before.C.Data...)
	again.Source = copied{p.B}
	k.Multiply(again)
	check("from a source", again)
	if depth <= MaxDepth && p.DepthStep == 0 {
		again.Source, again.Packed = nil, new(Packed)
		copy(again.C.Data, before.C.Data)
		k.Pack(again.Packed, p.B, depth, n)
		k.Multiply(again)
		check("packed", again)
	}
}
