package dce_test

import (
	"bytes"
	"context"
	"io"
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/uid"
	"mome/experts"
	"mome/experts/lesion"
	"mome/experts/series"
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
	e := exam{Study: p, tissue: p.Tissue()}
	if e.volumes, err = series.Assemble(t.Context(), instances, series.Sort(instances), open, nil); err != nil {
		t.Fatal(err)
	}
	if e.breasts, _, err = lesion.Breasts(t.Context(), e.volumes); err != nil || len(e.breasts) != 2 {
		t.Fatalf("%d breasts, %v", len(e.breasts), err)
	}
	return e
}
