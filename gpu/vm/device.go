package vm

import (
	"errors"
	"fmt"

	"mome/gpu"
	"mome/gpu/launch"
	"mome/gpu/op"
)

// deviceProgram is a Program made ready for the device of its lane: its launches with all addresses, to be run again and again.
type deviceProgram struct {
	refused bool // the device can't compute some operation

	stale   bool // other inputs are fixed than when it was planned
	planned bool
	layout  layout
	steps   []step
	values  []value
	part    []part
	lists   []launch.List

	job     gpu.Job
	arena   gpu.Address       // that the job was made for
	results map[int][]float32 // of the outputs, by value
}

// runOnDevice says whether the device computed the outputs. Where it did not, the CPU has to, and the machine has been told why.
func (p *Program) runOnDevice() bool {
	d := p.device
	if d == nil || d.refused || !p.lane.machine.usable() {
		return false
	}
	err := p.tryDevice()
	if err == nil {
		return true
	}
	// Whatever was prepared may be incomplete, and its memory may serve other programs.
	err = errors.Join(err, d.close())
	if errors.Is(err, gpu.ErrOutOfMemory) {
		err = errors.Join(err, p.lane.release())
	}
	p.lane.machine.failed(err)
	return false
}

func (p *Program) tryDevice() error {
	d, l := p.device, p.lane
	if err := l.open(); err != nil {
		return err
	}
	if !d.planned || d.stale {
		if err := p.planForDevice(); err != nil {
			d.refused = true
			return err
		}
	}
	if err := l.reserve(d.layout.size); err != nil {
		return err
	}
	if d.job == nil || d.arena != l.memory {
		if err := p.prepare(); err != nil {
			return err
		}
	}
	for i := range p.values {
		if v := &p.values[i]; v.kind == input && !v.fixed && d.layout.offset[i] >= 0 {
			if err := l.queue.Upload(at(l.memory, d.layout.offset[i]), v.data); err != nil {
				return err
			}
		}
	}
	if err := d.job.Run(); err != nil {
		return err
	}
	for i, out := range d.results {
		if err := l.queue.Download(out, at(l.memory, d.layout.offset[i])); err != nil {
			return err
		}
	}
	return nil
}

// at is the address of a float of an arena.
func at(arena gpu.Address, offset int) gpu.Address { return arena + 4*gpu.Address(offset) }

// planForDevice decides on launches and places.
func (p *Program) planForDevice() error {
	d := p.device
	if err := d.close(); err != nil {
		return err
	}
	d.steps, d.lists = nil, nil
	f := fuse(p.code)
	d.values, d.part = f.values, f.part
	for _, s := range f.steps {
		if s.kernel == nil {
			own, err := p.native(s)
			if err != nil {
				return err
			}
			s.kernel = own
		}
		list, err := launch.For(s.kernel, p.lane.precision)
		if err != nil {
			return err
		}
		d.steps, d.lists = append(d.steps, s), append(d.lists, list)
	}
	d.layout = (&arrangement{
		values: d.values, steps: d.steps, wanted: p.wanted(), part: d.part,
		loaded: func(v int) bool { return !d.values[v].fixed }, workspace: func(step int) int { return d.lists[step].Workspace },
	}).layout()
	d.results = map[int][]float32{}
	for _, n := range p.outputs {
		if v := p.places[n]; p.values[v].kind == result {
			d.results[v] = make([]float32, p.values[v].floats())
		}
	}
	d.planned, d.stale = true, false
	return nil
}

// native is the kernel for an operation of Gorgonia's own. Its gradients add terms, and nothing else.
func (p *Program) native(s step) (op.Kernel, error) {
	n := p.values[s.out].floats()
	for _, v := range s.in {
		if p.values[v].floats() != n {
			return nil, fmt.Errorf("%v of %v: %w", s.op, p.values[v].shape, launch.ErrUnsupported)
		}
	}
	if name := s.op.String(); len(s.in) != 2 || name[0] != '+' {
		return nil, fmt.Errorf("%v: %w", s.op, launch.ErrUnsupported)
	}
	return op.SumKernel{Rows: 1, Cols: n, Terms: 2}, nil
}

// prepare brings what is fixed to the device and makes the launches ready for the lane's arena as it is.
func (p *Program) prepare() error {
	d, l := p.device, p.lane
	if err := d.close(); err != nil {
		return err
	}
	where, err := p.addresses()
	if err != nil {
		return err
	}
	var launches []gpu.Launch
	for i, s := range d.steps {
		in := make([]gpu.Address, len(s.in))
		for j, v := range s.in {
			in[j] = where[v]
		}
		launches = append(launches, d.lists[i].Resolve(where[s.out], in, at(l.memory, d.layout.space[i]))...)
	}
	d.job, err = l.queue.Prepare(launches)
	d.arena = l.memory
	return err
}

// addresses says where every value is, and brings what is fixed there.
func (p *Program) addresses() ([]gpu.Address, error) {
	d, l := p.device, p.lane
	read := make([]bool, len(d.values))
	for _, s := range d.steps {
		for _, v := range s.in {
			root, _ := (&arrangement{part: d.part}).root(v)
			read[root] = true
		}
	}
	where := make([]gpu.Address, len(d.values))
	for i := range d.values {
		v := &d.values[i]
		if d.layout.offset[i] >= 0 {
			where[i] = at(l.memory, d.layout.offset[i])
			continue
		}
		if !read[i] || v.kind == result {
			continue
		}
		pieces := [][]float32{v.data}
		if v.kind == input && v.joins == nil {
			pieces[0] = p.values[i].data // as it is bound now
		} else if v.joins != nil {
			pieces = nil
			for _, j := range v.joins {
				pieces = append(pieces, p.values[j].data)
			}
		}
		var err error
		if where[i], err = l.machine.keep(l.queue, pieces...); err != nil {
			return nil, fmt.Errorf("%q: %w", v.name, err)
		}
	}
	for i := range d.values { // pieces of what lies outside of the arena
		if root, offset := (&arrangement{part: d.part}).root(i); root != i && d.layout.offset[i] < 0 {
			where[i] = at(where[root], offset)
		}
	}
	return where, nil
}

// Replay runs the launches of the last Run so many times more, without copying anything to or from the device, and waits for them:
// what they take is what the kernels take. It is an error if the last Run was on the CPU.
func (p *Program) Replay(times int) error {
	if p.ran != onDevice || p.device.job == nil {
		return errors.New("replay: the last run was not on a device")
	}
	for range times {
		if err := p.device.job.Run(); err != nil {
			return err
		}
	}
	return wait(p.lane.queue, p.lane.memory)
}

// OnDevice says whether the last Run was on the lane's device: the CPU takes over where that can't compute.
func (p *Program) OnDevice() bool { return p.ran == onDevice }

// Launches is the number of kernels that a Run on the device launches.
func (p *Program) Launches() (n int) {
	if p.device != nil {
		for _, l := range p.device.lists {
			n += len(l.Steps)
		}
	}
	return n
}

// close forgets the job.
func (d *deviceProgram) close() error {
	if d.job == nil {
		return nil
	}
	job := d.job
	d.job = nil
	return job.Close()
}
