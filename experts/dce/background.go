package dce

import (
	"context"
	"math"

	"mome/experts"
	"mome/experts/volume"
)

// lesionMarginMM is how far around a lesion fibroglandular tissue is left out of the background: partial volume of the
// lesion reaches as far.
const lesionMarginMM = 2.0

// breasts fills in each breast's quantities. FGT counts what the mask holds, lesions included: they grow in fibroglandular
// tissue, and are a small part of it.
func (r *reading) breasts(ctx context.Context, breasts []experts.Breast, lesions []*experts.Lesion) error {
	grid := &r.s.DCE[0].Volume.Grid
	var lesional []bool
	for n := range breasts {
		b := &breasts[n]
		b.FGT, b.BPE, b.BPEShare = experts.Quantity{}, experts.Quantity{}, experts.Quantity{}
		b.Composition, b.Background = "", ""
		if b.Mask == nil || b.Fibroglandular == nil || !b.Mask.Same(grid) || !b.Fibroglandular.Same(grid) {
			continue
		}
		if lesional == nil {
			lesional = around(grid, lesions, lesionMarginMM)
		}
		gland := indices(b.Fibroglandular.Data)
		if len(gland) == 0 {
			continue
		}
		share := 100 * float64(len(gland)) / float64(max(b.Mask.Count(), 1))
		b.FGT = experts.Known(share)
		b.Composition = [4]experts.Composition{
			experts.CompositionA, experts.CompositionB, experts.CompositionC, experts.CompositionD}[class(share, r.cfg.FGTCuts)]
		if err := r.background(ctx, b, gland, lesional); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// background sets BPE (the enhancement of the mean signal, which noise does not bias) and the share of fibroglandular
// tissue whose enhancement, of the mean over its fibroglandular neighbours, reaches BPEMinPE.
func (r *reading) background(ctx context.Context, b *experts.Breast, gland []int, lesional []bool) error {
	pre, early, own := r.s.DCE[0].Volume, r.s.DCE[r.early].Volume, b.Fibroglandular.Data
	type sums struct {
		s0, s1     float64
		all, above int
	}
	const chunk = 1 << 14 // voxels between two looks at ctx
	part := make([]sums, (len(gland)+chunk-1)/chunk)
	err := experts.EachSlice(ctx, len(part), func(n int) {
		p := &part[n]
		for _, at := range gland[n*chunk : min((n+1)*chunk, len(gland))] {
			if lesional[at] || !(pre.Data[at] > 0) {
				continue
			}
			p.s0 += float64(pre.Data[at])
			p.s1 += float64(early.Data[at])
			p.all++
			var s0, s1 float64
			eachAround(&pre.Grid, at, func(other int) {
				if own[other] && !lesional[other] {
					s0 += float64(pre.Data[other])
					s1 += float64(early.Data[other])
				}
			})
			if 100*(s1-s0)/s0 >= r.cfg.BPEMinPE {
				p.above++
			}
		}
	})
	if err != nil {
		return err
	}
	var all sums
	for _, p := range part {
		all.s0, all.s1, all.all, all.above = all.s0+p.s0, all.s1+p.s1, all.all+p.all, all.above+p.above
	}
	if all.all == 0 {
		return nil
	}
	share := 100 * float64(all.above) / float64(all.all)
	b.BPE, b.BPEShare = experts.Known(100*(all.s1-all.s0)/all.s0), experts.Known(share)
	b.Background = [4]experts.Background{
		experts.Minimal, experts.Mild, experts.Moderate, experts.Marked}[class(share, r.cfg.BPECuts)]
	return nil
}

// class returns how many of the cuts v reaches.
func class(v float64, cuts [3]float64) int {
	n := 0
	for _, c := range cuts {
		if v >= c {
			n++
		}
	}
	return n
}

// around returns the voxels of the lesions and of the margin around them, a box for a ball.
func around(g *volume.Grid, lesions []*experts.Lesion, marginMM float64) []bool {
	out := make([]bool, g.Len())
	var reach [3]int
	for a := range reach {
		reach[a] = int(math.Round(marginMM / g.SpacingMM[a]))
	}
	for _, l := range lesions {
		for _, at := range indices(l.Mask.Data) {
			i, j, k := g.Voxel(at)
			for dk := max(k-reach[2], 0); dk <= min(k+reach[2], g.Size[2]-1); dk++ {
				for dj := max(j-reach[1], 0); dj <= min(j+reach[1], g.Size[1]-1); dj++ {
					for di := max(i-reach[0], 0); di <= min(i+reach[0], g.Size[0]-1); di++ {
						out[g.Index(di, dj, dk)] = true
					}
				}
			}
		}
	}
	return out
}

// asymmetry compares left and right.
func asymmetry(breasts []experts.Breast) experts.Asymmetry {
	var left, right experts.Breast
	for _, b := range breasts {
		switch b.Side {
		case experts.Left:
			left = b
		case experts.Right:
			right = b
		}
	}
	compare := func(l, r experts.Quantity) experts.Quantity {
		if sum := l.Value + r.Value; l.Known && r.Known && sum > 0 {
			return experts.Known(200 * (l.Value - r.Value) / sum)
		}
		return experts.Quantity{}
	}
	return experts.Asymmetry{FGT: compare(left.FGT, right.FGT), BPE: compare(left.BPE, right.BPE)}
}
