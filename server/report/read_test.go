package report_test

import (
	"bytes"
	"fmt"
	"math"
	"reflect"
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/experts"
	"mome/experts/volume"
	"mome/fusion"
	"mome/server/report"
)

// readBack returns what another program makes of the results of a.
func readBack(t *testing.T, a *fusion.Assessment) *fusion.Assessment {
	t.Helper()
	o := mustBuild(t, a, source())
	structured, _ := scanned(t, written(t, o.SR))
	var segmentation *dicom.Dataset
	var pixels []byte
	if o.SEG != nil {
		segmentation, pixels = scanned(t, written(t, o.SEG))
	}
	got, err := report.Read(structured, segmentation, pixels)
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	return got
}

func TestReadBack(t *testing.T) {
	for _, c := range outcomes {
		t.Run(c.name, func(t *testing.T) {
			want := c.make()
			got := readBack(t, want)
			if got.StudyUID != want.StudyUID || got.Outcome != want.Outcome || got.Reason.Code != want.Reason.Code {
				t.Errorf("study %s %q %q, want %s %q %q", got.StudyUID, got.Outcome, got.Reason.Code, want.StudyUID, want.Outcome, want.Reason.Code)
			}
			if !reflect.DeepEqual(got.Present, want.Present) {
				t.Errorf("present %v, want %v", got.Present, want.Present)
			}
			algorithm := want.Algorithm
			algorithm.TrainedOn = "" // in the comments
			if !reflect.DeepEqual(got.Algorithm, algorithm) {
				t.Errorf("algorithm %+v, want %+v", got.Algorithm, algorithm)
			}
			sameSeries(t, got.Series, want.Series)
			if !reflect.DeepEqual(got.Settings, want.Settings) {
				t.Errorf("settings %v, want %v", got.Settings, want.Settings)
			}
			sameFindings(t, got, want)
			sameBreasts(t, got, want)
		})
	}
}

func sameSeries(t *testing.T, got, want []experts.SeriesUse) {
	t.Helper()
	n := 0
	for _, w := range want {
		if len(w.Instances) == 0 {
			continue
		}
		if n == len(got) {
			t.Fatalf("%d series, want more", n)
		}
		g := got[n]
		if g.SeriesUID != w.SeriesUID || g.Role != w.Role || g.SOPClassUID != w.SOPClassUID ||
			g.FrameOfReference != w.FrameOfReference || !reflect.DeepEqual(g.Instances, w.Instances) {
			t.Errorf("series %+v, want %+v", g, w)
		}
		n++
	}
	if n != len(got) {
		t.Errorf("%d series, want %d", len(got), n)
	}
}

