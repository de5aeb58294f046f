package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"mome/experts/nn"
	"mome/experts/weights"
	"mome/fusion"
	"mome/fusion/pretrained"
)

type weightsCommand struct {
	Import weightsImportCommand `cmd:"" help:"Turn a PyTorch checkpoint into safetensors with its provenance."`
	Show   weightsShowCommand   `cmd:"" help:"Tell what a file of weights is: provenance, network, tensors."`
	Verify weightsVerifyCommand `cmd:"" help:"Check a file of weights: form, hash, network, finite numbers."`
	Export weightsExportCommand `cmd:"" help:"Write weights as a checkpoint that PyTorch reads."`
}

// networkFlags tell what the shapes of tensors cannot. They go before what the file says.
type networkFlags struct {
	Heads int               `placeholder:"N" help:"Attention heads; default: what the file says, or embed/64, or 4 where 64 does not divide embed."`
	Box   map[string]string `placeholder:"NAME=C,H,W,D" help:"Volume of a modality in voxels, such as dce=6,384,256,128, may be repeated; default: what the file says, or the published boxes."`
}

// apply writes the flags into the metadata.
func (f networkFlags) apply(set weights.Set) error {
	if f.Heads != 0 {
		set.Metadata[weights.Heads] = strconv.Itoa(f.Heads)
	}
	for name, box := range f.Box {
		switch name = strings.ToLower(name); name {
		case "dce", "dwi", "t2":
			set.Metadata[weights.Box+name] = box
		default:
			return fmt.Errorf("--box %s=%s: no such modality, want dce, dwi or t2", name, box)
		}
	}
	return nil
}

// config reads the network's sizes and says which flag may help where they do not fit.
func (f networkFlags) config(set weights.Set) (nn.Config, error) {
	if err := f.apply(set); err != nil {
		return nn.Config{}, err
	}
	config, err := nn.ConfigFrom(set)
	if err == nil {
		return config, nil
	}
	text := err.Error()
	switch {
	case hasTensor(set, "beit3.vision_embed.cls_token") || hasTensor(set, "beit3.text_embed.weight"):
		err = fmt.Errorf("%w (this is BEiT-3: see server weights import --beit3)", err)
	case strings.Contains(text, "embed_positions") || strings.Contains(text, weights.Box) || strings.Contains(text, "Heads"):
		err = fmt.Errorf("%w (where the file does not say, give --heads 4 --box dce=6,64,48,32 --box dwi=1,48,32,16 --box t2=1,64,48,16, with your numbers)", err)
	}
	return nn.Config{}, err
}

func hasTensor(set weights.Set, name string) bool { _, ok := set.Tensor(name); return ok }

// openSet opens a file of weights, or the built-in ones for an empty path, and names them.
func openSet(path string) (set weights.Set, name string, err error) {
	if path == "" {
		set, err = pretrained.Phantom()
		return set, "built-in weights", err
	}
	set, err = weights.Open(path)
	return set, path, err
}

type weightsImportCommand struct {
	File   string `arg:"" type:"existingfile" help:"PyTorch checkpoint (zip archive) or safetensors."`
	Output string `short:"o" type:"path" placeholder:"FILE" help:"File to write; default: FILE with the ending .safetensors."`
	networkFlags
	Origin   string            `placeholder:"TEXT" help:"Who trained the model on what."`
	Licence  string            `placeholder:"SPDX" help:"Licence of the weights."`
	DataCard string            `placeholder:"TEXT" help:"What the training data were, and what they were not."`
	Set      map[string]string `mapsep:"none" placeholder:"KEY=VALUE" help:"Further metadata, may be repeated: task, classes, trained_on, temperature, operating_point, fov_mm.dce, ..."`
	BEiT3    bool              `name:"beit3" help:"FILE is BEiT-3: make a network to be trained, its layers begun with BEiT-3's tensors for images."`
	Config   string            `enum:"base,small" default:"base" help:"With --beit3, the network's size: base or small."`
	Seed     uint64            `default:"1" help:"With --beit3, seed of the tensors that BEiT-3 does not have."`
}

// Help is the longer text of "server weights import --help".
func (weightsImportCommand) Help() string {
	return `Reads a checkpoint without executing anything of it, takes the network's tensors, checks that they are complete and finite,
and writes them with their provenance and hash. Optimizer states are skipped.

Examples:
    server weights import model.th --licence CC-BY-NC-4.0 --origin "hospital X" --set task=diagnosis
    server weights import small.th --heads 4 --box dce=6,64,48,32 --box dwi=1,48,32,16 --box t2=1,64,48,16
    server weights import beit3_base_patch16_224.pth --beit3 --config base -o start.safetensors`
}

// Run imports the file.
func (c *weightsImportCommand) Run() error {
	output := c.Output
	if output == "" {
		output = strings.TrimSuffix(c.File, filepath.Ext(c.File)) + ".safetensors"
	}
	if sameFile(output, c.File) {
		return fmt.Errorf("%s would be written over itself: name another file by -o", c.File)
	}
	source, err := weights.Open(c.File)
	if err != nil {
		return err
	}
	hash, err := fileSHA256(c.File)
	if err != nil {
		return err
	}
	var set weights.Set
	if c.BEiT3 {
		set, err = c.fromBEiT3(source)
	} else {
		set, err = c.take(source)
	}
	if err != nil {
		return err
	}
	if name, i, found := set.NonFinite(); found {
		return fmt.Errorf("import %s: tensor %q is not finite at number %d", c.File, name, i)
	}
	c.annotate(set, hash)
	if _, err := fusion.New(set, fusion.Options{Branches: branches}); err != nil { // settings of --set too
		return fmt.Errorf("import %s: %w", c.File, err)
	}
	if err := writeFile(output, set.WriteSafetensors); err != nil {
		return err
	}
	fmt.Printf("%s: %d tensors, %s parameters, sha256 %s\n", output, set.Len(), thousands(set.Parameters()), set.SHA256())
	return nil
}

