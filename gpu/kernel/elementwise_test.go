package kernel

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"
)

// sizes are one number, less than a register, more than a strip of columns and more than a block of rows.
var sizes = [][2]int{{1, 1}, {3, 5}, {70, 131}, {600, 33}, {300, 260}}

func TestNormGradients(t *testing.T) {
	for _, size := range sizes {
		s := NormShape{Rows: size[0], Cols: size[1], Eps: 1e-5}
		n := float64(s.Cols)
		x, dy, gamma := normals(1, s.Rows*s.Cols), normals(2, s.Rows*s.Cols), normals(3, s.Cols)
		layer, instance, scaleGrad := make([]float64, len(x)), make([]float64, len(x)), make([]float64, s.Cols)
		for r := range s.Rows {
			in, grad := wide(s.row(x, r)), wide(s.row(dy, r))
			mean, variance := 0.0, 0.0
			for _, v := range in {
				mean += v / n
			}
			for _, v := range in {
				variance += (v - mean) * (v - mean) / n
			}
			scale := 1 / math.Sqrt(variance+s.Eps)
			h := func(j int) float64 { return (in[j] - mean) * scale }
			for k, g := range []func(j int) float64{
				func(j int) float64 { return grad[j] * float64(gamma[j]) },
				func(j int) float64 {
					if h(j) > 0 {
						return grad[j]
					}
					return 0
				},
			} {
				g1, gh := 0.0, 0.0
				for j := range in {
					g1 += g(j) / n
					gh += g(j) * h(j) / n
				}
				for j := range in {
					[][]float64{layer, instance}[k][r*s.Cols+j] = scale * (g(j) - g1 - h(j)*gh)
				}
			}
			for j := range in {
				scaleGrad[j] += grad[j] * h(j)
			}
		}
		name := fmt.Sprintf("%+v", s)
		got := dirty(len(x))
		LayerNormGradInput(s, got, x, gamma, dy)
		compare(t, "layer norm gradient "+name, got, layer, 5e-6)
		copy(got, dy)
		InstanceNormReLUGrad(s, got, x, got)
		compare(t, "instance norm gradient in place "+name, got, instance, 5e-6)
		got = dirty(s.Cols)
		LayerNormGradScale(s, got, x, dy)
		compare(t, "gradient of gamma "+name, got, scaleGrad, 1e-5)
	}
}

func TestSoftmaxGradients(t *testing.T) {
	for _, size := range sizes {
		rows, cols := size[0], size[1]
		y, dy := normals(4, rows*cols), normals(5, rows*cols)
		byRow, byCol := make([]float64, len(y)), make([]float64, len(y))
		rowDot, colDot := make([]float64, rows), make([]float64, cols)
		for i := range y {
			p := float64(y[i]) * float64(dy[i])
			rowDot[i/cols] += p
			colDot[i%cols] += p
		}
		for i := range y {
			byRow[i] = float64(y[i]) * (float64(dy[i]) - rowDot[i/cols])
			byCol[i] = float64(y[i]) * (float64(dy[i]) - colDot[i%cols])
		}
		got := dirty(len(y))
		SoftmaxRowsGrad(rows, cols, got, y, dy)
		compare(t, fmt.Sprintf("gradient by rows of %v", size), got, byRow, 1e-6)
		copy(got, dy)
		SoftmaxColsGrad(rows, cols, got, y, got)
		compare(t, fmt.Sprintf("gradient by columns in place of %v", size), got, byCol, 1e-6)
	}
}

// Every column of a large softmax sums to one, in place too.
func TestSoftmaxColsSumToOne(t *testing.T) {
	const rows, cols = 1000, 300
	x := normals(6, rows*cols)
	SoftmaxCols(rows, cols, x, x)
	for j := range cols {
		sum := 0.0
		for i := range rows {
			sum += float64(x[i*cols+j])
		}
		if math.Abs(sum-1) > 3e-7 {
			t.Fatalf("column %d sums to %g", j, sum)
		}
	}
}

