package series_test

import (
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/experts"
	"mome/experts/series"
	"mome/experts/volume"
	"mome/fixtures/phantom"
)

// vendorFiles reads the DICOM files of an archive of shared/data/vendor-dicom whose names contain part, and leaves them
// in dir for other programs.
func vendorFiles(t *testing.T, archive, part string) (files []*dicom.File, in []series.Instance, dir string) {
	t.Helper()
	root, err := os.Getwd()
	for err == nil && root != "/" {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		root = filepath.Dir(root)
	}
	dir = t.TempDir()
	path := filepath.Join(root, "..", "shared", "data", "vendor-dicom", archive)
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Skipf("no vendor files: %v", err)
	}
	defer z.Close()
	for _, entry := range z.File {
		r, err := entry.Open()
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			t.Fatal(err)
		}
		if len(raw) < 132 || string(raw[128:132]) != "DICM" || !strings.Contains(entry.Name, part) {
			continue
		}
		f, err := dicom.Scan(bytes.NewReader(raw), int64(len(raw)), dicom.Limits{})
		if err != nil {
			t.Fatalf("%s: %v", entry.Name, err)
		}
		h, err := dicom.Header(f)
		if err != nil {
			t.Fatalf("%s: %v", entry.Name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.dcm", len(files))), raw, 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
		in = append(in, series.Instance{Header: h, TransferSyntax: f.TransferSyntax})
	}
	if len(in) == 0 {
		t.Fatalf("%s holds no DICOM file with %q in its name", archive, part)
	}
	return files, in, dir
}

func openerOf(files []*dicom.File) series.Opener {
	return func(_ context.Context, i int) (*dicom.File, io.Closer, error) {
		return files[i], io.NopCloser(nil), nil
	}
}

// asDynamic makes the headers those of a T1-weighted gradient echo: time series of brains and phantoms then stand for
// dynamic ones, whose phases their vendors store in the same way.
func asDynamic(in []series.Instance) {
	for _, i := range in {
		i.Header.Set(tag.ScanningSequence, "GR")
		i.Header.Set(tag.RepetitionTime, 5)
		i.Header.Set(tag.EchoTime, 2)
		i.Header.Set(tag.FlipAngle, 10)
		i.Header.Set(tag.EchoPlanarPulseSequence, "NO")
		for _, g := range append(i.Header.Items(tag.PerFrameFunctionalGroupsSequence), i.Header.Items(tag.SharedFunctionalGroupsSequence)...) {
			g.Delete(tag.MREchoSequence)
			g.Delete(tag.MRTimingAndRelatedParametersSequence)
		}
	}
}

func TestVendorPhases(t *testing.T) {
	for _, tc := range []struct {
		name, archive, part string
		phases, slices      int
		known               bool
		lastS               float64
		how                 string
	}{
		{"GE with identifiers, one time", "ge_architect_multiphase_TPI.zip", "2_fMRI", 10, 10, false, 540, "Temporal Position"},
		{"GE with identifiers and times", "ge_architect_multiphase_TPI.zip", "5_fMRI", 10, 10, true, 18, "Temporal Position. Times: Content Time"},
		{"GE without identifiers", "ge_mr750_10phases_noTPI.zip", "mr_0004", 10, 15, false, 540, "repeats of each position"},
		{"Siemens enhanced, a file for each", "siemens_xa20_enhanced_perfusion_timeseries.zip", "Siemens/", 4, 25, false, 180, "Temporal Position"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, in, _ := vendorFiles(t, tc.archive, tc.part)
			asDynamic(in)
			r := series.Sort(in)
			if len(r.DCE) != tc.phases || r.TimesKnown != tc.known {
				t.Fatalf("%d phases, known %v; want %d, %v\n%s", len(r.DCE), r.TimesKnown, tc.phases, tc.known, summary(r))
			}
			last := r.DCE[len(r.DCE)-1]
			if len(last.Slices) != tc.slices || math.Abs(last.TimeS-tc.lastS) > 0.1 {
				t.Errorf("%d slices, last phase at %g s; want %d, %g s", len(last.Slices), last.TimeS, tc.slices, tc.lastS)
			}
			if got := r.Series[0].Reason; r.Series[0].Role != experts.RoleDCE || !strings.Contains(got, tc.how) {
				t.Errorf("reason %q, want %q", got, tc.how)
			}
		})
	}
}

