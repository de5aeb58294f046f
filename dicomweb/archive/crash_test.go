package archive_test

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/archive/archivetest"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/query"
)

// childDir is the environment variable by which TestKill tells its child where to store.
const childDir = "ARCHIVE_TEST_CHILD"

// TestMain runs the child of TestKill instead of the tests when it is asked to.
func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		child(dir)
		return
	}
	os.Exit(m.Run())
}

// child stores instances from several sides until it is killed, and prints the UID of each that was acknowledged.
func child(dir string) {
	a, err := archive.Open(context.Background(), archive.Config{Dir: dir})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	var out sync.Mutex
	var workers sync.WaitGroup
	for w := range 4 {
		workers.Go(func() {
			for i := 0; ; i++ {
				ref := archivetest.Ref(fmt.Sprint(i/10), "1", fmt.Sprint(os.Getpid(), w, i))
				var b bytes.Buffer
				if err := dicom.Write(&b, archivetest.Dataset(ref, nil), "1.2.840.10008.1.2.1"); err != nil {
					fmt.Println("error", err)
					os.Exit(1)
				}
				if _, err := a.Put(context.Background(), &b, archive.PutOptions{}); err != nil {
					fmt.Println("error", err)
					os.Exit(1)
				}
				out.Lock()
				fmt.Println("stored", ref.Instance)
				out.Unlock()
			}
		})
	}
	workers.Wait()
}

// TestKill kills a process that stores, again and again in the same archive: what it acknowledged is there and
// readable, files and rows agree.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	acknowledged := map[string]bool{}
	for round := range 4 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childDir+"="+dir)
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(stdout)
		for n := 0; lines.Scan(); n++ {
			uid, ok := strings.CutPrefix(lines.Text(), "stored ")
			if !ok {
				t.Errorf("the child says: %s", lines.Text())
				break
			}
			acknowledged[uid] = true
			if n == 15+20*round {
				cmd.Process.Kill() // SIGKILL; what it printed before is still read
			}
		}
		cmd.Wait()
	}
	if len(acknowledged) < 100 {
		t.Fatalf("only %d instances were acknowledged", len(acknowledged))
	}
	a := open(t, archive.Config{Dir: dir})
	for uid := range acknowledged {
		results, _, err := a.Find(context.Background(), mustParse(t, "SOPInstanceUID="+uid))
		if err != nil || len(results) != 1 {
			t.Fatalf("acknowledged instance %s: found %d times, %v", uid, len(results), err)
		}
		b := content(t, a, dicomweb.Ref{Study: results[0].String(tag.StudyInstanceUID), Instance: uid})
		if _, err := dicom.Scan(bytes.NewReader(b), int64(len(b)), dicom.Limits{}); err != nil {
			t.Errorf("acknowledged instance %s is not readable: %v", uid, err)
		}
	}
	files := storedFiles(t, dir)
	results, _, err := a.Find(context.Background(), query.Query{Level: query.Instance})
	if err != nil || len(results) != len(files) {
		t.Errorf("got %d instances, %v, and %d files", len(results), err, len(files))
	}
	if left, err := os.ReadDir(filepath.Join(dir, "incoming")); err != nil || len(left) > 0 {
		t.Errorf("temporary files: got %d, %v, want none", len(left), err)
	}
}

