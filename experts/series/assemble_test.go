package series_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/experts"
	"mome/experts/series"
	"mome/experts/volume"
	"mome/fixtures/phantom"
)

// fullExam has four phases, T2, three b-values and a map; the pixels of an image are its Series Number x 100 + its
// Instance Number, and the map's about 1000.
func fullExam() *exam {
	e := &exam{}
	e.dynamic(4, func(h *dicom.Dataset, p int) { h.Set(tag.AcquisitionTime, clockTM(36000+90*float64(p))) })
	e.add(tirmScan)
	e.add(dwiScan.with(func(s *scan) {
		s.repeats = 4
		s.edit = func(h *dicom.Dataset, _, r int) { h.Set(tag.DiffusionBValue, []float64{0, 800, 800, 800}[r]) }
	}))
	e.add(dwiScan.with(func(s *scan) { s.types = []any{"DERIVED", "PRIMARY", "DIFFUSION", "ADC"} }))
	e.withPixels(func(h *dicom.Dataset, i int) uint16 {
		if h.IntOr(tag.SeriesNumber, 0) == 7 {
			return uint16(1000 + i)
		}
		return uint16(100*h.IntOr(tag.SeriesNumber, 0) + h.IntOr(tag.InstanceNumber, 0))
	})
	return e
}

func TestAssemble(t *testing.T) {
	e := fullExam()
	e.instances[5].Header.Set(tag.RescaleSlope, 2)
	e.instances[5].Header.Set(tag.RescaleIntercept, -7)
	r := series.Sort(e.instances)
	var shares []float64
	s, err := series.Assemble(t.Context(), e.instances, r, e.opener(t), func(done float64) { shares = append(shares, done) })
	if err != nil {
		t.Fatal(err)
	}
	if len(s.DCE) != 4 || s.T2 == nil || len(s.DWI) != 2 || s.ADC == nil || !s.TimesKnown || s.DCE[3].TimeS != 270 {
		t.Fatalf("%d phases, T2 %v, %d b-values, ADC %v, times known %v; notes %q", len(s.DCE), s.T2 != nil, len(s.DWI), s.ADC != nil, s.TimesKnown, s.Notes)
	}
	first := s.DCE[0].Volume
	for _, v := range []struct {
		name string
		got  float32
		want float64
	}{
		{"phase 1, slice 3", first.Data[first.Index(1, 2, 2)], 103},
		{"phase 1, slice 6, rescaled", first.Data[first.Index(0, 0, 5)], 2*106 - 7},
		{"phase 4, slice 1", s.DCE[3].Volume.Data[0], 401},
		{"T2, slice 14", s.T2.Data[s.T2.Index(3, 3, 13)], 514},
		{"b 0, slice 1", s.DWI[0].Volume.Data[0], 601},
		{"b 800, slice 1, geometric mean", s.DWI[1].Volume.Data[0], math.Cbrt(613 * 625 * 637)},
		{"ADC", s.ADC.Data[3], 1003},
	} {
		if math.Abs(float64(v.got)-v.want) > 1e-3 {
			t.Errorf("%s: %g, want %g", v.name, v.got, v.want)
		}
	}
	if len(s.DCESlices) != first.Size[2] || s.DCESlices[2].SOPInstanceUID != "1.2.3.1.3" || s.DCESlices[2].Frame != 0 || s.Reference != 2 {
		t.Errorf("reference %d, its slices %v", s.Reference, s.DCESlices)
	}
	for i, share := range shares {
		if i > 0 && share <= shares[i-1] || i == len(shares)-1 && share != 1 {
			t.Errorf("progress %v", shares)
			break
		}
	}
}

// TestAssembleDefects: what is broken is left out with a note; a broken dynamic series is a typed error.
func TestAssembleDefects(t *testing.T) {
	seriesOf := func(e *exam, number int) (out []*dicom.Dataset) {
		for _, i := range e.instances {
			if i.Header.IntOr(tag.SeriesNumber, 0) == number {
				out = append(out, i.Header)
			}
		}
		return out
	}
	pixels := func(h *dicom.Dataset, n int) { h.SetVR(tag.PixelData, dicom.OW, make([]byte, n)) }
	for _, tc := range []struct {
		name  string
		edit  func(e *exam)
		code  string
		note  string
		after func(s *experts.Study) bool
	}{
		{"T2 with a gap", func(e *exam) { seriesOf(e, 5)[7].Set(tag.ImagePositionPatient, -10, -20, 99) }, "", "T2 series cannot be read",
			func(s *experts.Study) bool {
				return s.T2 == nil && !s.Series[4].Used && len(s.DWI) == 2 && strings.Contains(s.Series[4].Reason, "could not be read")
			}},
		{"T2 truncated", func(e *exam) { pixels(seriesOf(e, 5)[3], 4) }, "", "T2 series cannot be read",
			func(s *experts.Study) bool { return s.T2 == nil && s.ADC != nil }},
		{"a b-value truncated", func(e *exam) { pixels(seriesOf(e, 6)[3], 4) }, "", "b 0 series cannot be read",
			func(s *experts.Study) bool { return len(s.DWI) == 1 && s.Series[5].Used }},
		{"ADC in 1e-3 mm2/s", func(e *exam) {
			for _, h := range seriesOf(e, 7) {
				h.Set(tag.RescaleSlope, 0.001)
			}
		}, "", "in units of 0.001 mm2/s", func(s *experts.Study) bool { return math.Abs(float64(s.ADC.Data[3])-1003) < 0.01 }},
		{"ADC of unknown unit", func(e *exam) {
			for _, h := range seriesOf(e, 7) {
				h.Set(tag.RescaleSlope, 0.03)
			}
		}, "", "unit of the vendor's ADC map is unknown", func(s *experts.Study) bool { return s.ADC == nil }},
		{"ADC empty", func(e *exam) {
			for _, h := range seriesOf(e, 7) {
				pixels(h, 32)
			}
		}, "", "ADC map is empty", func(s *experts.Study) bool { return s.ADC == nil }},
		{"no dynamic series", func(e *exam) { e.instances = e.instances[4*12:] }, series.NoDCE, "", func(s *experts.Study) bool { return len(s.Series) == 3 }},
		{"a phase truncated", func(e *exam) { pixels(seriesOf(e, 3)[3], 4) }, series.NoPixel, "",
			func(s *experts.Study) bool { return s.DCE == nil && !s.Series[2].Used && s.Series[1].Used }},
		{"a slice is missing in all phases", func(e *exam) {
			for n := 1; n < 5; n++ {
				seriesOf(e, n)[11].Set(tag.ImagePositionPatient, -10, -20, 24)
			}
		}, series.Geometry, "", func(s *experts.Study) bool { return s.DCE == nil }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := fullExam()
			tc.edit(e)
			r := series.Sort(e.instances)
			s, err := series.Assemble(t.Context(), e.instances, r, e.opener(t), nil)
			var broken *series.Error
			if code := ""; errors.As(err, &broken) {
				if code = broken.Code; code != tc.code || broken.Text == "" {
					t.Fatalf("got %v, want code %q", err, tc.code)
				}
			} else if err != nil || tc.code != "" {
				t.Fatalf("got %v, want code %q", err, tc.code)
			}
			if notes := strings.Join(s.Notes, "\n"); !strings.Contains(notes, tc.note) || !tc.after(s) {
				t.Errorf("notes %q, want %q; T2 %v, %d b-values, ADC %v\n%s", notes, tc.note, s.T2 != nil, len(s.DWI), s.ADC != nil, summary(r))
			}
		})
	}
}

