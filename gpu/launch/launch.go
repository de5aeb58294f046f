// Package launch says which kernels of a device compute an operation: their names, grids and parameters. Nothing here needs a
// device; gpu/check holds every list against the operation's own Run.
package launch

import (
	"errors"
	"fmt"
	"math"

	"mome/gpu"
	"mome/gpu/op"
)

// Param is one parameter of a kernel: a place in a buffer, or a number.
type Param struct {
	Buffer Buffer
	Offset int    // in the buffer, in floats
	Bits   uint64 // of a number
}

// Buffer is what a Param points into: an input by its index, from 0, or one of the constants.
type Buffer int

const (
	Output    Buffer = -1
	Workspace Buffer = -2 // memory that belongs to the step alone while its launches run
	Number    Buffer = -3 // none
)

// Out points to the output.
func Out(offset int) Param { return Param{Buffer: Output, Offset: offset} }

// In points to an input.
func In(input, offset int) Param { return Param{Buffer: Buffer(input), Offset: offset} }

// Space points into the workspace.
func Space(offset int) Param { return Param{Buffer: Workspace, Offset: offset} }

// Int is a long long.
func Int(v int) Param { return Param{Buffer: Number, Bits: uint64(int64(v))} }

// Float is a double.
func Float(v float64) Param { return Param{Buffer: Number, Bits: math.Float64bits(v)} }

// Step is one launch of a list.
type Step struct {
	Kernel      string
	Grid, Block [3]int
	Shared      int // bytes
	Params      []Param
}

// List computes one operation: its steps one after the other, with a workspace of so many floats. Buffers are aligned to 64
// bytes; what Offset is added to may be not.
type List struct {
	Steps     []Step
	Workspace int
}

// Resolve puts addresses in the place of buffers.
func (l List) Resolve(out gpu.Address, in []gpu.Address, space gpu.Address) []gpu.Launch {
	all := make([]gpu.Launch, len(l.Steps))
	for i, s := range l.Steps {
		all[i] = gpu.Launch{Kernel: s.Kernel, Grid: s.Grid, Block: s.Block, Shared: s.Shared}
		for _, p := range s.Params {
			v := p.Bits
			switch p.Buffer {
			case Number:
			case Output:
				v = uint64(out) + 4*uint64(p.Offset)
			case Workspace:
				v = uint64(space) + 4*uint64(p.Offset)
			default:
				v = uint64(in[p.Buffer]) + 4*uint64(p.Offset)
			}
			all[i].Parameters = append(all[i].Parameters, v)
		}
	}
	return all
}

// threads is the size of blocks whose threads work alone.
const threads = 256

// each is a step of one thread for each of n numbers, in blocks of threads.
func each(kernel string, n int, params ...Param) Step {
	return Step{Kernel: kernel, Grid: [3]int{blocks(n, threads), 1, 1}, Block: [3]int{threads, 1, 1}, Params: params}
}

// blocks is n / size, rounded up.
func blocks(n, size int) int { return (n + size - 1) / size }

// ErrUnsupported is wrapped by For where no device computes an operation.
var ErrUnsupported = errors.New("computed by the CPU only")

// For is the list of an operation at a precision.
func For(k op.Kernel, p op.Precision) (List, error) {
	for _, family := range []func(op.Kernel, op.Precision) (List, bool){
		products, convolutions, attentions, norms, softmaxes, elementwise, layouts, pools, levels,
	} {
		if l, ok := family(k, p); ok {
			return l, nil
		}
	}
	return List{}, fmt.Errorf("%T: %w", k, ErrUnsupported)
}
