package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"math"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"gorgonia.org/gorgonia"

	"mome/experts"
	"mome/experts/nn"
	"mome/fusion"
	"mome/gpu/op"
	"mome/gpu/vm"
)

// TestWorkOfThePublishedNetwork counts what the published sizes come to when calculated by hand, in GFLOP: stems 352,
// attention 485 where modalities are apart before fusion, the other products 254 for projections, 465 for feed-forward
// (507 less the last layer's, which is computed for one row) and 34 for adapters and mixtures.
func TestWorkOfThePublishedNetwork(t *testing.T) {
	config, err := presetConfig("base")
	if err != nil {
		t.Fatal(err)
	}
	b, err := nn.NewBuilder(config)
	if err != nil {
		t.Fatal(err)
	}
	inputs := map[experts.Modality]*gorgonia.Node{}
	for _, m := range experts.Modalities {
		inputs[m] = b.Volume(m)
	}
	logits, err := fusion.Graph(b, branches, inputs)
	if err != nil {
		t.Fatal(err)
	}
	byKind, sum := (&network{logits: logits}).gflop()
	for kind, want := range map[string]float64{"Conv3d": 352, "Attention": 485} {
		if got := byKind[kind]; math.Abs(got-want) > 0.005*want {
			t.Errorf("%s: %.1f GFLOP, want %.0f", kind, got, want)
		}
	}
	if want := 254.0 + 465 + 34; math.Abs(sum-byKind["Conv3d"]-byKind["Attention"]-want) > 0.01*want {
		t.Errorf("other products: %.1f GFLOP of %v, want %.0f", sum-byKind["Conv3d"]-byKind["Attention"], byKind, want)
	}
}

func TestProfileCountsEverything(t *testing.T) {
	for _, precision := range []op.Precision{op.Float32, op.BFloat16} {
		net, err := newNetwork(tinySet(t), tinyConfig(), [3]bool{true, true, true}, (*vm.Machine)(nil).Lane(precision), wants{gradients: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := net.run(t.Context(), tinyInput(), 1); err != nil {
			t.Fatal(err)
		}
		kinds, err := net.profile(t.Context()) // compares the logits with the run's
		if err != nil {
			t.Fatal(err)
		}
		_, want := net.gflop()
		got := 0.0
		seen := map[string]bool{}
		for _, k := range kinds {
			got += k.GFLOP
			seen[k.Kind] = k.Count > 0
		}
		if math.Abs(got-want) > 1e-9 || want == 0 {
			t.Errorf("%v: %g GFLOP in the profile, %g in the graph", precision, got, want)
		}
		for _, kind := range []string{"Conv3d", "Conv3dGradWeight", "Attention", "Linear", "LayerNorm", "CrossEntropy"} {
			if !seen[kind] {
				t.Errorf("%v: %s is not among %v", precision, kind, kinds)
			}
		}
	}
}

// benched runs the command on the tiny network and keeps its files.
func benched(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	set := tinySet(t)
	c := benchModelCommand{
		Weights: save(t, filepath.Join(dir, "tiny.safetensors"), set.WriteSafetensors), networkFlags: tinyFlags(),
		computeFlags: computeFlags{Precision: "float32"}, Runs: 1, Profile: true, JSON: true, Keep: dir,
	}
	if err := c.Run(t.Context(), slog.Default()); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestBenchKeepsWhatItRan(t *testing.T) {
	dir := benched(t)
	in := func(name string) string { return filepath.Join(dir, name+".npy") }
	again := filepath.Join(dir, "again.npy")
	c := modelForwardCommand{ // needs no flags: the kept weights say everything
		Weights: filepath.Join(dir, "weights.th"), DCE: in("dce"), DWI: in("dwi"), T2: in("t2"), Output: again, computeFlags: computeFlags{Precision: "float32"},
	}
	if err := c.Run(t.Context(), slog.Default()); err != nil {
		t.Fatal(err)
	}
	_, got := load(t, again)
	_, want := load(t, in("logits"))
	if !slices.Equal(got, want) {
		t.Errorf("logits %v, the bench had %v", got, want)
	}
}

// TestPeerAgrees runs the same network in PyTorch.
func TestPeerAgrees(t *testing.T) {
	const python = "/usr/bin/python3"
	if err := exec.Command(python, "-c", "import importlib.util as u; exit(not (u.find_spec('torch') and u.find_spec('numpy')))").Run(); err != nil {
		t.Skip("no Python with PyTorch and NumPy here (Debian: python3-torch)")
	}
	cmd := exec.Command(python, "../.ci/peer/forward.py", benched(t), "--runs", "1", "--threads", "1", "--json")
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, problems.Bytes())
	}
	var seen struct {
		Difference float64 `json:"largest_difference"`
		Results    []struct {
			Way    string      `json:"way"`
			Logits [][]float64 `json:"logits"`
		} `json:"results"`
	}
	if err := json.Unmarshal(out, &seen); err != nil {
		t.Fatal(err)
	}
	if len(seen.Results) != 2 || !(seen.Difference <= 1e-5) {
		t.Errorf("PyTorch's logits differ by %g, want at most 1e-5: %s", seen.Difference, out)
	}
}

func TestBenchRefuses(t *testing.T) {
	for name, c := range map[string]benchModelCommand{
		"no runs":           {Config: "default", computeFlags: computeFlags{Precision: "float32"}},
		"two sizes":         {Config: "base", Weights: "weights.th", computeFlags: computeFlags{Precision: "float32"}, Runs: 1},
		"unknown size":      {Config: "huge", computeFlags: computeFlags{Precision: "float32"}, Runs: 1},
		"unknown precision": {Config: "default", computeFlags: computeFlags{Precision: "int8"}, Runs: 1},
	} {
		if err := c.Run(t.Context(), slog.Default()); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
