package plot

import (
	"fmt"
	"io"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// FROC draws a free-response operating characteristic as steps: sensitivity over false positives a study, 1/8 to 8 on a
// logarithmic axis. Corners come in order of rising falsePer.
func FROC(w io.Writer, falsePer, sensitivity []float64, o Options) error {
	const low, high = 0.125, 8.0
	if len(falsePer) == 0 || len(falsePer) != len(sensitivity) {
		return fmt.Errorf("%w: no candidates", ErrNothing)
	}
	p := axes("False positives a study", "Sensitivity")
	p.X.Scale = plot.LogScale{}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = low, high, 0, 1
	p.Y.Tick.Marker = tenths()
	var ticks plot.ConstantTicks
	for x := low; x <= high; x *= 2 {
		ticks = append(ticks, plot.Tick{Value: x, Label: fmt.Sprintf("%g", x)})
	}
	p.X.Tick.Marker = ticks
	steps := plotter.XYs{{X: low, Y: 0}}
	last := 0.0
	for n, x := range falsePer {
		if math.IsNaN(sensitivity[n]) {
			return fmt.Errorf("%w: no lesions", ErrNothing)
		}
		if x > high {
			break
		}
		if x = max(x, low); x == low {
			steps[0].Y = sensitivity[n]
		} else {
			steps = append(steps, plotter.XY{X: x, Y: last}, plotter.XY{X: x, Y: sensitivity[n]})
		}
		last = sensitivity[n]
	}
	steps = append(steps, plotter.XY{X: high, Y: last})
	if err := line(p, "", steps, ink(0), false); err != nil {
		return err
	}
	if err := dots(p, "one false positive a study", plotter.XYs{{X: 1, Y: atOne(steps)}}, ink(1), vg.Points(3.5)); err != nil {
		return err
	}
	p.Legend.Left = false
	p.Legend.XOffs = -vg.Points(8)
	return write(w, o, "Free-response operating characteristic", p)
}

// atOne is the height of the last step up to one false positive a study.
func atOne(steps plotter.XYs) float64 {
	y := 0.0
	for _, s := range steps {
		if s.X <= 1 {
			y = s.Y
		}
	}
	return y
}
