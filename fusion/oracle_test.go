package fusion

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"

	"mome/experts"
	"mome/experts/dce"
	"mome/experts/dwi"
	"mome/experts/nn"
	"mome/experts/t2"
	"mome/experts/weights"
	"mome/gpu/op"
)

func branches() Branches { return Branches{DCE: dce.Graph, T2: t2.Graph, DWI: dwi.Graph} }

// oracle is the folder with a small checkpoint and what the published code computes with it; the test skips without it.
func oracle(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			path := filepath.Join(dir, "../shared/data/mome-small")
			if _, err := os.Stat(path); err != nil {
				t.Skipf("the published code's results are not at %s", path)
			}
			return path
		}
	}
	t.Fatal("no go.mod above the working directory")
	return ""
}

func oracleWeights(t testing.TB, dir string) weights.Set {
	t.Helper()
	set, err := weights.Open(filepath.Join(dir, "model.th"))
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range map[string]string{
		"heads": "4", "box.dce": "6,64,48,32", "box.dwi": "1,48,32,16", "box.t2": "1,64,48,16",
	} {
		set.Metadata[key] = value
	}
	return set
}

// npy parses a NumPy file of little-endian float32 in C order.
func npy(t testing.TB, raw []byte) (shape []int, data []float32) {
	t.Helper()
	header := int(binary.LittleEndian.Uint16(raw[8:]))
	text := string(raw[10 : 10+header])
	if !strings.Contains(text, "'<f4'") || !strings.Contains(text, "'fortran_order': False") {
		t.Fatalf("npy header %q", text)
	}
	for _, n := range regexp.MustCompile(`\d+`).FindAllString(text[strings.Index(text, "("):], -1) {
		v, err := strconv.Atoi(n)
		if err != nil {
			t.Fatal(err)
		}
		shape = append(shape, v)
	}
	for raw = raw[10+header:]; len(raw) >= 4; raw = raw[4:] {
		data = append(data, math.Float32frombits(binary.LittleEndian.Uint32(raw)))
	}
	return shape, data
}

func npyFile(t testing.TB, path ...string) (shape []int, data []float32) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return npy(t, raw)
}

// sample is one of the n equal parts of an array over the batch.
func sample(data []float32, n, i int) []float32 {
	size := len(data) / n
	return data[i*size : (i+1)*size]
}

func oracleInputs(t testing.TB, dir string) [2]Input {
	var in [2]Input
	_, d := npyFile(t, dir, "dce.npy")
	_, w := npyFile(t, dir, "dwi.npy")
	_, z := npyFile(t, dir, "t2.npy")
	for i := range in {
		in[i] = Input{DCE: sample(d, 2, i), DWI: sample(w, 2, i), T2: sample(z, 2, i)}
	}
	return in
}

func farthest(got, want []float32) float64 {
	if len(got) != len(want) {
		return math.Inf(1)
	}
	worst := 0.0
	for i := range got {
		worst = max(worst, math.Abs(float64(got[i])-float64(want[i])))
	}
	return worst
}

func TestLogitsMatchPublishedCode(t *testing.T) {
	dir := oracle(t)
	m, err := New(oracleWeights(t, dir), Options{Branches: branches()})
	if err != nil {
		t.Fatal(err)
	}
	_, want := npyFile(t, dir, "logits.npy")
	for i, in := range oracleInputs(t, dir) {
		got, err := m.Logits(context.Background(), in)
		if err != nil {
			t.Fatal(err)
		}
		if d := farthest(got, sample(want, 2, i)); d > 1e-5 {
			t.Errorf("case %d: logits %v, want %v", i, got, sample(want, 2, i))
		}
	}
}

func TestAbsentModalitiesMatchPublishedCode(t *testing.T) {
	dir := oracle(t)
	m, err := New(oracleWeights(t, dir), Options{Branches: branches()})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "variants.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	full := oracleInputs(t, dir)[0]
	for _, which := range []string{"none", "dce", "dwi", "t2", "dce+dwi", "dce+t2", "dwi+t2", "dce+dwi+t2"} {
		var want struct {
			Zero []float32 `json:"zero_logits"`
			Drop []float32 `json:"drop_logits"`
		}
		if err := json.Unmarshal(all[which], &want); err != nil {
			t.Fatal(err)
		}
		drop, zero := full, full
		if !strings.Contains(which, "dce") {
			drop.DCE, zero.DCE = nil, make([]float32, len(full.DCE))
		}
		if !strings.Contains(which, "dwi") {
			drop.DWI, zero.DWI = nil, make([]float32, len(full.DWI))
		}
		if !strings.Contains(which, "t2") {
			drop.T2, zero.T2 = nil, make([]float32, len(full.T2))
		}
		for _, v := range []struct {
			name string
			in   Input
			want []float32
		}{{"left out", drop, want.Drop}, {"zero", zero, want.Zero}} {
			got, err := m.Logits(context.Background(), v.in)
			if err != nil {
				t.Fatal(err)
			}
			if d := farthest(got, v.want); d > 1e-5 {
				t.Errorf("%s, others %s: logits %v, want %v", which, v.name, got, v.want)
			}
		}
	}
}

// graphOf builds the graph with all modalities and a loss, and binds the weights.
func graphOf(t testing.TB, set weights.Set) (b *nn.Builder, logits, loss *gorgonia.Node) {
	t.Helper()
	config, err := nn.ConfigFrom(set)
	if err != nil {
		t.Fatal(err)
	}
	if b, err = nn.NewBuilder(config); err != nil {
		t.Fatal(err)
	}
	inputs := map[experts.Modality]*gorgonia.Node{}
	for _, m := range experts.Modalities {
		inputs[m] = b.Volume(m)
	}
	if logits, err = Graph(b, branches(), inputs); err != nil {
		t.Fatal(err)
	}
	target := b.Input("target", 1, config.Classes)
	loss = b.Add(func() (*gorgonia.Node, error) { return op.CrossEntropy(logits, target) })
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	return b, logits, loss
}

