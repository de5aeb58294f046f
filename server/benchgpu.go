package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"mome/gpu"
	"mome/gpu/cuda"
)

type benchGPUCommand struct {
	Device   string `default:"cuda" placeholder:"NAME" help:"The device: cuda:0 and so on, or cuda for the one with the most free memory."`
	Size     string `enum:"small,base" default:"base" help:"Of the network that is measured: base is the published one, of 291 M parameters."`
	Oracle   string `type:"path" placeholder:"DIR" help:"Folder with model.th, dce.npy, dwi.npy, t2.npy and logits.npy that another implementation computed."`
	PyTorch  string `name:"pytorch" type:"existingfile" placeholder:"FILE" help:"Also time PyTorch on the same card: the script .ci/peer/cuda.py, run by python3."`
	Sanitize bool   `help:"Also run all kernels under compute-sanitizer, which must be in PATH; takes minutes."`
	Runs     int    `default:"20" help:"Runs of each timing, of which the median counts."`
	Kernels  bool   `help:"Compare the kernels and nothing else."`
}

// Help is the longer text of "server bench gpu --help".
func (benchGPUCommand) Help() string {
	return `Checks everything that this program computes on a GPU against the CPU, and times it: every kernel at every precision in odd sizes, the
whole network with its intermediate values and gradients, an oracle of another implementation, memory that runs out, several studies
at once, and the time of a forward pass, beside PyTorch's and the least that the hardware allows. Prints a table; the exit status is 1 if
a check failed. Needs nothing but the driver.

Example, all of it:
    ./mome-gpu bench gpu --oracle mome-small --pytorch .ci/peer/cuda.py --sanitize`
}

// Run checks and prints.
func (c *benchGPUCommand) Run(ctx context.Context) error {
	d, err := cuda.Open(c.Device)
	if err != nil {
		return fmt.Errorf("--device %s: %w (server doctor says more)", c.Device, err)
	}
	t := newCheckTable(os.Stdout)
	err = errors.Join(c.check(ctx, d, t), d.Close(), t.end())
	if err == nil && t.failed > 0 {
		err = fmt.Errorf("%d of %d checks failed", t.failed, t.count)
	}
	return err
}

// check makes all checks that were asked for.
func (c *benchGPUCommand) check(ctx context.Context, d gpu.Device, t *checkTable) error {
	free, total, err := d.Memory()
	if err != nil {
		return err
	}
	t.note("device", fmt.Sprintf("%s, %.1f of %.1f GiB free", d, float64(free)/(1<<30), float64(total)/(1<<30)))
	if err := checkKernels(ctx, d, t); err != nil || c.Kernels {
		return err
	}
	set, config, name, err := (&benchModelCommand{Config: c.Size}).network()
	if err != nil {
		return err
	}
	t.note("network", fmt.Sprintf("%s, %s parameters", name, thousands(set.Parameters())))
	b := newGPUBench(c.Size, set, config, d)
	return errors.Join(c.checkNetwork(ctx, b, t), b.machine.Release())
}

// checkNetwork makes those with the whole network.
func (c *benchGPUCommand) checkNetwork(ctx context.Context, b *gpuBench, t *checkTable) error {
	steps := []func(context.Context, *checkTable) error{b.compareForward, b.compareGradients, b.compareShortOfMemory}
	if c.Oracle != "" {
		steps = append(steps, func(ctx context.Context, t *checkTable) error { return b.compareOracle(ctx, t, c.Oracle) })
	}
	steps = append(steps,
		func(ctx context.Context, t *checkTable) error { return b.timeForward(ctx, t, c.Runs) },
		func(ctx context.Context, t *checkTable) error { return b.timeStudies(ctx, t, c.Runs) })
	if c.PyTorch != "" {
		steps = append(steps, func(ctx context.Context, t *checkTable) error { return b.timePyTorch(ctx, t, c.PyTorch, c.Runs) })
	}
	if c.Sanitize {
		steps = append(steps, func(ctx context.Context, t *checkTable) error { return sanitize(ctx, t, c.Device) })
	}
	for _, step := range steps {
		if err := step(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// checkTable prints what was found, a line as soon as it is known.
type checkTable struct {
	w             *tabwriter.Writer
	count, failed int
}

func newCheckTable(w io.Writer) *checkTable {
	return &checkTable{w: tabwriter.NewWriter(w, 34, 0, 2, ' ', 0)}
}

// check is a line with a number that must not be greater than most.
func (t *checkTable) check(name string, got, most float64, about string) {
	t.verdict(name, got <= most, fmt.Sprintf("%.2g, at most %.2g %s", got, most, about))
}

// verdict is a line of what must be true.
func (t *checkTable) verdict(name string, ok bool, about string) {
	t.count++
	word := "ok"
	if !ok {
		t.failed++
		word = "FAILED"
	}
	fmt.Fprintf(t.w, "%s\t%s\t%s\n", name, word, strings.TrimSpace(about))
	t.w.Flush()
}

// note is a line that nothing depends on.
func (t *checkTable) note(name, about string) {
	fmt.Fprintf(t.w, "%s\t\t%s\n", name, about)
	t.w.Flush()
}

func (t *checkTable) end() error { return t.w.Flush() }
