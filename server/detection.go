package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"mome/fixtures/phantom"
	"mome/fusion/train/plot"
	"mome/server/detection"
)

type benchDetectionCommand struct {
	Studies    int    `default:"200" help:"Phantoms to measure on."`
	First      int64  `default:"1500000" help:"Seed of the first one, the others follow; by default those that evaluate holds out, which training never sees."`
	Resolution string `enum:"small,standard" default:"standard" help:"Of the phantoms: small or standard."`
	Images     string `enum:"usual,varied" default:"usual" help:"usual: both breasts, axial, fat-suppressed; varied: fat bright, sagittal, one breast and all of these in turn."`
	Lesions    string `enum:"drawn,small" default:"drawn" help:"drawn: as phantoms have them; small: six of 5 to 7.5 mm in each."`
	Cache      string `type:"path" placeholder:"DIR" help:"Keep prepared phantoms here, registered, so that a repeated run reads them only; 50 MB each."`
	Parallel   int    `help:"Phantoms read at the same time; default one for each core."`
	CSV        string `name:"csv" type:"path" placeholder:"FILE" help:"Write every planted lesion and every false positive."`
	JSON       bool   `name:"json" help:"Print JSON instead of tables."`
	Plot       string `type:"path" placeholder:"FILE" help:"Draw the free-response operating characteristic as PNG."`
	Seed       uint64 `default:"1" help:"Seed of the bootstrap."`
}

// Help is the longer text of "server bench detection --help".
func (benchDetectionCommand) Help() string {
	return `Measures how lesions are found and outlined on digital phantoms: vendors in turn, patients that move by up to 0, 2, 4 and 6 mm
between phases, phases registered. What is measured on phantoms says nothing of patients.

A candidate has found a planted lesion that enhances if their Dice coefficient is 0.2 or more; pairs are taken from the best
one down, each candidate and each lesion once. Every other candidate is a false positive, a second part of a lesion
too. Candidates are ranked by their suspicion. Sizes are the planted ellipsoid's largest diameter; spicules are not counted in it,
though they belong to the mask that outlines are held against.

Examples:
    server bench detection --studies 24 --cache phantoms
    server bench detection --cache phantoms --csv lesions.csv --plot froc.png`
}

// phantoms are those to be read: vendors in turn, four amounts of motion, every pair of both in twelve.
func (c *benchDetectionCommand) phantoms() []phantom.Config {
	vendors := phantom.Vendors()
	acquisitions := []phantom.Acquisition{{}}
	if c.Images == "varied" {
		acquisitions = []phantom.Acquisition{
			{FatBright: true}, {Plane: phantom.Sagittal}, {Unilateral: phantom.Left}, {Plane: phantom.Sagittal, Unilateral: phantom.Right, FatBright: true},
		}
	}
	var lesions []phantom.Lesion
	if c.Lesions == "small" {
		for i := range 6 {
			lesions = append(lesions, phantom.Lesion{Kind: []phantom.Kind{phantom.Malignant, phantom.Benign}[i%2],
				Side: []phantom.Side{phantom.Left, phantom.Right}[i/3], DiametersMM: [3]float64{5 + 0.5*float64(i)}})
		}
	}
	configs := make([]phantom.Config, c.Studies)
	for i := range configs {
		configs[i] = phantom.Config{
			Seed: c.First + int64(i), Vendor: vendors[i%len(vendors)], MotionMM: float64(i%4) * 2, Resolution: phantom.Resolution(c.Resolution),
			Lesions: lesions, Acquisition: acquisitions[i/len(vendors)%len(acquisitions)],
		}
	}
	return configs
}

// Run measures and prints.
func (c *benchDetectionCommand) Run(ctx context.Context) error {
	if c.Studies < 1 {
		return fmt.Errorf("--studies %d: at least one is needed", c.Studies)
	}
	line := newProgressLine(os.Stderr)
	readings, err := detection.Read(ctx, c.phantoms(), detection.Config{
		Cache: c.Cache, Parallel: c.Parallel, Progress: func(done, total, fromCache int) {
			line.show("phantoms", float64(done)/float64(total), fmt.Sprintf("%d of %d, %d from the cache", done, total, fromCache))
		},
	})
	line.end()
	if err != nil {
		return err
	}
	r := detection.Measure(readings, c.Seed)
	measuredOn := fmt.Sprintf("%d digital phantoms, seeds %d to %d, %s resolution, %s images, %s lesions", c.Studies, c.First, c.First+int64(c.Studies)-1, c.Resolution, c.Images, c.Lesions)
	if c.CSV != "" {
		if err := writeFile(c.CSV, func(w io.Writer) error { return writeDetections(w, readings) }); err != nil {
			return err
		}
	}
	if c.Plot != "" {
		if err := writeFile(c.Plot, func(w io.Writer) error { return drawFROC(w, r, measuredOn) }); err != nil {
			return err
		}
	}
	if c.JSON {
		return printJSON(detectionOf(r, measuredOn))
	}
	fmt.Printf("Detection on %s\n\n", measuredOn)
	printDetection(os.Stdout, r)
	return nil
}

