package lesion

import (
	"math"

	"mome/experts"
	"mome/experts/volume"
)

// box is a range of voxels, both ends included; empty where lo > hi.
type box struct{ lo, hi [3]int }

func emptyBox() box {
	return box{lo: [3]int{math.MaxInt, math.MaxInt, math.MaxInt}, hi: [3]int{-1, -1, -1}}
}

func (b box) empty() bool { return b.lo[0] > b.hi[0] }

func (b *box) add(i, j, k int) {
	b.lo = [3]int{min(b.lo[0], i), min(b.lo[1], j), min(b.lo[2], k)}
	b.hi = [3]int{max(b.hi[0], i), max(b.hi[1], j), max(b.hi[2], k)}
}

func (b *box) join(o box) {
	if !o.empty() {
		b.add(o.lo[0], o.lo[1], o.lo[2])
		b.add(o.hi[0], o.hi[1], o.hi[2])
	}
}

// widen grows b by marginMM on all sides, within the grid.
func (b box) widen(g *volume.Grid, marginMM float64) box {
	if b.empty() {
		return b
	}
	for a := range 3 {
		n := int(math.Ceil(marginMM / g.SpacingMM[a]))
		b.lo[a], b.hi[a] = max(b.lo[a]-n, 0), min(b.hi[a]+n, g.Size[a]-1)
	}
	return b
}

// bounds returns the smallest box around m.
func bounds(m *volume.Mask) box {
	b := emptyBox()
	for at, in := range m.Data {
		if in {
			b.add(m.Voxel(at))
		}
	}
	return b
}

// Measure fills in l's place and shape from l.Mask. An empty mask leaves l as it is.
//
//   - CentreMM, VolumeCM3 (voxel summation), Sphericity (Wadell: surface of the ball of equal volume over the surface, at
//     most 1).
//   - LongAxisMM (largest 3-D diameter over the surface's face centres, exact), ShortAxisMM (largest diameter orthogonal
//     to it), LongLine and ShortLine; AxialLong and AxialShort as they are measured by hand, see axial.
//   - Side, Quadrant, Clock (not told within 10 mm of the nipple's axis) and NippleMM, from the lesion's nearest surface to
//     Nipple. They need the breasts; with none of them the side is told by the sign of x and the others are not.
//   - Elongation and Flatness, the square roots of the second and third eigenvalue of the covariance of the mask's points
//     over the first (IBSI; Zwanenburg et al., Radiology 2020;295:328), Solidity, Roughness and Spiculation, see solidity,
//     roughness and thin: of masks of 27 voxels or more.
//   - Shape: irregular below a Solidity of 0.93 or a Sphericity of 0.75, else round from a Flatness of 0.8 on, else oval.
//     Margin: spiculated from a Spiculation of 0.15 on, else irregular from a Roughness of 0.06 on, else circumscribed;
//     not told of lesions too small for their voxels to show spicules.
//
// In the masks of Detect spicules thinner than a voxel are lost: that a margin is not called spiculated does not mean that
// there are none.
func Measure(l *experts.Lesion, breasts []experts.Breast) {
	if l.Mask == nil {
		return
	}
	m, b := l.Mask, bounds(l.Mask)
	if b.empty() {
		return
	}
	var sum [3]float64
	n := 0
	for k := b.lo[2]; k <= b.hi[2]; k++ {
		for j := b.lo[1]; j <= b.hi[1]; j++ {
			for i := b.lo[0]; i <= b.hi[0]; i++ {
				if m.Data[m.Index(i, j, k)] {
					sum[0], sum[1], sum[2] = sum[0]+float64(i), sum[1]+float64(j), sum[2]+float64(k)
					n++
				}
			}
		}
	}
	count := float64(n)
	l.CentreMM = m.Point(sum[0]/count, sum[1]/count, sum[2]/count)
	volumeMM3 := count * m.VoxelMM3()
	l.VolumeCM3 = volumeMM3 / 1000
	l.LongLine, l.ShortLine, l.LongAxisMM, l.ShortAxisMM = diameters(m, b)
	if area := areaMM2(m, b); area > 0 {
		l.Sphericity = min(math.Cbrt(math.Pi*36*volumeMM3*volumeMM3)/area, 1)
	}
	s := newBlock(m, b)
	l.AxialLong, l.AxialShort = axial(s)
	form(l, s)
	place(l, breasts)
}

// place fills in the breast that holds most of l, and how its centre lies to the nipple.
func place(l *experts.Lesion, breasts []experts.Breast) {
	best, most := -1, 0
	for n, br := range breasts {
		if br.Mask == nil || !br.Mask.Same(&l.Mask.Grid) {
			continue
		}
		common := 0
		for at, in := range l.Mask.Data {
			if in && br.Mask.Data[at] {
				common++
			}
		}
		if common > most {
			best, most = n, common
		}
	}
	l.Quadrant, l.Clock, l.NippleMM = "", 0, experts.Quantity{}
	if best < 0 {
		l.Side = experts.Right
		if l.CentreMM[0] >= 0 {
			l.Side = experts.Left
		}
		return
	}
	l.Side = breasts[best].Side
	nipple, ok := Nipple(breasts[best])
	if !ok {
		return
	}
	l.Quadrant = quadrant(l.CentreMM, nipple, l.Side)
	l.Clock = clock(l.CentreMM, nipple)
	l.NippleMM = experts.Known(nearestMM(borders(l.Mask), nipple))
}

// quadrant tells the quadrant of p as seen from the breast's nipple: upper is +z, outer is away from the midline.
func quadrant(p, nipple volume.Vec, side experts.Side) string {
	name := "lower "
	if p[2] >= nipple[2] {
		name = "upper "
	}
	lateral := p[0] - nipple[0]
	if side == experts.Right {
		lateral = -lateral
	}
	if lateral >= 0 {
		return name + "outer"
	}
	return name + "inner"
}

// tipMM is the depth of the breast's most anterior part whose centre is taken for the nipple: a nipple stands out about
// as far, and the mean over it is not moved by a voxel of noise.
const tipMM = 8.0

// Nipple returns the centre of the most anterior 8 mm of a breast, mm, and false for an empty mask. In a breast that
// hangs (prone) this is the nipple; in a supine one it is the top of the mound.
func Nipple(br experts.Breast) (volume.Vec, bool) {
	m := br.Mask
	if m == nil {
		return volume.Vec{}, false
	}
	b := bounds(m)
	step := [3]float64{m.Axis[0][1] * m.SpacingMM[0], m.Axis[1][1] * m.SpacingMM[1], m.Axis[2][1] * m.SpacingMM[2]}
	tip := math.Inf(1)
	each := func(do func(i, j, k int, y float64)) {
		for k := b.lo[2]; k <= b.hi[2]; k++ {
			for j := b.lo[1]; j <= b.hi[1]; j++ {
				for i := b.lo[0]; i <= b.hi[0]; i++ {
					if m.Data[m.Index(i, j, k)] {
						do(i, j, k, m.Origin[1]+float64(i)*step[0]+float64(j)*step[1]+float64(k)*step[2])
					}
				}
			}
		}
	}
	each(func(_, _, _ int, y float64) { tip = min(tip, y) })
	var sum volume.Vec
	n := 0.0
	each(func(i, j, k int, y float64) {
		if y <= tip+tipMM {
			sum = sum.Add(m.Point(float64(i), float64(j), float64(k)))
			n++
		}
	})
	if n == 0 {
		return volume.Vec{}, false
	}
	return sum.Scale(1 / n), true
}
