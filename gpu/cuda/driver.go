//go:build gpu

package cuda

// #cgo LDFLAGS: -ldl
// #include "driver.h"
import "C"

import (
	"errors"
	"fmt"
	"unsafe"

	"gorgonia.org/cu"

	"mome/gpu"
)

// What cu lacks of the driver: pinned memory, shared memory above 48 KiB, capture of streams and graphs that run.

// noDriver is why there is none; nil where there is.
func noDriver() error {
	if p := C.driver_problem(); p != nil {
		return fmt.Errorf("%w: %s", gpu.ErrNoDevice, C.GoString(p))
	}
	return nil
}

// result is cu's error of a result, nil of success.
func result(r C.CUresult) error {
	if r == C.CUDA_SUCCESS {
		return nil
	}
	return as(cu.Success, int(r))
}

// as converts to the type of cu's results, which has no name outside of cu.
func as[T ~int](_ T, code int) T { return T(code) }

// lost are the errors after which a context serves nothing any more.
var lost = []error{
	cu.EccUncorrectable, cu.NvlinkUncorrectable, cu.IllegalAddress, cu.LaunchTimeout, cu.ContextIsDestroyed, cu.Assert,
	cu.HardwareStackError, cu.IllegalInstruction, cu.MisalignedAddress, cu.InvalidAddressSpace, cu.InvalidPc, cu.LaunchFailed,
	cu.Unknown,
}

// explain says what was tried when the driver returned an error, and wraps gpu.ErrOutOfMemory or ErrLost where that is the cause.
func explain(tried string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, gpu.ErrOutOfMemory) || errors.Is(err, ErrLost) {
		return fmt.Errorf("%s: %w", tried, err)
	}
	if errors.Is(err, cu.OutOfMemory) {
		return fmt.Errorf("%s: %w (%w)", tried, gpu.ErrOutOfMemory, err)
	}
	for _, l := range lost {
		if errors.Is(err, l) {
			return fmt.Errorf("%s: %w (%w)", tried, ErrLost, err)
		}
	}
	return fmt.Errorf("%s: %w", tried, named(err))
}

// named adds the driver's words to an error that is younger than cu and only a number there, such as 46 of a device that another
// process has for itself.
func named(err error) error {
	var code int
	if n, _ := fmt.Sscanf(err.Error(), "UnknownErrorCode:%d", &code); n != 1 {
		return err
	}
	var words *C.char
	if C.cuGetErrorString(C.CUresult(code), &words) != C.CUDA_SUCCESS || words == nil {
		return err
	}
	return fmt.Errorf("%w, %s", err, C.GoString(words))
}

// allocatePinned returns memory of the host that the device reads and writes by itself.
func allocatePinned(bytes int) (unsafe.Pointer, error) {
	var at unsafe.Pointer
	err := result(C.cuMemHostAlloc(&at, C.size_t(bytes), 0))
	return at, err
}

func freePinned(at unsafe.Pointer) error { return result(C.cuMemFreeHost(at)) }

// blockShared is the most shared memory in bytes that a block may be allowed.
func blockShared(d cu.Device) (int, error) {
	return d.Attribute(cu.DeviceAttribute(C.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN))
}

// allowShared lets a function use dynamic shared memory above freeShared.
func allowShared(f cu.Function, bytes int) error {
	return result(C.cuFuncSetAttribute(functionHandle(f), C.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, C.int(bytes)))
}

// functionHandle is the only field of f, which cu does not show.
func functionHandle(f cu.Function) C.CUfunction { return *(*C.CUfunction)(unsafe.Pointer(&f)) }

func streamHandle(s cu.Stream) C.CUstream { return C.CUstream(unsafe.Pointer(s.C())) }

// beginCapture makes the stream note what it is given instead of doing it. Capture is relaxed: the driver may load a kernel that
// is launched for the first time, and other goroutines may allocate.
func beginCapture(s cu.Stream) error {
	return result(C.cuStreamBeginCapture(streamHandle(s), C.CU_STREAM_CAPTURE_MODE_RELAXED))
}

// graph is what was captured, ready to run.
type graph struct{ exec C.CUgraphExec }

// endCapture makes a graph of what was given to the stream since beginCapture.
func endCapture(s cu.Stream) (graph, error) {
	var captured C.CUgraph
	if err := result(C.cuStreamEndCapture(streamHandle(s), &captured)); err != nil {
		return graph{}, err
	}
	var g graph
	err := result(C.cuGraphInstantiateWithFlags(&g.exec, captured, 0))
	return g, errors.Join(err, result(C.cuGraphDestroy(captured)))
}

// abandonCapture ends a capture that is of no use.
func abandonCapture(s cu.Stream) {
	var captured C.CUgraph
	if C.cuStreamEndCapture(streamHandle(s), &captured) == C.CUDA_SUCCESS && captured != nil {
		C.cuGraphDestroy(captured)
	}
}

func (g graph) launch(s cu.Stream) error { return result(C.cuGraphLaunch(g.exec, streamHandle(s))) }

func (g graph) destroy() error { return result(C.cuGraphExecDestroy(g.exec)) }
