package main

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"mome/fixtures/phantom"
	"mome/fusion"
	"mome/fusion/train"
	"mome/fusion/train/measure"
	"mome/server/training"
)

func csvOf(t *testing.T, path string) [][]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil || len(lines) == 0 {
		t.Fatalf("%d lines, error %v", len(lines), err)
	}
	return lines
}

func number(t *testing.T, s string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// A folder of DICOM files: the label without a place means the most conspicuous candidate of its side.
func TestEvaluateFolder(t *testing.T) {
	if testing.Short() {
		t.Skip("reads whole studies: slow with the race detector")
	}
	dir := t.TempDir()
	s := study(t, phantom.Config{Seed: 11})
	if err := s.WriteDir(t.Context(), filepath.Join(dir, "study"), nil); err != nil {
		t.Fatal(err)
	}
	labels, scores := filepath.Join(dir, "labels.csv"), filepath.Join(dir, "scores.csv")
	table := "patient_id;label;side\nPHANTOM-11;malignant;R\nPHANTOM-11;benign;L\n"
	if err := os.WriteFile(labels, []byte(table), 0o600); err != nil {
		t.Fatal(err)
	}
	command(t, "evaluate", "--dicom", filepath.Join(dir, "study"), "--labels", labels, "--csv", scores)
	lines := csvOf(t, scores)
	found := map[string]string{}
	for _, l := range lines[1:] {
		if l[0] != s.Truth.StudyInstanceUID {
			t.Errorf("study %q, want %q", l[0], s.Truth.StudyInstanceUID)
		}
		if l[7] != "" {
			found[l[2]] += l[7]
		}
		p := number(t, l[12]) + number(t, l[13])
		if p < 0.999 || p > 1.001 {
			t.Errorf("probabilities sum to %g", p)
		}
	}
	if found["R"] != "1" || found["L"] != "0" {
		t.Errorf("labels by side %v, want R 1 and L 0", found)
	}
	text, err := os.ReadFile(scores)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "PHANTOM") {
		t.Error("the scores name the patient")
	}
}

// scored makes cases whose probabilities tell the classes apart but for some.
func scored(n int) (*training.Prepared, []training.Scored) {
	p, out := &training.Prepared{}, []training.Scored(nil)
	for i := range n {
		id := strconv.Itoa(i)
		c := training.Case{StudyUID: id, Group: id, Lesion: 1, Label: i % 2, Kind: training.Labelled, Facts: training.Facts{Vendor: []string{"GE", "Siemens", "Rare"}[min(2, i%23)%3], BIRADS: "4b"}}
		probability := 0.2 + 0.5*float64(i%2) + 0.25*float64(i%7)/7
		s := training.Scored{Case: c, Probabilities: []float64{1 - probability, probability}, Alone: map[training.Subset][]float64{}}
		s.Alone[training.AllModalities] = s.Probabilities
		out = append(out, s)
		p.Studies = append(p.Studies, training.Study{UID: id, Group: id, Label: i % 2, Done: true, Cases: []training.Case{c}})
	}
	return p, out
}

func TestPrintEvaluation(t *testing.T) {
	p, s := scored(60)
	e, err := training.Evaluate(p, s, train.Malignancy(), 0.5, measure.Bootstrap{Resamples: 50})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	printEvaluation(&b, e)
	for _, want := range []string{"AUROC", "30 / 30", "1.000 (1.00-1.00)", "too few cases", "DCE+T2+DWI", "BI-RADS 4: 30 benign, 30 malignant"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, b.String())
		}
	}
}

func TestHeldOutPhantomsAreOthers(t *testing.T) {
	for _, seed := range []uint64{0, 1, 2, 77} {
		f := dataFlags{Seed: seed, HeldOut: 2000}
		seen := map[int64]bool{}
		for _, c := range f.trainingPhantoms(20000, "mixed") {
			seen[c.Seed] = true
		}
		for _, c := range f.heldOutPhantoms("standard") {
			if seen[c.Seed] {
				t.Fatalf("seed %d: phantom %d is trained and measured on", seed, c.Seed)
			}
		}
	}
}

func TestEvaluationJSON(t *testing.T) {
	p, s := scored(12) // too few of most sets: no number may be NaN
	e, err := training.Evaluate(p, s, train.Malignancy(), 0.5, measure.Bootstrap{Resamples: 20})
	if err != nil {
		t.Fatal(err)
	}
	model, err := openModel("", fusion.Options{Branches: branches})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := json.Marshal(evaluationOf(e, model, "digital phantoms")); err != nil {
		t.Error(err)
	}
}
