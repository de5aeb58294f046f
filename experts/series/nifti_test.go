package series_test

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/experts/series"
	"mome/experts/volume"
)

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
