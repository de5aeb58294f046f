package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
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
	if err := errors.Join(err, b.complaint(), l.Close()); err != nil {
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

// timePyTorch runs the same network in PyTorch, and compares its logits too.
func (b *gpuBench) timePyTorch(ctx context.Context, t *checkTable, script string, runs int) error {
	dir, err := os.MkdirTemp("", "mome-peer")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	keep := &benchModelCommand{Keep: dir}
	if err := keep.keep(b.set, b.config, b.in, b.want.logits.data); err != nil {
		return err
	}
	if err := b.machine.Release(); err != nil {
		return err
	}
	command := exec.CommandContext(ctx, "python3", script, dir, "--runs", fmt.Sprint(runs))
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		t.verdict("PyTorch", false, err.Error())
		return nil
	}
	var report struct {
		Torch   string
		Device  string
		Results []struct {
			Way        string
			MS         float64 `json:"ms"`
			Difference float64
		}
	}
	if err := json.Unmarshal(out, &report); err != nil {
		return fmt.Errorf("%s printed something else than its report: %w", script, err)
	}
	for _, r := range report.Results {
		t.note("PyTorch "+report.Torch+", "+r.Way, fmt.Sprintf("%.2f ms; logits %.2g apart", r.MS, r.Difference))
	}
	return nil
}

func ms(d time.Duration) float64 { return 1000 * d.Seconds() }

func median(all []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}
