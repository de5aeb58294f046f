package vm

import (
	"slices"

	"mome/gpu/op"
)

// layout says where in one arena the values of some steps lie. A value's room is given to others after its last use, and
// operations that can do so write over their first input.
type layout struct {
	offset []int // floats, by value; -1 for values that lie elsewhere
	space  []int // floats, by step: its workspace
	size   int   // floats of the whole arena
}

// arrangement is what a layout has to hold.
type arrangement struct {
	values []value
	steps  []step
	wanted []bool // by value: stays to the end
	// loaded says whether an input lies in the arena from the start, workspace how many floats a step needs while it runs; nil is none.
	loaded    func(value int) bool
	workspace func(step int) int
	// part says of which other value one is a piece, if of any; nil is of none.
	part []part
}

// part is a piece of a value, from an offset in floats. whole is -1 for a value of its own.
type part struct{ whole, offset int }

// root is the value whose room v lies in, and where.
func (a *arrangement) root(v int) (whole, offset int) {
	if a.part != nil && a.part[v].whole >= 0 {
		whole, offset = a.root(a.part[v].whole)
		return whole, offset + a.part[v].offset
	}
	return v, 0
}

// layout gives each value the lowest gap that is free from the step that writes it to the last one that reads it.
func (a *arrangement) layout() layout {
	const forever = int(^uint(0) >> 1)
	l := layout{offset: make([]int, len(a.values)), space: make([]int, len(a.steps))}
	last := make([]int, len(a.values)) // by root
	for v := range a.values {
		l.offset[v], last[v] = -1, -1
	}
	use := func(v, at int) {
		r, _ := a.root(v)
		last[r] = max(last[r], at)
	}
	for i, s := range a.steps {
		use(s.out, i)
		for _, v := range s.in {
			use(v, i)
		}
	}
	for v, wanted := range a.wanted {
		if wanted {
			use(v, forever)
		}
	}
	var live []int // roots in the arena, by offset
	place := func(v int) {
		offset, at := l.gap(a.values, live, a.values[v].floats())
		l.offset[v] = offset
		l.size = max(l.size, offset+a.values[v].floats())
		live = slices.Insert(live, at, v)
	}
	for v := range a.values {
		if a.loaded != nil && a.values[v].kind == input && last[v] >= 0 && a.loaded(v) {
			place(v)
		}
	}
	for i, s := range a.steps {
		first := s.in[0]
		if root, _ := a.root(s.out); root != s.out {
			if l.offset[root] < 0 {
				place(root)
			}
		} else if l.offset[root] >= 0 { // a piece of it was there before
		} else if l.overwrites(a.values, s, last[first] == i && !a.reads(s.in[1:], first)) {
			l.offset[s.out] = l.offset[first]
			live[slices.Index(live, first)] = s.out
		} else {
			place(s.out)
		}
		if a.workspace != nil {
			if n := a.workspace(i); n > 0 {
				l.space[i], _ = l.gap(a.values, live, n)
				l.size = max(l.size, l.space[i]+n)
			}
		}
		live = slices.DeleteFunc(live, func(v int) bool { return last[v] <= i })
	}
	for v := range a.values {
		if root, offset := a.root(v); root != v && l.offset[root] >= 0 {
			l.offset[v] = l.offset[root] + offset
		}
	}
	return l
}

// reads says whether any of the values is a root or a piece of it.
func (a *arrangement) reads(values []int, root int) bool {
	return slices.ContainsFunc(values, func(v int) bool {
		r, _ := a.root(v)
		return r == root
	})
}

// overwrites says whether a step may take over the room of its first input, given whether nothing else reads that any more.
func (l layout) overwrites(values []value, s step, free bool) bool {
	first := s.in[0]
	_, able := s.kernel.(op.InPlace)
	return able && free && l.offset[first] >= 0 && values[first].floats() == values[s.out].floats()
}

// gap finds the lowest room of the given size between the live values, and its position among them.
func (l layout) gap(values []value, live []int, size int) (offset, at int) {
	for i, v := range live {
		if l.offset[v]-offset >= size {
			return offset, i
		}
		offset = l.offset[v] + align(values[v].floats())
	}
	return offset, len(live)
}

// align rounds up to a cache line of 16 floats.
func align(n int) int { return (n + 15) &^ 15 }
