package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"mome/fusion"
	"mome/gpu"
	"mome/gpu/cuda"
	"mome/gpu/op"
	"mome/gpu/vm"
)

// deviceFlag chooses where networks run.
type deviceFlag struct {
	Device string `default:"cpu" placeholder:"NAME" help:"Where networks run: cpu, cuda:0 and so on, or auto, which is the GPU with the most free memory and the CPU where there is none. See server doctor."`
}

// computeFlags choose where and how exactly networks run.
type computeFlags struct {
	deviceFlag
	Precision string `enum:"float32,tf32,bfloat16" default:"float32" help:"Precision of matrix products: float32; tf32, faster on a GPU and exact to about 1e-3; or bfloat16, exact to about 1e-2, faster on a GPU and where the CPU has AVX512-BF16."`
}

// precision reads --precision; that of "" is float32.
func (f computeFlags) precision() (op.Precision, error) {
	all := []op.Precision{op.Float32, op.TF32, op.BFloat16}
	i := slices.IndexFunc(all, func(p op.Precision) bool { return p.String() == f.Precision })
	if i < 0 && f.Precision != "" {
		return 0, fmt.Errorf("--precision %s: want float32, tf32 or bfloat16", f.Precision)
	}
	return all[max(i, 0)], nil
}

// machine opens the device, nil for the CPU. What the CPU has to compute in its place is logged as a warning.
func (f deviceFlag) machine(log *slog.Logger) (*vm.Machine, error) {
	name := strings.ToLower(f.Device)
	auto := name == "auto"
	switch {
	case name == "" || name == "cpu":
		return nil, nil
	case auto:
		name = "cuda"
	case !strings.HasPrefix(name, "cuda"):
		return nil, fmt.Errorf("--device %s: want cpu, auto, cuda or cuda: and a number", f.Device)
	}
	d, err := cuda.Open(name)
	if err != nil && auto {
		level := slog.LevelWarn // there is a device, and it does not work
		if errors.Is(err, gpu.ErrNoDevice) {
			level = slog.LevelInfo
		}
		log.Log(context.Background(), level, "networks run on the CPU", "reason", err)
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("--device %s: %w (server doctor says more)", f.Device, err)
	}
	log.Info("networks run on a device", "device", d.String())
	return vm.On(d, func(err error) { log.Warn("device", "error", err) }), nil
}

// options are those of a model that runs where the flags say.
func (f computeFlags) options(log *slog.Logger) (o fusion.Options, err error) {
	o.Branches = branches
	if o.Precision, err = f.precision(); err != nil {
		return o, err
	}
	o.Machine, err = f.machine(log)
	return o, err
}

// lane opens the device and makes one lane, for commands that run one network.
func (f computeFlags) lane(log *slog.Logger) (*vm.Lane, error) {
	p, err := f.precision()
	if err != nil {
		return nil, err
	}
	m, err := f.machine(log)
	if err != nil {
		return nil, err
	}
	return m.Lane(p), nil
}
