package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mome/gpu"
	"mome/gpu/check"
	"mome/gpu/cuda"
	"mome/gpu/emulator"
	"mome/gpu/op"
)

// wrong is a device that forgets what it should compute in one launch of many.
type wrong struct{ gpu.Device }

func (d wrong) NewQueue() (gpu.Queue, error) {
	q, err := d.Device.NewQueue()
	return wrongQueue{q}, err
}

type wrongQueue struct{ gpu.Queue }

func (q wrongQueue) Prepare(launches []gpu.Launch) (gpu.Job, error) {
	return q.Queue.Prepare(launches[:len(launches)-1])
}

// All checks of a network that compares well must pass on the emulator, and those of one that does not must fail.
func TestBenchGPU(t *testing.T) {
	d := emulator.Start(t, emulator.Options{Memory: 1 << 28})
	c := &benchGPUCommand{Runs: 1}
	for name, device := range map[string]gpu.Device{"right": d, "wrong": wrong{d}} {
		var out strings.Builder
		table := newCheckTable(&out)
		b := newGPUBench("tiny", tinySet(t), tinyConfig(), device)
		if err := errors.Join(c.checkNetwork(t.Context(), b, table, 0), b.machine.Release(), table.end()); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out.String())
		}
		if name == "right" && table.failed > 0 || name == "wrong" && table.failed < 4 {
			t.Errorf("%s: %d of %d checks failed:\n%s", name, table.failed, table.count, out.String())
		}
		if name == "right" {
			t.Log("\n" + out.String())
		}
		for _, line := range []string{"forward of tiny, bfloat16", "gradients of tiny", "out of memory", "time of tiny, tf32", "4 studies at once, float32"} {
			if !strings.Contains(out.String(), line) {
				t.Errorf("%s: no line %q:\n%s", name, line, out.String())
			}
		}
	}
}

// failing is a device on which the first job of so many cannot be made.
type failing struct {
	gpu.Device
	with  error
	first *int
}

func (d failing) NewQueue() (gpu.Queue, error) {
	q, err := d.Device.NewQueue()
	return failingQueue{q, d}, err
}

type failingQueue struct {
	gpu.Queue
	d failing
}

func (q failingQueue) Prepare(launches []gpu.Launch) (gpu.Job, error) {
	if *q.d.first--; *q.d.first >= 0 {
		return nil, q.d.with
	}
	return q.Queue.Prepare(launches)
}

// What fails once is told of and tried no further, and nothing after it comes from the CPU in silence; a device that is lost is left
// to the next process, which goes on behind it.
func TestBenchGPUGoesOn(t *testing.T) {
	d := emulator.Start(t, emulator.Options{Memory: 1 << 28})
	c := &benchGPUCommand{Runs: 1}
	run := func(with error, times, from int) (out string, failed int, err error) {
		var text strings.Builder
		table := newCheckTable(&text)
		b := newGPUBench("tiny", tinySet(t), tinyConfig(), failing{d, with, &times})
		err = errors.Join(c.checkNetwork(t.Context(), b, table, from), b.machine.Release(), table.end())
		return text.String(), table.failed, err
	}
	const gradients = 9 // steps before: of three precisions each forward, time and studies at once
	out, failed, err := run(errors.New("odd kernel"), 1, gradients)
	if err != nil || failed != 1 || !strings.Contains(out, "odd kernel") || !strings.Contains(out, "the device answers again") {
		t.Errorf("%v, %d checks failed, want the first alone:\n%s", err, failed, out)
	}
	out, failed, err = run(cuda.ErrLost, 1000, gradients)
	lost := lostError{}
	if !errors.As(err, &lost) || lost.next != gradients+1 || failed != 1 || strings.Contains(out, "out of memory") {
		t.Errorf("%v, %d checks failed, want the loss alone:\n%s", err, failed, out)
	}
	table := newCheckTable(io.Discard)
	cases := kernelCases()
	last := len(cases) - 1
	for !slices.Contains(check.Precisions(cases[last].Kernel), op.BFloat16) {
		last--
	}
	first := last // of the same kind
	for kindOf(cases[first-1].Kernel) == kindOf(cases[last].Kernel) {
		first--
	}
	from, lose := 2*len(cases)+first-1, 1 // in bfloat16: one of the kind before, and the last that has it
	parts, err := c.checkKernels(t.Context(), failing{d, cuda.ErrLost, &lose}, table, from)
	if !errors.As(err, &lost) || lost.next != from+1 || parts != 3*len(cases) || table.failed != 1 || table.count != 1 {
		t.Errorf("%d parts, %v, %d of %d checks failed, want a loss in the part before %d", parts, err, table.failed, table.count, from+1)
	}
	if _, err = c.checkKernels(t.Context(), d, table, lost.next); err != nil || table.failed != 1 || table.count != 2 {
		t.Errorf("%v, %d of %d checks failed, want the kernel behind the loss to be right", err, table.failed, table.count)
	}
}

func TestVerdictIsALine(t *testing.T) {
	var out strings.Builder
	newCheckTable(&out).verdict("forward", false, errors.Join(errors.New("lost"), errors.New("free"), errors.New("free")).Error())
	if got := strings.Join(strings.Fields(out.String()), " "); got != "forward FAILED lost (and 2 more)" || strings.Count(out.String(), "\n") != 1 {
		t.Errorf("printed %q", out.String())
	}
}

func TestGoingOn(t *testing.T) {
	got := goingOn([]string{"bench", "gpu", "--go-on=1,2,3,4", "--kernels"}, progress{5, 6, 7, 8})
	if want := []string{"bench", "gpu", "--kernels", "--go-on=5,6,7,8"}; !slices.Equal(got, want) {
		t.Errorf("goes on with %q, want %q", got, want)
	}
}

// What PyTorch printed counts as soon as it is there, and its failure says what is needed.
func TestTimePyTorch(t *testing.T) {
	bin := t.TempDir()
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	b := newGPUBench("tiny", tinySet(t), tinyConfig(), emulator.Start(t, emulator.Options{}))
	for _, c := range []struct{ python, line, err string }{
		{`test -s "$2/weights.th" -a "$6" = emulator && echo loading && echo '{"torch":"2.9","way":"graph tf32","ms":1.5,"difference":0.01}'`,
			"PyTorch 2.9, graph tf32", ""},
		{`exit 3`, "", "forward.py beside the script"},
		{`true`, "", "nothing was measured"},
	} {
		if err := os.WriteFile(filepath.Join(bin, "python3"), []byte("#!/bin/sh\n"+c.python+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		table := newCheckTable(&out)
		err := b.timePyTorch(t.Context(), table, "cuda.py", 1)
		if got := fmt.Sprint(err); (err == nil) != (c.err == "") || !strings.Contains(got, c.err) || !strings.Contains(out.String(), c.line) {
			t.Errorf("%s: %v, want %q; printed %q, want %q", c.python, err, c.err, out.String(), c.line)
		}
	}
}
