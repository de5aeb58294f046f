package experts_test

import (
	"archive/zip"
	"bytes"
	"context"
	"io"

	"path/filepath"
	"strings"
	"testing"

	"mome/dicomweb/dicom"
	"mome/experts"
	"mome/experts/dwi"
	"mome/experts/series"
	"mome/experts/volume"
	"mome/fixtures/phantom"
)

// TestADCOfPhantoms: the vendor's map was computed from the same noisy signals before they were rounded to whole numbers. A
// GE phantom's are up to 900; Siemens' and Philips' gland has less than 30 steps at b 800, which is what r lacks of 0.9995:
// without it all three agree.
func TestADCOfPhantoms(t *testing.T) {
	for _, c := range []struct {
		config phantom.Config
		r      float64
	}{
		{phantom.Config{Seed: 21, Vendor: phantom.GE}, 0.9999},
		{phantom.Config{Seed: 20}, 0.999},
		{phantom.Config{Seed: 22, Vendor: phantom.Philips}, 0.999},
	} {
		c.config.Without, c.config.Phases = []string{"T2"}, 2
		op := read(t, experts.DWI, examine(t, c.config), nil)
		if len(op.Checks) != 1 {
			t.Fatalf("%d checks of the ADC, want 1", len(op.Checks))
		}
		check := op.Checks[0]
		near(t, "r", check.R, 1, 1-c.r)
		near(t, "median ratio", check.MedianRatio, 1, 0.002)
		if !check.Agrees || check.Voxels < 1000 || check.SeriesUID == "" || !strings.Contains(check.Text, "b 50, 400, 800") {
			t.Errorf("%+v", check)
		}
		t.Log(check.Text)
	}
}

// TestADCOfVendor: Siemens XA30's map of the brain against its own b 0 and its trace images of b 2500, which are cut off to
// whole numbers: half a step of about 50 raises the fit by half a per cent.
func TestADCOfVendor(t *testing.T) {
	z, err := zip.OpenReader(filepath.Join("..", "..", "shared", "data", "vendor-dicom", "siemens_xa30_enhanced_dwi.zip"))
	if err != nil {
		t.Skipf("no vendor files beside the repository: %v", err)
	}
	defer z.Close()
	dwiOf := func(part string) *experts.Study { return assembled(t, &z.Reader, part) }
	b0, trace, adc := dwiOf("10_DWI"), dwiOf("12_DWI"), dwiOf("11_DWI")
	s := &experts.Study{ADC: adc.DCE[0].Volume, DWI: []experts.BVolume{
		{BSPerMM2: 0, Volume: b0.DCE[0].Volume}, {BSPerMM2: 2500, Volume: trace.DCE[0].Volume}}}
	e, err := dwi.New(dwi.Config{})
	if err != nil {
		t.Fatal(err)
	}
	op, err := e.Read(t.Context(), s, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(op.Checks) != 1 {
		t.Fatalf("%d checks, want 1", len(op.Checks))
	}
	check := op.Checks[0]
	near(t, "r", check.R, 1, 0.0005)
	near(t, "median ratio", check.MedianRatio, 1.0025, 0.0025)
	if check.Voxels < 30000 || !check.Agrees {
		t.Errorf("%+v", check)
	}
	t.Log(check.Text)

	// With half a step added to the trace images nothing but rounding is left.
	half := volume.New(trace.DCE[0].Volume.Grid)
	for at, v := range trace.DCE[0].Volume.Data {
		if v > 0 {
			half.Data[at] = v + 0.5
		}
	}
	s.DWI[1].Volume = half
	if op, err = e.Read(t.Context(), s, nil, nil); err != nil {
		t.Fatal(err)
	}
	near(t, "r with half a step", op.Checks[0].R, 1, 0.0001)
	near(t, "median ratio with half a step", op.Checks[0].MedianRatio, 1, 0.0005)
}

// assembled builds the stacks of the files whose names contain part, as if each were a phase: diffusion alone is no study.
func assembled(t *testing.T, z *zip.Reader, part string) *experts.Study {
	t.Helper()
	var files []*dicom.File
	var instances []series.Instance
	for _, entry := range z.File {
		if !strings.Contains(entry.Name, part) || !strings.HasSuffix(entry.Name, ".dcm") {
			continue
		}
		r, err := entry.Open()
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			t.Fatal(err)
		}
		f, err := dicom.Scan(bytes.NewReader(raw), int64(len(raw)), dicom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		h, err := dicom.Header(f)
		if err != nil {
			t.Fatal(err)
		}
		files, instances = append(files, f), append(instances, series.Instance{Header: h, TransferSyntax: f.TransferSyntax})
	}
	sorted := series.Sort(instances)
	for _, b := range sorted.DWI {
		sorted.DCE = append(sorted.DCE, series.Phase{Stack: b.Stack})
	}
	if sorted.ADC != nil {
		sorted.DCE = append(sorted.DCE, series.Phase{Stack: *sorted.ADC})
	}
	if len(sorted.DCE) == 0 {
		t.Fatalf("no stack in %s", part)
	}
	sorted.DCE = append(sorted.DCE, sorted.DCE[0]) // two phases are the least
	open := func(_ context.Context, i int) (*dicom.File, io.Closer, error) {
		return files[i], io.NopCloser(nil), nil
	}
	s, err := series.Assemble(t.Context(), instances, sorted, open, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
