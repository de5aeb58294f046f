package picture

import (
	"fmt"
	"image/color"
	"math"

	"mome/experts"
)

// Series is one curve: mean signal per phase.
type Series struct {
	Name   string // in the legend
	Signal []float64
}

// CurveText are the words of a curve chart, in the reader's language.
type CurveText struct {
	Title, Desc, X, Y            string
	Initial, Delayed             string // the two phases of BI-RADS
	Slow, Medium, Fast           string // of the initial phase
	Persistent, Plateau, Washout string // of the delayed phase
}

// initialS is the length of BI-RADS' initial phase: the first two minutes (ACR BI-RADS MRI, 2013). It counts from the
// beginning of the first phase after contrast, which stands for the arrival of the contrast agent.
const initialS = 120

// curvePlot is a curve chart in the making.
type curvePlot struct {
	*Chart
	timesS      []float64
	enhancement [][]float64 // percent, by curve and phase
	last        float64     // s
	top, bottom float64     // percent
	text        CurveText
}

// The plot's area, of a chart of 460 x 330: small, so that its words are read on a phone.
const plotLeft, plotRight, plotTop, plotBottom = 44.0, 392.0, 30.0, 270.0

// Curves draws time-signal curves as percent enhancement over seconds since the first phase began, the first curve
// strongest, with the marks of BI-RADS: the initial phase with slow below 50 %, medium to 100 % and fast above, and the
// delayed phase with its plateau, within 10 % of the first curve's early signal. ok is false where no curve has a signal
// before contrast and a time after it.
func Curves(timesS []float64, curves []Series, text CurveText) (c *Chart, ok bool) {
	p := curvePlot{Chart: &Chart{Title: text.Title, Desc: text.Desc, Width: 460, Height: 330}, text: text, top: 110}
	var drawn []Series
	for _, s := range curves {
		if len(s.Signal) != len(timesS) || len(timesS) < 2 || !(s.Signal[0] > 0) {
			continue
		}
		var pe []float64
		for _, v := range s.Signal {
			e := 100 * (v/s.Signal[0] - 1)
			if math.IsNaN(e) || math.IsInf(e, 0) {
				return nil, false
			}
			pe = append(pe, e)
			p.top, p.bottom = max(p.top, e*1.15), min(p.bottom, e*1.1)
		}
		p.enhancement, drawn = append(p.enhancement, pe), append(drawn, s)
	}
	if len(drawn) == 0 {
		return nil, false
	}
	p.timesS, p.last = timesS, timesS[len(timesS)-1]
	if !(p.last > 0 && p.last < 1e6) {
		return nil, false
	}
	p.phases()
	p.axes()
	for n := len(drawn) - 1; n >= 0; n-- {
		p.curve(n)
	}
	x := plotLeft
	for n, s := range drawn {
		p.line(curveInk(n), 3, n > 0, point{x, 318}, point{x + 26, 318})
		p.words(grey(40), point{x + 32, 322}, 12, left, s.Name)
		x += (p.Width - plotLeft) / float64(len(drawn))
	}
	return p.Chart, true
}

// at is the place of a time and an enhancement.
func (p *curvePlot) at(s, pe float64) point {
	return point{plotLeft + (plotRight-plotLeft)*s/(p.last*1.04), plotBottom - (plotBottom-plotTop)*(pe-p.bottom)/(p.top-p.bottom)}
}

