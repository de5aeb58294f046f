package detection

import (
	"context"
	"math"

	"mome/experts"
	"mome/experts/lesion"
	"mome/experts/registration"
	"mome/experts/volume"
	"mome/fixtures/phantom"
	"mome/fixtures/phantom/anatomy"
	"mome/server/analysis"
)

// exam is a phantom as detection sees it: the dynamic series alone, its phases registered as analysis registers them, with
// the truth where motion had brought it by the phase that results refer to.
type exam struct {
	study       *experts.Study
	truth       phantom.Truth
	motion      float64             // mm, of the configuration
	acquisition phantom.Acquisition // likewise
	labels      []uint8             // n+1 in lesion n of the truth
	tissue      []uint8             // anatomy.Tissue that fills the larger part of the voxel
}

// makeExam makes a phantom, reads it through DICOM's bytes as a received study is read, and registers its phases.
func makeExam(ctx context.Context, c phantom.Config) (*exam, error) {
	c.Without = []string{"T2", "DWI"}
	p, err := phantom.New(c)
	if err != nil {
		return nil, err
	}
	objects, err := analysis.FromDatasets(ctx, p.Instances())
	if err != nil {
		return nil, err
	}
	study, err := analysis.Assemble(ctx, objects)
	if err != nil {
		return nil, err
	}
	breasts, _, err := lesion.Breasts(ctx, study)
	if err != nil {
		return nil, err
	}
	if study, err = registration.Align(ctx, study, breasts, registration.Settings{}, nil); err != nil {
		return nil, err
	}
	e := &exam{study: study, truth: p.Truth, motion: c.MotionMM, acquisition: c.Acquisition}
	e.place(p)
	return e, nil
}

// place lays the truth on the study's grid, whose slices the analysis has sorted by their place. The tissue is known before
// contrast alone: it is taken from where it lay then, to the nearest voxel.
func (e *exam) place(p *phantom.Study) {
	grid, from := &e.study.DCE[0].Volume.Grid, &p.Truth.Grid
	e.labels, e.tissue = make([]uint8, grid.Len()), make([]uint8, grid.Len())
	at := func(place volume.Vec) (index int, ok bool) {
		d := place.Sub(volume.Vec(from.Origin))
		stride := 1
		for a := range 3 {
			n := int(math.Round(d.Dot(volume.Vec(from.Axis[a])) / from.SpacingMM[a]))
			if n < 0 || n >= from.Size[a] {
				return 0, false
			}
			index, stride = index+n*stride, stride*from.Size[a]
		}
		return index, true
	}
	labels, tissue := p.LabelsOf(e.study.Reference), p.Tissue()
	moved := volume.Vec(p.MotionMM(e.study.Reference))
	for to := range e.labels {
		i, j, k := grid.Voxel(to)
		place := grid.Point(float64(i), float64(j), float64(k))
		if n, ok := at(place); ok {
			e.labels[to] = labels[n]
		}
		if n, ok := at(place.Sub(moved)); ok {
			e.tissue[to] = uint8(tissue[n])
		}
	}
}

// is reports whether a voxel's tissue is one of these.
func (e *exam) is(at int, any ...anatomy.Tissue) bool {
	for _, t := range any {
		if e.tissue[at] == uint8(t) {
			return true
		}
	}
	return false
}

// shown is the number of breasts in the images.
func (e *exam) shown() int {
	if e.acquisition.Unilateral != "" {
		return 1
	}
	return 2
}

// images says what an acquisition shows.
func images(a phantom.Acquisition) string {
	side, plane, fat := "bilateral", string(a.Plane), "fat-suppressed"
	if a.Unilateral != "" {
		side = "unilateral"
	}
	if plane == "" {
		plane = "axial"
	}
	if a.FatBright {
		fat = "fat bright"
	}
	return side + ", " + plane + ", " + fat
}