// drawFROC draws the curve of the first line, up to four false positives a study.
func drawFROC(w io.Writer, r detection.Result, measuredOn string) error {
	var x, y []float64
	for _, p := range r.FROC {
		x, y = append(x, p.FalsePer), append(y, p.Sensitivity)
	}
	l := r.Lines[0]
	return plot.FROC(w, x, y, plot.Options{Subtitle: fmt.Sprintf("%s; %d %s", measuredOn, l.Lesions, l.Name)})
}

func printDetection(out io.Writer, r detection.Result) {
	w := tabwriter.NewWriter(out, 2, 8, 2, ' ', 0)
	fmt.Fprint(w, "FALSE POSITIVES A STUDY")
	for _, rate := range detection.Rates() {
		fmt.Fprintf(w, "\t%g", rate)
	}
	fmt.Fprint(w, "\nsensitivity, "+r.Lines[0].Name)
	for _, v := range r.AtRate {
		fmt.Fprintf(w, "\t%.3f (%.2f-%.2f)", v.Estimate, v.Low, v.High)
	}
	fmt.Fprintf(w, "\n\nSET\t\tFOUND\tAT 1 FALSE POSITIVE\tDICE (IQR)\tSURFACE MM\t95 %% MM\tLONG AXIS |MM|\tMM (IQR)\tVOLUME\n")
	group := ""
	for _, l := range r.Lines {
		name := l.Group
		if name == group {
			name = ""
		}
		group = l.Group
		fmt.Fprintf(w, "%s\t%s\t%d of %d", name, l.Name, l.Found, l.Lesions)
		if l.Lesions == 0 {
			fmt.Fprintln(w)
			continue
		}
		fmt.Fprintf(w, "\t%.3f (%.2f-%.2f)\t%.3f (%.2f-%.2f)\t%.2f\t%.1f\t%.2f\t%+.1f (%+.1f to %+.1f)\t%.2f\n", l.AtOne.Estimate, l.AtOne.Low, l.AtOne.High,
			l.Dice, l.DiceLow, l.DiceHigh, l.SurfaceMM, l.Surface95MM, l.LongMM, l.LongMiddle, l.LongLow, l.LongHigh, l.Volume)
	}
	fmt.Fprintf(w, "\nFALSE POSITIVES\tA STUDY\tAT 1 A STUDY\n")
	for _, f := range r.False {
		fmt.Fprintf(w, "%s\t%.3f\t%.3f\n", f.What, f.All, f.AtOne)
	}
	fmt.Fprintf(w, "all\t%.3f\n", r.FalsePer)
	fmt.Fprintf(w, "\nREGIONS\t\tBREASTS\tDICE (5 %%)\tGLAND DICE (5 %%)\tGLAND INSIDE\tLESIONS INSIDE, 5 %%\tBEHIND WALL\tWALL MM\t|MM| (95 %%)\tNIPPLE MM\n")
	group = ""
	for _, l := range r.Regions {
		name := l.Group
		if name == group {
			name = ""
		}
		group = l.Group
		fmt.Fprintf(w, "%s\t%s\t%d\t%.3f (%.2f)\t%.3f (%.2f)\t%.3f\t%.3f\t%.3f\t%+.1f\t%.1f (%.1f)\t%.1f\n", name, l.Name, l.Breasts, l.Dice, l.WorstDice,
			l.Gland, l.WorstGland, l.GlandInside, l.LesionIn, l.Behind, l.WallMM, l.WallAbsMM, l.WorstWallMM, l.NippleMM)
	}
	w.Flush()
	fmt.Fprintf(out, "breasts not found: %d; breasts and lesions of a study took %s (median)\n", r.Missing, r.Took.Round(10*time.Millisecond))
	fmt.Fprintln(out, "Medians of what was found. Sensitivity by false positives has 95 % intervals over studies, that of sets Wilson's.")
}

