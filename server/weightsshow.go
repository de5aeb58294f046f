package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"mome/experts/nn"
	"mome/experts/weights"
)

type weightsShowCommand struct {
	File string `arg:"" optional:"" type:"existingfile" help:"Weights; default: the built-in ones."`
	networkFlags
	Tensors bool `help:"List every tensor instead of groups."`
	JSON    bool `name:"json" help:"Print JSON."`
}

// Help is the longer text of "server weights show --help".
func (weightsShowCommand) Help() string {
	return `Examples:
    server weights show
    server weights show model.th --json | jq .config`
}

// shown is what "server weights show --json" prints.
type shown struct {
	File       string            `json:"file"`
	SHA256     string            `json:"sha256"` // of the tensors
	Metadata   map[string]string `json:"metadata"`
	Config     *nn.Config        `json:"config"`            // null if the tensors are no network
	Problem    string            `json:"problem,omitempty"` // why not
	Parameters int               `json:"parameters"`
	Tensors    []shownTensor     `json:"tensors"`
}

type shownTensor struct {
	Name  string `json:"name"`
	Shape []int  `json:"shape"`
}

// Run prints what the file is.
func (c *weightsShowCommand) Run() error {
	set, name, err := openSet(c.File)
	if err != nil {
		return err
	}
	stated := maps.Clone(set.Metadata)
	s := shown{File: name, SHA256: set.SHA256(), Metadata: stated, Parameters: set.Parameters()}
	if config, err := c.config(set); err != nil {
		s.Problem = err.Error()
	} else {
		s.Config = &config
	}
	for _, t := range set.All() {
		s.Tensors = append(s.Tensors, shownTensor{t.Name, append([]int{}, t.Shape...)})
	}
	if c.JSON {
		return printJSON(s)
	}
	fmt.Println(name)
	c.provenance(s)
	printNetwork(s, set.Metadata)
	fmt.Printf("  %-16s %s in %d tensors\n", "parameters", thousands(s.Parameters), set.Len())
	if c.Tensors {
		for _, t := range set.All() {
			fmt.Printf("  %-60s %s\n", t.Name, shapeText(t.Shape))
		}
		return nil
	}
	listTensors("tensors", set.All())
	return nil
}

// provenance prints the metadata, the known ones first.
func (c *weightsShowCommand) provenance(s shown) {
	checked := "(the file names none to compare)"
	if s.Metadata[weights.SHA256] != "" {
		checked = "(as the file says)"
	}
	fmt.Printf("  %-16s %s %s\n", "sha256", s.SHA256, checked)
	first := []string{weights.Origin, weights.Licence, weights.DataCard, weights.TrainedOn, weights.Task, weights.Classes, weights.Source, weights.SourceSHA256}
	for _, key := range first {
		value := s.Metadata[key]
		if value == "" {
			value = "not stated"
		}
		fmt.Printf("  %-16s %s\n", key, value)
	}
	for _, key := range slices.Sorted(maps.Keys(s.Metadata)) {
		if key != weights.SHA256 && !slices.Contains(first, key) {
			fmt.Printf("  %-16s %s\n", key, s.Metadata[key])
		}
	}
}

// printNetwork prints the sizes, and which of them are assumed because neither shapes nor metadata nor flags, which were
// written into known, say.
func printNetwork(s shown, known map[string]string) {
	if s.Config == nil {
		fmt.Printf("  %-16s none: %s\n", "network", s.Problem)
		return
	}
	n := *s.Config
	assumed := func(key string) string {
		if known[key] != "" {
			return ""
		}
		return " (assumed)"
	}
	fmt.Printf("  %-16s embed %d, hidden %d, adapters %d, %d heads%s, %d layers, fusion from layer %d, %d experts of %d slots, stems %d and %d channels, %d classes\n",
		"network", n.Embed, n.Hidden, n.Adapter, n.Heads, assumed(weights.Heads), n.Layers, n.FusionFrom, n.Experts, n.Slots, n.StemChannels[0], n.StemChannels[1], n.Classes)
	for _, m := range nn.RowOrder() {
		b, key := n.Boxes.Of(m), nn.InputName(m)
		line := fmt.Sprintf("%d x %d x %d x %d voxels, %d tokens%s", b.Channels, b.Size[0], b.Size[1], b.Size[2], b.Tokens(), assumed(weights.Box+key))
		if b.FieldOfViewMM != [3]float64{} {
			line += fmt.Sprintf(", %g x %g x %g mm", b.FieldOfViewMM[0], b.FieldOfViewMM[1], b.FieldOfViewMM[2])
		}
		fmt.Printf("  %-16s %s\n", "box "+string(m), line)
	}
}

// tensorGroup are tensors of one shape whose names differ in a layer's number and a copy's letter alone.
type tensorGroup struct {
	before, middle, after string // name = before + number + middle + letter + after; both may be empty
	shape                 string
	numbers               []int
	letters               []string
	count, parameters     int
}

var tensorName = regexp.MustCompile(`^(.*?)(?:\.(\d+)(\..*?))?(?:\.([ABC])(\..*))?$`)

// groupTensors keeps the order in which groups are first met.
func groupTensors(tensors []weights.Tensor) []*tensorGroup {
	var groups []*tensorGroup
	byKey := map[[4]string]*tensorGroup{}
	for _, t := range tensors {
		m := tensorName.FindStringSubmatch(t.Name)
		key := [4]string{m[1], m[3], m[5], shapeText(t.Shape)}
		g := byKey[key]
		if g == nil {
			g = &tensorGroup{before: m[1], middle: m[3], after: m[5], shape: key[3]}
			byKey[key], groups = g, append(groups, g)
		}
		if n, err := strconv.Atoi(m[2]); err == nil && !slices.Contains(g.numbers, n) {
			g.numbers = append(g.numbers, n)
		}
		if m[4] != "" && !slices.Contains(g.letters, m[4]) {
			g.letters = append(g.letters, m[4])
		}
		g.count++
		g.parameters += len(t.Data)
	}
	return groups
}

func (g *tensorGroup) name() string {
	name := g.before
	if len(g.numbers) > 0 {
		low, high := slices.Min(g.numbers), slices.Max(g.numbers)
		switch {
		case len(g.numbers) == 1:
			name += fmt.Sprintf(".%d", low)
		case high-low == len(g.numbers)-1:
			name += fmt.Sprintf(".{%d-%d}", low, high)
		default:
			name += "." + strings.ReplaceAll(strings.Trim(fmt.Sprint(g.numbers), "[]"), " ", ",")
		}
		name += g.middle
	}
	switch len(g.letters) {
	case 0:
		return name
	case 1:
		return name + "." + g.letters[0] + g.after
	}
	return name + ".{" + strings.Join(g.letters, ",") + "}" + g.after
}

// listTensors prints groups of tensors under a heading, or nothing where there are none.
func listTensors(heading string, tensors []weights.Tensor) {
	if len(tensors) == 0 {
		return
	}
	total := 0
	for _, t := range tensors {
		total += len(t.Data)
	}
	fmt.Printf("%s: %d tensors, %s parameters\n", heading, len(tensors), thousands(total))
	for _, g := range groupTensors(tensors) {
		fmt.Printf("  %-74s %4d x %-16s %13s\n", g.name(), g.count, g.shape, thousands(g.parameters))
	}
}

func shapeText(shape []int) string {
	if len(shape) == 0 {
		return "scalar"
	}
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(shape), "[]"), " ", "x")
}

// thousands writes a count with commas between groups of three digits.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
