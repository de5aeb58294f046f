// Package plot draws what a training and an evaluation came to, as PNG images: losses and areas over epochs, receiver
// operating characteristic, precision-recall, reliability. Every image carries a subtitle that says what the numbers
// were measured on.
package plot

import (
	"errors"
	"fmt"
	"image/color"
	"io"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// Options are the texts of an image.
type Options struct {
	Title    string // by default the kind of the image
	Subtitle string // what the data were, such as "digital phantoms"; required: no curve goes without it
}

// ErrNothing is wrapped where there is nothing to draw: no epochs, or a class without cases.
var ErrNothing = errors.New("nothing to draw")

// Sizes of an image, which has its panels side by side under title and subtitle.
const (
	panel       = 4.6 * vg.Inch
	header      = 0.8 * vg.Inch
	margin      = 0.15 * vg.Inch
	gutter      = 0.25 * vg.Inch // between panels
	dotsPerInch = 144
)

// ink are the colours of lines, which readers who confuse red and green can tell apart (Okabe and Ito, "Color
// Universal Design", 2008).
func ink(i int) color.Color {
	colours := [...]color.RGBA{
		{0, 114, 178, 255}, {213, 94, 0, 255}, {0, 158, 115, 255}, {204, 121, 167, 255}, {230, 159, 0, 255}, {86, 180, 233, 255},
	}
	return colours[i%len(colours)]
}

// sans is the font of all text.
func sans(size vg.Length) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
}

// write draws the panels side by side.
func write(w io.Writer, o Options, title string, panels ...*plot.Plot) error {
	if o.Subtitle == "" {
		return fmt.Errorf("plot: no subtitle says what the data were")
	}
	if o.Title != "" {
		title = o.Title
	}
	width := panel*vg.Length(len(panels)) + 2*margin
	img := vgimg.NewWith(vgimg.UseWH(width, panel+header+margin), vgimg.UseDPI(dotsPerInch))
	all := draw.New(img)
	all.SetColor(color.White)
	all.Fill(all.Rectangle.Path())
	style := text.Style{Color: color.Black, Font: sans(15), Handler: plot.DefaultTextHandler, YAlign: draw.YTop}
	all.FillText(style, vg.Point{X: 2 * margin, Y: all.Max.Y - margin}, title)
	style.Font, style.Color = sans(11), color.Gray{0x55}
	all.FillText(style, vg.Point{X: 2 * margin, Y: all.Max.Y - margin - 22}, o.Subtitle)
	for i, p := range panels {
		left := margin + panel*vg.Length(i)
		p.Draw(draw.Crop(all, left, left+panel-gutter-width, margin, -header))
	}
	_, err := vgimg.PngCanvas{Canvas: img}.WriteTo(w)
	return err
}

// axes is an empty panel.
func axes(x, y string) *plot.Plot {
	p := plot.New()
	p.X.Label.Text, p.Y.Label.Text = x, y
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Label.TextStyle.Font, a.Tick.Label.Font = sans(12), sans(10)
		a.Label.Padding = vg.Points(4)
	}
	p.Legend.TextStyle.Font = sans(10)
	p.Legend.Padding = vg.Points(2)
	p.Legend.ThumbnailWidth = vg.Points(22)
	p.Legend.Left = true
	p.Legend.XOffs, p.Legend.YOffs = vg.Points(8), vg.Points(6)
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = color.Gray{0xe4}, color.Gray{0xe4}
	p.Add(grid)
	return p
}

// unit is an empty panel whose axes run from 0 to 1.
func unit(x, y string) *plot.Plot {
	p := axes(x, y)
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, 1, 0, 1
	p.X.Tick.Marker, p.Y.Tick.Marker = tenths(), tenths()
	return p
}

// tenths are ticks from 0 to 1.
func tenths() plot.ConstantTicks {
	var ticks plot.ConstantTicks
	for i := range 11 {
		t := plot.Tick{Value: float64(i) / 10}
		if i%2 == 0 {
			t.Label = fmt.Sprintf("%.1f", t.Value)
		}
		ticks = append(ticks, t)
	}
	return ticks
}

// line adds a line, and its name to the legend unless that is empty.
func line(p *plot.Plot, name string, points plotter.XYs, colour color.Color, dashed bool) error {
	l, err := plotter.NewLine(points)
	if err != nil {
		return fmt.Errorf("plot: %w", err)
	}
	l.Color, l.Width = colour, vg.Points(1.8)
	if dashed {
		l.Width, l.Dashes = vg.Points(1), []vg.Length{vg.Points(4), vg.Points(3)}
	}
	p.Add(l)
	if name != "" {
		p.Legend.Add(name, l)
	}
	return nil
}

// dots adds round marks.
func dots(p *plot.Plot, name string, points plotter.XYs, colour color.Color, radius vg.Length) error {
	s, err := plotter.NewScatter(points)
	if err != nil {
		return fmt.Errorf("plot: %w", err)
	}
	s.GlyphStyle = draw.GlyphStyle{Color: colour, Radius: radius, Shape: draw.CircleGlyph{}}
	p.Add(s)
	if name != "" {
		p.Legend.Add(name, s)
	}
	return nil
}
