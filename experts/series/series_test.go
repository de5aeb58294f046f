package series_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/experts"
	"mome/experts/series"
)

// TestAnonymisedExam is a whole Siemens exam as it comes after anonymisation: no times, no private groups, subtractions
// and maps whose Image Type is ORIGINAL, three b-values in one series that only Sequence Name tells apart.
func TestAnonymisedExam(t *testing.T) {
	e := &exam{}
	localizer := scan{description: "localizer", slices: 9, tr: 7, te: 3, flip: 20, edit: func(h *dicom.Dataset, k, _ int) {
		if k%3 == 1 {
			h.Set(tag.ImageOrientationPatient, 0, 1, 0, 0, 0, -1)
		}
	}}
	e.add(localizer.with(func(s *scan) { s.description = "t2_haste" }))
	e.add(localizer)
	e.add(t2Scan)
	e.add(scan{description: "t1_tse_tra_p2", scanning: []any{"SE"}, tr: 780, te: 10})
	e.add(tirmScan)
	e.add(dwiScan.with(func(s *scan) {
		s.description, s.types, s.repeats = "ep2d_diff_tra_TRACEW", []any{"DERIVED", "SECONDARY", "DIFFUSION", "TRACEW", "NORM"}, 3
		s.edit = func(h *dicom.Dataset, k, r int) {
			h.Set(tag.SequenceName, []string{"*ep_b50t", "*ep_b400t", "*ep_b800t"}[r])
		}
	}))
	e.add(dwiScan.with(func(s *scan) {
		s.description, s.types = "ep2d_diff_tra_ADC", []any{"DERIVED", "SECONDARY", "DIFFUSION", "ADC", "NORM"}
	}))
	dyn := func(phase int, suffix string, types ...any) {
		e.add(scan{description: "t1_fl3d_tra_dynaVIEWS_spair_1+5" + suffix, types: types, sequence: "*fl3d1", edit: func(h *dicom.Dataset, k, _ int) {
			h.Set(tag.AcquisitionNumber, phase)
			h.Set(tag.ContentTime)
			if suffix == "_WI" || suffix == "_WO" {
				h.Set(tag.RescaleSlope, 10)
				h.Set(tag.RescaleIntercept, -2048)
			}
		}})
	}
	original := []any{"ORIGINAL", "PRIMARY", "M", "NORM", "DIS2D"}
	sub := []any{"ORIGINAL", "PRIMARY", "M", "NORM", "SUB", "DIS2D"}
	dyn(1, "", original...)
	dyn(2, "", original...)
	dyn(2, "_SUB", sub...)
	dyn(2, "_SUB_MIP_SAG", "DERIVED", "SECONDARY", "MPR", "CSA MPR", "MIP")
	dyn(2, "_SUB_MIP_TRA", "DERIVED", "SECONDARY", "PROJECTION IMAGE")
	dyn(3, "", original...)
	dyn(3, "_SUB", sub...)
	dyn(4, "", original...)
	dyn(4, "_SUB", sub...)
	dyn(5, "", original...)
	dyn(5, "_WI", original...)
	dyn(5, "_WO", original...)
	dyn(5, "_PEI", original...)
	e.add(scan{description: "t1_fl3d_tra_VIEWS_spair", sequence: "*fl3d1", rows: 6, spacingMM: 0.7, slices: 20})
	e.add(scan{description: "Evidence", modality: "SR", edit: func(h *dicom.Dataset, _, _ int) { h.Delete(tag.Rows) }, slices: 1})
	e.add(scan{description: "US breast", modality: "US", slices: 2})

	rand.New(rand.NewPCG(1, 1)).Shuffle(len(e.instances), func(i, j int) { e.instances[i], e.instances[j] = e.instances[j], e.instances[i] })
	r := series.Sort(e.instances)
	want := `1 excluded: localizer
2 excluded: localizer
3 T2: not used
4 excluded: T1 spin echo
5 T2 used: 14 slices, fat-suppressed
6 DWI used: b 50, 400, 800 s/mm2
7 ADC used: 12 slices
8 DCE used: phase 1
9 DCE used: phase 2
10 excluded: subtraction
11 excluded: projection
12 excluded: projection
13 DCE used: phase 3
14 excluded: subtraction
15 DCE used: phase 4
16 excluded: subtraction
17 DCE used: phase 5
18 excluded: computed map
19 excluded: computed map
20 excluded: computed map
21 excluded: T1, one time point
22 excluded: modality SR
23 excluded: modality US
`
	if got := summary(r); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if r.TimesKnown || len(r.Notes) == 0 || !strings.Contains(r.Notes[0], "60 s") {
		t.Errorf("TimesKnown %v, notes %q; want unknown times and a note on the 60 s assumed", r.TimesKnown, r.Notes)
	}
	if r.StudyUID != "1.2" {
		t.Errorf("StudyUID %q", r.StudyUID)
	}
	for _, u := range r.Series {
		if u.Reason == "" || u.Used != (len(u.Instances) > 0) {
			t.Errorf("series %d: reason %q, used %v with %d instances", u.Number, u.Reason, u.Used, len(u.Instances))
		}
	}
	first := r.Series[7]
	if got := first.Instances[0]; got != "1.2.8.1.1" {
		t.Errorf("first instance of phase 1 is %s, want the lowest", got)
	}
}

