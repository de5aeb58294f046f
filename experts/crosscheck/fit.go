package crosscheck

import "math"

// fit is the straight line theirs = scale x ours + offset.
type fit struct {
	scale, offset float64
	r             float64 // Pearson's, of the voxels that are not cut off at zero
	most          float64 // largest difference from the line cut off at zero, in their unit; 0 if none is above rounding
	n             int     // voxels compared
}

// moments are sums over pairs.
type moments struct{ n, x, y, xx, xy, yy float64 }

func (m *moments) add(x, y float64) {
	m.n, m.x, m.y = m.n+1, m.x+x, m.y+y
	m.xx, m.xy, m.yy = m.xx+x*x, m.xy+x*y, m.yy+y*y
}

// rounding is how far stored integers and decimal rescale slopes may lie from the line without a difference.
const rounding = 1e-3

// fitOf fits the voxels whose vendor's value is above zero: below, most vendors cut off. A slope within a hundred
// thousandth of 1 is 1.
func fitOf(each func(do func(ours, theirs float64))) fit {
	var m moments
	all := 0
	each(func(x, y float64) {
		all++
		if y > 0 {
			m.add(x, y)
		}
	})
	f := fit{n: all, scale: 1}
	if m.n == 0 {
		return f
	}
	sxx, sxy, syy := m.xx-m.x*m.x/m.n, m.xy-m.x*m.y/m.n, m.yy-m.y*m.y/m.n
	switch {
	case sxx > 0 && syy > 0:
		f.scale, f.r = sxy/sxx, min(sxy/math.Sqrt(sxx*syy), 1)
	case sxx == 0 && syy == 0: // both constant
		f.r = 1
	}
	if math.Abs(f.scale-1) < 1e-5 {
		f.scale = 1
	}
	f.offset = (m.y - f.scale*m.x) / m.n
	if whole := math.Round(f.offset); math.Abs(f.offset-whole) < rounding {
		f.offset = whole
	}
	each(func(x, y float64) {
		f.most = max(f.most, math.Abs(y-max(f.scale*x+f.offset, 0)))
	})
	if f.most < rounding {
		f.most = 0
	}
	return f
}
