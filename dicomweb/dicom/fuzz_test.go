package dicom_test

import (
	"bytes"
	"encoding/json"
	"runtime"
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/fixtures/malformed"
)

// seed gives a fuzz target the streams of package malformed that are short, and sound objects.
func seed(f *testing.F) {
	for _, cases := range [][]malformed.Case{malformed.Cases(), malformed.Odd()} {
		for i, c := range cases {
			if !c.Large && (c.WantReason != malformed.AnyReason || i%16 == 0) {
				f.Add(c.Bytes())
			}
		}
	}
	for _, ts := range []string{uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian} {
		d := everyVR()
		d.SetVR(tag.PixelData, dicom.OW, []byte{1, 2, 3, 4})
		var buf bytes.Buffer
		if err := dicom.Write(&buf, d, ts); err != nil {
			f.Fatal(err)
		}
		f.Add(buf.Bytes())
	}
}

// FuzzScan: no panic, memory in proportion to the input, and what can be written comes back the same.
func FuzzScan(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		lim := dicom.Limits{Inflated: 1 << 20}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		file, err := identify(b, lim)
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > uint64(24<<20+64*len(b)) {
			t.Fatalf("%d bytes allocated for %d bytes of input", got, len(b))
		}
		if err != nil {
			return
		}
		load(file, file.Dataset)
		first, err := file.AppendJSON(nil, dicom.JSONOptions{BulkDataURI: func(string, *dicom.Element) string { return "" }})
		if file.Dataset.Get(tag.PixelData) == nil && err == nil && !json.Valid(first) {
			t.Fatalf("not JSON: %q", first)
		}
		var out bytes.Buffer
		if dicom.Write(&out, file.Dataset, uid.ExplicitVRLittleEndian) != nil {
			if out.Len() > 0 {
				t.Fatal("an error after bytes were written")
			}
			return // encapsulated, big endian, not UTF-8, too long for its VR
		}
		back, err := identify(out.Bytes(), dicom.Limits{})
		if err != nil {
			t.Fatalf("what was written is refused: %v", err)
		}
		second, err := back.AppendJSON(nil, dicom.JSONOptions{})
		if err != nil {
			t.Fatal(err)
		}
		named := file.Dataset.Has(tag.SpecificCharacterSet) == back.Dataset.Has(tag.SpecificCharacterSet)
		if named && !bytes.Equal(first, second) {
			t.Fatalf("read  %s\nwrote %s", first, second)
		}
	})
}

// load puts values that were left in the file into memory, and pads those of odd length, which no writer may leave
// (PS3.5 section 7.1): the one thing that writing changes.
func load(f *dicom.File, d *dicom.Dataset) {
	for e := range d.All() {
		if e.Deferred() && e.Fragments == nil {
			if v, err := f.Value(e); err == nil {
				e.Value = v
			}
		}
		switch e.VR {
		case dicom.OB, dicom.OD, dicom.OF, dicom.OL, dicom.OV, dicom.OW, dicom.UN:
			if len(e.Value)%2 == 1 {
				e.Value = append(e.Value[:len(e.Value):len(e.Value)], 0)
			}
		}
		for _, item := range e.Items {
			load(f, item)
		}
	}
}

// FuzzHeader: what the scanner accepts, go-dicom reads the same once it is normalised.
func FuzzHeader(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := dicom.Scan(bytes.NewReader(b), int64(len(b)), dicom.Limits{Inflated: 1 << 20})
		if err != nil {
			return
		}
		d, err := dicom.Header(file)
		if err != nil {
			t.Fatalf("%v", err)
		}
		if file.TransferSyntax == "1.2.840.10008.1.2.2" {
			return // the bytes differ by their order
		}
		if s := unequal(d, file.Dataset); s != "" {
			t.Fatal(s)
		}
	})
}