// TestPhases covers the ways in which phases are stored.
func TestPhases(t *testing.T) {
	const start = 36000.0
	at := func(p int) float64 { return start + 90*float64(p) }
	one := func(repeats int, edit func(h *dicom.Dataset, k, r int)) func(e *exam) {
		return func(e *exam) { e.add(scan{description: "dyn", repeats: repeats, edit: edit}) }
	}
	for _, tc := range []struct {
		name   string
		make   func(e *exam)
		times  []float64
		known  bool
		reason string // in the first series' reason
		note   string
	}{
		{"series per phase, Acquisition Time", func(e *exam) {
			e.dynamic(4, func(h *dicom.Dataset, p int) { h.Set(tag.AcquisitionTime, clockTM(at(p))) })
		}, []float64{0, 90, 180, 270}, true, "Times: Acquisition Time", ""},
		{"series per phase, Content Time a little later in each slice", func(e *exam) {
			e.add(scan{number: 20, edit: func(h *dicom.Dataset, k, _ int) { h.Set(tag.ContentTime, clockTM(at(0)+0.1*float64(k))) }})
			e.add(scan{number: 10, edit: func(h *dicom.Dataset, k, _ int) { h.Set(tag.ContentTime, clockTM(at(1)+0.1*float64(k))) }})
		}, []float64{0, 90}, true, "Times: Content Time", "differs from that of their numbers"},
		{"Content Time tells when raw data were reconstructed", func(e *exam) {
			e.dynamic(3, func(h *dicom.Dataset, p int) {
				h.Set(tag.AcquisitionTime, clockTM(at(p)))
				h.Set(tag.ContentTime, clockTM(at(10)+4*float64(p)))
			})
		}, []float64{0, 90, 180}, true, "Times: Acquisition Time", "disagree"},
		{"over midnight, with dates", func(e *exam) {
			e.dynamic(3, func(h *dicom.Dataset, p int) {
				h.Set(tag.AcquisitionDate, []string{"20240131", "20240131", "20240201"}[p])
				h.Set(tag.AcquisitionTime, []string{"235700", "235830.5", "000001"}[p])
			})
		}, []float64{0, 90.5, 181}, true, "Acquisition Time", ""},
		{"Acquisition Number, no times", func(e *exam) {
			for _, p := range []int{2, 1, 3} {
				e.add(scan{edit: func(h *dicom.Dataset, _, _ int) { h.Set(tag.AcquisitionNumber, p) }})
			}
		}, []float64{0, 60, 120}, false, "order only", "60 s"},
		{"GE with Temporal Position Identifier, Trigger Time that differs per slice", one(3, func(h *dicom.Dataset, k, r int) {
			h.Set(tag.TemporalPositionIdentifier, r+1)
			h.Set(tag.TriggerTime, []int{100, 600, 200, 700}[k%4])
			h.Set(tag.AcquisitionTime, "072925")
		}), []float64{0, 60, 120}, false, "told apart by Temporal Position", "60 s"},
		{"GE without identifier, identical times", one(5, func(h *dicom.Dataset, k, r int) {
			h.Set(tag.NumberOfTemporalPositions, 5)
			h.Set(tag.AcquisitionTime, "072925")
			h.Set(tag.ContentTime, "072925")
		}), []float64{0, 60, 120, 180, 240}, false, "repeats of each position", "unknown"},
		{"GE, Trigger Time is the phase clock", one(3, func(h *dicom.Dataset, k, r int) {
			h.Set(tag.TriggerTime, 75000*r+3)
			h.Set(tag.AcquisitionTime, "072925")
		}), []float64{0, 75, 150}, true, "told apart by Trigger Time. Times: Trigger Time", ""},
		{"Temporal Resolution", one(3, func(h *dicom.Dataset, k, r int) {
			h.Set(tag.TemporalPositionIdentifier, r+1)
			h.Set(tag.TemporalResolution, 87500)
		}), []float64{0, 87.5, 175}, false, "Temporal Position", "87.5 s"},
		{"position-major instance numbers", one(3, func(h *dicom.Dataset, k, r int) {
			h.Set(tag.InstanceNumber, 3*k+r+1)
			h.Set(tag.ContentTime, clockTM(at(r)))
		}), []float64{0, 90, 180}, true, "Content Time", ""},
		{"Philips: Trigger Time before Content Time", func(e *exam) {
			e.add(scan{maker: "Philips Medical Systems", repeats: 3, edit: func(h *dicom.Dataset, k, r int) {
				h.Set(tag.TemporalPositionIdentifier, r+1)
				h.Set(tag.TriggerTime, 60000*r)
				h.Set(tag.ContentTime, clockTM(start+61.5*float64(r)))
			}})
		}, []float64{0, 60, 120}, true, "Times: Trigger Time", ""},
		{"Philips: private dynamic time", func(e *exam) {
			e.add(scan{maker: "Philips", repeats: 3, edit: func(h *dicom.Dataset, k, r int) {
				h.Set(tag.TemporalPositionIdentifier, r+1)
				h.SetVR(tag.New(0x2005, 0x10), dicom.LO, "Philips MR Imaging DD 001")
				h.SetVR(tag.New(0x2005, 0x10A0), dicom.FL, 66.5*float64(r))
				h.Set(tag.AcquisitionTime, "090000")
			}})
		}, []float64{0, 66.5, 133}, true, "Dynamic Scan Begin Time", ""},
		{"pre-contrast in its own series, post phases in one with their own trigger", func(e *exam) {
			e.add(scan{description: "dyn pre", edit: func(h *dicom.Dataset, _, _ int) {
				h.Set(tag.AcquisitionTime, clockTM(start))
				h.Set(tag.TriggerTime, 0)
			}})
			e.add(scan{description: "dyn post", repeats: 3, edit: func(h *dicom.Dataset, k, r int) {
				h.Set(tag.AcquisitionTime, clockTM(start+150))
				h.Set(tag.TriggerTime, 70000*r)
			}})
		}, []float64{0, 150, 220, 290}, true, "Times: Trigger Time", ""},
		{"pre-contrast in its own series, no times", func(e *exam) {
			e.add(scan{})
			e.add(scan{repeats: 3, edit: func(h *dicom.Dataset, k, r int) { h.Set(tag.TemporalPositionIdentifier, r+1) }})
		}, []float64{0, 60, 120, 180}, false, "order only", ""},
		{"GE: Ph1/ before the description", func(e *exam) {
			for p := range 3 {
				e.add(scan{maker: "GE MEDICAL SYSTEMS", description: fmt.Sprintf("Ph%d/Ax Vibrant", p), sequence: "efgre3d", edit: func(h *dicom.Dataset, _, _ int) {
					h.Set(tag.AcquisitionTime, "101010")
				}})
			}
		}, []float64{0, 60, 120}, false, "3 series of one geometry", ""},
		{"times less than 2 s apart do not tell phases", one(3, func(h *dicom.Dataset, k, r int) {
			h.Set(tag.ContentTime, clockTM(start+0.5*float64(r)))
		}), []float64{0, 60, 120}, false, "repeats of each position", ""},
		{"a slice is missing in one phase", one(4, func(h *dicom.Dataset, k, r int) {
			h.Set(tag.TemporalPositionIdentifier, r+1)
			if k == 11 && r == 2 {
				h.Set(tag.ImagePositionPatient, -10, -20, 24)
			}
		}), []float64{0, 60, 120, 180}, false, "Temporal Position", "11 of 12"},
		{"phases stored twice", func(e *exam) {
			for range 2 {
				e.dynamic(3, func(h *dicom.Dataset, p int) {
					h.Set(tag.AcquisitionTime, clockTM(at(p)))
					h.Set(tag.ContentTime, clockTM(at(p)+20))
				})
			}
		}, []float64{0, 90, 180}, true, "Content Time", "a second time"},
		{"the last phase was broken off", func(e *exam) {
			for p := range 4 {
				n := 12
				if p == 3 {
					n = 10
				}
				e.add(scan{slices: n, edit: func(h *dicom.Dataset, _, _ int) { h.Set(tag.AcquisitionNumber, p+1) }})
			}
		}, []float64{0, 60, 120}, false, "order only", "10 of 12 slices"},
		{"the pre-contrast phase has another frame of reference", func(e *exam) {
			e.add(scan{description: "pre", edit: func(h *dicom.Dataset, _, _ int) { h.Set(tag.FrameOfReferenceUID, "9.9") }})
			e.dynamic(3, nil)
		}, []float64{0, 60, 120}, false, "", "precedes the dynamic series"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := &exam{}
			tc.make(e)
			r := series.Sort(e.instances)
			var times []float64
			for _, p := range r.DCE {
				times = append(times, math.Round(1000*p.TimeS)/1000)
			}
			if !slices.Equal(times, tc.times) || r.TimesKnown != tc.known {
				t.Errorf("times %v, known %v; want %v, %v\n%s", times, r.TimesKnown, tc.times, tc.known, summary(r))
			}
			var reasons string
			for _, u := range r.Series {
				reasons += u.Reason + "\n"
			}
			if !strings.Contains(reasons, tc.reason) {
				t.Errorf("reasons %s do not tell %q", reasons, tc.reason)
			}
			if notes := strings.Join(r.Notes, "\n"); !strings.Contains(notes, tc.note) {
				t.Errorf("notes %q do not tell %q", notes, tc.note)
			}
			for n, p := range r.DCE {
				last := math.Inf(-1)
				for _, frames := range p.Slices {
					h := e.instances[frames[0].Instance].Header
					if z := h.Floats(tag.ImagePositionPatient)[2]; z <= last || len(frames) != 1 {
						t.Fatalf("phase %d: %d frames at %g mm after %g mm", n+1, len(frames), z, last)
					} else {
						last = z
					}
				}
			}
		})
	}
}

