package vm

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"gorgonia.org/gorgonia"

	"mome/gpu"
	"mome/gpu/emulator"
	"mome/gpu/op"
)

// counted is a device that counts what is done with it, and fails where told.
type counted struct {
	gpu.Device
	mu        sync.Mutex
	allocated map[gpu.Address]bool
	uploads   int
	prepared  int
	fail      error // of every launch
}

func (d *counted) Allocate(n int64) (gpu.Address, error) {
	at, err := d.Device.Allocate(n)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil {
		d.allocated[at] = true
	}
	return at, err
}

func (d *counted) Free(at gpu.Address) error {
	d.mu.Lock()
	delete(d.allocated, at)
	d.mu.Unlock()
	return d.Device.Free(at)
}

func (d *counted) NewQueue() (gpu.Queue, error) {
	q, err := d.Device.NewQueue()
	return countedQueue{q, d}, err
}

type countedQueue struct {
	gpu.Queue
	d *counted
}

func (q countedQueue) Upload(to gpu.Address, from []float32) error {
	q.d.mu.Lock()
	q.d.uploads++
	q.d.mu.Unlock()
	return q.Queue.Upload(to, from)
}

func (q countedQueue) Prepare(launches []gpu.Launch) (gpu.Job, error) {
	q.d.mu.Lock()
	defer q.d.mu.Unlock()
	q.d.prepared++
	if q.d.fail != nil {
		return nil, q.d.fail
	}
	return q.Queue.Prepare(launches)
}

// emulated is a machine that runs kernels on the CPU; warnings are collected.
func emulated(t *testing.T, memory int64) (*Machine, *counted, *[]error) {
	t.Helper()
	d := &counted{Device: emulator.Start(t, emulator.Options{Memory: memory}), allocated: map[gpu.Address]bool{}}
	warnings := new([]error)
	var mu sync.Mutex
	return On(d, func(err error) {
		mu.Lock()
		defer mu.Unlock()
		*warnings = append(*warnings, err)
	}), d, warnings
}

// fill binds every input to random numbers, those named fixed for good.
func fill(t *testing.T, p *Program, seed uint64, fixed func(name string) bool) {
	t.Helper()
	var names []string
	for name := range p.Inputs() {
		names = append(names, name)
	}
	slices.Sort(names)
	random := rand.New(rand.NewPCG(seed, 1))
	for _, name := range names {
		data := make([]float32, p.Inputs()[name].TotalSize())
		for i := range data {
			data[i] = float32(random.NormFloat64() / 2)
		}
		bind := p.Bind
		if fixed(name) {
			bind = p.BindFixed
		}
		if err := bind(name, data); err != nil {
			t.Fatal(err)
		}
	}
}

func weight(name string) bool { return len(name) > 2 && name != "target" }

// compare runs both and compares all outputs.
func compare(t *testing.T, got, want *Program, outputs []*gorgonia.Node, tolerance float64) {
	t.Helper()
	for _, p := range []*Program{got, want} {
		if err := p.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	for i, n := range outputs {
		a, err := got.Value(n)
		if err != nil {
			t.Fatal(err)
		}
		b, err := want.Value(n)
		if err != nil {
			t.Fatal(err)
		}
		size, worst := 0.0, 0.0
		for j := range b {
			size, worst = max(size, math.Abs(float64(b[j]))), max(worst, math.Abs(float64(a[j]-b[j])))
		}
		if !(worst <= tolerance*max(size, 1e-2)) {
			t.Errorf("output %d, %v: differs by %.2g of %.2g", i, n.Shape(), worst, size)
		}
	}
}

// A device must answer as the CPU does, forward and backward, again and again, with inputs that change in place.
func TestDeviceMatchesHost(t *testing.T) {
	m, d, warnings := emulated(t, 0)
	lane := m.Lane(op.Float32)
	for _, size := range [][2]int{{5, 16}, {33, 32}, {3, 8}, {3, 18}} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			outputs, _ := transformer(t, size[0], size[1])
			got, err := lane.Compile(outputs...)
			if err != nil {
				t.Fatal(err)
			}
			want, err := Compile(outputs...)
			if err != nil {
				t.Fatal(err)
			}
			fill(t, got, 1, weight)
			fill(t, want, 1, weight)
			compare(t, got, want, outputs, 1e-4)
			for _, p := range []*Program{got, want} {
				m0 := p.values[p.names["m0"]].data
				for i := range m0 {
					m0[i] = -m0[i]
				}
			}
			uploads, prepared := d.uploads, d.prepared
			compare(t, got, want, outputs, 1e-4)
			if n := d.uploads - uploads; n != 3 || d.prepared != prepared {
				t.Errorf("a second run copies %d values, want the 3 that may change, and prepares %d jobs, want 0", n, d.prepared-prepared)
			}
			if got.ran != onDevice {
				t.Error("the CPU computed")
			}
		})
	}
	if len(*warnings) > 0 {
		t.Errorf("warnings: %v", *warnings)
	}
	if err := errors.Join(lane.Close(), m.Release()); err != nil {
		t.Error(err)
	}
	if len(d.allocated) > 0 {
		t.Errorf("%d allocations are left", len(d.allocated))
	}
}