// phases marks the initial and the delayed phase.
func (p *curvePlot) phases() {
	from := p.timesS[1]
	to := min(from+initialS, p.last)
	begin, end := p.at(from, p.bottom), p.at(to, p.top)
	if to > from {
		p.field(color.NRGBA{0xe8, 0xf1, 0xf8, 255}, begin.x, plotTop, end.x, plotBottom)
	}
	p.words(grey(60), point{begin.x, plotTop - 8}, 12, left, p.text.Initial)
	for _, pe := range [...]float64{50, 100} {
		p.line(grey(150), 1, true, p.at(from, pe), p.at(to, pe))
	}
	for n, word := range [...]string{p.text.Slow, p.text.Medium, p.text.Fast} {
		at := p.at(to, []float64{0, 50, 100}[n])
		p.words(grey(70), point{at.x - 4, at.y - 4}, 11, right, word)
	}
	early, late := p.earlyLate()
	if late < 0 {
		return
	}
	p.words(grey(60), point{plotRight, plotTop - 8}, 12, right, p.text.Delayed)
	relative := func(part float64) float64 { return part*(100+p.enhancement[0][early]) - 100 }
	a, b := p.at(p.timesS[early], relative(1.1)), p.at(p.last, relative(0.9))
	p.field(color.NRGBA{0xf6, 0xee, 0xd8, 255}, a.x, a.y, plotRight, b.y)
	// The words stand beside the plot, a line apart however narrow the band is.
	gap := max((b.y-a.y)/2+8, 15)
	y := min(max((a.y+b.y)/2, plotTop+gap+6), plotBottom-gap)
	for n, word := range [...]string{p.text.Persistent, p.text.Plateau, p.text.Washout} {
		p.words(grey(70), point{plotRight + 6, y + 4 + float64(n-1)*gap}, 11, left, word)
	}
}

// earlyLate are the phases that kinetics are read at.
func (p *curvePlot) earlyLate() (early, late int) {
	s := experts.Study{}
	for _, t := range p.timesS {
		s.DCE = append(s.DCE, experts.Phase{TimeS: t})
	}
	return s.EarlyLate(experts.EarlyS, experts.LateS)
}

func (p *curvePlot) axes() {
	step := niceStep(p.top-p.bottom, 6)
	for pe := math.Ceil(p.bottom/step) * step; pe <= p.top; pe += step {
		at := p.at(0, pe)
		p.line(grey(225), 1, false, point{plotLeft, at.y}, point{plotRight, at.y})
		p.words(grey(60), point{plotLeft - 7, at.y + 4}, 12, right, fmt.Sprintf("%.0f", pe))
	}
	step = niceStep(p.last, 6)
	for s := 0.0; s <= p.last*1.04; s += step {
		at := p.at(s, p.bottom)
		p.line(grey(120), 1, false, at, point{at.x, at.y + 5})
		p.words(grey(60), point{at.x, at.y + 18}, 12, middle, fmt.Sprintf("%.0f", s))
	}
	zero := p.at(0, 0)
	p.line(grey(120), 1, false, zero, point{plotRight, zero.y})
	p.line(grey(120), 1, false, point{plotLeft, plotTop}, point{plotLeft, plotBottom}, point{plotRight, plotBottom})
	p.words(grey(40), point{(plotLeft + plotRight) / 2, plotBottom + 33}, 12, middle, p.text.X)
	p.words(grey(40), point{4, plotTop - 8}, 12, left, p.text.Y)
}

// niceStep is the least of 1, 2, 3 and 5 times a power of ten that divides a range into at most n parts.
func niceStep(extent float64, n int) float64 {
	power := math.Pow(10, math.Floor(math.Log10(extent/float64(n))))
	for _, f := range [...]float64{1, 2, 3, 5} {
		if f*power*float64(n) >= extent {
			return f * power
		}
	}
	return 10 * power
}

func (p *curvePlot) curve(n int) {
	points := make([]point, len(p.timesS))
	for k, s := range p.timesS {
		points[k] = p.at(s, p.enhancement[n][k])
	}
	p.line(curveInk(n), 2.5, n > 0, points...)
	for _, at := range points {
		p.dot(curveInk(n), at, 4)
	}
}

func grey(v uint8) color.NRGBA { return color.NRGBA{v, v, v, 255} }

// curveInk is the colour of curve n.
func curveInk(n int) color.NRGBA { return okabeIto([...]int{blue, vermilion, green}[n%3]) }
