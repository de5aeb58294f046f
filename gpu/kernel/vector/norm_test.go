package vector

import (
	"fmt"
	"math"
	"testing"
)

func TestSumsAndDot(t *testing.T) {
	each(t, func(t *testing.T, form implementation, n, offset int) {
		x, y := normals(7, n, offset, 3), normals(8, n, 0, 1)
		sum, squares, dot, size := 0.0, 0.0, 0.0, 0.0
		for i := range x {
			x[i] += 100
			d := float64(x[i]) - 99
			sum += d
			squares += d * d
			dot += float64(x[i]) * float64(y[i])
			size += math.Abs(float64(x[i]) * float64(y[i]))
		}
		gotSum, gotSquares := form.sums(x, 99)
		if !near(gotSum, sum, 1e-12*squares) || !near(gotSquares, squares, 1e-12*squares) {
			t.Fatalf("sums of %d at %d: %g and %g, want %g and %g", n, offset, gotSum, gotSquares, sum, squares)
		}
		if got := form.dot(x, y); !near(got, dot, 1e-12*size) {
			t.Fatalf("dot of %d at %d: %g, want %g", n, offset, got, dot)
		}
	})
}

func TestMoments(t *testing.T) {
	for _, c := range []struct {
		name           string
		n              int
		mean, sd       float64
		first          float32
		meanTol, sdTol float64
	}{
		{"none", 0, 0, 0, 0, 0, 0},
		{"constant", 1000, 1234.567, 0, 1234.567, 0, 0},
		{"a stem's channel", 1_600_000, 0.1, 1, 0.1, 1e-9, 1e-9},
		{"mean far from zero", 100_000, 1e4, 0.5, 1e4, 1e-9, 1e-9},
		{"first number far from the rest", 100_000, 3, 2, 1e6, 1e-5, 1e-5},
	} {
		x := normals(9, c.n, 1, c.sd)
		for i := range x {
			x[i] += float32(c.mean)
		}
		if c.n > 0 {
			x[0] = c.first
		}
		mean, variance := 0.0, 0.0
		for _, v := range x {
			mean += float64(v) / float64(c.n)
		}
		for _, v := range x {
			variance += (float64(v) - mean) * (float64(v) - mean) / float64(c.n)
		}
		gotMean, gotVariance := Moments(x)
		if !near(gotMean, mean, c.meanTol+1e-12*math.Abs(mean)) || !near(gotVariance, variance, c.sdTol*variance+1e-20) {
			t.Errorf("%s: mean %g, variance %g, want %g and %g", c.name, gotMean, gotVariance, mean, variance)
		}
	}
}

func TestNorm(t *testing.T) {
	each(t, func(t *testing.T, form implementation, n, offset int) {
		x, gamma, beta := normals(12, n, offset, 3), normals(13, n, 0, 1), normals(14, n, 0, 1)
		for i := range x {
			x[i] += 1000
		}
		const mean, scale = 1000.000001, 0.37
		hi, lo := split(mean)
		affine, relu := fencedFor(n, offset), fencedFor(n, offset)
		form.normAffine(affine.y, x, gamma, beta, hi, lo, scale)
		form.normReLU(relu.y, x, hi, lo, scale)
		affine.whole(t, "affine norm")
		relu.whole(t, "norm and ReLU")
		for i, v := range x {
			h := (float64(v) - mean) * float64(float32(scale))
			want := h*float64(gamma[i]) + float64(beta[i])
			if !near(float64(affine.y[i]), want, 1e-6*(1+math.Abs(h*float64(gamma[i])))) {
				t.Fatalf("affine norm of %g: %g, want %g (%d of %d at %d)", v, affine.y[i], want, i, n, offset)
			}
			if want := max(0, h); !near(float64(relu.y[i]), want, 3e-7*(1+want)) {
				t.Fatalf("norm of %g: %g, want %g (%d of %d at %d)", v, relu.y[i], want, i, n, offset)
			}
		}
		if n > 0 {
			x[n-1] = nan
			if form.normReLU(relu.y, x, hi, lo, scale); relu.y[n-1] == relu.y[n-1] {
				t.Fatalf("norm of NaN: %g (length %d at %d)", relu.y[n-1], n, offset)
			}
		}
	})
}

