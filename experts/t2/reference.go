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
	gland, whole, muscle map[experts.Side]float64
}

// references measures each breast's fibroglandular tissue, its whole region and the muscle behind it, lesions left out.
func (e *Expert) references(ctx context.Context, s *experts.Study, breasts []experts.Breast, lesions []*experts.Lesion) (references, error) {
	v := s.T2
	r := references{gland: map[experts.Side]float64{}, whole: map[experts.Side]float64{}, muscle: map[experts.Side]float64{}}
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
		if b.Mask != nil {
			r.muscle[b.Side] = e.muscle(s, b, r.gland[b.Side], lesional)
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

// of returns the reference for a lesion on this side, its name, and, unless it is the regular one, a sentence about it.
func (r references) of(side experts.Side) (signal float64, reference, note string) {
	if v := r.gland[side]; v > 0 {
		return v, "fibroglandular tissue of the same breast", ""
	}
	if v := r.gland[opposite(side)]; v > 0 {
		return v, "fibroglandular tissue of the other breast",
			fmt.Sprintf("T2 ratios of the %s breast refer to the other breast's fibroglandular tissue.", name(side))
	}
	if v := r.whole[side]; v > 0 {
		return v, "the whole breast",
			fmt.Sprintf("T2 ratios of the %s breast refer to the mean of the whole breast: no fibroglandular tissue was told from fat.", name(side))
	}
	return 0, "", ""
}

// settings states the references.
func (r references) settings() []experts.Setting {
	var out []experts.Setting
	for _, side := range [2]experts.Side{experts.Left, experts.Right} {
		for _, ref := range []struct {
			name   string
			signal float64
		}{
			{"fibroglandular tissue, mean T2 signal", r.gland[side]},
			{"muscle, median T2 signal", r.muscle[side]},
		} {
			if ref.signal > 0 {
				out = append(out, experts.Setting{Name: name(side) + " " + ref.name, Value: ref.signal, Unit: "1"})
			}
		}
	}
	return out
}

func opposite(side experts.Side) experts.Side {
	if side == experts.Left {
		return experts.Right
	}
	return experts.Left
}

func name(s experts.Side) string {
	if s == experts.Left {
		return "left"
	}
	return "right"
}
