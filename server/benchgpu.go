package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"mome/gpu"
	"mome/gpu/cuda"
	"mome/gpu/op"
)

type benchGPUCommand struct {
	Device   string               `default:"cuda" placeholder:"NAME" help:"The device: cuda:0 and so on, or cuda for the one with the most free memory."`
	Size     string               `enum:"small,base" default:"base" help:"Of the network that is measured: base is the published one, of 291 M parameters."`
	Oracle   string               `type:"path" placeholder:"DIR" help:"Folder with model.th, dce.npy, dwi.npy, t2.npy and logits.npy that another implementation computed."`
	PyTorch  string               `name:"pytorch" type:"existingfile" placeholder:"FILE" help:"Also time PyTorch on the same card: the script .ci/peer/cuda.py, run by python3, with forward.py beside it. Takes up to 4 minutes."`
	Sanitize bool                 `help:"Also run all kernels under compute-sanitizer, which must be in PATH; takes minutes."`
	Runs     int                  `default:"20" help:"Runs of each timing, of which the median counts."`
	Kernels  bool                 `help:"Compare the kernels and nothing else."`
	anew     func(next int) error // goes on in another process; nil where there can be none
	GoOn     []int                `hidden:"" env:"-" name:"go-on" help:"Where a process before this one stopped; see progress."`
}

// progress is how far "bench gpu" came. A process that loses the device, or waits for it in vain, can't use it any more: it gives
// way to a new one, which goes on behind the part that did it.
type progress struct {
	next          int // part: cases of kernels at each precision, then the steps of the network
	count, failed int // of checks
	losses        int // so far
}

// mostLosses is after how many there is no going on.
const mostLosses = 20

// lostError is a loss of the device in the part before next.
type lostError struct {
	next int
	err  error
}

func (e lostError) Error() string { return e.err.Error() }
func (e lostError) Unwrap() error { return e.err }

// Help is the longer text of "server bench gpu --help".
func (benchGPUCommand) Help() string {
	return `Checks everything that this program computes on a GPU against the CPU, and times it: every kernel at every precision in odd sizes, the
whole network with its intermediate values and gradients, an oracle of another implementation, memory that runs out, several studies
at once, and the time of a forward pass, beside PyTorch's and the least that the hardware allows. Prints a table as it goes; the exit
status is 1 if a check failed. Where a kernel makes the device useless, the program starts itself again and goes on behind it. Needs
nothing but the driver, and about 3 minutes with 16 cores, most of them for what the CPU computes to compare with.

Examples, the last of all of it:
    ./mome-gpu bench gpu --kernels
    ./mome-gpu bench gpu --size small
    ./mome-gpu bench gpu --oracle mome-small --pytorch .ci/peer/cuda.py --sanitize`
}

// Run checks and prints.
func (c *benchGPUCommand) Run(ctx context.Context) error {
	if c.Runs < 1 {
		return fmt.Errorf("--runs %d: at least one is needed", c.Runs)
	}
	t := newCheckTable(os.Stdout)
	from := progress{}
	if len(c.GoOn) == 4 {
		from = progress{c.GoOn[0], c.GoOn[1], c.GoOn[2], c.GoOn[3]}
		t.count, t.failed = from.count, from.failed
	}
	d, err := cuda.Open(c.Device)
	if err != nil {
		return fmt.Errorf("--device %s: %w (server doctor says more)", c.Device, err)
	}
	if from.losses < mostLosses {
		c.anew = func(next int) error {
			return goOn(os.Args[1:], progress{next, t.count, t.failed, from.losses + 1})
		}
	}
	err = c.check(ctx, d, t, from.next)
	if lost := (lostError{}); errors.As(err, &lost) && c.anew != nil {
		return errors.Join(err, c.anew(lost.next)) // returns where there can be no other process
	}
	err = errors.Join(err, d.Close(), t.end())
	if err == nil && t.failed > 0 {
		err = fmt.Errorf("%d of %d checks failed", t.failed, t.count)
	}
	return err
}

// goOn runs the program in the place of this process, with the same arguments.
func goOn(args []string, p progress) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return syscall.Exec(self, append([]string{self}, goingOn(args, p)...), os.Environ())
}

