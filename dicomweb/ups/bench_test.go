package ups_test

import (
	"fmt"
	"testing"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/iod"
	"mome/dicomweb/query"
	"mome/dicomweb/ups"
)

// full is a worklist of workitems with so many references as input each.
func full(b *testing.B, workitems, references int) *ups.Worklist {
	b.Helper()
	a, err := archive.Open(b.Context(), archive.Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { a.Close() })
	w, err := ups.Open(b.Context(), ups.Config{Database: a})
	if err != nil {
		b.Fatal(err)
	}
	for n := range workitems {
		refs := make([]*dicom.Dataset, references)
		for k := range refs {
			refs[k] = iod.Instance{SOPClassUID: "1.2.840.10008.5.1.4.1.1.4", SOPInstanceUID: fmt.Sprintf("1.3.12.2.1107.5.2.43.66012.20260501%d.%d", n, k)}.Reference()
		}
		input := dicom.New()
		input.Set(tag.StudyInstanceUID, fmt.Sprint("1.2.", n))
		input.SetItems(tag.ReferencedSOPSequence, refs...)
		if _, err := w.Create(b.Context(), fmt.Sprint("2.25.", n+1), step(func(ds *dicom.Dataset) {
			ds.Set(tag.PatientID, fmt.Sprint("P", n))
			ds.SetItems(tag.InputInformationSequence, input)
		})); err != nil {
			b.Fatal(err)
		}
	}
	return w
}

// BenchmarkSearch asks a worklist of 1,000 studies of 1,200 images.
func BenchmarkSearch(b *testing.B) {
	w := full(b, 1000, 1200)
	for _, c := range []struct{ name, query string }{
		{"one of a thousand", "PatientID=P500"}, {"none by state", "ProcedureStepState=COMPLETED"}, {"first ten", "limit=10"}, {"by study of an input", "InputInformationSequence.StudyInstanceUID=1.2.500"},
	} {
		b.Run(c.name, func(b *testing.B) {
			q, _, err := query.Parse(c.query, query.Instance, dicomweb.Ref{})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				uids, _, err := w.Find(b.Context(), q)
				if err != nil {
					b.Fatal(err)
				}
				for _, uid := range uids {
					if _, err := w.Answer(b.Context(), q, uid); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

// BenchmarkProgress tells progress of a step with 1,200 images, to one subscriber.
func BenchmarkProgress(b *testing.B) {
	w := full(b, 1, 1200)
	if err := w.Take(b.Context(), "2.25.1", func(*dicom.Dataset) {}); err != nil {
		b.Fatal(err)
	}
	if err := w.Subscribe(b.Context(), "2.25.1", "WATCHER", false, ""); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	percent := 0
	for b.Loop() {
		percent++
		if err := w.Revise(b.Context(), "2.25.1", ups.InProgress, func(ds *dicom.Dataset) {
			item := dicom.New()
			item.Set(tag.ProcedureStepProgress, percent)
			ds.SetItems(tag.ProcedureStepProgressInformationSequence, item)
		}); err != nil {
			b.Fatal(err)
		}
	}
}
