package archive

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"mome/dicomweb/archive/index"
	"mome/dicomweb/dicom"
)

// Reindex rebuilds the index from the files alone and puts it in place of the old one in one step: searches see the
// old one until then, instances stored meanwhile are in both, deletions wait. Whether an instance is the node's own
// result is asked of Config.IsResult again, but what was known to be one stays one. Study revisions stay, so nothing
// that was analysed is analysed again; a file that had no row counts as a change. Where the whole database was lost,
// a study's own results tell which of its sources were looked at (index.Revision.Answered).
//
// Progress, which may be nil, is called with the numbers of files done and to do. A file that is no longer readable
// as DICOM is left out and logged; it stays where it is.
func (a *Archive) Reindex(ctx context.Context, progress func(done, total int)) error {
	a.maintenance.Lock()
	defer a.maintenance.Unlock()
	defer a.changes.Add(1)
	return a.index.Rebuild(ctx, func(add func(*index.Entry) error) error {
		files, err := a.files(ctx)
		if err != nil {
			return err
		}
		for i, f := range files {
			if err := ctx.Err(); err != nil {
				return err
			}
			e, err := a.entryOf(ctx, f)
			if err != nil {
				return err
			}
			if e != nil {
				if err := add(e); err != nil {
					return err
				}
			}
			if progress != nil {
				progress(i+1, len(files))
			}
		}
		return nil
	})
}

// files lists the stored files in the order in which they were received. Of two files of one instance, which a crash
// between storing and removing can leave, the one counts that Put would have kept.
func (a *Archive) files(ctx context.Context) ([]Found, error) {
	var files []Found
	if err := a.objects.Walk(ctx, "", func(f Found) error {
		if strings.HasSuffix(f.Key, suffix) {
			files = append(files, f)
		}
		return nil
	}); err != nil {
		return nil, err
	}
	slices.SortFunc(files, func(x, y Found) int {
		return cmp.Or(x.Received.Compare(y.Received), cmp.Compare(x.Key, y.Key))
	})
	chosen := make(map[string]int, len(files))
	for i, f := range files {
		if _, twice := chosen[path.Base(f.Key)]; !twice || a.cfg.Replace {
			chosen[path.Base(f.Key)] = i
		}
	}
	kept := files[:0:0]
	for i, f := range files {
		if chosen[path.Base(f.Key)] == i {
			kept = append(kept, f)
		}
	}
	return kept, nil
}

// entryOf describes a stored file; nil when it is no longer there, or unreadable, which is logged.
func (a *Archive) entryOf(ctx context.Context, f Found) (*index.Entry, error) {
	b, err := a.objects.Open(ctx, f.Key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer b.Close()
	var rec Receipt
	e, err := a.describe(b, &rec)
	var format *dicom.FormatError
	switch {
	case errors.As(err, &format):
		a.cfg.Log.Error("stored file is not readable and was left out of the index", "key", f.Key, "err", err)
		return nil, nil
	case err != nil:
		return nil, err
	case keyOf(rec.Ref) != f.Key:
		a.cfg.Log.Error("stored file lies under the name of another instance and was left out of the index", "key", f.Key)
		return nil, nil
	}
	e.Key, e.Received = f.Key, f.Received.UTC().Truncate(time.Microsecond)
	e.SHA256, err = a.hash(ctx, e, b)
	return e, err
}

// hash returns the hash of a stored file. One that the index knows for a file of this name, size and time is believed:
// reading every byte of an archive takes hours, and the bytes are not changed by anybody.
func (a *Archive) hash(ctx context.Context, e *index.Entry, b Blob) (string, error) {
	if have, ok, err := a.index.Instance(ctx, e.Ref.Instance); err == nil && ok && have.SHA256 != "" &&
		have.Key == e.Key && have.Size == e.Size && have.Received.Equal(e.Received) {
		return have.SHA256, nil
	}
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(b, 0, b.Size())); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// repair compares all files with all rows after a start that found no clean mark. It is a comparison of names, sizes
// and times, not of contents: about a microsecond an instance, so nothing cleverer (a journal, which would cost every
// Put a further flush; a search by directory times, which a corrected clock defeats) is worth its risk. A file without
// its row is indexed, as one that the next sending of the same instance would have stored; a row without its file is
// taken out, since a search must not promise what a retrieve cannot deliver.
func (a *Archive) repair(ctx context.Context) error {
	rows := map[string]Instance{}
	if err := a.index.Each(ctx, func(i Instance) error {
		rows[i.Key] = i
		return nil
	}); err != nil {
		return err
	}
	files, err := a.files(ctx)
	if err != nil {
		return err
	}
	added, removed := 0, 0
	for _, f := range files {
		row, ok := rows[f.Key]
		delete(rows, f.Key)
		if ok && row.Size == f.Size && row.Received.Equal(f.Received.Truncate(time.Microsecond)) {
			continue
		}
		e, err := a.entryOf(ctx, f)
		if err != nil {
			return err
		}
		if e == nil {
			continue
		}
		if err := a.index.Add(ctx, e); err != nil {
			return err
		}
		added++
	}
	for _, row := range rows {
		// Another file may hold the instance by now.
		if now, ok, err := a.index.Instance(ctx, row.Ref.Instance); err != nil {
			return err
		} else if !ok || now.Key != row.Key {
			continue
		}
		a.cfg.Log.Error("the file of a stored instance is gone", "instance", row.Ref.Instance, "key", row.Key)
		if err := a.index.Remove(ctx, row.Ref.Instance); err != nil {
			return err
		}
		removed++
	}
	if added+removed > 0 {
		a.cfg.Log.Warn("the archive was repaired after an unclean end", "indexed", added, "removed", removed)
	}
	return nil
}
