package detection

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/uid"
	"mome/experts"
	"mome/experts/lesion"
	"mome/experts/registration"
	"mome/experts/series"
	"mome/experts/volume"
	"mome/fixtures/phantom"
	"mome/fixtures/phantom/anatomy"
)

// exam is a phantom as detection sees it: the dynamic series alone, its phases registered, with the truth on its grid.
type exam struct {
	study   *experts.Study
	truth   phantom.Truth
	motion  float64  // mm, of the configuration
	labels  []uint8  // n+1 in lesion n of the truth
	tissue  []uint8  // anatomy.Tissue that fills the larger part of the voxel
	breasts int      // that the images show
	moved   []string // what became of the registration of each phase after the first
}

// makeExam makes a phantom, reads it through DICOM's bytes as a received study is read, and registers its phases.
func makeExam(ctx context.Context, c phantom.Config) (*exam, error) {
	c.Without = []string{"T2", "DWI"}
	p, err := phantom.New(c)
	if err != nil {
		return nil, err
	}
	study, err := assemble(ctx, p)
	if err != nil {
		return nil, err
	}
	e := &exam{study: study, truth: p.Truth, motion: c.MotionMM, breasts: 2}
	e.place(p)
	return e, e.register(ctx)
}

func assemble(ctx context.Context, p *phantom.Study) (*experts.Study, error) {
	var files [][]byte
	var instances []series.Instance
	for _, ds := range p.Instances() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var b bytes.Buffer
		if err := dicom.Write(&b, ds, uid.ExplicitVRLittleEndian); err != nil {
			return nil, err
		}
		f, err := dicom.Scan(bytes.NewReader(b.Bytes()), int64(b.Len()), dicom.Limits{})
		if err != nil {
			return nil, err
		}
		header, err := dicom.Header(f)
		if err != nil {
			return nil, err
		}
		files = append(files, b.Bytes())
		instances = append(instances, series.Instance{Header: header, TransferSyntax: f.TransferSyntax})
	}
	return series.Assemble(ctx, instances, series.Sort(instances), func(_ context.Context, n int) (*dicom.File, io.Closer, error) {
		f, err := dicom.Scan(bytes.NewReader(files[n]), int64(len(files[n])), dicom.Limits{})
		return f, io.NopCloser(nil), err
	}, nil)
}

// place lays the truth on the study's grid, whose slices the analysis has sorted by their place.
func (e *exam) place(p *phantom.Study) {
	grid, from := &e.study.DCE[0].Volume.Grid, &p.Truth.Grid
	e.labels, e.tissue = make([]uint8, grid.Len()), make([]uint8, grid.Len())
	labels, tissue := p.Labels(), p.Tissue()
	for at, t := range tissue {
		row := at / from.Size[0]
		x, y, z := grid.At(volume.Vec(from.Point(float64(at%from.Size[0]), float64(row%from.Size[1]), float64(row/from.Size[1]))))
		i, j, k := int(math.Round(x)), int(math.Round(y)), int(math.Round(z))
		if grid.Contains(i, j, k) {
			to := grid.Index(i, j, k)
			e.labels[to], e.tissue[to] = labels[at], uint8(t)
		}
	}
}

// register lays the phases on the first one.
func (e *exam) register(ctx context.Context) error {
	breasts, _, err := lesion.Breasts(ctx, e.study)
	if err != nil {
		return err
	}
	pre := e.study.DCE[0].Volume
	mask := volume.NewMask(pre.Grid)
	for _, b := range breasts {
		for at, in := range b.Mask.Data {
			mask.Data[at] = mask.Data[at] || in
		}
	}
	for n := 1; n < len(e.study.DCE); n++ {
		phase := &e.study.DCE[n]
		r, err := registration.Register(ctx, pre, phase.Volume, registration.Options{Mask: mask})
		if err != nil {
			return fmt.Errorf("register phase %d: %w", n+1, err)
		}
		e.moved = append(e.moved, fmt.Sprintf("%.1f mm; rigid %s; deformation %s", r.Deform.MeanMM, r.Rigid.Reason, r.Deform.Reason))
		if !r.Rigid.Kept && !r.Deform.Kept {
			continue
		}
		phase.Volume, err = registration.Apply(ctx, phase.Volume, r.Transform, &pre.Grid, registration.Resampling{Kernel: registration.Cubic})
		if err != nil {
			return fmt.Errorf("register phase %d: %w", n+1, err)
		}
	}
	return nil
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