// take keeps the tensors that the network has, in its order, and lists the others.
func (c *weightsImportCommand) take(source weights.Set) (weights.Set, error) {
	config, err := c.config(source)
	if err != nil {
		return weights.Set{}, fmt.Errorf("import %s: %w", c.File, err)
	}
	kept := map[string]bool{}
	var tensors, left []weights.Tensor
	for _, spec := range config.Tensors() {
		t, _ := source.Tensor(spec.Name) // nn.ConfigFrom has seen them all
		tensors, kept[spec.Name] = append(tensors, t), true
	}
	for _, t := range source.All() {
		if !kept[t.Name] {
			left = append(left, t)
		}
	}
	listTensors("not of the network, left out", left)
	metadata := maps.Clone(source.Metadata)
	maps.Copy(metadata, config.Metadata())
	return weights.New(tensors, metadata)
}

func (c *weightsImportCommand) fromBEiT3(source weights.Set) (weights.Set, error) {
	config, err := presetConfig(c.Config)
	if err != nil {
		return weights.Set{}, err
	}
	fresh, err := nn.Init(config, c.Seed)
	if err != nil {
		return weights.Set{}, err
	}
	set, report, err := weights.FromBEiT3(source, fresh)
	if err != nil {
		return weights.Set{}, fmt.Errorf("import %s into a network of size %s: %w", c.File, c.Config, err)
	}
	set.Metadata[weights.Origin] = "BEiT-3's tensors for images, the rest fresh: to be trained"
	set.Metadata[weights.TrainedOn] = "nothing yet"
	listTensors("begun with BEiT-3's", named(set, report.Copied))
	listTensors("fresh (D_fc2 is 0)", named(set, report.Fresh))
	listTensors("of BEiT-3, not used", named(source, report.Unused))
	return set, nil
}

func named(set weights.Set, names []string) []weights.Tensor {
	out := make([]weights.Tensor, len(names))
	for i, name := range names {
		out[i], _ = set.Tensor(name)
	}
	return out
}

// annotate writes where the tensors came from. What the file did not say, and nobody else did, is said to be unknown.
func (c *weightsImportCommand) annotate(set weights.Set, hash string) {
	given := map[string]string{
		weights.Source: filepath.Base(c.File), weights.SourceSHA256: hash,
		weights.Origin: c.Origin, weights.Licence: c.Licence, weights.DataCard: c.DataCard,
	}
	maps.Copy(given, c.Set)
	for key, value := range given {
		if value != "" {
			set.Metadata[key] = value
		}
	}
	for _, key := range []string{weights.Origin, weights.Licence, weights.DataCard, weights.TrainedOn} {
		if set.Metadata[key] == "" {
			set.Metadata[key] = "not stated"
		}
	}
}

// fileSHA256 is the hash of a file's bytes.
func fileSHA256(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func sameFile(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

type weightsVerifyCommand struct {
	File string `arg:"" optional:"" type:"existingfile" help:"Weights; default: the built-in ones."`
	networkFlags
}

// Help is the longer text of "server weights verify --help".
func (weightsVerifyCommand) Help() string {
	return `Exit status 1 and one line about the first thing that is wrong: the form of the file, the hash of its tensors, a tensor that is
missing or has another shape than the network needs, a setting that cannot be read, a number that is not finite.

Example:
    server weights verify weights.safetensors`
}

// Run checks the file.
func (c *weightsVerifyCommand) Run() error {
	set, name, err := openSet(c.File) // compares the hash
	if err != nil {
		return err
	}
	hash := set.Metadata[weights.SHA256]
	config, err := c.config(set)
	if err != nil {
		return fmt.Errorf("verify %s: %w", name, err)
	}
	if _, err := fusion.New(set, fusion.Options{Branches: branches}); err != nil {
		return fmt.Errorf("verify %s: %w", name, err)
	}
	if tensor, i, found := set.NonFinite(); found {
		return fmt.Errorf("verify %s: tensor %q is not finite at number %d", name, tensor, i)
	}
	fmt.Printf("%s: %d tensors fit the network, all numbers are finite", name, len(config.Tensors()))
	if hash == "" {
		fmt.Println("; the file names no hash to compare")
		return nil
	}
	fmt.Println("; sha256", hash)
	return nil
}

type weightsExportCommand struct {
	File   string `arg:"" optional:"" type:"existingfile" help:"Weights; default: the built-in ones."`
	Output string `short:"o" required:"" type:"path" placeholder:"FILE" help:"Checkpoint to write, such as model.th."`
}

// Help is the longer text of "server weights export --help".
func (weightsExportCommand) Help() string {
	return `Writes a zip archive as torch.save does, with {epoch, state_dict, metadata}; torch.load reads it with weights_only.

Example:
    server weights export weights.safetensors -o model.th`
}

// Run writes the checkpoint.
func (c *weightsExportCommand) Run() error {
	if c.File != "" && sameFile(c.File, c.Output) {
		return errors.New(c.File + " would be written over itself: name another file by -o")
	}
	set, _, err := openSet(c.File)
	if err != nil {
		return err
	}
	if err := writeFile(c.Output, set.WriteTorch); err != nil {
		return err
	}
	fmt.Printf("%s: %d tensors, %s parameters\n", c.Output, set.Len(), thousands(set.Parameters()))
	return nil
}
