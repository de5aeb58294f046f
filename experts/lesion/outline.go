package lesion

import (
	"math"
	"slices"

	"mome/experts/volume"
)

// outline returns the lesion around a core: the voxels connected to the core's brightest where the subtraction exceeds
// half way between its surroundings and its height (the place of an edge that smoothing and partial volume do not move),
// at most reachMM beyond the core, holes filled.
func (f *finder) outline(core []int) []int {
	const reachMM = 3.0
	rises := make([]float32, len(core))
	peak := core[0]
	for n, at := range core {
		rises[n] = f.rise[at]
		if f.rise[at] > f.rise[peak] {
			peak = at
		}
	}
	height := percentile(rises, 0.9)
	near := f.grown(core, reachMM)
	in := make(map[int]bool, len(core))
	for _, at := range core {
		in[at] = true
	}
	var around []float32
	for _, at := range near {
		if !in[at] {
			around = append(around, f.rise[at])
		}
	}
	ground := percentile(around, 0.25)
	level := ground + (height-ground)/2
	allowed := make(map[int]bool, len(near))
	for _, at := range near {
		allowed[at] = f.rise[at] >= level
	}
	set := []int{peak}
	taken := map[int]bool{peak: true}
	for n := 0; n < len(set); n++ {
		f.neighbours(set[n], func(to int) {
			if allowed[to] && !taken[to] {
				taken[to] = true
				set = append(set, to)
			}
		})
	}
	return f.filled(set)
}

// grown returns the voxels within reachMM of the set, itself included, that lie in the breast.
func (f *finder) grown(set []int, reachMM float64) []int {
	var steps [][3]int
	var r [3]int
	for a := range 3 {
		r[a] = int(reachMM / f.grid.SpacingMM[a])
	}
	for dk := -r[2]; dk <= r[2]; dk++ {
		for dj := -r[1]; dj <= r[1]; dj++ {
			for di := -r[0]; di <= r[0]; di++ {
				if s := [3]int{di, dj, dk}; stepMM(s, f.grid.SpacingMM).Norm() <= reachMM {
					steps = append(steps, s)
				}
			}
		}
	}
	seen := make(map[int]bool, 4*len(set))
	var out []int
	for _, at := range set {
		i, j, k := f.voxel(at)
		for _, s := range steps {
			x, y, z := i+s[0], j+s[1], k+s[2]
			if x < 0 || y < 0 || z < 0 || x >= f.n[0] || y >= f.n[1] || z >= f.n[2] {
				continue
			}
			to := (z*f.n[1]+y)*f.n[0] + x
			if !seen[to] && f.valid[to] {
				seen[to] = true
				out = append(out, to)
			}
		}
	}
	return out
}

// filled returns the set with the holes of its slices: what cannot be reached from outside within a slice over faces.
// A rim that enhances around a necrotic centre is one lesion.
func (f *finder) filled(set []int) []int {
	b := emptyBox()
	for _, at := range set {
		b.add(f.voxel(at))
	}
	w, h := b.hi[0]-b.lo[0]+3, b.hi[1]-b.lo[1]+3 // one voxel of outside all around
	bySlice := make([][]bool, b.hi[2]-b.lo[2]+1)
	for n := range bySlice {
		bySlice[n] = make([]bool, w*h)
	}
	for _, at := range set {
		i, j, k := f.voxel(at)
		bySlice[k-b.lo[2]][(j-b.lo[1]+1)*w+i-b.lo[0]+1] = true
	}
	var out []int
	for n, slice := range bySlice {
		outside := make([]bool, w*h)
		outside[0] = true
		for queue := []int{0}; len(queue) > 0; {
			at := queue[len(queue)-1]
			queue = queue[:len(queue)-1]
			x, y := at%w, at/w
			for _, p := range [4][2]int{{x - 1, y}, {x + 1, y}, {x, y - 1}, {x, y + 1}} {
				if p[0] < 0 || p[1] < 0 || p[0] >= w || p[1] >= h {
					continue
				}
				if to := p[1]*w + p[0]; !outside[to] && !slice[to] {
					outside[to] = true
					queue = append(queue, to)
				}
			}
		}
		for at, o := range outside {
			if !o {
				out = append(out, ((n+b.lo[2])*f.n[1]+at/w-1+b.lo[1])*f.n[0]+at%w-1+b.lo[0])
			}
		}
	}
	return out
}

