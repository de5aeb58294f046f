package train

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mome/experts/dce"
	"mome/experts/dwi"
	"mome/experts/nn"
	"mome/experts/t2"
	"mome/experts/weights"
	"mome/fusion"
)

// oracle is the folder of results of the published code, beside the module; the test skips without it.
func oracle(t *testing.T) string {
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

// halves reads a NumPy file of float32 whose first axis has two cases.
func halves(t *testing.T, dir, name string) [2][]float32 {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	raw = raw[10+int(binary.LittleEndian.Uint16(raw[8:])):]
	data := make([]float32, len(raw)/4)
	for i := range data {
		data[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return [2][]float32{data[:len(data)/2], data[len(data)/2:]}
}

func readJSON(t *testing.T, into any, path ...string) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatal(err)
	}
}

func TestStepsMatchPublishedTraining(t *testing.T) {
	dir := oracle(t)
	initial, err := weights.Open(filepath.Join(dir, "model.th"))
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range map[string]string{
		"heads": "4", "box.dce": "6,64,48,32", "box.dwi": "1,48,32,16", "box.t2": "1,64,48,16",
	} {
		initial.Metadata[key] = value
	}
	config, err := nn.ConfigFrom(initial)
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Losses []float64 `json:"losses_before_each_step_and_after_last_f32"`
		Rate   float64   `json:"lr"`
		Decay  float64   `json:"weight_decay"`
	}
	readJSON(t, &want, dir, "adam_losses.json")
	var trained []string
	readJSON(t, &trained, dir, "trainable.json")

	options := Options{
		Branches: fusion.Branches{DCE: dce.Graph, T2: t2.Graph, DWI: dwi.Graph}, WeightDecay: want.Decay, ClipNorm: -1,
		Trained: func(name string) bool { return slices.Contains(trained, name) },
	}
	if options, err = options.withDefaults(); err != nil {
		t.Fatal(err)
	}
	l, err := newLearner(config, initial, options)
	if err != nil {
		t.Fatal(err)
	}
	d, w, z := halves(t, dir, "dce.npy"), halves(t, dir, "dwi.npy"), halves(t, dir, "t2.npy")
	cases := Samples{{DCE: d[0], DWI: w[0], T2: z[0], Label: 1}, {DCE: d[1], DWI: w[1], T2: z[1], Label: 0}}
	batch := []item{{index: 0, load: cases.At}, {index: 1, load: cases.At}}
	for i, loss := range want.Losses[:4] { // three steps
		got, err := l.step(context.Background(), batch, want.Rate)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(got-loss) > 1e-3*loss {
			t.Errorf("before step %d: loss %.6f, want %.6f", i, got, loss)
		}
	}
	for _, s := range l.layout.specs {
		before, _ := initial.Tensor(s.Name)
		same := slices.Equal(before.Data, l.layout.of(l.flat, s.Name))
		if frozen := !slices.Contains(trained, s.Name); frozen != same {
			t.Errorf("%s: trained %v, unchanged %v", s.Name, !frozen, same)
		}
	}
}

func TestMirrorReversesAxes(t *testing.T) {
	box := nn.Box{Channels: 2, Size: [3]int{2, 3, 5}}
	data := make([]float32, box.Floats())
	for i := range data {
		data[i] = float32(i)
	}
	at := func(data []float32, c, h, w, d int) float32 { return data[((c*2+h)*3+w)*5+d] }
	for _, flip := range [][3]bool{{}, {true, false, false}, {false, true, false}, {false, false, true}, {true, true, true}} {
		got := mirror(box, data, flip)
		h, w, d := 0, 1, 1
		if flip[0] {
			h = 1
		}
		if flip[2] {
			d = 3
		} // the middle of W stays
		if got, want := at(got, 1, h, w, d), at(data, 1, 0, 1, 1); got != want {
			t.Errorf("flip %v: voxel (1, %d, %d, %d) is %v, want %v", flip, h, w, d, got, want)
		}
		if again := mirror(box, got, flip); !slices.Equal(again, data) {
			t.Errorf("flip %v twice is not the volume itself", flip)
		}
	}
}

func TestItemKeepsTheLastModality(t *testing.T) {
	only := Samples{{T2: make([]float32, 4)}}
	it := item{load: only.At, leave: [3]bool{false, true, false}}
	in, _, err := it.input(nn.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if in.T2 == nil {
		t.Error("dropout left a sample without any modality")
	}
}

func TestRateRisesThenFalls(t *testing.T) {
	o := Options{LearningRate: 1, FinalRate: 0.1, WarmUp: 0.1}
	for _, c := range []struct {
		step int
		want float64
	}{{0, 0.1}, {9, 1}, {10, 1}, {99, 0.1}} {
		if got := o.rate(c.step, 100); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("step %d of 100: rate %g, want %g", c.step, got, c.want)
		}
	}
	for step := 11; step < 100; step++ {
		if o.rate(step, 100) >= o.rate(step-1, 100) {
			t.Errorf("rate does not fall at step %d", step)
		}
	}
}

func TestFrozenNamesAreNotInTheGradient(t *testing.T) {
	config := nn.Config{
		Embed: 8, Heads: 2, Layers: 1, Experts: 1, Slots: 1, StemChannels: [2]int{2, 2}, Classes: 2,
		Boxes: nn.Boxes{
			DCE: nn.Box{Channels: 1, Size: [3]int{4, 4, 4}},
			T2:  nn.Box{Channels: 1, Size: [3]int{4, 4, 4}},
			DWI: nn.Box{Channels: 1, Size: [3]int{4, 4, 4}},
		},
	}
	initial, err := nn.Init(config, 1)
	if err != nil {
		t.Fatal(err)
	}
	o, err := Options{
		Branches: fusion.Branches{DCE: dce.Graph, T2: t2.Graph, DWI: dwi.Graph},
		Trained:  func(name string) bool { return !strings.Contains(name, "stem") },
	}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	l, err := newLearner(config, initial, o)
	if err != nil {
		t.Fatal(err)
	}
	g, err := l.graph([3]bool{true, true, true})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range g.trained {
		if strings.Contains(name, "stem") {
			t.Errorf("%s has a gradient", name)
		}
	}
	if len(g.trained) == 0 {
		t.Error("nothing is trained")
	}
}
