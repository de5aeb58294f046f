package series_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/experts/series"
	"mome/experts/volume"
	"mome/fixtures/phantom"
)

// phantomExam is a phantom study as an exam.
func phantomExam(t testing.TB, c phantom.Config) *exam {
	t.Helper()
	p, err := phantom.New(c)
	if err != nil {
		t.Fatal(err)
	}
	e := &exam{}
	for _, h := range p.Instances() {
		e.instances = append(e.instances, series.Instance{Header: h, TransferSyntax: explicit})
	}
	return e
}

// stored returns the stored values of a frame of 16-bit samples.
func (e *exam) stored(f series.Frame) []float32 {
	h := e.instances[f.Instance].Header
	raw := h.Bytes(tag.PixelData)
	if size := 2 * h.IntOr(tag.Rows, 0) * h.IntOr(tag.Columns, 0); f.Number > 0 {
		raw = raw[(f.Number-1)*size:][:size]
	}
	out := make([]float32, len(raw)/2)
	for i := range out {
		v := binary.LittleEndian.Uint16(raw[2*i:])
		if out[i] = float32(v); h.IntOr(tag.PixelRepresentation, 0) == 1 {
			out[i] = float32(int16(v))
		}
	}
	return out
}

// differenceOf computes what the vendors do (measured on an exam: exact in every pixel): stored post - pre + 100 for
// slice k of a phase, and clips it at 0 where pixels have no sign.
func (e *exam) differenceOf(r series.Result, phase, k int, clip bool) []float32 {
	pre, post := e.stored(r.DCE[0].Slices[k][0]), e.stored(r.DCE[phase].Slices[k][0])
	for i := range post {
		if post[i] += 100 - pre[i]; clip {
			post[i] = max(post[i], 0)
		}
	}
	return post
}

// TestCompanions: the vendors' subtractions and transverse projections are found and read, and are bit for bit what
// their formula makes of the phases.
func TestCompanions(t *testing.T) {
	const phases = 4
	for _, tc := range []struct {
		vendor            phantom.Vendor
		anonymised        bool
		transverse, other int // projections
	}{
		{phantom.Siemens, false, phases - 1, phases - 1},
		{phantom.Siemens, true, phases - 1, phases - 1},
		{phantom.GE, false, phases - 1, 0},
		{phantom.GE, true, phases - 1, 0},
		{phantom.Philips, false, 1, 0},
		{phantom.Philips, true, 1, 0},
		{phantom.SiemensXA, false, phases - 1, 0},
		{phantom.SiemensXA, true, phases - 1, 0},
		{phantom.Canon, true, phases - 1, 0},
		{phantom.UIH, true, phases - 1, 0},
		{phantom.GESplit, false, phases - 1, 0},
	} {
		t.Run(fmt.Sprintf("%s, anonymised %v", tc.vendor, tc.anonymised), func(t *testing.T) {
			e := phantomExam(t, phantom.Config{Vendor: tc.vendor, Resolution: phantom.Tiny, Phases: phases, Distractors: true,
				Anonymised: tc.anonymised, ObliqueDeg: 4, Without: []string{"T2", "DWI"}})
			r := series.Sort(e.instances)
			first := r.DCE[0].Slices[0][0]
			plane, err := volume.PlaneOf(e.instances[first.Instance].Header, first.Number)
			if err != nil {
				t.Fatal(err)
			}
			signed := e.instances[0].Header.IntOr(tag.PixelRepresentation, 0) == 1
			found := map[string]int{}
			for _, c := range r.Companions {
				v, err := series.ReadStack(t.Context(), e.instances, c.Stack, e.opener(t))
				if err != nil {
					t.Fatal(err)
				}
				if c.Phase < 1 || c.Phase >= phases {
					t.Errorf("%s of series %d: phase %d", c.Kind, c.SeriesNumber, c.Phase)
					continue
				}
				if len(v.Data) != v.Size[0]*v.Size[1]*len(c.Slices) {
					t.Fatalf("%s of series %d: size %v for %d frames", c.Kind, c.SeriesNumber, v.Size, len(c.Slices))
				}
				kind := fmt.Sprintf("%s of phase %d", c.Kind, c.Phase)
				area := v.Size[0] * v.Size[1]
				want := make([]float32, area)
				switch transverse := math.Abs(c.Direction.Dot(plane.Normal())) > 0.99; {
				case c.Kind == series.Subtraction:
					for k := range v.Size[2] {
						compareExactly(t, kind, v.Data[k*area:(k+1)*area], e.differenceOf(r, c.Phase, k, !signed))
					}
				case transverse:
					kind = "transverse " + kind
					for k := range r.DCE[0].Slices {
						for i, d := range e.differenceOf(r, c.Phase, k, true) {
							want[i] = max(want[i], d)
						}
					}
					compareExactly(t, kind, v.Data, want)
				default:
					kind = "other " + kind
				}
				found[kind]++
			}
			for phase := 1; phase < phases; phase++ {
				for kind, want := range map[string]int{
					"subtraction": 1, "transverse projection": min(1, max(0, tc.transverse-phase+1)), "other projection": min(1, max(0, tc.other-phase+1)),
				} {
					if name := fmt.Sprintf("%s of phase %d", kind, phase); found[name] != want {
						t.Errorf("%s: %d found, want %d", name, found[name], want)
					}
				}
			}
		})
	}
}

