package detection

import (
	"fmt"
	"math"
	"slices"
	"time"

	"mome/fusion/train/measure"
)

// leastMM is the size from which lesions count in the first line: smaller ones are foci, which BI-RADS does not measure.
const leastMM = 5

// Result is what was measured on a set of readings.
type Result struct {
	Studies   int
	Lines     []Line // "overall" first
	FROC      []Point
	AtRate    []Value // sensitivity at each of Rates, intervals over studies
	Threshold float64 // least score with at most one false positive a study
	False     []FalseCount
	FalsePer  float64 // false positives a study, all candidates
	Regions   []RegionLine
	Missing   int           // breasts that were not found
	Took      time.Duration // median of finding breasts and lesions of a study, while others were read
}

// Line is one set of planted lesions. Outlines are those of the found ones, whatever their score.
type Line struct {
	Group, Name string
	Lesions     int
	Found       int     // by any candidate
	AtOne       Value   // sensitivity at one false positive a study, the interval Wilson's
	Dice        float64 // median
	DiceLow     float64 // quartiles
	DiceHigh    float64
	SurfaceMM   float64 // median
	Surface95MM float64 // median
	LongMM      float64 // median of the absolute error of the long axis
	LongLow     float64 // quartiles of the signed error
	LongMiddle  float64
	LongHigh    float64
	Volume      float64 // median of candidate over truth
}

// FalseCount says how many false positives a study are of a kind, of all candidates and of those at one a study.
type FalseCount struct {
	What       Kind
	All, AtOne float64
}

// RegionLine are medians over breasts of a set.
type RegionLine struct {
	Group, Name string
	Breasts     int
	Region
	WorstDice, WorstGland float64 // fifth percentiles
	WorstWallMM           float64 // 95th percentile
}

// chooser names a set of lesions.
type chooser struct {
	group, name string
	is          func(*Reading, *Planted) bool
}

// choosers are the lines of the table.
func choosers(readings []Reading) []chooser {
	all := []chooser{
		{"overall", fmt.Sprintf("lesions >= %d mm", leastMM), func(_ *Reading, p *Planted) bool { return p.SizeMM >= leastMM }},
		{"overall", "all that enhance", func(*Reading, *Planted) bool { return true }},
	}
	band := func(group, name string, low, high float64, of func(*Reading, *Planted) float64) {
		all = append(all, chooser{group, name, func(r *Reading, p *Planted) bool { v := of(r, p); return v >= low && v < high }})
	}
	inf := math.Inf(1)
	size := func(_ *Reading, p *Planted) float64 { return p.SizeMM }
	band("size", "< 8 mm", 0, 8, size)
	band("size", "8 to 15 mm", 8, 15, size)
	band("size", "> 15 mm", 15, inf, size)
	contrast := func(_ *Reading, p *Planted) float64 { return p.Contrast }
	band("early PE over gland", "< 30", -inf, 30, contrast)
	band("early PE over gland", "30 to 60", 30, 60, contrast)
	band("early PE over gland", "60 to 120", 60, 120, contrast)
	band("early PE over gland", "> 120", 120, inf, contrast)
	band("uptake", "rim >= 0.4", 0.4, inf, func(_ *Reading, p *Planted) float64 { return p.Rim })
	band("uptake", "rim < 0.4", -inf, 0.4, func(_ *Reading, p *Planted) float64 { return p.Rim })
	spicules := func(_ *Reading, p *Planted) float64 { return p.Spiculated }
	band("margin", "spiculated >= 0.3", 0.3, inf, spicules)
	band("margin", "some spicules", 0.03, 0.3, spicules) // a sixteenth of 0.5 is the first one
	band("margin", "no spicules", -inf, 0.03, spicules)
	background := func(r *Reading, _ *Planted) float64 { return r.Background }
	band("background PE", "< 20 %", -inf, 20, background)
	band("background PE", "20 to 40 %", 20, 40, background)
	band("background PE", "> 40 %", 40, inf, background)
	return append(all, named(readings, func(r *Reading) [][2]string {
		return [][2]string{{"motion", fmt.Sprintf("up to %g mm", r.MotionMM)}, {"vendor", r.Vendor}, {"density", r.Density}, {"images", r.Images}}
	})...)
}

// named are the sets that properties of studies make, group by group, each group in order of names.
func named(readings []Reading, of func(*Reading) [][2]string) (all []chooser) {
	seen := map[[2]string]bool{}
	groups := []string{}
	names := map[string][]string{}
	for n := range readings {
		for _, s := range of(&readings[n]) {
			if seen[s] {
				continue
			}
			seen[s] = true
			if names[s[0]] == nil {
				groups = append(groups, s[0])
			}
			names[s[0]] = append(names[s[0]], s[1])
		}
	}
	for _, g := range groups {
		slices.Sort(names[g])
		for _, name := range names[g] {
			set := [2]string{g, name}
			all = append(all, chooser{g, name, func(r *Reading, _ *Planted) bool { return slices.Contains(of(r), set) }})
		}
	}
	return all
}