func sameFindings(t *testing.T, got, want *fusion.Assessment) {
	t.Helper()
	if len(got.Findings) != len(want.Findings) {
		t.Fatalf("%d findings, want %d", len(got.Findings), len(want.Findings))
	}
	for i, w := range want.Findings {
		g := got.Findings[i]
		if g.Label != w.Label || g.TrackingUID != w.TrackingUID || g.Side != w.Side || g.Quadrant != w.Quadrant ||
			g.WorstCurve != w.WorstCurve || g.Suspicion != w.Suspicion {
			t.Errorf("finding %+v %+v, want %+v %+v", g, *g.Lesion, w, *w.Lesion)
		}
		if d := g.CentreMM.Sub(w.CentreMM).Norm(); d > 1e-4 { // written as 32-bit floats
			t.Errorf("%s: centre %v is %g mm off %v", w.Label, g.CentreMM, d, w.CentreMM)
		}
		// Half of the last digit that is written.
		for _, q := range []struct {
			name      string
			got, want experts.Quantity
			tolerance float64
		}{
			{"probability", g.Probability, w.Probability, 0.0005}, {"volume", experts.Known(g.VolumeCM3), experts.Known(w.VolumeCM3), 0.0005},
			{"long axis", experts.Known(g.LongAxisMM), experts.Known(w.LongAxisMM), 0.05},
			{"short axis", experts.Known(g.ShortAxisMM), experts.Known(w.ShortAxisMM), 0.05},
			{"sphericity", experts.Known(g.Sphericity), experts.Known(w.Sphericity), 0.0005},
			{"PE early", g.PEEarly, w.PEEarly, 0.05}, {"PE peak", g.PEPeak, w.PEPeak, 0.05}, {"SER", g.SER, w.SER, 0.005},
			{"time to peak", g.TimeToPeak, w.TimeToPeak, 0.05}, {"FTV", g.FTVCM3, w.FTVCM3, 0.0005},
			{"ADC", g.ADC, w.ADC, 0.5}, {"T2 ratio", g.T2Ratio, w.T2Ratio, 0.005},
		} {
			if q.got.Known != q.want.Known || math.Abs(q.got.Value-q.want.Value) > q.tolerance*(1+1e-9) {
				t.Errorf("%s: %s %+v, want %+v", w.Label, q.name, q.got, q.want)
			}
		}
		for c, share := range w.CurveShare {
			if math.Abs(g.CurveShare[c]-share) > 0.0015 {
				t.Errorf("%s: share of %s %v, want %v", w.Label, c, g.CurveShare[c], share)
			}
		}
		if len(g.Contributions) != len(w.Contributions) {
			t.Fatalf("%s: contributions %v, want %v", w.Label, g.Contributions, w.Contributions)
		}
		for n, c := range w.Contributions {
			if h := g.Contributions[n]; h.Modality != c.Modality || math.Abs(h.Share-c.Share) > 0.001 || math.Abs(h.LogOdds-c.LogOdds) > 0.0005 {
				t.Errorf("%s: contribution %+v, want %+v", w.Label, h, c)
			}
		}
		sameMask(t, w.Label, g.Mask, w.Mask)
		sameFields(t, w.Label, reflect.ValueOf(*g.Lesion), reflect.ValueOf(*w.Lesion))
	}
}

