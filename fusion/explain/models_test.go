package explain

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"mome/experts/dce"
	"mome/experts/dwi"
	"mome/experts/nn"
	"mome/experts/t2"
	"mome/experts/weights"
	"mome/fusion"
	"mome/fusion/pretrained"
)

// tiny is a network of odd sizes: boxes that are no multiples of a token's block, three classes, two slots.
func tiny(classes int) nn.Config {
	field := [3]float64{40, 50, 60}
	return nn.Config{
		Embed: 8, Heads: 2, Layers: 3, FusionFrom: 1, Experts: 3, Slots: 2, StemChannels: [2]int{3, 4}, Classes: classes,
		Boxes: nn.Boxes{
			DCE: nn.Box{Channels: 2, Size: [3]int{18, 20, 33}, FieldOfViewMM: field},
			T2:  nn.Box{Channels: 1, Size: [3]int{33, 17, 16}, FieldOfViewMM: field},
			DWI: nn.Box{Channels: 1, Size: [3]int{9, 17, 17}, FieldOfViewMM: field},
		},
	}
}

// shaken are weights whose every tensor is random, also those that start as 0 or 1. Each call returns new ones.
func shaken(t testing.TB, c nn.Config) weights.Set {
	t.Helper()
	set, err := nn.Init(c, 5)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(5, 5))
	for _, tensor := range set.All() {
		for i := range tensor.Data {
			tensor.Data[i] += 0.2 * float32(random.NormFloat64())
		}
	}
	return set
}

// fill sets all elements of a tensor.
func fill(t testing.TB, set weights.Set, name string, value float32) {
	t.Helper()
	tensor, ok := set.Tensor(name)
	if !ok {
		t.Fatalf("no tensor %s", name)
	}
	for i := range tensor.Data {
		tensor.Data[i] = value
	}
}

func explainer(t testing.TB, set weights.Set) *Explainer {
	t.Helper()
	m, err := fusion.New(set, fusion.Options{Branches: fusion.Branches{DCE: dce.Graph, T2: t2.Graph, DWI: dwi.Graph}})
	if err != nil {
		t.Fatal(err)
	}
	x, err := New(m)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func builtIn(t testing.TB) *Explainer {
	t.Helper()
	set, err := pretrained.Phantom()
	if err != nil {
		t.Fatal(err)
	}
	return explainer(t, set)
}

// noise is an input with all modalities.
func noise(c nn.Config, seed uint64) fusion.Input {
	random := rand.New(rand.NewPCG(seed, 1))
	volume := func(b nn.Box) []float32 {
		v := make([]float32, b.Floats())
		for i := range v {
			v[i] = float32(random.NormFloat64())
		}
		return v
	}
	return fusion.Input{DCE: volume(c.Boxes.DCE), T2: volume(c.Boxes.T2), DWI: volume(c.Boxes.DWI)}
}

// lesion is an input with a smooth bright blob amid noise in every modality, which is what the built-in weights know.
func lesion(c nn.Config) fusion.Input {
	in := noise(c, 3)
	for i, data := range [][]float32{in.DCE, in.T2, in.DWI} {
		box := []nn.Box{c.Boxes.DCE, c.Boxes.T2, c.Boxes.DWI}[i]
		n := box.Size[0] * box.Size[1] * box.Size[2]
		for at := range data {
			v := at % n
			h, w, d := v/(box.Size[1]*box.Size[2]), v/box.Size[2]%box.Size[1], v%box.Size[2]
			r := 0.0
			for a, x := range [3]int{h, w, d} {
				off := (float64(x)+0.5)/float64(box.Size[a]) - 0.5
				r += off * off
			}
			data[at] = 0.1*data[at] + float32(2*math.Exp(-r*80))
		}
	}
	return in
}

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
		weights.Heads: "4", weights.Box + "dce": "6,64,48,32", weights.Box + "dwi": "1,48,32,16", weights.Box + "t2": "1,64,48,16",
	} {
		set.Metadata[key] = value
	}
	return set
}

// oracleInput is one of the oracle's two cases.
func oracleInput(t testing.TB, dir string, c nn.Config, i int) fusion.Input {
	t.Helper()
	read := func(name string, box nn.Box) []float32 {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		raw = raw[len(raw)-4*2*box.Floats():] // the end of the file is the data of both cases
		out := make([]float32, box.Floats())
		for k := range out {
			out[k] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*(i*box.Floats()+k):]))
		}
		return out
	}
	return fusion.Input{DCE: read("dce.npy", c.Boxes.DCE), T2: read("t2.npy", c.Boxes.T2), DWI: read("dwi.npy", c.Boxes.DWI)}
}
