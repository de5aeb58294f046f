package nn_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"

	"mome/experts"
	"mome/experts/nn"
	"mome/experts/weights"
	"mome/gpu/vm"
)

func small() nn.Config {
	return nn.Config{
		Embed: 96, Heads: 4, Layers: 4, FusionFrom: 3, Experts: 8, Slots: 1, StemChannels: [2]int{64, 128}, Classes: 2,
		Boxes: nn.Boxes{
			DCE: nn.Box{Channels: 6, Size: [3]int{64, 48, 32}, FieldOfViewMM: [3]float64{320, 240, 160.5}},
			T2:  nn.Box{Channels: 1, Size: [3]int{64, 48, 16}, FieldOfViewMM: [3]float64{320, 240, 160}},
			DWI: nn.Box{Channels: 1, Size: [3]int{48, 32, 16}, FieldOfViewMM: [3]float64{310, 0.5, 80}},
		},
	}
}

// tiny is a network of odd sizes.
func tiny() nn.Config {
	return nn.Config{
		Embed: 12, Heads: 3, Layers: 2, FusionFrom: 1, Experts: 3, Slots: 2, StemChannels: [2]int{3, 5}, Classes: 3,
		Boxes: nn.Boxes{
			DCE: nn.Box{Channels: 2, Size: [3]int{17, 9, 5}},
			T2:  nn.Box{Channels: 1, Size: [3]int{7, 33, 3}},
			DWI: nn.Box{Channels: 3, Size: [3]int{5, 4, 3}},
		},
	}
}

func TestTensorsAreThePublishedOnes(t *testing.T) {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "../../../shared/data/mome-small/state_dict.txt")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Skipf("the published code's list of tensors is not at %s", path)
	}
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	specs := small().Tensors()
	if len(specs) != len(lines) {
		t.Errorf("%d tensors, want %d", len(specs), len(lines))
	}
	for i, s := range specs[:min(len(specs), len(lines))] {
		shape := strings.Trim(strings.ReplaceAll(fmt.Sprint(s.Shape), " ", "x"), "[]")
		if got := s.Name + " float32 " + shape; got != lines[i] {
			t.Errorf("tensor %d: got %q, want %q", i, got, lines[i])
		}
	}
}

func TestConfigSurvivesWeights(t *testing.T) {
	uneven := tiny() // ratios that are not the published ones
	uneven.Hidden, uneven.Adapter, uneven.Embed, uneven.Heads = 17, 7, 10, 5
	indivisible := tiny() // by 4
	indivisible.Embed, indivisible.Context = 15, true
	marked := tiny()
	marked.Absolute.DWI = nn.Absolute{Channels: 1, WindowMM: 12.5}
	marked.Boxes.DCE.FieldOfViewMM, marked.Boxes.T2.FieldOfViewMM, marked.Boxes.DWI.FieldOfViewMM =
		[3]float64{64, 64, 64}, [3]float64{64, 64, 64}, [3]float64{64, 64, 64}
	for _, c := range []nn.Config{small(), tiny(), uneven, indivisible, marked} {
		set, err := nn.Init(c, 1)
		if err != nil {
			t.Fatal(err)
		}
		got, err := nn.ConfigFrom(set)
		if err != nil {
			t.Fatal(err)
		}
		if got != c.Full() {
			t.Errorf("got %+v, want %+v", got, c.Full())
		}
		if got.ReadsWhole() != (c.Boxes.DCE.FieldOfViewMM[0] == 0) {
			t.Errorf("field of view %v mm: reads whole volumes: %v", c.Boxes.DCE.FieldOfViewMM, got.ReadsWhole())
		}
	}
}

func TestConfigDefaults(t *testing.T) {
	set, err := nn.Init(small(), 1)
	if err != nil {
		t.Fatal(err)
	}
	clear(set.Metadata)
	// Without metadata the boxes are the published ones, whose tokens these position tables do not have.
	if _, err := nn.ConfigFrom(set); !errors.Is(err, nn.ErrConfig) || !strings.Contains(err.Error(), "embed_positions.A") {
		t.Errorf("error %v, want ErrConfig naming the position table", err)
	}
	for key, value := range small().Metadata() {
		if key != weights.Heads {
			set.Metadata[key] = value
		}
	}
	c, err := nn.ConfigFrom(set)
	if err != nil {
		t.Fatal(err)
	}
	if c.Heads != 4 {
		t.Errorf("96 is not a multiple of 64: %d heads, want 4", c.Heads)
	}
}

func TestHeadsTooWideForAttention(t *testing.T) {
	c := small()
	c.Embed, c.Heads = 4*400, 4
	if err := c.Check(); !errors.Is(err, nn.ErrConfig) || !strings.Contains(err.Error(), "heads of 400 numbers") {
		t.Errorf("error %v, want one about heads of 400 numbers", err)
	}
	c.Heads = 5
	if err := c.Check(); err != nil {
		t.Errorf("heads of 320 numbers: %v", err)
	}
}

