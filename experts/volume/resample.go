package volume

import (
	"math"
	"runtime"
	"sync"
)

// Box returns a grid of size voxels that fills a box of sizeMM around centre, its edges along axes (unit, orthogonal).
func Box(centre Vec, sizeMM [3]float64, size [3]int, axes [3]Vec, frameOfReference string) Grid {
	g := Grid{Size: size, Axis: axes, Origin: centre, FrameOfReference: frameOfReference}
	for a := range 3 {
		g.SpacingMM[a] = sizeMM[a] / float64(size[a])
		g.Origin = g.Origin.Sub(axes[a].Scale(g.SpacingMM[a] * float64(size[a]-1) / 2))
	}
	return g
}

// Resample returns v on another grid by trilinear interpolation. A point outside v's voxels (half a voxel beyond the
// outermost centres) is 0; within that rim the outermost value holds. There is no smoothing before a coarser grid.
func Resample(v *Volume, onto Grid) *Volume {
	out := New(onto)
	if v.Len() == 0 {
		return out
	}
	m := mapping(&v.Grid, &onto)
	if t, ok := m.tables(&v.Grid, &onto); ok {
		eachSlice(onto.Size[2], func(k int) { resampleAligned(v, out, t, k) })
		return out
	}
	eachSlice(onto.Size[2], func(k int) { resampleOblique(v, out, m, k) })
	return out
}

// ResampleMask returns m on another grid by the nearest voxel; outside m nothing is in the set.
func ResampleMask(m *Mask, onto Grid) *Mask {
	out := NewMask(onto)
	a := mapping(&m.Grid, &onto)
	eachSlice(onto.Size[2], func(k int) {
		for j := range onto.Size[1] {
			for i := range onto.Size[0] {
				p := a.at(i, j, k)
				x, y, z := int(math.Floor(p[0]+.5)), int(math.Floor(p[1]+.5)), int(math.Floor(p[2]+.5))
				if m.Contains(x, y, z) {
					out.Data[out.Index(i, j, k)] = m.Data[m.Index(x, y, z)]
				}
			}
		}
	})
	return out
}

// eachSlice calls f for k = 0 .. n-1 from as many goroutines as there are processors, and waits for them.
func eachSlice(n int, f func(k int)) {
	workers := min(n, runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for k := w; k < n; k += workers {
				f(k)
			}
		})
	}
	wg.Wait()
}

// affine maps a voxel of one grid to fractional voxel indices of another: origin + i step[0] + j step[1] + k step[2].
type affine struct {
	origin Vec
	step   [3]Vec
}

func mapping(from, onto *Grid) affine {
	var m affine
	for a := range 3 {
		m.origin[a] = onto.Origin.Sub(from.Origin).Dot(from.Axis[a]) / from.SpacingMM[a]
		for b := range 3 {
			m.step[b][a] = onto.Axis[b].Scale(onto.SpacingMM[b]).Dot(from.Axis[a]) / from.SpacingMM[a]
		}
	}
	return m
}

func (m *affine) at(i, j, k int) Vec {
	x, y, z := float64(i), float64(j), float64(k)
	var p Vec
	for a := range 3 {
		p[a] = m.origin[a] + x*m.step[0][a] + y*m.step[1][a] + z*m.step[2][a]
	}
	return p
}

// tap is a linear interpolation between the elements at lo and hi of a line: (1-w) lo + w hi. lo < 0 is outside.
type tap struct {
	lo, hi int
	w      float32
}

func tapAt(x float64, n, stride int) tap {
	if !(x >= -.5 && x <= float64(n)-.5) {
		return tap{lo: -1}
	}
	x = min(max(x, 0), float64(n-1))
	lo := int(x)
	return tap{lo: lo * stride, hi: min(lo+1, n-1) * stride, w: float32(x - float64(lo))}
}

