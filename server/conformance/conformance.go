// Package conformance writes a conformance statement (PS3.2) as Markdown or HTML. It knows the form, sections of
// paragraphs and tables; what is in them comes from the tables of the code that it speaks of.
package conformance

import (
	"fmt"
	"html"
	"io"
	"strings"
)

// Document is a conformance statement.
type Document struct {
	Title    string
	Sections []Section
}

// Section is a heading with what follows it.
type Section struct {
	Heading string
	Text    []string // paragraphs, plain text
	Columns []string // of the table; none: there is no table
	Rows    [][]string
}

// WriteMarkdown writes the document as Markdown with pipe tables.
func (d Document) WriteMarkdown(w io.Writer) error {
	p := &printer{w: w}
	p.printf("# %s\n", escape(d.Title))
	for _, s := range d.Sections {
		p.printf("\n## %s\n", escape(s.Heading))
		for _, text := range s.Text {
			p.printf("\n%s\n", escape(text))
		}
		if len(s.Columns) == 0 {
			continue
		}
		p.printf("\n%s|%s\n", row(s.Columns), strings.Repeat("---|", len(s.Columns)))
		for _, r := range s.Rows {
			p.printf("%s", row(r))
		}
	}
	return p.err
}

func row(cells []string) string {
	var b strings.Builder
	b.WriteByte('|')
	for _, c := range cells {
		b.WriteString(" " + escape(c) + " |")
	}
	b.WriteByte('\n')
	return b.String()
}

// escape keeps Markdown from reading a meaning into text.
func escape(s string) string {
	return strings.NewReplacer("\n", " ", `\`, `\\`, "|", `\|`, "*", `\*`, "_", `\_`, "<", `\<`, "`", "\\`", "[", `\[`).Replace(s)
}

// style is readable on paper and telephone, with the colours of the reader's system.
const style = `:root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;max-width:90rem;margin:2rem auto;padding:0 1rem}` +
	`table{border-collapse:collapse;display:block;overflow-x:auto}th,td{border:1px solid #8888;padding:.25rem .5rem;text-align:left;vertical-align:top;overflow-wrap:anywhere;min-width:3.5rem}th{background:#8882}`

// WriteHTML writes the document as one page without scripts.
func (d Document) WriteHTML(w io.Writer) error {
	p := &printer{w: w}
	title := html.EscapeString(d.Title)
	p.printf("<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>%s</title><style>%s</style></head>\n<body>\n<h1>%s</h1>\n", title, style, title)
	for _, s := range d.Sections {
		p.printf("<h2>%s</h2>\n", html.EscapeString(s.Heading))
		for _, text := range s.Text {
			p.printf("<p>%s</p>\n", html.EscapeString(text))
		}
		if len(s.Columns) == 0 {
			continue
		}
		p.printf("<table>\n<thead>%s</thead>\n<tbody>\n", cells("th", s.Columns))
		for _, r := range s.Rows {
			p.printf("%s\n", cells("td", r))
		}
		p.printf("</tbody>\n</table>\n")
	}
	p.printf("</body>\n</html>\n")
	return p.err
}

func cells(element string, values []string) string {
	var b strings.Builder
	b.WriteString("<tr>")
	for _, v := range values {
		b.WriteString("<" + element + ">" + html.EscapeString(v) + "</" + element + ">")
	}
	return b.String() + "</tr>"
}

// printer remembers the first error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}
