package code_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/iod/code"
)

func TestItemReadsBack(t *testing.T) {
	for _, c := range []code.Code{
		code.Breast, code.SourceImage, {Value: "12345678901234567", Scheme: "99X", Meaning: "17 characters"},
	} {
		if got := code.Read(c.Item()); got != c {
			t.Errorf("got %v, want %v", got, c)
		}
	}
	long := code.Code{Value: "12345678901234567", Scheme: "99X", Meaning: "m"}.Item()
	if long.Has(tag.CodeValue) || !long.Has(tag.LongCodeValue) {
		t.Error("a value of 17 characters is not in Long Code Value")
	}
	urn := dicom.New()
	urn.Set(tag.URNCodeValue, "urn:oid:1.2")
	if got := code.Read(urn); got.Value != "urn:oid:1.2" {
		t.Errorf("got %v, want urn:oid:1.2", got)
	}
	if got := code.Read(nil); !got.Zero() {
		t.Errorf("nothing reads as %v", got)
	}
}

func TestIsIgnoresMeaning(t *testing.T) {
	other := code.Breast
	other.Meaning = "Mamma"
	if !other.Is(code.Breast) {
		t.Errorf("%v is not %v", other, code.Breast)
	}
	other.Scheme = "99X"
	if other.Is(code.Breast) {
		t.Errorf("%v is %v", other, code.Breast)
	}
}

func TestLevelsAndReasons(t *testing.T) {
	for n, want := range map[int]string{1: "AISUSP1", 5: "AISUSP5"} {
		if c, ok := code.SuspicionLevel(n); !ok || c.Value != want {
			t.Errorf("level %d is %v, %v, want %s", n, c, ok, want)
		}
	}
	for _, n := range []int{0, 6, -1} {
		if c, ok := code.SuspicionLevel(n); ok {
			t.Errorf("level %d is %v, want none", n, c)
		}
	}
	for value, want := range map[string]code.Code{"NODCE": code.NoDCE, "TIMEOUT": code.Timeout, "ERROR": code.Error, "OTHER": code.Error} {
		if got := code.NotDoneReason(value); got != want {
			t.Errorf("reason %s is %v, want %v", value, got, want)
		}
	}
}

// TestTable reads the tables' source: values fit Code Value and meanings Code Meaning (PS3.3 table 8.8-1a), local
// values are unique, and no concept stands there under two names.
func TestTable(t *testing.T) {
	seen, local := map[string]string{}, 0
	for _, file := range []string{"standard.go", "local.go"} {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			value, scheme, meaning, ok := entry(n)
			if !ok {
				return true
			}
			if scheme == code.LocalScheme {
				local++
			}
			if len(value) > 16 || meaning == "" || len(meaning) > 64 {
				t.Errorf("(%s, %s, %q): value over 16 or meaning over 64 characters", value, scheme, meaning)
			}
			if before, twice := seen[value+"|"+scheme]; twice {
				t.Errorf("(%s, %s) is %q and %q", value, scheme, before, meaning)
			}
			seen[value+"|"+scheme] = meaning
			return true
		})
	}
	if len(seen) < 80 || local < 30 {
		t.Errorf("found %d codes, %d of them local: the test does not see the tables", len(seen), local)
	}
	if !uid.Valid(code.LocalSchemeUID) {
		t.Errorf("scheme UID %s is malformed", code.LocalSchemeUID)
	}
}

// entry returns the strings of Code{"v", "s", "m"} or local("v", "m").
func entry(n ast.Node) (value, scheme, meaning string, ok bool) {
	var args []ast.Expr
	switch n := n.(type) {
	case *ast.CompositeLit:
		if name, is := n.Type.(*ast.Ident); !is || name.Name != "Code" {
			return
		}
		args = n.Elts
	case *ast.CallExpr:
		if name, is := n.Fun.(*ast.Ident); !is || name.Name != "local" {
			return
		}
		args = n.Args
	}
	var texts []string
	for _, a := range args {
		lit, is := a.(*ast.BasicLit)
		if !is {
			return
		}
		s, err := strconv.Unquote(lit.Value)
		if err != nil {
			return
		}
		texts = append(texts, s)
	}
	switch len(texts) {
	case 2:
		return texts[0], code.LocalScheme, texts[1], true
	case 3:
		return texts[0], texts[1], texts[2], true
	}
	return
}