func TestGradients(t *testing.T) {
	each(t, func(t *testing.T, form implementation, n, offset int) {
		x, dy, gamma := normals(12, n, offset, 3), normals(13, n, 0, 1), normals(14, n, 0, 1)
		for i := range x {
			x[i] += 1000
		}
		const mean, scale, meanG, meanGH = 1000.000001, float32(0.37), float32(0.3), float32(-0.7)
		hi, lo := split(mean)
		affine, relu, add, soft := fencedFor(n, offset), fencedFor(n, offset), fencedFor(n, offset), fencedFor(n, offset)
		copy(add.y, gamma)
		g, gh := form.affineGradSums(x, dy, gamma, hi, lo, scale)
		r, rh := form.reluGradSums(x, dy, hi, lo, scale)
		form.affineGrad(affine.y, x, dy, gamma, hi, lo, scale, meanG, meanGH)
		form.reluGrad(relu.y, x, dy, hi, lo, scale, meanG, meanGH)
		form.addNormal(add.y, x, dy, hi, lo, scale)
		form.softmaxGrad(soft.y, gamma, dy, meanG)
		wantG, wantGH, wantR, wantRH := 0.0, 0.0, 0.0, 0.0
		for i, v := range dy {
			h, v, a := (float64(x[i])-mean)*float64(scale), float64(v), float64(gamma[i])
			wantG += v * a
			wantGH += v * a * h
			reluWant := float64(scale) * (0 - float64(meanG) - h*float64(meanGH))
			if h > 0 {
				wantR += v
				wantRH += v * h
				reluWant = float64(scale) * (v - float64(meanG) - h*float64(meanGH))
			}
			for _, c := range []struct {
				name string
				got  float32
				want float64
			}{
				{"affine", affine.y[i], float64(scale) * (v*a - float64(meanG) - h*float64(meanGH))},
				{"relu", relu.y[i], reluWant},
				{"add normal", add.y[i], a + v*h},
				{"softmax", soft.y[i], a * (v - float64(meanG))},
			} {
				if !near(float64(c.got), c.want, 2e-6*(1+math.Abs(c.want))) {
					t.Fatalf("%s: number %d of %d at %d is %g, want %g", c.name, i, n, offset, c.got, c.want)
				}
			}
		}
		tolerance := 1e-7 * float64(n)
		if !near(g, wantG, tolerance) || !near(gh, wantGH, tolerance) || !near(r, wantR, tolerance) || !near(rh, wantRH, tolerance) {
			t.Fatalf("sums of %d at %d: %g %g %g %g, want %g %g %g %g", n, offset, g, gh, r, rh, wantG, wantGH, wantR, wantRH)
		}
		for _, f := range []fenced{affine, relu, add, soft} {
			f.whole(t, fmt.Sprintf("gradients of %d at %d", n, offset))
		}
	})
}

func TestAdam(t *testing.T) {
	const step, unbias, decay, factor = 1e-3, 1.3, 5e-4, 0.25
	each(t, func(t *testing.T, form implementation, n, offset int) {
		gradient := normals(15, n, 0, 1)
		var state [3]fenced
		var want [3][]float64
		for k := range state {
			state[k] = fencedFor(n, offset)
			for i, v := range normals(uint64(16+k), n, 0, 1) {
				if k == 2 {
					v = v * v // a square
				}
				state[k].y[i] = v
				want[k] = append(want[k], float64(v))
			}
		}
		form.adam(state[0].y, state[1].y, state[2].y, gradient, step, unbias, decay, factor)
		for i := range n {
			w, mean, square := &want[0][i], &want[1][i], &want[2][i]
			g := float64(gradient[i])*factor + decay**w
			*mean = 0.9**mean + 0.1*g
			*square = 0.999**square + 0.001*g*g
			*w -= step * *mean / (math.Sqrt(*square)*unbias + 1e-8)
		}
		for k, name := range []string{"weight", "mean", "square"} {
			state[k].whole(t, "adam: "+name)
			for i, v := range state[k].y {
				if !near(float64(v), want[k][i], 3e-7*(1+math.Abs(want[k][i]))) {
					t.Fatalf("adam: %s %d of %d at %d is %g, want %g", name, i, n, offset, v, want[k][i])
				}
			}
		}
	})
}
