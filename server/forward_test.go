package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sbinet/npyio/npy"
	"github.com/sbinet/npyio/npz"

	"mome/experts/nn"
	"mome/fusion"
	"mome/gpu/vm"
)

// oracle is the folder with a small checkpoint and what the published code computes with it; the test skips without it.
func oracle(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../../shared/data/mome-small")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the published code's results are not at %s", path)
	}
	return path
}

// load reads a NumPy file of any shape.
func load(t *testing.T, path ...string) (shape []int, data []float32) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	r, err := npy.NewReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatalf("%s: %v", filepath.Join(path...), err)
	}
	if err := r.Read(&data); err != nil {
		t.Fatalf("%s: %v", filepath.Join(path...), err)
	}
	return r.Header.Descr.Shape, data
}

// rowsOf cuts the rows [from, to) out of every case of [batch, rows, cols].
func rowsOf(shape []int, data []float32, from, to int) []float32 {
	var out []float32
	for b := range shape[0] {
		at := b * shape[1] * shape[2]
		out = append(out, data[at+from*shape[2]:at+to*shape[2]]...)
	}
	return out
}

// farthest is the largest difference, absolute and relative to the largest number that is wanted.
func farthest(t *testing.T, name string, got, want []float32) (absolute, relative float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", name, len(got), len(want))
	}
	top := 0.0
	for i := range got {
		if d := math.Abs(float64(got[i]) - float64(want[i])); !(d <= absolute) {
			absolute = d
		}
		top = max(top, math.Abs(float64(want[i])))
	}
	return absolute, absolute / max(top, math.SmallestNonzeroFloat64)
}

// TestForwardMatchesPublishedCode runs the command as a user would, and compares every file that it writes.
func TestForwardMatchesPublishedCode(t *testing.T) {
	dir, out := oracle(t), t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	status := run(t.Context(), []string{"model", "forward", "--weights", in("model.th"),
		"--heads", "4", "--box", "dce=6,64,48,32", "--box", "dwi=1,48,32,16", "--box", "t2=1,64,48,16",
		"--dce", in("dce.npy"), "--dwi", in("dwi.npy"), "--t2", in("t2.npy"),
		"-o", filepath.Join(out, "logits.npy"), "--activations", filepath.Join(out, "act"),
		"--gradients", filepath.Join(out, "g.npz"), "--labels", "1,0"})
	if status != 0 {
		t.Fatalf("status %d", status)
	}
	check := func(name string, got, want []float32, limit float64) {
		t.Helper()
		absolute, relative := farthest(t, name, got, want)
		t.Logf("%-28s largest difference %.1e, relative %.1e", name, absolute, relative)
		if !(relative <= limit) {
			t.Errorf("%s: relative difference %g, want at most %g", name, relative, limit)
		}
	}
	_, got := load(t, out, "logits.npy")
	_, want := load(t, dir, "logits.npy")
	check("logits", got, want, 1e-5)

	const dce, dwi, t2 = 25, 6, 12 // rows
	from := map[string][2]int{"dce": {0, dce}, "dwi": {dce, dce + dwi}, "t2": {dce + dwi, dce + dwi + t2}}
	for _, c := range []struct{ ours, theirs string }{
		{"embed.%s", "embed"}, {"inner.0.%s", "layer00_attn_inner_ln"}, {"attention.0.%s", "layer00_attn_out"}, {"ffn.0.%s", "layer00_ffn"},
		{"adapter.0.%s", "layer00_adapter"}, {"layer.0.%s", "layer00_out"}, {"layer.1.%s", "layer01_out"}, {"layer.2.%s", "layer02_out"},
	} {
		shape, theirs := load(t, dir, "act", c.theirs+".npy")
		for m, span := range from {
			name := fmt.Sprintf(c.ours, m)
			if _, err := os.Stat(filepath.Join(out, "act", name+".npy")); err != nil {
				continue // a part that the network does not mark
			}
			_, ours := load(t, out, "act", name+".npy")
			check(name, ours, rowsOf(shape, theirs, span[0], span[1]), 1e-4)
		}
	}
	for m, first := range map[string]int{"dce": 1, "dwi": 0, "t2": 0} {
		shape, theirs := load(t, dir, "act", "stem_"+m+"_tokens.npy")
		_, ours := load(t, out, "act", "stem."+m+".npy")
		check("stem."+m, ours, rowsOf(shape, theirs, first, shape[1]), 1e-4)
	}
	for ours, theirs := range map[string]string{"layer.3.cls": "layer03_out", "mixture.3": "layer03_softmoe"} {
		shape, all := load(t, dir, "act", theirs+".npy")
		_, got := load(t, out, "act", ours+".npy")
		check(ours, got, rowsOf(shape, all, 0, 1), 1e-4)
	}
	_, got = load(t, out, "act", "fc_norm.npy")
	_, want = load(t, dir, "act", "fc_norm.npy")
	check("fc_norm", got, want, 1e-4)
	compareGradients(t, filepath.Join(out, "g.npz"), in("grads_f32.npz"))
}

