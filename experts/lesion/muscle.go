package lesion

import "math"

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
	e := ch.edges()
	if common, sign, ok := e.common(); ok {
		ch.offset = e.follow(common, sign)
	}
}

// edges are the steps of the signal at every column and offset from the ellipse, aggregated over the neighbourhood.
type edges struct {
	ch      *chest
	steps   [][]float32 // [offset][z][x]
	weight  []float32   // [z][x]: the part of the neighbourhood that has steps
	columns float64     // that have steps
	sum     []float64   // [offset] of the steps
	least   float64     // step that is believed
}

// offsetMM is how far behind the ellipse an offset lies.
func (e *edges) offsetMM(offset int) float64 { return float64(offset)*e.ch.cellMM[1] - nearerMM }

func (ch *chest) edges() *edges {
	nx, nz := ch.size[0], ch.size[2]
	n := int((nearerMM+fartherMM)/ch.cellMM[1]) + 1
	e := &edges{ch: ch, steps: make([][]float32, n), weight: make([]float32, nx*nz), sum: make([]float64, n), least: leastEdge * ch.bodySignal()}
	for o := range e.steps {
		e.steps[o] = make([]float32, nx*nz)
	}
	fat := ch.fatSignal()
	for z := range nz {
		for x := range nx {
			wall := ch.wallMM(float64(x), z)
			if !(wall-ch.sternum[z] < lateralMM) || math.IsInf(ch.skin[z*nx+x], 1) { // NaN where there is no chest
				continue
			}
			e.weight[z*nx+x] = 1
			e.columns++
			for o := range e.steps {
				s := ch.step(x, z, wall+e.offsetMM(o), fat)
				e.steps[o][z*nx+x] = float32(s)
				e.sum[o] += s
			}
		}
	}
	ch.aggregate(e.weight)
	for _, s := range e.steps {
		ch.aggregate(s)
	}
	return e
}

// common returns the offset at which the chest as a whole has its strongest step, and the step's sign.
func (e *edges) common() (offset int, sign float64, ok bool) {
	for o, s := range e.sum {
		if math.Abs(s) > math.Abs(e.sum[offset]) {
			offset = o
		}
	}
	s := e.sum[offset]
	return offset, math.Copysign(1, s), math.Abs(s) >= e.least*e.columns && e.columns > 0
}

// follow returns the offset of the strongest step at every column, mm, between offsets by the top of a parabola, smoothed.
func (e *edges) follow(common int, sign float64) []float32 {
	out := make([]float32, len(e.weight))
	for c, w := range e.weight {
		best := common
		if w > 1e-3 {
			edge := func(o int) float64 {
				d := (e.offsetMM(o) - e.offsetMM(common)) / strayMM
				return sign * float64(e.steps[o][c]/w) / (1 + d*d)
			}
			most := e.least
			for o := range e.steps {
				if s := edge(o); s > most {
					best, most = o, s
				}
			}
			if most > e.least && best > 0 && best < len(e.steps)-1 {
				before, behind := edge(best-1), edge(best+1)
				if bend := 2*most - before - behind; bend > 0 {
					out[c] = float32((behind - before) / (2 * bend) * e.ch.cellMM[1])
				}
			}
		}
		out[c] += float32(e.offsetMM(best))
	}
	e.ch.aggregate(out)
	return out
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

// aggregate smooths a map of columns by a Gaussian of alikeMM.
func (ch *chest) aggregate(v []float32) {
	nx, nz := ch.size[0], ch.size[2]
	buffer := make([]float32, max(nx, nz))
	convolve(v, buffer, nx, 1, nz, nx, kernel(alikeMM, ch.cellMM[0]))
	convolve(v, buffer, nz, nx, nx, 1, kernel(alikeMM, ch.cellMM[2]))
}