// TestVendorRoles says what every series of the vendors' files is to a breast exam, and on what ground. None of them is a
// breast, and most have a part of their images only.
func TestVendorRoles(t *testing.T) {
	for _, tc := range []struct {
		archive, part string
		want          string   // the summary
		reasons       []string // of each series, a part of it
	}{
		{"canon_galan_enhanced_dwi_520frames.zip", "", "6000 DWI used: b 0, 1500 s/mm2\n", []string{"Diffusion b-value (0018,9087)"}},
		{"ge_architect_multiphase_TPI.zip", "", "2 excluded: echo-planar\n5 excluded: echo-planar\n", []string{"without diffusion weighting", "without diffusion weighting"}},
		{"ge_mr750_10phases_noTPI.zip", "", "4 excluded: echo-planar\n", []string{"without diffusion weighting"}},
		{"ge_signa_pioneer_dwi_tensor_b0_b1000.zip", "", "1 DWI used: b 0, 1000 s/mm2\n", []string{"(0018,9087)"}},
		{"philips_elition_classic_dwi_17vol.zip", "", "701 DWI used: b 0, 1000 s/mm2\n", []string{"b 0: mean of 5 images"}},
		{"siemens_signed12bit.zip", "12bitUnsigned.dcm", "2 excluded: echo-planar\n", []string{"without diffusion weighting"}},
		{"siemens_xa20_enhanced_perfusion_timeseries.zip", "Siemens/", "11 excluded: echo-planar\n", []string{"without diffusion weighting"}},
		{"siemens_xa20_enhanced_perfusion_timeseries.zip", "Agfa/", "11 excluded: echo-planar\n", []string{"without diffusion weighting"}},
		{"siemens_xa30_enhanced_dwi.zip", "", "10 DWI used: b 0, 2500 s/mm2\n11 ADC used: 39 slices\n12 DWI: b 2500 s/mm2, not used\n16 excluded: computed map\n",
			[]string{"b 2500: geometric mean over 5 images", `DIFFUSION\ADC`, "two b-values or more", "TENSOR_B0"}},
		{"uih_umr770_dwi.zip", "In/DTI", "12 DWI used: b 1.3, 929.8 s/mm2\n", []string{"UIH b-value (0065,xx09)"}},
	} {
		t.Run(tc.archive+" "+tc.part, func(t *testing.T) {
			_, in, _ := vendorFiles(t, tc.archive, tc.part)
			r := series.Sort(in)
			if got := summary(r); got != tc.want {
				t.Fatalf("got\n%swant\n%s", got, tc.want)
			}
			for i, u := range r.Series {
				if !strings.Contains(u.Reason, tc.reasons[i]) {
					t.Errorf("series %d: reason %q does not tell %q", u.Number, u.Reason, tc.reasons[i])
				}
				if u.Confidence < 0.7 {
					t.Errorf("series %d: confidence %g", u.Number, u.Confidence)
				}
			}
		})
	}
}

