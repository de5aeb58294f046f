package vm

import (
	"slices"

	"mome/gpu/launch"
	"mome/gpu/op"
)

// fused is a code for a device: steps that one kernel computes are joined, and slices and joins of rows are no steps at all but
// places inside other values.
type fused struct {
	steps  []step
	values []value // those of the code, and joined weights
	part   []part

	code    *code
	wanted  []bool
	readers []int // by value
	maker   []int // by value: its step, -1 for none
	gone    []bool
}

func fuse(c *code) *fused {
	f := &fused{
		steps: slices.Clone(c.steps), part: make([]part, len(c.values)), code: c, wanted: c.wanted(),
		values: slices.Clone(c.values), readers: make([]int, len(c.values)), maker: make([]int, len(c.values)), gone: make([]bool, len(c.steps)),
	}
	for v := range c.values {
		f.part[v].whole, f.maker[v] = -1, -1
	}
	for i, s := range f.steps {
		f.maker[s.out] = i
		for _, v := range s.in {
			f.readers[v]++
		}
	}
	for i := range f.steps {
		switch k := f.steps[i].kernel.(type) {
		case op.GELUKernel:
			f.activate(i)
		case op.SumKernel:
			f.add(i, k)
		case op.InstanceNormReLUKernel:
			f.normalise(i, k)
		}
	}
	for i := range f.steps {
		switch k := f.steps[i].kernel.(type) {
		case op.SliceKernel:
			f.slice(i, k)
		case op.ConcatKernel:
			if k.Axis == 1 {
				f.stack(i)
			} else {
				f.join(i, k)
			}
		}
	}
	kept := f.steps[:0]
	for i, s := range f.steps {
		if !f.gone[i] {
			kept = append(kept, s)
		}
	}
	f.steps = kept
	return f
}

// only is the step that makes v, if nothing but one step reads v.
func (f *fused) only(v int) (step, bool) {
	if f.wanted[v] || f.readers[v] != 1 || f.maker[v] < 0 || f.gone[f.maker[v]] {
		return step{}, false
	}
	return f.steps[f.maker[v]], true
}

// replace puts a joined step in the place of step i, and forgets the one that made v.
func (f *fused) replace(i, v int, s step) {
	f.gone[f.maker[v]] = true
	f.steps[i] = s
}

// activate joins a linear map with the GELU of it.
func (f *fused) activate(i int) {
	s := f.steps[i]
	x := s.in[0]
	before, ok := f.only(x)
	if !ok {
		return
	}
	if k, ok := before.kernel.(op.LinearKernel); ok {
		f.replace(i, x, step{kernel: launch.LinearFused{LinearShape: k.LinearShape, GELU: true}, in: before.in, out: s.out})
	}
}

// normalise joins a convolution with the instance norm of it.
func (f *fused) normalise(i int, k op.InstanceNormReLUKernel) {
	s := f.steps[i]
	before, ok := f.only(s.in[0])
	if !ok {
		return
	}
	if c, ok := before.kernel.(op.Conv3dKernel); ok {
		f.replace(i, s.in[0], step{kernel: launch.Conv3dNorm{Conv3dShape: c.Conv3dShape, Eps: k.Eps}, in: before.in, out: s.out})
	}
}

// add joins a linear map with the sum that it is one term of: the last such map, which is the one whose input is least old.
func (f *fused) add(i int, sum op.SumKernel) {
	s := f.steps[i]
	if sum.Terms-1 > launch.MaxTerms {
		return
	}
	for t := len(s.in) - 1; t >= 0; t-- {
		before, ok := f.only(s.in[t])
		if !ok {
			continue
		}
		k, ok := before.kernel.(op.LinearKernel)
		if !ok {
			continue
		}
		in := slices.Concat(before.in, s.in[:t], s.in[t+1:])
		f.replace(i, s.in[t], step{kernel: launch.LinearFused{LinearShape: k.LinearShape, Terms: sum.Terms - 1}, in: in, out: s.out})
		return
	}
}

// stack makes one linear map of several of the same rows whose results are put side by side, such as query, key and value, where
// their weights are fixed: those are stacked on the device.
func (f *fused) stack(i int) {
	s := f.steps[i]
	var all op.LinearKernel
	var x int
	var weights, biases []int
	for n, v := range s.in {
		before, ok := f.only(v)
		if !ok {
			return
		}
		k, ok := before.kernel.(op.LinearKernel)
		if !ok || n > 0 && before.in[0] != x || !f.values[before.in[1]].fixed || !f.values[before.in[2]].fixed {
			return
		}
		all.Rows, all.In, all.Out, x = k.Rows, k.In, all.Out+k.Out, before.in[0]
		weights, biases = append(weights, before.in[1]), append(biases, before.in[2])
	}
	for _, v := range s.in {
		f.gone[f.maker[v]] = true
	}
	w, b := f.stacked(weights, all.Out, all.In), f.stacked(biases, all.Out)
	f.steps[i] = step{kernel: all, in: []int{x, w, b}, out: s.out}
}

// stacked adds a fixed value that consists of others.
func (f *fused) stacked(of []int, shape ...int) int {
	f.values = append(f.values, value{name: f.values[of[0]].name + " and others", shape: shape, kind: input, fixed: true, joins: of})
	f.part = append(f.part, part{whole: -1})
	return len(f.values) - 1
}

// slice makes rows a place inside the matrix they are taken from, where kernels can begin there.
func (f *fused) slice(i int, k op.SliceKernel) {
	s := f.steps[i]
	from := k.From * k.Cols
	if k.Axis != 0 || f.wanted[s.out] || from != align(from) {
		return
	}
	f.part[s.out] = part{s.in[0], from}
	f.gone[i] = true
}

// join makes matrices that are put below each other places inside the result, where each can be written there from the start: it is
// made by a step of its own and read by nothing else.
func (f *fused) join(i int, k op.ConcatKernel) {
	s := f.steps[i]
	at := 0
	for n, v := range s.in {
		if _, ok := f.only(v); !ok || at != align(at) || f.part[v].whole >= 0 {
			return
		}
		at += k.Lengths[n] * k.Across
	}
	at = 0
	for n, v := range s.in {
		f.part[v] = part{s.out, at}
		at += k.Lengths[n] * k.Across
	}
	f.gone[i] = true
}
