package lesion

import (
	"context"
	"errors"
	"fmt"
	"math"

	"mome/experts"
	"mome/experts/volume"
)

// ErrNoDynamic says that the study has no dynamic series to look at.
var ErrNoDynamic = errors.New("study has no dynamic series")

// minBreastCM3 is the least volume that is called a breast: the smallest in series of healthy women are about 100 cm3,
// and part of one may lie outside the images.
const minBreastCM3 = 30.0

// Breasts returns the region of each breast that the dynamic series shows, left first, on its grid, and what of the
// method's assumptions does not hold, as sentences for the report's reader. It reads the pre-contrast phase, fat-suppressed
// or not, bilateral or of one side, of any slice orientation, prone or supine:
//
//  1. Cells of about 2 mm, air parted from tissue by Otsu's method on the logarithm of the signal, closing, the largest
//     connected part, holes filled.
//  2. The skin is the first body surface from the front; the midline its deepest part between two bumps (the cleavage);
//     the sternum's skin the deepest near the midline, as a running median over slices.
//  3. The chest wall is an ellipse through a point behind the sternum's skin (see wall.go), moved to where the images show
//     that fat ends and muscle begins (see muscle.go), the breast what lies between skin and wall where that is deeper
//     than 12 mm, the largest connected area on each side of the midline.
//
// The side is told by patient coordinates (+x is left). The region holds the breast's skin and may hold a part of the
// pectoral muscle; it does not hold ribs, lung and heart. A side without a region of 30 cm3 is left out with a note.
func Breasts(ctx context.Context, s *experts.Study) ([]experts.Breast, []string, error) {
	if len(s.DCE) == 0 || s.DCE[0].Volume == nil || s.DCE[0].Volume.Len() == 0 {
		return nil, nil, ErrNoDynamic
	}
	pre := s.DCE[0].Volume
	if len(pre.Data) != pre.Len() {
		return nil, nil, fmt.Errorf("pre-contrast phase: %d values for %d voxels", len(pre.Data), pre.Len())
	}
	c, err := newCoarse(ctx, pre)
	if err != nil {
		return nil, nil, err
	}
	ch := newChest(c)
	var notes []string
	if ch.closed {
		notes = append(notes, "No cleavage was found between the breasts; the midline was taken from the body's extent.")
	}
	sides := [2]experts.Side{experts.Left, experts.Right}
	var found [2]*experts.Breast
	var said [2]string
	var failed [2]error
	err = experts.EachSlice(ctx, len(sides), func(n int) { found[n], said[n], failed[n] = ch.breast(ctx, pre, sides[n]) })
	if err = errors.Join(err, failed[0], failed[1]); err != nil {
		return nil, nil, err
	}
	var breasts []experts.Breast
	for n, b := range found {
		if b != nil {
			breasts = append(breasts, *b)
		}
		if said[n] != "" {
			notes = append(notes, said[n])
		}
	}
	return breasts, notes, nil
}

// breast returns one side's breast, or nil with a sentence.
func (ch *chest) breast(ctx context.Context, pre *volume.Volume, side experts.Side) (*experts.Breast, string, error) {
	missing := fmt.Sprintf("No %s breast was found on the dynamic series.", sideName(side))
	area := ch.columns(side)
	if float64(area.width[0])*ch.cellMM[0] < minWidthMM || float64(area.width[1])*ch.cellMM[2] < minWidthMM {
		return nil, missing, nil
	}
	m, err := ch.fine(ctx, area)
	if err != nil {
		return nil, "", err
	}
	if m.VolumeCM3() < minBreastCM3 {
		return nil, missing, nil
	}
	gland, note, err := ch.gland(ctx, pre, area, m)
	if err != nil {
		return nil, "", err
	}
	if note != "" {
		note = fmt.Sprintf("%s breast: %s", titleName(side), note)
	}
	return &experts.Breast{Side: side, Mask: m, Fibroglandular: gland}, note, nil
}

func sideName(s experts.Side) string {
	if s == experts.Left {
		return "left"
	}
	return "right"
}

func titleName(s experts.Side) string {
	if s == experts.Left {
		return "Left"
	}
	return "Right"
}

// columns is a set of columns (x, z) of cells.
type columns struct {
	set   []bool // [z][x]
	width [2]int // of its range along x and z
}

