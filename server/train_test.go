package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mome/dicomweb/archive"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/uid"
	"mome/experts/weights"
	"mome/fixtures/phantom"
	"mome/fusion/train"
	"mome/server/training"
)

// tinyTraining are the flags of a fit of seconds. Tiny phantoms are too coarse to find lesions in: it learns from the
// places of those that were planted.
func tinyTraining(cache, output string, more ...string) []string {
	return append([]string{"train", "--studies", "4", "--resolution", "tiny", "--held-out", "0", "--epochs", "3", "--validation", "0.4",
		"--embed", "16", "--layers", "2", "--fuse-from", "1", "--batch", "2", "--cache", cache, "-o", output}, more...)
}

// command runs a sub-command in this process.
func command(t *testing.T, args ...string) {
	t.Helper()
	if status := run(t.Context(), args); status != 0 {
		t.Fatalf("server %s: exit status %d", strings.Join(args, " "), status)
	}
}

// A fit that is killed goes on from its state and cache, and ends with the weights of one that was not.
func TestTrainSurvivesKill(t *testing.T) {
	if testing.Short() {
		t.Skip("reads whole studies: slow with the race detector")
	}
	dir := t.TempDir()
	cache, whole, resumed := filepath.Join(dir, "cache"), filepath.Join(dir, "whole.safetensors"), filepath.Join(dir, "resumed.safetensors")
	command(t, tinyTraining(cache, whole)...)

	state := resumed + ".state"
	killed := exec.Command(os.Args[0], append([]string{"-test.run=^TestCommandInProcessOfItsOwn$", "--"}, tinyTraining(cache, resumed)...)...)
	killed.Stdout, killed.Stderr = t.Output(), t.Output()
	if err := killed.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { killed.Wait(); close(ended) }()
	for tick := time.NewTicker(time.Millisecond); ; {
		if _, err := os.Stat(state); err == nil {
			tick.Stop()
			break
		}
		select {
		case <-tick.C:
		case <-ended:
			t.Fatal("the fit ended before it was killed")
		case <-t.Context().Done():
			t.Fatal("no state until the test's end")
		}
	}
	killed.Process.Kill()
	<-ended
	if _, err := os.Stat(resumed); err == nil {
		t.Fatal("the fit ended before it was killed")
	}
	if status := run(t.Context(), tinyTraining(cache, resumed)); status != 1 {
		t.Errorf("a second fit over the state of the first: exit status %d, want 1", status)
	}
	command(t, tinyTraining(cache, resumed, "--resume")...)
	if _, err := os.Stat(state); err == nil {
		t.Error("the state is left after the end")
	}
	a, b := open(t, whole), open(t, resumed)
	if a.SHA256() != b.SHA256() {
		t.Errorf("the resumed fit has weights %s, the whole one %s", b.SHA256(), a.SHA256())
	}
	for _, key := range []string{weights.Temperature, weights.OperatingPoint, weights.DataCard, weights.Origin} {
		if a.Metadata[key] != b.Metadata[key] || a.Metadata[key] == "" {
			t.Errorf("metadata %s: whole %q, resumed %q", key, a.Metadata[key], b.Metadata[key])
		}
	}
	if got := a.Metadata[weights.TrainedOn]; got != "digital phantoms, not patients" {
		t.Errorf("trained on %q", got)
	}
	if strings.Contains(a.Metadata[weights.Origin], dir) {
		t.Errorf("the origin %q holds a path", a.Metadata[weights.Origin])
	}
}

// TestCommandInProcessOfItsOwn is what other tests start to kill it: it runs the arguments after -- and tests nothing when
// there are none.
func TestCommandInProcessOfItsOwn(t *testing.T) {
	if args := flag.Args(); len(args) > 0 {
		command(t, args...)
	}
}

