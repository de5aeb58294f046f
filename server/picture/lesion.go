package picture

import (
	"context"
	"errors"
	"fmt"
	"image/color"
	"math"
	"strings"

	"mome/experts"
	"mome/experts/volume"
	"mome/server/analysis"
)

// A lesion is shown on a square of at least leastCropMM, so that the same lesion looks as large in every study, and of
// twice its length where it is large.
const leastCropMM, cropPixels = 60, 420

// adcWindow is the range of every ADC picture, 1e-6 mm2/s, so that grey means the same in all.
const adcWindow = 2500

// section is the transverse section of a lesion, and how it is shown.
type section struct {
	view    view
	lattice volume.Grid
	outline [][]point // pixels of the lattice
	finding int
	title   string  // of all its pictures
	scale   float64 // pixels per mm
	from,
	to int // sections of the lesion, counted from this one in the direction of the view
}

// lesion draws the pictures of one finding.
func (d *drawing) lesion(n int) ([]Picture, error) {
	s, ok := d.sectionOf(n)
	if !ok {
		return nil, nil
	}
	var out []Picture
	var err error
	add := func(kind Kind, what string, f *frame) {
		p := d.finish(f, s, kind, what)
		p.Name = fmt.Sprintf("lesion-%d-%s", n+1, strings.ToLower(strings.ReplaceAll(string(kind), " ", "")))
		out, err = append(out, p), errors.Join(err, f.err)
	}
	f := d.newFrame(s.lattice, d.anatomy(s), s.scale, fmt.Sprintf("%s, phase %d", s.title, d.Study.Reference+1), false)
	f.marked(f.all(s.outline), 1.5, d.lesionInk(n))
	d.diameters(f, n)
	add(Anatomy, "outline and diameters", f)
	if d.maps["SER"] != nil {
		add(Kinetics, "signal enhancement ratio", d.kinetics(s))
	}
	if d.Attribution != nil {
		add(HeatMap, "heat map of the model", d.heat(s))
	}
	if d.Study.T2 != nil {
		flat := volume.Resample(d.Study.T2, s.lattice).Data
		low, high := levels(flat, 0.01, 0.998)
		f := d.newFrame(s.lattice, window(flat, low, high), s.scale, s.title+", T2", false)
		f.marked(f.all(s.outline), 1.5, d.lesionInk(n))
		add(T2, "T2-weighted", f)
	}
	if m := d.maps["ADC"]; m != nil {
		flat := volume.Resample(m, s.lattice).Data
		f := d.newFrame(s.lattice, window(flat, 0, adcWindow), s.scale, s.title+", ADC", true)
		f.marked(f.all(s.outline), 1.5, d.lesionInk(n))
		f.gradient(func(t float64) color.NRGBA { g := uint8(255*t + 0.5); return color.NRGBA{g, g, g, 255} },
			[]string{"0", "ADC, 1e-6 mm2/s", fmt.Sprint(adcWindow)})
		add(ADC, "apparent diffusion coefficient", f)
	}
	return out, err
}

// KineticSections draws the signal enhancement ratio in colours over the transverse sections of a finding, at most so many
// and evenly spread, from its feet end to its head end, all with one field of view: nothing where the study has no delayed
// phase, or the finding no mask.
func KineticSections(ctx context.Context, r *analysis.Reading, finding, most int, cfg Config) ([]Picture, error) {
	if r.Study == nil || finding < 0 || finding >= len(r.Assessment.Findings) {
		return nil, nil
	}
	d, err := newDrawing(r, cfg)
	if err != nil {
		return nil, err
	}
	s, ok := d.sectionOf(finding)
	if !ok || d.maps["SER"] == nil {
		return nil, nil
	}
	var out []Picture
	count, largest := s.to-s.from+1, s.lattice.Origin
	shown := min(count, most)
	for i := range shown {
		k := i * (count - 1) / max(shown-1, 1) // from the feet end
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		s.lattice.Origin = largest.Add(s.lattice.Axis[2].Scale(float64(s.from+k) * s.lattice.SpacingMM[2]))
		s.outline = contours(volume.ResampleMask(d.mask(finding), s.lattice).Data, s.lattice.Size[0], s.lattice.Size[1])
		f := d.kinetics(s)
		p := d.finish(f, s, Kinetics, fmt.Sprintf("signal enhancement ratio, section %d of %d", k+1, count))
		p.Name = fmt.Sprintf("lesion-%d-kinetics-%d", finding+1, k+1)
		if f.err != nil {
			return nil, f.err
		}
		out = append(out, p)
	}
	return out, nil
}

