package dicom_test

import (
	"bytes"
	"errors"
	"runtime"
	"testing"
	"time"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/fixtures/malformed"
)

// identify scans b and asks what it is.
func identify(b []byte, lim dicom.Limits) (*dicom.File, error) {
	f, err := dicom.Scan(bytes.NewReader(b), int64(len(b)), lim)
	if err == nil {
		_, _, _, _, err = f.Ref()
	}
	return f, err
}

// TestMalformed: hostile streams are refused for the right reason, without much memory or time.
func TestMalformed(t *testing.T) {
	tag.Lookup(tag.PatientID) // the dictionary is loaded once and counts for nobody
	for _, c := range malformed.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			b := c.Bytes()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			_, err := identify(b, dicom.Limits{})
			took := time.Since(start)
			runtime.ReadMemStats(&after)

			var format *dicom.FormatError
			if !errors.As(err, &format) {
				t.Fatalf("got %v, want a FormatError", err)
			}
			if c.WantReason != malformed.AnyReason && format.Reason != c.WantReason {
				t.Errorf("refused with %v, want %q", err, c.WantReason)
			}
			// What describes an element may take some 24 times the 8 bytes that it costs the sender, never more;
			// nothing else grows with the file, let alone with what it claims.
			allowed := uint64(256<<10 + 24*len(b))
			if got := after.TotalAlloc - before.TotalAlloc; got > allowed {
				t.Errorf("%d bytes allocated for %d bytes of input, %d allowed", got, len(b), allowed)
			}
			// Half a second on an idle machine for the worst; a careless reader needs minutes.
			if took > 30*time.Second {
				t.Errorf("refused after %v", took)
			}
		})
	}
}

// TestOdd: what is merely odd is accepted, and read right.
func TestOdd(t *testing.T) {
	for _, c := range malformed.Odd() {
		t.Run(c.Name, func(t *testing.T) {
			f, err := identify(c.Bytes(), dicom.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if got := f.Dataset.String(tag.PatientID); got != "ODD" {
				t.Errorf("Patient ID %q, want ODD", got)
			}
			d, err := dicom.Header(f)
			if err != nil {
				t.Fatal(err)
			}
			if s := unequal(d, f.Dataset); s != "" {
				t.Errorf("go-dicom reads another data set: %s", s)
			}
			if _, err := f.AppendJSON(nil, dicom.JSONOptions{BulkDataURI: func(string, *dicom.Element) string { return "x" }}); err != nil {
				t.Error(err)
			}
		})
	}
}
