package series_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/experts/series"
)

// private sets a private element in the block of its creator.
func private(h *dicom.Dataset, creator string, group uint16, element byte, vr dicom.VR, values ...any) {
	const block = 0x11 // not the usual 0x10: an archive may have renumbered it
	h.SetVR(tag.New(group, block), dicom.LO, creator)
	h.SetVR(tag.New(group, block<<8|uint16(element)), vr, values...)
}

// TestBValues covers where b stands, and how several images of one b make a volume.
func TestBValues(t *testing.T) {
	nominal := []float64{0, 400, 800}
	direction := func(h *dicom.Dataset, r int) {
		h.Set(tag.DiffusionDirectionality, "DIRECTIONAL")
		h.Set(tag.DiffusionGradientOrientation, math.Sin(float64(r)), math.Cos(float64(r)), 0)
	}
	for _, tc := range []struct {
		name    string
		repeats int
		maker   string
		edit    func(h *dicom.Dataset, k, r int)
		want    string // "b images-of-each-slice g(eometric)" of each b-value
		detail  string
	}{
		{"standard", 3, "", func(h *dicom.Dataset, _, r int) { h.Set(tag.DiffusionBValue, nominal[r]) }, "0 x1, 400 x1, 800 x1", "b 0, 400, 800 s/mm2"},
		{"GE leaves out b = 0", 2, "GE MEDICAL SYSTEMS", func(h *dicom.Dataset, _, r int) {
			if r == 1 {
				h.Set(tag.DiffusionBValue, 800)
			}
		}, "0 x1, 800 x1", ""},
		{"GE private", 3, "GE MEDICAL SYSTEMS", func(h *dicom.Dataset, _, r int) {
			private(h, "GEMS_PARM_01", 0x43, 0x39, dicom.IS, nominal[r], 8, 0, 0)
		}, "0 x1, 400 x1, 800 x1", ""},
		{"GE private with 1e9 added", 3, "GE MEDICAL SYSTEMS", func(h *dicom.Dataset, _, r int) {
			private(h, "GEMS_PARM_01", 0x43, 0x39, dicom.IS, 1000000000+nominal[r], 8, 0, 0)
		}, "0 x1, 400 x1, 800 x1", ""},
		{"GE: mean over directions beside none", 2, "GE MEDICAL SYSTEMS", func(h *dicom.Dataset, _, r int) {
			private(h, "GEMS_PARM_01", 0x43, 0x39, dicom.IS, 800*r)
			h.SetVR(tag.New(0x43, 0x1130), dicom.SS, []int{14, 15}[r])
		}, "0 x1, 800 x1", ""},
		{"Siemens private", 3, "", func(h *dicom.Dataset, _, r int) {
			private(h, "SIEMENS MR HEADER", 0x19, 0x0C, dicom.IS, nominal[r])
		}, "0 x1, 400 x1, 800 x1", ""},
		{"Siemens private that became UN", 3, "", func(h *dicom.Dataset, _, r int) {
			private(h, "SIEMENS MR HEADER", 0x19, 0x0C, dicom.UN, []byte(fmt.Sprintf("%-4g", nominal[r])))
		}, "0 x1, 400 x1, 800 x1", ""},
		{"Siemens sequence name", 3, "", func(h *dicom.Dataset, _, r int) {
			h.Set(tag.SequenceName, []string{"*ep_b50t", "*ep_b400t", "*ep_b800t"}[r])
		}, "50 x1, 400 x1, 800 x1", "b 50, 400, 800 s/mm2"},
		{"Siemens directions in the sequence name", 4, "", func(h *dicom.Dataset, _, r int) {
			h.Set(tag.SequenceName, []string{"*ep_b0", "*ep_b800#1", "*ep_b800#2", "*ep_b800#3"}[r])
		}, "0 x1, 800 x3 g", ""},
		{"Philips private", 2, "Philips", func(h *dicom.Dataset, _, r int) {
			private(h, "Philips Imaging DD 001", 0x2001, 0x03, dicom.FL, 800*r)
		}, "0 x1, 800 x1", ""},
		{"Philips: repeated b = 0 told apart by fake values", 5, "Philips", func(h *dicom.Dataset, _, r int) {
			h.Set(tag.DiffusionBValue, []float64{0, 0.001, 0.002, 800, 800}[r])
		}, "0 x3, 800 x2 g", ""},
		{"Philips: trace beside directions", 5, "Philips", func(h *dicom.Dataset, _, r int) {
			h.Set(tag.DiffusionBValue, []float64{0, 800, 800, 800, 800}[r])
			private(h, "Philips Imaging DD 001", 0x2001, 0x04, dicom.CS, []string{"O", "P", "M", "S", "I"}[r])
		}, "0 x1, 800 x1", ""},
		{"standard: isotropic beside directions", 5, "", func(h *dicom.Dataset, _, r int) {
			h.Set(tag.DiffusionBValue, []float64{0, 800, 800, 800, 800}[r])
			if direction(h, r); r == 4 {
				h.Set(tag.DiffusionDirectionality, "ISOTROPIC")
			}
		}, "0 x1, 800 x1", ""},
		{"directions", 4, "", func(h *dicom.Dataset, _, r int) {
			h.Set(tag.DiffusionBValue, []float64{0, 800, 800, 800}[r])
			direction(h, r)
		}, "0 x1, 800 x3 g", ""},
		{"UIH", 2, "UIH", func(h *dicom.Dataset, _, r int) {
			private(h, "Image Private Header", 0x65, 0x09, dicom.FD, []float64{1.25, 929.75}[r])
		}, "1.25 x1, 929.75 x1", "b 1.3, 929.8 s/mm2"},
		{"UIH that became UN", 2, "UIH", func(h *dicom.Dataset, _, r int) {
			b := binary.LittleEndian.AppendUint64(nil, math.Float64bits([]float64{0, 929.75}[r]))
			private(h, "Image Private Header", 0x65, 0x09, dicom.UN, b)
		}, "0 x1, 929.75 x1", ""},
		{"b varies a little with direction", 4, "", func(h *dicom.Dataset, _, r int) {
			h.Set(tag.DiffusionBValue, []float64{0, 995, 1000, 1005}[r])
		}, "0 x1, 1000 x3 g", ""},
		{"a b-value that covers half the slices", 3, "", func(h *dicom.Dataset, k, r int) {
			h.Set(tag.DiffusionBValue, nominal[r])
			if r == 1 && k < 6 {
				h.Set(tag.DiffusionBValue, 800)
			}
		}, "0 x1, 800 x2 g", ""},
		{"another owner's element at the place", 2, "", func(h *dicom.Dataset, _, r int) {
			private(h, "SOMEBODY ELSE", 0x19, 0x0C, dicom.IS, 800*r)
		}, "", "diffusion, b-values unknown"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := &exam{}
			e.add(dwiScan.with(func(s *scan) { s.repeats, s.maker, s.edit = tc.repeats, tc.maker, tc.edit }))
			r := series.Sort(e.instances)
			var got []string
			for _, b := range r.DWI {
				most := 0
				for _, frames := range b.Slices {
					most = max(most, len(frames))
				}
				s := fmt.Sprintf("%g x%d", math.Round(1000*b.BSPerMM2)/1000, most)
				if b.Geometric {
					s += " g"
				}
				got = append(got, s)
				if len(b.Slices) != 12 {
					t.Errorf("b %g has %d slices, want 12", b.BSPerMM2, len(b.Slices))
				}
			}
			if g := strings.Join(got, ", "); g != tc.want || !strings.HasPrefix(r.Series[0].Detail, tc.detail) {
				t.Errorf("got %s (%s), want %s (%s)\n%s %q", g, r.Series[0].Detail, tc.want, tc.detail, r.Series[0].Reason, r.Notes)
			}
		})
	}
}

