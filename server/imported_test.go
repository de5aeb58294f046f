package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"mome/server/analysis"
)

// A checkpoint in the authors' form, imported, judges whole examinations beside the built-in model of lesions.
func TestImportedCheckpointReadsAStudy(t *testing.T) {
	if testing.Short() {
		t.Skip("reads whole studies: slow with the race detector")
	}
	dir := t.TempDir()
	file := save(t, filepath.Join(dir, "model.th"), tinySet(t).WriteTorch)
	imported, study, out := filepath.Join(dir, "model.safetensors"), filepath.Join(dir, "study"), filepath.Join(dir, "out")
	command(t, "weights", "import", file, "-o", imported, "--heads", "2", "--box", "dce=2,32,16,16", "--box", "dwi=1,16,16,16",
		"--box", "t2=1,16,32,16", "--set", "task=diagnosis", "--set", "trained_on=nothing")
	command(t, "phantom", "-o", study, "--seed", "3", "--resolution", "small")
	command(t, "analyze", study, "-o", out, "--weights", imported)

	raw, err := os.ReadFile(filepath.Join(out, "findings.json"))
	if err != nil {
		t.Fatal(err)
	}
	var got analysis.Findings
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Exam) != 1 || got.Exam[0].Task != "malignancy" || got.Exam[0].TrainedOn != "nothing" || len(got.Exam[0].Contributions) != 3 {
		t.Fatalf("examination %+v, want one judgement by the imported model with three contributions", got.Exam)
	}
	sum := 0.0
	for _, p := range got.Exam[0].Probabilities {
		sum += p
	}
	if sum < 0.999 || sum > 1.001 {
		t.Errorf("probabilities %v do not sum to 1", got.Exam[0].Probabilities)
	}
	for _, l := range got.Lesions {
		if l.Probability != nil {
			t.Errorf("%s has probability %g: a model of whole examinations says nothing of a lesion", l.Label, *l.Probability)
		}
	}
}
