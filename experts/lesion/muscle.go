package lesion

import (
	"math"
	"slices"
)

// Where the drawn wall is moved to the muscle that the images show.
const (
	nearerMM, fartherMM = 8.0, 18.0 // how far before and behind the ellipse the muscle's edge is looked for
	edgeMM              = 4.0       // layers on both sides of an edge whose signal is compared
	alikeMM             = 10.0      // standard deviation of the neighbourhood that has an edge in common
	strayMM             = 12.0      // distance from the common offset at which an edge has to be twice as strong to be believed
	leastEdge           = 0.08      // of the median signal of the body: weaker steps are noise
)

// findMuscle sets offset, by how much the wall lies behind the ellipse at every column. Between the breast and the pectoral
// muscle lies a layer of fat, dark if suppressed and bright if not: the muscle begins at a step of the signal along y whose
// sign is the same everywhere. Steps at equal distance from the ellipse are averaged over the neighbourhood, as stereo
// matching aggregates costs (Scharstein and Szeliski, IJCV 2002;47:7): edges of gland lie at this distance here and at that
// there. What lies before the step has to be more like the fat under the skin than what lies behind it, so that the step
// from muscle or rib to lung is none. Where none stands out the ellipse stays, moved by what the whole chest has in common.
func (ch *chest) findMuscle() {
	nx, nz := ch.size[0], ch.size[2]
	offset := make([]float64, nx*nz)
	n := int((nearerMM+fartherMM)/ch.cellMM[1]) + 1
	at := func(o int) float64 { return float64(o)*ch.cellMM[1] - nearerMM }
	steps, weight := make([][]float64, n), make([]float64, nx*nz)
	mean := make([]float64, n)
	columns, fat := 0.0, ch.fatSignal()
	for o := range steps {
		steps[o] = make([]float64, nx*nz)
	}
	for z := range nz {
		for x := range nx {
			wall := ch.wallMM(float64(x), z)
			if !(wall-ch.sternum[z] < lateralMM) || math.IsInf(ch.skin[z*nx+x], 1) { // NaN where there is no chest
				continue
			}
			weight[z*nx+x] = 1
			columns++
			for o := range steps {
				s := ch.step(x, z, wall+at(o), fat)
				steps[o][z*nx+x] = s
				mean[o] += s
			}
		}
	}
	if columns == 0 {
		return
	}
	common := 0
	for o := range mean {
		if math.Abs(mean[o]) > math.Abs(mean[common]) {
			common = o
		}
	}
	sign := math.Copysign(1, mean[common])
	least := leastEdge * ch.bodySignal()
	if sign*mean[common]/columns < least {
		return
	}
	ch.aggregate(weight)
	for o := range steps {
		ch.aggregate(steps[o])
	}
	for c, w := range weight {
		offset[c] = at(common)
		if !(w > 1e-3) {
			continue
		}
		edge := func(o int) float64 {
			d := (at(o) - at(common)) / strayMM
			return sign * steps[o][c] / w / (1 + d*d)
		}
		best, most := common, least
		for o := range steps {
			if s := edge(o); s > most {
				best, most = o, s
			}
		}
		offset[c] = at(best)
		if best > 0 && best < n-1 && most > least { // the top of the parabola through it and its neighbours
			before, behind := edge(best-1), edge(best+1)
			if bend := 2*most - before - behind; bend > 0 {
				offset[c] += (behind - before) / (2 * bend) * ch.cellMM[1]
			}
		}
	}
	ch.aggregate(offset)
	ones := slices.Repeat([]float64{1}, len(offset))
	ch.aggregate(ones)
	for c := range offset {
		offset[c] /= ones[c]
	}
	ch.offset = offset
}

// step returns the signal of the layer behind a depth less that of the layer before it, if that is more like fat, else 0.
func (ch *chest) step(x, z int, y, fat float64) float64 {
	mean := func(from, to float64) float64 {
		sum, n := 0.0, 0.0
		for c := max(int(math.Round(from/ch.cellMM[1])), 0); c < min(int(math.Round(to/ch.cellMM[1])), ch.size[1]); c++ {
			sum, n = sum+float64(ch.value[ch.at(x, c, z)]), n+1
		}
		return sum / n
	}
	before, behind := mean(y-edgeMM, y), mean(y, y+edgeMM)
	if math.Abs(before-fat) < math.Abs(behind-fat) { // false where one of them lies beyond the images
		return behind - before
	}
	return 0
}

// fatSignal returns the median signal of the layer of fat under the skin, away from the chest.
func (ch *chest) fatSignal() float64 {
	var v []float32
	for z := range ch.size[2] {
		for x := range ch.size[0] {
			wall := ch.wallMM(float64(x), z)
			for y := range ch.size[1] {
				at := ch.at(x, y, z)
				if !(wall-(float64(y)+0.5)*ch.cellMM[1] > offWallMM) {
					break
				}
				if d := float64(ch.depth[at]); d > fromShellMM && d <= shellMM {
					v = append(v, ch.value[at])
				}
			}
		}
	}
	return float64(percentile(v, 0.5))
}

// bodySignal returns the median signal of the body.
func (ch *chest) bodySignal() float64 {
	var v []float32
	for at, in := range ch.inside {
		if in {
			v = append(v, ch.value[at])
		}
	}
	return float64(percentile(v, 0.5))
}

// aggregate smooths a map of columns by a Gaussian of alikeMM; beyond it lies nothing.
func (ch *chest) aggregate(v []float64) {
	nx, nz := ch.size[0], ch.size[2]
	for _, a := range [2]struct {
		n, step, lines, lineStep int
		mm                       float64
	}{{nx, 1, nz, nx, ch.cellMM[0]}, {nz, nx, nx, 1, ch.cellMM[2]}} {
		w := kernel(alikeMM, a.mm)
		line := make([]float64, a.n)
		for l := range a.lines {
			for p := range line {
				line[p] = v[l*a.lineStep+p*a.step]
			}
			for p := range line {
				sum := 0.0
				for q := max(p-len(w)+1, 0); q < min(p+len(w), a.n); q++ {
					sum += line[q] * float64(w[max(p-q, q-p)])
				}
				v[l*a.lineStep+p*a.step] = sum
			}
		}
	}
}
