package lesion

import "math"

// blockMM is the size of the blocks that the coil's sensitivity is estimated in: a third of biasMM.
const blockMM = 8.0

// blocks is a lattice over the cells.
type blocks struct {
	per  [3]int // cells per block
	size [3]int
}

func (c *coarse) blocks() blocks {
	var b blocks
	for a := range 3 {
		b.per[a] = max(int(math.Round(blockMM/c.cellMM[a])), 1)
		b.size[a] = (c.size[a] + b.per[a] - 1) / b.per[a]
	}
	return b
}

// sensitivity estimates ln of the coil's sensitivity at the cells from the fat among them: the mean of ln signal, smoothed
// over biasMM by normalised convolution (Knutsson and Westin, CVPR 1993), interpolated between blocks and centred. Cells
// without fat in reach keep what they have.
func (ch *chest) sensitivity(cells []int, bias []float64, fat func(n int) bool) {
	b := ch.blocks()
	sum, weight := make([]float64, b.size[0]*b.size[1]*b.size[2]), make([]float64, b.size[0]*b.size[1]*b.size[2])
	for n, at := range cells {
		if fat(n) {
			x, y, z := at%ch.size[0], at/ch.size[0]%ch.size[1], at/(ch.size[0]*ch.size[1])
			block := (z/b.per[2]*b.size[1]+y/b.per[1])*b.size[0] + x/b.per[0]
			sum[block] += math.Log(max(float64(ch.value[at]), 1e-6))
			weight[block]++
		}
	}
	for _, v := range [2][]float64{sum, weight} {
		b.blur(v, ch.cellMM)
	}
	mean := 0.0
	for n, at := range cells {
		cell := [3]int{at % ch.size[0], at / ch.size[0] % ch.size[1], at / (ch.size[0] * ch.size[1])}
		if w := b.between(weight, cell); w > 1e-4 {
			bias[n] = b.between(sum, cell) / w
		}
		mean += bias[n] / float64(len(cells))
	}
	for n := range bias {
		bias[n] -= mean
	}
}

// between interpolates v at a cell.
func (b *blocks) between(v []float64, cell [3]int) float64 {
	var low [3]int
	var part [3]float64
	for a := range 3 {
		f := (float64(cell[a])+0.5)/float64(b.per[a]) - 0.5
		low[a] = int(math.Floor(f))
		part[a] = f - float64(low[a])
	}
	sum := 0.0
	for corner := range 8 {
		w, at := 1.0, 0
		for a := 2; a >= 0; a-- {
			up := corner >> a & 1
			w *= 1 - part[a] + float64(up)*(2*part[a]-1)
			at = at*b.size[a] + min(max(low[a]+up, 0), b.size[a]-1)
		}
		sum += w * v[at]
	}
	return sum
}

// blur smooths v by a Gaussian of biasMM. What lies beyond the lattice counts as nothing, in sum and weight alike.
func (b *blocks) blur(v []float64, cellMM [3]float64) {
	steps := [3]int{1, b.size[0], b.size[0] * b.size[1]}
	for a, step := range steps {
		n := b.size[a]
		w := kernel(biasMM, cellMM[a]*float64(b.per[a]))
		line := make([]float64, n)
		for start := range v {
			if start/step%n != 0 {
				continue
			}
			for p := range n {
				line[p] = v[start+p*step]
			}
			for p := range n {
				sum := 0.0
				for q := max(p-len(w)+1, 0); q < min(p+len(w), n); q++ {
					sum += line[q] * float64(w[max(p-q, q-p)])
				}
				v[start+p*step] = sum
			}
		}
	}
}