// TestVendorVolumes reads every volume that is built of real files and compares each voxel's place and value with what
// dcm2niix makes of the same files. Left out is one computed map (series 16 of the XA30 study), which is never read.
func TestVendorVolumes(t *testing.T) {
	for _, tc := range []struct {
		name, archive, part string
		dynamic             bool
		bs                  string // b-values and images of a slice
	}{
		{"GE phases", "ge_mr750_10phases_noTPI.zip", "mr_0004", true, ""},
		{"GE phases with identifiers", "ge_architect_multiphase_TPI.zip", "2_fMRI", true, ""},
		{"GE phases, oblique", "ge_architect_multiphase_TPI.zip", "5_fMRI", true, ""},
		{"Siemens XA enhanced phases", "siemens_xa20_enhanced_perfusion_timeseries.zip", "Siemens/", true, ""},
		{"Siemens XA enhanced phases from Agfa's archive", "siemens_xa20_enhanced_perfusion_timeseries.zip", "Agfa/", true, ""},
		{"GE diffusion", "ge_signa_pioneer_dwi_tensor_b0_b1000.zip", "", false, "0 x1, 1000 x6"},
		{"Siemens XA diffusion", "siemens_xa30_enhanced_dwi.zip", "In/10_DWI", false, "0 x1, 2500 x5"},
		{"Siemens XA ADC map", "siemens_xa30_enhanced_dwi.zip", "In/11_DWI", false, ""},
		{"Siemens XA trace image", "siemens_xa30_enhanced_dwi.zip", "In/12_DWI", false, "2500 x1"},
		{"Canon diffusion", "canon_galan_enhanced_dwi_520frames.zip", "", false, "0 x1, 1500 x12"},
		{"Siemens mosaic", "siemens_signed12bit.zip", "12bitUnsigned.dcm", true, ""},
		{"Siemens mosaic, padded samples", "siemens_signed12bit.zip", "12bitUnsigned_0x0F0F.dcm", true, ""},
		{"Siemens mosaic, signed", "siemens_signed12bit.zip", "12bitSigned_0x0F0F.dcm", true, ""},
		{"UIH mosaic diffusion", "uih_umr770_dwi.zip", "In/DTI", false, "1.251 x1, 929.8 x16"},
		{"Philips diffusion", "philips_elition_classic_dwi_17vol.zip", "", false, "0 x5, 1000 x12"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			files, in, dir := vendorFiles(t, tc.archive, tc.part)
			if tc.dynamic {
				asDynamic(in)
			}
			if len(in) == 1 && tc.dynamic { // one volume does not make a dynamic series: have it twice
				in, files = append(in, series.Instance{Header: in[0].Header.Clone(), TransferSyntax: in[0].TransferSyntax}), append(files, files[0])
				for n := range in {
					in[n].Header.Set(tag.SOPInstanceUID, fmt.Sprintf("1.2.%d", n+1))
					in[n].Header.Set(tag.TemporalPositionIdentifier, n+1)
				}
			}
			r := series.Sort(in)
			stacks := stacksOf(r)
			var bs []string
			for _, b := range r.DWI {
				bs = append(bs, fmt.Sprintf("%.4g x%d", b.BSPerMM2, len(b.Slices[0])))
			}
			if got := strings.Join(bs, ", "); got != tc.bs || len(stacks) == 0 {
				t.Fatalf("b-values %s, want %s\n%s", got, tc.bs, summary(r))
			}
			nii := convert(t, dir)
			if len(nii) != 1 {
				t.Fatalf("dcm2niix wrote %d files", len(nii))
			}
			if tc.part == "12bitSigned_0x0F0F.dcm" { // before 2023 dcm2niix did not extend the sign of twelve bits
				for _, v := range nii[0].volumes {
					for i := range v {
						if v[i] > 2047 {
							v[i] -= 4096
						}
					}
				}
			}
			for n, s := range stacks {
				got := build(t, in, s.Stack, openerOf(files))
				var of [][]float32
				for k, v := range nii[0].volumes {
					if s.b >= 0 && nii[0].bs != nil && math.Abs(nii[0].bs[k]-s.b) <= 5 || (math.IsNaN(s.b) || nii[0].bs == nil) && k == n%len(nii[0].volumes) {
						of = append(of, v)
					}
				}
				if len(of) != len(s.Slices[0]) {
					t.Fatalf("stack %d has %d images of a slice, dcm2niix has %d volumes", n, len(s.Slices[0]), len(of))
				}
				compareVolumes(t, got, nii[0].grid, of, s.Geometric)
			}
		})
	}
}

