package stow

import (
	"context"
	"errors"
	"fmt"
	"io"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/mediatype"
	"mome/dicomweb/related"
)

// separate gathers the metadata and the bulk data of one request (PS3.18 section 10.5.1.4) until all of it is there:
// bulk data may come before what refers to them.
type separate struct {
	s         *Service
	rep       *report
	left      int64 // bytes of memory that metadata and the headers of bulk data may still take
	instances []*dicom.Dataset
	spool     spool
	bulk      map[string]*bulkValue // by Content-Location, which is to be the BulkDataURI letter by letter
	values    []*bulkValue          // in the order of their first parts
	nameless  int                   // parts without Content-Location
}

// bulkValue is the value that the parts of one Content-Location make: several are the frames of one image.
type bulkValue struct {
	parts []bulkPart
	used  bool // some metadata refer to it
}

type bulkPart struct {
	media mediatype.Type
	bytes *io.SectionReader
}

const partCost = 400 // estimate of the memory that a part of bulk data takes beside the text of its headers, in bytes

func (s *Service) separate(rep *report) *separate {
	return &separate{s: s, rep: rep, left: s.cfg.MaxMetadata, spool: spool{dir: s.cfg.SpoolDir}, bulk: map[string]*bulkValue{}}
}

// metadata reads one part of metadata: an array of data sets in JSON, one in XML.
func (q *separate) metadata(ctx context.Context, r io.Reader, media mediatype.Type) {
	watched := &watchedReader{r: r}
	lim := dicom.Limits{HeaderBytes: q.left}
	var list []*dicom.Dataset
	var err error
	if media.Name == mediatype.DICOMXML {
		var ds *dicom.Dataset
		if ds, err = dicom.ParseXML(watched, lim); err == nil {
			list = []*dicom.Dataset{ds}
		}
	} else {
		list, err = dicom.ParseJSON(watched, lim)
	}
	var format *dicom.FormatError
	switch {
	case watched.err != nil:
		q.rep.broken = watched.err
		q.rep.add(result{reason: dicomweb.CannotUnderstand, comment: "not whole: " + reasonOf(watched.err)})
	case errors.As(err, &format):
		res := result{syntax: true}
		res.format(format, "")
		q.rep.add(res)
	case err != nil:
		q.s.internal(ctx, q.rep, result{}, err)
	}
	if n := len(q.instances) + len(list); n > q.s.cfg.MaxParts {
		q.rep.add(result{reason: dicomweb.OutOfResources, tooLarge: true, comment: fmt.Sprintf("more than the %d instances that a request may hold", q.s.cfg.MaxParts)})
		return
	}
	for _, ds := range list {
		q.left -= costOf(ds)
	}
	q.left = max(q.left, 1) // 0 would mean the default
	q.instances = append(q.instances, list...)
}

// costOf estimates the memory that a data set takes, in bytes.
func costOf(ds *dicom.Dataset) (n int64) {
	for e := range ds.All() {
		n += 160 + int64(len(e.Value))
		for _, item := range e.Items {
			n += 112 + costOf(item)
		}
	}
	return n
}

// take keeps a part of bulk data. Nothing can refer to one without a Content-Location.
func (q *separate) take(part *related.Part) error {
	location, partType := part.Header.Get("Content-Location"), part.Header.Get("Content-Type")
	if location == "" {
		q.nameless++
		return nil
	}
	if q.left -= partCost + int64(len(location)+len(partType)); q.left <= 0 {
		q.rep.broken = dicomweb.Errorf(dicomweb.TooLarge, "the part headers take more than the %d bytes of memory that this node has for the metadata of a request: send fewer parts", q.s.cfg.MaxMetadata)
		return nil
	}
	media, err := mediatype.Parse(partType)
	if err != nil {
		media = mediatype.New(mediatype.OctetStream)
	}
	watched := &watchedReader{r: part}
	bytes, err := q.spool.add(watched)
	switch {
	case watched.err != nil:
		q.rep.broken = watched.err
		return nil
	case err != nil:
		return err
	}
	v := q.bulk[location]
	if v == nil {
		v = &bulkValue{}
		q.values = append(q.values, v)
		q.bulk[location] = v
	}
	v.parts = append(v.parts, bulkPart{media, bytes})
	return nil
}

