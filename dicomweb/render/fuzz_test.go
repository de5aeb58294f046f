package render

import (
	"bytes"
	"image"
	"testing"

	"mome/dicomweb/archive/archivetest"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/pixel"
)

// FuzzRender: whatever the scanner lets through is rendered or refused, without a panic, into a picture of its own size.
func FuzzRender(f *testing.F) {
	seed := func(set func(*dicom.Dataset)) {
		f.Add(archivetest.File(f, archivetest.Dataset(archivetest.Ref("s", "e", "i"), set)), 0, 1.0, 0.0)
	}
	table := func(bits int) *dicom.Dataset {
		item := dicom.New()
		item.SetVR(tag.LUTDescriptor, dicom.US, 2, 0, bits)
		item.SetVR(tag.LUTData, dicom.OW, []byte{0, 0, 255, 15})
		return item
	}
	seed(nil)
	seed(func(d *dicom.Dataset) { d.Set(tag.WindowCenter, "1"); d.Set(tag.WindowWidth, "0") })
	seed(func(d *dicom.Dataset) {
		d.SetItems(tag.ModalityLUTSequence, table(16))
		d.SetItems(tag.VOILUTSequence, table(12))
	})
	seed(func(d *dicom.Dataset) {
		d.Set(tag.PhotometricInterpretation, "PALETTE COLOR")
		for _, t := range []tag.Tag{tag.RedPaletteColorLookupTableDescriptor, tag.GreenPaletteColorLookupTableDescriptor, tag.BluePaletteColorLookupTableDescriptor} {
			d.SetVR(t, dicom.US, 4, 0, 16)
			d.SetVR(t+0x100, dicom.OW, []byte{1, 0, 2, 0, 3, 0, 4, 0})
			d.SetVR(t+0x120, dicom.OW, []byte{0, 0, 2, 0, 1, 1, 2, 2, 1, 0, 2, 0, 9, 9})
		}
	})
	seed(func(d *dicom.Dataset) {
		d.Set(tag.SOPClassUID, uid.SegmentationStorage)
		d.Set(tag.SegmentationType, "FRACTIONAL")
		d.SetItems(tag.SegmentSequence, dicom.New())
	})
	seed(func(d *dicom.Dataset) {
		item := dicom.New()
		item.Set(tag.ValueType, "NUM")
		item.Set(tag.RelationshipType, "CONTAINS")
		d.Set(tag.ValueType, "CONTAINER")
		d.SetItems(tag.ContentSequence, item)
	})
	f.Fuzz(func(t *testing.T, file []byte, frame int, centre, width float64) {
		o, err := dicom.Scan(bytes.NewReader(file), int64(len(file)), dicom.Limits{})
		if err != nil {
			return
		}
		for _, html := range []bool{false, true} {
			Report(o.Dataset, html, "http://node")
		}
		encapsulated(o, document)
		rows, columns := o.Dataset.IntOr(tag.Rows, 0), o.Dataset.IntOr(tag.Columns, 0)
		set, err := pixel.Frames(o)
		if err != nil || rows > 256 || columns > 256 { // large ones are slow, not different
			return
		}
		if img, err := Segments(o, set, []int{0}, nil, Mapping{}); err == nil && (img.Bounds().Dx() != columns || img.Bounds().Dy() != rows) {
			t.Errorf("segments of %v, want %d x %d", img.Bounds(), columns, rows)
		}
		w := &Window{centre, width, Sigmoid}
		if !w.valid() {
			w = nil
		}
		img, err := Frame(o, set, frame, w)
		if err != nil {
			return
		}
		if img.Bounds().Dx() != columns || img.Bounds().Dy() != rows {
			t.Errorf("image of %v, want %d x %d", img.Bounds(), columns, rows)
		}
		x, y := headerOf(o, frame).squeeze()
		if _, err := (viewport{width: 16, height: 16}).show(img, x, y); err != nil {
			t.Error(err)
		}
	})
}

