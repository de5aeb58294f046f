package dicom

import (
	"fmt"
	"io"
	"os"

	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
)

// File is a scanned DICOM object. It does not hold what was left in the file: Body must stay open as long as values
// are read from it. Concurrent use is fine where Body allows it, as files and byte readers do.
type File struct {
	Meta           *Dataset // File Meta Information, group 0002; all its values are held
	Dataset        *Dataset
	TransferSyntax string
	Body           io.ReaderAt // what Spans count in: the file, or the inflated data set of a deflated one
	Size           int64       // bytes of Body
	lim            Limits
}

// Ref returns the UIDs that identify the object: Study, Series and SOP Instance, and its SOP Class. It is an error,
// always a *FormatError, when one is missing or no valid UID, or when the File Meta Information names another SOP Class.
// Where it names another instance the data set counts: tools that give objects new UIDs often leave it behind.
func (f *File) Ref() (study, series, instance, sopClass string, err error) {
	for _, w := range []struct {
		t   tag.Tag
		out *string
	}{
		{tag.SOPClassUID, &sopClass},
		{tag.SOPInstanceUID, &instance},
		{tag.StudyInstanceUID, &study},
		{tag.SeriesInstanceUID, &series},
	} {
		e := f.Dataset.Get(w.t)
		if e == nil || e.VR != UI || len(e.Value) == 0 {
			return "", "", "", "", &FormatError{Tag: w.t, Reason: ReasonMissing}
		}
		if *w.out = f.Dataset.String(w.t); !uid.Valid(*w.out) || len(f.Dataset.Strings(w.t)) != 1 {
			return "", "", "", "", &FormatError{Offset: e.Span.Offset, Tag: w.t, Reason: ReasonUID}
		}
	}
	if class := f.Meta.String(tag.MediaStorageSOPClassUID); class != "" && class != sopClass {
		return "", "", "", "", &FormatError{Tag: tag.MediaStorageSOPClassUID, Reason: ReasonMismatch}
	}
	return study, series, instance, sopClass, nil
}

// Open returns a reader of the bytes of s, which must come from an element of f.
func (f *File) Open(s Span) *io.SectionReader { return io.NewSectionReader(f.Body, s.Offset, s.Length) }

// Value returns the element's value as it was sent, from memory or from the file, at most Limits.Deferred bytes. An
// encapsulated value has no single one: it is an error to ask, read its Fragments.
func (f *File) Value(e *Element) ([]byte, error) {
	switch {
	case e.Fragments != nil:
		return nil, fmt.Errorf("dicom: read %v: the value is encapsulated, read its fragments", e.Tag)
	case !e.Deferred():
		return e.Value, nil
	case e.Span.Length > f.limits().Deferred:
		return nil, &FormatError{Offset: e.Span.Offset, Tag: e.Tag, Reason: ReasonDeferred}
	case e.Span.Offset < 0 || e.Span.Offset > f.Size || e.Span.Length > f.Size-e.Span.Offset:
		return nil, &FormatError{Offset: e.Span.Offset, Tag: e.Tag, Reason: ReasonTruncated}
	}
	b := make([]byte, e.Span.Length)
	src := source{r: f.Body, size: f.Size}
	if err := src.readAt(b, e.Span.Offset); err != nil {
		return nil, fmt.Errorf("dicom: read %v: %w", e.Tag, err)
	}
	return b, nil
}

func (f *File) limits() Limits { return f.lim.withDefaults() }

// ReadFile scans the file at path with the default limits. The caller closes it when no more values are wanted.
func ReadFile(path string) (*File, io.Closer, error) {
	r, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	info, err := r.Stat()
	if err != nil {
		r.Close()
		return nil, nil, err
	}
	f, err := Scan(r, info.Size(), Limits{})
	if err != nil {
		r.Close()
		return nil, nil, err
	}
	return f, r, nil
}
