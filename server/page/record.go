package page

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/server/analysis"
	"mome/server/picture"
	"mome/server/report"
)

// Record is what is kept of an analysis for its page: the findings as findings.json has them, and which pictures belong
// to them.
type Record struct {
	analysis.Findings
	Pictures []PictureRef `json:"pictures,omitempty"`

	old bool // read back from a report: most is missing
}

// PictureRef names a picture that is attached to the study.
type PictureRef struct {
	Reading int          `json:"reading"`          // 0, or 1 for the other breast's
	Lesion  int          `json:"lesion,omitempty"` // from 1; 0 for the whole examination
	Kind    picture.Kind `json:"kind"`
	View    string       `json:"view,omitempty"`
	Title   string       `json:"title"`
	File    string       `json:"file"`
	Width   int          `json:"width"`
	Height  int          `json:"height"`
}

// recordName is the attachment that holds the record. It names all others, and is written after them and before those
// that it no longer names are removed: a page has its pictures at any time.
const recordName = "findings.json"

// maxRecord bounds a record, bytes. A lesion takes about 5 kB.
const maxRecord = 4 << 20

// Files is where records and pictures are kept; *archive.Archive has it.
type Files interface {
	Attach(ctx context.Context, study, name string, content []byte) error
	Attachment(ctx context.Context, study, name string) ([]byte, error)
	Attachments(ctx context.Context, study string) ([]string, error)
	Detach(ctx context.Context, study string, names ...string) error
}

// Keep draws the pictures of a reading and files them with its findings beside the study, in place of those of an earlier
// analysis. Findings are filed also where a picture could not be drawn; the error tells of it then.
func Keep(ctx context.Context, files Files, study string, r *analysis.Reading, notice string) error {
	record := Record{Findings: analysis.AllFindings(r, notice)}
	var failed error
	for n, reading := range r.All() {
		refs, err := attach(ctx, files, study, n, reading, notice)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		record.Pictures, failed = append(record.Pictures, refs...), errors.Join(failed, err)
	}
	content, err := json.Marshal(record)
	if err == nil && len(content) > maxRecord {
		err = fmt.Errorf("they take %d bytes, more than %d", len(content), maxRecord)
	}
	if err == nil {
		err = files.Attach(ctx, study, recordName, content)
	}
	if err != nil {
		return errors.Join(failed, fmt.Errorf("keep the findings: %w", err))
	}
	return errors.Join(failed, prune(ctx, files, study, record))
}

// attach draws and files the pictures of one reading. Their names hold a hash of their bytes, so that what a browser keeps
// of one never shows in place of another.
func attach(ctx context.Context, files Files, study string, n int, r *analysis.Reading, notice string) ([]PictureRef, error) {
	drawn, err := picture.Draw(ctx, r, picture.Config{Notice: notice, TrainedOn: r.Assessment.Algorithm.TrainedOn})
	if err != nil {
		return nil, fmt.Errorf("draw: %w", err)
	}
	var refs []PictureRef
	for i := range drawn {
		p := &drawn[i]
		content, err := p.PNG()
		if err != nil {
			return refs, err
		}
		sum := sha256.Sum256(content)
		ref := PictureRef{Reading: n, Lesion: p.Lesion + 1, Kind: p.Kind, View: p.View, Title: p.Title,
			File:  fmt.Sprintf("%s-%x.png", p.Name, sum[:6]),
			Width: p.Image.Rect.Dx(), Height: p.Image.Rect.Dy()}
		if err := files.Attach(ctx, study, ref.File, content); err != nil {
			return refs, fmt.Errorf("keep %s: %w", p.Name, err)
		}
		refs = append(refs, ref)
	}
	return refs, nil
}

// prune removes what the record does not name.
func prune(ctx context.Context, files Files, study string, record Record) error {
	names, err := files.Attachments(ctx, study)
	if err != nil {
		return err
	}
	return files.Detach(ctx, study, slices.DeleteFunc(names, func(name string) bool {
		return name == recordName || slices.ContainsFunc(record.Pictures, func(p PictureRef) bool { return p.File == name })
	})...)
}

// record returns what is known of a study's analysis: the record or, for results that were stored without one, what their
// SR and SEG say. nil where there is neither.
func (s *Service) record(ctx context.Context, study string, stored []archive.Instance) (*Record, error) {
	record, err := s.kept(ctx, study)
	if record == nil && err == nil {
		return s.fromReport(ctx, stored)
	}
	return record, err
}

// kept returns the record that Keep filed, nil where there is none.
func (s *Service) kept(ctx context.Context, study string) (*Record, error) {
	content, err := s.cfg.Archive.Attachment(ctx, study, recordName)
	if dicomweb.KindOf(err) == dicomweb.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var record Record
	if err := json.Unmarshal(content, &record); err != nil {
		return nil, fmt.Errorf("read the findings: %w", err)
	}
	return &record, nil
}

// fromReport reads the newest SR of the node's own that is a result, with the SEG that came with it.
func (s *Service) fromReport(ctx context.Context, stored []archive.Instance) (*Record, error) {
	var reports, outlines []archive.Instance
	for _, i := range stored {
		switch {
		case i.Result && i.SOPClass == uid.Comprehensive3DSRStorage:
			reports = append(reports, i)
		case i.Result && i.Modality == "SEG":
			outlines = append(outlines, i)
		}
	}
	newest := func(a, b archive.Instance) int { return b.Received.Compare(a.Received) }
	slices.SortStableFunc(reports, newest)
	slices.SortStableFunc(outlines, newest)
	for _, i := range reports {
		text, _, err := s.object(ctx, i)
		if err != nil {
			return nil, err
		}
		var outline *dicom.Dataset
		var pixels []byte
		if len(outlines) > 0 {
			if outline, pixels, err = s.object(ctx, outlines[0]); err != nil {
				return nil, err
			}
		}
		if a, err := report.Read(text, outline, pixels); err == nil {
			return &Record{Findings: analysis.FindingsOf(&analysis.Reading{Assessment: a}, report.Disclaimer), old: true}, nil
		}
	}
	return nil, nil
}

// object reads a stored instance with its Pixel Data, if it has any.
func (s *Service) object(ctx context.Context, i archive.Instance) (ds *dicom.Dataset, pixels []byte, err error) {
	o, err := s.cfg.Archive.Open(ctx, i)
	if err != nil {
		return nil, nil, err
	}
	defer o.Close()
	f, err := o.File()
	if err != nil {
		return nil, nil, err
	}
	if e := f.Dataset.Get(tag.PixelData); e != nil {
		pixels, err = f.Value(e)
	}
	return f.Dataset, pixels, err
}
