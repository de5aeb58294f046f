package volume

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
)

// MaxVoxels bounds one volume: 512 Mi voxels are 2 GiB, ten times a large breast exam's.
const MaxVoxels = 1 << 29

// Slice is one plane and the way to its samples.
type Slice struct {
	Plane
	// Read fills dst, [row, column] with column fastest, with the plane's rescaled values. dst has Rows x Columns
	// values and is the caller's; Read must not keep it. Build calls Read once per slice, one at a time.
	Read func(ctx context.Context, dst []float32) error
}

// Build reads slices in any order into a volume. order[k] is the index in slices of what became slice k; notes are
// sentences on defects that were tolerated. Planes that do not make a regular grid give a GeometryError; an error of
// Read is returned as it is, wrapped. Samples are read straight into the volume: nothing is held twice.
func Build(ctx context.Context, in []Slice) (v *Volume, order []int, notes []string, err error) {
	planes := make([]Plane, len(in))
	for i := range in {
		planes[i] = in[i].Plane
	}
	grid, order, notes, err := Arrange(planes)
	if err != nil {
		return nil, nil, nil, err
	}
	v = New(grid)
	area := grid.Size[0] * grid.Size[1]
	for k, i := range order {
		if err := ctx.Err(); err != nil {
			return nil, nil, nil, err
		}
		if err := in[i].Read(ctx, v.Data[k*area:(k+1)*area:(k+1)*area]); err != nil {
			return nil, nil, nil, fmt.Errorf("read slice %d of %d: %w", k+1, len(in), err)
		}
	}
	return v, order, notes, nil
}

// Arrange finds the grid on which planes lie: sorted by their position along the normal, k growing along it, whatever
// the order and the patient's position were. order[k] is the index of the plane that is slice k. A GeometryError names
// what is wrong: planes that differ, two at one place, a gap, uneven distances, a sheared stack.
func Arrange(planes []Plane) (g Grid, order []int, notes []string, err error) {
	if len(planes) == 0 {
		return Grid{}, nil, nil, geometryErrorf("no slices")
	}
	first := planes[0]
	for i := range planes {
		if err := sameKind(&first, &planes[i]); err != nil {
			return Grid{}, nil, nil, err
		}
	}
	if first.Columns*first.Rows > MaxVoxels/len(planes) {
		return Grid{}, nil, nil, geometryErrorf("%d slices of %d x %d are more than %d voxels", len(planes), first.Columns, first.Rows, MaxVoxels)
	}
	normal := first.Normal()
	order = make([]int, len(planes))
	for i := range order {
		order[i] = i
	}
	place := func(i int) float64 { return planes[i].Position.Dot(normal) }
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(place(a), place(b)) })

	placesMM := make([]float64, len(order))
	for k, i := range order {
		placesMM[k] = place(i)
	}
	spacingMM, notes, err := sliceSpacing(placesMM, first.ThicknessMM)
	if err != nil {
		return Grid{}, nil, nil, err
	}
	origin := planes[order[0]].Position
	g = Grid{
		Size:             [3]int{first.Columns, first.Rows, len(planes)},
		Origin:           origin,
		Axis:             [3]Vec{first.Axis[0], first.Axis[1], normal},
		SpacingMM:        [3]float64{first.SpacingMM[0], first.SpacingMM[1], spacingMM},
		FrameOfReference: first.FrameOfReference,
	}
	shearMM := 0.0
	for k, i := range order {
		off := planes[i].Position.Sub(g.Point(0, 0, float64(k)))
		off = off.Sub(normal.Scale(off.Dot(normal)))
		shearMM = max(shearMM, off.Norm())
	}
	pixelMM := min(g.SpacingMM[0], g.SpacingMM[1])
	switch {
	case shearMM > pixelMM/2:
		return Grid{}, nil, nil, geometryErrorf("the slices are shifted against each other by up to %.2f mm: a sheared stack is not read", shearMM)
	case shearMM > pixelMM/10:
		notes = append(notes, fmt.Sprintf("the slices are shifted against each other by up to %.2f mm, less than half a pixel; they were taken as aligned", shearMM))
	}
	return g, order, notes, nil
}

// sameKind reports how b differs from a in what all planes of a volume share. Directions may differ by 0.1 degree, pixel
// spacings by 0.1 %: that is rounding in the header.
func sameKind(a, b *Plane) error {
	switch {
	case a.Columns != b.Columns || a.Rows != b.Rows:
		return geometryErrorf("slices differ in size: %d x %d and %d x %d", a.Columns, a.Rows, b.Columns, b.Rows)
	case a.FrameOfReference != b.FrameOfReference:
		return geometryErrorf("slices differ in their frame of reference")
	case a.Axis[0].Sub(b.Axis[0]).Norm() > 2e-3 || a.Axis[1].Sub(b.Axis[1]).Norm() > 2e-3:
		return geometryErrorf("slices differ in orientation")
	case !near(a.SpacingMM[0], b.SpacingMM[0], 1e-3) || !near(a.SpacingMM[1], b.SpacingMM[1], 1e-3):
		return geometryErrorf("slices differ in pixel spacing")
	}
	return nil
}

func near(a, b, relative float64) bool {
	return math.Abs(a-b) <= relative*max(math.Abs(a), math.Abs(b))
}

// sliceSpacing returns the distance of slices whose places along the normal, mm ascending, are given. Distances may
// vary by 2 % or 0.05 mm; a volume is not built over a gap, since what lies in it is unknown.
func sliceSpacing(placesMM []float64, thicknessMM float64) (float64, []string, error) {
	n := len(placesMM)
	if n == 1 {
		if thicknessMM > 0 {
			return thicknessMM, nil, nil
		}
		return 1, []string{"one slice without Slice Thickness: 1 mm was assumed"}, nil
	}
	steps := make([]float64, n-1)
	for k := range steps {
		steps[k] = placesMM[k+1] - placesMM[k]
		if steps[k] < 0.01 {
			return 0, nil, geometryErrorf("two slices lie at the same place, %.2f mm along the normal", placesMM[k])
		}
	}
	sorted := slices.Clone(steps)
	slices.Sort(sorted)
	usual := sorted[(n-1)/2]
	tolMM := max(0.05, 0.02*usual)
	for k, step := range steps {
		missing := math.Round(step/usual) - 1
		switch {
		case math.Abs(step-usual) <= tolMM:
		case missing >= 1 && math.Abs(step-(missing+1)*usual) <= tolMM*(missing+1):
			return 0, nil, geometryErrorf("%.0f of %.0f slices missing between %.2f and %.2f mm along the normal (slices are %.2f mm apart)",
				missing, float64(n)+missing, placesMM[k], placesMM[k+1], usual)
		default:
			return 0, nil, geometryErrorf("slices are not evenly spaced: %.2f mm between %.2f and %.2f mm along the normal, %.2f mm elsewhere",
				step, placesMM[k], placesMM[k+1], usual)
		}
	}
	return (placesMM[n-1] - placesMM[0]) / float64(n-1), nil, nil
}