// sameFields compares structs field by field, floats within 2 % and half of the third decimal, which is the last of most that are written.
func sameFields(t *testing.T, name string, got, want reflect.Value) {
	t.Helper()
	switch want.Kind() {
	case reflect.Struct:
		for n := range want.NumField() {
			field := want.Type().Field(n)
			sameFields(t, name+"."+field.Name, got.Field(n), want.Field(n))
		}
	case reflect.Float64:
		if math.Abs(got.Float()-want.Float()) > 0.02*math.Abs(want.Float())+5e-4 {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	case reflect.Slice, reflect.Array:
		if got.Len() != want.Len() {
			t.Errorf("%s has %d elements, want %d", name, got.Len(), want.Len())
			return
		}
		for n := range want.Len() {
			sameFields(t, fmt.Sprintf("%s[%d]", name, n), got.Index(n), want.Index(n))
		}
	case reflect.Pointer: // masks are compared by places; of other lesions the label tells which it is
		if l, ok := want.Interface().(*experts.Lesion); ok && got.Interface().(*experts.Lesion).Label != l.Label {
			t.Errorf("%s is another lesion than %s", name, l.Label)
		}
	case reflect.Map: // compared by who calls
	default:
		if got.Interface() != want.Interface() {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}

// TestEverythingIsWritten: the case that is read back has a value in every field of a lesion and of a breast, so that none
// that is added can be forgotten.
func TestEverythingIsWritten(t *testing.T) {
	a := withFindings()
	for _, v := range []reflect.Value{
		reflect.ValueOf(*a.Findings[0].Lesion), reflect.ValueOf(a.Findings[0].HotSpot), reflect.ValueOf(a.Findings[0].HotSpot.Kinetics),
		reflect.ValueOf(a.Findings[0].Uptake), reflect.ValueOf(a.Breasts[0]), reflect.ValueOf(a.Findings[0]),
	} {
		for n := range v.NumField() {
			if name := v.Type().Field(n).Name; v.Field(n).IsZero() && name != "T1Measured" { // false is a value
				t.Errorf("%v.%s is not in the case that is read back", v.Type(), name)
			}
		}
	}
}

func sameBreasts(t *testing.T, got, want *fusion.Assessment) {
	t.Helper()
	if len(got.Breasts) != len(want.Breasts) {
		t.Fatalf("%d breasts, want %d", len(got.Breasts), len(want.Breasts))
	}
	for _, w := range want.Breasts {
		for _, g := range got.Breasts {
			if g.Side == w.Side {
				sameMask(t, string(w.Side), g.Mask, w.Mask)
				sameFields(t, string(w.Side), reflect.ValueOf(g), reflect.ValueOf(w))
				sameMask(t, string(w.Side)+" fibroglandular", g.Fibroglandular, w.Fibroglandular)
			}
		}
	}
}

// sameMask compares masks as sets of places: the grid that was read begins at the first slice with a voxel.
func sameMask(t *testing.T, name string, got, want *volume.Mask) {
	t.Helper()
	if got == nil || want == nil {
		if got != nil || want != nil {
			t.Errorf("%s: mask %v, want %v", name, got != nil, want != nil)
		}
		return
	}
	if got.Count() != want.Count() {
		t.Errorf("%s: %d voxels, want %d", name, got.Count(), want.Count())
	}
	for v, in := range got.Data {
		if !in {
			continue
		}
		i, j, k := got.Voxel(v)
		x, y, z := want.At(got.Point(float64(i), float64(j), float64(k)))
		xi, yi, zi := int(math.Round(x)), int(math.Round(y)), int(math.Round(z))
		if !want.Contains(xi, yi, zi) || !want.Data[want.Index(xi, yi, zi)] {
			t.Fatalf("%s: voxel (%d,%d,%d) is not in the mask that was written", name, i, j, k)
		}
	}
}

// TestReadBackOneSide: tissue that is known of one breast only does not appear as empty in the other.
func TestReadBackOneSide(t *testing.T) {
	a := withFindings()
	a.Breasts[1].Fibroglandular = nil
	sameBreasts(t, readBack(t, a), a)
}

func TestReadRefuses(t *testing.T) {
	o := mustBuild(t, withFindings(), source())
	structured, _ := scanned(t, written(t, o.SR))
	segmentation, pixels := scanned(t, written(t, o.SEG))
	if _, err := report.Read(segmentation, nil, nil); err == nil {
		t.Error("a SEG was read as an SR")
	}
	if _, err := report.Read(structured, segmentation, pixels[:10]); err == nil {
		t.Error("a SEG without its pixels was read")
	}
	// Slices a nanometre apart would need a grid of millions.
	segmentation.Item(tag.SharedFunctionalGroupsSequence).Item(tag.PixelMeasuresSequence).Set(tag.SpacingBetweenSlices, 1e-6)
	if _, err := report.Read(structured, segmentation, pixels); err == nil {
		t.Error("a SEG of millions of slices was laid out")
	}
}

// FuzzRead: no SR and no SEG makes the reader panic or take memory without bound.
func FuzzRead(f *testing.F) {
	write := func(d *dicom.Dataset) []byte {
		var b bytes.Buffer
		if err := dicom.Write(&b, d, uid.ExplicitVRLittleEndian); err != nil {
			f.Fatal(err)
		}
		return b.Bytes()
	}
	for _, c := range outcomes {
		o, err := report.Build(c.make(), source())
		if err != nil {
			f.Fatal(err)
		}
		var segmentation []byte
		if o.SEG != nil {
			segmentation = write(o.SEG)
		}
		f.Add(write(o.SR), segmentation)
	}
	f.Fuzz(func(t *testing.T, structured, segmentation []byte) {
		s, err := dicom.Scan(bytes.NewReader(structured), int64(len(structured)), dicom.Limits{})
		if err != nil {
			return
		}
		var d *dicom.Dataset
		var pixels []byte
		if g, err := dicom.Scan(bytes.NewReader(segmentation), int64(len(segmentation)), dicom.Limits{}); err == nil {
			d = g.Dataset
			if e := d.Get(tag.PixelData); e != nil {
				pixels, _ = g.Value(e)
			}
		}
		report.Read(s.Dataset, d, pixels)
	})
}