// Where the device's memory does not suffice, the CPU answers with the same bits as alone, each time with a warning; and when there
// is memory again, the device goes on.
func TestOutOfMemory(t *testing.T) {
	m, d, warnings := emulated(t, 1<<20)
	outputs, _ := transformer(t, 5, 16)
	lane := m.Lane(op.Float32)
	got, err := lane.Compile(outputs[0])
	if err != nil {
		t.Fatal(err)
	}
	want, err := Compile(outputs[0])
	if err != nil {
		t.Fatal(err)
	}
	fill(t, got, 1, weight)
	fill(t, want, 1, weight)
	hog, err := d.Allocate(1<<20 - 3000)
	if err != nil {
		t.Fatal(err)
	}
	for run := range 2 {
		compare(t, got, want, outputs[:1], 0)
		if len(*warnings) != run+1 || !errors.Is((*warnings)[run], gpu.ErrOutOfMemory) {
			t.Fatalf("run %d: warnings %v", run, *warnings)
		}
	}
	if err := d.Free(hog); err != nil {
		t.Fatal(err)
	}
	compare(t, got, want, outputs[:1], 1e-4)
	if len(*warnings) != 2 || got.ran != onDevice {
		t.Errorf("with memory again the CPU computes: %v", *warnings)
	}
}

// A device that fails is left alone from then on, with one warning.
func TestLostDevice(t *testing.T) {
	m, d, warnings := emulated(t, 0)
	outputs, _ := transformer(t, 3, 16)
	got, err := m.Lane(op.Float32).Compile(outputs[0])
	if err != nil {
		t.Fatal(err)
	}
	want, err := Compile(outputs[0])
	if err != nil {
		t.Fatal(err)
	}
	fill(t, got, 1, weight)
	fill(t, want, 1, weight)
	gone := errors.New("fell off the bus")
	d.fail = gone
	compare(t, got, want, outputs[:1], 0)
	d.fail = nil
	compare(t, got, want, outputs[:1], 0)
	if len(*warnings) != 1 || !errors.Is((*warnings)[0], gone) {
		t.Errorf("warnings: %v", *warnings)
	}
}

// Lanes run side by side, and share what is fixed.
func TestLanesSideBySide(t *testing.T) {
	m, _, warnings := emulated(t, 0)
	outputs, _ := transformer(t, 3, 16)
	want, err := Compile(outputs[0])
	if err != nil {
		t.Fatal(err)
	}
	fill(t, want, 1, weight)
	if err := want.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	answer, err := want.Value(outputs[0])
	if err != nil {
		t.Fatal(err)
	}
	var programs []*Program
	for range 3 {
		p, err := m.Lane(op.Float32).Compile(outputs[0])
		if err != nil {
			t.Fatal(err)
		}
		share(t, p, want)
		programs = append(programs, p)
	}
	var wait sync.WaitGroup
	for _, p := range programs {
		wait.Go(func() {
			for range 3 {
				if err := p.Run(context.Background()); err != nil {
					t.Error(err)
					return
				}
				got, err := p.Value(outputs[0])
				if err != nil {
					t.Error(err)
				}
				for i := range got {
					if math.Abs(float64(got[i]-answer[i])) > 1e-4 {
						t.Errorf("value %d is %g, want %g", i, got[i], answer[i])
					}
				}
			}
		})
	}
	wait.Wait()
	held := len(m.fixed)
	p, err := m.Lane(op.Float32).Compile(outputs[0])
	if err != nil {
		t.Fatal(err)
	}
	share(t, p, want)
	if err := p.Run(context.Background()); err != nil || held == 0 || len(m.fixed) != held {
		t.Errorf("a lane more has %d fixed values of its own: %v", len(m.fixed)-held, err)
	}
	if len(*warnings) > 0 {
		t.Error(*warnings)
	}
}

// share binds the inputs of p to the same data as those of another.
func share(t *testing.T, p, other *Program) {
	t.Helper()
	for _, v := range other.values {
		if v.kind != input {
			continue
		}
		bind := p.Bind
		if v.fixed {
			bind = p.BindFixed
		}
		if err := bind(v.name, v.data); err != nil {
			t.Fatal(err)
		}
	}
}

// late is a queue that has its uploads under way until something is asked for that comes after them.
type late struct {
	gpu.Queue
	under *[]func() error
}

func (q late) Upload(to gpu.Address, from []float32) error {
	copied := slices.Clone(from)
	*q.under = append(*q.under, func() error { return q.Queue.Upload(to, copied) })
	return nil
}

func (q late) Download(to []float32, from gpu.Address) error {
	for _, upload := range *q.under {
		if err := upload(); err != nil {
			return err
		}
	}
	*q.under = nil
	return q.Queue.Download(to, from)
}

// What one lane brought to the device is there when another is told where, whose queue does not wait for the first one's.
func TestFixedIsThereForAllQueues(t *testing.T) {
	m, d, _ := emulated(t, 0)
	of := func() gpu.Queue {
		q, err := d.NewQueue()
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	want := []float32{1, 2, 3}
	first := late{of(), new([]func() error)}
	if _, err := m.keep(first, want[:1], want[1:]); err != nil {
		t.Fatal(err)
	}
	second := of()
	at, err := m.keep(second, want[:1], want[1:])
	if err != nil {
		t.Fatal(err)
	}
	got := make([]float32, len(want))
	if err := second.Download(got, at); err != nil || !slices.Equal(got, want) {
		t.Errorf("another queue reads %v, %v, want %v", got, err, want)
	}
}
