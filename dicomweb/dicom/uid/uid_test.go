package uid_test

import (
	"strings"
	"testing"

	"mome/dicomweb/dicom/uid"
)

func TestValid(t *testing.T) {
	for _, c := range []struct {
		in   string
		want bool
	}{
		{"1.2.840.10008.1.1", true},
		{"0.0", true},
		{strings.Repeat("1.", 31) + "12", true}, // 64 characters
		{strings.Repeat("1.", 32) + "1", false}, // 65
		{"", false}, {".", false}, {"1.", false}, {".1", false}, {"1..2", false},
		{"1.02", false}, {"1.2a", false}, {"1.2 ", false}, {"1/2", false}, {"../1", false}, {"1.-2", false},
	} {
		if got := uid.Valid(c.in); got != c.want {
			t.Errorf("Valid(%q) = %v, want %v", c.in, got, c.want)
		}
	}
}

func TestFrom(t *testing.T) {
	a := uid.From("study", "1")
	if a != uid.From("study", "1") {
		t.Error("the same parts give different UIDs")
	}
	seen := map[string]bool{a: true}
	for _, parts := range [][]string{{"study1"}, {"study", "", "1"}, {"", "study", "1"}, {"study", "2"}, {}} {
		u := uid.From(parts...)
		if seen[u] {
			t.Errorf("From(%q) gives a UID that other parts gave", parts)
		}
		seen[u] = true
		if !uid.Valid(u) || !strings.HasPrefix(u, "2.25.") {
			t.Errorf("From(%q) = %q", parts, u)
		}
	}
}

func TestLookup(t *testing.T) {
	if e, ok := uid.Lookup(uid.ExplicitVRLittleEndian); !ok || e.Kind != "Transfer Syntax" || e.Retired {
		t.Errorf("got %+v, %v", e, ok)
	}
	if e, ok := uid.Lookup("1.2.840.10008.1.2.2"); !ok || !e.Retired {
		t.Errorf("Explicit VR Big Endian: got %+v, %v", e, ok)
	}
	if e, ok := uid.Lookup("1.2.3"); ok {
		t.Errorf("an unknown UID: got %+v", e)
	}
}

func TestStorable(t *testing.T) {
	for class, want := range map[string]bool{
		uid.MRImageStorage: true, uid.SegmentationStorage: true, uid.Comprehensive3DSRStorage: true, uid.EncapsulatedPDFStorage: true,
		"1.2.840.10008.5.1.1.27":       true, // Stored Print Storage SOP Class, retired
		"1.3.12.2.1107.5.9.1":          true, // a vendor's
		"1.2.840.10008.5.1.4.1.1.9999": true, // of a later edition
		uid.Verification:               false,
		uid.StorageCommitmentPushModel: false,
		uid.UnifiedProcedureStepPush:   false,
		uid.ExplicitVRLittleEndian:     false,
	} {
		if got := uid.Storable(class); got != want {
			t.Errorf("%s: %t, want %t", class, got, want)
		}
	}
}
