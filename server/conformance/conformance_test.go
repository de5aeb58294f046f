package conformance_test

import (
	"errors"
	"strings"
	"testing"

	"mome/server/conformance"
)

func document() conformance.Document {
	return conformance.Document{Title: "A <b>title</b>", Sections: []conformance.Section{
		{Heading: "One", Text: []string{"First.", "a|b *c* <script>"}},
		{Heading: "Two", Columns: []string{"Name", "Value"}, Rows: [][]string{{"x_y", "1|2"}, {"z", "line\nbreak"}}},
	}}
}

func TestMarkdown(t *testing.T) {
	var b strings.Builder
	if err := document().WriteMarkdown(&b); err != nil {
		t.Fatal(err)
	}
	const want = `# A \<b>title\</b>

## One

First.

a\|b \*c\* \<script>

## Two

| Name | Value |
|---|---|
| x\_y | 1\|2 |
| z | line break |
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestHTML(t *testing.T) {
	var b strings.Builder
	if err := document().WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<title>A &lt;b&gt;title", "<h2>One</h2>\n<p>First.</p>", "&lt;script&gt;", "<thead><tr><th>Name</th><th>Value</th></tr></thead>", "<tr><td>x_y</td><td>1|2</td></tr>"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	if strings.Contains(b.String(), "<script>") || strings.Contains(b.String(), "<b>") {
		t.Errorf("markup of the text came through:\n%s", b.String())
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestErrorsAreTold(t *testing.T) {
	if document().WriteMarkdown(broken{}) == nil || document().WriteHTML(broken{}) == nil {
		t.Error("a failing writer was not told")
	}
}