// TestRoles covers what one series can be, by itself beside a dynamic series.
func TestRoles(t *testing.T) {
	types := func(v ...any) []any { return v }
	for _, tc := range []struct {
		name string
		scan scan
		want string
	}{
		{"T2", t2Scan, "T2 used: 14 slices"},
		{"STIR", tirmScan, "T2 used: 14 slices, fat-suppressed"},
		{"T2, 3D, description silent", scan{scanning: types("SE"), tr: 1600, te: 180, options: "PFP"}, "T2 used: 12 slices"},
		{"T2 without the kind of echo", scan{scanning: types("RM"), tr: 4000, te: 90, options: "PFP"}, "T2 used: 12 slices"},
		{"FLAIR", scan{scanning: types("SE", "IR"), tr: 9000, te: 100, ti: 2500}, "excluded: FLAIR"},
		{"T1 spin echo", scan{scanning: types("SE"), tr: 600, te: 12}, "excluded: T1 spin echo"},
		{"proton density", scan{scanning: types("SE"), tr: 3000, te: 15}, "uncertain: contrast unknown"},
		{"balanced steady state", scan{tr: 4, te: 2, flip: 60, rows: 7}, "uncertain: contrast unknown"},
		{"description contradicts", t2Scan.with(func(s *scan) { s.description = "t1_tse" }), "uncertain: contradiction"},
		{"TR and TE stripped, T2 by description", t2Scan.with(func(s *scan) {
			s.edit = func(h *dicom.Dataset, _, _ int) { h.Delete(tag.EchoTime); h.Delete(tag.RepetitionTime) }
		}), "T2 used: 14 slices"},
		{"TR and TE stripped, no description", scan{edit: func(h *dicom.Dataset, _, _ int) { h.Delete(tag.EchoTime) }}, "uncertain: contrast unknown"},
		{"other geometry after contrast", scan{rows: 8, spacingMM: .5}, "excluded: T1, one time point"},
		{"localizer by Image Type", scan{types: types("ORIGINAL", "PRIMARY", "LOCALIZER")}, "excluded: localizer"},
		{"localizer by name", scan{description: "3 Plane Loc"}, "excluded: localizer"},
		{"subtraction by GE's name", scan{description: "(101/2/1)-(101/1/1)"}, "excluded: subtraction"},
		{"subtraction by name", scan{description: "dyn SUB2"}, "excluded: subtraction"},
		{"subcutaneous is no subtraction", scan{description: "dyn subcutaneous", rows: 9}, "excluded: T1, one time point"},
		{"MIP by calculation technique", scan{edit: func(h *dicom.Dataset, _, _ int) { h.Set(tag.VolumeBasedCalculationTechnique, "MAX_IP") }}, "excluded: projection"},
		{"reformat", scan{types: types("DERIVED", "SECONDARY", "REFORMATTED", "AVERAGE")}, "excluded: reformat"},
		{"phase image", scan{types: types("ORIGINAL", "PRIMARY", "PHASE MAP", "P", "FFE")}, "excluded: phase image"},
		{"GE's raw data type", scan{maker: "GE MEDICAL SYSTEMS", edit: func(h *dicom.Dataset, _, _ int) {
			h.SetVR(tag.New(0x43, 0x10), dicom.LO, "GEMS_PARM_01")
			h.SetVR(tag.New(0x43, 0x102F), dicom.SS, 3)
		}}, "excluded: real or imaginary part"},
		{"fat image", scan{types: types("DERIVED", "PRIMARY", "F", "F", "DERIVED")}, "excluded: fat image"},
		{"screen capture", scan{types: types("DERIVED", "SECONDARY", "SCREEN SAVE")}, "excluded: screen capture"},
		{"secondary capture", scan{edit: func(h *dicom.Dataset, _, _ int) { h.Set(tag.SOPClassUID, "1.2.840.10008.5.1.4.1.1.7") }}, "excluded: no MR image"},
		{"colour", scan{edit: func(h *dicom.Dataset, _, _ int) { h.Set(tag.SamplesPerPixel, 3) }}, "excluded: colour image"},
		{"mosaic", dwiScan.with(func(s *scan) { s.types = types("ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC") }), "uncertain: tiles unknown"},
		{"echo-planar, no diffusion", scan{scanning: types("EP", "GR"), tr: 1000, te: 35, flip: 90}, "excluded: echo-planar"},
		{"diffusion, b stripped", dwiScan, "uncertain: diffusion, b-values unknown"},
		{"computed b-value", dwiScan.with(func(s *scan) { s.sequence = "*ep_calc_b1500" }), "excluded: computed b-value"},
		{"exponential ADC", dwiScan.with(func(s *scan) { s.description = "eADC" }), "excluded: computed map"},
		{"ADC by name", dwiScan.with(func(s *scan) { s.types, s.description = types("DERIVED", "PRIMARY"), "dADC Map" }), "ADC used: 12 slices"},
		{"no position", scan{edit: func(h *dicom.Dataset, _, _ int) { h.Delete(tag.ImagePositionPatient) }}, "uncertain: no geometry"},
		{"no modality", scan{edit: func(h *dicom.Dataset, _, _ int) { h.Delete(tag.Modality) }}, "uncertain: no modality"},
		{"segmentation", scan{modality: "SEG"}, "excluded: modality SEG"},
		{"places with unequal numbers of images", scan{rows: 9, repeats: 2, edit: func(h *dicom.Dataset, k, r int) {
			if r == 1 && k > 5 {
				h.Set(tag.ImagePositionPatient, -10, -20, 0)
			}
		}}, "uncertain: time points unknown"},
		{"planes in all directions", scan{slices: 150, edit: func(h *dicom.Dataset, k, _ int) {
			c, s := math.Cos(float64(k)/50), math.Sin(float64(k)/50)
			h.Set(tag.ImageOrientationPatient, c, s, 0, -s, c, 0)
		}}, "uncertain: scattered planes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := &exam{}
			e.dynamic(3, nil)
			tc.scan.number = 9
			e.add(tc.scan)
			r := series.Sort(e.instances)
			if got, want := summary(r), "9 "+tc.want+"\n"; !strings.HasSuffix(got, want) {
				t.Errorf("got\n%swant %s\nreason: %s", got, want, r.Series[len(r.Series)-1].Reason)
			}
			if len(r.DCE) != 3 {
				t.Errorf("%d phases, want 3", len(r.DCE))
			}
		})
	}
}

