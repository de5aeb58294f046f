package pharmacokinetics_test

import (
	"math"

	pk "mome/experts/pharmacokinetics"
)

// linear fits by Murase's method (Magn Reson Med 2004;51:858), which shares nothing with Fit: the models' differential
// equations integrated once, C(t) = (Ktrans + kep vp) integral of Cp - kep integral of C + vp Cp, are linear in their
// coefficients. Its integrals need dense sampling.
func linear(model pk.Model, timesS, plasma, mM []float64) pk.Parameters {
	n := 2
	if model == pk.Extended {
		n = 3
	}
	a := make([][]float64, n) // normal equations, right side last
	for i := range a {
		a[i] = make([]float64, n+1)
	}
	var plasmaArea, area float64
	for k := range timesS {
		if k > 0 {
			stepMin := (timesS[k] - timesS[k-1]) / 60
			plasmaArea += stepMin * (plasma[k] + plasma[k-1]) / 2
			area += stepMin * (mM[k] + mM[k-1]) / 2
		}
		x := [3]float64{plasmaArea, -area, plasma[k]}
		for i := range n {
			for j := range n {
				a[i][j] += x[i] * x[j]
			}
			a[i][n] += x[i] * mM[k]
		}
	}
	for i := range a { // Gauss and Jordan, with pivots
		pivot := i
		for j := i + 1; j < n; j++ {
			if math.Abs(a[j][i]) > math.Abs(a[pivot][i]) {
				pivot = j
			}
		}
		a[i], a[pivot] = a[pivot], a[i]
		for j := range a {
			if j == i {
				continue
			}
			f := a[j][i] / a[i][i]
			for k := i; k <= n; k++ {
				a[j][k] -= f * a[i][k]
			}
		}
	}
	x := func(i int) float64 { return a[i][n] / a[i][i] }
	out := pk.Parameters{KtransPerMin: x(0), KepPerMin: x(1)}
	if model == pk.Extended {
		out.Vp = x(2)
		out.KtransPerMin -= out.KepPerMin * out.Vp
	}
	out.Ve = out.KtransPerMin / out.KepPerMin
	return out
}
