package main_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// rule says what the packages below From may import: of this module only what begins with a path in Within; and
// nothing that begins with a path in Never.
type rule struct {
	From   string
	Within []string // nil: anything of this module
	Never  []string
	Why    string
}

// rules are the directions of the house. Paths are relative to the module for its own packages.
var rules = []rule{
	{From: "dicomweb", Within: []string{"dicomweb"}, Why: "the DICOMweb layer serves any application"},
	{From: "dicomweb/archive", Never: []string{"dicomweb/stow", "dicomweb/wado", "dicomweb/qido"}, Why: "transactions stand on the archive, not the other way round"},
	{From: "gpu", Within: []string{"gpu"}, Why: "kernels and ops know tensors, not medicine"},
	{From: "experts", Within: []string{"experts", "gpu/op", "dicomweb/dicom", "dicomweb/pixel"}, Why: "experts read images, they do not serve or store"},
	{From: "experts/dce", Never: []string{"experts/t2", "experts/dwi"}, Why: "an expert never depends on another expert"},
	{From: "experts/t2", Never: []string{"experts/dce", "experts/dwi"}, Why: "an expert never depends on another expert"},
	{From: "experts/dwi", Never: []string{"experts/dce", "experts/t2"}, Why: "an expert never depends on another expert"},
	{From: "experts/pharmacokinetics", Never: []string{"experts/dce", "experts/t2", "experts/dwi", "experts/series", "experts/lesion"}, Why: "models of uptake know curves, not studies"},
	{From: "fusion", Within: []string{"fusion", "experts", "gpu/op", "gpu/vm"}, Never: []string{"experts/dce", "experts/t2", "experts/dwi", "experts/series", "experts/lesion"}, Why: "fusion weighs opinions, whoever holds them"},
	{From: "server/access", Within: []string{"dicomweb"}, Why: "who may do what does not depend on what there is to do"},
	{From: "server/wadl", Within: []string{"server/wadl"}, Why: "a form of description knows nothing of what it describes"},
	{From: "server/conformance", Within: []string{"server/conformance"}, Why: "the form of a statement knows nothing of what it states"},
	{From: "fixtures", Within: []string{"fixtures", "dicomweb"}, Why: "a phantom that used the analysis could not test it"},
}

// owners names the only package that may import a library.
var owners = map[string]string{
	"github.com/grailbio/go-dicom": "dicomweb/dicom",
	"github.com/labstack/echo":     "server/web",
	"github.com/golang-jwt/jwt":    "server/access",
	"gorgonia.org/cu":              "gpu/cuda",
}

func TestImportDirection(t *testing.T) {
	root, module := "..", "mome/"
	seen := 0
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() != ".." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		seen++
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		from := path.Dir(filepath.ToSlash(rel))
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range f.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			own, inside := strings.CutPrefix(imported, module)
			if inside && under(own, "server") && !under(from, "server") {
				t.Errorf("%s imports %s: nothing imports server, it wires the rest", rel, own)
			}
			if inside && under(own, "fixtures") && !under(from, "fixtures") && from != "server" && from != "server/training" && from != "server/detection" {
				t.Errorf("%s imports %s: phantoms are for tests and the server's commands", rel, own)
			}
			for _, r := range rules {
				if inside && under(from, r.From) && breaks(r, own) {
					t.Errorf("%s imports %s: %s", rel, own, r.Why)
				}
			}
			for library, owner := range owners {
				if strings.HasPrefix(imported, library) && !under(from, owner) {
					t.Errorf("%s imports %s: only %s does", rel, imported, owner)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 50 {
		t.Fatalf("looked at %d files only: is the module's root still %s?", seen, root)
	}
}

// breaks reports whether importing own breaks r.
func breaks(r rule, own string) bool {
	for _, n := range r.Never {
		if under(own, n) {
			return true
		}
	}
	if r.Within == nil {
		return false
	}
	for _, w := range r.Within {
		if under(own, w) {
			return false
		}
	}
	return true
}

// under reports whether p is the package dir or lies below it.
func under(p, dir string) bool { return p == dir || strings.HasPrefix(p, dir+"/") }

func TestTopLevelLayout(t *testing.T) {
	allowed := map[string]bool{
		"dicomweb": true, "experts": true, "fusion": true, "gpu": true, "server": true, "fixtures": true,
		"go.mod": true, "go.sum": true, "LICENSE": true, "README.md": true, "docs": true, "deploy": true,
		"data": true, // the default archive of a node that was started here; ignored by git
	}
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !allowed[e.Name()] && !strings.HasPrefix(e.Name(), ".") {
			t.Errorf("%s does not belong on the top level", e.Name())
		}
	}
}
