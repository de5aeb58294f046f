package archive_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/archive/archivetest"
	"mome/dicomweb/archive/disk"
	"mome/dicomweb/archive/sqlite"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/query"
)

// clock is the time that tests give to an archive; each call is a second later.
func clock() func() time.Time {
	now := time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)
	return func() time.Time {
		now = now.Add(time.Second)
		return now
	}
}

func open(t *testing.T, cfg archive.Config) *archive.Archive {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	if cfg.Now == nil {
		cfg.Now = clock()
	}
	a, err := archive.Open(context.Background(), cfg)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

func put(t *testing.T, a *archive.Archive, ds *dicom.Dataset, opt archive.PutOptions) archive.Receipt {
	t.Helper()
	rec, err := a.Put(context.Background(), bytes.NewReader(archivetest.File(t, ds)), opt)
	if err != nil {
		t.Fatalf("put %s: %v", rec.Ref.Path(), err)
	}
	return rec
}

func content(t *testing.T, a *archive.Archive, ref dicomweb.Ref) []byte {
	t.Helper()
	found, err := a.Instances(context.Background(), ref)
	if err != nil {
		t.Fatalf("instances of %s: %v", ref.Path(), err)
	}
	o, err := a.Open(context.Background(), found[0])
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	b, err := io.ReadAll(io.NewSectionReader(o, 0, o.Size()))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func revision(t *testing.T, a *archive.Archive, study string) int64 {
	t.Helper()
	rev, _, err := a.StudyRevision(context.Background(), study)
	if err != nil {
		t.Fatal(err)
	}
	return rev
}

func TestPut(t *testing.T) {
	ref := archivetest.Ref("A", "1", "1")
	first := archivetest.Dataset(ref, nil)
	other := archivetest.Dataset(ref, func(ds *dicom.Dataset) { ds.Set(tag.PatientName, "Roe^Jane") })
	elsewhere := archivetest.Ref("B", "1", "1")
	moved := archivetest.Dataset(dicomweb.Ref{Study: elsewhere.Study, Series: elsewhere.Series, Instance: ref.Instance}, nil)

	for _, tc := range []struct {
		name     string
		replace  bool
		second   *dicom.Dataset
		want     archive.Outcome
		stored   *dicom.Dataset
		revision int64
	}{
		{"same bytes", false, first, archive.Same, first, 1},
		{"same bytes, replacing", true, first, archive.Same, first, 1},
		{"other content is kept out", false, other, archive.Kept, first, 1},
		{"other content replaces", true, other, archive.Replaced, other, 2},
		{"in another study, kept out", false, moved, archive.Kept, first, 1},
		{"in another study, replacing", true, moved, archive.Replaced, moved, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var told []string
			a := open(t, archive.Config{Replace: tc.replace, OnStored: func(study string) { told = append(told, study) }})
			if rec := put(t, a, first, archive.PutOptions{}); rec.Outcome != archive.Stored || rec.Ref != ref {
				t.Fatalf("first put: got %+v, want Stored of %+v", rec, ref)
			}
			if rec := put(t, a, tc.second, archive.PutOptions{}); rec.Outcome != tc.want {
				t.Errorf("second put: got outcome %v, want %v", rec.Outcome, tc.want)
			}
			f := archivetest.Scan(t, archivetest.File(t, tc.stored))
			study, series, instance, _, _ := f.Ref()
			where := dicomweb.Ref{Study: study, Series: series, Instance: instance}
			if got := content(t, a, where); !bytes.Equal(got, archivetest.File(t, tc.stored)) {
				t.Errorf("the stored bytes are not the ones expected")
			}
			if got := revision(t, a, study); got != tc.revision {
				t.Errorf("revision of the study: got %d, want %d", got, tc.revision)
			}
			results, _, err := a.Find(context.Background(), query.Query{Level: query.Instance})
			if err != nil || len(results) != 1 {
				t.Fatalf("find: got %d results, %v, want 1", len(results), err)
			}
			if got, want := results[0].String(tag.PatientName), tc.stored.String(tag.PatientName); got != want {
				t.Errorf("name found: got %q, want %q", got, want)
			}
			wantTold := 1
			if tc.want == archive.Replaced {
				wantTold = 2
			}
			if len(told) != wantTold {
				t.Errorf("OnStored: got %d calls, want %d", len(told), wantTold)
			}
		})
	}
}

func TestPutRefuses(t *testing.T) {
	ref := archivetest.Ref("A", "1", "1")
	file := archivetest.File(t, archivetest.Dataset(ref, nil))
	cut := errors.New("connection reset")
	for _, tc := range []struct {
		name  string
		r     io.Reader
		opt   archive.PutOptions
		check func(error) bool
		ref   dicomweb.Ref
	}{
		{"garbage", bytes.NewReader([]byte("no DICOM at all")), archive.PutOptions{}, isFormat, dicomweb.Ref{}},
		{"nothing", bytes.NewReader(nil), archive.PutOptions{}, isFormat, dicomweb.Ref{}},
		{"cut short", bytes.NewReader(file[:len(file)-10]), archive.PutOptions{}, isFormat, dicomweb.Ref{}},
		{"another study", bytes.NewReader(file), archive.PutOptions{Study: "1.2.3"},
			func(err error) bool { return errors.Is(err, archive.ErrOtherStudy) }, ref},
		{"a class that is not stored", bytes.NewReader(archivetest.File(t, archivetest.Dataset(ref, func(ds *dicom.Dataset) { ds.Set(tag.SOPClassUID, uid.UnifiedProcedureStepPush) }))),
			archive.PutOptions{}, func(err error) bool { return errors.Is(err, archive.ErrSOPClass) }, ref},
		{"too large", bytes.NewReader(make([]byte, 9000)), archive.PutOptions{},
			func(err error) bool { return dicomweb.KindOf(err) == dicomweb.TooLarge }, dicomweb.Ref{}},
		{"reader fails", io.MultiReader(bytes.NewReader(file[:100]), failing{cut}), archive.PutOptions{},
			func(err error) bool { var r *archive.ReadError; return errors.As(err, &r) && errors.Is(err, cut) }, dicomweb.Ref{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := open(t, archive.Config{MaxInstanceBytes: 8192})
			rec, err := a.Put(context.Background(), tc.r, tc.opt)
			if err == nil || !tc.check(err) {
				t.Errorf("got error %v", err)
			}
			if rec.Outcome != archive.Failed || rec.Ref != tc.ref {
				t.Errorf("got receipt %+v, want a failure with %+v", rec, tc.ref)
			}
			if results, _, err := a.Find(context.Background(), query.Query{}); err != nil || len(results) != 0 {
				t.Errorf("find afterwards: got %d results, %v, want none", len(results), err)
			}
		})
	}
}

func isFormat(err error) bool { var f *dicom.FormatError; return errors.As(err, &f) }

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// TestSources wants only sources that are not the node's own to advance a study.
func TestSources(t *testing.T) {
	a := open(t, archive.Config{
		IsSource: func(ds *dicom.Dataset) bool { return ds.String(tag.Modality) != "PR" },
		IsResult: func(ds *dicom.Dataset) bool { return ds.String(tag.Modality) == "SEG" },
	})
	study := archivetest.Ref("A", "", "").Study
	for i, tc := range []struct {
		name     string
		modality string
		opt      archive.PutOptions
		revision int64
		result   bool
	}{
		{"image", "MR", archive.PutOptions{}, 1, false},
		{"no source", "PR", archive.PutOptions{}, 1, false},
		{"own result", "MR", archive.PutOptions{Result: true}, 1, true},
		{"own result that comes back", "SEG", archive.PutOptions{}, 1, true},
		{"another image", "MR", archive.PutOptions{Study: study}, 2, false},
	} {
		ref := archivetest.Ref("A", "1", string(rune('a'+i)))
		put(t, a, archivetest.Dataset(ref, func(ds *dicom.Dataset) { ds.Set(tag.Modality, tc.modality) }), tc.opt)
		if got := revision(t, a, study); got != tc.revision {
			t.Errorf("%s: revision: got %d, want %d", tc.name, got, tc.revision)
		}
		found, err := a.Instances(context.Background(), ref)
		if err != nil || len(found) != 1 || found[0].Result != tc.result {
			t.Errorf("%s: got %+v, %v, want result %v", tc.name, found, err, tc.result)
		}
	}
}

func TestRead(t *testing.T) {
	a := open(t, archive.Config{})
	ctx := context.Background()
	ref := archivetest.Ref("A", "1", "1")
	put(t, a, archivetest.Dataset(ref, nil), archive.PutOptions{})
	found, err := a.Instances(ctx, ref)
	if err != nil {
		t.Fatal(err)
	}
	o, err := a.Open(ctx, found[0])
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if _, err := a.Delete(ctx, ref); err != nil {
		t.Fatal(err)
	}
	f, err := o.File() // who reads reads on
	if err != nil || f.Dataset.String(tag.SOPInstanceUID) != ref.Instance || o.Size() != found[0].Size {
		t.Errorf("file: got %v, %d bytes, want %s, %d", err, o.Size(), ref.Instance, found[0].Size)
	}
	if _, err := a.Instances(ctx, ref); dicomweb.KindOf(err) != dicomweb.NotFound {
		t.Errorf("instances: got %v, want not found", err)
	}
	if err := a.Headers(ctx, ref, nil); dicomweb.KindOf(err) != dicomweb.NotFound {
		t.Errorf("headers: got %v, want not found", err)
	}
	if _, err := a.Open(ctx, found[0]); err == nil {
		t.Error("open what was deleted: got no error")
	}
}

// fullDisk is a store without space for what it stages or commits.
type fullDisk struct {
	archive.Objects
	when string
}

func (f fullDisk) Stage(ctx context.Context, r io.Reader, limit int64) (archive.Staged, error) {
	if f.when == "stage" {
		return nil, &fs.PathError{Op: "write", Err: syscall.ENOSPC}
	}
	s, err := f.Objects.Stage(ctx, r, limit)
	if err != nil {
		return nil, err
	}
	return fullStaged{s}, nil
}

type fullStaged struct{ archive.Staged }

func (fullStaged) Commit(context.Context, string, time.Time) error { return syscall.ENOSPC }

func TestFullDisk(t *testing.T) {
	for _, when := range []string{"stage", "commit"} {
		dir := t.TempDir()
		store, err := disk.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		idx, _, err := sqlite.Open(context.Background(), filepath.Join(dir, "index.db"))
		if err != nil {
			t.Fatal(err)
		}
		a, err := archive.New(archive.Config{}, fullDisk{archive.Disk(store), when}, idx)
		if err != nil {
			t.Fatal(err)
		}
		file := archivetest.File(t, archivetest.Dataset(archivetest.Ref("A", "1", "1"), nil))
		if _, err := a.Put(context.Background(), bytes.NewReader(file), archive.PutOptions{}); !errors.Is(err, archive.ErrNoSpace) {
			t.Errorf("full at %s: got %v, want ErrNoSpace", when, err)
		}
		if results, _, err := a.Find(context.Background(), query.Query{}); err != nil || len(results) != 0 {
			t.Errorf("full at %s: got %d studies, %v, want none", when, len(results), err)
		}
		if left, err := os.ReadDir(filepath.Join(dir, "incoming")); err != nil || len(left) > 0 {
			t.Errorf("full at %s: got %d temporary files, %v, want none", when, len(left), err)
		}
		a.Close()
		store.Close(true)
	}
}

// TestChanges wants another number before anything that changes what can be found is acknowledged, and none without.
func TestChanges(t *testing.T) {
	a := open(t, archive.Config{})
	ctx := context.Background()
	ref := archivetest.Ref("A", "1", "1")
	before := a.Changes()
	for _, c := range []struct {
		name    string
		do      func() error
		changes bool
	}{
		{"store", func() error { put(t, a, archivetest.Dataset(ref, nil), archive.PutOptions{}); return nil }, true},
		{"store the same", func() error { put(t, a, archivetest.Dataset(ref, nil), archive.PutOptions{}); return nil }, false},
		{"search", func() error { _, _, err := a.Find(ctx, query.Query{}); return err }, false},
		{"reindex", func() error { return a.Reindex(ctx, nil) }, true},
		{"delete", func() error { _, err := a.Delete(ctx, ref); return err }, true},
	} {
		if err := c.do(); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if now := a.Changes(); (now != before) != c.changes {
			t.Errorf("%s: %d changes after %d, want a change: %v", c.name, now, before, c.changes)
		}
		before = a.Changes()
	}
}
