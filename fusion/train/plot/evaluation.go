package plot

import (
	"fmt"
	"image/color"
	"io"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"mome/fusion/train"
	"mome/fusion/train/measure"
)

// Curve is one line of a diagram: how a score tells positives from negatives.
type Curve struct {
	Name      string
	Scores    []float64
	Positive  []bool
	Threshold float64 // marked as the operating point, unless it is 0
}

// Curves are those of a task's cases: one with two classes, each class against the rest with more. The threshold is
// that of two classes.
func Curves(task train.Task, cases []measure.Case, threshold float64) []Curve {
	if len(task.Classes) == 2 {
		scores, positive := measure.OneVersusRest(cases, 1)
		return []Curve{{Name: task.Classes[1], Scores: scores, Positive: positive, Threshold: threshold}}
	}
	var all []Curve
	for class, name := range task.Classes {
		scores, positive := measure.OneVersusRest(cases, class)
		all = append(all, Curve{Name: name, Scores: scores, Positive: positive})
	}
	return all
}

// ROC draws receiver operating characteristics.
func ROC(w io.Writer, curves []Curve, o Options) error {
	p, err := roc(curves)
	if err != nil {
		return err
	}
	return write(w, o, "Receiver operating characteristic", p)
}

// PrecisionRecall draws precision over recall.
func PrecisionRecall(w io.Writer, curves []Curve, o Options) error {
	p, err := precisionRecall(curves)
	if err != nil {
		return err
	}
	return write(w, o, "Precision and recall", p)
}

// Reliability draws how often what was said happened, with 95 % intervals, over the probability that was said, and
// what part of the cases each bin holds.
func Reliability(w io.Writer, table []measure.Bin, o Options) error {
	p, err := reliability(table)
	if err != nil {
		return err
	}
	return write(w, o, "Reliability", p)
}

// Evaluation draws all three side by side.
func Evaluation(w io.Writer, curves []Curve, table []measure.Bin, o Options) error {
	var panels []*plot.Plot
	for _, make := range []func() (*plot.Plot, error){
		func() (*plot.Plot, error) { return roc(curves) },
		func() (*plot.Plot, error) { return precisionRecall(curves) },
		func() (*plot.Plot, error) { return reliability(table) },
	} {
		p, err := make()
		if err != nil {
			return err
		}
		panels = append(panels, p)
	}
	return write(w, o, "Evaluation", panels...)
}

func roc(curves []Curve) (*plot.Plot, error) {
	p := unit("1 - specificity", "Sensitivity")
	p.Legend.Left = false
	p.Legend.XOffs = -vg.Points(8)
	if err := line(p, "", plotter.XYs{{X: 0, Y: 0}, {X: 1, Y: 1}}, color.Gray{0x99}, true); err != nil {
		return nil, err
	}
	return p, each(p, curves, "AUROC", measure.AUROC, func(c Curve) (plotter.XYs, []measure.Point) {
		points := measure.ROC(c.Scores, c.Positive)
		return xys(points), points
	})
}

func precisionRecall(curves []Curve) (*plot.Plot, error) {
	p := unit("Recall (sensitivity)", "Precision (positive predictive value)")
	if len(curves) == 1 { // what calling at random would have
		n := 0.0
		for _, is := range curves[0].Positive {
			if is {
				n++
			}
		}
		prevalence := n / float64(max(1, len(curves[0].Positive)))
		if err := line(p, "", plotter.XYs{{X: 0, Y: prevalence}, {X: 1, Y: prevalence}}, color.Gray{0x99}, true); err != nil {
			return nil, err
		}
	}
	return p, each(p, curves, "AUPRC", measure.AUPRC, func(c Curve) (plotter.XYs, []measure.Point) {
		points := measure.PrecisionRecall(c.Scores, c.Positive)
		var steps plotter.XYs // recall added at a score has that score's precision, as the area has it
		recall := 0.0
		for _, p := range points {
			if p.X == recall {
				continue
			}
			steps = append(steps, plotter.XY{X: recall, Y: p.Y}, plotter.XY{X: p.X, Y: p.Y})
			recall = p.X
		}
		return steps, points
	})
}

