package lesion

import (
	"cmp"
	"context"
	"errors"
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
//  2. Cores grow over 26-connected voxels down to half way to the background (hysteresis). A long set is opened, which
//     parts lesions from the vessels that lead to them and from one another; what is no candidate as a whole is searched
//     for brighter parts that are.
//  3. A lesion's first outline is where the subtraction falls to half of its height; holes are filled.
//  4. Dropped is what is smaller than a ball of MinDiameterMM, lies in the skin, is long and thin (a vessel), does not
//     stand out from its surroundings (background), is the nipple, or hugs the chest wall (muscle).
//  5. The surface is found anew on unsmoothed voxels of all phases, at half of its local height, see refined; what is long and
//     thin then is dropped as well, and so is what has too little suspicion.
//  6. An outline with a neck is parted there, see lobes. What the outlines leave of a set is searched in turn, so that
//     a weaker lesion beside another is found.
//  7. A second pass with a third of the Deviations adds what the first was too strict for; fragments of one lesion become
//     one, see joined.
//
// Suspicion adds up how far a candidate stands out from its surroundings, its compactness, enhancement, wash-out and size,
// see suspicion: it tells lesions from vessels and gland, not cancers from benign lesions; most candidates of most women
// are benign. What enhances no more than the tissue around it is not found.
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
	finders, found, failed := make([]*finder, len(breasts)), make([][]*candidate, len(breasts)), make([]error, len(breasts))
	for n, b := range breasts {
		if b.Mask == nil || !b.Mask.Same(grid) {
			return nil, nil, fmt.Errorf("%s breast: its mask is not on the dynamic series' grid", sideName(b.Side))
		}
		finders[n] = &finder{cfg: cfg, s: s, early: early, late: late, breast: b, chest: ch,
			crop: newCrop(grid, bounds(b.Mask).widen(grid, 3*cfg.SmoothMM))}
	}
	err = experts.EachSlice(ctx, len(breasts), func(n int) { found[n], failed[n] = finders[n].find(ctx) })
	if err = errors.Join(append(failed, err)...); err != nil {
		return nil, nil, err
	}
	var all []*candidate
	var notes []string
	for n, f := range finders {
		all = append(all, found[n]...)
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
		for _, index := range a.onGrid {
			m.Data[index] = true
		}
		lesions[n] = &experts.Lesion{Label: fmt.Sprintf("Lesion %d", n+1), Mask: m, Suspicion: a.suspicion}
	}
	return lesions, notes, measure(ctx, lesions, s, early, breasts, ch)
}

// measure fills in all that is told of the lesions without the experts.
func measure(ctx context.Context, lesions []*experts.Lesion, s *experts.Study, early int, breasts []experts.Breast, ch *chest) error {
	if len(lesions) == 0 {
		return ctx.Err()
	}
	marks := newLandmarks(ch, breasts)
	for _, l := range lesions {
		if err := ctx.Err(); err != nil {
			return err
		}
		Measure(l, breasts)
		Describe(l, s.DCE[0].Volume, s.DCE[early].Volume)
		marks.locate(l)
	}
	Relate(lesions)
	return ctx.Err()
}

// candidate is a set of the crop's voxels and how suspicious it is.
type candidate struct {
	set       []int
	onGrid    []int // the same on the grid, indices into its Data; once all candidates of the breast are known
	suspicion float64
}

// finder looks for candidates in one breast.
type finder struct {
	*crop
	cfg         Config
	s           *experts.Study
	early, late int
	breast      experts.Breast
	nipple      volume.Vec
	hasNipple   bool
	chest       *chest

	base, rise []float32 // smoothed pre-contrast signal and early subtraction
	pe         []float32 // percent enhancement of the smoothed signals
	valid      []bool    // in the breast and below the skin
	back       background
	taken      []bool // by a candidate
	note       string
}

// background is the enhancement of the breast's own tissue.
type background struct {
	median, deviation float64 // %, early
	lateRise          float64 // see finder.lateRise
}

// find returns the breast's candidates in the order in which they were found.
func (f *finder) find(ctx context.Context) ([]*candidate, error) {
	if f.len() == 0 {
		return nil, nil
	}
	f.nipple, f.hasNipple = Nipple(f.breast)
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
	f.taken = make([]bool, f.len())
	found, err := f.pass(ctx, nil, f.cfg.Deviations)
	if err != nil {
		return nil, err
	}
	if found, err = f.pass(ctx, found, f.cfg.Deviations/3); err != nil {
		return nil, err
	}
	found = f.joined(found)
	for _, c := range found {
		c.onGrid = f.onGrid(c.set)
	}
	return found, nil
}

// pass adds to found the candidates whose cores lie these deviations above the background.
func (f *finder) pass(ctx context.Context, found []*candidate, deviations float64) ([]*candidate, error) {
	seed := max(f.cfg.MinPE, f.back.median+deviations*f.back.deviation)
	grow := max((seed+f.back.median)/2, f.cfg.MinPE/2)
	for _, core := range f.components(float32(seed), float32(grow)) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		found = append(found, f.search(core, grow)...)
	}
	return found, nil
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
			f.valid[at] = f.breast.Mask.Data[index] && f.skinDepthMM(index) > f.cfg.SkinMM
		}
	})
	if err != nil {
		return err
	}
	var pe []float64
	var tissue []int
	for at, v := range f.pe {
		if f.valid[at] && reference.Data[f.index(at)] {
			pe, tissue = append(pe, float64(v)), append(tissue, at)
		}
	}
	f.back.lateRise = f.lateRise(tissue)
	f.back.median = median(pe)
	for n, v := range pe {
		pe[n] = math.Abs(v - f.back.median)
	}
	f.back.deviation = 1.4826 * median(pe)
	return nil
}

// skinDepthMM returns the depth of a voxel of the grid below the body's surface.
func (f *finder) skinDepthMM(index int) float64 {
	v := f.chest.canonical(f.grid.Voxel(index))
	x, y, z := v[0]/f.chest.factor[0], v[1]/f.chest.factor[1], v[2]/f.chest.factor[2]
	return float64(f.chest.depth[f.chest.at(x, y, z)])
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