func open(t *testing.T, path string) weights.Set {
	t.Helper()
	set, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// Ctrl-C keeps the best epoch so far and the state.
func TestTrainInterrupted(t *testing.T) {
	if testing.Short() {
		t.Skip("reads whole studies: slow with the race detector")
	}
	dir := t.TempDir()
	c := trainCommand{
		dataFlags: dataFlags{Cache: filepath.Join(dir, "cache"), Seed: 1}, Output: filepath.Join(dir, "w.safetensors"), Task: "malignancy",
		Preset: "fresh", Studies: 4, Resolution: "tiny", Validation: 0.5, Epochs: 1000, Embed: 16, Layers: 2, FuseFrom: 1, Curves: filepath.Join(dir, "curves"),
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() {
		for tick := time.NewTicker(time.Millisecond); ; <-tick.C {
			if _, err := os.Stat(c.state()); err == nil || ctx.Err() != nil {
				tick.Stop()
				stop()
				return
			}
		}
	}()
	if err := c.Run(ctx, slog.New(slog.DiscardHandler)); err == nil {
		t.Fatal("a fit of 1000 epochs was not interrupted")
	}
	set := open(t, c.Output)
	if set.Metadata["stopped"] == "" || set.Metadata[weights.Temperature] != "" {
		t.Errorf("stopped %q, temperature %q, want a sentence and none", set.Metadata["stopped"], set.Metadata[weights.Temperature])
	}
	for _, path := range []string{c.state(), filepath.Join(c.Curves, "epochs.csv"), filepath.Join(c.Curves, "epochs.png")} {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}

func TestTrainRefuses(t *testing.T) {
	dir := t.TempDir()
	labels := filepath.Join(dir, "labels.csv")
	if err := os.WriteFile(labels, []byte("study,label\n1.2.3,1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		args []string
	}{
		{"labels without studies", []string{"train", "--labels", labels}},
		{"studies without labels", []string{"train", "--dicom", dir}},
		{"archive and folder", []string{"train", "--dicom", dir, "--archive", dir, "--labels", labels}},
		{"a task that phantoms do not know", []string{"train", "--task", "pcr"}},
		{"published settings without weights", []string{"train", "--preset", "published"}},
		{"no studies", []string{"train", "--studies", "0"}},
		{"less than none held out", []string{"evaluate", "--held-out=-1"}},
		{"no validation", []string{"train", "--validation", "0"}},
		{"labels that no study has", []string{"train", "--dicom", dir, "--labels", labels}},
		{"explanations of patients", []string{"evaluate", "--dicom", dir, "--labels", labels, "--explain"}},
	} {
		if status := run(t.Context(), append(c.args, "--seed", "1")); status == 0 {
			t.Errorf("%s: server %q was taken", c.name, c.args)
		}
	}
}

// putStudy stores a phantom in an archive.
func putStudy(t *testing.T, a *archive.Archive, s *phantom.Study) {
	t.Helper()
	for _, ds := range s.Instances() {
		var b bytes.Buffer
		if err := dicom.Write(&b, ds, uid.ExplicitVRLittleEndian); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Put(t.Context(), &b, archive.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

// archiveOf makes an archive of tiny phantoms and a table that locates their lesions.
func archiveOf(t *testing.T, n int) (dir, labels string) {
	t.Helper()
	dir = t.TempDir()
	a, err := openArchive(t.Context(), nodeFlags{Data: dir, MaxInstance: 64}, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	table := "study,label,x,y,z,side,split,birads,site\n"
	for i := range n {
		s, err := phantom.New(phantom.Config{Seed: int64(50 + i), Resolution: phantom.Tiny, Vendor: phantom.Vendors()[i%3], Lesions: []phantom.Lesion{
			{Kind: phantom.Malignant, Side: phantom.Right, DiametersMM: [3]float64{26, 24, 22}},
			{Kind: phantom.Benign, Side: phantom.Left, DiametersMM: [3]float64{24, 22, 22}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		putStudy(t, a, s)
		split := [...]string{"train", "test", "validation", "test"}[i%4]
		for _, l := range s.Truth.Lesions {
			table += fmt.Sprintf("%s,%s,%.2f,%.2f,%.2f,%s,%s,4,north\n", s.Truth.StudyInstanceUID, l.Kind, l.CentreMM[0], l.CentreMM[1], l.CentreMM[2], l.Side, split)
		}
	}
	table += "1.2.3.4,benign,,,,L,train,,\n" // a study that is not there
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	labels = filepath.Join(t.TempDir(), "labels.csv")
	if err := os.WriteFile(labels, []byte(table), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, labels
}

func TestZeroIsNotTheDefault(t *testing.T) {
	zero, little := 0.0, 0.01
	c := &trainCommand{Preset: "published", Dropout: &zero, Decay: &little}
	o := c.options(train.Malignancy(), nil)
	if o.ModalityDropout >= 0 || o.WeightDecay != 0.01 || o.DropPath != 0.15 {
		t.Errorf("dropout %g, decay %g, drop-path %g, want none, 0.01 and the preset's 0.15", o.ModalityDropout, o.WeightDecay, o.DropPath)
	}
	if line := c.commandLine(); !strings.Contains(line, "--decay 0.01 --dropout 0") || strings.Contains(line, "drop-path") {
		t.Errorf("origin %q does not say what was given", line)
	}
}

func TestTableTellsTrainFromValidation(t *testing.T) {
	cases := make([]training.Case, 4)
	cases[1].Split, cases[3].Split = training.Validation, training.Validation
	if got := (&trainCommand{Preset: "fresh"}).options(train.Malignancy(), cases).Validation; !slices.Equal(got, []int{1, 3}) {
		t.Errorf("cases %v validate, want 1 and 3", got)
	}
	cases[1].Split, cases[3].Split = training.Training, training.None
	if got := (&trainCommand{Preset: "fresh"}).options(train.Malignancy(), cases).Validation; got != nil {
		t.Errorf("cases %v validate, want a drawn part", got)
	}
}

func TestTrainAndEvaluateFromArchive(t *testing.T) {
	if testing.Short() {
		t.Skip("reads whole studies: slow with the race detector")
	}
	stored, labels := archiveOf(t, 4)
	dir := t.TempDir()
	output, scores := filepath.Join(dir, "w.safetensors"), filepath.Join(dir, "scores.csv")
	command(t, "train", "--archive", stored, "--labels", labels, "--epochs", "1", "--embed", "16", "--layers", "2",
		"--fuse-from", "1", "--licence", "for this test only", "-o", output)
	set := open(t, output)
	for key, want := range map[string]string{
		weights.TrainedOn: "2 labelled breast MRI studies of 2 patients", weights.Licence: "for this test only", weights.DataCard: "sites: north 4",
		weights.Origin: "--archive DIR --labels CSV", weights.Task: "malignancy", weights.Classes: "benign,malignant", "held_out": "labelled studies",
	} {
		if got := set.Metadata[key]; !strings.Contains(got, want) {
			t.Errorf("metadata %s is %q, want %q in it", key, got, want)
		}
	}
	for key, value := range set.Metadata {
		for _, secret := range []string{"PHANTOM-", "Phantom^", stored, "labels.csv"} {
			if strings.Contains(value, secret) {
				t.Errorf("metadata %s tells %q: %q", key, secret, value)
			}
		}
	}
	command(t, "evaluate", "--archive", stored, "--labels", labels, "--weights", output, "--csv", scores)
	lines := csvOf(t, scores)
	column := func(name string) int { return slices.Index(lines[0], name) }
	labelled := 0
	for _, l := range lines[1:] {
		if label := l[column("label")]; label != "" {
			labelled++
			side := map[string]float64{"0": 1, "1": -1}[label] // benign lesions lie on the left, at x > 0
			if x := number(t, l[column("x")]); x*side <= 0 {
				t.Errorf("label %s lies at x = %g", label, x)
			}
		}
	}
	if labelled != 4 {
		t.Errorf("%d labelled candidates of split test, want 4", labelled)
	}
}
