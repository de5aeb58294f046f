package series_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/experts/series"
)

const (
	mrImage    = "1.2.840.10008.5.1.4.1.1.4"
	enhancedMR = "1.2.840.10008.5.1.4.1.1.4.1"
	explicit   = "1.2.840.10008.1.2.1"
)

// exam is a study made of headers, for tests.
type exam struct {
	instances []series.Instance
	series    int
}

// scan describes one series: its zero value is a transverse T1-weighted gradient echo of 12 slices, fat-suppressed.
type scan struct {
	number      int
	description string
	types       []any // Image Type
	sequence    string
	scanning    []any
	tr, te, ti  float64
	flip        float64
	options     string
	slices      int
	repeats     int     // images at each position
	spacingMM   float64 // of pixels
	rows        int
	stepMM      float64 // between slices
	modality    string
	maker       string
	// edit changes the header of slice k of repeat r; it may delete attributes.
	edit func(h *dicom.Dataset, k, r int)
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// add appends the instances of a series, repeat after repeat.
func (e *exam) add(s scan) {
	e.series++
	number := or(s.number, e.series)
	rows, spacing := or(s.rows, 4), or(s.spacingMM, 1)
	for r := range or(s.repeats, 1) {
		for k := range or(s.slices, 12) {
			h := dicom.New()
			h.Set(tag.SOPClassUID, mrImage)
			h.Set(tag.SOPInstanceUID, fmt.Sprintf("1.2.%d.%d.%d", number, r+1, k+1))
			h.Set(tag.StudyInstanceUID, "1.2")
			h.Set(tag.SeriesInstanceUID, fmt.Sprintf("1.2.%d", number))
			h.Set(tag.SeriesNumber, number)
			h.Set(tag.InstanceNumber, r*or(s.slices, 12)+k+1)
			h.Set(tag.SeriesDescription, s.description)
			h.Set(tag.Modality, or(s.modality, "MR"))
			h.Set(tag.Manufacturer, or(s.maker, "SIEMENS"))
			h.Set(tag.FrameOfReferenceUID, "1.2.0")
			if s.types == nil {
				s.types = []any{"ORIGINAL", "PRIMARY", "M", "ND"}
			}
			h.Set(tag.ImageType, s.types...)
			if s.scanning == nil {
				s.scanning = []any{"GR"}
			}
			h.Set(tag.ScanningSequence, s.scanning...)
			h.Set(tag.SequenceName, s.sequence)
			h.Set(tag.ScanOptions, or(s.options, "FS"))
			h.Set(tag.RepetitionTime, or(s.tr, 4.5))
			h.Set(tag.EchoTime, or(s.te, 1.7))
			h.Set(tag.FlipAngle, or(s.flip, 10))
			if s.ti > 0 {
				h.Set(tag.InversionTime, s.ti)
			}
			h.Set(tag.Rows, rows)
			h.Set(tag.Columns, rows)
			h.Set(tag.PixelSpacing, spacing, spacing)
			h.Set(tag.SliceThickness, or(s.stepMM, 2))
			h.Set(tag.ImageOrientationPatient, 1, 0, 0, 0, 1, 0)
			h.Set(tag.ImagePositionPatient, -10, -20, float64(k)*or(s.stepMM, 2))
			h.Set(tag.SamplesPerPixel, 1)
			h.Set(tag.PhotometricInterpretation, "MONOCHROME2")
			h.Set(tag.BitsAllocated, 16)
			h.Set(tag.BitsStored, 16)
			h.Set(tag.HighBit, 15)
			h.Set(tag.PixelRepresentation, 0)
			if s.edit != nil {
				s.edit(h, k, r)
			}
			e.instances = append(e.instances, series.Instance{Header: h, TransferSyntax: explicit})
		}
	}
}

// The usual series of a breast exam.
var (
	t2Scan   = scan{description: "t2_tse_tra", scanning: []any{"SE"}, tr: 5800, te: 101, flip: 150, options: "PFP", slices: 14, stepMM: 4}
	tirmScan = scan{description: "t2_tirm_tra", scanning: []any{"SE", "IR"}, tr: 4900, te: 61, ti: 170, flip: 150, options: "PFP", slices: 14, stepMM: 4}
	dwiScan  = scan{description: "ep2d_diff_tra", scanning: []any{"SE", "EP"}, types: []any{"ORIGINAL", "PRIMARY", "DIFFUSION", "NONE"},
		tr: 6000, te: 70, flip: 90, slices: 12, spacingMM: 2, stepMM: 5}
)

// with returns the scan with changes.
func (s scan) with(f func(s *scan)) scan { f(&s); return s }

// dynamic adds n series, one for each phase, with the times of day in s that begin at startS.
func (e *exam) dynamic(n int, edit func(h *dicom.Dataset, phase int)) {
	for p := range n {
		e.add(scan{description: "t1_fl3d_tra_dyn", edit: func(h *dicom.Dataset, k, _ int) {
			h.Set(tag.AcquisitionNumber, p+1)
			if edit != nil {
				edit(h, p)
			}
		}})
	}
}

// clockTM writes s since midnight as a TM.
func clockTM(s float64) string {
	n := int(s)
	return fmt.Sprintf("%02d%02d%06.3f", n/3600, n/60%60, s-float64(n/60*60))
}

// withPixels gives every instance pixels: value(instance, pixel).
func (e *exam) withPixels(value func(h *dicom.Dataset, i int) uint16) {
	for _, in := range e.instances {
		n := in.Header.IntOr(tag.Rows, 0) * in.Header.IntOr(tag.Columns, 0)
		var raw []byte
		for i := range n {
			raw = binary.LittleEndian.AppendUint16(raw, value(in.Header, i))
		}
		in.Header.SetVR(tag.PixelData, dicom.OW, raw)
	}
}

// opener serves the instances as files in memory.
func (e *exam) opener(t testing.TB) series.Opener {
	return func(_ context.Context, i int) (*dicom.File, io.Closer, error) {
		var b bytes.Buffer
		if err := dicom.Write(&b, e.instances[i].Header, explicit); err != nil {
			t.Errorf("write instance %d: %v", i, err)
			return nil, nil, err
		}
		f, err := dicom.Scan(bytes.NewReader(b.Bytes()), int64(b.Len()), dicom.Limits{})
		return f, io.NopCloser(nil), err
	}
}

// summary writes what the tests compare of a result.
func summary(r series.Result) string {
	var b bytes.Buffer
	for _, u := range r.Series {
		used := ""
		if u.Used {
			used = " used"
		}
		fmt.Fprintf(&b, "%d %s%s: %s\n", u.Number, u.Role, used, u.Detail)
	}
	return b.String()
}