func TestDiffusionChoice(t *testing.T) {
	bs := func(b ...float64) func(h *dicom.Dataset, k, r int) {
		return func(h *dicom.Dataset, _, r int) { h.Set(tag.DiffusionBValue, b[r]) }
	}
	trace := func(s *scan) { s.types = []any{"DERIVED", "PRIMARY", "DIFFUSION", "TRACEW"} }
	with := func(repeats int, edit func(h *dicom.Dataset, k, r int)) scan {
		return dwiScan.with(func(s *scan) { s.repeats, s.edit = repeats, edit })
	}
	for _, tc := range []struct {
		name string
		make func(e *exam)
		want string
	}{
		{"trace before directions of the same scan", func(e *exam) {
			e.add(with(7, bs(0, 50, 50, 50, 800, 800, 800)))
			e.add(with(2, bs(50, 800)).with(trace))
		}, "1 DWI: b 0, 50, 800 s/mm2, not used\n2 DWI used: b 50, 800 s/mm2\n"},
		{"a series for each b-value", func(e *exam) {
			e.add(with(1, bs(50)))
			e.add(with(1, bs(800)))
		}, "1 DWI used: b 50 s/mm2\n2 DWI used: b 800 s/mm2\n"},
		{"low b-values give way to high ones", func(e *exam) {
			e.add(with(3, bs(0, 20, 40)))
			e.add(with(2, bs(0, 800)))
		}, "1 DWI: b 0, 20, 40 s/mm2, not used\n2 DWI used: b 0, 800 s/mm2\n"},
		{"one b-value and a map", func(e *exam) {
			e.add(with(1, bs(800)))
			e.add(dwiScan.with(func(s *scan) { s.types = []any{"DERIVED", "PRIMARY", "DIFFUSION", "ADC"} }))
		}, "1 DWI used: b 800 s/mm2\n2 ADC used: 12 slices\n"},
		{"the map of the diffusion series that was taken", func(e *exam) {
			adc := func(s *scan) { s.types = []any{"DERIVED", "PRIMARY", "DIFFUSION", "ADC"} }
			e.add(dwiScan.with(adc).with(func(s *scan) { s.stepMM, s.spacingMM = 3, 1 }))
			e.add(with(2, bs(0, 800)))
			e.add(dwiScan.with(adc))
		}, "1 ADC: not used\n2 DWI used: b 0, 800 s/mm2\n3 ADC used: 12 slices\n"},
		{"map and images in one series", func(e *exam) {
			e.add(with(3, func(h *dicom.Dataset, _, r int) {
				if r == 2 {
					h.Set(tag.ImageType, "DERIVED", "SECONDARY", "ADC", "M", "ADC")
					return
				}
				h.Set(tag.DiffusionBValue, 800*r)
			}))
		}, "1 DWI used: b 0, 800 s/mm2\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := &exam{}
			tc.make(e)
			if got := summary(series.Sort(e.instances)); got != tc.want {
				t.Errorf("got\n%swant\n%s", got, tc.want)
			}
		})
	}
}
