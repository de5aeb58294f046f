package words

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// verbs lists which argument each verb of a phrase takes, and how, in the order of the arguments.
func verbs(phrase string) []string {
	var out []string
	for n, m := range verb.FindAllStringSubmatch(phrase, -1) {
		at := strconv.Itoa(n + 1)
		if m[1] != "" {
			at = m[1]
		}
		out = append(out, at+m[2])
	}
	slices.Sort(out)
	return out
}

// TestNoPhraseLacksATranslation: every key has both, with the same arguments, and stands in one table alone.
func TestNoPhraseLacksATranslation(t *testing.T) {
	seen := map[string]bool{}
	for _, table := range tables {
		for key, p := range table {
			if seen[key] {
				t.Errorf("%q is in two tables", key)
			}
			seen[key] = true
			for _, text := range []string{p.ko, p.zh} {
				if strings.TrimSpace(text) == "" {
					t.Errorf("%q lacks a translation", key)
				}
				if got, want := verbs(text), verbs(key); !slices.Equal(got, want) {
					t.Errorf("%q takes %v, its translation %q takes %v", key, want, text, got)
				}
			}
		}
	}
	for key, p := range codes {
		for _, meaning := range []string{key, p.ko, p.zh} {
			if utf8.RuneCountInString(meaning) > 64 {
				t.Errorf("meaning %q has more than 64 characters", meaning)
			}
		}
	}
	if len(seen) < 50 {
		t.Errorf("found %d phrases: the test does not see the tables", len(seen))
	}
}

// TestWhatIsSaidIsInTheTables reads the server's source: each literal that Text is called with must be a key.
func TestWhatIsSaidIsInTheTables(t *testing.T) {
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(f.Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == `"mome/server/words"` }) {
			return nil
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if key, ok := said(n); ok && Korean.phrase(key) == key {
				t.Errorf("%s says %q, which no table has", path, key)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestLocalCodes: the meaning of every code of the local scheme is translated.
func TestLocalCodes(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "../../dicomweb/iod/code/local.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	ast.Inspect(f, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) != 2 {
			return true
		}
		if name, ok := call.Fun.(*ast.Ident); !ok || name.Name != "local" {
			return true
		}
		meaning, err := strconv.Unquote(call.Args[1].(*ast.BasicLit).Value)
		if _, ok := codes[meaning]; err != nil || !ok {
			t.Errorf("%q is not translated: %v", meaning, err)
		}
		found++
		return true
	})
	if found < 90 {
		t.Errorf("found %d codes: the test does not see the table", found)
	}
}

// said returns the literal of a call x.Text("literal", ...).
func said(n ast.Node) (string, bool) {
	call, ok := n.(*ast.CallExpr)
	if !ok || len(call.Args) == 0 {
		return "", false
	}
	if s, ok := call.Fun.(*ast.SelectorExpr); !ok || s.Sel.Name != "Text" {
		return "", false
	}
	literal, ok := call.Args[0].(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING {
		return "", false
	}
	key, err := strconv.Unquote(literal.Value)
	return key, err == nil
}

func TestText(t *testing.T) {
	for _, c := range []struct {
		l    Language
		key  string
		args []any
		want string
	}{
		{English, "Lesion %d", []any{3}, "Lesion 3"},
		{"", "Lesion %d", []any{3}, "Lesion 3"},
		{Korean, "Lesion %d", []any{3}, "병변 3"},
		{Chinese, "Lesion %d", []any{3}, "病灶 3"},
		{Korean, "no table has this 5 %", nil, "no table has this 5 %"},
		{Chinese, "PE >= 70 % and SER >= 0", nil, "PE >= 70 % 且 SER >= 0"},
	} {
		if got := c.l.Text(c.key, c.args...); got != c.want {
			t.Errorf("%s %q %v is %q, want %q", c.l, c.key, c.args, got, c.want)
		}
	}
}

// TestTranslate: what was made in English elsewhere is known again by its phrase.
func TestTranslate(t *testing.T) {
	for _, c := range []struct {
		l    Language
		text string
		want string
		ok   bool
	}{
		{Korean, "Lesion 12", "병변 12", true},
		{Chinese, "Lesion 12", "病灶 12", true},
		{English, "Lesion 12", "Lesion 12", true},
		{English, "no phrase", "no phrase", true},
		{Korean, "Lesion twelve", "Lesion twelve", false},
		{Korean, "Right breast", "우측 유방", true},
		{Chinese, "DWI missing: no series of this kind was used; what needs it is left out.", "缺少 DWI：未使用此类序列，相关项目已省略。", true},
	} {
		if got, ok := c.l.Translate(c.text); got != c.want || ok != c.ok {
			t.Errorf("%s %q is %q, %v, want %q, %v", c.l, c.text, got, ok, c.want, c.ok)
		}
	}
	// Every phrase that takes arguments is known again from what Text makes of it.
	for _, f := range formats() {
		args := make([]any, len(f.kind))
		for n, kind := range f.kind {
			switch kind {
			case "d":
				args[n] = 7
			case "f", "g", "e":
				args[n] = 2.5
			default:
				args[n] = "XYZ"
			}
		}
		english := English.Text(f.key, args...)
		for _, l := range []Language{Korean, Chinese} {
			if got, ok := l.Translate(english); !ok || got != l.Text(f.key, args...) {
				t.Errorf("%q in %s is %q, want %q", english, l, got, l.Text(f.key, args...))
			}
		}
	}
}

func TestParse(t *testing.T) {
	for tag, want := range map[string]Language{"en": English, "ko-KR": Korean, " KO ": Korean, "zh_CN.UTF-8": Chinese, "zh": Chinese} {
		if l, ok := Parse(tag); l != want || !ok {
			t.Errorf("%q is %q, %v, want %q", tag, l, ok, want)
		}
	}
	for _, tag := range []string{"", "fr", "kok"} {
		if l, ok := Parse(tag); l != English || ok {
			t.Errorf("%q is %q, %v, want English and false", tag, l, ok)
		}
	}
	for _, l := range Languages() {
		if got, ok := Parse(l.Tag()); got != l || !ok || l.Name() == "" {
			t.Errorf("%s has the tag %s, which is %s, and the name %q", l, l.Tag(), got, l.Name())
		}
	}
}