// FuzzParameters: a query is read or refused, and what was read can be shown.
func FuzzParameters(f *testing.F) {
	f.Add("viewport=10,10,1,1,-2,2&window=1,2,sigmoid&quality=9&annotation=patient&iccprofile=yes")
	f.Add("viewport=8192,1,,,1e300&window=1e-300,1e-300,linear-exact")
	f.Add("requestType=WADO&studyUID=1&seriesUID=1&objectUID=1&frameNumber=1&rows=1&columns=9&region=0,0,1,1&windowCenter=1&windowWidth=2")
	f.Fuzz(func(t *testing.T, query string) {
		p, err := parse(query, false)
		if err == nil {
			p.key()
			if p.quality < 1 || p.quality > 100 || p.window != nil && !p.window.valid() || max(p.view.width, p.view.height) > maxViewport {
				t.Errorf("parse(%q) = %+v", query, p)
			}
			if part, _, _, err := p.view.part(image.Rect(0, 0, 5, 7)); err == nil && (part.Empty() || !part.In(image.Rect(0, 0, 5, 7))) {
				t.Errorf("parse(%q): part %v of %v", query, part, image.Rect(0, 0, 5, 7))
			}
		}
		if q, err := parseURI(query); err == nil {
			if part, _, _, err := q.view.part(image.Rect(0, 0, 5, 7)); err == nil && (part.Empty() || !part.In(image.Rect(0, 0, 5, 7))) {
				t.Errorf("parseURI(%q): part %v of %v", query, part, image.Rect(0, 0, 5, 7))
			}
		}
	})
}

// FuzzHeader: any image pixel module over any bytes is rendered or refused without a panic.
func FuzzHeader(f *testing.F) {
	f.Add(uint8(0), uint8(16), uint8(12), uint8(11), uint8(1), uint8(0), "", []byte{1, 2, 3, 4, 5, 6, 7, 8})
	f.Add(uint8(3), uint8(8), uint8(8), uint8(7), uint8(3), uint8(2), "1", []byte("abcdefghijklmnopqrstuvwxyz"))
	f.Add(uint8(4), uint8(8), uint8(8), uint8(7), uint8(3), uint8(0), "-1\\2", []byte("abcdefghijklmnopqrstuvwxyz"))
	f.Add(uint8(1), uint8(1), uint8(1), uint8(0), uint8(1), uint8(1), "1e308", []byte{0xAA, 0x55, 9, 9})
	f.Add(uint8(2), uint8(32), uint8(32), uint8(31), uint8(1), uint8(1), "0", make([]byte, 40))
	f.Fuzz(func(t *testing.T, photometric, allocated, stored, high, samples, flags uint8, number string, pixels []byte) {
		d := archivetest.Dataset(archivetest.Ref("s", "e", "i"), nil)
		d.Set(tag.Rows, 2)
		d.Set(tag.Columns, 2+int(flags>>6))
		d.Set(tag.PhotometricInterpretation, [...]string{"MONOCHROME1", "MONOCHROME2", "", "RGB", "YBR_FULL_422", "YBR_FULL", "PALETTE COLOR", "HSV"}[photometric%8])
		d.Set(tag.BitsAllocated, int(allocated))
		d.Set(tag.BitsStored, int(stored))
		d.Set(tag.HighBit, int(high))
		d.Set(tag.SamplesPerPixel, int(samples))
		d.Set(tag.PixelRepresentation, int(flags&1))
		d.Set(tag.PlanarConfiguration, int(flags>>1&1))
		for i, name := range []tag.Tag{tag.WindowCenter, tag.WindowWidth, tag.RescaleSlope, tag.PixelSpacing} {
			if number != "" && flags>>2&(1<<i) != 0 {
				d.SetVR(name, dicom.DS, number)
			}
		}
		d.SetVR([...]tag.Tag{tag.PixelData, tag.FloatPixelData, tag.DoubleFloatPixelData}[flags>>4%3], dicom.OB, pixels)
		o := &dicom.File{Meta: dicom.New(), Dataset: d, TransferSyntax: [...]string{uid.ExplicitVRLittleEndian, explicitBig}[flags>>5&1]}
		set, err := pixel.Frames(o)
		if err != nil {
			return
		}
		if img, err := Frame(o, set, 0, nil); err == nil {
			if _, err := (viewport{width: 7}).show(img, 1, 1); err != nil {
				t.Error(err)
			}
		}
		Segments(o, set, []int{0}, nil, Mapping{})
	})
}
