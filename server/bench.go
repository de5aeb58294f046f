package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"mome/experts"
	"mome/experts/nn"
	"mome/experts/weights"
	"mome/fusion"
	"mome/gpu/vm"
)

type benchCommand struct {
	GPU       benchGPUCommand       `cmd:"" name:"gpu" help:"Check and time everything on a GPU, against the CPU and PyTorch."`
	Model     benchModelCommand     `cmd:"" help:"Time and memory of the network's forward pass, and of its gradients."`
	Analysis  benchAnalysisCommand  `cmd:"" help:"Time and memory of each stage of reading a study."`
	Detection benchDetectionCommand `cmd:"" help:"How lesions are found and outlined, on digital phantoms."`
	DICOMweb  benchDICOMwebCommand  `cmd:"" name:"dicomweb" help:"CPU time, latency and memory of DICOMweb servers, side by side."`
	Archive   benchArchiveCommand   `cmd:"" help:"Queries of DICOMweb servers while their archives grow."`
}

type benchModelCommand struct {
	Weights string `type:"existingfile" placeholder:"FILE" help:"Weights to run; default: those of --config."`
	networkFlags
	Config string `enum:"default,small,base" default:"default" help:"Without --weights: default is the built-in weights, small and base are networks of those sizes with random tensors; base is the published one, of 291 M parameters."`
	computeFlags
	Backward bool   `help:"Compute the gradients of all tensors as well."`
	Profile  bool   `help:"Run once more, operation by operation, and add CPU time up by kind."`
	Runs     int    `default:"3" help:"Runs to measure, after one that warms up."`
	Keep     string `type:"path" placeholder:"DIR" help:"Write weights.th, dce.npy, dwi.npy, t2.npy and logits.npy, for another implementation to run the same."`
	JSON     bool   `name:"json" help:"Print JSON."`
}

// Help is the longer text of "server bench model --help".
func (benchModelCommand) Help() string {
	return `Runs the network on random volumes of one case. CPU seconds are user and system time of all cores together, and say more than
wall time on a machine that does other things too. GFLOP counts a multiplication and its addition as two, of products and
convolutions alone.

Examples:
    server bench model
    server bench model --config base --runs 1 --profile
    server bench model --config small --keep peer && python3 .ci/peer/forward.py peer`
}

// benchResult is what "server bench model --json" prints. Times are in seconds, memory in 10^6 bytes.
type benchResult struct {
	Weights      string             `json:"weights"`
	Device       string             `json:"device"`
	Precision    string             `json:"precision"`
	Backward     bool               `json:"backward"`
	Machine      string             `json:"machine"`
	Parameters   int                `json:"parameters"`
	Build        benchTime          `json:"build"` // graph, gradients, plan
	First        benchTime          `json:"first"` // the run that warms up
	Runs         []benchTime        `json:"runs"`
	GFLOP        float64            `json:"gflop"`
	GFLOPByKind  map[string]float64 `json:"gflop_by_kind"`
	GFLOPPerCPUS float64            `json:"gflop_per_cpu_s"` // of the run with the least CPU time
	WeightsMB    float64            `json:"weights_mb"`
	VolumesMB    float64            `json:"volumes_mb"`
	ArenaMB      float64            `json:"arena_mb"`
	PeakMB       float64            `json:"peak_mb"` // of the whole process, from its start
	PeakOverMB   float64            `json:"peak_over_weights_mb"`
	Logits       []float32          `json:"logits"`
	Profile      []kindTime         `json:"profile,omitempty"`
}

type benchTime struct {
	CPU  float64 `json:"cpu_s"`
	Wall float64 `json:"wall_s"`
}

// timed measures a call.
func timed(do func() error) (benchTime, error) {
	cpu, _, _ := usage()
	began := time.Now()
	err := do()
	wall := time.Since(began)
	after, _, _ := usage()
	return benchTime{CPU: (after - cpu).Seconds(), Wall: wall.Seconds()}, err
}

// Run measures.
func (c *benchModelCommand) Run(ctx context.Context, log *slog.Logger) error {
	if c.Runs < 1 {
		return fmt.Errorf("--runs %d: at least one is needed", c.Runs)
	}
	if c.Weights != "" && c.Config != "" && c.Config != "default" {
		return fmt.Errorf("--weights and --config %s exclude each other: the file says its own size", c.Config)
	}
	set, config, name, err := c.network()
	if err != nil {
		return err
	}
	lane, err := c.lane(log)
	if err != nil {
		return err
	}
	onDevice := lane.String() != new(vm.Lane).String()
	if c.Profile && onDevice {
		return errors.New("--profile times operations on the CPU: leave out --device")
	}
	in := randomInput(config)
	r := benchResult{
		Weights: name, Device: lane.String(), Precision: lane.Precision().String(), Backward: c.Backward, Parameters: set.Parameters(),
		Machine:   fmt.Sprintf("%s/%s, %d of %d CPUs", runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), runtime.NumCPU()),
		WeightsMB: 4e-6 * float64(set.Parameters()), VolumesMB: 4e-6 * float64(len(in.DCE)+len(in.T2)+len(in.DWI)),
	}
	var net *network
	if r.Build, err = timed(func() (err error) {
		net, err = newNetwork(set, config, [3]bool{true, true, true}, lane, wants{gradients: c.Backward})
		return err
	}); err != nil {
		return err
	}
	r.GFLOPByKind, r.GFLOP = net.gflop()
	r.ArenaMB = 4e-6 * float64(net.program.ArenaFloats())
	for i := range c.Runs + 1 {
		t, err := timed(func() error { return net.run(ctx, in, 0) })
		if err == nil && onDevice && !net.program.OnDevice() {
			err = errNotOnDevice // the log says why
		}
		if err != nil {
			return err
		}
		if i == 0 {
			r.First = t
		} else {
			r.Runs = append(r.Runs, t)
		}
	}
	if v, err := net.value(net.logits); err == nil {
		r.Logits = slices.Clone(v)
	}
	if _, peak, ok := usage(); ok {
		r.PeakMB = 1e-6 * float64(peak)
		r.PeakOverMB = r.PeakMB - r.WeightsMB
	}
	if least := r.least(); least.CPU > 0 {
		r.GFLOPPerCPUS = r.GFLOP / least.CPU
	}
	if c.Profile {
		if r.Profile, err = net.profile(ctx); err != nil {
			return err
		}
	}
	if c.Keep != "" {
		if err := c.keep(set, config, in, r.Logits); err != nil {
			return err
		}
	}
	if c.JSON {
		return printJSON(r)
	}
	r.print()
	return nil
}