func TestAssembleCancelled(t *testing.T) {
	e := fullExam()
	ctx, cancel := context.WithCancel(t.Context())
	open := e.opener(t)
	stop := func(ctx context.Context, i int) (*dicom.File, io.Closer, error) {
		cancel()
		return open(ctx, i)
	}
	if _, err := series.Assemble(ctx, e.instances, series.Sort(e.instances), stop, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

// TestAssembleCloses: every instance that was opened is closed, also where reading ends early.
func TestAssembleCloses(t *testing.T) {
	e := fullExam()
	e.instances = e.instances[:24]
	open := e.opener(t)
	e.instances[20].Header.SetVR(tag.PixelData, dicom.OW, []byte{1, 2})
	opened, closed := make(chan int, 100), make(chan int, 100)
	counting := func(ctx context.Context, i int) (*dicom.File, io.Closer, error) {
		f, _, err := open(ctx, i)
		opened <- i
		return f, closerFunc(func() error { closed <- i; return nil }), err
	}
	if _, err := series.Assemble(t.Context(), e.instances, series.Sort(e.instances), counting, nil); err == nil {
		t.Error("no error for a broken phase")
	}
	if len(opened) != len(closed) || len(opened) == 0 {
		t.Errorf("%d instances opened, %d closed", len(opened), len(closed))
	}
}

type closerFunc func() error

func (f closerFunc) Close() error { return f() }

// TestPhantomStudies reads whole phantom studies as every vendor stores them.
func TestPhantomStudies(t *testing.T) {
	for _, vendor := range phantom.Vendors() {
		t.Run(string(vendor), func(t *testing.T) {
			p, err := phantom.New(phantom.Config{Vendor: vendor, Phases: 4})
			if err != nil {
				t.Fatal(err)
			}
			var in []series.Instance
			for _, h := range p.Instances() {
				in = append(in, series.Instance{Header: h, TransferSyntax: explicit})
			}
			r := series.Sort(in)
			open := func(_ context.Context, i int) (*dicom.File, io.Closer, error) {
				var b bytes.Buffer
				if err := dicom.Write(&b, in[i].Header, explicit); err != nil {
					return nil, nil, err
				}
				f, err := dicom.Scan(bytes.NewReader(b.Bytes()), int64(b.Len()), dicom.Limits{})
				return f, io.NopCloser(nil), err
			}
			s, err := series.Assemble(t.Context(), in, r, open, nil)
			if err != nil {
				t.Fatalf("%v\n%s", err, summary(r))
			}
			if len(s.DCE) != 4 || s.T2 == nil || len(s.DWI) != 3 || s.ADC == nil {
				t.Errorf("%d phases, T2 %v, %d b-values, ADC %v\n%s", len(s.DCE), s.T2 != nil, len(s.DWI), s.ADC != nil, summary(r))
			}
			for _, u := range s.Series {
				if u.Role == experts.RoleUncertain {
					t.Errorf("series %d (%s) is uncertain: %s", u.Number, u.Description, u.Reason)
				}
			}
			for _, n := range s.Notes {
				if strings.Contains(n, "look like the others") || strings.Contains(n, "same pixels") || strings.Contains(n, "brighter") {
					t.Errorf("sound phases are doubted: %s", n)
				}
			}
			before, after := mean(s.DCE[0].Volume), mean(s.DCE[3].Volume)
			if !(after > before && before > 0) {
				t.Errorf("mean signal %g before and %g after contrast", before, after)
			}
		})
	}
}

func mean(v *volume.Volume) (m float64) {
	for _, f := range v.Data {
		m += float64(f)
	}
	return m / float64(len(v.Data))
}