func TestBoxesTooLargeForMemory(t *testing.T) {
	c := small()
	c.Boxes.DCE.Size = [3]int{4096, 4096, 4096}
	if err := c.Check(); !errors.Is(err, nn.ErrConfig) || !strings.Contains(err.Error(), "Boxes.DCE") {
		t.Errorf("error %v, want one about the DCE box", err)
	}
}

func TestPublishedBaseHasThePublishedTokens(t *testing.T) {
	boxes := nn.Boxes{
		DCE: nn.Box{Channels: 6, Size: [3]int{384, 256, 128}},
		T2:  nn.Box{Channels: 1, Size: [3]int{384, 256, 48}},
		DWI: nn.Box{Channels: 1, Size: [3]int{256, 128, 32}},
	}
	for m, want := range map[experts.Modality]int{experts.DCE: 3072, experts.T2: 1152, experts.DWI: 256} {
		if got := boxes.Of(m).Tokens(); got != want {
			t.Errorf("%s: %d tokens, want %d", m, got, want)
		}
	}
}

func TestConfigFromNamesTheFirstMisfit(t *testing.T) {
	fresh := func() []weights.Tensor {
		set, err := nn.Init(tiny(), 1)
		if err != nil {
			t.Fatal(err)
		}
		return set.All()
	}
	index := func(all []weights.Tensor, name string) int {
		for i, tensor := range all {
			if tensor.Name == name {
				return i
			}
		}
		t.Fatalf("no tensor %q", name)
		return -1
	}
	without := func(name string) []weights.Tensor {
		all := fresh()
		i := index(all, name)
		return append(all[:i], all[i+1:]...)
	}
	reshaped := func(name string, shape ...int) []weights.Tensor {
		all := fresh()
		n := 1
		for _, d := range shape {
			n *= d
		}
		all[index(all, name)] = weights.Tensor{Name: name, Shape: shape, Data: make([]float32, n)}
		return all
	}
	for _, c := range []struct {
		name    string
		tensors []weights.Tensor
		meta    map[string]string
		want    string
	}{
		{"nothing", nil, nil, "cls_token"},
		{"no head", without("head.weight"), nil, "head.weight"},
		{"no bias", without("fc_norm.bias"), nil, "fc_norm.bias"},
		{"no copy C", without("beit3.encoder.layers.1.ffn.C.fc2.weight"), nil, "layers.1.ffn.C.fc2.weight"},
		{"no mixture", without("beit3.encoder.layers.1.MLP_Adapter.moe.phi"), nil, "moe.phi"},
		{"flat class token", reshaped("beit3.dce_embed.cls_token", 12), nil, "cls_token"},
		{"another hidden size", reshaped("beit3.encoder.layers.0.ffn.B.fc1.weight", 40, 12), nil,
			`layers.0.ffn.B.fc1.weight" has shape [40 12], want [48 12]`},
		{"a hidden size that its bias lacks", reshaped("beit3.encoder.layers.0.ffn.A.fc1.weight", 40, 12), nil,
			`layers.0.ffn.A.fc1.bias" has shape [48], want [40]`},
		{"another adapter size", reshaped("beit3.encoder.layers.1.MLP_Adapter.D_fc1.weight", 4, 12), nil,
			`layers.1.MLP_Adapter.D_fc1.weight" has shape [4 12], want [3 12]`},
		{"mixture without experts", reshaped("beit3.encoder.layers.1.MLP_Adapter.moe.phi", 3, 6), nil, "moe.phi"},
		{"another embedding", reshaped("beit3.encoder.embed_positions.B.weight", 1, 13), nil, "embed_positions.B"},
		{"heads that do not divide", fresh(), map[string]string{"heads": "5"}, "Heads 5"},
		{"heads in words", fresh(), map[string]string{"heads": "three"}, "heads"},
		{"box of three numbers", fresh(), map[string]string{"box.dce": "2,17,9"}, "box.dce"},
		{"box of other channels", fresh(), map[string]string{"box.dce": "3,17,9,5"}, "stem.0.weight"},
		{"box of no size", fresh(), map[string]string{"box.t2": "1,0,33,3"}, "T2"},
		{"box beyond all bounds", fresh(), map[string]string{"box.t2": "1,2000000000,33,3"}, "T2"},
		{"context of other columns", append(fresh(), weights.Tensor{Name: "context.weight", Shape: []int{1, 12}, Data: make([]float32, 12)}), nil,
			"context.weight"},
		{"field of view in words", fresh(), map[string]string{"fov_mm.dwi": "a,b,c"}, "fov_mm.dwi"},
		{"field of view of one box", fresh(), map[string]string{"fov_mm.dwi": "1,1,1"}, "field of view"},
		{"field of view of two axes", fresh(),
			map[string]string{"fov_mm.dwi": "1,1,1", "fov_mm.dce": "1,1,1", "fov_mm.t2": "1,0,1"}, "field of view"},
		{"field of view of nothing", fresh(), map[string]string{"fov_mm.dwi": "NaN,1,1"}, "fov_mm.dwi"},
	} {
		meta := tiny().Metadata()
		for k, v := range c.meta {
			meta[k] = v
		}
		set, err := weights.New(c.tensors, meta)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := nn.ConfigFrom(set); !errors.Is(err, nn.ErrConfig) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want ErrConfig with %q", c.name, err, c.want)
		}
	}
}