// TestPhantomVolumes compares, for phantom studies as every vendor stores them, each volume that is built with what
// dcm2niix makes of the same series: one of its volumes is the same.
func TestPhantomVolumes(t *testing.T) {
	for _, c := range []phantom.Config{
		{Vendor: phantom.Siemens}, {Vendor: phantom.GE, ObliqueDeg: 9}, {Vendor: phantom.Philips}, {Vendor: phantom.UIH}, {Vendor: phantom.GESplit},
		{Vendor: phantom.SiemensXA}, {Vendor: phantom.SiemensXA, ObliqueDeg: 9, Acquisition: phantom.Acquisition{Plane: phantom.Sagittal}},
		{Vendor: phantom.Canon}, {Vendor: phantom.Canon, ObliqueDeg: 9, Acquisition: phantom.Acquisition{Plane: phantom.Coronal, Unilateral: phantom.Right}},
		{Vendor: phantom.GE, Acquisition: phantom.Acquisition{Split: true}},
	} {
		t.Run(fmt.Sprintf("%s %+v", c.Vendor, c.Acquisition), func(t *testing.T) {
			c.Resolution, c.Phases, c.Lesions = phantom.Tiny, 3, []phantom.Lesion{}
			e := phantomExam(t, c)
			converted := map[string][]nifti{} // by Series Instance UID
			for _, s := range stacksOf(series.Sort(e.instances)) {
				nii, ok := converted[s.SeriesUID]
				if !ok {
					nii = convert(t, e.files(t, s.SeriesUID))
					converted[s.SeriesUID] = nii
				}
				got := build(t, e.instances, s.Stack, e.opener(t))
				same := 0
				for _, n := range nii {
					for _, v := range n.volumes {
						if value, place, ok := differences(got, n.grid, [][]float32{v}, false); ok && value < 1e-6 && place < 1e-3 {
							same++
						}
					}
				}
				if same != 1 {
					t.Errorf("series %s: %d of dcm2niix's volumes are that of b %g, want one", e.describe(s.SeriesUID), same, s.b)
				}
			}
		})
	}
}

// stack is one of those that a result holds; b is NaN where it has no b-value.
type stack struct {
	series.Stack
	b float64
}

// stacksOf lists all stacks of a result.
func stacksOf(r series.Result) (out []stack) {
	for _, p := range r.DCE {
		out = append(out, stack{p.Stack, math.NaN()})
	}
	for _, b := range r.DWI {
		out = append(out, stack{b.Stack, b.BSPerMM2})
	}
	for _, s := range []*series.Stack{r.T2, r.ADC} {
		if s != nil {
			out = append(out, stack{*s, math.NaN()})
		}
	}
	return out
}