func TestNoDynamicSeries(t *testing.T) {
	e := &exam{}
	e.add(scan{})
	e.add(t2Scan)
	r := series.Sort(e.instances)
	if want := "1 uncertain: T1, one time point\n2 T2 used: 14 slices\n"; summary(r) != want || r.DCE != nil {
		t.Errorf("got %s, want %s", summary(r), want)
	}
	if r := series.Sort(nil); len(r.Series) != 0 || r.DCE != nil {
		t.Errorf("no instances: %+v", r)
	}
}

// TestChoice covers studies with more than one candidate for a role.
func TestChoice(t *testing.T) {
	corrected := func(s *scan) { s.types, s.description = []any{"DERIVED", "SECONDARY", "M", "MOCO"}, "dyn MoCo" }
	temporal := func(h *dicom.Dataset, _, r int) { h.Set(tag.TemporalPositionIdentifier, r+1) }
	timed := func(stepS float64) func(h *dicom.Dataset, _, r int) {
		return func(h *dicom.Dataset, _, r int) {
			h.Set(tag.TemporalPositionIdentifier, r+1)
			h.Set(tag.AcquisitionTime, clockTM(36000+stepS*float64(r)))
		}
	}
	for _, tc := range []struct {
		name string
		make func(e *exam)
		want string
		note string
	}{
		{"motion-corrected copies beside originals", func(e *exam) {
			s := scan{repeats: 4, edit: temporal}
			e.add(s.with(corrected))
			e.add(s)
		}, "1 DCE: motion-corrected copy, not used\n2 DCE used: phases 1-4\n", "not motion-corrected"},
		{"motion-corrected copies only", func(e *exam) {
			e.add(scan{repeats: 4, edit: temporal}.with(corrected))
		}, "1 DCE used: phases 1-4\n", ""},
		{"ultrafast beside conventional", func(e *exam) {
			e.add(scan{repeats: 20, spacingMM: 2, edit: timed(4)})
			e.add(scan{repeats: 5, edit: timed(80)})
		}, "1 DCE: 20 phases, not used\n2 DCE used: phases 1-5\n", "wash-out"},
		{"pre and post of another sequence beside the dynamic series", func(e *exam) {
			for range 2 {
				e.add(scan{rows: 8, spacingMM: .5, tr: 8})
			}
			e.add(scan{repeats: 5, edit: temporal})
		}, "1 DCE: 2 phases, not used\n2 DCE: 2 phases, not used\n3 DCE used: phases 1-5\n", "more than two phases"},
		{"Dixon: four kinds of images in one series", func(e *exam) {
			e.add(scan{repeats: 12, edit: func(h *dicom.Dataset, _, r int) {
				h.Set(tag.TemporalPositionIdentifier, r/4+1)
				kind := []string{"W", "F", "IP", "OP"}[r%4]
				h.Set(tag.ImageType, "DERIVED", "PRIMARY", kind, kind, "DERIVED")
			}})
		}, "1 DCE used: phases 1-3\n", "water"},
		{"left and right breast", func(e *exam) {
			side := func(x float64) func(h *dicom.Dataset, k, r int) {
				return func(h *dicom.Dataset, k, r int) {
					temporal(h, k, r)
					h.Set(tag.ImageOrientationPatient, 0, 1, 0, 0, 0, -1)
					h.Set(tag.ImagePositionPatient, x+2*float64(k), -20, 30)
				}
			}
			e.add(scan{description: "sag L", repeats: 4, edit: side(50)})
			e.add(scan{description: "sag R", repeats: 4, edit: side(-80)})
		}, "1 DCE used: phases 1-4\n2 DCE: other breast: 4 phases, not used\n", "series 1, the left one; series 2 shows the other breast, the right one"},
		{"T2: transverse before sagittal, fat-suppressed before not", func(e *exam) {
			e.dynamic(2, nil)
			e.add(tirmScan.with(func(s *scan) {
				s.edit = func(h *dicom.Dataset, k, _ int) {
					h.Set(tag.ImageOrientationPatient, 0, 1, 0, 0, 0, -1)
					h.Set(tag.ImagePositionPatient, float64(-4*k), 0, 0)
				}
			}))
			e.add(t2Scan)
			e.add(tirmScan)
		}, "1 DCE used: phase 1\n2 DCE used: phase 2\n3 T2: not used\n4 T2: not used\n5 T2 used: 14 slices, fat-suppressed\n", ""},
		{"T2 with a gap gives way", func(e *exam) {
			e.dynamic(2, nil)
			e.add(tirmScan.with(func(s *scan) {
				s.edit = func(h *dicom.Dataset, k, _ int) {
					if k == 7 {
						h.Set(tag.ImagePositionPatient, -10, -20, 100)
					}
				}
			}))
			e.add(t2Scan)
		}, "1 DCE used: phase 1\n2 DCE used: phase 2\n3 T2: not used\n4 T2 used: 14 slices\n", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := &exam{}
			tc.make(e)
			r := series.Sort(e.instances)
			if got := summary(r); got != tc.want {
				t.Errorf("got\n%swant\n%s", got, tc.want)
			}
			if notes := strings.Join(r.Notes, "\n"); !strings.Contains(notes, tc.note) {
				t.Errorf("notes %q do not tell %q", notes, tc.note)
			}
		})
	}
}