// tables returns, where every axis of onto runs along one of from, the taps of each index i, j, k of onto, with the
// source's strides multiplied in. A drift of a thousandth of a voxel from end to end is taken as parallel.
func (m *affine) tables(from, onto *Grid) (t [3][]tap, ok bool) {
	stride := [3]int{1, from.Size[0], from.Size[0] * from.Size[1]}
	var used [3]bool
	for b := range 3 {
		main := 0
		for a := range 3 {
			if math.Abs(m.step[b][a]) > math.Abs(m.step[b][main]) {
				main = a
			}
		}
		for a := range 3 {
			if a != main && math.Abs(m.step[b][a])*float64(onto.Size[b]) > 1e-3 {
				return t, false
			}
		}
		if used[main] {
			return t, false
		}
		used[main] = true
		t[b] = make([]tap, onto.Size[b])
		for i := range t[b] {
			t[b][i] = tapAt(m.origin[main]+float64(i)*m.step[b][main], from.Size[main], stride[main])
		}
	}
	return t, true
}

func resampleAligned(v, out *Volume, t [3][]tap, k int) {
	tk := t[2][k]
	if tk.lo < 0 {
		return
	}
	for j, tj := range t[1] {
		if tj.lo < 0 {
			continue
		}
		row := out.Data[out.Index(0, j, k):][:out.Size[0]]
		a, b := v.Data[tk.lo+tj.lo:], v.Data[tk.lo+tj.hi:]
		c, d := v.Data[tk.hi+tj.lo:], v.Data[tk.hi+tj.hi:]
		for i, ti := range t[0] {
			if ti.lo < 0 {
				continue
			}
			near := lerp(lerp(a[ti.lo], a[ti.hi], ti.w), lerp(b[ti.lo], b[ti.hi], ti.w), tj.w)
			far := lerp(lerp(c[ti.lo], c[ti.hi], ti.w), lerp(d[ti.lo], d[ti.hi], ti.w), tj.w)
			row[i] = lerp(near, far, tk.w)
		}
	}
}

func resampleOblique(v, out *Volume, m affine, k int) {
	for j := range out.Size[1] {
		row := out.Data[out.Index(0, j, k):][:out.Size[0]]
		for i := range row {
			p := m.at(i, j, k)
			row[i] = v.Sample(p[0], p[1], p[2])
		}
	}
}

// Sample returns the trilinear value at fractional voxel indices, as Resample does: 0 outside.
func (v *Volume) Sample(x, y, z float64) float32 {
	ti := tapAt(x, v.Size[0], 1)
	tj := tapAt(y, v.Size[1], v.Size[0])
	tk := tapAt(z, v.Size[2], v.Size[0]*v.Size[1])
	if ti.lo < 0 || tj.lo < 0 || tk.lo < 0 {
		return 0
	}
	d := v.Data
	near := lerp(lerp(d[tk.lo+tj.lo+ti.lo], d[tk.lo+tj.lo+ti.hi], ti.w), lerp(d[tk.lo+tj.hi+ti.lo], d[tk.lo+tj.hi+ti.hi], ti.w), tj.w)
	far := lerp(lerp(d[tk.hi+tj.lo+ti.lo], d[tk.hi+tj.lo+ti.hi], ti.w), lerp(d[tk.hi+tj.hi+ti.lo], d[tk.hi+tj.hi+ti.hi], ti.w), tj.w)
	return lerp(near, far, tk.w)
}

func lerp(a, b, w float32) float32 { return a + w*(b-a) }

// MIP returns the maximum intensity projection along an axis (0 i, 1 j, 2 k): a volume one voxel thick there, which
// spans the extent of v.
func MIP(v *Volume, axis int) *Volume {
	g := v.Grid
	n := float64(g.Size[axis])
	g.Origin = g.Origin.Add(g.Axis[axis].Scale(g.SpacingMM[axis] * (n - 1) / 2))
	g.SpacingMM[axis] *= n
	g.Size[axis] = 1
	out := New(g)
	for i := range out.Data {
		out.Data[i] = float32(math.Inf(-1))
	}
	step := [3]int{1, g.Size[0], g.Size[0] * g.Size[1]}
	step[axis] = 0
	at := 0
	for k := range v.Size[2] {
		for j := range v.Size[1] {
			for i := range v.Size[0] {
				to := i*step[0] + j*step[1] + k*step[2]
				out.Data[to] = max(out.Data[to], v.Data[at])
				at++
			}
		}
	}
	return out
}