// finish adds what all pictures of lesions have.
func (d *drawing) finish(f *frame, s section, kind Kind, what string) Picture {
	f.letters(s.view)
	f.scaleBar(10)
	return Picture{Kind: kind, Lesion: s.finding, View: s.view.name, Title: s.title + ", " + what, Image: f.RGBA, Plane: f.plane()}
}

// anatomy is the section in the phase that results refer to, as grey values: the brightest of the lesion is white.
func (d *drawing) anatomy(s section) []uint8 {
	flat := volume.Resample(d.Study.DCE[d.Study.Reference].Volume, s.lattice).Data
	low, high := levels(flat, 0.01, 0.998)
	for at, in := range volume.ResampleMask(d.mask(s.finding), s.lattice).Data {
		if in {
			high = max(high, flat[at])
		}
	}
	return window(flat, low, high)
}

// sectionOf lays a square over the section in which the lesion is largest: that of its axial diameters or, where they
// were not measured, the one with most voxels.
func (d *drawing) sectionOf(n int) (section, bool) {
	m, within := d.mask(n), d.extent(n)
	if within.empty() {
		return section{}, false
	}
	v := transverse(d.grid)
	a := v.axis[2]
	plane := d.largest(m, a)
	lesion := d.Assessment.Findings[n].Lesion
	if long := lesion.AxialLong; long.LengthMM() > 0 {
		i, j, k := d.grid.At(long.From)
		plane = int(math.Round([3]float64{i, j, k}[a]))
	}
	from, to := within.lo[a]-plane, within.hi[a]-plane
	if v.flip[2] {
		from, to = -to, -from
	}
	within.lo[a], within.hi[a] = plane, plane
	// The square has pixels of the finer of the two spacings; its first pixel lies on a voxel.
	l := v.lattice(d.grid, within)
	mm := min(l.SpacingMM[0], l.SpacingMM[1])
	extentMM := max(float64(l.Size[0])*l.SpacingMM[0], float64(l.Size[1])*l.SpacingMM[1])
	mm = max(mm, max(leastCropMM, 2*extentMM)/mostPixels)
	side := int(max(leastCropMM, 2*extentMM)/mm + 0.5)
	corner := func(n int) float64 { // in voxels of l
		half := (float64(side)*mm/l.SpacingMM[n] - float64(l.Size[n])) / 2
		return -math.Round(half)
	}
	l.Origin = l.Point(corner(0), corner(1), 0)
	l.Size, l.SpacingMM = [3]int{side, side, 1}, [3]float64{mm, mm, l.SpacingMM[2]}
	title := fmt.Sprintf("Lesion %d, %s", n+1, sideName(lesion.Side))
	outline := contours(volume.ResampleMask(m, l).Data, side, side)
	return section{view: v, lattice: l, outline: outline, finding: n, title: title, scale: cropPixels / (float64(side) * mm),
		from: from, to: to}, true
}

// largest returns the plane across a grid axis with most voxels of the mask, the first of equal ones.
func (d *drawing) largest(m *volume.Mask, axis int) int {
	area := make([]int, m.Size[axis])
	for at, in := range m.Data {
		if in {
			i, j, k := m.Voxel(at)
			area[[3]int{i, j, k}[axis]]++
		}
	}
	best := 0
	for n := range area {
		if area[n] > area[best] {
			best = n
		}
	}
	return best
}

