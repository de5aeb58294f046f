package page_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// dump writes what a page says as text, a block to a line, with what stands behind links and pictures: what somebody who
// cannot see it, or reads it in a terminal, gets.
func dump(root *html.Node) string {
	var b strings.Builder
	var walk func(*html.Node)
	line := func() {
		if s := b.String(); s != "" && !strings.HasSuffix(s, "\n") {
			b.WriteString("\n")
		}
	}
	walk = func(n *html.Node) {
		switch {
		case n.Type == html.TextNode:
			words := strings.Join(strings.Fields(n.Data), " ")
			if words == "" {
				return
			}
			if s := b.String(); s != "" && !strings.HasSuffix(s, "\n") && !strings.HasSuffix(s, " ") && n.Data[0] != ',' && n.Data[0] != '.' && n.Data[0] != ')' {
				b.WriteString(" ")
			}
			b.WriteString(words)
			return
		case n.Type == html.ElementNode:
			switch n.DataAtom {
			case atom.Head, atom.Style:
				return
			case atom.H1, atom.H2, atom.H3:
				line()
				b.WriteString(strings.Repeat("#", int(n.Data[1]-'0')) + " ")
			case atom.Li:
				line()
				b.WriteString("- ")
			case atom.Td, atom.Dd:
				b.WriteString(" |")
			case atom.Img:
				line()
				fmt.Fprintf(&b, "[%s: %s]", attr(n, "src"), attr(n, "alt"))
			case atom.P, atom.Div, atom.Tr, atom.Figure, atom.Figcaption, atom.Caption, atom.Section, atom.Header, atom.Footer, atom.Dt, atom.Ul, atom.Table, atom.Svg, atom.Summary:
				line()
			}
			if n.Data == "polygon" || n.Data == "polyline" || n.Data == "text" {
				return
			}
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
		if n.Type == html.ElementNode {
			switch n.DataAtom {
			case atom.A:
				fmt.Fprintf(&b, " <%s>", attr(n, "href"))
			case atom.H1, atom.H2, atom.H3, atom.P, atom.Li, atom.Tr, atom.Figcaption, atom.Svg, atom.Dd, atom.Summary:
				line()
			}
		}
	}
	walk(root)
	line()
	return b.String()
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// largest is how long a page may be, bytes, without its pictures.
const largest = 200_000

// sound parses a page and fails where it would not serve who reads it by keyboard or screen reader, or where it needs
// what the policy of its header refuses.
func sound(t *testing.T, header http.Header, body []byte) *html.Node {
	t.Helper()
	root, err := html.Parse(strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	if len(body) > largest {
		t.Errorf("the page has %d bytes, more than %d", len(body), largest)
	}
	ids, level, titles := map[string]bool{}, 0, 0
	var anchors []string
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		for _, a := range n.Attr {
			switch {
			case a.Key == "style" || strings.HasPrefix(a.Key, "on"):
				t.Errorf("<%s> has the attribute %s", n.Data, a.Key)
			case a.Key == "id" && ids[a.Val]:
				t.Errorf("two elements have the id %s", a.Val)
			case a.Key == "id":
				ids[a.Val] = true
			case a.Key == "href" && strings.HasPrefix(a.Val, "#"):
				anchors = append(anchors, a.Val[1:])
			case (a.Key == "href" || a.Key == "src") && strings.Contains(a.Val, ":"):
				t.Errorf("<%s> leads to %s, away from the node", n.Data, a.Val)
			case a.Key == "aria-labelledby":
				anchors = append(anchors, strings.Fields(a.Val)...)
			}
		}
		switch n.DataAtom {
		case atom.Script, atom.Form, atom.Iframe, atom.Object, atom.Link:
			t.Errorf("there is a <%s>", n.Data)
		case atom.H1, atom.H2, atom.H3:
			l := int(n.Data[1] - '0')
			if l > level+1 {
				t.Errorf("a heading of level %d follows one of level %d", l, level)
			}
			if level = l; l == 1 {
				titles++
			}
		case atom.Img:
			if attr(n, "alt") == "" || attr(n, "width") == "" || attr(n, "height") == "" {
				t.Errorf("the picture %s has no text or no size", attr(n, "src"))
			}
		case atom.Th:
			if attr(n, "scope") == "" {
				t.Error("a header cell has no scope")
			}
		case atom.Table:
			if !slices.ContainsFunc(slices.Collect(n.Descendants()), func(c *html.Node) bool { return c.DataAtom == atom.Caption }) {
				t.Error("a table has no caption")
			}
		case atom.Style:
			sum := sha256.Sum256([]byte(n.FirstChild.Data))
			if want := "style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(header.Get("Content-Security-Policy"), want) {
				t.Errorf("the policy %q does not allow the page's style, %s", header.Get("Content-Security-Policy"), want)
			}
		case atom.Html:
			if attr(n, "lang") != header.Get("Content-Language") || attr(n, "lang") == "" {
				t.Errorf("the page's language is %q, the header says %q", attr(n, "lang"), header.Get("Content-Language"))
			}
		}
	}
	for _, a := range anchors {
		if !ids[a] {
			t.Errorf("nothing has the id %s", a)
		}
	}
	if titles != 1 {
		t.Errorf("%d headings of level 1, want one", titles)
	}
	if policy := header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("the policy is %q", policy)
	}
	return root
}
