package series_test

import (
	"fmt"
	"strings"
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/experts"
	"mome/experts/series"
	"mome/fixtures/phantom"
)

// again returns the instances of the series for which of is true a second time, under other UIDs and Series Numbers 1000
// higher, changed by edit.
func (k *known) again(of func(h *dicom.Dataset) bool, edit func(h *dicom.Dataset)) (in []series.Instance) {
	for _, h := range k.headers {
		if !of(h) {
			continue
		}
		c := deepClone(h)
		c.Set(tag.SOPInstanceUID, c.String(tag.SOPInstanceUID)+".1")
		c.Set(tag.SeriesInstanceUID, c.String(tag.SeriesInstanceUID)+".1")
		c.Set(tag.SeriesNumber, c.IntOr(tag.SeriesNumber, 0)+1000)
		edit(c)
		in = append(in, series.Instance{Header: c, TransferSyntax: explicit})
	}
	return in
}

// later moves a header's times on by two hours.
func later(h *dicom.Dataset) {
	hours := func(s string) string { return fmt.Sprintf("%02d%s", 2+10*int(s[0]-'0')+int(s[1]-'0'), s[2:]) }
	visit(h, func(d *dicom.Dataset) {
		for _, t := range []tag.Tag{tag.AcquisitionTime, tag.ContentTime, tag.SeriesTime} {
			if s := d.String(t); s != "" {
				d.Set(t, hours(s))
			}
		}
		for _, t := range []tag.Tag{tag.AcquisitionDateTime, tag.FrameAcquisitionDateTime, tag.FrameReferenceDateTime} {
			if s := d.String(t); s != "" {
				d.Set(t, s[:8]+hours(s[8:]))
			}
		}
	})
}

func (k *known) dynamic(h *dicom.Dataset) bool {
	return k.roles[h.String(tag.SeriesInstanceUID)] == experts.RoleDCE
}

// TestTwoExams: a study that holds two exams, two hours apart, gives the phases, T2 and diffusion of one of them.
func TestTwoExams(t *testing.T) {
	for _, vendor := range phantom.AllVendors() {
		k := knownPhantom(t, vendor)
		for _, tc := range []struct {
			name string
			edit func(h *dicom.Dataset)
			note string
		}{
			{"one frame of reference", later, "two exams"},
			{"two frames of reference", func(h *dicom.Dataset) { later(h); h.Set(tag.FrameOfReferenceUID, "1.2.9") }, "more than one dynamic series"},
		} {
			t.Run(string(vendor)+", "+tc.name, func(t *testing.T) {
				in := append(k.instances(nil), k.again(func(*dicom.Dataset) bool { return true }, tc.edit)...)
				r := series.Sort(in)
				if len(r.DCE) != 4 || r.T2 == nil || len(r.DWI) != 3 || r.ADC == nil {
					t.Fatalf("%d phases, T2 %v, %d b-values, ADC %v\n%s%q", len(r.DCE), r.T2 != nil, len(r.DWI), r.ADC != nil, summary(r), r.Notes)
				}
				for _, u := range r.Series {
					if second := strings.HasSuffix(u.SeriesUID, ".1"); u.Used && second {
						t.Errorf("series %d of the second exam is read: %s", u.Number, u.Detail)
					}
				}
				if notes := strings.Join(r.Notes, "\n"); !strings.Contains(notes, tc.note) {
					t.Errorf("notes %q do not tell %q", notes, tc.note)
				}
			})
		}
	}
}

// setTypes sets Image Type and, where there are frames, Frame Type.
func setTypes(h *dicom.Dataset, values ...any) {
	visit(h, func(d *dicom.Dataset) {
		for _, t := range []tag.Tag{tag.ImageType, tag.FrameType} {
			if d.Has(t) {
				d.Set(t, values...)
			}
		}
	})
}

// TestCorrectedCopies: motion-corrected copies stand beside the phases, and something or nothing tells them apart.
func TestCorrectedCopies(t *testing.T) {
	for _, vendor := range phantom.AllVendors() {
		k := knownPhantom(t, vendor)
		for _, tc := range []struct {
			name string
			edit func(h *dicom.Dataset)
			want string // of the copies
		}{
			{"by Image Type", func(h *dicom.Dataset) { setTypes(h, "DERIVED", "PRIMARY", "M", "MOCO") }, "DCE: motion-corrected copy, not used"},
			{"by description", func(h *dicom.Dataset) { h.Set(tag.SeriesDescription, h.String(tag.SeriesDescription)+"_MoCo") }, "DCE: motion-corrected copy, not used"},
			{"by nothing", func(h *dicom.Dataset) { h.Delete(tag.SeriesDescription) }, "uncertain: "},
		} {
			t.Run(string(vendor)+", "+tc.name, func(t *testing.T) {
				r := series.Sort(append(k.instances(nil), k.again(k.dynamic, tc.edit)...))
				if len(r.DCE) != 4 {
					t.Fatalf("%d phases, want 4\n%s", len(r.DCE), summary(r))
				}
				for _, u := range r.Series {
					if !strings.HasSuffix(u.SeriesUID, ".1") {
						continue
					}
					if got := string(u.Role) + ": " + u.Detail; u.Used || !strings.HasPrefix(got, tc.want) {
						t.Errorf("copy %d is %s (used %v): %s; want %s", u.Number, got, u.Used, u.Reason, tc.want)
					}
				}
				for _, text := range k.wrong(series.Result{DCE: r.DCE, TimesKnown: r.TimesKnown}) {
					t.Error(text)
				}
			})
		}
	}
}