// diameters draws the axial diameters with their lengths.
func (d *drawing) diameters(f *frame, n int) {
	l := d.Assessment.Findings[n].Lesion
	for i, line := range []experts.Line{l.AxialLong, l.AxialShort} {
		mm := line.LengthMM()
		if mm == 0 {
			continue
		}
		from, to := f.place(line.From), f.place(line.To)
		length := math.Hypot(to.x-from.x, to.y-from.y)
		nx, ny := -(to.y-from.y)/length*5, (to.x-from.x)/length*5
		f.marked([][]point{{from, to}, {{from.x - nx, from.y - ny}, {from.x + nx, from.y + ny}}, {{to.x - nx, to.y - ny}, {to.x + nx, to.y + ny}}}, 1.2, color.White)
		text := fmt.Sprintf("%s %.1f mm", []string{"long", "short"}[i], mm)
		f.haloed(point{10, float64(titleBand+f.h) - 12 - float64(20*(1-i))}, 17, left, color.White, text)
	}
}

// kinetics lays the signal enhancement ratio over the section, within the breasts: the heart and the chest wall have one,
// too, which says nothing.
func (d *drawing) kinetics(s section) *frame {
	f := d.newFrame(s.lattice, d.anatomy(s), s.scale, s.title+", kinetics", true)
	ser := d.maps["SER"]
	f.tint(func(x, y int) (color.NRGBA, bool) {
		at := s.lattice.Point(float64(x), float64(y), 0)
		c, ok := serColour(float64(nearest(ser, at)))
		c.A = 220
		return c, ok && (d.inBreast(at) || within(d.mask(s.finding), at))
	})
	f.marked(f.all(s.outline), 1.5, color.White)
	ends := serEnds()
	words := make([]string, len(ends))
	for n, e := range ends {
		words[n] = fmt.Sprint(e)
	}
	f.classes(func(n int) color.NRGBA {
		c, _ := serColour((ends[n] + ends[n+1]) / 2)
		return c
	}, words, "SER")
	return f
}

// heat lays the attribution over the section. The strongest colour is that of the largest attribution of all findings:
// a finding of which the model made little looks like it.
func (d *drawing) heat(s section) *frame {
	f := d.newFrame(s.lattice, d.anatomy(s), s.scale, s.title+", heat map", true)
	most := d.strongest
	if heat := volume.Resample(d.Attribution, s.lattice); most > 0 {
		f.tint(func(x, y int) (color.NRGBA, bool) {
			t := float64(heat.Data[y*s.lattice.Size[0]+x]) / most
			return heatColour(t), math.Abs(t) > 0.05
		})
	}
	f.marked(f.all(s.outline), 1.5, color.White)
	f.gradient(func(t float64) color.NRGBA {
		c := heatColour(2*t - 1)
		return mix(color.NRGBA{60, 60, 60, 255}, color.NRGBA{c.R, c.G, c.B, 255}, float64(c.A)/255)
	}, []string{fmt.Sprintf("-%.2g", most), "log-odds of malignancy per voxel", fmt.Sprintf("+%.2g", most)})
	return f
}

// inBreast reports whether a place lies in a breast, as far as breasts are known.
func (d *drawing) inBreast(mm volume.Vec) bool {
	known := false
	for _, b := range d.Assessment.Breasts {
		known = known || b.Mask != nil
		if within(b.Mask, mm) {
			return true
		}
	}
	return !known
}

// within reports whether the voxel at a place is in a mask, which may be nil.
func within(m *volume.Mask, mm volume.Vec) bool {
	if m == nil {
		return false
	}
	x, y, z := m.At(mm)
	i, j, k := int(math.Round(x)), int(math.Round(y)), int(math.Round(z))
	return m.Contains(i, j, k) && m.Data[m.Index(i, j, k)]
}

// nearest returns the value of the voxel at a place, 0 outside.
func nearest(v *volume.Volume, mm volume.Vec) float32 {
	x, y, z := v.At(mm)
	i, j, k := int(math.Round(x)), int(math.Round(y)), int(math.Round(z))
	if !v.Contains(i, j, k) {
		return 0
	}
	return v.Data[v.Index(i, j, k)]
}
