//go:build !gpu

package cuda_test

import (
	"errors"
	"strings"
	"testing"

	"mome/gpu"
	"mome/gpu/cuda"
)

func TestWithoutCUDA(t *testing.T) {
	_, opened := cuda.Open("cuda:0")
	_, listed := cuda.Devices()
	_, driver := cuda.Driver()
	for _, err := range []error{opened, listed, driver} {
		if !errors.Is(err, gpu.ErrNoDevice) || !strings.Contains(err.Error(), "-tags gpu") {
			t.Errorf("%v, want ErrNoDevice and how to build", err)
		}
	}
}
