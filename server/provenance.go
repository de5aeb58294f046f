package main

import (
	"fmt"
	"slices"
	"strings"

	"mome/experts/weights"
	"mome/fusion/train"
	"mome/server/training"
)

// describe writes into the metadata what the weights are and where they came from.
func (c *trainCommand) describe(set, initial weights.Set, p *training.Prepared, cases []training.Case, task train.Task) {
	m := set.Metadata
	m[weights.Origin] = c.commandLine()
	m[weights.TrainedOn] = c.trainedOn(cases)
	m[weights.DataCard] = c.dataCard(p, cases, task)
	m[weights.Licence] = c.licence()
	for _, key := range []string{weights.Source, weights.SourceSHA256, "held_out", "stopped"} {
		delete(m, key) // of the weights that the fit began with
	}
	if c.Weights != "" {
		m["started_from"] = "weights with SHA-256 " + initial.SHA256()
		before := initial.Metadata[weights.TrainedOn]
		if before == "" {
			before = "unknown data"
		}
		m[weights.TrainedOn] += "; began as weights trained on " + before
	}
}

// commandLine is the command without paths: these can carry names.
func (c *trainCommand) commandLine() string {
	line := fmt.Sprintf("server train --task %s --preset %s --seed %d --validation %g --shift %g", c.Task, c.Preset, c.Seed, c.Validation, c.ShiftMM)
	add := func(use bool, format string, args ...any) {
		if use {
			line += fmt.Sprintf(format, args...)
		}
	}
	given := func(flag string, v *float64) {
		if v != nil {
			line += fmt.Sprintf(" --%s %g", flag, *v)
		}
	}
	add(c.Archive != "", " --archive DIR --labels CSV")
	add(c.Dicom != "", " --dicom DIR --labels CSV")
	add(c.phantoms(), " --studies %d --held-out %d --resolution %s", c.Studies, c.HeldOut, c.Resolution)
	add(c.Weights != "", " --weights FILE")
	add(c.Weights == "", " --embed %d --layers %d --fuse-from %d", c.Embed, c.Layers, c.FuseFrom)
	add(c.Context, " --context")
	add(c.Epochs > 0, " --epochs %d", c.Epochs)
	add(c.Rate > 0, " --rate %g", c.Rate)
	add(c.Batch > 0, " --batch %d", c.Batch)
	add(c.Patience > 0, " --patience %d", c.Patience)
	add(c.Best != "", " --best %s", c.Best)
	given("decay", c.Decay)
	given("dropout", c.Dropout)
	given("drop-path", c.DropPath)
	given("jitter", c.Jitter)
	add(c.Balanced, " --balanced")
	return line + " (version " + version + ")"
}

// provenance names the kind of data in two words.
func (f *dataFlags) provenance() string {
	if f.phantoms() {
		return "digital phantoms"
	}
	return "labelled studies"
}

func (c *trainCommand) trainedOn(cases []training.Case) string {
	if c.phantoms() {
		return "digital phantoms, not patients"
	}
	studies, groups := countedBy(cases)
	return fmt.Sprintf("%d labelled breast MRI studies of %d patients", studies, groups)
}

func (c *trainCommand) licence() string {
	switch {
	case c.Licence != "":
		return c.Licence
	case c.phantoms() && c.Weights == "":
		return "Apache-2.0"
	}
	return "not stated"
}

// dataCard tells what the data were, in numbers.
func (c *trainCommand) dataCard(p *training.Prepared, cases []training.Case, task train.Task) string {
	studies, groups := countedBy(cases)
	counts := fmt.Sprintf("%d samples of %d studies and %d patients (%s); %v", len(cases), studies, groups, classCounts(task, cases), p.Tally)
	if c.phantoms() {
		return fmt.Sprintf("digital breast phantoms of this project (fixtures/phantom), %s resolution, seeds from %d on for training and from %d on held out; %s; candidates as the node's own detection finds them, labelled by the phantoms' truth: 1 is malignant, 0 benign or no lesion",
			c.Resolution, int64(c.Seed)*seedsApart, int64(c.Seed)*seedsApart+seedsApart/2, counts)
	}
	text := "breast MRI studies with a table of labels, candidates as the node's own detection finds them; " + counts
	text += "; vendors: " + shares(cases, func(c *training.Case) string { return c.Vendor })
	text += "; sites: " + shares(cases, func(c *training.Case) string { return c.Site })
	return text
}

func countedBy(cases []training.Case) (studies, groups int) {
	s, g := map[string]bool{}, map[string]bool{}
	for i := range cases {
		s[cases[i].StudyUID], g[cases[i].Group] = true, true
	}
	return len(s), len(g)
}

// shares counts cases by what of says of them.
func shares(cases []training.Case, of func(*training.Case) string) string {
	counts := map[string]int{}
	for i := range cases {
		name := of(&cases[i])
		if name == "" {
			name = "not known"
		}
		counts[name]++
	}
	var parts []string
	for name, n := range counts {
		parts = append(parts, fmt.Sprintf("%s %d", name, n))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}
