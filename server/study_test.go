package main

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mome/dicomweb/archive"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/uid"
	"mome/experts"
	"mome/fixtures/phantom"
)

// printed returns what do writes to standard output.
func printed(t *testing.T, do func()) []byte {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "stdout"))
	if err != nil {
		t.Fatal(err)
	}
	stdout := os.Stdout
	os.Stdout = file
	defer func() { os.Stdout = stdout; file.Close() }()
	do()
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestExplainStudy: a study is told the same from a folder and from an archive.
func TestExplainStudy(t *testing.T) {
	s, err := phantom.New(phantom.Config{Resolution: phantom.Tiny, Phases: 3, Without: []string{"T2"}})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	folder, data := filepath.Join(dir, "study"), filepath.Join(dir, "data")
	if err := s.WriteDir(t.Context(), folder, nil); err != nil {
		t.Fatal(err)
	}
	a, err := openArchive(t.Context(), nodeFlags{Data: data, MaxInstance: 64}, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range s.Instances() {
		var b bytes.Buffer
		if err := dicom.Write(&b, d, uid.ExplicitVRLittleEndian); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Put(t.Context(), &b, archive.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	fromFolder := printed(t, func() { command(t, "explain", folder, "--json") })
	fromArchive := printed(t, func() { command(t, "explain", s.Truth.StudyInstanceUID, "--data", data, "--json") })
	if !bytes.Equal(fromFolder, fromArchive) {
		t.Errorf("from the folder\n%s\nfrom the archive\n%s", fromFolder, fromArchive)
	}
	var told explanationJSON
	if err := json.Unmarshal(fromFolder, &told); err != nil {
		t.Fatal(err)
	}
	dynamic := 0
	for _, r := range told.Series {
		if r.Role == experts.RoleDCE && r.Used && r.Reason != "" && r.Confidence > 0.5 {
			dynamic++
		}
	}
	if told.Study != s.Truth.StudyInstanceUID || dynamic != 3 {
		t.Errorf("%d series of the dynamic phases, want 3:\n%s", dynamic, fromFolder)
	}
	table := printed(t, func() { command(t, "explain", folder) })
	if !strings.Contains(string(table), "phase 3") || !strings.Contains(string(table), "SURE") {
		t.Errorf("table:\n%s", table)
	}
	for _, args := range [][]string{
		{"explain", filepath.Join(dir, "nowhere")},
		{"explain", "1.2.3", "--data", filepath.Join(dir, "no archive")},
		{"explain", "1.2.3", "--data", data},
	} {
		if status := run(t.Context(), args); status != 1 {
			t.Errorf("server %v: exit status %d, want 1", args, status)
		}
	}
}
