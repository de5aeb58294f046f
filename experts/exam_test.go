package experts_test

import (
	"bytes"
	"context"
	"io"
	"math"
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/uid"
	"mome/experts"
	"mome/experts/dce"
	"mome/experts/dwi"
	"mome/experts/lesion"
	"mome/experts/series"
	"mome/experts/t2"
	"mome/experts/volume"
	"mome/fixtures/phantom"
	"mome/fixtures/phantom/anatomy"
)

// exam is a phantom as a received study, with its breasts found and its tissues on the study's grid.
type exam struct {
	*phantom.Study
	volumes *experts.Study
	breasts []experts.Breast
	tissue  []anatomy.Tissue
}

func examine(t testing.TB, c phantom.Config) exam {
	t.Helper()
	p, err := phantom.New(c)
	if err != nil {
		t.Fatal(err)
	}
	var files []*dicom.File
	var instances []series.Instance
	for name, ds := range p.Instances() {
		var b bytes.Buffer
		if err := dicom.Write(&b, ds, uid.ExplicitVRLittleEndian); err != nil {
			t.Fatalf("write %s: %v", name, err)
		}
		f, err := dicom.Scan(bytes.NewReader(b.Bytes()), int64(b.Len()), dicom.Limits{})
		if err != nil {
			t.Fatalf("scan %s: %v", name, err)
		}
		h, err := dicom.Header(f)
		if err != nil {
			t.Fatalf("header of %s: %v", name, err)
		}
		files = append(files, f)
		instances = append(instances, series.Instance{Header: h, TransferSyntax: uid.ExplicitVRLittleEndian})
	}
	open := func(_ context.Context, i int) (*dicom.File, io.Closer, error) {
		return files[i], io.NopCloser(nil), nil
	}
	e := exam{Study: p}
	if e.volumes, err = series.Assemble(t.Context(), instances, series.Sort(instances), open, nil); err != nil {
		t.Fatal(err)
	}
	e.tissue = e.onStudy(p.Tissue())
	if e.breasts, _, err = lesion.Breasts(t.Context(), e.volumes); err != nil || len(e.breasts) != 2 {
		t.Fatalf("%d breasts, %v", len(e.breasts), err)
	}
	return e
}

// onStudy brings tissues from the phantom's dynamic grid to the study's, which has the same voxels in another order: the
// slices are sorted by place, and a scanner may send them from head to feet.
func (e exam) onStudy(tissue []anatomy.Tissue) []anatomy.Tissue {
	truth, g := &e.Truth.Grid, &e.volumes.DCE[0].Volume.Grid
	out := make([]anatomy.Tissue, g.Len())
	for at, is := range tissue {
		row := at / truth.Size[0]
		x, y, z := g.At(volume.Vec(truth.Point(float64(at%truth.Size[0]), float64(row%truth.Size[1]), float64(row/truth.Size[1]))))
		out[g.Index(int(x+0.5), int(y+0.5), int(z+0.5))] = is
	}
	return out
}

// read lets the expert of one modality, with its default settings, read e.
func read(t testing.TB, m experts.Modality, e exam, lesions []*experts.Lesion) *experts.Opinion {
	t.Helper()
	var expert experts.Expert
	var err error
	switch m {
	case experts.DCE:
		expert, err = dce.New(dce.Config{})
	case experts.T2:
		expert, err = t2.New(t2.Config{})
	case experts.DWI:
		expert, err = dwi.New(dwi.Config{})
	}
	if err != nil {
		t.Fatal(err)
	}
	op, err := expert.Read(t.Context(), e.volumes, e.breasts, lesions)
	if err != nil {
		t.Fatal(err)
	}
	return op
}

func near(t *testing.T, what string, got experts.Quantity, want, tolerance float64) {
	t.Helper()
	if !got.Known || !(math.Abs(got.Value-want) <= tolerance) {
		t.Errorf("%s: %+v, want %g within %g", what, got, want, tolerance)
	}
}
