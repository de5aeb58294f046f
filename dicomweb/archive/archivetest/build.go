// Package archivetest is the contract of archive's two interfaces as tests that every implementation runs, and the
// small DICOM objects that they and the services' tests store.
package archivetest

import (
	"bytes"
	"testing"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
)

// Ref returns valid UIDs for a study, series and instance that a test calls by names.
func Ref(study, series, instance string) dicomweb.Ref {
	return dicomweb.Ref{
		Study:    uid.From("study", study),
		Series:   uid.From("series", study, series),
		Instance: uid.From("instance", study, series, instance),
	}
}

// Dataset returns a small MR image of 4 x 4 pixels with the UIDs of ref; set, which may be nil, changes it.
func Dataset(ref dicomweb.Ref, set func(*dicom.Dataset)) *dicom.Dataset {
	ds := dicom.New()
	ds.Set(tag.SOPClassUID, uid.MRImageStorage)
	ds.Set(tag.SOPInstanceUID, ref.Instance)
	ds.Set(tag.StudyInstanceUID, ref.Study)
	ds.Set(tag.SeriesInstanceUID, ref.Series)
	ds.Set(tag.StudyDate, "20240105")
	ds.Set(tag.StudyTime, "101500")
	ds.Set(tag.Modality, "MR")
	ds.Set(tag.PatientName, "Doe^Jane")
	ds.Set(tag.PatientID, "P1")
	ds.Set(tag.Rows, 4)
	ds.Set(tag.Columns, 4)
	ds.Set(tag.BitsAllocated, 16)
	ds.SetVR(tag.PixelData, dicom.OW, make([]byte, 32))
	if set != nil {
		set(ds)
	}
	return ds
}

// File returns ds as a Part 10 file in explicit VR little endian.
func File(t testing.TB, ds *dicom.Dataset) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := dicom.Write(&b, ds, uid.ExplicitVRLittleEndian); err != nil {
		t.Fatalf("make a test object: %v", err)
	}
	return b.Bytes()
}

// Scan returns the file that b holds.
func Scan(t testing.TB, b []byte) *dicom.File {
	t.Helper()
	f, err := dicom.Scan(bytes.NewReader(b), int64(len(b)), dicom.Limits{})
	if err != nil {
		t.Fatalf("scan a test object: %v", err)
	}
	return f
}
