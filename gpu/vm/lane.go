package vm

import (
	"errors"
	"fmt"
	"sync"

	"mome/gpu"
	"mome/gpu/launch"
	"mome/gpu/op"
)

// Lane is memory in which programs run one at a time, and on a device a queue. Several lanes of one Machine run side by side. The
// zero Lane is one of the CPU, at op.Float32.
type Lane struct {
	machine   *Machine // nil for the CPU
	precision op.Precision
	arena     []float32 // of the host

	queue    gpu.Queue
	memory   gpu.Address // arena of the device
	bytes    int64
	programs []*deviceProgram
}

// Machine is a device with what its lanes share: the data of BindFixed, copied once. A nil *Machine is the CPU. It is safe for
// concurrent use.
type Machine struct {
	device gpu.Device
	warn   func(error)

	mu    sync.Mutex
	fixed map[identity]resident
	lost  bool
}

// identity tells data from others: where they begin, the second of several pieces too, and how long they are in all.
type identity struct {
	first, second *float32
	floats        int
}

// resident are data that are on the device too. They are held, so that no others get their place in the host's memory.
type resident struct {
	pieces [][]float32
	at     gpu.Address
}

// On makes a machine of a device. Warn is told why the CPU computes in the device's place: each time that the device's memory did
// not suffice, once if it is lost.
func On(d gpu.Device, warn func(error)) *Machine {
	return &Machine{device: d, warn: warn, fixed: map[identity]resident{}}
}

// String is the device's name, "CPU" for a nil machine.
func (m *Machine) String() string {
	if m == nil {
		return "CPU"
	}
	return m.device.String()
}

// Lane makes a lane; of the CPU if m is nil.
func (m *Machine) Lane(p op.Precision) *Lane { return &Lane{machine: m, precision: p} }

// Release gives back what the lanes shared. All lanes must be closed; new ones can be made.
func (m *Machine) Release() error {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var err error
	for _, r := range m.fixed {
		err = errors.Join(err, m.device.Free(r.at))
	}
	clear(m.fixed)
	return err
}

// usable says whether the device still works.
func (m *Machine) usable() bool {
	if m == nil {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.lost
}

// failed takes an error of the device: what is neither a want of memory nor an operation it lacks ends its use.
func (m *Machine) failed(err error) {
	m.mu.Lock()
	first := !m.lost
	if !errors.Is(err, gpu.ErrOutOfMemory) && !errors.Is(err, launch.ErrUnsupported) {
		m.lost = true
	}
	m.mu.Unlock()
	if first && m.warn != nil {
		m.warn(fmt.Errorf("%s: the CPU computes instead: %w", m, err))
	}
}

// keep copies pieces to the device, one after the other, unless they are there.
func (m *Machine) keep(q gpu.Queue, pieces ...[]float32) (gpu.Address, error) {
	id := identity{first: &pieces[0][0]}
	if len(pieces) > 1 {
		id.second = &pieces[1][0]
	}
	for _, p := range pieces {
		id.floats += len(p)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if r, ok := m.fixed[id]; ok {
		return r.at, nil
	}
	start, err := m.device.Allocate(4 * int64(id.floats))
	if err != nil {
		return 0, err
	}
	offset := 0
	for _, p := range pieces {
		if err := q.Upload(at(start, offset), p); err != nil {
			return 0, errors.Join(err, m.device.Free(start))
		}
		offset += len(p)
	}
	// An upload may be under way still when it returns, and other lanes' queues, which do not wait for this one, read these data.
	if err := wait(q, start); err != nil {
		return 0, errors.Join(err, m.device.Free(start))
	}
	m.fixed[id] = resident{pieces, start}
	return start, nil
}

// wait returns when a queue has done all that it was given. Memory is any that holds a float.
func wait(q gpu.Queue, memory gpu.Address) error {
	var last [1]float32
	return q.Download(last[:], memory)
}

// String is where the lane's programs run.
func (l *Lane) String() string { return l.machine.String() }

// Precision is that of the lane's programs.
func (l *Lane) Precision() op.Precision { return l.precision }

// host is the lane's arena on the CPU, of at least so many floats.
func (l *Lane) host(floats int) []float32 {
	if len(l.arena) < floats {
		l.arena = make([]float32, floats)
	}
	return l.arena
}

// open makes the queue where there is none yet.
func (l *Lane) open() (err error) {
	if l.queue == nil {
		l.queue, err = l.machine.device.NewQueue()
	}
	return err
}

// reserve makes the device's arena at least so large. Programs that were prepared for another must be prepared again.
func (l *Lane) reserve(floats int) error {
	need := max(4*int64(floats), 256)
	if l.bytes >= need {
		return nil
	}
	if err := l.release(); err != nil {
		return err
	}
	at, err := l.machine.device.Allocate(need)
	if err != nil {
		return err
	}
	l.memory, l.bytes = at, need
	return nil
}

// release gives the device's arena back.
func (l *Lane) release() error {
	if l.bytes == 0 {
		return nil
	}
	at := l.memory
	l.memory, l.bytes = 0, 0
	return l.machine.device.Free(at)
}

// Close gives back what the lane has on the device. Its programs must not run any more.
func (l *Lane) Close() error {
	if l.machine == nil || l.queue == nil {
		return nil
	}
	var err error
	for _, p := range l.programs {
		err = errors.Join(err, p.close())
	}
	err = errors.Join(err, l.release(), l.queue.Close())
	l.queue = nil
	return err
}
