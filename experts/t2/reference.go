package t2

import (
	"context"
	"fmt"

	"mome/experts"
	"mome/experts/lesion"
	"mome/experts/volume"
)

// references are the mean T2 signals of what a lesion can be compared with; 0 where there is too little of it.
type references struct {
	gland, whole map[experts.Side]float64
}

// references measures each breast's fibroglandular tissue and whole region on v, lesions left out.
func (e *Expert) references(ctx context.Context, v *volume.Volume, breasts []experts.Breast, lesions []*experts.Lesion) (references, error) {
	r := references{gland: map[experts.Side]float64{}, whole: map[experts.Side]float64{}}
	lesional := map[int]bool{}
	for _, l := range lesions {
		if l.Mask == nil {
			continue
		}
		for _, p := range lesion.Cover(l.Mask, &v.Grid, 2) {
			lesional[p.Index] = true
		}
	}
	for _, b := range breasts {
		for _, m := range [2]*volume.Mask{b.Fibroglandular, b.Mask} {
			if err := ctx.Err(); err != nil {
				return r, err
			}
			if m == nil {
				continue
			}
			mean := e.mean(v, lesion.Cover(m, &v.Grid, 1), lesional)
			if m == b.Mask {
				r.whole[b.Side] = mean
			} else {
				r.gland[b.Side] = mean
			}
		}
	}
	return r, nil
}

// mean returns the mean of v over the parts that are not lesional, 0 where they make less than the least volume.
func (e *Expert) mean(v *volume.Volume, parts []lesion.Part, lesional map[int]bool) float64 {
	sum, n := 0.0, 0
	for _, p := range parts {
		if !lesional[p.Index] {
			sum += float64(v.Data[p.Index])
			n++
		}
	}
	if n == 0 || float64(n)*v.VoxelMM3() < e.cfg.MinReferenceMM3 {
		return 0
	}
	return sum / float64(n)
}

// of returns the reference for a lesion on this side and, unless it is the regular one, a sentence that names it.
func (r references) of(side experts.Side) (float64, string) {
	other := experts.Left
	if side == experts.Left {
		other = experts.Right
	}
	if v := r.gland[side]; v > 0 {
		return v, ""
	}
	if v := r.gland[other]; v > 0 {
		return v, fmt.Sprintf("T2 ratios of the %s breast refer to the other breast's fibroglandular tissue.", name(side))
	}
	if v := r.whole[side]; v > 0 {
		return v, fmt.Sprintf("T2 ratios of the %s breast refer to the mean of the whole breast: no fibroglandular tissue was told from fat.", name(side))
	}
	return 0, ""
}

func name(s experts.Side) string {
	if s == experts.Left {
		return "left"
	}
	return "right"
}