// store puts the instances together and stores them. What the body lacks is told of each.
func (q *separate) store(ctx context.Context) {
	for _, ds := range q.instances {
		q.mention(ds)
		res := result{}
		res.ref, res.class = identify(ds)
		switch {
		case q.rep.full:
			res.reason, res.comment = dicomweb.OutOfResources, "not tried since nothing more can be stored, try again later"
		case q.rep.broken != nil:
			res.reason, res.comment = dicomweb.CannotUnderstand, "not stored: "+reasonOf(q.rep.broken)
		default:
			q.compose(ctx, ds, res)
			continue
		}
		q.rep.add(res)
	}
	unused := q.nameless
	for _, v := range q.values {
		if !v.used {
			unused += len(v.parts)
		}
	}
	if unused > 0 && q.rep.broken == nil && !q.rep.full {
		q.rep.add(result{reason: dicomweb.CannotUnderstand, comment: fmt.Sprintf("no BulkDataURI names the Content-Location of %d parts", unused)})
	}
}

// mention notes the bulk data that ds and its items refer to.
func (q *separate) mention(ds *dicom.Dataset) {
	for e := range ds.All() {
		if v := q.bulk[e.BulkDataURI]; v != nil {
			v.used = true
		}
		for _, item := range e.Items {
			q.mention(item)
		}
	}
}

// identify returns the UIDs of a data set, as far as it has them.
func identify(ds *dicom.Dataset) (ref dicomweb.Ref, class string) {
	ref = dicomweb.Ref{Study: ds.String(tag.StudyInstanceUID), Series: ds.String(tag.SeriesInstanceUID), Instance: ds.String(tag.SOPInstanceUID)}
	if ref.Validate() != nil {
		return dicomweb.Ref{}, ""
	}
	return ref, ds.String(tag.SOPClassUID)
}

// compose makes a DICOM file of one data set and its bulk data and hands it to the archive while it is made.
func (q *separate) compose(ctx context.Context, ds *dicom.Dataset, res result) {
	object, err := q.assemble(ds)
	if err != nil {
		q.refuse(ctx, res, err)
		return
	}
	pr, pw := io.Pipe()
	written := make(chan error, 1)
	go func() {
		err := dicom.WriteBulk(pw, object.dataset, object.transferSyntax, object.bulk)
		pw.CloseWithError(err)
		written <- err
	}()
	receipt, err := q.s.cfg.Archive.Put(ctx, pr, archive.PutOptions{Study: q.rep.study})
	pr.CloseWithError(errStopped)
	if wrote := <-written; wrote != nil && !errors.Is(wrote, errStopped) {
		q.refuse(ctx, res, wrote)
		return
	}
	if receipt.Ref.Instance == "" {
		receipt.Ref, receipt.SOPClass = res.ref, res.class
	}
	q.rep.take(q.s.settle(ctx, receipt, err, ""))
}

// errStopped tells the writer of an object that the archive wants no more of it.
var errStopped = errors.New("the archive stopped reading")

// refuse notes why a data set could not be made a file.
func (q *separate) refuse(ctx context.Context, res result, err error) {
	var refused *refusal
	var format *dicom.FormatError
	switch {
	case errors.As(err, &refused):
		res.reason, res.comment = refused.reason, refused.comment
	case errors.As(err, &format):
		res.format(format, "")
	default:
		q.s.internal(ctx, q.rep, res, err)
		return
	}
	q.rep.add(res)
}

// refusal is the error of a data set that cannot be stored as it is.
type refusal struct {
	reason  dicomweb.FailureReason
	comment string
}

func (r *refusal) Error() string { return r.comment }

func refuse(reason dicomweb.FailureReason, format string, args ...any) *refusal {
	return &refusal{reason, fmt.Sprintf(format, args...)}
}
