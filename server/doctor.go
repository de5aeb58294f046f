package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"mome/gpu/check"
	"mome/gpu/cuda"
	"mome/gpu/kernel/gemm"
	"mome/gpu/op"
)

// doctorCommand tells what the machine offers.
type doctorCommand struct {
	Device string `default:"auto" placeholder:"NAME" help:"Device that must work: auto, cpu, cuda or cuda:N."`
}

// Help is the longer text of "server doctor --help".
func (doctorCommand) Help() string {
	return `Tells what this machine offers the network: processor and memory, and where the program was built with CUDA the driver, each
device, and whether the kernels run on it: one of them is, and held against the processor. The exit status is 0 unless
a device was asked for and does not work.

Examples:
    server doctor
    server doctor --device cuda:0`
}

// Run prints it.
func (c *doctorCommand) Run() error { return doctor(os.Stdout, c.Device) }

// doctor writes what there is, a line each, and returns why the device does not work.
func doctor(w io.Writer, device string) error {
	fmt.Fprintf(w, "program    version %s, %s, %s/%s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	fmt.Fprintf(w, "processor  %d of %d CPUs; products by %s, in bfloat16 by %s\n", runtime.GOMAXPROCS(0), runtime.NumCPU(),
		gemm.Best(gemm.Float32).Name(), bfloat16Kernel())
	if free, total, err := hostMemory(); err == nil {
		fmt.Fprintf(w, "memory     %s of %s free\n", gigabytes(free), gigabytes(total))
	}
	devices := examine(w)
	chosen, err := cuda.Choose(devices)
	if err != nil {
		fmt.Fprintln(w, "auto       would choose the processor: no CUDA device works")
	} else {
		fmt.Fprintf(w, "auto       would choose %s: of the CUDA devices that work it has the most free memory\n", chosen.Name)
	}
	switch device {
	case "auto", "cpu":
		return nil
	case "cuda":
		if len(devices) > 0 {
			return err
		}
	}
	for _, d := range devices {
		if d.Name == device {
			return d.Err
		}
	}
	opened, err := cuda.Open(device) // says what is wrong with the name, with the driver or with the program
	if err != nil {
		return err
	}
	return opened.Close()
}

// bfloat16Kernel names it, and says where it brings nothing.
func bfloat16Kernel() string {
	k := gemm.Best(gemm.BFloat16)
	if k.Native() {
		return k.Name()
	}
	return k.Name() + ", which is no faster"
}

// examine writes what is known of CUDA and its devices. Those that do not pass have Err set.
func examine(w io.Writer) []cuda.Info {
	driver, err := cuda.Driver()
	if err != nil {
		fmt.Fprintf(w, "CUDA       %v\n", err)
		return nil
	}
	fmt.Fprintf(w, "CUDA       the driver supports version %s\n", driver)
	devices, err := cuda.Devices()
	if err != nil {
		fmt.Fprintf(w, "CUDA       %v\n", err)
		return nil
	}
	if len(devices) == 0 {
		fmt.Fprintln(w, "CUDA       the driver has no devices")
	}
	for i := range devices {
		d := &devices[i]
		fmt.Fprintf(w, "%-9s  %s, compute capability %d.%d", d.Name, d.Model, d.Major, d.Minor)
		if d.Err == nil {
			fmt.Fprintf(w, ", %s of %s free", gigabytes(d.Free), gigabytes(d.Total))
			d.Err = try(d.Name)
		}
		if d.Err != nil {
			fmt.Fprintf(w, "; does not work: %v\n", d.Err)
		} else {
			fmt.Fprintln(w, "; kernels run")
		}
	}
	return devices
}

// try loads the kernels into a device, runs one and holds it against the processor.
func try(name string) (err error) {
	d, err := cuda.Open(name)
	if err != nil {
		return err
	}
	defer func() {
		if cause := d.Close(); err == nil {
			err = cause
		}
	}()
	gelu := check.Case{Name: "gelu", Kernel: op.GELUKernel{Rows: 100, Cols: 101}}
	off, err := check.Compare(d, gelu, op.Float32)
	if err == nil && off > check.Tolerance(op.Float32) {
		err = fmt.Errorf("kernel gelu differs from the processor's by %.2g of the largest value", off)
	}
	return err
}

func gigabytes(bytes int64) string { return fmt.Sprintf("%.1f GB", 1e-9*float64(bytes)) }

// hostMemory is what Linux tells of the host's memory, in bytes (proc(5)).
func hostMemory() (free, total int64, err error) {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var kib int64
		name, value, _ := strings.Cut(lines.Text(), ":")
		if _, err := fmt.Sscan(value, &kib); err != nil {
			continue
		}
		switch name {
		case "MemTotal":
			total = kib << 10
		case "MemAvailable":
			free = kib << 10
		}
	}
	return free, total, lines.Err()
}
