package picture

import (
	"encoding/xml"
	"errors"
	"image/color"
	"io"
	"math"
	"strings"
	"testing"
)

// parsed fails unless the text is well-formed, and returns its elements' names.
func parsed(t *testing.T, svg string) map[string]int {
	t.Helper()
	d, names := xml.NewDecoder(strings.NewReader(svg)), map[string]int{}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return names
		}
		if err != nil {
			t.Fatalf("%v in %s", err, svg)
		}
		if e, ok := token.(xml.StartElement); ok {
			names[e.Name.Local]++
			for _, a := range e.Attr {
				if a.Name.Local == "style" || strings.HasPrefix(a.Name.Local, "on") {
					t.Errorf("attribute %s, which a content security policy refuses", a.Name.Local)
				}
			}
		}
	}
}

func TestCurves(t *testing.T) {
	times := []float64{0, 90, 180, 270, 360, 450, 540}
	text := CurveText{Title: "Curve", Desc: "rises, then falls", Initial: "initial", Delayed: "delayed", Plateau: "plateau", Fast: "fast"}
	c, ok := Curves(times, []Series{{"mean", []float64{100, 200, 260, 240, 230, 220, 210}}, {"hot", []float64{50, 150, 160, 150, 140, 130, 120}}}, text)
	if !ok {
		t.Fatal("nothing was drawn")
	}
	svg := c.SVG("a")
	names := parsed(t, svg)
	for _, want := range []string{`role="img"`, `aria-labelledby="a-t a-d"`, `<title id="a-t">Curve</title>`, `<desc id="a-d">rises, then falls</desc>`, ">hot<", ">plateau<", ">fast<"} {
		if !strings.Contains(svg, want) {
			t.Errorf("no %s in the SVG", want)
		}
	}
	if names["polygon"] < 14 {
		t.Errorf("%d fields, want a dot for each of 14 points at least", names["polygon"])
	}
	// The highest dot is that of the hot spot's 220 %: where the axis says it is.
	p := curvePlot{Chart: c, last: 540, top: 220 * 1.15}
	at := p.at(180, 220)
	img, err := c.Image(2)
	if err != nil {
		t.Fatal(err)
	}
	if got := img.RGBAAt(int(at.x*2), int(at.y*2)); got != (color.RGBA{213, 94, 0, 255}) {
		t.Errorf("at 180 s and 220 %% there is %v, want the hot spot's dot", got)
	}
	for name, bad := range map[string]struct {
		times  []float64
		signal []float64
	}{
		"no signal before":  {times, []float64{0, 1, 1, 1, 1, 1, 1}},
		"one phase":         {[]float64{0}, []float64{1}},
		"no times":          {[]float64{0, 0}, []float64{1, 2}},
		"not a number":      {[]float64{0, 90}, []float64{1, math.NaN()}},
		"time is no number": {[]float64{0, math.NaN()}, []float64{1, 2}},
		"lengths differ":    {times, []float64{1, 2}},
		"endless":           {[]float64{0, math.Inf(1)}, []float64{1, 2}},
	} {
		if _, ok := Curves(bad.times, []Series{{"x", bad.signal}}, text); ok {
			t.Errorf("%s: something was drawn", name)
		}
	}
}

func TestContributions(t *testing.T) {
	c, ok := Contributions([]Bar{{"DCE", 1.5}, {"T2", -0.75}}, BarText{Title: "<b>", For: "for", Against: `a"gainst`})
	if !ok {
		t.Fatal("nothing was drawn")
	}
	svg := c.SVG("b")
	parsed(t, svg)
	if !strings.Contains(svg, "+1.50") || !strings.Contains(svg, "-0.75") || strings.Contains(svg, "<b>") {
		t.Errorf("got %s", svg)
	}
	if up, down := c.marks[3].points, c.marks[6].points; up[1].x-up[0].x != 150 || down[1].x-down[0].x != 75 || down[1].x != up[0].x {
		t.Errorf("the bars reach from %v to %v and from %v to %v, want 150 to the right and half of it to the left", up[0], up[1], down[0], down[1])
	}
	if _, ok := Contributions(nil, BarText{}); ok {
		t.Error("nothing has a chart")
	}
	if _, ok := Contributions([]Bar{{"DCE", math.NaN()}}, BarText{}); ok {
		t.Error("what is no number has a chart")
	}
}

// TestSVGIsSafe: no word can end its element or be anything but a word.
func TestSVGIsSafe(t *testing.T) {
	hostile := "</text><script>alert(1)</script>&\x00\x1b'\"" + string([]byte{0xff})
	c, ok := Curves([]float64{0, 90}, []Series{{hostile, []float64{1, 2}}}, CurveText{hostile, hostile, hostile, hostile, hostile, hostile, hostile, hostile, hostile, hostile, hostile, hostile})
	if !ok {
		t.Fatal("nothing was drawn")
	}
	if names := parsed(t, c.SVG("c")); names["script"] > 0 {
		t.Error("a word became an element")
	}
	if _, err := c.Image(1); err != nil {
		t.Error(err)
	}
}