// goingOn are the arguments of the process that goes on.
func goingOn(args []string, p progress) []string {
	const flag = "--go-on="
	args = slices.DeleteFunc(slices.Clone(args), func(a string) bool { return strings.HasPrefix(a, flag) })
	return append(args, fmt.Sprintf("%s%d,%d,%d,%d", flag, p.next, p.count, p.failed, p.losses))
}

// check makes all checks that were asked for, from a part on.
func (c *benchGPUCommand) check(ctx context.Context, d gpu.Device, t *checkTable, from int) error {
	free, total, err := d.Memory()
	if err != nil {
		return err
	}
	t.note("device", fmt.Sprintf("%s, %.1f of %.1f GiB free", d, float64(free)/(1<<30), float64(total)/(1<<30)))
	parts, err := c.checkKernels(ctx, d, t, from)
	if err != nil || c.Kernels {
		return err
	}
	set, config, name, err := (&benchModelCommand{Config: c.Size}).network()
	if err != nil {
		return err
	}
	t.note("network", fmt.Sprintf("%s, %s parameters", name, thousands(set.Parameters())))
	b := newGPUBench(c.Size, set, config, d)
	err = c.checkNetwork(ctx, b, t, from-parts)
	if lost := (lostError{}); errors.As(err, &lost) {
		return lostError{parts + lost.next, lost.err}
	}
	return errors.Join(err, b.machine.Release())
}

// checkNetwork makes those with the whole network, from a step on. A step that fails is no reason to leave out the others.
func (c *benchGPUCommand) checkNetwork(ctx context.Context, b *gpuBench, t *checkTable, from int) error {
	type step struct {
		name string
		do   func(context.Context, *checkTable) error
	}
	var steps []step
	each := func(name string, do func(context.Context, *checkTable, op.Precision) error) {
		for _, p := range precisions {
			steps = append(steps, step{name + ", " + p.String(), func(ctx context.Context, t *checkTable) error { return do(ctx, t, p) }})
		}
	}
	each("forward of "+b.size, b.compareForward)
	each("time of "+b.size, func(ctx context.Context, t *checkTable, p op.Precision) error {
		return b.timeForward(ctx, t, p, c.Runs)
	})
	if c.Oracle != "" {
		each("oracle", func(ctx context.Context, t *checkTable, p op.Precision) error {
			return b.compareOracle(ctx, t, p, c.Oracle)
		})
	}
	each("studies at once", func(ctx context.Context, t *checkTable, p op.Precision) error {
		return b.timeStudies(ctx, t, p, c.Runs)
	})
	steps = append(steps, step{"gradients of " + b.size, b.compareGradients}, step{"out of memory", b.compareShortOfMemory})
	if c.PyTorch != "" {
		steps = append(steps, step{"PyTorch", func(ctx context.Context, t *checkTable) error { return b.timePyTorch(ctx, t, c.PyTorch, c.Runs) }})
	}
	if c.Sanitize {
		steps = append(steps, step{"compute-sanitizer", func(ctx context.Context, t *checkTable) error { return sanitize(ctx, t, c.Device) }})
	}
	for i, s := range steps {
		if i < from {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		began := time.Now()
		if err := errors.Join(s.do(ctx, t), b.renew()); err != nil {
			t.verdict(s.name, false, err.Error())
			if errors.Is(err, cuda.ErrLost) {
				return lostError{i + 1, err}
			}
		}
		if took := time.Since(began); took > 5*time.Second {
			t.note("", fmt.Sprintf("%s took %.0f s", s.name, took.Seconds()))
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

// verdict is a line of what must be true. Of errors that were joined the first says most: a lost device has one for all it held.
func (t *checkTable) verdict(name string, ok bool, about string) {
	about, rest, _ := strings.Cut(strings.TrimSpace(about), "\n")
	if rest != "" {
		about += fmt.Sprintf(" (and %d more)", 1+strings.Count(rest, "\n"))
	}
	t.count++
	word := "ok"
	if !ok {
		t.failed++
		word = "FAILED"
	}
	fmt.Fprintf(t.w, "%s\t%s\t%s\n", name, word, about)
	t.w.Flush()
}

// note is a line that nothing depends on.
func (t *checkTable) note(name, about string) {
	fmt.Fprintf(t.w, "%s\t\t%s\n", name, about)
	t.w.Flush()
}

func (t *checkTable) end() error { return t.w.Flush() }