// Measure measures readings. seed is that of the bootstrap.
func Measure(readings []Reading, seed uint64) Result {
	out := Result{Studies: len(readings)}
	sets := choosers(readings)
	main := sets[0].is
	out.FROC = froc(readings, main)
	out.AtRate = bootstrap(readings, seed, len(Rates()), func(drawn []Reading, to []float64) {
		points := froc(drawn, main)
		for n, rate := range Rates() {
			to[n] = sensitivityAt(points, rate)
		}
	})
	out.Threshold = math.Inf(1)
	for _, p := range out.FROC {
		if p.FalsePer <= 1 {
			out.Threshold = p.Threshold
		}
	}
	for _, s := range sets {
		out.Lines = append(out.Lines, lineOf(readings, s, out.Threshold))
	}
	var took []float64
	for n := range readings {
		out.Missing += readings[n].Missing
		took = append(took, readings[n].Took.Seconds())
	}
	for _, k := range kinds() {
		f := falseOf(readings, k, out.Threshold)
		out.False = append(out.False, f)
		out.FalsePer += f.All
	}
	out.Took = time.Duration(quantile(took, 0.5) * float64(time.Second))
	out.Regions = regionLines(readings)
	return out
}

// falseOf counts the false positives of a kind.
func falseOf(readings []Reading, k Kind, threshold float64) FalseCount {
	out := FalseCount{What: k}
	share := 1 / float64(len(readings))
	for n := range readings {
		for _, c := range readings[n].Candidates {
			if c.Found >= 0 || c.What != k {
				continue
			}
			out.All += share
			if c.Score >= threshold {
				out.AtOne += share
			}
		}
	}
	return out
}

func lineOf(readings []Reading, s chooser, threshold float64) Line {
	outlines, total := found(readings, s.is)
	called, _ := found(readings, func(r *Reading, p *Planted) bool { return s.is(r, p) && p.Score >= threshold })
	l := Line{Group: s.group, Name: s.name, Lesions: total, Found: len(outlines)}
	l.AtOne.Estimate = float64(len(called)) / float64(total)
	if total > 0 {
		l.AtOne.Interval = measure.Wilson(l.AtOne.Estimate, total)
	}
	dice := func(o Outline) float64 { return o.Dice }
	l.DiceLow, l.Dice, l.DiceHigh = spread(outlines, 0.25, dice), spread(outlines, 0.5, dice), spread(outlines, 0.75, dice)
	l.SurfaceMM = spread(outlines, 0.5, func(o Outline) float64 { return o.SurfaceMM })
	l.Surface95MM = spread(outlines, 0.5, func(o Outline) float64 { return o.Surface95 })
	long := func(o Outline) float64 { return o.LongAxisMM }
	l.LongMM = spread(outlines, 0.5, func(o Outline) float64 { return math.Abs(o.LongAxisMM) })
	l.LongLow, l.LongMiddle, l.LongHigh = spread(outlines, 0.25, long), spread(outlines, 0.5, long), spread(outlines, 0.75, long)
	l.Volume = spread(outlines, 0.5, func(o Outline) float64 { return o.Volume })
	return l
}

// regionLines are the medians of regions, over all and by vendor and density.
func regionLines(readings []Reading) []RegionLine {
	sets := append([]chooser{{"regions", "all breasts", func(*Reading, *Planted) bool { return true }}},
		named(readings, func(r *Reading) [][2]string {
			return [][2]string{{"vendor", r.Vendor}, {"density", r.Density}, {"images", r.Images}}
		})...)
	var out []RegionLine
	for _, s := range sets {
		var of []Region
		for n := range readings {
			if s.is(&readings[n], nil) {
				of = append(of, readings[n].Regions...)
			}
		}
		over := func(q float64, value func(Region) float64) float64 {
			var v []float64
			for _, r := range of {
				if x := value(r); !math.IsNaN(x) {
					v = append(v, x)
				}
			}
			return quantile(v, q)
		}
		l := RegionLine{Group: s.group, Name: s.name, Breasts: len(of)}
		dice, gland, wall := func(r Region) float64 { return r.Dice }, func(r Region) float64 { return r.Gland }, func(r Region) float64 { return r.WallAbsMM }
		l.Dice, l.WorstDice = over(0.5, dice), over(0.05, dice)
		l.Gland, l.WorstGland = over(0.5, gland), over(0.05, gland)
		l.WallAbsMM, l.WorstWallMM = over(0.5, wall), over(0.95, wall)
		l.WallMM = over(0.5, func(r Region) float64 { return r.WallMM })
		l.GlandInside = over(0.5, func(r Region) float64 { return r.GlandInside })
		l.LesionIn = over(0.05, func(r Region) float64 { return r.LesionIn })
		l.Behind = over(0.5, func(r Region) float64 { return r.Behind })
		l.NippleMM = over(0.5, func(r Region) float64 { return r.NippleMM })
		out = append(out, l)
	}
	return out
}