// TestGivenTwice: every instance of a study is there twice under one UID, as folders with copies have them.
func TestGivenTwice(t *testing.T) {
	for _, vendor := range phantom.AllVendors() {
		k := knownPhantom(t, vendor)
		r := series.Sort(append(k.instances(nil), k.instances(nil)...))
		if wrong := k.wrong(r); len(wrong) > 0 || len(r.DCE) != 4 || !strings.Contains(strings.Join(r.Notes, "\n"), "given more than once") {
			t.Errorf("%s: %d phases, %q, notes %q", vendor, len(r.DCE), wrong, r.Notes)
		}
	}
}

// TestSplitByGE: a series for each phase, all of one Acquisition Number and time but the one before contrast.
func TestSplitByGE(t *testing.T) {
	e := &exam{}
	for p := range 4 {
		e.add(scan{maker: "GE MEDICAL SYSTEMS", description: fmt.Sprintf("Ph%d/Ax VIBRANT", p), edit: func(h *dicom.Dataset, k, _ int) {
			h.Set(tag.AcquisitionNumber, 1+min(p, 1))
			h.Set(tag.AcquisitionTime, clockTM(36000+90*float64(min(p, 1))))
		}})
	}
	if r := series.Sort(e.instances); len(r.DCE) != 4 {
		t.Errorf("%d phases, want 4\n%s%q", len(r.DCE), summary(r), r.Notes)
	}
}

// TestPhasesByPixels: what the pixels show of the phases is said.
func TestPhasesByPixels(t *testing.T) {
	for _, tc := range []struct {
		name  string
		value func(phase, place int) int
		want  string
	}{
		{"a copy", func(phase, place int) int { return 100 + place%37*(3+min(phase, 2)) }, "phases 3 and 4 have the same pixels"},
		{"a difference", func(phase, place int) int {
			if phase == 2 {
				return 100 + place*7919%23
			}
			return 100 + place%37*(3+phase)
		}, "phase 3 does not look like the others"},
		{"the first is brightest", func(phase, place int) int { return 100 + place%37*(8-phase) }, "brighter than all others"},
		{"as it should be", func(phase, place int) int { return 100 + place%37*(3+phase) }, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := &exam{}
			e.dynamic(4, func(h *dicom.Dataset, p int) { h.Set(tag.AcquisitionTime, clockTM(36000+90*float64(p))) })
			e.withPixels(func(h *dicom.Dataset, i int) uint16 {
				return uint16(tc.value(h.IntOr(tag.AcquisitionNumber, 0)-1, 16*h.IntOr(tag.InstanceNumber, 0)+i))
			})
			s, err := series.Assemble(t.Context(), e.instances, series.Sort(e.instances), e.opener(t), nil)
			if err != nil {
				t.Fatal(err)
			}
			if notes := strings.Join(s.Notes, "\n"); !strings.Contains(notes, tc.want) || tc.want == "" && notes != "" {
				t.Errorf("notes %q, want %q", notes, tc.want)
			}
		})
	}
}

// TestSeveralT2: one is read, and the others say which and why.
func TestSeveralT2(t *testing.T) {
	for vendor, read := range map[phantom.Vendor]int{phantom.Siemens: 5, phantom.GE: 3, phantom.Philips: 401} {
		k := knownPhantom(t, vendor)
		t2 := func(h *dicom.Dataset) bool { return k.roles[h.String(tag.SeriesInstanceUID)] == experts.RoleT2 }
		in := append(k.instances(nil), k.again(t2, func(h *dicom.Dataset) { // sagittal, of finer pixels
			p := h.Floats(tag.ImagePositionPatient)
			h.Set(tag.ImageOrientationPatient, 0, 1, 0, 0, 0, -1)
			h.Set(tag.ImagePositionPatient, p[2], p[1], p[0])
			h.Set(tag.PixelSpacing, 0.5, 0.5)
		})...)
		r := series.Sort(in)
		others := 0
		for _, u := range r.Series {
			switch {
			case u.Role != experts.RoleT2:
			case u.Number == read:
				if !u.Used || !strings.Contains(u.Detail, "fat-suppressed") {
					t.Errorf("%s: series %d: used %v, %s", vendor, u.Number, u.Used, u.Detail)
				}
			default:
				others++
				why := "fat is suppressed in it"
				if u.Number > 1000 {
					why = "its planes are parallel"
				}
				if u.Used || !strings.Contains(u.Reason, why) {
					t.Errorf("%s: series %d: used %v: %s; want %q", vendor, u.Number, u.Used, u.Reason, why)
				}
			}
		}
		if others != 3 {
			t.Errorf("%s: %d other T2 series, want 3\n%s", vendor, others, summary(r))
		}
	}
}