// build reads a stack's volume as it is rescaled.
func build(t *testing.T, in []series.Instance, s series.Stack, open series.Opener) *volume.Volume {
	t.Helper()
	v, err := series.ReadStack(t.Context(), in, s, open)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// files writes the instances of a series into a folder.
func (e *exam) files(t *testing.T, seriesUID string) string {
	dir := t.TempDir()
	for i, in := range e.instances {
		if in.Header.String(tag.SeriesInstanceUID) != seriesUID {
			continue
		}
		f, err := os.Create(filepath.Join(dir, fmt.Sprintf("%d.dcm", i)))
		if err != nil {
			t.Fatal(err)
		}
		if err := cmp.Or(dicom.Write(f, in.Header, explicit), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func (e *exam) describe(seriesUID string) string {
	for _, in := range e.instances {
		if in.Header.String(tag.SeriesInstanceUID) == seriesUID {
			return in.Header.String(tag.SeriesDescription)
		}
	}
	return seriesUID
}

// compareVolumes looks every voxel of got up in the mean of volumes.
func compareVolumes(t *testing.T, got *volume.Volume, grid volume.Grid, volumes [][]float32, geometric bool) {
	t.Helper()
	// 1e-5 of the largest value: float32 sums of up to 16 volumes.
	if value, placeMM, ok := differences(got, grid, volumes, geometric); !ok || placeMM > 1e-3 || value > 1e-5 {
		t.Errorf("values differ by up to %g of the largest, places by up to %g mm (%v of %v)", value, placeMM, grid.Size, got.Size)
	}
}

// differences returns the largest difference of values, over the largest value, and of places between got and the mean
// of volumes on a grid; not ok where a voxel has no counterpart.
func differences(got *volume.Volume, grid volume.Grid, volumes [][]float32, geometric bool) (value, placeMM float64, ok bool) {
	if grid.Len() != got.Len() {
		return 0, 0, false
	}
	largest, worst := 0.0, 0.0
	for n, v := range got.Data {
		x, y, z := grid.At(got.Point(voxel(got, n)))
		a, b, c := int(math.Round(x)), int(math.Round(y)), int(math.Round(z))
		if !grid.Contains(a, b, c) {
			return 0, 0, false
		}
		placeMM = max(placeMM, math.Abs(x-float64(a))*grid.SpacingMM[0], math.Abs(y-float64(b))*grid.SpacingMM[1], math.Abs(z-float64(c))*grid.SpacingMM[2])
		var sum float64
		for _, of := range volumes {
			f := float64(of[grid.Index(a, b, c)])
			if geometric {
				f = math.Log(f)
			}
			sum += f
		}
		if sum /= float64(len(volumes)); geometric {
			sum = math.Exp(sum)
		}
		worst, largest = max(worst, math.Abs(float64(v)-sum)), max(largest, math.Abs(float64(v)))
	}
	return worst / largest, placeMM, largest > 0
}

// nifti is one file that dcm2niix wrote; bs are the b-values of its volumes, nil where it told none.
type nifti struct {
	grid    volume.Grid
	volumes [][]float32
	bs      []float64
}

// convert runs dcm2niix on a folder.
func convert(t *testing.T, dir string) (out []nifti) {
	t.Helper()
	program, err := exec.LookPath("dcm2niix")
	if err != nil {
		t.Skip("dcm2niix is not installed")
	}
	to := t.TempDir()
	if text, err := exec.CommandContext(t.Context(), program, "-b", "n", "-z", "n", "-p", "n", "-f", "v", "-o", to, dir).CombinedOutput(); err != nil {
		t.Fatalf("dcm2niix: %v\n%s", err, text)
	}
	names, err := filepath.Glob(filepath.Join(to, "*.nii"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		n := nifti{}
		n.grid, n.volumes = readNIfTI(t, name)
		if text, err := os.ReadFile(strings.TrimSuffix(name, ".nii") + ".bval"); err == nil {
			for _, f := range strings.Fields(string(text)) {
				b, err := strconv.ParseFloat(f, 64)
				if err != nil {
					t.Fatal(err)
				}
				n.bs = append(n.bs, b)
			}
		}
		out = append(out, n)
	}
	return out
}

// readNIfTI returns the grid and the volumes, scaled, of an uncompressed NIfTI-1 file of 16-bit integers.
func readNIfTI(t *testing.T, path string) (g volume.Grid, volumes [][]float32) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	short := func(at int) int { return int(int16(binary.LittleEndian.Uint16(b[at:]))) }
	float := func(at int) float64 { return float64(math.Float32frombits(binary.LittleEndian.Uint32(b[at:]))) }
	slope, intercept, datatype, at := float(112), float(116), short(70), int(float(108))
	if slope == 0 {
		slope = 1
	}
	var axis [3]volume.Vec // columns of the sform, LPS
	for r := range 3 {
		sign := [3]float64{-1, -1, 1}[r]
		for a := range 3 {
			axis[a][r] = sign * float(280+16*r+4*a)
		}
		g.Origin[r] = sign * float(280+16*r+12)
	}
	for a := range 3 {
		g.Size[a], g.SpacingMM[a] = short(42+2*a), axis[a].Norm()
		g.Axis[a] = axis[a].Scale(1 / g.SpacingMM[a])
	}
	for range max(1, short(48)) {
		v := make([]float32, g.Len())
		for i := range v {
			switch datatype {
			case 4:
				v[i] = float32(float64(int16(binary.LittleEndian.Uint16(b[at:])))*slope + intercept)
			case 512:
				v[i] = float32(float64(binary.LittleEndian.Uint16(b[at:]))*slope + intercept)
			default:
				t.Fatalf("NIfTI data type %d", datatype)
			}
			at += 2
		}
		volumes = append(volumes, v)
	}
	return g, volumes
}
