package pm_test

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/iod"
	"mome/dicomweb/iod/code"
	"mome/dicomweb/iod/multiframe"
	"mome/dicomweb/pm"
)

const rows, columns, slices = 5, 7, 4

// at is the place of a value of the test map.
func at(k, row, column int) int { return (k*rows+row)*columns + column }

// sparse is a map with values at three voxels of slices 1 and 3, columns 2 to 4, rows 1 to 2.
func sparse() *pm.Map {
	m := &pm.Map{
		Grid: multiframe.Grid{
			Rows: rows, Columns: columns, Orientation: [6]float64{0, 1, 0, 0, 0, -1}, PixelSpacingMM: [2]float64{0.5, 2},
			SliceThicknessMM: 3, SpacingBetweenSlicesMM: 3, FrameOfReferenceUID: "1.2.5",
		},
		Source:   multiframe.Source{SeriesUID: "1.2.3", SOPClassUID: uid.MRImageStorage},
		Data:     make([]float32, rows*columns*slices),
		Quantity: code.Saliency, Unit: code.Dimensionless, Derivation: code.VisualExplain,
		Name: "ATTRIBUTION", Label: "ATTRIBUTION", Description: "a test", Creator: "A",
	}
	for k := range slices {
		m.Grid.Positions = append(m.Grid.Positions, [3]float64{10 - 3*float64(k), 20, 30})
		m.Source.Slices = append(m.Source.Slices, multiframe.Slice{SOPInstanceUID: fmt.Sprintf("1.2.3.%d", k+1), Frame: k})
	}
	m.Data[at(1, 1, 2)], m.Data[at(1, 2, 4)], m.Data[at(3, 1, 3)] = 0.25, -1.5, 1e-9
	m.Data[at(0, 0, 0)] = float32(math.NaN())
	return m
}

// stored returns the map as another program reads it.
func stored(t *testing.T, m *pm.Map) (*dicom.Dataset, []byte) {
	t.Helper()
	d := dicom.New()
	now := time.Date(2025, 3, 14, 1, 2, 3, 0, time.UTC)
	iod.SOPCommon(d, uid.ParametricMapStorage, "1.2.99", now)
	d.Set(tag.StudyInstanceUID, "1.2")
	d.Set(tag.SeriesInstanceUID, "1.2.98")
	if err := m.Fill(d, now); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := dicom.Write(&b, d, uid.ExplicitVRLittleEndian); err != nil {
		t.Fatal(err)
	}
	f, err := dicom.Scan(bytes.NewReader(b.Bytes()), int64(b.Len()), dicom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	pixels, err := f.Value(f.Dataset.Get(tag.FloatPixelData))
	if err != nil {
		t.Fatal(err)
	}
	return f.Dataset, pixels
}

// TestReadBack: every value comes back at its place in the patient, from cut frames and from whole ones.
func TestReadBack(t *testing.T) {
	for _, whole := range []bool{false, true} {
		m := sparse()
		m.Whole = whole
		d, pixels := stored(t, m)
		got, err := pm.Read(d, pixels)
		if err != nil {
			t.Fatal(err)
		}
		if want := map[bool][3]int{false: {2, 2, 3}, true: {slices, rows, columns}}[whole]; [3]int{len(got.Grid.Positions), got.Grid.Rows, got.Grid.Columns} != want {
			t.Errorf("whole %v: %d frames of %d x %d, want %v", whole, len(got.Grid.Positions), got.Grid.Rows, got.Grid.Columns, want)
		}
		if !got.Quantity.Is(code.Saliency) || !got.Unit.Is(code.Dimensionless) || got.Name != m.Name || !got.Derivation.Is(m.Derivation) {
			t.Errorf("quantity %v in %v, named %q", got.Quantity, got.Unit, got.Name)
		}
		found := 0
		for i, v := range got.Data {
			if v == 0 {
				continue
			}
			found++
			k, row, column := i/(got.Grid.Rows*got.Grid.Columns), i/got.Grid.Columns%got.Grid.Rows, i%got.Grid.Columns
			p := place(&got.Grid, k, row, column)
			same := false
			for j, w := range m.Data {
				same = same || w == v && place(&m.Grid, j/(rows*columns), j/columns%rows, j%columns) == p &&
					m.Source.Slices[j/(rows*columns)] == got.Source.Slices[k]
			}
			if !same {
				t.Errorf("whole %v: value %v at %v is not in the map", whole, v, p)
			}
		}
		if found != 3 {
			t.Errorf("whole %v: %d values, want 3", whole, found)
		}
	}
}

// place is the centre of a pixel in patient space, by PS3.3 C.7.6.2.1.1.
func place(g *multiframe.Grid, k, row, column int) (p [3]float64) {
	for a := range p {
		p[a] = g.Positions[k][a] + g.Orientation[a]*float64(column)*g.PixelSpacingMM[1] + g.Orientation[3+a]*float64(row)*g.PixelSpacingMM[0]
	}
	return p
}

func TestFillRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*pm.Map)
		want   string
	}{
		{"no values", func(m *pm.Map) { clear(m.Data) }, "no voxel"},
		{"too few values", func(m *pm.Map) { m.Data = m.Data[1:] }, "values for"},
		{"no unit", func(m *pm.Map) { m.Unit = code.Code{} }, "no quantity"},
		{"a long name", func(m *pm.Map) { m.Name = strings.Repeat("x", 17) }, "16 characters"},
		{"source slices missing", func(m *pm.Map) { m.Source.Slices = nil }, "source slices"},
	} {
		m := sparse()
		c.change(m)
		if err := m.Fill(dicom.New(), time.Unix(0, 0)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q in it", c.name, err, c.want)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	d, pixels := stored(t, sparse())
	if _, err := pm.Read(d, pixels[4:]); err == nil {
		t.Error("a map without all its pixels was read")
	}
	d.Set(tag.SOPClassUID, uid.MRImageStorage)
	if _, err := pm.Read(d, pixels); err == nil {
		t.Error("an MR image was read as a map")
	}
}
