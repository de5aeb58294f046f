package sqlite_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/archive/archivetest"
	"mome/dicomweb/archive/index"
	"mome/dicomweb/archive/sqlite"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/query"
)

func TestIndex(t *testing.T) {
	archivetest.RunIndex(t, func(t *testing.T) archive.Index {
		x, fresh, err := sqlite.Open(context.Background(), filepath.Join(t.TempDir(), "index.db"))
		if err != nil || !fresh {
			t.Fatalf("open: fresh %v, %v", fresh, err)
		}
		return x
	})
}

func open(t *testing.T, path string) (*sqlite.Index, bool) {
	t.Helper()
	x, fresh, err := sqlite.Open(context.Background(), path)
	if err != nil {
		t.Fatalf("open %s: %v", path, err)
	}
	return x, fresh
}

func revision(t *testing.T, x *sqlite.Index, study string) int64 {
	t.Helper()
	r, err := x.Revision(context.Background(), study)
	if err != nil {
		t.Fatal(err)
	}
	return r.Revision
}

// TestReopen wants everything there again, and nothing to rebuild.
func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "with space & ?.db")
	x, _ := open(t, path)
	if err := x.Rebuild(context.Background(), func(func(*index.Entry) error) error { return nil }); err != nil {
		t.Fatal(err)
	}
	e := archivetest.Entry(t, archivetest.Ref("A", "1", "1"), 1, nil)
	if err := x.Add(context.Background(), e); err != nil {
		t.Fatal(err)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	if err := x.Add(context.Background(), e); err == nil {
		t.Error("add after close: got no error")
	}
	x, fresh := open(t, path)
	defer x.Close()
	if got, ok, err := x.Instance(context.Background(), e.Ref.Instance); fresh || !ok || err != nil || got != e.Instance {
		t.Errorf("got fresh %v, %+v, %v, %v, want what was added", fresh, got, ok, err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the database is not where it was wanted: %v", err)
	}
}

// TestOtherTable opens a database that another attribute table made: it is rebuilt, and what was counted stays counted.
func TestOtherTable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "index.db")
	x, _ := open(t, path)
	a, b := archivetest.Entry(t, archivetest.Ref("A", "1", "1"), 1, nil), archivetest.Entry(t, archivetest.Ref("A", "1", "2"), 2, nil)
	for _, e := range []*index.Entry{a, b} {
		if err := x.Add(context.Background(), e); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.Update(context.Background(), func(tx *sql.Tx) error {
		_, err := tx.Exec(`UPDATE meta SET value = '0/other' WHERE key = 'version'`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	x.Close()
	for range 2 { // a process that ends before it rebuilt changes nothing
		var fresh bool
		if x, fresh = open(t, path); !fresh {
			t.Fatal("a database of another table is taken as it is")
		}
		if x.Close(); t.Failed() {
			return
		}
	}
	x, _ = open(t, path)
	if err := x.Rebuild(context.Background(), func(add func(*index.Entry) error) error { return errors.Join(add(a), add(b)) }); err != nil {
		t.Fatal(err)
	}
	if got := revision(t, x, a.Ref.Study); got != 2 {
		t.Errorf("revision: got %d, want 2 as before", got)
	}
	x.Close()
	x, fresh := open(t, path)
	defer x.Close()
	if fresh {
		t.Error("after a rebuild the database is to be rebuilt again")
	}
}

// TestDamaged wants a file that is no database set aside.
func TestDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "index.db")
	garbage := bytes.Repeat([]byte("garbage "), 1000)
	if err := os.WriteFile(path, garbage, 0o600); err != nil {
		t.Fatal(err)
	}
	x, fresh := open(t, path)
	defer x.Close()
	if !fresh {
		t.Error("a damaged database counts as sound")
	}
	if got, err := os.ReadFile(path + ".damaged"); err != nil || !bytes.Equal(got, garbage) {
		t.Errorf("the damaged file was not kept: %v", err)
	}
	if err := x.Add(context.Background(), archivetest.Entry(t, archivetest.Ref("A", "1", "1"), 1, nil)); err != nil {
		t.Errorf("add: %v", err)
	}
}

// TestFull wants a full database told as a full disk, and what was there before unhurt.
func TestFull(t *testing.T) {
	x, _ := open(t, filepath.Join(t.TempDir(), "index.db"))
	defer x.Close()
	ctx := context.Background()
	first := archivetest.Entry(t, archivetest.Ref("A", "1", "0"), 0, nil)
	if err := x.Add(ctx, first); err != nil {
		t.Fatal(err)
	}
	pages := func(n string) {
		if err := x.Update(ctx, func(tx *sql.Tx) error {
			var got int64
			return tx.QueryRow(`PRAGMA max_page_count = ` + n).Scan(&got)
		}); err != nil {
			t.Fatal(err)
		}
	}
	pages("1") // that is: no more than there are
	var err error
	for i := 1; err == nil && i < 1000; i++ {
		err = x.Add(ctx, archivetest.Entry(t, archivetest.Ref("A", "1", fmt.Sprint(i)), i, nil))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("adding to a full database: got %v, want ENOSPC", err)
	}
	if _, ok, err := x.Instance(ctx, first.Ref.Instance); !ok || err != nil {
		t.Errorf("what was there before: got %v, %v", ok, err)
	}
	pages("1000000")
	if err := x.Add(ctx, archivetest.Entry(t, archivetest.Ref("B", "1", "1"), 1, nil)); err != nil {
		t.Errorf("with space again: %v", err)
	}
}

// TestPlans wants the searches that viewers make to be answered in the order of an index, without sorting, and nothing
// to go through all instances.
func TestPlans(t *testing.T) {
	x, _ := open(t, filepath.Join(t.TempDir(), "index.db"))
	defer x.Close()
	study := archivetest.Ref("A", "", "").Study
	for _, tc := range []struct {
		level query.Level
		ref   dicomweb.Ref
		raw   string
		want  string
		sorts bool
	}{
		{query.Study, dicomweb.Ref{}, "limit=101", "USING INDEX study_order", false},
		{query.Study, dicomweb.Ref{}, "StudyDate=20240101-20240107", "SEARCH s USING INDEX study_order", false},
		{query.Study, dicomweb.Ref{}, "PatientID=P1", "USING INDEX study_patient", true},
		{query.Study, dicomweb.Ref{}, "AccessionNumber=X", "USING INDEX study_accession", true},
		{query.Study, dicomweb.Ref{}, "SOPInstanceUID=1.2", "SEARCH s USING INTEGER PRIMARY KEY", true},
		{query.Series, dicomweb.Ref{Study: study}, "", "SEARCH e USING INDEX series_order", false},
		{query.Series, dicomweb.Ref{}, "SeriesInstanceUID=1.2", "SEARCH e USING INDEX series_uid", true},
		{query.Series, dicomweb.Ref{}, "limit=10", "SEARCH e USING INDEX series_order", false},
		{query.Instance, dicomweb.Ref{Study: study, Series: "1.2"}, "", "SEARCH i USING INDEX instance_order", false},
		{query.Instance, dicomweb.Ref{Study: study}, "", "SEARCH i USING INDEX instance_order", false},
		{query.Instance, dicomweb.Ref{}, "limit=10", "SEARCH i USING INDEX instance_order", false},
		{query.Instance, dicomweb.Ref{}, "StudyInstanceUID=1.2&includefield=all", "COVERING INDEX instance_order", false},
		{query.Instance, dicomweb.Ref{}, "SOPInstanceUID=1.2", "SEARCH i USING INDEX sqlite_autoindex_instance", false},
	} {
		q, _, err := query.Parse(tc.raw, tc.level, tc.ref)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := x.Explain(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(plan, tc.want) {
			t.Errorf("%s?%s: got plan\n%s\nwant %s in it", tc.level, tc.raw, plan, tc.want)
		}
		if strings.Contains(plan, "TEMP B-TREE") && !tc.sorts {
			t.Errorf("%s?%s: got plan\n%s\nwant no sorting", tc.level, tc.raw, plan)
		}
	}
	plans, err := x.ExplainRebuild(context.Background())
	if err != nil || len(plans) != 2 {
		t.Fatalf("plans of the rebuild: got %d, %v", len(plans), err)
	}
	for _, plan := range plans {
		if !strings.Contains(plan, "SEARCH i USING INDEX instance_order") {
			t.Errorf("rebuild: got plan\n%s\nwant a study's instances found by their index", plan)
		}
	}
}

// BenchmarkRebuild fills an index with studies of 20 instances.
func BenchmarkRebuild(b *testing.B) {
	x, _, err := sqlite.Open(context.Background(), filepath.Join(b.TempDir(), "index.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer x.Close()
	base := archivetest.Entry(b, archivetest.Ref("A", "1", "1"), 1, nil)
	b.ReportAllocs()
	if err := x.Rebuild(context.Background(), func(add func(*index.Entry) error) error {
		for n := range b.N {
			e := *base
			study := fmt.Sprint("1.2.", n/20)
			e.Ref = dicomweb.Ref{Study: study, Series: fmt.Sprint(study, ".", n/10%2), Instance: fmt.Sprint("1.2.9.", n)}
			e.Study = base.Study.Clone()
			e.Study.Set(tag.PatientID, study)
			if err := add(&e); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		b.Fatal(err)
	}
}
