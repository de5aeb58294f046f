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

// arrange lays out the results of the steps and the inputs that loaded says: those are there from the start. workspace is the
// floats that a step needs while it runs. Each value gets the lowest gap that is free from the step that writes it to the last
// one that reads it; what is wanted stays.
func arrange(values []value, steps []step, wanted []bool, loaded func(value int) bool, workspace func(step int) int) layout {
	const forever = int(^uint(0) >> 1)
	l := layout{offset: make([]int, len(values)), space: make([]int, len(steps))}
	last := make([]int, len(values))
	for i := range values {
		l.offset[i] = -1
		last[i] = -1
	}
	for i, s := range steps {
		last[s.out] = i
		for _, v := range s.in {
			last[v] = i
		}
	}
	for v := range values {
		if wanted[v] {
			last[v] = forever
		}
	}
	var live []int // values in the arena, by offset
	place := func(size int) (offset, at int) {
		offset, at = l.gap(values, live, size)
		l.size = max(l.size, offset+size)
		return offset, at
	}
	for v := range values {
		if values[v].kind == input && loaded(v) && last[v] >= 0 {
			offset, at := place(values[v].floats())
			l.offset[v] = offset
			live = slices.Insert(live, at, v)
		}
	}
	for i, s := range steps {
		if first := s.in[0]; l.overwrites(values, s, last[first] == i) {
			l.offset[s.out] = l.offset[first]
			live[slices.Index(live, first)] = s.out
		} else {
			offset, at := place(values[s.out].floats())
			l.offset[s.out] = offset
			live = slices.Insert(live, at, s.out)
		}
		if n := workspace(i); n > 0 {
			l.space[i], _ = place(n)
		}
		live = slices.DeleteFunc(live, func(v int) bool { return last[v] <= i })
	}
	return l
}

// overwrites says whether a step may take over the room of its first input, given whether it is the last to read it.
func (l layout) overwrites(values []value, s step, lastUse bool) bool {
	first := s.in[0]
	_, able := s.kernel.(op.InPlace)
	return able && lastUse && l.offset[first] >= 0 && !slices.Contains(s.in[1:], first) && values[first].floats() == values[s.out].floats()
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
