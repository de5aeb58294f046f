package report_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/sr"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestGolden compares the tree of each SR and the headers of each object with what was reviewed.
func TestGolden(t *testing.T) {
	for _, c := range outcomes {
		for _, d := range inOrder(mustBuild(t, c.make(), source())) {
			stored, pixels := scanned(t, written(t, d))
			var text bytes.Buffer
			if d.String(tag.Modality) == "SR" {
				root, err := sr.Parse(stored)
				if err != nil {
					t.Fatal(err)
				}
				dumpHeader(&text, stored, 0, tag.ContentSequence)
				fmt.Fprintln(&text)
				if err := sr.Dump(&text, root); err != nil {
					t.Fatal(err)
				}
			} else {
				dumpHeader(&text, stored, 0, tag.PixelData)
				fmt.Fprintf(&text, "PixelData OB %d bytes\n", len(pixels))
			}
			golden(t, c.name+"-"+kind(d)+".txt", text.Bytes())
		}
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (go test -update writes it)", err)
	}
	if bytes.Equal(got, want) {
		return
	}
	g, w := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			t.Errorf("%s line %d (go test -update rewrites it)\n got %s\nwant %s", name, i+1, g[i], w[i])
			return
		}
	}
	t.Errorf("%s has %d lines, want %d (go test -update rewrites it)", name, len(g), len(w))
}

// dumpHeader writes a data set as text, two spaces per level of sequences, without the attribute but.
func dumpHeader(w *bytes.Buffer, d *dicom.Dataset, depth int, but tag.Tag) {
	indent := strings.Repeat("  ", depth)
	for e := range d.All() {
		if e.Tag == but {
			continue
		}
		fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("%s%s %s %s", indent, e.Tag.Keyword(), e.VR, strings.Join(d.ElementStrings(e), `\`)), " "))
		for i, item := range e.Items {
			fmt.Fprintf(w, "%s  item %d\n", indent, i+1)
			dumpHeader(w, item, depth+2, but)
		}
	}
}
