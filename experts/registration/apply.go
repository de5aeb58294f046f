package registration

import (
	"context"
	"fmt"
	"math"

	"mome/experts"
	"mome/experts/volume"
)

// Kernel is how a value between voxels is made.
type Kernel int

// Kernels.
const (
	Linear Kernel = iota // trilinear: never beyond its eight neighbours, softens the image
	Cubic                // Keys (IEEE TASSP 1981;29:1153), a = -1/2, held within its eight neighbours' values: keeps edges sharper
)

// Resampling says how Apply makes values. The zero value is trilinear, with 0 where there is no data.
type Resampling struct {
	Kernel Kernel
	// Outside is the value where the moving volume has none: more than half a voxel beyond its outermost centres (within
	// that rim the outermost value holds), and next to a NaN. NaN lets the caller tell.
	Outside float32
}

// Apply returns moving as t lays it on the grid onto, the fixed volume's or any other in its patient space: out(p) =
// moving(t(p)), interpolated once, whatever t is made of. Values may be of any sign. There is no smoothing before a
// coarser grid. Errors are a broken volume or grid, and ctx's.
func Apply(ctx context.Context, moving *volume.Volume, t Transform, onto *volume.Grid, r Resampling) (*volume.Volume, error) {
	if err := usable("moving", moving); err != nil {
		return nil, err
	}
	if onto == nil || onto.Size[0] < 0 || onto.Size[1] < 0 || onto.Size[2] < 0 {
		return nil, fmt.Errorf("registration: no grid to apply a transform on")
	}
	if r.Kernel != Linear && r.Kernel != Cubic {
		return nil, fmt.Errorf("registration: unknown kernel %d", r.Kernel)
	}
	out := volume.New(*onto)
	m := newIndexMap(onto, &t, &moving.Grid)
	var field *tables
	if t.spline != nil {
		field, _ = t.spline.on(onto) // nil where the axes are others: then every voxel on its own
	}
	nx, area := onto.Size[0], onto.Size[0]*onto.Size[1]
	return out, experts.EachSlice(ctx, onto.Size[2], func(k int) {
		var u [3][]float32
		if field != nil {
			for c := range u {
				u[c] = make([]float32, area)
			}
			field.expand(t.spline, k, &u)
		}
		for j := range onto.Size[1] {
			first := m.row(j, k)
			to := out.Data[k*area+j*nx:][:nx]
			for i := range to {
				p := first.Add(m.step[0].Scale(float64(i)))
				switch {
				case field != nil:
					at := j*nx + i
					p = p.Add(m.perMM.apply(volume.Vec{float64(u[0][at]), float64(u[1][at]), float64(u[2][at])}))
				case t.spline != nil:
					p = p.Add(m.perMM.apply(t.spline.at(onto.Point(float64(i), float64(j), float64(k)))))
				}
				to[i] = r.sample(moving, p)
			}
		}
	})
}

// sample returns v's value at fractional indices p.
func (r *Resampling) sample(v *volume.Volume, p volume.Vec) float32 {
	var at [3][4]int // offsets of the voxels around p along each axis
	var f [3]float32
	stride := 1
	for a := range 3 {
		n := v.Size[a]
		x := p[a]
		if !(x >= -0.5 && x <= float64(n)-0.5) {
			return r.Outside
		}
		x = min(max(x, 0), float64(n-1))
		lo := int(x)
		f[a] = float32(x - float64(lo))
		for m := range 4 {
			if f[a] == 0 { // on a voxel its neighbours do not count, even where they are NaN
				at[a][m] = lo * stride
			} else {
				at[a][m] = min(max(lo-1+m, 0), n-1) * stride
			}
		}
		stride *= n
	}
	sum, low, high := linear(v, &at, &f)
	if math.IsNaN(float64(sum)) {
		return r.Outside
	}
	if r.Kernel == Cubic {
		if c := cubic(v, &at, &f); c == c { // NaN within reach of the cubic kernel only: the linear value stands
			sum = min(max(c, low), high)
		}
	}
	return sum
}

// linear returns the trilinear value and the extremes of its eight neighbours.
func linear(v *volume.Volume, at *[3][4]int, f *[3]float32) (value, low, high float32) {
	var line [4]float32
	low, high = float32(math.Inf(1)), float32(math.Inf(-1))
	for n := range 4 {
		d := v.Data[at[2][1+n>>1]+at[1][1+n&1]:]
		x, y := d[at[0][1]], d[at[0][2]]
		line[n] = x + f[0]*(y-x)
		low, high = min(low, x, y), max(high, x, y)
	}
	near, far := line[0]+f[1]*(line[1]-line[0]), line[2]+f[1]*(line[3]-line[2])
	return near + f[2]*(far-near), low, high
}

// cubic returns the value of the cubic convolution of the 64 voxels around.
func cubic(v *volume.Volume, at *[3][4]int, f *[3]float32) float32 {
	x, y, z := keys(f[0]), keys(f[1]), keys(f[2])
	sum := float32(0)
	for c := range 4 {
		for b := range 4 {
			d := v.Data[at[2][c]+at[1][b]:]
			sum += z[c] * y[b] * (x[0]*d[at[0][0]] + x[1]*d[at[0][1]] + x[2]*d[at[0][2]] + x[3]*d[at[0][3]])
		}
	}
	return sum
}

// keys returns the weights of the voxels at -1, 0, 1, 2 for the place f between 0 and 1.
func keys(f float32) [4]float32 {
	return [4]float32{f * (f*(1-0.5*f) - 0.5), f*f*(1.5*f-2.5) + 1, f * (f*(2-1.5*f) + 0.5), f * f * (0.5*f - 0.5)}
}
