package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
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

// dirty is memory that a kernel must overwrite.
func dirty(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(math.NaN())
	}
	return x
}

func wide(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

func compare(t *testing.T, what string, got []float32, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	for i, v := range got {
		if !(math.Abs(float64(v)-want[i]) <= tolerance*(1+math.Abs(want[i]))) {
			t.Fatalf("%s: number %d is %g, want %g within %g", what, i, v, want[i], tolerance)
		}
	}
}

func dot(a, b []float32) float64 {
	sum := 0.0
	for i, v := range a {
		sum += float64(v) * float64(b[i])
	}
	return sum
}

var convolutions = []Conv3dShape{
	{Batch: 1, In: 1, Out: 1, Size: [3]int{1, 1, 1}, Kernel: [3]int{1, 1, 1}, Stride: [3]int{1, 1, 1}},
	{Batch: 1, In: 2, Out: 3, Size: [3]int{8, 6, 4}, Kernel: [3]int{3, 3, 3}, Stride: [3]int{2, 2, 2}, Pad: [3]int{1, 1, 1}},
	{Batch: 2, In: 3, Out: 2, Size: [3]int{5, 7, 3}, Kernel: [3]int{3, 3, 3}, Stride: [3]int{2, 2, 2}, Pad: [3]int{1, 1, 1}},
	{Batch: 2, In: 1, Out: 4, Size: [3]int{4, 5, 6}, Kernel: [3]int{2, 3, 1}, Stride: [3]int{1, 2, 3}, Pad: [3]int{1, 0, 0}},
	{Batch: 1, In: 2, Out: 2, Size: [3]int{1, 2, 9}, Kernel: [3]int{1, 2, 5}, Stride: [3]int{3, 1, 1}, Pad: [3]int{0, 1, 4}},
	{Batch: 1, In: 1, Out: 1, Size: [3]int{1, 1, 1}, Kernel: [3]int{3, 3, 3}, Stride: [3]int{2, 2, 2}, Pad: [3]int{1, 1, 1}},
	// an odd number of window entries, so that pieces of even depth end within a window
	{Batch: 1, In: 6, Out: 2, Size: [3]int{6, 5, 9}, Kernel: [3]int{5, 5, 5}, Stride: [3]int{2, 2, 2}, Pad: [3]int{2, 2, 2}},
	{Batch: 1, In: 32, Out: 2, Size: [3]int{4, 3, 2}, Kernel: [3]int{5, 5, 1}, Stride: [3]int{1, 1, 1}, Pad: [3]int{2, 2, 0}},
	// more than one unrolled piece
	{Batch: 1, In: 30, Out: 3, Size: [3]int{21, 19, 34}, Kernel: [3]int{3, 3, 3}, Stride: [3]int{2, 1, 2}, Pad: [3]int{1, 1, 1}},
}

// naiveConv is the definition, in double precision.
func naiveConv(s Conv3dShape, x, w []float64) []float64 {
	out := s.OutSize()
	var y []float64
	for n := range s.Batch {
		for o := range s.Out {
			for h := range out[0] {
				for v := range out[1] {
					for d := range out[2] {
						sum := 0.0
						for c := range s.In {
							for i := range s.Kernel[0] {
								for j := range s.Kernel[1] {
									for k := range s.Kernel[2] {
										a, b, e := h*s.Stride[0]+i-s.Pad[0], v*s.Stride[1]+j-s.Pad[1], d*s.Stride[2]+k-s.Pad[2]
										if a < 0 || b < 0 || e < 0 || a >= s.Size[0] || b >= s.Size[1] || e >= s.Size[2] {
											continue
										}
										sum += x[(((n*s.In+c)*s.Size[0]+a)*s.Size[1]+b)*s.Size[2]+e] *
											w[(((o*s.In+c)*s.Kernel[0]+i)*s.Kernel[1]+j)*s.Kernel[2]+k]
									}
								}
							}
						}
						y = append(y, sum)
					}
				}
			}
		}
	}
	return y
}

func TestConv3d(t *testing.T) {
	for _, s := range convolutions {
		if err := s.Check(); err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprintf("%+v", s)
		x := normals(1, s.Batch*s.In*volume(s.Size))
		w := normals(2, s.Out*s.patch())
		y := dirty(s.Batch * s.Out * volume(s.OutSize()))
		Conv3d(s, y, x, w)
		compare(t, name, y, naiveConv(s, wide(x), wide(w)), 1e-4)

		// The map is linear in x and in w, so its gradients are its transposes: <dy, y> = <dx, x> = <dw, w>, also for
		// an x and a w that dy has nothing to do with.
		dy := normals(3, len(y))
		dx, dw := dirty(len(x)), dirty(len(w))
		Conv3dGradInput(s, dx, w, dy)
		Conv3dGradWeight(s, dw, x, dy)
		want := dot(dy, y)
		scale := 1e-5 * (1 + math.Sqrt(dot(dy, dy)*dot(y, y)))
		if got := dot(dx, x); math.Abs(got-want) > scale {
			t.Errorf("%s: <dx, x> = %g, <dy, y> = %g", name, got, want)
		}
		if got := dot(dw, w); math.Abs(got-want) > scale {
			t.Errorf("%s: <dw, w> = %g, <dy, y> = %g", name, got, want)
		}
		other := normals(4, len(x))
		Conv3d(s, y, other, w)
		if got, want := dot(dx, other), dot(dy, y); math.Abs(got-want) > scale {
			t.Errorf("%s: <dx, x'> = %g, <dy, y'> = %g", name, got, want)
		}
	}
}

func TestShapesThatCannotBe(t *testing.T) {
	good := convolutions[1]
	for _, c := range []struct {
		name   string
		change func(s *Conv3dShape)
	}{
		{"no batch", func(s *Conv3dShape) { s.Batch = 0 }},
		{"no channels", func(s *Conv3dShape) { s.In = 0 }},
		{"no stride", func(s *Conv3dShape) { s.Stride[1] = 0 }},
		{"padding as wide as the kernel", func(s *Conv3dShape) { s.Pad[2] = 3 }},
		{"kernel beyond the volume", func(s *Conv3dShape) { s.Kernel[0] = 11 }},
	} {
		s := good
		c.change(&s)
		if s.Check() == nil {
			t.Errorf("%s: no error for %+v", c.name, s)
		}
	}
	if (PoolShape{Channels: 1, Size: [3]int{2, 2, 2}, Kernel: [3]int{3, 3, 3}, Stride: [3]int{1, 1, 1}}).Check() == nil {
		t.Error("no error for a pool wider than its volume")
	}
}

func TestMaxPool3d(t *testing.T) {
	for _, s := range []PoolShape{
		{Channels: 2, Size: [3]int{4, 3, 2}, Kernel: [3]int{3, 3, 3}, Stride: [3]int{2, 2, 2}, Pad: [3]int{1, 1, 1}},
		{Channels: 3, Size: [3]int{5, 1, 7}, Kernel: [3]int{2, 1, 3}, Stride: [3]int{1, 1, 2}, Pad: [3]int{0, 0, 2}},
		{Channels: 5, Size: [3]int{8, 8, 9}, Kernel: [3]int{3, 3, 3}, Stride: [3]int{2, 2, 2}, Pad: [3]int{1, 1, 1}},
	} {
		x := normals(1, s.Channels*volume(s.Size))
		for i := range x {
			x[i] -= 10 // below zero: padding with zeros would show
		}
		out := s.OutSize()
		y := dirty(s.Channels * volume(out))
		MaxPool3d(s, y, x)
		dy := normals(2, len(y))
		dx := dirty(len(x))
		MaxPool3dGrad(s, dx, x, dy)

		want := make([]float64, len(y))
		wantGrad := make([]float64, len(x))
		for i := range y {
			c, h, w, d := i/volume(out), i/(out[1]*out[2])%out[0], i/out[2]%out[1], i%out[2]
			best, at := math.Inf(-1), -1
			for j, v := range x {
				cj, hj, wj, dj := j/volume(s.Size), j/(s.Size[1]*s.Size[2])%s.Size[0], j/s.Size[2]%s.Size[1], j%s.Size[2]
				in := func(axis, i, j int) bool {
					from := i*s.Stride[axis] - s.Pad[axis]
					return j >= from && j < from+s.Kernel[axis]
				}
				if cj == c && in(0, h, hj) && in(1, w, wj) && in(2, d, dj) && float64(v) > best {
					best, at = float64(v), j
				}
			}
			want[i] = best
			wantGrad[at] += float64(dy[i])
		}
		compare(t, fmt.Sprintf("%+v", s), y, want, 0)
		compare(t, fmt.Sprintf("gradient of %+v", s), dx, wantGrad, 1e-6)
	}
}

func TestNorms(t *testing.T) {
	for _, s := range []NormShape{{1, 1, 1e-5}, {3, 7, 1e-5}, {2, 1000, 1e-5}, {37, 96, 1e-5}, {5, 33, 0.5}} {
		x := normals(1, s.Rows*s.Cols)
		for i := range x {
			x[i] = 3*x[i] + 100 // a mean far from zero
		}
		gamma, beta := normals(2, s.Cols), normals(3, s.Cols)
		layer, instance := make([]float64, len(x)), make([]float64, len(x))
		for r := range s.Rows {
			mean, variance := 0.0, 0.0
			for c := range s.Cols {
				mean += float64(x[r*s.Cols+c]) / float64(s.Cols)
			}
			for c := range s.Cols {
				variance += math.Pow(float64(x[r*s.Cols+c])-mean, 2) / float64(s.Cols)
			}
			for c := range s.Cols {
				h := (float64(x[r*s.Cols+c]) - mean) / math.Sqrt(variance+s.Eps)
				instance[r*s.Cols+c] = max(0, h)
				layer[r*s.Cols+c] = h*float64(gamma[c]) + float64(beta[c])
			}
		}
		y := dirty(len(x))
		LayerNorm(s, y, x, gamma, beta)
		compare(t, fmt.Sprintf("layer norm %+v", s), y, layer, 1e-6)
		copy(y, x)
		InstanceNormReLU(s, y, y)
		compare(t, fmt.Sprintf("instance norm in place %+v", s), y, instance, 1e-6)
	}
}

func TestInstanceNormIsZeroOfAConstant(t *testing.T) {
	s := NormShape{Rows: 1, Cols: 64, Eps: 1e-5}
	y := dirty(64)
	InstanceNormReLU(s, y, make([]float32, 64))
	compare(t, "zeros", y, make([]float64, 64), 0)
}

func TestGELU(t *testing.T) {
	x := []float32{-10, -3, -1, -0.5, 0, 0.5, 1, 3, 10}
	// x Φ(x) with Φ from tables of the normal distribution
	want := []float64{0, -3 * 0.00134989803, -0.158655254, -0.5 * 0.308537539, 0, 0.5 * 0.691462461, 0.841344746, 3 * 0.998650102, 10}
	y := dirty(len(x))
	GELU(y, x)
	compare(t, "gelu", y, want, 1e-7)
}

func TestSoftmax(t *testing.T) {
	for _, s := range [][2]int{{1, 1}, {3, 5}, {5, 3}, {130, 67}} {
		rows, cols := s[0], s[1]
		x := normals(1, rows*cols)
		x[0] += 200 // exponentials of unshifted logits would overflow
		byRow, byCol := make([]float64, len(x)), make([]float64, len(x))
		for i := range x {
			rowSum, colSum := 0.0, 0.0
			for j := range cols {
				rowSum += math.Exp(float64(x[i/cols*cols+j]) - float64(x[i]))
			}
			for j := range rows {
				colSum += math.Exp(float64(x[j*cols+i%cols]) - float64(x[i]))
			}
			byRow[i], byCol[i] = 1/rowSum, 1/colSum
		}
		y := dirty(len(x))
		SoftmaxRows(rows, cols, y, x)
		compare(t, fmt.Sprintf("rows of %v", s), y, byRow, 1e-6)
		SoftmaxCols(rows, cols, y, x)
		compare(t, fmt.Sprintf("columns of %v", s), y, byCol, 1e-6)
	}
}

func TestMatMul(t *testing.T) {
	for _, s := range []MatMulShape{{M: 1, N: 1, K: 1}, {M: 3, N: 5, K: 7}, {M: 70, N: 130, K: 65}, {M: 129, N: 1, K: 200}} {
		for trans := range 4 {
			s.TransA, s.TransB = trans&1 != 0, trans&2 != 0
			a, b := normals(1, s.M*s.K), normals(2, s.K*s.N)
			want := make([]float64, s.M*s.N)
			for i := range s.M {
				for j := range s.N {
					for k := range s.K {
						x, y := a[i*s.K+k], b[k*s.N+j]
						if s.TransA {
							x = a[k*s.M+i]
						}
						if s.TransB {
							y = b[j*s.K+k]
						}
						want[i*s.N+j] += float64(x) * float64(y)
					}
				}
			}
			c := dirty(s.M * s.N)
			MatMul(s, c, a, b)
			compare(t, fmt.Sprintf("%+v", s), c, want, 1e-4)
		}
	}
}

func TestCrossEntropy(t *testing.T) {
	logits, target := []float32{1, 2, 3, 1000, 0, -1000}, []float32{0, 0, 1, 0, 1, 0}
	want := ((math.Log(math.Exp(1)+math.Exp(2)+math.Exp(3)) - 3) + 1000) / 2
	if got := float64(CrossEntropy(2, 3, logits, target)); math.Abs(got-want) > 1e-4 {
		t.Errorf("loss %g, want %g", got, want)
	}
}

func TestTranspose(t *testing.T) {
	const rows, cols = 37, 65
	x := normals(1, rows*cols)
	y, again := dirty(len(x)), dirty(len(x))
	Transpose(rows, cols, y, x)
	if y[3*rows+5] != x[5*cols+3] {
		t.Errorf("element (3, 5) is %g, want %g", y[3*rows+5], x[5*cols+3])
	}
	if Transpose(cols, rows, again, y); !slices.Equal(again, x) {
		t.Error("twice transposed is not the matrix itself")
	}
}

// A result must not depend on the machine it was computed on.
func TestCoresDoNotMatter(t *testing.T) {
	conv := convolutions[len(convolutions)-1]
	x, w := normals(1, conv.In*volume(conv.Size)), normals(2, conv.Out*conv.patch())
	attention := AttentionShape{Tokens: 300, Heads: 4, Width: 16, Scale: 0.25}
	qkv, dy := normals(3, 300*3*64), normals(4, 300*64)
	compute := func() (all []float32) {
		y, a, g := dirty(conv.Out*volume(conv.OutSize())), dirty(300*64), dirty(300*3*64)
		Conv3d(conv, y, x, w)
		Attention(attention, a, qkv)
		AttentionGrad(attention, g, qkv, dy)
		return slices.Concat(y, a, g)
	}
	many := compute()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if !slices.Equal(many, compute()) {
		t.Error("one core computes other numbers than several")
	}
}