// writeDetections writes a line for every planted lesion and every false positive.
func writeDetections(w io.Writer, readings []detection.Reading) error {
	out := csv.NewWriter(w)
	header := []string{"seed", "vendor", "motion_mm", "density", "background_pct", "what", "lesion", "size_mm", "long_axis_mm", "volume_cm3", "early_pct",
		"contrast_pct", "malignant", "rim", "spiculation", "irregularity", "rank", "suspicion", "dice", "surface_mm", "surface95_mm", "long_axis_error_mm", "volume_ratio", "x", "y", "z"}
	if err := out.Write(header); err != nil {
		return err
	}
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', 5, 64) }
	for _, r := range readings {
		facts := []string{strconv.FormatInt(r.Seed, 10), r.Vendor, number(r.MotionMM), r.Density, number(r.Background)}
		for _, p := range r.Planted {
			row := append(slices.Clone(facts), "planted", strconv.Itoa(p.Lesion+1), number(p.SizeMM), number(p.LongAxisMM), number(p.VolumeCM3), number(p.EarlyPct),
				number(p.Contrast), strconv.FormatBool(p.Malignant), number(p.Rim), number(p.Spiculated), number(p.Irregular))
			if p.Candidate < 0 {
				row = append(row, "", "", "", "", "", "", "", "", "", "")
			} else {
				at := r.Candidates[p.Candidate].CentreMM
				row = append(row, strconv.Itoa(p.Candidate+1), number(p.Score), number(p.Outline.Dice), number(p.Outline.SurfaceMM), number(p.Outline.Surface95),
					number(p.Outline.LongAxisMM), number(p.Outline.Volume), number(at[0]), number(at[1]), number(at[2]))
			}
			if err := out.Write(row); err != nil {
				return err
			}
		}
		for n, c := range r.Candidates {
			if c.Found >= 0 {
				continue
			}
			row := append(slices.Clone(facts), string(c.What), "", "", number(c.SizeMM), "", "", "", "", "", "", "",
				strconv.Itoa(n+1), number(c.Score), "", "", "", "", "", number(c.CentreMM[0]), number(c.CentreMM[1]), number(c.CentreMM[2]))
			if err := out.Write(row); err != nil {
				return err
			}
		}
	}
	out.Flush()
	return out.Error()
}

// detectionJSON is the form of "server bench detection --json". A number that is not known is absent.
type detectionJSON struct {
	Notice     string                `json:"notice"`
	MeasuredOn string                `json:"measured_on"`
	Studies    int                   `json:"studies"`
	AtRate     map[string]valueJSON  `json:"sensitivity_at_false_positives_a_study"`
	Sets       []detectionSetJSON    `json:"sets"`
	FROC       [][2]float64          `json:"froc"` // false positives a study, sensitivity
	False      map[string][2]float64 `json:"false_positives_a_study"`
	Regions    []map[string]any      `json:"regions"`
	Missing    int                   `json:"breasts_not_found"`
	TookS      float64               `json:"median_s"`
}

type detectionSetJSON struct {
	Group   string             `json:"group"`
	Name    string             `json:"name"`
	Lesions int                `json:"lesions"`
	Found   int                `json:"found"`
	AtOne   *valueJSON         `json:"sensitivity_at_one,omitempty"`
	Medians map[string]float64 `json:"medians,omitempty"`
}

// knownOnly drops numbers that are none, which JSON cannot hold.
func knownOnly(m map[string]float64) map[string]float64 {
	for k, v := range m {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			delete(m, k)
		}
	}
	return m
}

func detectionOf(r detection.Result, measuredOn string) detectionJSON {
	out := detectionJSON{Notice: "measured on digital phantoms: says nothing of patients", MeasuredOn: measuredOn, Studies: r.Studies,
		AtRate: map[string]valueJSON{}, False: map[string][2]float64{}, Missing: r.Missing, TookS: r.Took.Seconds()}
	for n, rate := range detection.Rates() {
		v := r.AtRate[n]
		out.AtRate[strconv.FormatFloat(rate, 'g', -1, 64)] = valueJSON{v.Estimate, v.Low, v.High}
	}
	for _, l := range r.Lines {
		s := detectionSetJSON{Group: l.Group, Name: l.Name, Lesions: l.Lesions, Found: l.Found}
		if l.Lesions > 0 {
			s.AtOne = &valueJSON{l.AtOne.Estimate, l.AtOne.Low, l.AtOne.High}
			s.Medians = knownOnly(map[string]float64{"dice": l.Dice, "dice_q1": l.DiceLow, "dice_q3": l.DiceHigh, "surface_mm": l.SurfaceMM, "surface_95_mm": l.Surface95MM,
				"long_axis_abs_error_mm": l.LongMM, "long_axis_error_mm": l.LongMiddle, "long_axis_error_q1_mm": l.LongLow, "long_axis_error_q3_mm": l.LongHigh, "volume_ratio": l.Volume})
		}
		out.Sets = append(out.Sets, s)
	}
	for _, p := range r.FROC {
		out.FROC = append(out.FROC, [2]float64{p.FalsePer, p.Sensitivity})
	}
	for _, f := range r.False {
		out.False[string(f.What)] = [2]float64{f.All, f.AtOne}
	}
	for _, l := range r.Regions {
		out.Regions = append(out.Regions, map[string]any{"group": l.Group, "name": l.Name, "breasts": l.Breasts, "medians": knownOnly(map[string]float64{
			"dice": l.Dice, "dice_p5": l.WorstDice, "gland_dice": l.Gland, "gland_dice_p5": l.WorstGland, "gland_inside": l.GlandInside, "lesions_inside_p5": l.LesionIn,
			"behind_wall": l.Behind, "wall_mm": l.WallMM, "wall_abs_mm": l.WallAbsMM, "wall_abs_p95_mm": l.WorstWallMM, "nipple_mm": l.NippleMM})})
	}
	return out
}
