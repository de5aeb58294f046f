package commitment

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
)

// Failure reasons of storage commitment, PS3.3 section C.14.1.1, beside dicomweb.ProcessingFailure.
const (
	NoSuchInstance        dicomweb.FailureReason = 0x0112
	ClassInstanceConflict dicomweb.FailureReason = 0x0119
)

// judge answers each reference. Its error means that nothing can be said of any of them.
func (s *Service) judge(ctx context.Context, q request) (*dicom.Dataset, error) {
	out := dicom.New()
	var kept, failed []*dicom.Dataset
	for _, r := range q.Instances {
		item, reason, err := s.one(ctx, r)
		if err != nil {
			return nil, err
		}
		item.Set(tag.ReferencedSOPClassUID, r.Class)
		if reason != 0 {
			failed = append(failed, item)
		} else {
			kept = append(kept, item)
		}
	}
	keptStudies, failedStudies := &tree{}, &tree{}
	for _, r := range q.Studies {
		item, reason, err := s.one(ctx, r)
		switch {
		case err != nil:
			return nil, err
		case reason != 0:
			failedStudies.add(r, item)
		default:
			keptStudies.add(r, item)
		}
	}
	for _, seq := range []struct {
		t     tag.Tag
		items []*dicom.Dataset
	}{
		{tag.ReferencedSOPSequence, kept}, {tag.FailedSOPSequence, failed},
		{tag.ReferencedStudySequence, keptStudies.items()}, {tag.FailedStudySequence, failedStudies.items()},
	} {
		if len(seq.items) > 0 {
			out.SetItems(seq.t, seq.items...)
		}
	}
	return out, nil
}

// one returns the item that answers a reference, without its class, and the failure reason that it has, 0 for none.
func (s *Service) one(ctx context.Context, r reference) (*dicom.Dataset, dicomweb.FailureReason, error) {
	reason, err := s.reason(ctx, r)
	item := dicom.New()
	item.Set(tag.ReferencedSOPInstanceUID, r.Instance)
	if reason != 0 {
		item.Set(tag.FailureReason, int(reason))
	}
	return item, reason, err
}

// reason returns why the instance is not kept as the reference names it, 0 when it is.
func (s *Service) reason(ctx context.Context, r reference) (dicomweb.FailureReason, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	list, err := s.cfg.Archive.Instances(ctx, dicomweb.Ref{Study: r.Study, Series: r.Series, Instance: r.Instance})
	switch {
	case dicomweb.KindOf(err) == dicomweb.NotFound:
		return NoSuchInstance, nil
	case err != nil:
		return 0, err
	case list[0].SOPClass != r.Class:
		return ClassInstanceConflict, nil
	}
	if err := s.whole(ctx, list[0]); err != nil {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		s.cfg.Log.ErrorContext(ctx, "a stored instance is not whole", "study", list[0].Study, "series", list[0].Series, "instance", list[0].Instance, "error", err)
		return dicomweb.ProcessingFailure, nil
	}
	return 0, nil
}

// whole reads the instance's file and returns an error unless it is the one that came.
func (s *Service) whole(ctx context.Context, i archive.Instance) error {
	o, err := s.cfg.Archive.Open(ctx, i)
	if err != nil {
		return err
	}
	defer o.Close()
	if o.Size() != i.Size {
		return fmt.Errorf("commitment: the file has %d bytes, %d came", o.Size(), i.Size)
	}
	h := sha256.New()
	if _, err := io.Copy(h, &stopping{ctx, io.NewSectionReader(o, 0, i.Size)}); err != nil {
		return err
	}
	if hex.EncodeToString(h.Sum(nil)) != i.SHA256 {
		return fmt.Errorf("commitment: the file's bytes are not those that came")
	}
	return nil
}

// stopping is a reader that ends with its context.
type stopping struct {
	ctx context.Context
	r   io.Reader
}

func (s *stopping) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.r.Read(p)
}

// tree groups instances by study, series and class, in the order in which they came.
type tree struct {
	studies []*dicom.Dataset
	nodes   map[[3]string]*dicom.Dataset // by study, series and class; the last ones are empty further up
}

// add puts the item of r under its study, series and class.
func (t *tree) add(r reference, item *dicom.Dataset) {
	if t.nodes == nil {
		t.nodes = map[[3]string]*dicom.Dataset{}
	}
	study, isNew := t.node([3]string{r.Study}, tag.StudyInstanceUID, r.Study)
	if isNew {
		t.studies = append(t.studies, study)
	}
	series, isNew := t.node([3]string{r.Study, r.Series}, tag.SeriesInstanceUID, r.Series)
	if isNew {
		push(study, tag.ReferencedSeriesSequence, series)
	}
	class, isNew := t.node([3]string{r.Study, r.Series, r.Class}, tag.ReferencedSOPClassUID, r.Class)
	if isNew {
		push(series, tag.ReferencedInstancesBySOPClassSequence, class)
	}
	push(class, tag.ReferencedInstanceSequence, item)
}

func (t *tree) node(key [3]string, name tag.Tag, value string) (*dicom.Dataset, bool) {
	if ds := t.nodes[key]; ds != nil {
		return ds, false
	}
	ds := dicom.New()
	ds.Set(name, value)
	t.nodes[key] = ds
	return ds, true
}

func (t *tree) items() []*dicom.Dataset { return t.studies }

// push appends an item to a sequence.
func push(in *dicom.Dataset, sequence tag.Tag, item *dicom.Dataset) {
	if e := in.Get(sequence); e != nil {
		e.Items = append(e.Items, item)
		return
	}
	in.SetItems(sequence, item)
}