// TestReference: results refer to the early phase.
func TestReference(t *testing.T) {
	e := &exam{}
	e.dynamic(6, func(h *dicom.Dataset, p int) { h.Set(tag.AcquisitionTime, clockTM(36000+75*float64(p))) })
	if r := series.Sort(e.instances); r.Reference != 3 { // 75 s + 150 s after the start
		t.Errorf("reference phase %d, want 3", r.Reference)
	}
}

func TestOrderDoesNotMatter(t *testing.T) {
	e := &exam{}
	e.add(tirmScan)
	e.add(scan{repeats: 4, edit: func(h *dicom.Dataset, k, r int) { h.Set(tag.TriggerTime, 60000*r) }})
	want := summary(series.Sort(e.instances))
	g := rand.New(rand.NewPCG(5, 6))
	for range 5 {
		g.Shuffle(len(e.instances), func(i, j int) { e.instances[i], e.instances[j] = e.instances[j], e.instances[i] })
		r := series.Sort(e.instances)
		if got := summary(r); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
		if r.Series[1].Role != experts.RoleDCE || r.Series[1].Instances[0] != "1.2.2.1.1" {
			t.Fatalf("first instance %s", r.Series[1].Instances[0])
		}
	}
}

func BenchmarkSort(b *testing.B) {
	e := &exam{}
	e.dynamic(6, nil)
	e.add(scan{slices: 160, repeats: 12, edit: func(h *dicom.Dataset, _, r int) { h.Set(tag.TemporalPositionIdentifier, r+1) }})
	e.add(t2Scan.with(func(s *scan) { s.slices = 60 }))
	b.ReportAllocs()
	for b.Loop() {
		series.Sort(e.instances)
	}
	b.ReportMetric(float64(len(e.instances)), "instances")
}
