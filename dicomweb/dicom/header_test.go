package dicom_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
)

// unequal returns where two readings of one data set differ, "" where nowhere. Values are compared as bytes; text
// and that which go-dicom trims, without the padding around.
func unequal(got, want *dicom.Dataset) string {
	if got.Len() != want.Len() {
		return fmt.Sprintf("%d elements, want %d", got.Len(), want.Len())
	}
	for w := range want.All() {
		g := got.Get(w.Tag)
		if g == nil || g.VR != w.VR || g.Span != w.Span || g.Deferred() != w.Deferred() ||
			len(g.Items) != len(w.Items) || !slices.Equal(g.Fragments, w.Fragments) {
			return fmt.Sprintf("%v: got %+v, want %+v", w.Tag, g, w)
		}
		for i := range w.Items {
			if s := unequal(g.Items[i], w.Items[i]); s != "" {
				return fmt.Sprintf("%v/%d/%s", w.Tag, i, s)
			}
		}
		if !slices.Equal(got.ElementStrings(g), want.ElementStrings(w)) {
			return fmt.Sprintf("%v: got %q, want %q", w.Tag, got.ElementStrings(g), want.ElementStrings(w))
		}
		if w.VR == dicom.SQ || got.ElementStrings(g) != nil {
			continue
		}
		if n := len(w.Value); !bytes.Equal(g.Value[:min(n, len(g.Value))], w.Value) || len(g.Value) > n+n%2 {
			return fmt.Sprintf("%v: got %d bytes, want %d", w.Tag, len(g.Value), n)
		}
	}
	return ""
}

func checkHeader(t *testing.T, name string, b []byte) {
	t.Helper()
	f := scan(t, b)
	d, err := dicom.Header(f)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	if s := unequal(d, f.Dataset); s != "" {
		t.Errorf("%s: %s", name, s)
	}
}

// TestHeader: go-dicom, given the normalised stream, reads what the scanner reads.
func TestHeader(t *testing.T) {
	chinese := object()
	chinese.SetVR(tag.SpecificCharacterSet, dicom.CS, "GBK")
	chinese.Set(tag.PatientName, "\x81\x5c^\x81\x5e")
	item := dicom.New()
	item.Set(tag.SpecificCharacterSet, "ISO_IR 166")
	item.Set(tag.PatientName, "\xca\xc7")
	chinese.SetItems(tag.ReferencedPatientSequence, item, dicom.New())
	long := object()
	long.SetVR(tag.TextValue, dicom.UT, strings.Repeat("long text ", 10_000))
	long.SetVR(0x00091001, dicom.LT, strings.Repeat("x", 65_534))
	long.SetVR(0x00091002, dicom.OF, make([]byte, 65_536))
	deep := object()
	for range 60 {
		outer := dicom.New()
		outer.SetItems(tag.ContentSequence, deep)
		deep = outer
	}
	d := object()
	d.SetItems(tag.ContentSequence, deep)
	for _, c := range []struct {
		name string
		d    *dicom.Dataset
		ts   string
	}{
		{"every VR", everyVR(), uid.ExplicitVRLittleEndian},
		{"every VR implicit", everyVR(), uid.ImplicitVRLittleEndian},
		{"backslashes in multi-byte text, charset of an item", chinese, uid.ExplicitVRLittleEndian},
		{"long values", long, uid.ExplicitVRLittleEndian},
		{"deep nesting", d, uid.ExplicitVRLittleEndian},
	} {
		t.Run(c.name, func(t *testing.T) { checkHeader(t, c.name, write(t, c.d, c.ts)) })
	}
}

func TestHeaderVendor(t *testing.T) {
	n := 0
	vendorFiles(t, func(t *testing.T, name string, b []byte) {
		// The long series are alike: every third file keeps the test short.
		if n++; n%3 == 0 || len(b) > 1<<20 {
			checkHeader(t, name, b)
		}
	})
}

func BenchmarkHeader(b *testing.B) {
	var buf bytes.Buffer
	if err := dicom.Write(&buf, slice(), uid.ExplicitVRLittleEndian); err != nil {
		b.Fatal(err)
	}
	f, err := dicom.Scan(bytes.NewReader(buf.Bytes()), int64(buf.Len()), dicom.Limits{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := dicom.Header(f); err != nil {
			b.Fatal(err)
		}
	}
}
