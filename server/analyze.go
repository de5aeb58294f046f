package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/iod"
	"mome/experts"
	"mome/experts/volume"
	"mome/server/analysis"
	"mome/server/report"
)

type analyzeCommand struct {
	modelFlags
	resultFlags
	studyFlags

	Output string `short:"o" default:"out" type:"path" help:"Folder for the DICOM objects and findings.json."`
	Keep   bool   `help:"Also write every volume, as acquired and registered, every map and mask and each finding's heat map as NIfTI."`
}

// Help is the longer text of "server analyze --help".
func (analyzeCommand) Help() string {
	return `Reads the study as the node would and writes the same SR and SEG that it would store, with findings.json for programs. A study
that cannot be read (no dynamic series, for one) gets an SR that says so; that is no failure of the command. Where each
breast has a dynamic series of its own, the second one's results are in the folder other_breast below.`
}

// Run analyses the study.
func (c *analyzeCommand) Run(ctx context.Context, log *slog.Logger) (err error) {
	objects, done, err := c.open(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	analyzer, err := newAnalyzer(c.modelFlags, 1, log)
	if err != nil {
		return err
	}
	if c.Keep {
		analyzer = analyzer.Keeping()
	}
	if analyzer, err = explaining(analyzer); err != nil {
		return err
	}
	line := newProgressLine(os.Stderr)
	reading, err := analyzer.Read(ctx, objects, func(stage string, fraction float64) { line.show(stage, fraction, "") })
	line.end()
	if err != nil {
		return err
	}
	built, err := c.build(ctx, reading, c.source(nodeEquipment("1"), time.Now()))
	if err != nil {
		return err
	}
	dir := c.Output
	for n, r := range reading.All() {
		findings := analysis.FindingsOf(r, report.Disclaimer)
		if err := c.write(dir, r, findings, built[n]); err != nil {
			return err
		}
		printFindings(findings)
		fmt.Println("results in", dir)
		dir = filepath.Join(c.Output, "other_breast")
	}
	return nil
}

// write writes what is known of one reading into dir.
func (c *analyzeCommand) write(dir string, reading *analysis.Reading, findings analysis.Findings, built report.Objects) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	files := map[string]*dicom.Dataset{"sr.dcm": built.SR, "seg.dcm": built.SEG, "viewer_sr.dcm": built.ViewerSR}
	for n, ds := range built.Maps {
		files[fmt.Sprintf("map_%03d.dcm", n+1)] = ds
	}
	for n, ds := range built.Reference {
		files[fmt.Sprintf("reference_%03d.dcm", n+1)] = ds
	}
	for n, ds := range built.Pictures {
		files[fmt.Sprintf("picture_%03d.dcm", n+1)] = ds
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if files[name] == nil {
			continue
		}
		if err := writeFile(filepath.Join(dir, name), func(w io.Writer) error {
			return dicom.Write(w, files[name], uid.ExplicitVRLittleEndian)
		}); err != nil {
			return err
		}
	}
	err := writeFile(filepath.Join(dir, "findings.json"), func(w io.Writer) error { return writeJSON(w, findings) })
	if err != nil || !c.Keep {
		return err
	}
	return reading.Keep(func(name string, write func(io.Writer) error) error {
		return writeFile(filepath.Join(dir, name+".nii"), write)
	}, volume.WriteNIfTI, volume.WriteMaskNIfTI)
}

// writeFile writes a file in its place in one step: a failure leaves what was there.
func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails once it is renamed
	defer f.Close()
	if err := errors.Join(write(f), f.Chmod(0o644)); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return os.Rename(f.Name(), path)
}

// nodeEquipment is this node as the maker of objects.
func nodeEquipment(serial string) iod.Equipment {
	return iod.Equipment{Manufacturer: analysis.Manufacturer, Model: "MOME DICOMweb node", Serial: serial, SoftwareVersion: version}
}

// printFindings prints a reading in a few lines.
func printFindings(f analysis.Findings) {
	switch {
	case f.Reason != "":
		fmt.Println("not analysed:", f.Reason)
	case len(f.Lesions) == 0:
		fmt.Println("no enhancing lesion found")
	}
	for _, j := range f.Exam {
		fmt.Println("  whole examination: " + describeJudgement(j))
	}
	for _, l := range f.Lesions {
		fmt.Println("  " + describeFinding(l))
		for _, j := range l.Further {
			fmt.Println("    " + describeJudgement(j))
		}
	}
	for _, n := range f.Notes {
		fmt.Println("  note:", n)
	}
	fmt.Println(f.Notice + "; trained on " + f.Algorithm.TrainedOn)
}

func describeJudgement(j analysis.JudgementFinding) string {
	var parts []string
	for _, class := range slices.Sorted(maps.Keys(j.Probabilities)) {
		parts = append(parts, fmt.Sprintf("%s %.0f %%", class, 100*j.Probabilities[class]))
	}
	return j.Task + ": " + strings.Join(parts, ", ")
}

func describeFinding(l analysis.LesionFinding) string {
	p := "probability not known"
	if l.Probability != nil {
		p = fmt.Sprintf("malignant %.0f %% (%s)", 100**l.Probability, shareText(l))
	}
	return fmt.Sprintf("%s: side %s, %.0f mm, %.2f cm3 at (%.0f, %.0f, %.0f) mm, %s, curve %s", l.Label, l.Side, l.LongAxisMM,
		l.VolumeCM3, l.CentreMM[0], l.CentreMM[1], l.CentreMM[2], p, l.Curve)
}

// shareText lists what each modality added to the log-odds.
func shareText(l analysis.LesionFinding) string {
	var parts []string
	for _, m := range experts.Modalities {
		if v, ok := l.Contributions[string(m)]; ok {
			parts = append(parts, fmt.Sprintf("%s %+.2f", m, v))
		}
	}
	return strings.Join(parts, ", ")
}
