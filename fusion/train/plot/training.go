package plot

import (
	"fmt"
	"image/color"
	"io"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"mome/fusion/train"
)

// Training draws losses and areas over the epochs; a dashed line marks the epoch whose weights were kept.
func Training(w io.Writer, h train.History, o Options) error {
	if len(h.Epochs) == 0 {
		return fmt.Errorf("%w: no epochs", ErrNothing)
	}
	average := ""
	if len(h.Task.Classes) > 2 {
		average = ", mean over classes"
	}
	loss, area := axes("Epoch", "Cross-entropy"), axes("Epoch", "Area on the validation part"+average)
	loss.Y.Min = 0
	loss.Legend.Top, loss.Legend.Left = true, false
	loss.Legend.XOffs, loss.Legend.YOffs = -vg.Points(8), -vg.Points(6)
	area.Y.Min, area.Y.Max, area.Y.Tick.Marker = 0, 1, tenths()
	panels := []*plot.Plot{loss, area}
	if len(over(h.Epochs, func(e train.Epoch) float64 { return e.AUROC })) == 0 {
		panels = panels[:1] // a class is missing from the validation part
	}
	for _, p := range panels {
		p.X.Min, p.X.Max = 1, float64(max(2, len(h.Epochs)))
		p.X.Tick.Marker = wholeTicks{}
	}
	for i, c := range []struct {
		panel *plot.Plot
		name  string
		of    func(train.Epoch) float64
	}{
		{loss, "training", func(e train.Epoch) float64 { return e.TrainLoss }},
		{loss, "validation", func(e train.Epoch) float64 { return e.ValidationLoss }},
		{area, "AUROC", func(e train.Epoch) float64 { return e.AUROC }},
		{area, "AUPRC", func(e train.Epoch) float64 { return e.AUPRC }},
	} {
		points := over(h.Epochs, c.of)
		if len(points) == 0 {
			continue
		}
		if err := line(c.panel, c.name, points, ink(i%2), false); err != nil {
			return err
		}
		if len(points) <= 40 {
			if err := dots(c.panel, "", points, ink(i%2), vg.Points(2)); err != nil {
				return err
			}
		}
	}
	loss.Y.Max *= 1.2 // room for the legend
	for i, p := range panels {
		if h.Best < 0 {
			break
		}
		name := ""
		if i == 0 {
			name = fmt.Sprintf("kept: epoch %d", h.Best+1)
		}
		at := float64(h.Best + 1)
		if err := line(p, name, plotter.XYs{{X: at, Y: p.Y.Min}, {X: at, Y: p.Y.Max}}, color.Gray{0x66}, true); err != nil {
			return err
		}
	}
	return write(w, o, "Training", panels...)
}

// over are the numbers of all epochs that have one, epochs counted from 1.
func over(epochs []train.Epoch, of func(train.Epoch) float64) plotter.XYs {
	var points plotter.XYs
	for i, e := range epochs {
		if v := of(e); !math.IsNaN(v) && !math.IsInf(v, 0) {
			points = append(points, plotter.XY{X: float64(i + 1), Y: v})
		}
	}
	return points
}

// wholeTicks are at most about ten whole numbers.
type wholeTicks struct{}

// Ticks implements plot.Ticker.
func (wholeTicks) Ticks(low, high float64) []plot.Tick {
	step := 1.0
	for i := 0; (high-low)/step > 10; i++ {
		step *= [...]float64{2, 2.5, 2}[i%3] // 1, 2, 5, 10, 20, ...
	}
	var ticks []plot.Tick
	for v := math.Ceil(low/step) * step; v <= high; v += step {
		ticks = append(ticks, plot.Tick{Value: v, Label: fmt.Sprintf("%.0f", v)})
	}
	return ticks
}
