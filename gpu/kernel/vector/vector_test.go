package vector

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// lengths are around the widths of a vector register and of an unrolled loop.
var lengths = []int{0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 1000, 2049, 4481}

// offsets move slices off the alignment of a register.
var offsets = []int{0, 1, 3}

var (
	inf = float32(math.Inf(1))
	nan = float32(math.NaN())
)

// normals are n normal numbers with the given scale that the seed decides, at an offset into their memory.
func normals(seed uint64, n, offset int, scale float64) []float32 {
	random := rand.New(rand.NewPCG(seed, uint64(n)))
	x := make([]float32, n+offset)
	for i := range x {
		x[i] = float32(scale * random.NormFloat64())
	}
	return x[offset:]
}

// fenced is memory for n results between two fences; whole checks that no fence was written to.
type fenced struct {
	memory []float32
	y      []float32
}

const fence = -123.25

func fencedFor(n, offset int) fenced {
	memory := make([]float32, n+offset+40)
	for i := range memory {
		memory[i] = fence
	}
	return fenced{memory: memory, y: memory[20+offset : 20+offset+n]}
}

func (f fenced) whole(t *testing.T, what string) {
	t.Helper()
	start := cap(f.memory) - cap(f.y)
	for i, v := range f.memory {
		if (i < start || i >= start+len(f.y)) && v != fence {
			t.Fatalf("%s: wrote %g at %d, outside [0, %d)", what, v, i-start, len(f.y))
		}
	}
}

// each runs f for every implementation of this processor, every length and every offset.
func each(t *testing.T, f func(t *testing.T, form implementation, n, offset int)) {
	for _, form := range implementations() {
		t.Run(form.name, func(t *testing.T) {
			for _, n := range lengths {
				for _, offset := range offsets {
					f(t, form, n, offset)
				}
			}
		})
	}
}

// near says whether got is want within the tolerance, NaN is NaN and infinity is infinity.
func near(got, want, tolerance float64) bool {
	if math.IsNaN(want) || math.IsInf(want, 0) {
		return math.IsNaN(got) == math.IsNaN(want) && (math.IsNaN(got) || got == want)
	}
	return math.Abs(got-want) <= tolerance
}

// ulps is the distance of got from want in units of the last place of a float32 of want's size.
func ulps(got float32, want float64) float64 {
	_, exponent := math.Frexp(want)
	return math.Abs(float64(got)-want) / math.Ldexp(1, exponent-24)
}

func TestExp(t *testing.T) {
	special := []struct{ x, want float32 }{
		{0, 1}, {float32(math.Copysign(0, -1)), 1}, {inf, inf}, {-inf, 0}, {nan, nan}, {-88, 0}, {-100, 0}, {-1e30, 0},
		{88.72284, inf}, {88.8, inf}, {1e30, inf}, {1e-40, 1}, {-1e-40, 1},
	}
	for _, form := range implementations() {
		worst, at := 0.0, float32(0)
		var x, y []float32
		for v := float32(-87.336); v < 88.722; v += 0.00137 {
			x = append(x, v)
		}
		x = append(x, 88.72283, -87.33654, 1e-7, -1e-7)
		y = make([]float32, len(x))
		form.exp(y, x)
		for i, v := range x {
			if e := ulps(y[i], math.Exp(float64(v))); !(e <= worst) {
				worst, at = e, v
			}
		}
		if !(worst <= 2) {
			t.Errorf("%s: e^%g is %.2g ulp off", form.name, at, worst)
		}
		for _, c := range special {
			// at every place of a register
			for n := 1; n < 35; n++ {
				x := make([]float32, n)
				x[n-1] = c.x
				form.exp(x, x)
				if !near(float64(x[n-1]), float64(c.want), 0) {
					t.Errorf("%s: e^%g = %g, want %g", form.name, c.x, x[n-1], c.want)
				}
			}
		}
	}
	each(t, func(t *testing.T, form implementation, n, offset int) {
		what := fmt.Sprintf("exp of %d at %d", n, offset)
		x, y := normals(1, n, offset, 15), fencedFor(n, offset)
		form.exp(y.y, x)
		y.whole(t, what)
		for i, v := range x {
			if want := math.Exp(float64(v)); !(ulps(y.y[i], want) <= 2) {
				t.Fatalf("%s: e^%g = %g, want %g", what, v, y.y[i], want)
			}
		}
	})
}

