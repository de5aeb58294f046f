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

	options, err := Options{
		Branches: fusion.Branches{DCE: dce.Graph, T2: t2.Graph, DWI: dwi.Graph}, WeightDecay: want.Decay, ClipNorm: -1,
		Trained: PublishedTrained,
	}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	d, w, z := halves(t, dir, "dce.npy"), halves(t, dir, "dwi.npy"), halves(t, dir, "t2.npy")
	cases := Samples{{DCE: d[0], DWI: w[0], T2: z[0], Label: 1}, {DCE: d[1], DWI: w[1], T2: z[1], Label: 0}}
	l := newLearner(config, initial, cases, options)
	batch := []item{middle(0), middle(1)}
	if len(want.Losses) != 6 {
		t.Fatalf("%d losses, want those before five steps and after the last", len(want.Losses))
	}
	for i, loss := range want.Losses {
		got, _, err := l.step(context.Background(), batch, want.Rate)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(got-loss) > 1e-4*min(1, 10*loss) {
			t.Errorf("after %d steps: loss %.7f, want %.7f", i, got, loss)
		}
	}
	after, err := l.layout.set(l.flat, config, initial, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, now := range after.All() {
		before, _ := initial.Tensor(now.Name)
		same := slices.Equal(before.Data, now.Data)
		if frozen := !slices.Contains(trained, now.Name); frozen != same {
			t.Errorf("%s: trained %v, unchanged %v", now.Name, !frozen, same)
		}
	}
}

func TestMirrorReversesAxes(t *testing.T) {
	box := nn.Box{Channels: 2, Size: [3]int{2, 3, 5}}
	data := make([]float32, box.Floats())
	for i := range data {
		data[i] = float32(i)
	}
	mirror := func(data []float32, flip Flip) []float32 {
		out := make([]float32, len(data))
		cut(box, data, 0, [3]int{}, flip, out)
		return out
	}
	at := func(data []float32, c, h, w, d int) float32 { return data[((c*2+h)*3+w)*5+d] }
	for _, flip := range AllFlips() {
		got := mirror(data, flip)
		h, w, d := 0, 0, 1
		if flip[0] {
			h = 1
		}
		if flip[1] {
			w = 2
		}
		if flip[2] {
			d = 3
		}
		if got, want := at(got, 1, h, w, d), at(data, 1, 0, 0, 1); got != want {
			t.Errorf("flip %v: voxel (1, %d, %d, %d) is %v, want %v", flip, h, w, d, got, want)
		}
		if again := mirror(got, flip); !slices.Equal(again, data) {
			t.Errorf("flip %v twice is not the volume itself", flip)
		}
	}
}

func TestItemKeepsTheLastModality(t *testing.T) {
	only := Sample{T2: make([]float32, 4)}
	if got, want := (item{leave: [3]bool{false, true, false}}).kept(only), [3]bool{false, true, false}; got != want {
		t.Errorf("of a sample with T2 alone %v is kept, want %v", got, want)
	}
	all := Sample{DCE: make([]float32, 1), T2: make([]float32, 1), DWI: make([]float32, 1)}
	if got, want := (item{leave: [3]bool{true, false, true}}).kept(all), [3]bool{false, true, false}; got != want {
		t.Errorf("without DCE and DWI %v is kept, want %v", got, want)
	}
}

func TestRateRisesThenFalls(t *testing.T) {
	o := Options{LearningRate: 1, FinalRate: 0.1, WarmUp: 0.1, Epochs: 10}
	for _, c := range []struct {
		step int
		want float64
	}{{0, 0.1}, {9, 1}, {10, 1}, {99, 0.1}} {
		if got := o.rate(c.step, 10); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("step %d of 100: rate %g, want %g", c.step, got, c.want)
		}
	}
	for step := 11; step < 100; step++ {
		if o.rate(step, 10) >= o.rate(step-1, 10) {
			t.Errorf("rate does not fall at step %d", step)
		}
	}
	p, err := Published().withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		step int
		want float64
	}{{0, 1e-4}, {6, 1e-4}, {7, 1e-6 + 99e-6*(1+math.Cos(math.Pi/100))/2}, {7 * 50, 1e-6 + 99e-6/2}, {7*100 - 1, 1e-6 + 99e-6*(1+math.Cos(math.Pi*0.99))/2}} {
		if got := p.rate(c.step, 7); math.Abs(got-c.want) > 1e-15 {
			t.Errorf("published rate at step %d of 7 an epoch: %g, want %g", c.step, got, c.want)
		}
	}
}

func TestPublishedTrainsWhatTheAuthorsTrain(t *testing.T) {
	dir := oracle(t)
	var trained []string
	readJSON(t, &trained, dir, "trainable.json")
	set, err := weights.Open(filepath.Join(dir, "model.th"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tensor := range set.All() {
		if got, want := PublishedTrained(tensor.Name), slices.Contains(trained, tensor.Name); got != want {
			t.Errorf("%s: trained %v, want %v", tensor.Name, got, want)
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
	l := newLearner(config, initial, Samples{}, o)
	g, err := l.graph(kind{which: [3]bool{true, true, true}, learning: true})
	if err != nil {
		t.Fatal(err)
	}
	stems := 0
	for _, tensor := range initial.All() {
		if strings.Contains(tensor.Name, "stem") {
			stems += len(tensor.Data)
		}
	}
	if got, want := l.layout.size(), initial.Parameters()-stems; got != want || len(l.sum) != want || len(l.adam.mean) != want {
		t.Errorf("place for %d trained numbers, gradient %d, moments %d, want %d", got, len(l.sum), len(l.adam.mean), want)
	}
	if len(g.trained) == 0 {
		t.Error("nothing is trained")
	}
	for _, number := range g.trained {
		if name := l.layout.specs[number].Name; strings.Contains(name, "stem") {
			t.Errorf("%s has a gradient", name)
		}
	}
}
