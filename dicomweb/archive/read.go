package archive

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"time"

	"mome/dicomweb"
	"mome/dicomweb/archive/index"
	"mome/dicomweb/dicom"
	"mome/dicomweb/query"
)

// Find returns what q asks for as data sets of q's level: the attributes of its tables, the matching keys and the
// attributes wanted, little endian and UTF-8, with the numbers of related series and instances and Instance
// Availability, without Retrieve URL. Studies come newest first by study date and time, series and instances by number,
// each then by UID, so that pages fit together. Remaining tells how many results follow those returned.
func (a *Archive) Find(ctx context.Context, q query.Query) (results []*dicom.Dataset, remaining int, err error) {
	return a.index.Find(ctx, q, a.whole)
}

// Changes returns a number that is another one once anything was stored or taken away: before that is acknowledged, and
// after it can be found. What was found after the number was read may be found again as long as it stays.
func (a *Archive) Changes() int64 { return a.changes.Load() }

// whole returns the data set of an instance's file without what is long and opaque.
func (a *Archive) whole(ctx context.Context, i Instance) (*dicom.Dataset, error) {
	o, err := a.Open(ctx, i)
	if err != nil {
		return nil, err
	}
	defer o.Close()
	f, err := o.File()
	if err != nil {
		return nil, err
	}
	return f.Dataset, nil
}

// Instances returns the instances of a study, series, or the one instance that ref names, ordered by series number,
// series, instance number and instance. None is an error of kind dicomweb.NotFound.
func (a *Archive) Instances(ctx context.Context, ref dicomweb.Ref) ([]Instance, error) {
	found, err := a.index.Instances(ctx, ref)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, notFound(ref)
	}
	return found, nil
}

// Headers calls fn with each instance below ref, in the order of Instances, and its header: the whole data set, little
// endian and UTF-8, with the transfer syntax as Available Transfer Syntax UID. Long values were left in the file: they
// are deferred (dicom.Element.Deferred), their Span counts in Object.File's Body; compressed Pixel Data are there
// without Fragments. No file is opened. No instance is an error of kind dicomweb.NotFound.
func (a *Archive) Headers(ctx context.Context, ref dicomweb.Ref, fn func(Instance, *dicom.Dataset) error) error {
	any := false
	err := a.index.Headers(ctx, ref, func(i Instance, ds *dicom.Dataset) error {
		any = true
		return fn(i, ds)
	})
	if err == nil && !any {
		return notFound(ref)
	}
	return err
}

// Members is Instances with little of each, for who wants to know whether anything changed.
func (a *Archive) Members(ctx context.Context, ref dicomweb.Ref) ([]index.Member, error) {
	members, err := a.index.Members(ctx, ref)
	if err == nil && len(members) == 0 {
		return nil, notFound(ref)
	}
	return members, err
}

// Prepared calls fn for some members, in their order, with their metadata as package prepared encodes them: nil where
// they are too long for that or the instance is gone. The bytes are fn's until it returns.
func (a *Archive) Prepared(ctx context.Context, members []index.Member, fn func(m index.Member, metadata []byte) error) error {
	return a.index.Prepared(ctx, members, fn)
}

func notFound(ref dicomweb.Ref) error {
	return dicomweb.Errorf(dicomweb.NotFound, "nothing is stored under %s", ref.Path())
}

// Open opens the instance's file.
func (a *Archive) Open(ctx context.Context, i Instance) (*Object, error) {
	b, err := a.objects.Open(ctx, i.Key)
	if err != nil {
		return nil, fmt.Errorf("archive: open instance %s: %w", i.Ref.Instance, err)
	}
	return &Object{blob: b, limits: a.cfg.Limits}, nil
}

// Object is a stored file, open for reading: byte for byte what was received. Concurrent reads are fine. It stays
// readable when the instance is replaced or deleted meanwhile.
type Object struct {
	blob   Blob
	limits dicom.Limits
}

// ReadAt reads from the file.
func (o *Object) ReadAt(p []byte, off int64) (int, error) { return o.blob.ReadAt(p, off) }

// Stretch returns a reader of n bytes from off on: one that the system can send without copying them, where the store
// has such. It is for one goroutine, until the next is asked for.
func (o *Object) Stretch(off, n int64) (io.Reader, error) {
	if s, ok := o.blob.(interface {
		Stretch(off, n int64) (io.Reader, error)
	}); ok {
		return s.Stretch(off, n)
	}
	return io.NewSectionReader(o.blob, off, n), nil
}

// Size returns the file's length in bytes.
func (o *Object) Size() int64 { return o.blob.Size() }

// Close ends the reading.
func (o *Object) Close() error { return o.blob.Close() }

// File returns the scanned file; its values are read from o, which must stay open as long.
func (o *Object) File() (*dicom.File, error) { return dicom.Scan(o.blob, o.blob.Size(), o.limits) }

// StudyRevision returns how often the study's sources changed and when they did last; zero for an unknown study.
func (a *Archive) StudyRevision(ctx context.Context, study string) (rev int64, changed time.Time, err error) {
	r, err := a.index.Revision(ctx, study)
	return r.Revision, r.Changed, err
}

// Revisions calls fn with the revision of every study that has or had a source, in no particular order.
func (a *Archive) Revisions(ctx context.Context, fn func(index.Revision) error) error {
	return a.index.Revisions(ctx, fn)
}

// Update runs fn in a transaction of the index's database that writes, View in one that reads a snapshot. They are the
// home of what has to live with the index. Fn must be short: there is one writer, and a Put waits for it.
func (a *Archive) Update(ctx context.Context, fn func(*sql.Tx) error) error {
	return a.index.Update(ctx, fn)
}

// View runs fn in a transaction that reads a snapshot.
func (a *Archive) View(ctx context.Context, fn func(*sql.Tx) error) error {
	return a.index.View(ctx, fn)
}