// member reads an array of an archive; the library's own way reads four bytes at a time.
func member(t *testing.T, archive *npz.Reader, name string) (data []float32) {
	t.Helper()
	f, err := archive.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	raw, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := npy.Read(bytes.NewReader(raw), &data); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return data
}

// compareGradients takes differences relative to the largest gradient of a tensor.
func compareGradients(t *testing.T, ours, theirs string) {
	t.Helper()
	a, err := npz.Open(ours)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := npz.Open(theirs)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if len(a.Keys()) != len(b.Keys()) {
		t.Errorf("gradients of %d tensors, want %d", len(a.Keys()), len(b.Keys()))
	}
	top, worst, where := 0.0, 0.0, ""
	type pair struct{ got, want []float32 }
	pairs := map[string]pair{}
	for _, name := range b.Keys() {
		p := pair{got: member(t, a, name), want: member(t, b, name)}
		pairs[name] = p
		for _, v := range p.want {
			top = max(top, math.Abs(float64(v)))
		}
	}
	for name, p := range pairs {
		absolute, relative := farthest(t, name, p.got, p.want)
		if strings.Contains(name, "k_proj") && strings.HasSuffix(name, ".bias.npy") {
			if absolute > 1e-6*top { // zero but for rounding before fusion, where they shift all scores of a query alike
				t.Errorf("%s: difference %g, want at most a millionth of %g", name, absolute, top)
			}
			continue
		}
		if relative > worst {
			worst, where = relative, name
		}
	}
	t.Logf("%-28s largest relative difference %.1e, in %s", "gradients", worst, where)
	if !(worst <= 1e-4) {
		t.Errorf("gradients: relative difference %g in %s, want at most 1e-4", worst, where)
	}
}

// tinyInput is one case of random numbers in the tiny network's boxes.
func tinyInput() fusion.Input {
	random := rand.New(rand.NewPCG(11, 0))
	volume := func(b nn.Box) []float32 {
		v := make([]float32, b.Floats())
		for i := range v {
			v[i] = float32(random.NormFloat64())
		}
		return v
	}
	boxes := tinyConfig().Boxes
	return fusion.Input{DCE: volume(boxes.DCE), T2: volume(boxes.T2), DWI: volume(boxes.DWI)}
}