func compareExactly(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("%s: pixel %d is %g, want %g", what, i, got[i], want[i])
		}
	}
}

// TestCompanionPhases: what tells of which phase a companion was made, and what is none.
func TestCompanionPhases(t *testing.T) {
	numbered := func(number func(phase int) int) func(e *exam) {
		return func(e *exam) {
			for p := 1; p < 4; p++ {
				e.add(scan{description: "dyn SUB", edit: func(h *dicom.Dataset, _, _ int) { h.Set(tag.AcquisitionNumber, number(p)) }})
			}
		}
	}
	series1 := func(names ...string) func(e *exam) {
		return func(e *exam) {
			for _, n := range names {
				e.add(scan{description: n})
			}
		}
	}
	single := func(e *exam) {
		e.add(scan{description: "dyn", repeats: 4, edit: func(h *dicom.Dataset, _, r int) { h.Set(tag.TemporalPositionIdentifier, r+1) }})
	}
	each := func(e *exam) {
		e.dynamic(4, func(h *dicom.Dataset, p int) { h.Set(tag.AcquisitionTime, clockTM(36000+90*float64(p))) })
	}
	for _, tc := range []struct {
		name       string
		dynamic    func(e *exam)
		companions func(e *exam)
		want       string
	}{
		{"Acquisition Number", each, numbered(func(p int) int { return 5 - p }), "[subtraction 3 subtraction 2 subtraction 1]"},
		{"all have the number of the last phase: their order", each, numbered(func(int) int { return 4 }), "[subtraction 1 subtraction 2 subtraction 3]"},
		{"Temporal Position, all in one series", single, func(e *exam) {
			e.add(scan{description: "dyn SUB", repeats: 3, edit: func(h *dicom.Dataset, _, r int) { h.Set(tag.TemporalPositionIdentifier, r+2) }})
		}, "[subtraction 1 subtraction 2 subtraction 3]"},
		{"GE's names", single, series1("(6/4/1)-(6/1/1)", "(6/2/1)-(6/1/1)"), "[subtraction 3 subtraction 1]"},
		{"a difference of two phases after contrast", single, series1("(6/4/1)-(6/2/1)"), "[]"},
		{"one of three, nothing tells which", single, series1("dyn SUB"), "[subtraction -1]"},
		{"the number of the first phase", each, func(e *exam) {
			e.add(scan{description: "dyn SUB", edit: func(h *dicom.Dataset, _, _ int) { h.Set(tag.AcquisitionNumber, 1) }})
		}, "[subtraction -1]"},
		{"fewer slices", each, func(e *exam) { e.add(scan{description: "dyn SUB", slices: 11}) }, "[]"},
		{"other pixels", each, func(e *exam) { e.add(scan{description: "dyn SUB", spacingMM: 2}) }, "[]"},
		{"projections: of a subtraction, of a phase, minimum", each, func(e *exam) {
			e.add(scan{description: "dyn SUB MIP", slices: 1})
			e.add(scan{description: "dyn MIP", slices: 1})
			e.add(scan{description: "dyn SUB MinIP", slices: 1})
		}, "[projection -1]"},
		{"no dynamic series", func(*exam) {}, series1("dyn SUB"), "[]"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := &exam{}
			tc.dynamic(e)
			tc.companions(e)
			got := []string{}
			for _, c := range series.Sort(e.instances).Companions {
				got = append(got, fmt.Sprintf("%s %d", c.Kind, c.Phase))
			}
			if fmt.Sprint(got) != tc.want {
				t.Errorf("got %v, want %s", got, tc.want)
			}
		})
	}
}
