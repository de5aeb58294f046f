package picture

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"strconv"
	"strings"
)

// Chart is a drawing of lines, fields and words, which can be written as SVG, in any language, or as pixels, in ASCII.
type Chart struct {
	Title, Desc   string // for who cannot see it; Desc says in words what the chart shows
	Width, Height float64
	marks         []mark
}

// mark is one part of a chart: a filled field, a line or words.
type mark struct {
	points []point
	fill   color.NRGBA // of a field or of words; clear for a line
	ink    color.NRGBA // of a line; clear for a field
	width  float64
	dashed bool

	text   string // at points[0], its baseline
	size   float64
	anchor anchor
}

func (c *Chart) field(fill color.NRGBA, x0, y0, x1, y1 float64) {
	c.marks = append(c.marks, mark{points: []point{{x0, y0}, {x1, y0}, {x1, y1}, {x0, y1}}, fill: fill})
}

func (c *Chart) line(ink color.NRGBA, width float64, dashed bool, points ...point) {
	c.marks = append(c.marks, mark{points: points, ink: ink, width: width, dashed: dashed})
}

func (c *Chart) dot(fill color.NRGBA, at point, radius float64) {
	c.marks = append(c.marks, mark{points: disc(at, radius), fill: fill})
}

func (c *Chart) words(fill color.NRGBA, at point, size float64, a anchor, text string) {
	c.marks = append(c.marks, mark{points: []point{at}, fill: fill, text: text, size: size, anchor: a})
}

// SVG returns the chart as an element for a page, all words escaped. id makes the ids in it unique on the page. It names
// its colours in attributes, so that no style is needed that a content security policy would refuse.
func (c *Chart) SVG(id string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %s %s" role="img" aria-labelledby="%s-t %s-d" font-family="system-ui, sans-serif">`,
		short(c.Width), short(c.Height), id, id)
	fmt.Fprintf(&b, `<title id="%s-t">%s</title><desc id="%s-d">%s</desc>`, id, escape(c.Title), id, escape(c.Desc))
	for _, m := range c.marks {
		switch {
		case m.text != "":
			fmt.Fprintf(&b, `<text x="%s" y="%s" font-size="%s" fill="%s" text-anchor="%s">%s</text>`, short(m.points[0].x), short(m.points[0].y),
				short(m.size), hex(m.fill), [...]string{"start", "middle", "end"}[m.anchor], escape(m.text))
		case m.fill.A > 0:
			fmt.Fprintf(&b, `<polygon points="%s" fill="%s"/>`, list(m.points), hex(m.fill))
		default:
			fmt.Fprintf(&b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="%s"`, list(m.points), hex(m.ink), short(m.width))
			if m.dashed {
				b.WriteString(` stroke-dasharray="5 4"`)
			}
			b.WriteString("/>")
		}
	}
	b.WriteString("</svg>")
	return b.String()
}

// Image returns the chart as pixels, scale of them per unit of its size, on white.
func (c *Chart) Image(scale float64) (*image.RGBA, error) {
	face, err := newTypeface()
	if err != nil {
		return nil, err
	}
	out := newCanvas(int(math.Ceil(c.Width*scale)), int(math.Ceil(c.Height*scale)), color.White, face)
	for _, m := range c.marks {
		points := make([]point, len(m.points))
		for n, p := range m.points {
			points[n] = point{p.x * scale, p.y * scale}
		}
		switch {
		case m.text != "":
			out.text(points[0], m.size*scale, m.anchor, m.fill, ascii(m.text))
		case m.fill.A > 0:
			out.polygon(points, m.fill)
		case m.dashed:
			out.stroke(dashes(points, 5*scale, 4*scale), m.width*scale, m.ink)
		default:
			out.stroke([][]point{points}, m.width*scale, m.ink)
		}
	}
	return out.RGBA, out.err
}

// dashes cuts each straight part of a line into pieces.
func dashes(line []point, on, off float64) (out [][]point) {
	for n := range len(line) - 1 {
		a, b := line[n], line[n+1]
		length := math.Hypot(b.x-a.x, b.y-a.y)
		for at := 0.0; at < length; at += on + off {
			s, e := at/length, min(at+on, length)/length
			out = append(out, []point{{a.x + s*(b.x-a.x), a.y + s*(b.y-a.y)}, {a.x + e*(b.x-a.x), a.y + e*(b.y-a.y)}})
		}
	}
	return out
}

// short writes a length with at most two decimals.
func short(v float64) string { return strconv.FormatFloat(math.Round(v*100)/100, 'f', -1, 64) }

func hex(c color.NRGBA) string { return fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B) }

func list(points []point) string {
	words := make([]string, len(points))
	for n, p := range points {
		words[n] = short(p.x) + "," + short(p.y)
	}
	return strings.Join(words, " ")
}

// escape makes a text safe in XML and HTML, in elements and in attributes; what no XML may hold is left out.
func escape(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0xfffe || r == 0xffff {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;").Replace(s)
}