// judge turns a set into a candidate, or nil where it is too small or a vessel.
func (f *finder) judge(set []int) *candidate {
	volumeMM3 := float64(len(set)) * f.grid.VoxelMM3()
	d := f.cfg.MinDiameterMM
	if volumeMM3 < math.Pi/6*d*d*d {
		return nil
	}
	long, thick := f.extent(set)
	if long > f.cfg.MaxElongation*thick && thick < f.cfg.VesselMM {
		return nil
	}
	c := &candidate{voxels: make([]int, len(set)), suspicion: f.suspicion(set, volumeMM3)}
	for n, at := range set {
		c.voxels[n] = f.index(at)
	}
	slices.Sort(c.voxels)
	return c
}

// extent returns the set's length along its main axis and the diameter of the ellipse across it that has the same second
// moments, mm (a ball's axes are its diameter: sqrt(20 variance); an ellipsoid's likewise).
func (f *finder) extent(set []int) (longMM, thickMM float64) {
	points := make([]volume.Vec, len(set))
	var mean volume.Vec
	for n, at := range set {
		i, j, k := f.voxel(at)
		points[n] = stepMM([3]int{i, j, k}, f.grid.SpacingMM)
		mean = mean.Add(points[n].Scale(1 / float64(len(set))))
	}
	var cov [3][3]float64
	for _, p := range points {
		d := p.Sub(mean)
		for a := range 3 {
			for b := range 3 {
				cov[a][b] += d[a] * d[b] / float64(len(set))
			}
		}
	}
	for a := range 3 { // the extent of the voxels themselves
		cov[a][a] += f.grid.SpacingMM[a] * f.grid.SpacingMM[a] / 12
	}
	e := eigenvalues(cov)
	return math.Sqrt(20 * e[0]), math.Sqrt(20 * math.Sqrt(max(e[1]*e[2], 0)))
}

// eigenvalues returns those of a symmetric matrix, largest first (closed form: Smith, Comm ACM 1961;4:168).
func eigenvalues(m [3][3]float64) [3]float64 {
	q := (m[0][0] + m[1][1] + m[2][2]) / 3
	off := m[0][1]*m[0][1] + m[0][2]*m[0][2] + m[1][2]*m[1][2]
	p2 := 2 * off
	for a := range 3 {
		p2 += (m[a][a] - q) * (m[a][a] - q)
	}
	p := math.Sqrt(p2 / 6)
	if p == 0 {
		return [3]float64{q, q, q}
	}
	b := m
	for a := range 3 {
		b[a][a] -= q
		for c := range 3 {
			b[a][c] /= p
		}
	}
	for a := range 3 {
		b[a][a] = (m[a][a] - q) / p
	}
	det := b[0][0]*(b[1][1]*b[2][2]-b[1][2]*b[2][1]) - b[0][1]*(b[1][0]*b[2][2]-b[1][2]*b[2][0]) +
		b[0][2]*(b[1][0]*b[2][1]-b[1][1]*b[2][0])
	phi := math.Acos(min(max(det/2, -1), 1)) / 3
	first, last := q+2*p*math.Cos(phi), q+2*p*math.Cos(phi+2*math.Pi/3)
	return [3]float64{first, 3*q - first - last, last}
}

// suspicion orders candidates: diameter of the ball of equal volume (at most 30 mm: beyond, size tells nothing more) x
// mean enhancement (at most 300 %) x a factor from 1/2 (signal still rises by a third) over 1 (plateau) to 3/2 (falls by a third).
func (f *finder) suspicion(set []int, volumeMM3 float64) float64 {
	var pre, early, late float64
	for _, at := range set {
		n := f.index(at)
		pre += float64(f.s.DCE[0].Volume.Data[n])
		early += float64(f.s.DCE[f.early].Volume.Data[n])
		if f.late >= 0 {
			late += float64(f.s.DCE[f.late].Volume.Data[n])
		}
	}
	if pre <= 0 || early <= 0 {
		return 0
	}
	washout := 1.0
	if f.late >= 0 {
		washout = 1 - 1.5*min(max((late-early)/early, -1.0/3), 1.0/3)
	}
	return min(math.Cbrt(6*volumeMM3/math.Pi), 30) * min(max((early-pre)/pre, 0), 3) * washout
}
