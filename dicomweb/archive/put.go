package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"syscall"

	"mome/dicomweb"
	"mome/dicomweb/archive/index"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/uid"
)

// Put takes in one instance as a DICOM file and returns when it is stored durably: the bytes first, under the name
// that their UIDs give, then the index row. What fails leaves nothing behind; what a crash interrupts is either not
// there or found by the next start. The errors are those of the package, of r, or the node's own fault.
func (a *Archive) Put(ctx context.Context, r io.Reader, opt PutOptions) (Receipt, error) {
	var rec Receipt
	in := &watched{r: r}
	staged, err := a.objects.Stage(ctx, in, a.cfg.MaxInstanceBytes)
	if opt.Taken != nil {
		opt.Taken()
	}
	switch {
	case in.err != nil:
		return rec, &ReadError{Err: in.err}
	case err != nil:
		return rec, noSpace(fmt.Errorf("archive: receive an instance: %w", err))
	}
	defer staged.Discard()
	e, err := a.describe(staged, &rec)
	if err != nil {
		return rec, err
	}
	if opt.Study != "" && rec.Ref.Study != opt.Study {
		return rec, ErrOtherStudy
	}
	if !uid.Storable(rec.SOPClass) {
		return rec, ErrSOPClass
	}
	if opt.Result {
		e.Result, e.Source = true, false
	}
	e.SHA256, e.Received = staged.SHA256(), a.now()
	e.Key = keyOf(rec.Ref)
	unlock := a.puts.lock(rec.Ref.Instance)
	defer unlock()
	outcome, changed, err := a.keep(ctx, staged, e)
	if err != nil {
		return rec, noSpace(fmt.Errorf("archive: store %s: %w", rec.Ref.Instance, err))
	}
	rec.Outcome = outcome
	if changed && a.cfg.OnStored != nil {
		a.cfg.OnStored(rec.Ref.Study)
	}
	return rec, nil
}

// watched remembers the error of a reader, to tell it from an error of the archive.
type watched struct {
	r   io.Reader
	err error
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if err != nil && err != io.EOF {
		w.err = err
	}
	return n, err
}

// noSpace marks an error that means a full disk.
func noSpace(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return errors.Join(ErrNoSpace, err)
	}
	return err
}

// readable is an object as describe needs it.
type readable interface {
	io.ReaderAt
	Size() int64
}

// describe scans an object and returns its entry but for what the bytes do not tell.
func (a *Archive) describe(o readable, rec *Receipt) (*index.Entry, error) {
	f, err := dicom.Scan(o, o.Size(), a.cfg.Limits)
	if err != nil {
		return nil, err
	}
	study, series, instance, class, err := f.Ref()
	if err != nil {
		return nil, err
	}
	rec.Ref, rec.SOPClass = dicomweb.Ref{Study: study, Series: series, Instance: instance}, class
	e := index.New(f, rec.Ref, class)
	e.Size = o.Size()
	e.Result = a.cfg.IsResult(f.Dataset)
	e.Source = !e.Result && a.cfg.IsSource(f.Dataset)
	return e, nil
}

// keep stores what was staged as e tells; the caller holds the lock of its UID. Changed reports whether the study's
// revision advanced.
func (a *Archive) keep(ctx context.Context, staged Staged, e *index.Entry) (o Outcome, changed bool, err error) {
	have, ok, err := a.index.Instance(ctx, e.Ref.Instance)
	if err != nil {
		return Failed, false, err
	}
	present := ok && a.present(ctx, have)
	switch {
	case present && have.SHA256 == e.SHA256:
		return Same, false, nil
	case present && !a.cfg.Replace:
		return Kept, false, nil
	case present:
		if !a.maintenance.TryRLock() {
			return Failed, false, errRebuilding()
		}
		defer a.maintenance.RUnlock()
	}
	// A file under the key that the index does not know is what a crash left: nobody was told that it is stored.
	if err := staged.Commit(ctx, e.Key, e.Received); err != nil {
		return Failed, false, err
	}
	defer a.changes.Add(1)
	if err := a.index.Add(context.WithoutCancel(ctx), e); err != nil {
		if !present {
			err = errors.Join(err, a.objects.Remove(context.WithoutCancel(ctx), e.Key))
		}
		a.unsure.Store(true)
		return Failed, false, err
	}
	if present && have.Key != e.Key {
		if err := a.objects.Remove(ctx, have.Key); err != nil {
			return Failed, false, err
		}
	}
	if present {
		return Replaced, e.Source, nil
	}
	return Stored, e.Source, nil
}

// present reports whether the indexed instance's file is there in its size. A file that was lost may be sent again.
func (a *Archive) present(ctx context.Context, i Instance) bool {
	b, err := a.objects.Open(ctx, i.Key)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	defer b.Close()
	return b.Size() == i.Size
}
