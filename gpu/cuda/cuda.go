// Package cuda opens CUDA devices: gorgonia.org/cu, and a little cgo for what that lacks, over the driver API alone. It takes part
// in builds with the tag gpu, which the script build makes; in others there are no devices, and Open says so. A program that
// was built with it starts on machines without a device or a driver too.
//
// The kernels of gpu/kernel are embedded, compiled for compute capabilities 8.0 and 9.0 and, for later ones, as PTX that the
// driver translates. "go generate ./gpu/cuda" compiles them again.
package cuda

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mome/gpu"
)

//go:generate go run generate.go

// ErrLost is wrapped where a device cannot be used any more, after a kernel's access out of bounds or a fault of the hardware.
// The driver answers every call of the process with the error from then on, on another Open too: only a new process can use the device.
var ErrLost = errors.New("device lost")

// Info is what the driver says of a device.
type Info struct {
	Name         string // "cuda:0", which Open takes
	Model        string // "NVIDIA H200"
	Major, Minor int    // compute capability
	Shared       int    // shared memory in bytes that a block may have
	Free, Total  int64  // memory in bytes
	Err          error  // why it cannot be used; nil where it can
}

// minMajor is the least compute capability that the kernels run on: tensor cores for bfloat16 and asynchronous copies.
const minMajor = 8

// minShared is the shared memory in bytes that package launch may ask for, which 8.0, 9.0 and 10.0 have. Those of 8.6, 8.9 and 12.0
// give a block 99 KiB.
const minShared = 163 << 10

// Capable says whether the kernels are made for the device.
func (i Info) Capable() error {
	if i.Major < minMajor {
		return fmt.Errorf("%w: %s has compute capability %d.%d, kernels need %d.0", gpu.ErrNoDevice, i.Model, i.Major, i.Minor, minMajor)
	}
	if i.Shared < minShared {
		return fmt.Errorf("%w: %s gives a block %d KiB of shared memory, kernels need %d", gpu.ErrNoDevice, i.Model, i.Shared>>10, minShared>>10)
	}
	return nil
}

// Choose is the device that Open("cuda") takes: of those that can be used the one with the most free memory.
func Choose(devices []Info) (Info, error) {
	var usable []Info
	reason := errors.New("the driver has no devices")
	for _, d := range devices {
		if d.Err != nil {
			reason = fmt.Errorf("%s: %w", d.Name, d.Err)
			continue
		}
		usable = append(usable, d)
	}
	if len(usable) == 0 {
		if errors.Is(reason, gpu.ErrNoDevice) {
			return Info{}, reason
		}
		return Info{}, fmt.Errorf("%w: %w", gpu.ErrNoDevice, reason)
	}
	return slices.MaxFunc(usable, func(a, b Info) int { return cmp.Compare(a.Free, b.Free) }), nil
}

// number reads a device's name: N of "cuda:N", -1 of "cuda".
func number(name string) (int, error) {
	if name == "cuda" {
		return -1, nil
	}
	digits, ok := strings.CutPrefix(name, "cuda:")
	n, err := strconv.ParseUint(digits, 10, 16)
	if !ok || err != nil {
		return 0, fmt.Errorf("device %q: want cuda, or cuda: and a number", name)
	}
	return int(n), nil
}
