package fusion

import (
	"archive/zip"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
)

// The gradient of the mean loss over both cases by every tensor.
func TestOracleGradients(t *testing.T) {
	dir := oracle(t)
	set := oracleWeights(t, dir)
	b, _, loss := graphOf(t, set)
	names, nodes := b.Weights()
	grads, err := gorgonia.Grad(loss, nodes...)
	if err != nil {
		t.Fatal(err)
	}
	p := compile(t, b, set, append([]*gorgonia.Node{loss}, grads...)...)
	var known struct {
		Loss   float64 `json:"loss_f64"`
		Labels []int   `json:"labels"`
	}
	raw, err := os.ReadFile(filepath.Join(dir, "loss.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &known); err != nil {
		t.Fatal(err)
	}
	got, mean := map[string][]float32{}, 0.0
	for i, in := range oracleInputs(t, dir) {
		target := make([]float32, b.Config.Classes)
		target[known.Labels[i]] = 1
		run(t, p, in, target)
		mean += float64(value(t, p, loss)[0]) / 2
		for k, name := range names {
			g := value(t, p, grads[k])
			if got[name] == nil {
				got[name] = make([]float32, len(g))
			}
			for j, v := range g {
				got[name][j] += v / 2
			}
		}
	}
	var found table
	found.add(t, "loss, absolute", math.Abs(mean-known.Loss), 1e-5)

	archive, err := zip.OpenReader(filepath.Join(dir, "grads_f32.npz"))
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	worst, seen := map[string]float64{}, 0
	for _, file := range archive.File {
		name := strings.TrimSuffix(file.Name, ".npy")
		f, err := file.Open()
		if err != nil {
			t.Fatal(err)
		}
		want := npyData(t, name, f)
		g := got[name]
		if g == nil {
			g = make([]float32, len(want)) // not in the graph: no effect
		} else {
			seen++
		}
		if norm(want) < 1e-6 { // without effect in exact arithmetic: both sides are rounding noise
			if norm(g) > 1e-6 {
				t.Errorf("%s: gradient has norm %.3g, want nothing but noise", name, norm(g))
			}
			continue
		}
		diff := slices.Clone(g)
		for i, v := range want {
			diff[i] -= v
		}
		relative := norm(diff) / norm(want)
		if relative > 1e-4 {
			t.Errorf("%s: gradient differs by %.2g of its norm %.3g", name, relative, norm(want))
		}
		worst[kind(name)] = max(worst[kind(name)], relative)
	}
	if seen != len(names) {
		t.Errorf("%d of %d gradients were compared", seen, len(names))
	}
	kinds := make([]string, 0, len(worst))
	for k := range worst {
		kinds = append(kinds, k)
	}
	slices.Sort(kinds)
	for _, k := range kinds {
		found.add(t, k, worst[k], 1e-4)
	}
	found.log(t, "largest difference of a tensor's gradient over its norm, by kind of tensor")
}

// kind is a tensor's name without layer, copy and the last word.
func kind(name string) string {
	var words []string
	for _, w := range strings.Split(strings.TrimPrefix(strings.TrimPrefix(name, "beit3."), "encoder."), ".") {
		if len(w) > 1 && w != "layers" && w != "weight" && w != "bias" {
			words = append(words, w)
		}
	}
	return strings.Join(words, ".")
}
