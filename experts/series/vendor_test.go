package series_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/experts"
	"mome/experts/series"
	"mome/experts/volume"
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

// TestVendorVolumes reads volumes from real files and compares every voxel's place and value with what dcm2niix makes
// of the same files.
func TestVendorVolumes(t *testing.T) {
	program, err := exec.LookPath("dcm2niix")
	if err != nil {
		t.Skip("dcm2niix is not installed")
	}
	for _, tc := range []struct {
		name, archive, part string
		dynamic             bool
		bs                  string  // b-values and images of a slice
		nii                 [][]int // for each stack, the volumes of the NIfTI file that it is the mean of
		tol                 float64 // relative, of the largest value
	}{
		{"GE phases", "ge_mr750_10phases_noTPI.zip", "mr_0004", true, "", [][]int{{0}, {1}, {2}, {3}, {4}, {5}, {6}, {7}, {8}, {9}}, 1e-5},
		{"GE phases, oblique", "ge_architect_multiphase_TPI.zip", "5_fMRI", true, "", [][]int{{0}, {1}, {2}}, 1e-5},
		{"Siemens XA enhanced phases", "siemens_xa20_enhanced_perfusion_timeseries.zip", "Siemens/", true, "", [][]int{{0}, {1}, {2}, {3}}, 1e-5},
		{"GE diffusion", "ge_signa_pioneer_dwi_tensor_b0_b1000.zip", "", false, "0 x1, 1000 x6", [][]int{{0}}, 1e-5},
		{"Siemens XA diffusion", "siemens_xa30_enhanced_dwi.zip", "10_DWI", false, "0 x1, 2500 x5", [][]int{{0}}, 1e-5},
		{"Canon diffusion", "canon_galan_enhanced_dwi_520frames.zip", "", false, "0 x1, 1500 x12", [][]int{{0}}, 1e-5},
		{"Philips diffusion", "philips_elition_classic_dwi_17vol.zip", "", false, "0 x5, 1000 x12", [][]int{{0, 4, 8, 12, 16}}, 1e-5},
	} {
		t.Run(tc.name, func(t *testing.T) {
			files, in, dir := vendorFiles(t, tc.archive, tc.part)
			if tc.dynamic {
				asDynamic(in)
			}
			r := series.Sort(in)
			var bs []string
			for _, b := range r.DWI {
				bs = append(bs, fmt.Sprintf("%g x%d", b.BSPerMM2, len(b.Slices[0])))
				r.DCE = append(r.DCE, series.Phase{Stack: b.Stack}) // nothing is built without phases
			}
			if got := strings.Join(bs, ", "); got != tc.bs {
				t.Fatalf("b-values %s, want %s\n%s", got, tc.bs, summary(r))
			}
			study, err := series.Assemble(t.Context(), in, r, openerOf(files), nil)
			if err != nil {
				t.Fatal(err)
			}
			out := t.TempDir()
			if text, err := exec.CommandContext(t.Context(), program, "-b", "n", "-z", "n", "-p", "n", "-f", "v", "-o", out, dir).CombinedOutput(); err != nil {
				t.Fatalf("dcm2niix: %v\n%s", err, text)
			}
			grid, want := readNIfTI(t, filepath.Join(out, "v.nii"))
			for n, volumes := range tc.nii {
				compareVolumes(t, study.DCE[n].Volume, grid, want, volumes, tc.tol)
			}
		})
	}
}

// compareVolumes looks every voxel of got up in the mean of some of the volumes of want.
func compareVolumes(t *testing.T, got *volume.Volume, grid volume.Grid, want [][]float32, volumes []int, tol float64) {
	t.Helper()
	if grid.Len() != got.Len() {
		t.Fatalf("size %v, dcm2niix has %v", got.Size, grid.Size)
	}
	largest, worst, placeMM := 0.0, 0.0, 0.0
	for n, value := range got.Data {
		i, j, k := got.Voxel(n)
		x, y, z := grid.At(got.Point(float64(i), float64(j), float64(k)))
		a, b, c := int(math.Round(x)), int(math.Round(y)), int(math.Round(z))
		if !grid.Contains(a, b, c) {
			t.Fatalf("voxel (%d,%d,%d) lies outside dcm2niix's volume: (%g,%g,%g)", i, j, k, x, y, z)
		}
		placeMM = max(placeMM, math.Abs(x-float64(a))*grid.SpacingMM[0], math.Abs(y-float64(b))*grid.SpacingMM[1], math.Abs(z-float64(c))*grid.SpacingMM[2])
		var sum float64
		for _, v := range volumes {
			sum += float64(want[v][grid.Index(a, b, c)])
		}
		worst = max(worst, math.Abs(float64(value)-sum/float64(len(volumes))))
		largest = max(largest, math.Abs(float64(value)))
	}
	if placeMM > 0.01 || worst > tol*largest || largest == 0 {
		t.Errorf("volume %v: values differ by up to %g of %g, places by up to %g mm", volumes, worst, largest, placeMM)
	}
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
