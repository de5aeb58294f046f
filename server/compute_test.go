package main

import (
	"errors"
	"log/slog"
	"testing"

	"mome/gpu"
	"mome/gpu/cuda"
)

// Only auto may mean the CPU: who names a device gets it or is told why not.
func TestWithoutADevice(t *testing.T) {
	if cuda.Built {
		t.Skip("this machine may have a device")
	}
	for name, wantsIt := range map[string]bool{"": false, "cpu": false, "auto": false, "Auto": false, "cuda": true, "cuda:0": true} {
		m, err := deviceFlag{name}.machine(slog.New(slog.DiscardHandler))
		if m != nil || errors.Is(err, gpu.ErrNoDevice) != wantsIt {
			t.Errorf("--device %q: %v, %v, want the CPU or why there is no device", name, m, err)
		}
	}
	if _, err := (deviceFlag{"gpu0"}).machine(slog.New(slog.DiscardHandler)); err == nil || errors.Is(err, gpu.ErrNoDevice) {
		t.Errorf("--device gpu0: %v, want what there is to choose from", err)
	}
}
