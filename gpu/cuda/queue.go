//go:build gpu

package cuda

import (
	"errors"
	"fmt"
	"unsafe"

	"gorgonia.org/cu"

	"mome/gpu"
)

// chunk is how many floats are copied at once, of 4 MiB: much longer under way than the driver's call takes, and small enough
// for two of them in every queue.
const chunk = 1 << 20

// queue implements gpu.Queue on a stream of its own. What is copied goes through two pinned buffers in turn, so that one is
// filled or emptied by the CPU while the other is under way.
type queue struct {
	device *device
	stream cu.Stream
	stages [2]stage
	next   int               // stage to use
	jobs   map[*job]struct{} // that are open
}

// stage is a pinned buffer of chunk floats.
type stage struct {
	memory unsafe.Pointer
	done   cu.Event // recorded after the last copy from or to the buffer
}

func (s *stage) floats(n int) []float32 { return unsafe.Slice((*float32)(s.memory), n) }

// NewQueue implements gpu.Device.
func (d *device) NewQueue() (gpu.Queue, error) {
	q := &queue{device: d, jobs: map[*job]struct{}{}}
	err := d.do(d.name+": make a queue", func() (err error) {
		if q.stream, err = cu.MakeStream(cu.NonBlocking); err != nil {
			return err
		}
		for i := range q.stages {
			s := &q.stages[i]
			if s.memory, err = allocatePinned(4 * chunk); err != nil {
				return err
			}
			if s.done, err = cu.MakeEvent(cu.DisableTiming); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, q.end())
	}
	d.turn.Lock()
	defer d.turn.Unlock()
	d.queues[q] = struct{}{}
	return q, nil
}

// Upload implements gpu.Queue. It returns when the last chunk is in a buffer, which may be before it is on the device.
func (q *queue) Upload(to gpu.Address, from []float32) error {
	return q.device.do(fmt.Sprintf("%s: upload %d floats", q.device.name, len(from)), func() error {
		for len(from) > 0 {
			n := min(len(from), chunk)
			s := &q.stages[q.next]
			q.next = (q.next + 1) % len(q.stages)
			if err := s.done.Synchronize(); err != nil {
				return err
			}
			copy(s.floats(n), from)
			if err := cu.MemcpyHtoDAsync(cu.DevicePtr(to), s.memory, int64(4*n), q.stream); err != nil {
				return err
			}
			if err := s.done.Record(q.stream); err != nil {
				return err
			}
			to, from = to+gpu.Address(4*n), from[n:]
		}
		return nil
	})
}

// Download implements gpu.Queue.
func (q *queue) Download(to []float32, from gpu.Address) error {
	return q.device.do(fmt.Sprintf("%s: download %d floats", q.device.name, len(to)), func() error {
		asked := 0 // floats whose copies are under way or done
		for got := 0; got < len(to); {
			for asked < len(to) && asked < got+len(q.stages)*chunk {
				n := min(len(to)-asked, chunk)
				s := &q.stages[asked/chunk%len(q.stages)]
				if err := s.done.Synchronize(); err != nil { // of an upload before
					return err
				}
				if err := cu.MemcpyDtoHAsync(s.memory, cu.DevicePtr(from)+cu.DevicePtr(4*asked), int64(4*n), q.stream); err != nil {
					return err
				}
				if err := s.done.Record(q.stream); err != nil {
					return err
				}
				asked += n
			}
			s := &q.stages[got/chunk%len(q.stages)]
			if err := s.done.Synchronize(); err != nil {
				return err
			}
			got += copy(to[got:], s.floats(min(len(to)-got, chunk)))
		}
		return nil
	})
}

// Close implements gpu.Queue.
func (q *queue) Close() error {
	q.device.turn.Lock()
	_, open := q.device.queues[q]
	delete(q.device.queues, q)
	q.device.turn.Unlock()
	if !open {
		return nil
	}
	return q.end()
}

// end waits for the work and gives everything back, whatever of it there is.
func (q *queue) end() error {
	return q.device.do(q.device.name+": close a queue", func() error {
		var errs []error
		if q.stream != (cu.Stream{}) {
			errs = append(errs, q.stream.Synchronize())
		}
		for j := range q.jobs {
			errs = append(errs, j.destroy())
		}
		clear(q.jobs)
		for i := range q.stages {
			s := &q.stages[i]
			if s.done != (cu.Event{}) {
				errs = append(errs, cu.DestroyEvent(&s.done))
			}
			if s.memory != nil {
				errs = append(errs, freePinned(s.memory))
			}
		}
		if q.stream != (cu.Stream{}) {
			errs = append(errs, q.stream.Destroy())
		}
		return errors.Join(errs...)
	})
}