func TestExpSub(t *testing.T) {
	each(t, func(t *testing.T, form implementation, n, offset int) {
		what := fmt.Sprintf("expSub of %d at %d", n, offset)
		x, y := normals(1, n, offset, 5), fencedFor(n, offset)
		const top = 11.5
		sum := form.expSub(y.y, x, top)
		y.whole(t, what)
		want := 0.0
		for i, v := range x {
			e := math.Exp(float64(v - top))
			want += e
			if !(ulps(y.y[i], e) <= 2) {
				t.Fatalf("%s: e^(%g - %g) = %g, want %g", what, v, top, y.y[i], e)
			}
		}
		if !near(sum, want, 1e-6*want) {
			t.Errorf("%s: sum %g, want %g", what, sum, want)
		}
	})
	// through the exported function, block by block
	x := normals(2, 10001, 1, 3)
	want := 0.0
	for _, v := range x {
		want += math.Exp(float64(v - 2))
	}
	if got := ExpSub(make([]float32, len(x)), x, 2); !near(got, want, 3e-7*want) {
		t.Errorf("sum of 10001 exponentials %g, want %g", got, want)
	}
}

func TestMax(t *testing.T) {
	each(t, func(t *testing.T, form implementation, n, offset int) {
		x := normals(3, n, offset, 1)
		want := float32(math.Inf(-1))
		for i := range x {
			x[i] -= 10 // below zero: what lies beyond the end must not count
			want = max(want, x[i])
		}
		if got := form.max(x); got != want {
			t.Fatalf("max of %d at %d: %g, want %g", n, offset, got, want)
		}
		for _, i := range []int{0, n / 2, n - 1} {
			if n == 0 {
				break
			}
			old := x[i]
			x[i] = 5
			if got := form.max(x); got != 5 {
				t.Fatalf("max of %d at %d with 5 at %d: %g", n, offset, i, got)
			}
			x[i] = nan
			if got := form.max(x); got == got {
				t.Fatalf("max of %d at %d with NaN at %d: %g", n, offset, i, got)
			}
			x[i] = old
		}
	})
}

func TestSoftmaxRow(t *testing.T) {
	for _, n := range lengths {
		x, y := normals(4, n, 1, 4), fencedFor(n, 1)
		for i := range x {
			x[i] += 300 // exponentials of what has not been shifted would overflow
		}
		SoftmaxRow(y.y, x)
		y.whole(t, fmt.Sprint("softmax of ", n))
		for i := range x {
			sum := 0.0
			for _, v := range x {
				sum += math.Exp(float64(v) - float64(x[i]))
			}
			if !near(float64(y.y[i]), 1/sum, 1e-6/sum) {
				t.Fatalf("softmax of %d: number %d is %g, want %g", n, i, y.y[i], 1/sum)
			}
			if n > 1000 && i > 50 {
				break
			}
		}
	}
	y := []float32{1, nan, 2}
	if SoftmaxRow(y, y); y[0] == y[0] || y[2] == y[2] {
		t.Errorf("softmax of a row with NaN is %v", y)
	}
}

func TestAddAndScale(t *testing.T) {
	each(t, func(t *testing.T, form implementation, n, offset int) {
		x, start := normals(5, n, offset, 1), normals(6, n, 0, 1)
		if n > 3 {
			x[1], start[n/2], x[n-1], start[n-1] = nan, nan, nan, nan
		}
		for _, c := range []struct {
			name string
			run  func(y []float32)
			want func(y, x float32) float32
		}{
			{"scale", func(y []float32) { form.scale(y, 0.3) }, func(y, _ float32) float32 { return y * 0.3 }},
			{"add", func(y []float32) { form.add(y, x) }, func(y, x float32) float32 { return y + x }},
			{"max", func(y []float32) { form.maxEach(y, x) }, func(y, x float32) float32 { return max(y, x) }},
			{"add scaled", func(y []float32) { form.addScaled(y, x, -1.7) }, func(y, x float32) float32 { return y - 1.7*x }},
		} {
			y := fencedFor(n, offset)
			copy(y.y, start)
			c.run(y.y)
			what := fmt.Sprintf("%s of %d at %d", c.name, n, offset)
			y.whole(t, what)
			for i := range x {
				if want := c.want(start[i], x[i]); !near(float64(y.y[i]), float64(want), 1e-6) {
					t.Fatalf("%s: number %d is %g, want %g", what, i, y.y[i], want)
				}
			}
		}
	})
}

func gelu(x float64) float64 { return x * 0.5 * math.Erfc(-x/math.Sqrt2) }

func geluSlope(x float64) float64 {
	return 0.5*math.Erfc(-x/math.Sqrt2) + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi)
}

