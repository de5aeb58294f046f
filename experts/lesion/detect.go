package lesion

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"mome/experts"
	"mome/experts/volume"
)

// Detect returns the candidate lesions of a study, measured and ordered by suspicion ("Lesion 1" first), and what its
// reader should know. Per breast, on the early phase's subtraction smoothed by a Gaussian:
//
//  1. Cores are voxels that enhance by MinPE and by Deviations more than the breast's own fibroglandular tissue does:
//     background enhancement differs tenfold between women and must not be called lesions.
//  2. Cores grow over 26-connected voxels down to half way to the background (hysteresis); each connected set is a
//     candidate, its surface where the subtraction falls to half of its height, holes filled.
//  3. Candidates smaller than a ball of MinDiameterMM, in the skin, or long and thin (vessels) are dropped.
//
// Suspicion is size x enhancement x wash-out, see suspicion. Enhancement says nothing about malignancy by itself: most
// candidates of most women are benign.
func Detect(ctx context.Context, s *experts.Study, breasts []experts.Breast, cfg Config) ([]*experts.Lesion, []string, error) {
	cfg, err := cfg.checked()
	if err != nil {
		return nil, nil, err
	}
	early, late := s.EarlyLate(cfg.EarlyS, cfg.LateS)
	if early < 0 {
		return nil, nil, ErrNoDynamic
	}
	grid := &s.DCE[0].Volume.Grid
	for n, p := range s.DCE {
		if p.Volume == nil || len(p.Volume.Data) != grid.Len() || !p.Volume.Same(grid) {
			return nil, nil, fmt.Errorf("dynamic phase %d: its voxels lie elsewhere than those of the pre-contrast phase", n+1)
		}
	}
	c, err := newCoarse(ctx, s.DCE[0].Volume)
	if err != nil {
		return nil, nil, err
	}
	ch := newChest(c)
	depth := ch.depthMM()
	var all []*candidate
	var notes []string
	for _, b := range breasts {
		if b.Mask == nil || !b.Mask.Same(grid) {
			return nil, nil, fmt.Errorf("%s breast: its mask is not on the dynamic series' grid", sideName(b.Side))
		}
		bounds := bounds(b.Mask)
		if bounds.empty() {
			continue
		}
		f := &finder{cfg: cfg, s: s, early: early, late: late, breast: b, chest: ch, depth: depth,
			crop: newCrop(grid, bounds.widen(grid, 3*cfg.SmoothMM))}
		found, err := f.find(ctx)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, found...)
		if f.note != "" {
			notes = append(notes, f.note)
		}
	}
	slices.SortStableFunc(all, func(a, b *candidate) int { return cmp.Compare(b.suspicion, a.suspicion) })
	if len(all) > cfg.MaxLesions {
		notes = append(notes, fmt.Sprintf("%d regions enhance like lesions; the %d most suspicious are reported.", len(all), cfg.MaxLesions))
		all = all[:cfg.MaxLesions]
	}
	lesions := make([]*experts.Lesion, len(all))
	for n, a := range all {
		m := volume.NewMask(*grid)
		for _, index := range a.voxels {
			m.Data[index] = true
		}
		lesions[n] = &experts.Lesion{Label: fmt.Sprintf("Lesion %d", n+1), Mask: m}
		Measure(lesions[n], breasts)
	}
	return lesions, notes, ctx.Err()
}

// candidate is a set of voxels, indices into the grid's Data, and how suspicious it is.
type candidate struct {
	voxels    []int
	suspicion float64
}

// finder looks for candidates in one breast.
type finder struct {
	*crop
	cfg         Config
	s           *experts.Study
	early, late int
	breast      experts.Breast
	chest       *chest
	depth       []float32 // of the chest's cells

	base, rise []float32 // smoothed pre-contrast signal and early subtraction
	pe         []float32 // percent enhancement of the smoothed signals
	valid      []bool    // in the breast and below the skin
	back       background
	note       string
}

// background is the enhancement of the breast's own tissue, %.
type background struct{ median, deviation float64 }

func (f *finder) find(ctx context.Context) ([]*candidate, error) {
	pre, early := f.s.DCE[0].Volume.Data, f.s.DCE[f.early].Volume.Data
	var err error
	if f.base, err = f.smoothed(ctx, f.cfg.SmoothMM, func(n int) float32 { return pre[n] }); err != nil {
		return nil, err
	}
	if f.rise, err = f.smoothed(ctx, f.cfg.SmoothMM, func(n int) float32 { return early[n] - pre[n] }); err != nil {
		return nil, err
	}
	if err = f.enhancement(ctx); err != nil {
		return nil, err
	}
	seed := max(f.cfg.MinPE, f.back.median+f.cfg.Deviations*f.back.deviation)
	grow := max((seed+f.back.median)/2, f.cfg.MinPE/2)
	var out []*candidate
	for _, core := range f.components(float32(seed), float32(grow)) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if c := f.judge(f.outline(core)); c != nil {
			out = append(out, c)
		}
	}
	return out, nil
}

// enhancement computes percent enhancement, which voxels count, and the background. The denominator is never less than
// half of the tissue's median signal: suppressed fat would otherwise enhance by any percentage.
func (f *finder) enhancement(ctx context.Context) error {
	f.pe, f.valid = make([]float32, f.len()), make([]bool, f.len())
	reference := f.breast.Fibroglandular
	if reference == nil {
		reference = f.breast.Mask
		f.note = fmt.Sprintf("The background enhancement of the %s breast was read from all of its tissue.", sideName(f.breast.Side))
	}
	var signal []float32
	for at, v := range f.base {
		if reference.Data[f.index(at)] {
			signal = append(signal, v)
		}
	}
	floor := max(percentile(signal, 0.5)/2, 1e-6)
	plane := f.n[0] * f.n[1]
	err := experts.EachSlice(ctx, f.n[2], func(k int) {
		for at := k * plane; at < (k+1)*plane; at++ {
			index := f.index(at)
			f.pe[at] = 100 * f.rise[at] / max(f.base[at], floor)
			f.valid[at] = f.breast.Mask.Data[index] && f.belowSkin(index)
		}
	})
	if err != nil {
		return err
	}
	var pe []float64
	for at, v := range f.pe {
		if f.valid[at] && reference.Data[f.index(at)] {
			pe = append(pe, float64(v))
		}
	}
	f.back.median = median(pe)
	for n, v := range pe {
		pe[n] = math.Abs(v - f.back.median)
	}
	f.back.deviation = 1.4826 * median(pe)
	return nil
}

// belowSkin reports whether a voxel lies deeper than SkinMM below the body's surface.
func (f *finder) belowSkin(index int) bool {
	v := f.chest.canonical(f.grid.Voxel(index))
	x, y, z := v[0]/f.chest.factor[0], v[1]/f.chest.factor[1], v[2]/f.chest.factor[2]
	return float64(f.depth[f.chest.at(x, y, z)]) > f.cfg.SkinMM
}

// components returns the 26-connected sets of valid voxels at or above grow that hold at least one at or above seed.
func (f *finder) components(seed, grow float32) [][]int {
	seen := make([]bool, f.len())
	var out [][]int
	for start, v := range f.pe {
		if !(v >= seed) || !f.valid[start] || seen[start] {
			continue
		}
		seen[start] = true
		set := []int{start}
		for n := 0; n < len(set); n++ {
			f.neighbours(set[n], func(to int) {
				if !seen[to] && f.valid[to] && f.pe[to] >= grow {
					seen[to] = true
					set = append(set, to)
				}
			})
		}
		out = append(out, set)
	}
	return out
}