// TestGradientsAreSlopes moves the tensors along their gradients and compares the loss with what the gradients promise.
func TestGradientsAreSlopes(t *testing.T) {
	set, config, in := tinySet(t), tinyConfig(), tinyInput()
	for i := range set.All() { // nothing may be symmetric or zero
		random := rand.New(rand.NewPCG(5, uint64(i)))
		for j := range set.All()[i].Data {
			set.All()[i].Data[j] += float32(0.1 * random.NormFloat64())
		}
	}
	for _, present := range [][3]bool{{true, true, true}, {true, false, true}} {
		net, err := newNetwork(set, config, present, new(vm.Lane), wants{gradients: true})
		if err != nil {
			t.Fatal(err)
		}
		loss := func() float64 {
			if err := net.run(t.Context(), in, 1); err != nil {
				t.Fatal(err)
			}
			v, err := net.value(net.loss)
			if err != nil {
				t.Fatal(err)
			}
			return float64(v[0])
		}
		loss()
		all := newCollector(net, 1)
		if err := all.add(); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"head.weight", "fc_norm.bias", "beit3.dce_embed.cls_token", "beit3.dwi_embed.stem.3.weight", nn.LayerName(0, "ffn.A.fc1.weight"), nn.LayerName(1, "MLP_Adapter.moe.phi"), nn.LayerName(1, "self_attn.v_proj.B.weight")} {
			tensor, _ := set.Tensor(name)
			gradient := all.gradients[all.index[name]].data
			length := 0.0
			for _, v := range gradient {
				length += float64(v) * float64(v)
			}
			length = math.Sqrt(length)
			const step = 2e-3 // far above float32's rounding of the loss, short against the curve
			before := append([]float32(nil), tensor.Data...)
			move := func(by float64) float64 {
				for j := range tensor.Data {
					tensor.Data[j] = before[j] + float32(by*float64(gradient[j])/length)
				}
				defer copy(tensor.Data, before)
				return loss()
			}
			slope := (move(step) - move(-step)) / (2 * step)
			if math.Abs(slope-length) > 0.02*length+1e-5 {
				t.Errorf("%v: %s: slope %g, gradient %g", present, name, slope, length)
			}
		}
		if len(all.gradients) != set.Len() {
			t.Errorf("%v: gradients of %d tensors, want %d", present, len(all.gradients), set.Len())
		}
	}
}

func TestForwardSaysWhatToDo(t *testing.T) {
	dir, set, in, config := t.TempDir(), tinySet(t), tinyInput(), tinyConfig()
	file := save(t, filepath.Join(dir, "w.th"), set.WriteTorch)
	put := func(name string, b nn.Box, batch int, data []float32) string {
		shape := []int{batch, b.Channels, b.Size[0], b.Size[1], b.Size[2]}
		return save(t, filepath.Join(dir, name), func(w io.Writer) error { return writeNPY(w, shape, data) })
	}
	dce := put("dce.npy", config.Boxes.DCE, 1, in.DCE)
	dwi := put("dwi.npy", config.Boxes.DWI, 1, in.DWI)
	t2 := put("t2.npy", config.Boxes.T2, 1, in.T2)
	two := put("two.npy", config.Boxes.T2, 2, append(append([]float32{}, in.T2...), in.T2...))
	good := modelForwardCommand{Weights: file, networkFlags: tinyFlags(), DCE: dce, DWI: dwi, T2: t2, computeFlags: computeFlags{Precision: "float32"}}
	for _, c := range []struct {
		name   string
		change func(c *modelForwardCommand)
		want   string // empty: fine
	}{
		{"all there", func(*modelForwardCommand) {}, ""},
		{"bfloat16", func(c *modelForwardCommand) { c.Precision = "bfloat16" }, ""},
		{"one left out", func(c *modelForwardCommand) { c.Without = []string{"T2"} }, ""},
		{"all left out", func(c *modelForwardCommand) { c.Without = []string{"dce", "dwi", "t2"} }, ""},
		{"one missing", func(c *modelForwardCommand) { c.DWI = "" }, "--without dwi"},
		{"unknown modality", func(c *modelForwardCommand) { c.Without = []string{"ct"} }, "ct"},
		{"volumes swapped", func(c *modelForwardCommand) { c.DWI = t2 }, t2},
		{"batches of two lengths", func(c *modelForwardCommand) { c.T2 = two }, "2"},
		{"no labels", func(c *modelForwardCommand) { c.Gradients = filepath.Join(dir, "g.npz") }, "--labels"},
		{"a label beyond the classes", func(c *modelForwardCommand) { c.Gradients, c.Labels = filepath.Join(dir, "g.npz"), []int{2} }, "2 classes"},
		{"no boxes", func(c *modelForwardCommand) { c.networkFlags = networkFlags{} }, "--box"},
	} {
		command := good
		c.change(&command)
		err := command.Run(t.Context(), slog.Default())
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
}

// What programs read is not null where it is empty.
func TestShownNames(t *testing.T) {
	raw, err := json.Marshal(shown{Tensors: []shownTensor{{Name: "a", Shape: []int{}}}})
	if err != nil || !strings.Contains(string(raw), `"shape":[]`) || !strings.Contains(string(raw), `"config":null`) {
		t.Errorf("got %s, error %v", raw, err)
	}
}