func TestInitFollowsTheSeed(t *testing.T) {
	hash := func(seed uint64) string {
		set, err := nn.Init(tiny(), seed)
		if err != nil {
			t.Fatal(err)
		}
		for _, tensor := range set.All() {
			for _, v := range tensor.Data {
				if math.IsNaN(float64(v)) || math.Abs(float64(v)) > 10 {
					t.Fatalf("%s holds %g", tensor.Name, v)
				}
			}
		}
		return set.SHA256()
	}
	if hash(1) != hash(1) || hash(1) == hash(2) {
		t.Error("the tensors must follow from the seed")
	}
	if _, err := nn.Init(nn.Config{}, 1); !errors.Is(err, nn.ErrConfig) {
		t.Errorf("empty configuration: error %v, want ErrConfig", err)
	}
}

// An expert fed with its stem's tokens must say the same as fed with the volume.
func TestExpertTakesVolumeOrTokens(t *testing.T) {
	set, err := nn.Init(tiny(), 1)
	if err != nil {
		t.Fatal(err)
	}
	expert := func(m experts.Modality, name string, data []float32, shape ...int) (out, stem []float32) {
		t.Helper()
		b, err := nn.NewBuilder(tiny())
		if err != nil {
			t.Fatal(err)
		}
		var input *gorgonia.Node
		if data != nil {
			input = b.Input(name, shape...)
		}
		x, err := b.Expert(m, input)
		if err != nil {
			t.Fatal(err)
		}
		outputs := []*gorgonia.Node{x}
		if tokens := b.Marked("stem." + nn.InputName(m)); tokens != nil {
			outputs = append(outputs, tokens)
		}
		p, err := vm.Compile(outputs...)
		if err != nil {
			t.Fatal(err)
		}
		names, _ := b.Weights()
		for _, name := range names {
			tensor, _ := set.Tensor(name)
			if err := p.Bind(name, tensor.Data); err != nil {
				t.Fatal(err)
			}
		}
		if data != nil {
			if err := p.Bind(name, data); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		out, err = p.Value(x)
		if err != nil {
			t.Fatal(err)
		}
		if len(outputs) > 1 {
			if stem, err = p.Value(outputs[1]); err != nil {
				t.Fatal(err)
			}
		}
		return out, stem
	}
	for _, m := range experts.Modalities {
		box := tiny().Boxes.Of(m)
		volume := make([]float32, box.Floats())
		for i := range volume {
			volume[i] = float32(i*i%17) - 5
		}
		want, tokens := expert(m, "volume", volume, 1, box.Channels, box.Size[0], box.Size[1], box.Size[2])
		got, _ := expert(m, "tokens", tokens, box.Tokens(), tiny().Embed)
		rows := box.Tokens()
		if m == experts.DCE {
			rows++ // the class token
		}
		if len(want) != rows*tiny().Embed {
			t.Errorf("%s: %d numbers, want %d rows of %d", m, len(want), rows, tiny().Embed)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("%s: number %d is %g from tokens, %g from the volume", m, i, got[i], want[i])
			}
		}
	}
	if alone, _ := expert(experts.DCE, "", nil); len(alone) != tiny().Embed {
		t.Errorf("DCE without a volume: %d numbers, want the class token's %d", len(alone), tiny().Embed)
	}
}

func TestBuilderKeepsTheFirstError(t *testing.T) {
	b, err := nn.NewBuilder(tiny())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Expert(experts.T2, nil); err == nil || !strings.Contains(err.Error(), "T2") {
		t.Errorf("T2 without an input: error %v", err)
	}
	first := b.Err()
	if b.Weight("no such tensor") != nil || b.Err() != first {
		t.Errorf("error %v after %v", b.Err(), first)
	}
	b, err = nn.NewBuilder(tiny())
	if err != nil {
		t.Fatal(err)
	}
	if b.Weight("no such tensor") != nil || !errors.Is(b.Err(), nn.ErrConfig) {
		t.Errorf("unknown tensor: error %v, want ErrConfig", b.Err())
	}
	if _, err := nn.NewBuilder(nn.Config{}); !errors.Is(err, nn.ErrConfig) {
		t.Errorf("empty configuration: error %v, want ErrConfig", err)
	}
}
