package lesion

import "slices"

// vesselRadiusMM is the least distance from the surface that the middle of a lesion has which hangs on a vessel: the
// breast's vessels are up to 3 mm wide, half a voxel more as they are drawn.
const vesselRadiusMM = 2.0

// levelStep is the factor between the levels at which a set is looked at: five of them double the enhancement.
const levelStep = 1.15

// search returns the candidates in a connected set of voxels that enhance by level or more. A compact set holds one
// lesion, if it can be one. A long one is a vessel, or lesions that vessels or enhancing tissue connect: it is opened by a
// ball of vesselRadiusMM, and what remains are pieces of their own. Of what is no candidate the parts that enhance more
// are searched in turn, as far up as there is room for one.
func (f *finder) search(set []int, level float64) []*candidate {
	if set = f.free(f.whole(set)); len(set) == 0 { // filled: a rim or a mottled lesion is as thick as it is wide
		return nil
	}
	pieces := [][]int{set}
	if !f.compact(set) {
		pieces = f.opened(set, vesselRadiusMM)
	}
	var out []*candidate
	for _, piece := range pieces {
		if float64(len(piece))*f.voxelMM3() < f.leastMM3()/3 { // its outline may be larger
			continue
		}
		if c := f.lesion(piece); c != nil {
			out = append(out, c...)
			if rest := f.free(piece); len(rest) > 0 && len(rest) < len(piece) {
				for _, beside := range f.opened(rest, vesselRadiusMM) {
					out = append(out, f.search(beside, level)...)
				}
			}
			continue
		}
		for _, brighter := range f.above(piece, level*levelStep) {
			out = append(out, f.search(brighter, level*levelStep)...)
		}
	}
	return out
}

// free returns the voxels of the set that no candidate has taken.
func (f *finder) free(set []int) []int {
	return slices.DeleteFunc(slices.Clone(set), func(at int) bool { return f.taken[at] })
}

// lesion outlines a piece as one lesion, at a higher level where it runs out into its surroundings, and judges it.
func (f *finder) lesion(piece []int) []*candidate {
	if !f.compact(piece) {
		return nil
	}
	for _, share := range [3]float32{0.5, 0.65, 0.8} {
		if set := f.outline(piece, share); f.compact(set) {
			return f.judge(set)
		}
	}
	return nil
}

// above returns the connected parts of the set that enhance by level or more.
func (f *finder) above(set []int, level float64) [][]int {
	left := map[int]bool{}
	for _, at := range set {
		if float64(f.pe[at]) >= level {
			left[at] = true
		}
	}
	return f.parts(set, left)
}

func members(set []int) map[int]bool {
	in := make(map[int]bool, len(set))
	for _, at := range set {
		in[at] = true
	}
	return in
}

// parts returns the 26-connected parts of left, which is a part of set, in the order of set, and empties it.
func (f *finder) parts(set []int, left map[int]bool) [][]int {
	var out [][]int
	for _, seed := range set {
		if !left[seed] {
			continue
		}
		delete(left, seed)
		part := []int{seed}
		for n := 0; n < len(part); n++ {
			f.neighbours(part[n], func(to int) {
				if left[to] {
					delete(left, to)
					part = append(part, to)
				}
			})
		}
		out = append(out, part)
	}
	return out
}

// compact reports whether a set is less than MaxElongation times as long as the largest ball in it.
func (f *finder) compact(set []int) bool {
	return len(set) > 0 && f.lengthMM(set) <= f.cfg.MaxElongation*f.core(set)
}

// opened returns the connected parts of the set that lie farther than radiusMM from its outside, each grown back by that
// distance within the set.
func (f *finder) opened(set []int, radiusMM float64) [][]int {
	depth := f.depthIn(set)
	deep := map[int]bool{}
	for n, at := range set {
		if float64(depth[n]) > radiusMM {
			deep[at] = true
		}
	}
	in := members(set)
	parts := f.parts(set, deep)
	for n, part := range parts {
		parts[n] = slices.DeleteFunc(f.grown(part, radiusMM), func(at int) bool { return !in[at] })
	}
	return parts
}

// depthIn returns the distance of each voxel of the set from the set's surface, mm.
func (f *finder) depthIn(set []int) []float32 {
	b := emptyBox()
	for _, at := range set {
		b.add(f.voxel(at))
	}
	var n [3]int
	for a := range 3 {
		n[a] = b.hi[a] - b.lo[a] + 3
	}
	place := func(at int) int {
		i, j, k := f.voxel(at)
		return ((k-b.lo[2]+1)*n[1]+j-b.lo[1]+1)*n[0] + i - b.lo[0] + 1
	}
	in := make([]bool, n[0]*n[1]*n[2])
	for _, at := range set {
		in[place(at)] = true
	}
	distance := chamfer(in, n, f.mm)
	out := make([]float32, len(set))
	// The distance runs to the centre of the first voxel outside, half a voxel beyond the surface.
	half := float32(f.mm[0]+f.mm[1]+f.mm[2]) / 6
	for m, at := range set {
		out[m] = distance[place(at)] - half
	}
	return out
}

// core returns the diameter of the largest ball that fits into the set, mm.
func (f *finder) core(set []int) float64 {
	deepest := float32(0)
	for _, d := range f.depthIn(set) {
		deepest = max(deepest, d)
	}
	return 2 * float64(deepest)
}

// outline returns the lesion around a core: the voxels connected to the core's brightest where the subtraction exceeds
// a share of the way from its surroundings to its height, at most reachMM beyond the core, holes filled. The share of
// one half is the place of an edge that smoothing and partial volume do not move.
func (f *finder) outline(core []int, share float32) []int {
	const reachMM = 3.0
	peak := core[0]
	for _, at := range core {
		if f.rise[at] > f.rise[peak] {
			peak = at
		}
	}
	height := float32(f.height(f.rise, core))
	near := f.grown(core, reachMM)
	in := members(core)
	var around []float32
	for _, at := range near {
		if !in[at] {
			around = append(around, f.rise[at])
		}
	}
	ground := percentile(around, 0.25)
	level := ground + (height-ground)*share
	allowed := make(map[int]bool, len(near))
	for _, at := range near {
		allowed[at] = f.rise[at] >= level && !f.taken[at]
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
	return f.whole(set)
}

// grown returns the voxels within reachMM of the set, itself included, that lie in the breast.
func (f *finder) grown(set []int, reachMM float64) []int {
	var steps [][3]int
	var r [3]int
	for a := range 3 {
		r[a] = int(reachMM / f.mm[a])
	}
	for dk := -r[2]; dk <= r[2]; dk++ {
		for dj := -r[1]; dj <= r[1]; dj++ {
			for di := -r[0]; di <= r[0]; di++ {
				if s := [3]int{di, dj, dk}; stepMM(s, f.mm).Norm() <= reachMM {
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
