package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"mome/fusion"
	"mome/gpu/op"
	"mome/gpu/vm"
)

// teraflops are what an H200 multiplies at most in a second, dense, by NVIDIA's data sheet: 989 in bfloat16 and 494 in TF32. In
// float32 every factor is split in two parts of TF32 and multiplied three times.
var teraflops = map[op.Precision]float64{op.Float32: 494.0 / 3, op.TF32: 494, op.BFloat16: 989}

// timeForward measures a forward pass, with the volumes copied to the device and the logits back, and without.
func (b *gpuBench) timeForward(ctx context.Context, t *checkTable, p op.Precision, runs int) error {
	l := b.machine.Lane(p)
	whole, kernels, net, err := b.forwards(ctx, l, runs)
	if err := errors.Join(b.complaint(), err, l.Close()); err != nil {
		return err
	}
	_, gflop := net.gflop()
	t.note(fmt.Sprintf("time of %s, %s", b.size, p), fmt.Sprintf("%.2f ms, with copies %.2f ms; %d launches, %.1f GFLOP: %.0f TFLOP/s; an H200 at its peak %.2f ms",
		ms(median(kernels)), ms(median(whole)), net.program.Launches(), gflop, gflop/1000/median(kernels).Seconds(), gflop/teraflops[p]))
	return nil
}

func (b *gpuBench) forwards(ctx context.Context, l *vm.Lane, runs int) (whole, kernels []time.Duration, net *network, err error) {
	if net, err = newNetwork(b.set, b.config, everything, l, wants{}); err != nil {
		return nil, nil, nil, err
	}
	for i := range runs + 1 {
		began := time.Now()
		if err := net.run(ctx, b.in, 0); err != nil {
			return nil, nil, nil, err
		}
		ran := time.Now()
		if err := net.program.Replay(1); err != nil {
			return nil, nil, nil, err
		}
		if i > 0 {
			whole, kernels = append(whole, ran.Sub(began)), append(kernels, time.Since(ran))
		}
	}
	return whole, kernels, net, nil
}

// timeStudies measures how many examinations a second the whole network judges when several come at once.
func (b *gpuBench) timeStudies(ctx context.Context, t *checkTable, p op.Precision, runs int) error {
	for _, lanes := range []int{1, 2, 4} {
		rate, err := b.studies(ctx, p, lanes, runs)
		if err != nil {
			return err
		}
		t.note(fmt.Sprintf("%d studies at once, %s", lanes, p), fmt.Sprintf("%.1f a second, from volumes in the host's memory to logits", rate))
	}
	return nil
}

func (b *gpuBench) studies(ctx context.Context, p op.Precision, lanes, runs int) (perSecond float64, err error) {
	set, err := annotate(b.set, b.config)
	if err != nil {
		return 0, err
	}
	model, err := fusion.New(set, fusion.Options{Branches: branches, Precision: p, Machine: b.machine, Lanes: lanes})
	if err != nil {
		return 0, err
	}
	judge := func(times int) error {
		failures := make([]error, lanes)
		var wait sync.WaitGroup
		for i := range lanes {
			wait.Go(func() {
				for range times {
					if _, err := model.Logits(ctx, b.in); err != nil {
						failures[i] = err
						return
					}
				}
			})
		}
		wait.Wait()
		return errors.Join(failures...)
	}
	if err := errors.Join(judge(min(2*lanes, runs+1)), b.complaint()); err != nil { // every lane meets every stage and builds its graph
		return 0, errors.Join(err, model.Close())
	}
	began := time.Now()
	err = judge(runs)
	perSecond = float64(lanes*runs) / time.Since(began).Seconds()
	return perSecond, errors.Join(err, b.complaint(), model.Close())
}

// pyTorchTime is how long PyTorch may take, most of it to compile. What it printed until then counts.
const pyTorchTime = 4 * time.Minute

// timePyTorch runs the same network in PyTorch, and tells how far its logits are from the CPU's.
func (b *gpuBench) timePyTorch(ctx context.Context, t *checkTable, script string, runs int) error {
	want, err := b.reference(ctx)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "mome-peer")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	keep := &benchModelCommand{Keep: dir}
	if err := keep.keep(b.set, b.config, b.in, want.logits.data); err != nil {
		return err
	}
	if err := b.machine.Release(); err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(ctx, pyTorchTime)
	defer stop()
	device, _, _ := strings.Cut(b.device.String(), " ")
	command := exec.CommandContext(ctx, "python3", script, dir, "--runs", fmt.Sprint(runs), "--device", device)
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { out.Close() })() // which processes of its own that compile may hold open
	if err := command.Start(); err != nil {
		return err
	}
	ways := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var way struct {
			Torch, Way string
			MS         float64 `json:"ms"`
			Difference float64
		}
		if json.Unmarshal(lines.Bytes(), &way) == nil && way.Way != "" {
			t.note("PyTorch "+way.Torch+", "+way.Way, fmt.Sprintf("%.2f ms; logits %.2g apart", way.MS, way.Difference))
			ways++
		}
	}
	err = command.Wait()
	if ways > 0 && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		t.note("PyTorch", fmt.Sprintf("stopped after %v; python3 %s --autotune measures all of it", pyTorchTime, script))
		return nil
	}
	if err == nil && ways == 0 {
		err = errors.New("nothing was measured")
	}
	if err != nil {
		return fmt.Errorf("python3 %s: %w (needs PyTorch with CUDA and NumPy, and forward.py beside the script)", script, err)
	}
	return nil
}

func ms(d time.Duration) float64 { return 1000 * d.Seconds() }

func median(all []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}