func mustParse(t *testing.T, raw string) query.Query {
	t.Helper()
	q, _, err := query.Parse(raw, query.Instance, dicomweb.Ref{})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// storedFiles returns the paths of the archive's files.
func storedFiles(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	if err := filepath.WalkDir(filepath.Join(dir, "objects"), func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			out = append(out, name)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestRepair makes what crashes leave, and looks at what the next start makes of it.
func TestRepair(t *testing.T) {
	refs := []dicomweb.Ref{archivetest.Ref("A", "1", "1"), archivetest.Ref("A", "1", "2"), archivetest.Ref("B", "1", "1")}
	dropRow := func(t *testing.T, dir string, uid string) {
		t.Helper()
		update(t, dir, `DELETE FROM header WHERE instance = (SELECT id FROM instance WHERE uid = '`+uid+`')`, `DELETE FROM instance WHERE uid = '`+uid+`'`)
	}
	fileOf := func(t *testing.T, dir, uid string) string {
		t.Helper()
		for _, f := range storedFiles(t, dir) {
			if strings.Contains(f, uid+".dcm") {
				return f
			}
		}
		t.Fatalf("no file of %s", uid)
		return ""
	}
	for _, tc := range []struct {
		name     string
		spoil    func(t *testing.T, dir string)
		want     int   // instances afterwards
		revision int64 // of study A
	}{
		{"nothing", func(*testing.T, string) {}, 3, 2},
		{"a file without its row", func(t *testing.T, dir string) { dropRow(t, dir, refs[0].Instance) }, 3, 3},
		{"a row without its file", func(t *testing.T, dir string) { os.Remove(fileOf(t, dir, refs[0].Instance)) }, 2, 2},
		{"a file that is cut short", func(t *testing.T, dir string) { os.Truncate(fileOf(t, dir, refs[0].Instance), 100) }, 3, 2},
		{"a foreign file", func(t *testing.T, dir string) {
			os.WriteFile(filepath.Join(filepath.Dir(fileOf(t, dir, refs[0].Instance)), "notes.txt"), []byte("x"), 0o600)
		}, 3, 2},
		{"a file under another's name", func(t *testing.T, dir string) {
			f := fileOf(t, dir, refs[0].Instance)
			os.Rename(f, filepath.Join(filepath.Dir(f), "1.2.3.dcm"))
		}, 2, 2},
		{"no index", func(t *testing.T, dir string) {
			for _, suffix := range []string{"", "-wal", "-shm"} {
				os.Remove(filepath.Join(dir, "index.db"+suffix))
			}
		}, 3, 2},
		{"a damaged index", func(t *testing.T, dir string) {
			os.WriteFile(filepath.Join(dir, "index.db"), bytes.Repeat([]byte("x"), 5000), 0o600)
		}, 3, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			a := open(t, archive.Config{Dir: dir})
			for _, ref := range refs {
				put(t, a, archivetest.Dataset(ref, nil), archive.PutOptions{})
			}
			if err := a.Close(); err != nil {
				t.Fatal(err)
			}
			tc.spoil(t, dir)
			if err := os.WriteFile(filepath.Join(dir, "open"), nil, 0o600); err != nil { // as if it had not been closed
				t.Fatal(err)
			}
			a = open(t, archive.Config{Dir: dir})
			results, _, err := a.Find(context.Background(), query.Query{Level: query.Instance})
			if err != nil || len(results) != tc.want {
				t.Errorf("got %d instances, %v, want %d", len(results), err, tc.want)
			}
			if got := revision(t, a, refs[0].Study); got != tc.revision {
				t.Errorf("revision: got %d, want %d", got, tc.revision)
			}
			// Whatever happened, sending again makes all whole.
			for _, ref := range refs {
				put(t, a, archivetest.Dataset(ref, nil), archive.PutOptions{})
				if got, want := content(t, a, ref), archivetest.File(t, archivetest.Dataset(ref, nil)); !bytes.Equal(got, want) {
					t.Errorf("after sending %s again: got %d bytes, want %d", ref.Path(), len(got), len(want))
				}
			}
		})
	}
}

func update(t *testing.T, dir string, statements ...string) {
	t.Helper()
	a := open(t, archive.Config{Dir: dir})
	defer a.Close()
	for _, text := range statements {
		if err := a.Update(context.Background(), func(tx *sql.Tx) error {
			_, err := tx.Exec(text)
			return err
		}); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
}

// TestReindex rebuilds while instances come and searches run.
func TestReindex(t *testing.T) {
	a := open(t, archive.Config{Now: time.Now})
	ctx := context.Background()
	for i := range 30 {
		put(t, a, archivetest.Dataset(archivetest.Ref("A", "1", fmt.Sprint(i)), nil), archive.PutOptions{Result: i%10 == 0})
	}
	var all sync.WaitGroup
	stop := make(chan struct{})
	all.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			put(t, a, archivetest.Dataset(archivetest.Ref("B", "1", fmt.Sprint(i)), nil), archive.PutOptions{})
			results, _, err := a.Find(ctx, query.Query{})
			if err != nil || len(results) != 2 {
				t.Errorf("while rebuilding: got %d studies, %v, want 2", len(results), err)
			}
		}
	})
	done := 0
	for range 3 {
		if err := a.Reindex(ctx, func(n, total int) {
			done = n
			if n == 5 {
				if _, err := a.Delete(ctx, archivetest.Ref("A", "1", "1")); dicomweb.KindOf(err) != dicomweb.Unavailable {
					t.Errorf("delete while rebuilding: got %v, want unavailable", err)
				}
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	all.Wait()
	if done < 30 {
		t.Errorf("progress: got %d files, want at least 30", done)
	}
	instances, err := a.Instances(ctx, dicomweb.Ref{Study: archivetest.Ref("A", "", "").Study})
	if err != nil || len(instances) != 30 {
		t.Fatalf("got %d instances, %v, want 30", len(instances), err)
	}
	results := 0
	for _, i := range instances {
		if i.Result {
			results++
		}
		if i.SHA256 == "" {
			t.Errorf("%s has no hash", i.Path())
		}
	}
	if results != 3 {
		t.Errorf("results: got %d, want 3", results)
	}
	if got := revision(t, a, archivetest.Ref("A", "", "").Study); got != 27 {
		t.Errorf("revision: got %d, want 27 as before", got)
	}
	b, err := a.Instances(ctx, dicomweb.Ref{Study: archivetest.Ref("B", "", "").Study})
	if err != nil || revision(t, a, archivetest.Ref("B", "", "").Study) != int64(len(b)) {
		t.Errorf("study B: revision %d, %d instances, %v", revision(t, a, archivetest.Ref("B", "", "").Study), len(b), err)
	}
}

func TestDelete(t *testing.T) {
	dir := t.TempDir()
	a := open(t, archive.Config{Dir: dir})
	ctx := context.Background()
	for _, r := range []dicomweb.Ref{archivetest.Ref("A", "1", "1"), archivetest.Ref("A", "2", "1"), archivetest.Ref("B", "1", "1")} {
		put(t, a, archivetest.Dataset(r, nil), archive.PutOptions{})
	}
	study := archivetest.Ref("A", "", "").Study
	for _, tc := range []struct {
		name  string
		ref   dicomweb.Ref
		want  int
		files int
	}{
		{"series", dicomweb.Ref{Study: study, Series: archivetest.Ref("A", "1", "").Series}, 1, 2},
		{"study", dicomweb.Ref{Study: study}, 1, 1},
	} {
		n, err := a.Delete(ctx, tc.ref)
		if err != nil || n != tc.want || len(storedFiles(t, dir)) != tc.files {
			t.Errorf("%s: got %d, %v and %d files left, want %d and %d", tc.name, n, err, len(storedFiles(t, dir)), tc.want, tc.files)
		}
		if _, err := a.Delete(ctx, tc.ref); dicomweb.KindOf(err) != dicomweb.NotFound {
			t.Errorf("%s again: got %v, want not found", tc.name, err)
		}
	}
	if got := revision(t, a, study); got != 2 {
		t.Errorf("revision: got %d, want 2 as before", got)
	}
	rec := put(t, a, archivetest.Dataset(archivetest.Ref("A", "1", "1"), nil), archive.PutOptions{})
	if rec.Outcome != archive.Stored || revision(t, a, study) != 3 {
		t.Errorf("stored again: got outcome %v, revision %d, want Stored, 3", rec.Outcome, revision(t, a, study))
	}
}

// TestConcurrentPuts sends the same instances from many sides at once.
func TestConcurrentPuts(t *testing.T) {
	dir := t.TempDir()
	a := open(t, archive.Config{Dir: dir, Now: time.Now})
	var all sync.WaitGroup
	var mu sync.Mutex
	outcomes := map[archive.Outcome]int{}
	for range 8 {
		all.Go(func() {
			for i := range 6 {
				rec := put(t, a, archivetest.Dataset(archivetest.Ref("A", "1", fmt.Sprint(i)), nil), archive.PutOptions{})
				mu.Lock()
				outcomes[rec.Outcome]++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if outcomes[archive.Stored] != 6 || outcomes[archive.Same] != 42 {
		t.Errorf("outcomes: got %v, want 6 stored and 42 the same", outcomes)
	}
	if got := revision(t, a, archivetest.Ref("A", "", "").Study); got != 6 {
		t.Errorf("revision: got %d, want 6", got)
	}
	if files := storedFiles(t, dir); len(files) != 6 {
		t.Errorf("files: got %d, want 6", len(files))
	}
}

// TestOneArchive wants a second opening refused.
func TestOneArchive(t *testing.T) {
	dir := t.TempDir()
	open(t, archive.Config{Dir: dir})
	if a, err := archive.Open(context.Background(), archive.Config{Dir: dir}); err == nil {
		a.Close()
		t.Error("the archive could be opened twice")
	}
	if _, err := archive.Open(context.Background(), archive.Config{}); err == nil || !strings.Contains(err.Error(), "Dir") {
		t.Errorf("without a directory: got %v, want the field named", err)
	}
	if _, err := archive.Open(context.Background(), archive.Config{Dir: dir, MaxInstanceBytes: -1}); err == nil {
		t.Error("negative limit: got no error")
	}
}

// TestLimits wants the limit on memory told as a format error that says so.
func TestLimits(t *testing.T) {
	a := open(t, archive.Config{Limits: dicom.Limits{Elements: 3}})
	_, err := a.Put(context.Background(), bytes.NewReader(archivetest.File(t, archivetest.Dataset(archivetest.Ref("A", "1", "1"), nil))), archive.PutOptions{})
	var f *dicom.FormatError
	if !errors.As(err, &f) || !f.Limit() {
		t.Errorf("got %v, want a format error that is a limit", err)
	}
}