func compile(t testing.TB, b *nn.Builder, set weights.Set, outputs ...*gorgonia.Node) *op.Program {
	t.Helper()
	p, err := op.Compile(outputs...)
	if err != nil {
		t.Fatal(err)
	}
	for name := range p.Inputs() {
		if tensor, ok := set.Tensor(name); ok {
			if err := p.Bind(name, tensor.Data); err != nil {
				t.Fatal(err)
			}
		}
	}
	return p
}

func run(t testing.TB, p *op.Program, in Input, target []float32) {
	t.Helper()
	for name := range p.Inputs() {
		var data []float32
		switch name {
		case "dce":
			data = in.DCE
		case "dwi":
			data = in.DWI
		case "t2":
			data = in.T2
		case "target":
			data = target
		default:
			continue
		}
		if err := p.Bind(name, data); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func value(t testing.TB, p *op.Program, n *gorgonia.Node) []float32 {
	t.Helper()
	v, err := p.Value(n)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestActivationsMatchPublishedCode(t *testing.T) {
	dir := oracle(t)
	set := oracleWeights(t, dir)
	b, _, _ := graphOf(t, set)
	marks := []string{"stem.dce", "stem.dwi", "stem.t2", "mixture.3", "layer.3.cls", "fc_norm"}
	for i := range 3 {
		for _, m := range []string{"dce", "dwi", "t2"} {
			marks = append(marks, fmt.Sprintf("layer.%d.%s", i, m))
		}
	}
	var outputs []*gorgonia.Node
	for _, name := range marks {
		if b.Marked(name) == nil {
			t.Fatalf("nothing is marked %q", name)
		}
		outputs = append(outputs, b.Marked(name))
	}
	p := compile(t, b, set, outputs...)
	inputs := oracleInputs(t, dir)
	for i, in := range inputs {
		run(t, p, in, []float32{1, 0})
		for k, name := range marks {
			got := value(t, p, outputs[k])
			if want := expected(t, dir, name, i); farthest(got, want[:min(len(got), len(want))]) > 1e-4 {
				t.Errorf("case %d, %s: largest difference %g", i, name, farthest(got, want[:min(len(got), len(want))]))
			}
		}
	}
}

// expected is the part of the published code's activations that a mark stands for.
func expected(t *testing.T, dir, mark string, i int) []float32 {
	const embed = 96
	rows := map[string][2]int{"dce": {0, 25}, "dwi": {25, 31}, "t2": {31, 43}, "cls": {0, 1}}
	parts := strings.Split(mark, ".")
	switch parts[0] {
	case "stem":
		_, data := npyFile(t, dir, "act", "stem_"+parts[1]+"_tokens.npy")
		if data = sample(data, 2, i); parts[1] == "dce" {
			data = data[embed:] // the file has the class token in front
		}
		return data
	case "layer":
		_, data := npyFile(t, dir, "act", "layer0"+parts[1]+"_out.npy")
		r := rows[parts[2]]
		return sample(data, 2, i)[r[0]*embed : r[1]*embed]
	case "mixture":
		_, data := npyFile(t, dir, "act", "layer0"+parts[1]+"_softmoe.npy")
		return sample(data, 2, i)[:embed/4]
	default:
		_, data := npyFile(t, dir, "act", "fc_norm.npy")
		return sample(data, 2, i)
	}
}

func TestGradientsMatchPublishedCode(t *testing.T) {
	dir := oracle(t)
	set := oracleWeights(t, dir)
	b, _, loss := graphOf(t, set)
	names, nodes := b.Weights()
	grads, err := gorgonia.Grad(loss, nodes...)
	if err != nil {
		t.Fatal(err)
	}
	p := compile(t, b, set, append([]*gorgonia.Node{loss}, grads...)...)

	got := map[string][]float32{}
	labels := [][]float32{{0, 1}, {1, 0}} // loss.json: 1, 0
	mean := 0.0
	for i, in := range oracleInputs(t, dir) {
		run(t, p, in, labels[i])
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
	if want := 0.6313654184341431; math.Abs(mean-want) > 1e-5 {
		t.Errorf("loss %v, want %v", mean, want)
	}
	archive, err := zip.OpenReader(filepath.Join(dir, "grads_f32.npz"))
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	worst, seen := 0.0, 0
	for _, f := range archive.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		var raw bytes.Buffer
		if _, err := io.Copy(&raw, in); err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(f.Name, ".npy")
		_, want := npy(t, raw.Bytes())
		g := got[name]
		if g == nil {
			g = make([]float32, len(want)) // not in the graph: no effect
		} else {
			seen++
		}
		size, diff := norm(want), 0.0
		for i, v := range want {
			d := float64(g[i]) - float64(v)
			diff += d * d
		}
		if size < 1e-6 { // without effect in exact arithmetic: both sides are rounding noise
			if norm(g) > 1e-6 {
				t.Errorf("%s: gradient has norm %.3g, want nothing but noise", name, norm(g))
			}
			continue
		}
		relative := math.Sqrt(diff) / size
		worst = max(worst, relative)
		if relative > 1e-4 {
			t.Errorf("%s: gradient differs by %.2g of its norm %.3g", name, relative, size)
		}
	}
	if seen != len(names) {
		t.Errorf("%d of %d gradients were compared", seen, len(names))
	}
	t.Logf("%d gradients, largest relative difference %.2g", seen, worst)
}

func norm(x []float32) float64 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum)
}