// each adds every curve with its area, and the operating points.
func each(p *plot.Plot, curves []Curve, area string, of func([]float64, []bool) float64, draw func(Curve) (plotter.XYs, []measure.Point)) error {
	if len(curves) == 0 {
		return fmt.Errorf("%w: no curves", ErrNothing)
	}
	for i, c := range curves {
		points, corners := draw(c)
		if len(points) == 0 {
			return fmt.Errorf("%w: %s has no positives or no negatives", ErrNothing, c.Name)
		}
		if err := line(p, fmt.Sprintf("%s, %s %.3f", c.Name, area, of(c.Scores, c.Positive)), points, ink(i), false); err != nil {
			return err
		}
		if c.Threshold == 0 {
			continue
		}
		var at plotter.XYs // the lowest score that is still called
		for _, corner := range corners {
			if corner.Threshold >= c.Threshold {
				at = plotter.XYs{{X: corner.X, Y: corner.Y}}
			}
		}
		if at == nil {
			continue
		}
		if err := dots(p, fmt.Sprintf("operating point %.3g", c.Threshold), at, ink(i), vg.Points(4)); err != nil {
			return err
		}
	}
	return nil
}

func xys(points []measure.Point) plotter.XYs {
	out := make(plotter.XYs, len(points))
	for i, p := range points {
		out[i] = plotter.XY{X: p.X, Y: p.Y}
	}
	return out
}

// observed are points with their intervals.
type observed struct {
	plotter.XYs
	plotter.YErrors
}

func reliability(table []measure.Bin) (*plot.Plot, error) {
	p := unit("Probability", "Observed frequency, part of the cases")
	p.Y.Max = 1.2 // room for the legend
	p.Legend.Top = true
	p.Legend.YOffs = -vg.Points(2)
	total := 0
	for _, b := range table {
		total += b.Count
	}
	if total == 0 {
		return nil, fmt.Errorf("%w: no cases", ErrNothing)
	}
	var seen observed
	for _, b := range table {
		if b.Count == 0 {
			continue
		}
		part := float64(b.Count) / float64(total)
		bar, err := plotter.NewPolygon(plotter.XYs{{X: b.Low, Y: 0}, {X: b.Low, Y: part}, {X: b.High, Y: part}, {X: b.High, Y: 0}})
		if err != nil {
			return nil, fmt.Errorf("plot: %w", err)
		}
		bar.Color, bar.LineStyle = color.RGBA{0xd8, 0xe6, 0xf0, 0xff}, draw.LineStyle{Color: color.White, Width: vg.Points(1)}
		p.Add(bar)
		if len(seen.XYs) == 0 {
			p.Legend.Add("part of the cases", bar)
		}
		interval := measure.Wilson(b.Observed, b.Count)
		seen.XYs = append(seen.XYs, plotter.XY{X: b.Mean, Y: b.Observed})
		seen.YErrors = append(seen.YErrors, struct{ Low, High float64 }{interval.Low - b.Observed, interval.High - b.Observed})
	}
	if err := line(p, "perfect calibration", plotter.XYs{{X: 0, Y: 0}, {X: 1, Y: 1}}, color.Gray{0x99}, true); err != nil {
		return nil, err
	}
	bars, err := plotter.NewYErrorBars(seen)
	if err != nil {
		return nil, fmt.Errorf("plot: %w", err)
	}
	bars.Color, bars.Width = ink(0), vg.Points(1.2)
	p.Add(bars)
	if err := dots(p, fmt.Sprintf("observed, 95 %% interval; ECE %.3f", measure.ECE(table)), seen.XYs, ink(0), vg.Points(3.5)); err != nil {
		return nil, err
	}
	return p, nil
}