// A tie goes to the first voxel, H slowest and D fastest, and NaN wins over all.
func TestMaxPool3dTiesAndNaN(t *testing.T) {
	s := PoolShape{Channels: 1, Size: [3]int{3, 3, 3}, Kernel: [3]int{3, 3, 3}, Stride: [3]int{1, 1, 1}}
	nan := float32(math.NaN())
	for _, c := range []struct {
		name   string
		change map[int]float32
		first  int
		top    float32
	}{
		{"all equal", nil, 0, 0},
		{"two greatest in one line", map[int]float32{13: 2, 14: 2}, 13, 2},
		{"later in H, earlier in D", map[int]float32{8: 2, 9: 2}, 8, 2},
		{"later in W, earlier in D", map[int]float32{5: 2, 6: 2}, 5, 2},
		{"infinity", map[int]float32{20: float32(math.Inf(1))}, 20, float32(math.Inf(1))},
		{"NaN after infinity", map[int]float32{3: float32(math.Inf(1)), 20: nan}, 20, nan},
		{"NaN first", map[int]float32{0: nan, 20: 5}, 0, nan},
	} {
		x := make([]float32, 27)
		for i, v := range c.change {
			x[i] = v
		}
		y, dx := dirty(1), dirty(27)
		MaxPool3d(s, y, x)
		if y[0] != c.top && (y[0] == y[0] || c.top == c.top) {
			t.Errorf("%s: maximum %g, want %g", c.name, y[0], c.top)
		}
		MaxPool3dGrad(s, dx, x, []float32{7})
		for i, v := range dx {
			if want := float32(0); i != c.first && v != want || i == c.first && v != 7 {
				t.Errorf("%s: gradient at %d is %g, want 7 at %d only", c.name, i, v, c.first)
			}
		}
	}
}

func TestCopyBlock(t *testing.T) {
	for _, s := range [][2]int{{3, 4}, {2000, 40}} {
		rows, cols := s[0], s[1]
		src, dst := normals(7, rows*(cols+2)), make([]float32, rows*(cols+5))
		CopyBlock(rows, cols, dst[1:], cols+5, src[2:], cols+2)
		for i, v := range dst {
			want := float32(0)
			if r, c := i/(cols+5), i%(cols+5)-1; c >= 0 && c < cols {
				want = src[r*(cols+2)+2+c]
			}
			if v != want {
				t.Fatalf("%v: number %d is %g, want %g", s, i, v, want)
			}
		}
	}
}

func TestCoresDoNotMatterHereEither(t *testing.T) {
	const rows, cols = 1000, 300
	s := NormShape{Rows: rows, Cols: cols, Eps: 1e-5}
	p := PoolShape{Channels: 300, Size: [3]int{10, 10, 10}, Kernel: [3]int{3, 3, 3}, Stride: [3]int{2, 2, 2}, Pad: [3]int{1, 1, 1}}
	x, dy, gamma := normals(8, rows*cols), normals(9, rows*cols), normals(10, cols)
	compute := func() (all []float32) {
		for _, f := range []func(y []float32){
			func(y []float32) { GELU(y, x) },
			func(y []float32) { GELUGrad(y, x, dy) },
			func(y []float32) { Sum(y, x, dy, x) },
			func(y []float32) { LayerNorm(s, y, x, gamma, gamma) },
			func(y []float32) { LayerNormGradInput(s, y, x, gamma, dy) },
			func(y []float32) { LayerNormGradScale(s, y[:cols], x, dy) },
			func(y []float32) { InstanceNormReLU(s, y, x) },
			func(y []float32) { InstanceNormReLUGrad(s, y, x, dy) },
			func(y []float32) { SoftmaxRows(rows, cols, y, x) },
			func(y []float32) { SoftmaxCols(rows, cols, y, x) },
			func(y []float32) { SoftmaxRowsGrad(rows, cols, y, x, dy) },
			func(y []float32) { SoftmaxColsGrad(rows, cols, y, x, dy) },
			func(y []float32) { MaxPool3d(p, y, x) },
			func(y []float32) { MaxPool3dGrad(p, y, x, dy) },
			func(y []float32) { Transpose(rows, cols, y, x) },
		} {
			y := make([]float32, rows*cols)
			f(y)
			all = append(all, y...)
		}
		return all
	}
	many := compute()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if !slices.Equal(many, compute()) {
		t.Error("one core computes other numbers than several")
	}
}
