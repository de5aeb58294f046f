package archive_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/archive/archivetest"
)

func attachments(t *testing.T, a *archive.Archive, study string) []string {
	t.Helper()
	names, err := a.Attachments(context.Background(), study)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestAttach(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	a := open(t, archive.Config{Dir: dir})
	refA, refB := archivetest.Ref("A", "1", "1"), archivetest.Ref("B", "1", "1")
	for _, r := range []dicomweb.Ref{refA, archivetest.Ref("A", "2", "1"), refB} {
		put(t, a, archivetest.Dataset(r, nil), archive.PutOptions{})
	}
	study := refA.Study
	for _, f := range []struct{ study, name, content string }{
		{study, "b.png", "first"}, {study, "a.json", "{}"}, {study, "b.png", "second"}, {refB.Study, "b.png", "other"},
	} {
		if err := a.Attach(ctx, f.study, f.name, []byte(f.content)); err != nil {
			t.Fatalf("attach %s: %v", f.name, err)
		}
	}
	if got := attachments(t, a, study); !slices.Equal(got, []string{"a.json", "b.png"}) {
		t.Errorf("attachments: got %v", got)
	}
	if got, err := a.Attachment(ctx, study, "b.png"); err != nil || string(got) != "second" {
		t.Errorf("attachment: got %q, %v, want the second", got, err)
	}
	if _, err := a.Attachment(ctx, study, "c.png"); dicomweb.KindOf(err) != dicomweb.NotFound {
		t.Errorf("no attachment: got %v, want not found", err)
	}
	for _, bad := range []string{"../b.png", "x/y", "..", ".", "1.2.dcm", "a b"} {
		if err := a.Attach(ctx, study, bad, nil); err == nil {
			t.Errorf("attach %q: got no error", bad)
		}
	}
	if err := a.Attach(ctx, "../..", "b.png", nil); dicomweb.KindOf(err) != dicomweb.BadRequest {
		t.Errorf("attach to no study: got %v", err)
	}
	if err := a.Attach(ctx, study, "large", make([]byte, archive.MaxAttachmentBytes+1)); dicomweb.KindOf(err) != dicomweb.TooLarge {
		t.Errorf("attach too much: got %v, want too large", err)
	}

	// Attachments are no instances, also after the index was lost and after an unclean end.
	for _, spoil := range []string{"index.db", "open"} {
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		os.Remove(filepath.Join(dir, spoil))
		if spoil == "open" {
			os.WriteFile(filepath.Join(dir, spoil), nil, 0o600)
		}
		a = open(t, archive.Config{Dir: dir})
		if all, err := a.Instances(ctx, dicomweb.Ref{}); err != nil || len(all) != 3 {
			t.Errorf("instances without %s: got %d, %v, want 3", spoil, len(all), err)
		}
	}
	if got := attachments(t, a, study); len(got) != 2 {
		t.Errorf("attachments after reindexing: got %v", got)
	}

	// They go with the study: at once, or with its last instance.
	if err := a.Detach(ctx, study, "a.json", "c.png"); err != nil {
		t.Errorf("detach: %v", err)
	}
	for n, left := range []int{1, 0} {
		if _, err := a.Delete(ctx, dicomweb.Ref{Study: study, Series: archivetest.Ref("A", fmt.Sprint(n+1), "").Series}); err != nil {
			t.Fatal(err)
		}
		if got := attachments(t, a, study); len(got) != left {
			t.Errorf("attachments after series %d went: got %v, want %d", n+1, got, left)
		}
	}
	if _, err := a.Delete(ctx, dicomweb.Ref{Study: refB.Study}); err != nil || len(storedFiles(t, dir)) != 0 {
		t.Errorf("after deleting all: %v, files %v", err, storedFiles(t, dir))
	}
}
