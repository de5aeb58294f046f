package registration_test

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
	"mome/experts/volume"
	"mome/fixtures/phantom"
)

// read makes a phantom and builds its volumes as those of a received study.
func read(t testing.TB, c phantom.Config) (*phantom.Study, *experts.Study, *volume.Mask) {
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
	s, err := series.Assemble(t.Context(), instances, series.Sort(instances), open, nil)
	if err != nil {
		t.Fatal(err)
	}
	breasts, _, err := lesion.Breasts(t.Context(), s)
	if err != nil || len(breasts) == 0 {
		t.Fatalf("%d breasts, %v", len(breasts), err)
	}
	mask := volume.NewMask(s.DCE[0].Volume.Grid)
	for _, b := range breasts {
		for at, in := range b.Mask.Data {
			mask.Data[at] = mask.Data[at] || in
		}
	}
	return p, s, mask
}