// TestOtherBreast: each breast has its own dynamic series; either can be read.
func TestOtherBreast(t *testing.T) {
	timed := func(h *dicom.Dataset, r int) {
		h.Set(tag.TemporalPositionIdentifier, r+1)
		h.Set(tag.AcquisitionTime, clockTM(36000+90*float64(r)))
	}
	sagittal := func(x float64) func(h *dicom.Dataset, k, r int) {
		return func(h *dicom.Dataset, k, r int) {
			timed(h, r)
			h.Set(tag.ImageOrientationPatient, 0, 1, 0, 0, 0, -1)
			h.Set(tag.ImagePositionPatient, x+2*float64(k), -20, 30)
		}
	}
	for _, tc := range []struct {
		name string
		make func(e *exam)
		side experts.Side
	}{
		{"sagittal", func(e *exam) {
			e.add(scan{repeats: 4, edit: sagittal(-80)})
			e.add(scan{repeats: 4, edit: sagittal(50)})
		}, experts.Right},
		{"sagittal, both in one series", func(e *exam) {
			e.add(scan{repeats: 4, slices: 24, edit: func(h *dicom.Dataset, k, r int) { sagittal(-80+float64(k/12)*110)(h, k, r) }})
		}, experts.Left},
		{"sagittal, a series for each phase", func(e *exam) {
			for p := range 4 {
				for _, x := range []float64{50, -80} {
					e.add(scan{edit: func(h *dicom.Dataset, k, _ int) { sagittal(x)(h, k, p); h.Delete(tag.TemporalPositionIdentifier) }})
				}
			}
		}, experts.Left},
		{"transverse", func(e *exam) {
			for _, x := range []float64{40, -120} {
				e.add(scan{rows: 80, repeats: 4, edit: func(h *dicom.Dataset, k, r int) { timed(h, r); h.Set(tag.ImagePositionPatient, x, -40, 2*float64(k)) }})
			}
		}, experts.Left},
		{"Laterality contradicts", func(e *exam) {
			e.add(scan{repeats: 4, edit: func(h *dicom.Dataset, k, r int) { sagittal(-80)(h, k, r); h.Set(tag.Laterality, "L") }})
			e.add(scan{repeats: 4, edit: func(h *dicom.Dataset, k, r int) { sagittal(50)(h, k, r); h.Set(tag.Laterality, "R") }})
		}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := &exam{}
			tc.make(e)
			e.withPixels(func(h *dicom.Dataset, i int) uint16 { return uint16(1000 + h.Floats(tag.ImagePositionPatient)[0]) })
			r := series.Sort(e.instances)
			if len(r.DCE) != 4 || r.Side != tc.side || r.Other == nil {
				t.Fatalf("%d phases of side %q, another %v; want 4 of %q\n%s%q", len(r.DCE), r.Side, r.Other != nil, tc.side, summary(r), r.Notes)
			}
			if o := r.Other; len(o.DCE) != 4 || tc.side != "" && (o.Side == r.Side || o.Side == "") || !o.TimesKnown {
				t.Errorf("the other: %d phases of side %q, times known %v\n%s", len(o.DCE), o.Side, o.TimesKnown, summary(*o))
			}
			if notes := strings.Join(r.Notes, "\n"); !strings.Contains(notes, "shows the other breast") {
				t.Errorf("notes %q", notes)
			}
			var x [2]float64
			for n, sorted := range []series.Result{r, *r.Other} {
				s, err := series.Assemble(t.Context(), e.instances, sorted, e.opener(t), nil)
				if err != nil {
					t.Fatal(err)
				}
				v := s.DCE[3].Volume
				x[n] = float64(v.Data[0]) - 1000
				if v.Size[2] != 12 {
					t.Errorf("%d slices, want 12", v.Size[2])
				}
			}
			if x[0]*x[1] >= 0 {
				t.Errorf("both readings are of one breast: x %g and %g mm", x[0], x[1])
			}
		})
	}
}
