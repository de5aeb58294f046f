package weights_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mome/experts/weights"
)

// oracle is the folder of a checkpoint made by the published code, beside the module; the test skips without it.
func oracle(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			path := filepath.Join(dir, "../shared/data/mome-small")
			if _, err := os.Stat(path); err != nil {
				t.Skipf("the published code's small checkpoint is not at %s", path)
			}
			return path
		}
	}
	t.Fatal("no go.mod above the working directory")
	return ""
}

func TestOpenReadsPublishedCheckpoint(t *testing.T) {
	dir := oracle(t)
	s, err := weights.Open(filepath.Join(dir, "model.th"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join(dir, "state_dict.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	i := 0
	for lines := bufio.NewScanner(f); lines.Scan(); i++ {
		if i >= s.Len() {
			t.Fatalf("%d tensors, the list goes on with %q", s.Len(), lines.Text())
		}
		tensor := s.All()[i]
		shape := strings.Trim(strings.ReplaceAll(fmt.Sprint(tensor.Shape), " ", "x"), "[]")
		if got, want := tensor.Name+" float32 "+shape, lines.Text(); got != want {
			t.Errorf("tensor %d: got %q, want %q", i, got, want)
		}
	}
	if i != s.Len() {
		t.Errorf("got %d tensors, want %d", s.Len(), i)
	}

	var file bytes.Buffer
	if err := s.WriteSafetensors(&file); err != nil {
		t.Fatal(err)
	}
	again, err := weights.ReadSafetensors(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := again.SHA256(), s.SHA256(); got != want {
		t.Errorf("hash after writing and reading: got %s, want %s", got, want)
	}
}
