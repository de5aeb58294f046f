package main

import (
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mome/experts/nn"
	"mome/experts/weights"
)

// tinyConfig is the smallest network with every part: two layers, one of fusion.
func tinyConfig() nn.Config {
	return nn.Config{
		Embed: 16, Heads: 2, Layers: 2, FusionFrom: 1, Experts: 3, Slots: 1, StemChannels: [2]int{4, 8}, Classes: 2,
		Boxes: nn.Boxes{
			DCE: nn.Box{Channels: 2, Size: [3]int{32, 16, 16}},
			DWI: nn.Box{Channels: 1, Size: [3]int{16, 16, 16}},
			T2:  nn.Box{Channels: 1, Size: [3]int{16, 32, 16}},
		},
	}
}

func tinyFlags() networkFlags {
	return networkFlags{Heads: 2, Box: map[string]string{"dce": "2,32,16,16", "dwi": "1,16,16,16", "t2": "1,16,32,16"}}
}

// tinySet are fresh weights without metadata, as a foreign checkpoint has them.
func tinySet(t *testing.T) weights.Set {
	t.Helper()
	set, err := nn.Init(tinyConfig(), 7)
	if err != nil {
		t.Fatal(err)
	}
	clear(set.Metadata)
	return set
}

func save(t *testing.T, path string, write func(io.Writer) error) string {
	t.Helper()
	if err := writeFile(path, write); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestImportAnnotates(t *testing.T) {
	dir := t.TempDir()
	set := tinySet(t)
	extra := append(slices.Clone(set.All()), weights.Tensor{Name: "optimizer_like", Shape: []int{1}, Data: []float32{1}})
	slices.Reverse(extra)
	foreign, err := weights.New(extra, nil)
	if err != nil {
		t.Fatal(err)
	}
	file := save(t, filepath.Join(dir, "model.th"), foreign.WriteTorch)
	c := weightsImportCommand{
		File: file, networkFlags: tinyFlags(), Licence: "CC0-1.0", DataCard: "none",
		Set: map[string]string{"task": "diagnosis", "classes": "benign,malignant"}, Config: "base",
	}
	if err := c.Run(); err != nil {
		t.Fatal(err)
	}
	got, err := weights.Open(filepath.Join(dir, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	hash, err := fileSHA256(file)
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"heads": "2", "box.dce": "2,32,16,16", "licence": "CC0-1.0", "data_card": "none", "origin": "not stated", "trained_on": "not stated",
		"task": "diagnosis", "classes": "benign,malignant", "source": "model.th", "source_sha256": hash, "sha256": set.SHA256(),
	} {
		if got.Metadata[key] != want {
			t.Errorf("metadata %s: got %q, want %q", key, got.Metadata[key], want)
		}
	}
	if _, ok := got.Tensor("optimizer_like"); ok || got.All()[0].Name != set.All()[0].Name {
		t.Errorf("imported %d tensors from %q on, want the network's alone, in its order", got.Len(), got.All()[0].Name)
	}
	if _, err := nn.ConfigFrom(got); err != nil {
		t.Errorf("the imported file needs flags: %v", err)
	}
	exported := filepath.Join(dir, "again.th")
	if err := (&weightsExportCommand{File: filepath.Join(dir, "model.safetensors"), Output: exported}).Run(); err != nil {
		t.Fatal(err)
	}
	again, err := weights.Open(exported)
	if err != nil || again.SHA256() != set.SHA256() || again.Metadata["task"] != "diagnosis" {
		t.Errorf("exported and read: error %v, hash %s, metadata %v", err, again.SHA256(), again.Metadata)
	}
}

func TestImportSaysWhatToDo(t *testing.T) {
	dir := t.TempDir()
	set := tinySet(t)
	file := save(t, filepath.Join(dir, "model.th"), set.WriteTorch)
	short, err := weights.New(set.All()[:set.Len()-1], nil)
	if err != nil {
		t.Fatal(err)
	}
	broken := set.Clone()
	broken.All()[3].Data[5] = float32(math.NaN())
	beit3, err := weights.New([]weights.Tensor{{Name: "beit3.text_embed.weight", Shape: []int{1}, Data: []float32{1}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		command weightsImportCommand
		want    string
	}{
		{"no boxes", weightsImportCommand{File: file}, "--box"},
		{"wrong heads", weightsImportCommand{File: file, networkFlags: networkFlags{Heads: 5, Box: tinyFlags().Box}}, "--heads"},
		{"unknown modality", weightsImportCommand{File: file, networkFlags: networkFlags{Box: map[string]string{"ct": "1,1,1,1"}}}, "ct"},
		{"a setting that is no number", weightsImportCommand{File: file, networkFlags: tinyFlags(), Set: map[string]string{"temperature": "hot"}}, "temperature"},
		{"over itself", weightsImportCommand{File: file, Output: file, networkFlags: tinyFlags()}, "-o"},
		{"a tensor missing", weightsImportCommand{File: save(t, filepath.Join(dir, "short.th"), short.WriteTorch), networkFlags: tinyFlags()}, `"head.bias" is missing`},
		{"not finite", weightsImportCommand{File: save(t, filepath.Join(dir, "nan.th"), broken.WriteTorch), networkFlags: tinyFlags()}, set.All()[3].Name},
		{"BEiT-3 without the flag", weightsImportCommand{File: save(t, filepath.Join(dir, "b.th"), beit3.WriteTorch)}, "--beit3"},
		{"BEiT-3 of another size", weightsImportCommand{File: file, BEiT3: true, Config: "small"}, "small"},
	} {
		if err := c.command.Run(); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want one line with %q", c.name, err, c.want)
		}
	}
	if again, err := weights.Open(file); err != nil || again.Len() != set.Len() {
		t.Errorf("a refused import changed its source: %v", err)
	}
}

// A stand-in for BEiT-3 has the small network's tensors of copy A, and its own embeddings.
func TestImportOfBEiT3(t *testing.T) {
	config, err := presetConfig("small")
	if err != nil {
		t.Fatal(err)
	}
	like, err := nn.Init(config, 3)
	if err != nil {
		t.Fatal(err)
	}
	var tensors []weights.Tensor
	for _, tensor := range like.All() {
		if strings.Contains(tensor.Name, ".A.") && !strings.Contains(tensor.Name, "MLP_Adapter") {
			tensors = append(tensors, tensor)
		}
	}
	tensors = append(tensors, weights.Tensor{Name: "beit3.text_embed.weight", Shape: []int{2, 96}, Data: make([]float32, 192)})
	source, err := weights.New(tensors, nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	output := filepath.Join(dir, "start.safetensors")
	c := weightsImportCommand{File: save(t, filepath.Join(dir, "beit3.pth"), source.WriteTorch), Output: output, BEiT3: true, Config: "small", Seed: 1}
	if err := c.Run(); err != nil {
		t.Fatal(err)
	}
	got, err := weights.Open(output)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := nn.ConfigFrom(got); err != nil {
		t.Fatal(err)
	}
	from, _ := like.Tensor(nn.LayerName(3, "ffn.A.fc1.weight"))
	for _, name := range []string{"ffn.A.fc1.weight", "ffn.B.fc1.weight", "ffn.C.fc1.weight"} {
		if to, _ := got.Tensor(nn.LayerName(3, name)); !slices.Equal(to.Data, from.Data) {
			t.Errorf("%s does not begin with BEiT-3's", name)
		}
	}
	if !strings.Contains(got.Metadata[weights.Origin], "BEiT-3") {
		t.Errorf("origin %q", got.Metadata[weights.Origin])
	}
}

func TestVerify(t *testing.T) {
	dir := t.TempDir()
	set := tinySet(t)
	if err := tinyFlags().apply(set); err != nil {
		t.Fatal(err)
	}
	good := save(t, filepath.Join(dir, "good"), set.WriteSafetensors)
	raw, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)-1] ^= 1
	changed := filepath.Join(dir, "changed")
	if err := os.WriteFile(changed, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	broken := set.Clone()
	broken.All()[0].Data[0] = float32(math.Inf(1))
	for _, c := range []struct {
		name, file string
		want       string // empty: fine
	}{
		{"good", good, ""},
		{"built in", "", ""},
		{"a bit changed", changed, "hash"},
		{"not finite", save(t, filepath.Join(dir, "inf"), broken.WriteSafetensors), set.All()[0].Name},
	} {
		err := (&weightsVerifyCommand{File: c.file}).Run()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
	if status := run(t.Context(), []string{"weights", "verify", changed}); status != 1 {
		t.Errorf("status %d for a changed file, want 1", status)
	}
}

func TestGroupsOfTensors(t *testing.T) {
	var tensors []weights.Tensor
	for _, name := range []string{"x.cls", "e.layers.0.a.A.w", "e.layers.0.a.B.w", "e.layers.1.a.A.w", "e.layers.1.a.B.w", "e.layers.3.n.b", "p.C.w"} {
		tensors = append(tensors, weights.Tensor{Name: name, Shape: []int{2}, Data: make([]float32, 2)})
	}
	var got []string
	for _, g := range groupTensors(tensors) {
		got = append(got, g.name())
	}
	if want := []string{"x.cls", "e.layers.{0-1}.a.{A,B}.w", "e.layers.3.n.b", "p.C.w"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A version that a container's environment names must not stand in for the command.
func TestVersionIsNoSetting(t *testing.T) {
	t.Setenv("MOME_VERSION", "1.2")
	if status := run(t.Context(), []string{"weights", "verify", filepath.Join(t.TempDir(), "absent")}); status != 2 {
		t.Errorf("exit status %d for a file that is not there, want 2", status)
	}
}