func TestGELU(t *testing.T) {
	special := []struct{ x, y, slope float32 }{
		{0, 0, 0.5}, {inf, inf, 1}, {-inf, 0, 0}, {nan, nan, nan}, {1e30, 1e30, 1}, {-1e30, 0, 0}, {40, 40, 1}, {-40, 0, 0},
		{1e-40, 0, 0.5},
	}
	for _, form := range implementations() {
		var x []float32
		for v := float32(-20); v < 20; v += 0.000713 {
			x = append(x, v)
		}
		y, dx, dy := make([]float32, len(x)), make([]float32, len(x)), make([]float32, len(x))
		for i := range dy {
			dy[i] = 1
		}
		form.gelu(y, x)
		form.geluGrad(dx, x, dy)
		worst, worstGrad, relative := 0.0, 0.0, 0.0
		for i, v := range x {
			worst = max(worst, math.Abs(float64(y[i])-gelu(float64(v)))/max(1, math.Abs(float64(v))))
			if v < -1 && v > -12 { // the tail, to its own size: rounding of x²/2 in the exponent is what remains
				relative = max(relative, math.Abs(float64(y[i])/gelu(float64(v))-1)/float64(v*v))
			}
			worstGrad = max(worstGrad, math.Abs(float64(dx[i])-geluSlope(float64(v))))
		}
		if !(worst <= 1.5e-7) || !(worstGrad <= 2.5e-7) {
			t.Errorf("%s: GELU is off by %.2g, its slope by %.2g", form.name, worst, worstGrad)
		}
		if !(relative <= 4e-7) {
			t.Errorf("%s: GELU(x) of a negative x is off by %.2g x² of its size", form.name, relative)
		}
		for _, c := range special {
			for n := 1; n < 35; n++ {
				x, one := make([]float32, n), make([]float32, n)
				x[n-1], one[n-1] = c.x, 1
				form.geluGrad(one, x, one)
				form.gelu(x, x)
				if !near(float64(x[n-1]), float64(c.y), 1e-37) || !near(float64(one[n-1]), float64(c.slope), 1e-7) {
					t.Errorf("%s: GELU(%g) = %g with slope %g, want %g and %g", form.name, c.x, x[n-1], one[n-1], c.y, c.slope)
				}
			}
		}
	}
	each(t, func(t *testing.T, form implementation, n, offset int) {
		x, dy := normals(10, n, offset, 2), normals(11, n, 0, 1)
		y, dx := fencedFor(n, offset), fencedFor(n, offset)
		form.gelu(y.y, x)
		form.geluGrad(dx.y, x, dy)
		y.whole(t, "gelu")
		dx.whole(t, "gelu gradient")
		for i, v := range x {
			if want := gelu(float64(v)); !near(float64(y.y[i]), want, 2e-7*max(1, math.Abs(float64(v)))) {
				t.Fatalf("GELU(%g) = %g, want %g (%d of %d at %d)", v, y.y[i], want, i, n, offset)
			}
			want := float64(dy[i]) * geluSlope(float64(v))
			if !near(float64(dx.y[i]), want, 3e-7*max(1, math.Abs(float64(dy[i])))) {
				t.Fatalf("slope at %g times %g = %g, want %g (%d of %d at %d)", v, dy[i], dx.y[i], want, i, n, offset)
			}
		}
	})
}

func TestTranspose(t *testing.T) {
	for _, s := range [][2]int{{0, 3}, {3, 0}, {1, 1}, {8, 8}, {7, 9}, {16, 8}, {9, 24}, {37, 65}} {
		rows, cols := s[0], s[1]
		xStride, yStride := cols+3, rows+1
		x, y := normals(19, rows*xStride, 1, 1), fencedFor(cols*yStride, 1)
		for i := range y.y {
			y.y[i] = fence
		}
		Transpose(rows, cols, y.y, yStride, x, xStride)
		y.whole(t, fmt.Sprint("transpose of ", s))
		for i, v := range y.y {
			want := float32(fence)
			if r, c := i%yStride, i/yStride; r < rows {
				want = x[r*xStride+c]
			}
			if v != want {
				t.Fatalf("transpose of %v: number %d is %g, want %g", s, i, v, want)
			}
		}
	}
	for _, form := range implementations() {
		x, y := normals(20, 24*11, 1, 1), fencedFor(8*30, 3)
		form.transpose(y.y, 30, x, 11, 3)
		y.whole(t, form.name)
		for r := range 24 {
			for c := range 8 {
				if got, want := y.y[c*30+r], x[r*11+c]; got != want {
					t.Fatalf("%s: (%d, %d) is %g, want %g", form.name, r, c, got, want)
				}
			}
		}
	}
}
