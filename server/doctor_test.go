//go:build !gpu

package main

import (
	"errors"
	"io"
	"strings"
	"testing"

	"mome/gpu"
	"mome/gpu/kernel/gemm"
)

// Built without CUDA, the doctor says so, and that the processor does the work.
func TestDoctor(t *testing.T) {
	var out strings.Builder
	if err := doctor(&out, "auto"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"products by " + gemm.Best(gemm.Float32).Name(),
		"built without CUDA: build with -tags gpu",
		"auto       would choose the processor",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the doctor says\n%swant %q", out.String(), want)
		}
	}
}

func TestDoctorOfADevice(t *testing.T) {
	if err := doctor(io.Discard, "cpu"); err != nil {
		t.Errorf("cpu: %v", err)
	}
	for _, device := range []string{"cuda", "cuda:0"} {
		if err := doctor(io.Discard, device); !errors.Is(err, gpu.ErrNoDevice) {
			t.Errorf("%s: %v, want ErrNoDevice", device, err)
		}
	}
	if err := doctor(io.Discard, "tpu"); err == nil || !strings.Contains(err.Error(), `"tpu"`) {
		t.Errorf("tpu: %v, want an error that names it", err)
	}
	for args, want := range map[string]int{"doctor": 0, "doctor --device cpu": 0, "doctor --device cuda:0": 1} {
		if status := run(t.Context(), strings.Fields(args)); status != want {
			t.Errorf("server %s: exit status %d, want %d", args, status, want)
		}
	}
}