// network is the one to be measured.
func (c *benchModelCommand) network() (set weights.Set, config nn.Config, name string, err error) {
	if c.Weights == "" && c.Config != "default" {
		if config, err = presetConfig(c.Config); err != nil {
			return set, config, "", err
		}
		set, err = nn.Init(config, 1)
		return set, config, "random weights, size " + c.Config, err
	}
	if set, name, err = openSet(c.Weights); err != nil {
		return set, config, "", err
	}
	if config, err = c.config(set); err != nil {
		return set, config, "", fmt.Errorf("%s: %w", name, err)
	}
	return set, config, name, nil
}

// randomInput is one case of normal numbers, the same every time.
func randomInput(config nn.Config) fusion.Input {
	random := rand.New(rand.NewPCG(1, 2))
	fill := func(m experts.Modality) []float32 {
		v := make([]float32, config.Boxes.Of(m).Floats())
		for i := range v {
			v[i] = float32(random.NormFloat64())
		}
		return v
	}
	return fusion.Input{DCE: fill(experts.DCE), DWI: fill(experts.DWI), T2: fill(experts.T2)}
}

// least is the run with the least CPU time.
func (r *benchResult) least() benchTime {
	return slices.MinFunc(r.Runs, func(a, b benchTime) int { return cmp.Compare(a.CPU, b.CPU) })
}

// keep writes what another implementation needs to compute the same.
func (c *benchModelCommand) keep(set weights.Set, config nn.Config, in fusion.Input, logits []float32) error {
	if err := os.MkdirAll(c.Keep, 0o755); err != nil {
		return err
	}
	annotated, err := annotate(set, config)
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(c.Keep, "weights.th"), annotated.WriteTorch); err != nil {
		return err
	}
	put := func(name string, shape []int, data []float32) error {
		return writeFile(filepath.Join(c.Keep, name+".npy"), func(w io.Writer) error { return writeNPY(w, shape, data) })
	}
	for _, m := range nn.RowOrder() {
		b := config.Boxes.Of(m)
		if err := put(nn.InputName(m), []int{1, b.Channels, b.Size[0], b.Size[1], b.Size[2]}, in.Of(m)); err != nil {
			return err
		}
	}
	return put("logits", []int{1, len(logits)}, logits)
}

// annotate adds to weights what a model must know of its size.
func annotate(set weights.Set, config nn.Config) (weights.Set, error) {
	all, err := weights.New(set.All(), set.Metadata)
	if err != nil {
		return all, err
	}
	for key, value := range config.Metadata() {
		all.Metadata[key] = value
	}
	return all, nil
}

func (r *benchResult) print() {
	what := "forward"
	if r.Backward {
		what = "forward and gradients"
	}
	fmt.Printf("%s, %s parameters, %s, %s\n%s\n", r.Weights, thousands(r.Parameters), what, r.Precision, r.Machine)
	line := func(name string, t benchTime) { fmt.Printf("  %-9s %9.3f CPU s %9.3f wall s\n", name, t.CPU, t.Wall) }
	line("build", r.Build)
	line("first", r.First)
	for i, t := range r.Runs {
		line(fmt.Sprintf("run %d", i+1), t)
	}
	fmt.Printf("  %.3f GFLOP, %.1f per CPU second at best\n", r.GFLOP, r.GFLOPPerCPUS)
	fmt.Printf("  memory: weights %.0f MB, volumes %.0f MB, arena %.0f MB; process at most %.0f MB, %.0f MB over the weights\n",
		r.WeightsMB, r.VolumesMB, r.ArenaMB, r.PeakMB, r.PeakOverMB)
	fmt.Printf("  logits %v\n", r.Logits)
	if r.Profile == nil {
		return
	}
	fmt.Printf("  %-28s %6s %9s %9s %9s\n", "operation by operation", "count", "CPU s", "wall s", "GFLOP")
	for _, k := range r.Profile {
		fmt.Printf("  %-28s %6d %9.3f %9.3f %9.3f\n", k.Kind, k.Count, k.CPU, k.Wall, k.GFLOP)
	}
}
