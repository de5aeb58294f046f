package picture

import (
	"context"
	"fmt"
	"math"
	"strings"

	"mome/experts"
	"mome/experts/volume"
)

// Margins of a projection around the breasts, mm: what lies behind them, the heart above all, would outshine them.
const mipMarginMM = 8

// mipPixelsPerMM is the size at which projections are drawn: both breasts are then about 750 pixels wide.
const mipPixelsPerMM = 2.5

// projections draws the maximum intensity projections of the early subtraction: transverse over both breasts, sagittal
// over each.
func (d *drawing) projections(ctx context.Context) ([]Picture, error) {
	early, _ := d.Study.EarlyLate(experts.EarlyS, experts.LateS)
	all := emptyBox()
	sides := map[experts.Side]box{}
	for _, b := range d.Assessment.Breasts {
		if b.Mask == nil || !b.Mask.Same(d.grid) {
			continue
		}
		all = all.with(b.Mask)
		sides[b.Side] = emptyBox().with(b.Mask)
	}
	if all.empty() {
		all = box{hi: [3]int{d.grid.Size[0] - 1, d.grid.Size[1] - 1, d.grid.Size[2] - 1}}
	}
	p, err := d.projection(ctx, transverse(d.grid), all, early)
	if err != nil {
		return nil, err
	}
	out := []Picture{p}
	for _, s := range [...]experts.Side{experts.Right, experts.Left} {
		if b, ok := sides[s]; ok && !b.empty() {
			v := sagittal(d.grid)
			v.name += " " + sideName(s)
			if p, err = d.projection(ctx, v, b, early); err != nil {
				return nil, err
			}
			out = append(out, p)
		}
	}
	return out, nil
}

// projection projects the early subtraction within a box, a little widened, and marks the lesions that it holds.
func (d *drawing) projection(ctx context.Context, v view, b box, early int) (Picture, error) {
	b = b.wider(d.grid, mipMarginMM)
	l := v.lattice(d.grid, b)
	pre, post := d.Study.DCE[0].Volume, d.Study.DCE[early].Volume
	values := make([]float32, l.Size[0]*l.Size[1])
	for y := range l.Size[1] {
		if err := ctx.Err(); err != nil {
			return Picture{}, err
		}
		for x := range l.Size[0] {
			at, step := v.ray(d.grid, b, x, y)
			to := y*l.Size[0] + x
			for range l.Size[2] {
				values[to] = max(values[to], post.Data[at]-pre.Data[at])
				at += step
			}
		}
	}
	_, high := levels(values, 0, 0.998)
	title := fmt.Sprintf("MIP, phase %d - phase 1, %s", early+1, v.name)
	f := d.newFrame(l, window(values, 0, high), mipPixelsPerMM, title, false)
	lesions := make([][]bool, len(d.Assessment.Findings))
	for n := range lesions {
		lesions[n] = d.shadow(n, v, b)
	}
	d.markLesions(f, lesions)
	f.letters(v)
	f.scaleBar(50)
	return Picture{Name: "mip-" + strings.ReplaceAll(v.name, " ", "-"), Kind: Projection, Lesion: -1, View: v.name,
		Title: "MIP of the early subtraction, " + v.name, Image: f.RGBA, Plane: f.plane()}, f.err
}

// ray returns the first voxel of the grid behind a pixel of the lattice of a box, and the step to the next.
func (v view) ray(g *volume.Grid, b box, x, y int) (at, step int) {
	stride := [3]int{1, g.Size[0], g.Size[0] * g.Size[1]}
	for n, i := range [3]int{x, y, 0} {
		a := v.axis[n]
		if v.flip[n] {
			at += stride[a] * (b.hi[a] - i)
		} else {
			at += stride[a] * (b.lo[a] + i)
		}
	}
	step = stride[v.axis[2]]
	if v.flip[2] {
		step = -step
	}
	return at, step
}

// shadow projects a finding's mask within a box: one bool per pixel of its lattice, nil where the finding has no mask.
func (d *drawing) shadow(n int, v view, b box) []bool {
	m, e := d.mask(n), d.extent(n)
	if m == nil {
		return nil
	}
	l := v.lattice(d.grid, b)
	out := make([]bool, l.Size[0]*l.Size[1])
	for k := max(e.lo[2], b.lo[2]); k <= min(e.hi[2], b.hi[2]); k++ {
		for j := max(e.lo[1], b.lo[1]); j <= min(e.hi[1], b.hi[1]); j++ {
			for i := max(e.lo[0], b.lo[0]); i <= min(e.hi[0], b.hi[0]); i++ {
				if m.Data[m.Index(i, j, k)] {
					x, y := v.pixel(b, [3]int{i, j, k})
					out[y*l.Size[0]+x] = true
				}
			}
		}
	}
	return out
}

// pixel returns the pixel of a box's lattice before which a voxel of the box lies.
func (v view) pixel(b box, voxel [3]int) (x, y int) {
	var at [2]int
	for n := range at {
		a := v.axis[n]
		if at[n] = voxel[a] - b.lo[a]; v.flip[n] {
			at[n] = b.hi[a] - voxel[a]
		}
	}
	return at[0], at[1]
}

// markLesions outlines the lesions and puts the number of each beside it, where it covers neither a lesion nor another
// number.
func (d *drawing) markLesions(f *frame, masks [][]bool) {
	type span struct{ x0, y0, x1, y1 float64 }
	var taken []span
	outlines := make([][][]point, len(masks))
	for n, m := range masks {
		outlines[n] = f.all(contours(m, f.lattice.Size[0], f.lattice.Size[1]))
		s := span{math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)}
		for _, l := range outlines[n] {
			for _, p := range l {
				s = span{min(s.x0, p.x), min(s.y0, p.y), max(s.x1, p.x), max(s.y1, p.y)}
			}
		}
		taken = append(taken, s)
	}
	// The last is drawn first, so that the most suspicious lies on top.
	for n := len(masks) - 1; n >= 0; n-- {
		f.marked(outlines[n], 2, d.lesionInk(n))
	}
	const half = 11.0 // of a number's field, pixels
	for n := range masks {
		if len(outlines[n]) == 0 {
			continue
		}
		s, best, least := taken[n], point{}, math.Inf(1)
		cx, cy := (s.x0+s.x1)/2, (s.y0+s.y1)/2
		for _, p := range [...]point{
			{s.x1 + half + 3, s.y0 - half}, {s.x0 - half - 3, s.y0 - half}, {s.x1 + half + 3, s.y1 + half}, {s.x0 - half - 3, s.y1 + half},
			{s.x1 + half + 5, cy}, {s.x0 - half - 5, cy}, {cx, s.y0 - half - 5}, {cx, s.y1 + half + 5},
		} {
			p.x = min(max(p.x, half+2), float64(f.w)-half-2)
			p.y = min(max(p.y, titleBand+half+2), float64(titleBand+f.h)-half-2)
			cost := 0.0
			for _, t := range taken {
				w := min(p.x+half, t.x1) - max(p.x-half, t.x0)
				h := min(p.y+half, t.y1) - max(p.y-half, t.y0)
				cost += max(w, 0) * max(h, 0)
			}
			if cost < least {
				best, least = p, cost
			}
		}
		taken = append(taken, span{best.x - half, best.y - half, best.x + half, best.y + half})
		f.haloed(point{best.x, best.y + 7}, 20, middle, d.lesionInk(n), fmt.Sprint(n+1))
	}
}
