// Package check holds what a device computes against the same operation on the CPU: the tests run it on the emulator, and
// "server gpu check" on the hardware at hand.
package check

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"

	"mome/gpu"
	"mome/gpu/launch"
	"mome/gpu/op"
)

// Case is one operation with its sizes. Sizes are odd wherever an operation takes them, so that every edge is met.
type Case struct {
	Name   string
	Kernel op.Kernel
	// Fill makes the value number i of an input from random numbers; nil is a standard normal one.
	Fill func(input, i int, random *rand.Rand) float32
	// Slow cases take the emulator more than a second or so.
	Slow bool
}

// Cases are all of them.
func Cases() []Case {
	var all []Case
	for _, family := range [][]Case{products(), convolutions(), attentions(), norms(), elementwise(), layouts()} {
		all = append(all, family...)
	}
	return all
}

// Precisions are those at which a device computes an operation in different ways.
func Precisions(k op.Kernel) []op.Precision {
	exact, err := launch.For(k, op.Float32)
	all := []op.Precision{op.Float32}
	for _, p := range []op.Precision{op.TF32, op.BFloat16} {
		if l, e := launch.For(k, p); err != nil || e != nil || !reflect.DeepEqual(l, exact) {
			all = append(all, p)
		}
	}
	return all
}

// Tolerance is the largest difference that is right at a precision, relative to the largest value of the output.
func Tolerance(p op.Precision) float64 {
	if p == op.Float32 {
		return 1e-4
	}
	return 1e-2
}

// Compare runs an operation on the device and on the CPU, both from full precision, and returns the largest difference relative
// to the largest value. Values that are not finite must agree. Outputs that may be written over an input are computed both ways.
func Compare(d gpu.Device, c Case, p op.Precision) (float64, error) {
	shapes, out := c.Kernel.Shapes()
	random := rand.New(rand.NewPCG(1, uint64(len(c.Name))))
	in := make([][]float32, len(shapes))
	for i, s := range shapes {
		in[i] = make([]float32, s.TotalSize())
		for j := range in[i] {
			if c.Fill != nil {
				in[i][j] = c.Fill(i, j, random)
			} else {
				in[i][j] = float32(random.NormFloat64())
			}
		}
	}
	want := make([]float32, out.TotalSize())
	c.Kernel.Run(want, in)
	worst := 0.0
	_, able := c.Kernel.(op.InPlace)
	for _, over := range []bool{false, true} {
		if over && !(able && len(in[0]) == len(want)) {
			continue
		}
		got, err := run(d, c.Kernel, p, in, len(want), over)
		if err != nil {
			return 0, err
		}
		e, err := difference(got, want)
		if err != nil {
			return 0, err
		}
		worst = max(worst, e)
	}
	return worst, nil
}

// run computes the operation on the device, over its first input where asked.
func run(d gpu.Device, k op.Kernel, p op.Precision, in [][]float32, length int, over bool) (got []float32, err error) {
	list, err := launch.For(k, p)
	if err != nil {
		return nil, err
	}
	q, err := d.NewQueue()
	if err != nil {
		return nil, err
	}
	defer q.Close()
	var held []gpu.Address
	defer func() {
		for _, at := range held {
			d.Free(at)
		}
	}()
	allocate := func(floats int) gpu.Address {
		if err != nil || floats == 0 {
			return 0
		}
		var at gpu.Address
		if at, err = d.Allocate(4 * int64(floats)); err == nil {
			held = append(held, at)
		}
		return at
	}
	at := make([]gpu.Address, len(in))
	for i := range in {
		at[i] = allocate(len(in[i]))
		if err == nil {
			err = q.Upload(at[i], in[i])
		}
	}
	var out gpu.Address
	if over {
		out = at[0]
	} else {
		out = allocate(length)
	}
	space := allocate(list.Workspace)
	if err != nil {
		return nil, err
	}
	job, err := q.Prepare(list.Resolve(out, at, space))
	if err != nil {
		return nil, err
	}
	defer job.Close()
	if err := job.Run(); err != nil {
		return nil, err
	}
	got = make([]float32, length)
	return got, q.Download(got, out)
}

// difference is the largest one, relative to the largest value of want.
func difference(got, want []float32) (float64, error) {
	size, worst := 0.0, 0.0
	for i, w := range want {
		g := float64(got[i])
		if math.IsNaN(g) != math.IsNaN(float64(w)) || math.IsInf(g, 0) != math.IsInf(float64(w), 0) {
			return 0, fmt.Errorf("value %d is %g, want %g", i, got[i], w)
		}
		if math.IsNaN(g) || math.IsInf(g, 0) {
			continue
		}
		size, worst = max(size, math.Abs(float64(w))), max(worst, math.Abs(g-float64(w)))
	}
	if worst == 0 {
		return 0, nil
	}
	return worst / max(size, 1e-30), nil
}