// columns returns the columns of one side that hold breast: deeper than minDepthMM between skin and wall, opened by
// 5 mm, the largest connected area.
func (ch *chest) columns(side experts.Side) columns {
	nx, nz := ch.size[0], ch.size[2]
	set := make([]bool, nx*nz)
	for z := range nz {
		for x := range nx {
			left := float64(x) > ch.midline // canonical x runs to the patient's left
			if left != (side == experts.Left) {
				continue
			}
			set[z*nx+x] = ch.wallMM(float64(x), z)-ch.skin[z*nx+x] >= minDepthMM
		}
	}
	plane := &coarse{size: [3]int{nx, 1, nz}}
	const openMM = 5.0
	rounds := max(int(openMM/ch.cellMM[0]+0.5), 1)
	for range rounds {
		set = plane.erode(set)
	}
	for range rounds {
		set = plane.dilate(set)
	}
	out := columns{set: plane.largest(set)}
	extent := emptyBox()
	for at, in := range out.set {
		x := at % nx
		if out.set[at] = in && (float64(x) > ch.midline) == (side == experts.Left); out.set[at] {
			extent.add(x, 0, at/nx)
		}
	}
	if !extent.empty() {
		out.width = [2]int{extent.hi[0] - extent.lo[0] + 1, extent.hi[2] - extent.lo[2] + 1}
	}
	return out
}

// fine draws the region of the columns on the dynamic series' grid: between skin and wall, both interpolated between
// columns, and inside the body.
func (ch *chest) fine(ctx context.Context, area columns) (*volume.Mask, error) {
	m := volume.NewMask(*ch.grid)
	err := ch.each(ctx, area, func(at int, x, y, z int, depthMM float64) {
		if depthMM >= 0 && ch.inside[ch.at(x, y, z)] {
			m.Data[at] = true
		}
	})
	return m, err
}

// each calls do for every voxel of the area's columns in front of the wall, with its cell and its depth below the
// interpolated skin along y, mm. Calls for different slices of the grid run at the same time.
func (ch *chest) each(ctx context.Context, area columns, do func(at, x, y, z int, depthMM float64)) error {
	g := ch.grid
	front, wall := ch.surfaces(area)
	return experts.EachSlice(ctx, g.Size[2], func(k int) {
		for j := range g.Size[1] {
			for i := range g.Size[0] {
				v := ch.canonical(i, j, k)
				column := v[2]*ch.n[0] + v[0]
				y := float32((float64(v[1]) + 0.5) * ch.mm[1])
				if !(y < wall[column]) { // NaN where no breast is
					continue
				}
				do(g.Index(i, j, k), v[0]/ch.factor[0], v[1]/ch.factor[1], v[2]/ch.factor[2], float64(y-front[column]))
			}
		}
	})
}

// surfaces returns skin and wall of the area for every column of voxels [z][x], mm along y, interpolated between cells;
// NaN outside the area.
func (ch *chest) surfaces(area columns) (front, wall []float32) {
	front, wall = make([]float32, ch.n[0]*ch.n[2]), make([]float32, ch.n[0]*ch.n[2])
	nx, nz := ch.size[0], ch.size[2]
	for vz := range ch.n[2] {
		z := vz / ch.factor[2]
		fz := (float64(vz)+0.5)/float64(ch.factor[2]) - 0.5
		z0 := int(math.Floor(fz))
		for vx := range ch.n[0] {
			at, x := vz*ch.n[0]+vx, vx/ch.factor[0]
			front[at], wall[at] = float32(math.NaN()), float32(math.NaN())
			if !area.set[z*nx+x] {
				continue
			}
			fx := (float64(vx)+0.5)/float64(ch.factor[0]) - 0.5
			x0 := int(math.Floor(fx))
			sum := 0.0
			for n := range 4 {
				cx, cz := x0+n&1, z0+n>>1
				weight := (1 - math.Abs(fx-float64(cx))) * (1 - math.Abs(fz-float64(cz)))
				v := ch.skin[min(max(cz, 0), nz-1)*nx+min(max(cx, 0), nx-1)]
				if math.IsInf(v, 0) {
					v = ch.skin[z*nx+x]
				}
				sum += weight * v
			}
			front[at], wall[at] = float32(sum), float32(ch.wallMM(fx, z))
		}
	}
	return front, wall
}
