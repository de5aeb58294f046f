//go:build !gpu

package cuda

import (
	"fmt"

	"mome/gpu"
)

// Built says whether this program was built with CUDA.
const Built = false

var errNotBuilt = fmt.Errorf("%w: this program was built without CUDA: build with -tags gpu (gpu/cuda/build)", gpu.ErrNoDevice)

// Driver is the version of CUDA that the driver supports, such as "12.4".
func Driver() (string, error) { return "", errNotBuilt }

// Devices are the devices that the driver has.
func Devices() ([]Info, error) { return nil, errNotBuilt }

// Open opens the device "cuda:N", or with "cuda" the one that Choose chooses.
func Open(name string) (gpu.Device, error) {
	if _, err := number(name); err != nil {
		return nil, err
	}
	return nil, errNotBuilt
}
