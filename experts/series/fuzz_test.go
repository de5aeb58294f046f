package series_test

import (
	"encoding/binary"
	"math"
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/experts/series"
)

// looked are attributes that the rules look at; the fuzzer gives them any bytes in any VR.
var looked = []tag.Tag{
	tag.SOPClassUID, tag.SeriesInstanceUID, tag.Modality, tag.ImageType, tag.Manufacturer, tag.SeriesDescription, tag.SeriesNumber,
	tag.InstanceNumber, tag.AcquisitionNumber, tag.TemporalPositionIdentifier, tag.AcquisitionDate, tag.AcquisitionTime, tag.ContentTime,
	tag.AcquisitionDateTime, tag.TriggerTime, tag.TemporalResolution, tag.ScanningSequence, tag.SequenceName, tag.RepetitionTime, tag.EchoTime,
	tag.InversionTime, tag.FlipAngle, tag.Rows, tag.Columns, tag.PixelSpacing, tag.SliceThickness, tag.ImageOrientationPatient,
	tag.ImagePositionPatient, tag.DiffusionBValue, tag.FrameOfReferenceUID, tag.New(0x0019, 0x10), tag.New(0x0019, 0x100C),
	tag.New(0x0043, 0x10), tag.New(0x0043, 0x1039), tag.PerFrameFunctionalGroupsSequence, tag.SamplesPerPixel, tag.NumberOfFrames,
}

var anyVR = []dicom.VR{dicom.CS, dicom.DS, dicom.IS, dicom.UI, dicom.US, dicom.FD, dicom.FL, dicom.LO, dicom.UN, dicom.TM, dicom.SQ}

// FuzzSort edits the headers of an exam: each edit names instance, attribute, VR and value. Nothing may panic, and what
// is found must name frames that exist.
func FuzzSort(f *testing.F) {
	edit := func(instance, attribute, vr byte, value string) []byte {
		return append([]byte{instance, attribute, vr, byte(len(value))}, value...)
	}
	f.Add([]byte{})
	f.Add(edit(3, 27, 1, `0\0\NaN`))
	f.Add(edit(3, 24, 1, `1e300\1e-300`))
	f.Add(append(edit(0, 11, 9, "235959.999"), edit(12, 11, 9, "000000")...))
	f.Add(edit(30, 28, 5, string(binary.LittleEndian.AppendUint64(nil, math.Float64bits(math.Inf(1))))))
	f.Add(edit(30, 34, 10, "xx"))
	base := fullExamHeaders()
	f.Fuzz(func(t *testing.T, edits []byte) {
		e := &exam{}
		for _, in := range base.instances {
			e.instances = append(e.instances, series.Instance{Header: in.Header.Clone(), TransferSyntax: in.TransferSyntax})
		}
		for n := 0; len(edits) >= 4 && n < 200; n++ {
			h := e.instances[int(edits[0])%len(e.instances)].Header
			what, vr, length := looked[int(edits[1])%len(looked)], anyVR[int(edits[2])%len(anyVR)], int(edits[3])
			edits = edits[4:]
			value := edits[:min(length, len(edits))]
			edits = edits[len(value):]
			element := &dicom.Element{Tag: what, VR: vr, Value: value}
			if vr == dicom.SQ {
				item := dicom.New()
				item.Put(&dicom.Element{Tag: looked[len(value)%len(looked)], VR: dicom.DS, Value: value})
				element = &dicom.Element{Tag: what, VR: vr, Items: []*dicom.Dataset{item, h.Clone()}}
			}
			h.Put(element)
		}
		r := series.Sort(e.instances)
		check := func(s series.Stack) {
			for _, frames := range s.Slices {
				for _, f := range frames {
					if f.Instance < 0 || f.Instance >= len(e.instances) || f.Number < 0 {
						t.Fatalf("frame %+v of %d instances", f, len(e.instances))
					}
				}
				if len(frames) == 0 {
					t.Fatal("a slice without frames")
				}
			}
		}
		last := math.Inf(-1)
		for _, p := range r.DCE {
			if check(p.Stack); !(p.TimeS > last) {
				t.Fatalf("phase at %g s after one at %g s", p.TimeS, last)
			}
			last = p.TimeS
		}
		last = -1
		for _, b := range r.DWI {
			if check(b.Stack); !(b.BSPerMM2 > last) {
				t.Fatalf("b-value %g after %g", b.BSPerMM2, last)
			}
			last = b.BSPerMM2
		}
		for _, s := range []*series.Stack{r.T2, r.ADC} {
			if s != nil {
				check(*s)
			}
		}
		if r.DCE != nil && (r.Reference < 0 || r.Reference >= len(r.DCE)) {
			t.Fatalf("reference %d of %d phases", r.Reference, len(r.DCE))
		}
	})
}

// fullExamHeaders is a small exam of every role.
func fullExamHeaders() *exam {
	e := &exam{}
	for p := range 3 {
		e.add(scan{slices: 4, edit: func(h *dicom.Dataset, _, _ int) {
			h.Set(tag.AcquisitionNumber, p+1)
			h.Set(tag.AcquisitionTime, clockTM(36000+90*float64(p)))
		}})
	}
	e.add(scan{slices: 4, repeats: 3, rows: 8})
	e.add(tirmScan.with(func(s *scan) { s.slices = 4 }))
	e.add(dwiScan.with(func(s *scan) {
		s.slices, s.repeats = 4, 3
		s.edit = func(h *dicom.Dataset, _, r int) { h.Set(tag.DiffusionBValue, 400*r) }
	}))
	e.add(dwiScan.with(func(s *scan) { s.slices, s.types = 4, []any{"DERIVED", "PRIMARY", "DIFFUSION", "ADC"} }))
	return e
}
