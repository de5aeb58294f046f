package picture

import (
	"fmt"
	"math"
)

// Bar is one modality's part in a probability.
type Bar struct {
	Name    string
	LogOdds float64 // signed: above 0 it speaks for malignancy
}

// BarText are the words of a chart of contributions.
type BarText struct {
	Title, Desc, Against, For string // the two directions
}

// Contributions draws what each modality added to the log-odds of malignancy, from zero to the left or to the right, with
// its value. ok is false without any.
func Contributions(bars []Bar, text BarText) (c *Chart, ok bool) {
	most := 0.5 // so that small parts look small
	for _, b := range bars {
		if math.IsNaN(b.LogOdds) || math.IsInf(b.LogOdds, 0) {
			return nil, false
		}
		most = max(most, math.Abs(b.LogOdds))
	}
	if len(bars) == 0 {
		return nil, false
	}
	const width, row, top, zero, reach = 460.0, 30.0, 28.0, 240.0, 150.0
	c = &Chart{Title: text.Title, Desc: text.Desc, Width: width, Height: top + row*float64(len(bars)) + 6}
	c.words(grey(60), point{zero - 8, 16}, 12, right, "\u2190 "+text.Against)
	c.words(grey(60), point{zero + 8, 16}, 12, left, text.For+" \u2192")
	for n, b := range bars {
		y := top + row*float64(n)
		end, ink, a, dx := zero+reach*b.LogOdds/most, okabeIto(vermilion), left, 6.0
		if b.LogOdds < 0 {
			ink, a, dx = okabeIto(blue), right, -6
		}
		c.words(grey(30), point{4, y + 18}, 13, left, b.Name)
		c.field(ink, min(zero, end), y+5, max(zero, end), y+row-7)
		c.words(grey(30), point{end + dx, y + 18}, 13, a, fmt.Sprintf("%+.2f", b.LogOdds))
	}
	c.line(grey(90), 1.2, false, point{zero, top - 4}, point{zero, c.Height - 2})
	return c, true
}
