//go:build gpu

package cuda

import (
	"errors"
	"fmt"
	"unsafe"

	"gorgonia.org/cu"

	"mome/gpu"
)

// job implements gpu.Job: a graph where the driver could make one, which starts hundreds of kernels by one call, else the
// launches one by one.
type job struct {
	queue    *queue
	graph    graph
	launches []prepared // empty where there is a graph
}

// prepared is a launch with its kernel found.
type prepared struct {
	gpu.Launch
	function cu.Function
}

// Prepare implements gpu.Queue.
func (q *queue) Prepare(launches []gpu.Launch) (gpu.Job, error) {
	j := &job{queue: q}
	err := q.device.do(fmt.Sprintf("%s: prepare %d launches", q.device.name, len(launches)), func() error {
		all := make([]prepared, len(launches))
		for i, l := range launches {
			f, err := q.device.kernels.prepare(l)
			if err != nil {
				return err
			}
			all[i] = prepared{l, f}
		}
		return j.capture(all)
	})
	if err != nil {
		return nil, err
	}
	q.jobs[j] = struct{}{}
	return j, nil
}

// capture makes the graph. Without one the launches are kept; that a launch is impossible is an error here already.
func (j *job) capture(all []prepared) error {
	if len(all) == 0 {
		return nil
	}
	s := j.queue.stream
	if beginCapture(s) == nil {
		for _, l := range all {
			if err := l.add(s); err != nil {
				abandonCapture(s)
				return err
			}
		}
		g, err := endCapture(s)
		if err == nil {
			j.graph = g
			return nil
		}
		if err := explain("make a graph", err); errors.Is(err, ErrLost) {
			return err
		}
	}
	j.launches = make([]prepared, len(all))
	for i, l := range all {
		l.Parameters = append([]uint64(nil), l.Parameters...)
		j.launches[i] = l
	}
	return nil
}

// add gives the launch to a stream.
func (l *prepared) add(s cu.Stream) error {
	parameters := make([]unsafe.Pointer, len(l.Parameters))
	for i := range l.Parameters {
		parameters[i] = unsafe.Pointer(&l.Parameters[i]) // Launch copies 8 bytes from each
	}
	g, b := l.Grid, l.Block
	err := l.function.Launch(g[0], g[1], g[2], b[0], b[1], b[2], l.Shared, s, parameters)
	if err != nil {
		return explain(fmt.Sprintf("kernel %s, grid %d, block %d, %d bytes of shared memory", l.Kernel, g, b, l.Shared), err)
	}
	return nil
}

// Run implements gpu.Job.
func (j *job) Run() error {
	q := j.queue
	return q.device.do(q.device.name+": run", func() error {
		if j.graph != (graph{}) {
			return j.graph.launch(q.stream)
		}
		for i := range j.launches {
			if err := j.launches[i].add(q.stream); err != nil {
				return err
			}
		}
		return nil
	})
}

// Close implements gpu.Job. The driver keeps the graph for as long as it runs.
func (j *job) Close() error {
	if _, open := j.queue.jobs[j]; !open {
		return nil
	}
	delete(j.queue.jobs, j)
	return j.queue.device.do(j.queue.device.name+": close a job", j.destroy)
}

func (j *job) destroy() error {
	if j.graph == (graph{}) {
		return nil
	}
	g := j.graph
	j.graph = graph{}
	return g.destroy()
}
