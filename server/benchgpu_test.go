package main

import (
	"errors"
	"strings"
	"testing"

	"mome/gpu"
	"mome/gpu/emulator"
)

// emulated is a device of so much memory that runs kernels on the CPU.
func emulated(t *testing.T, memory int64) gpu.Device {
	t.Helper()
	d, err := emulator.Open(emulator.Options{Memory: memory})
	if errors.Is(err, emulator.ErrNoCompiler) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

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
	d := emulated(t, 1<<28)
	c := &benchGPUCommand{Runs: 1}
	for name, device := range map[string]gpu.Device{"right": d, "wrong": wrong{d}} {
		var out strings.Builder
		table := newCheckTable(&out)
		b := newGPUBench("tiny", tinySet(t), tinyConfig(), device)
		if err := errors.Join(c.checkNetwork(t.Context(), b, table), b.machine.Release(), table.end()); err != nil {
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
