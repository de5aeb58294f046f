// Package emulator is a device for tests: the CUDA kernels of gpu/kernel, compiled by a C++ compiler and run thread by thread on
// the CPU. It shows whether they compute what they should, whatever the sizes, and finds reads of memory never written, missing
// barriers, and with Sanitize reads and writes out of bounds. It says nothing of speed.
package emulator

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"unsafe"

	"mome/gpu"
	"mome/gpu/kernel"
)

//go:embed source
var sources embed.FS

// ErrNoCompiler is wrapped where there is no g++ or another processor than the emulator is written for.
var ErrNoCompiler = errors.New("g++ not installed")

// Options say how kernels are run.
type Options struct {
	// Sanitize ends the emulator at the first access out of bounds and at undefined behaviour.
	Sanitize bool
	// Reverse runs blocks, and the threads of a block, from the last to the first, and lets asynchronous copies arrive at once.
	Reverse bool
	// Memory is the most bytes that can be allocated; 0 is no limit.
	Memory int64
}

// Device is an emulator that runs. It is safe for concurrent use; its queues take turns.
type Device struct {
	options Options
	command *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
	said    bytes.Buffer // on standard error

	turn      sync.Mutex
	allocated map[gpu.Address]int64
	used      int64
	broken    error
}

var _ gpu.Device = (*Device)(nil)

// Open compiles the kernels where that was not done before, and starts an emulator.
func Open(o Options) (*Device, error) {
	program, err := build(o.Sanitize)
	if err != nil {
		return nil, fmt.Errorf("emulator: %w", err)
	}
	d := &Device{options: o, command: exec.Command(program), allocated: map[gpu.Address]int64{}}
	d.command.Env = append(os.Environ(), "ASAN_OPTIONS=detect_leaks=0:use_sigaltstack=0", "UBSAN_OPTIONS=halt_on_error=1")
	d.command.Stderr = &d.said
	if d.in, err = d.command.StdinPipe(); err != nil {
		return nil, fmt.Errorf("emulator: %w", err)
	}
	out, err := d.command.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("emulator: %w", err)
	}
	d.out = bufio.NewReaderSize(out, 1<<20)
	if err := d.command.Start(); err != nil {
		return nil, fmt.Errorf("emulator: %w", err)
	}
	if o.Reverse {
		err = d.SetReverse(true)
	}
	return d, err
}

// SetReverse changes Options.Reverse.
func (d *Device) SetReverse(reverse bool) error {
	d.turn.Lock()
	defer d.turn.Unlock()
	order := uint64(0)
	if reverse {
		order = 1
	}
	return d.send(6, order)
}

// String implements gpu.Device.
func (d *Device) String() string { return "emulator" }

// Memory implements gpu.Device.
func (d *Device) Memory() (free, total int64, err error) {
	d.turn.Lock()
	defer d.turn.Unlock()
	total = d.options.Memory
	if total == 0 {
		total = 1 << 40
	}
	return total - d.used, total, nil
}

// Allocate implements gpu.Device.
func (d *Device) Allocate(n int64) (gpu.Address, error) {
	d.turn.Lock()
	defer d.turn.Unlock()
	if d.options.Memory > 0 && d.used+n > d.options.Memory {
		return 0, fmt.Errorf("emulator: %w: %d bytes asked for, %d left", gpu.ErrOutOfMemory, n, d.options.Memory-d.used)
	}
	if err := d.send(1, uint64(n)); err != nil {
		return 0, err
	}
	at, err := d.number()
	if err != nil {
		return 0, err
	}
	if at == 0 {
		return 0, fmt.Errorf("emulator: %w: %d bytes asked for", gpu.ErrOutOfMemory, n)
	}
	d.allocated[gpu.Address(at)] = n
	d.used += n
	return gpu.Address(at), nil
}

// Free implements gpu.Device.
func (d *Device) Free(at gpu.Address) error {
	d.turn.Lock()
	defer d.turn.Unlock()
	n, ok := d.allocated[at]
	if !ok {
		return fmt.Errorf("emulator: %#x was not allocated", at)
	}
	delete(d.allocated, at)
	d.used -= n
	return d.send(2, uint64(at))
}

// NewQueue implements gpu.Device.
func (d *Device) NewQueue() (gpu.Queue, error) { return queue{d}, nil }

// Close implements gpu.Device.
func (d *Device) Close() error {
	d.in.Close()
	return d.command.Wait()
}

// Kernels are the names of all kernels with their numbers of parameters.
func (d *Device) Kernels() (map[string]int, error) {
	d.turn.Lock()
	defer d.turn.Unlock()
	if err := d.send(7); err != nil {
		return nil, err
	}
	text, err := d.text()
	if err != nil {
		return nil, err
	}
	all := map[string]int{}
	for line := range strings.Lines(text) {
		var name string
		var count int
		if _, err := fmt.Sscan(line, &name, &count); err != nil {
			return nil, fmt.Errorf("emulator: %q: %w", line, err)
		}
		all[name] = count
	}
	return all, nil
}

type queue struct{ d *Device }

// Upload implements gpu.Queue.
func (q queue) Upload(to gpu.Address, from []float32) error {
	q.d.turn.Lock()
	defer q.d.turn.Unlock()
	if len(from) == 0 {
		return nil
	}
	if err := q.d.send(3, uint64(to), 4*uint64(len(from))); err != nil {
		return err
	}
	_, err := q.d.in.Write(unsafe.Slice((*byte)(unsafe.Pointer(&from[0])), 4*len(from)))
	return q.d.explain(err)
}

// Download implements gpu.Queue.
func (q queue) Download(to []float32, from gpu.Address) error {
	q.d.turn.Lock()
	defer q.d.turn.Unlock()
	if len(to) == 0 {
		return nil
	}
	if err := q.d.send(4, uint64(from), 4*uint64(len(to))); err != nil {
		return err
	}
	_, err := io.ReadFull(q.d.out, unsafe.Slice((*byte)(unsafe.Pointer(&to[0])), 4*len(to)))
	return q.d.explain(err)
}

// Prepare implements gpu.Queue.
func (q queue) Prepare(launches []gpu.Launch) (gpu.Job, error) { return job{q.d, launches}, nil }

// Close implements gpu.Queue.
func (q queue) Close() error { return nil }

type job struct {
	d        *Device
	launches []gpu.Launch
}

// Run implements gpu.Job. It returns when all kernels have run.
func (j job) Run() error {
	j.d.turn.Lock()
	defer j.d.turn.Unlock()
	for _, l := range j.launches {
		if err := j.d.launch(l); err != nil {
			return err
		}
	}
	return nil
}

// Close implements gpu.Job.
func (j job) Close() error { return nil }

func (d *Device) launch(l gpu.Launch) error {
	if err := d.send(5, uint64(len(l.Kernel))); err != nil {
		return err
	}
	if _, err := io.WriteString(d.in, l.Kernel); err != nil {
		return d.explain(err)
	}
	numbers := []uint64{}
	for _, v := range []int{l.Grid[0], l.Grid[1], l.Grid[2], l.Block[0], l.Block[1], l.Block[2], l.Shared} {
		numbers = append(numbers, uint64(v))
	}
	numbers = append(append(numbers, uint64(len(l.Parameters))), l.Parameters...)
	if err := d.send(numbers...); err != nil {
		return err
	}
	problem, err := d.text()
	if err != nil {
		return err
	}
	if problem != "" {
		return fmt.Errorf("emulator: kernel %s: %s", l.Kernel, problem)
	}
	return nil
}

func (d *Device) send(numbers ...uint64) error {
	if d.broken != nil {
		return d.broken
	}
	return d.explain(binary.Write(d.in, binary.LittleEndian, numbers))
}

func (d *Device) number() (uint64, error) {
	var b [8]byte
	_, err := io.ReadFull(d.out, b[:])
	return binary.LittleEndian.Uint64(b[:]), d.explain(err)
}

func (d *Device) text() (string, error) {
	n, err := d.number()
	if err != nil {
		return "", err
	}
	text := make([]byte, n)
	_, err = io.ReadFull(d.out, text)
	return string(text), d.explain(err)
}

// explain turns a broken pipe into what the emulator said before it ended.
func (d *Device) explain(err error) error {
	if err == nil {
		return nil
	}
	if d.broken == nil {
		d.in.Close()
		d.command.Wait()
		d.broken = fmt.Errorf("emulator ended: %w: %s", err, d.said.String())
	}
	return d.broken
}

// build compiles every kernel with the emulator into a program that is kept under the hash of all of it.
func build(sanitize bool) (program string, err error) {
	if runtime.GOARCH != "amd64" {
		return "", fmt.Errorf("%w for %s", ErrNoCompiler, runtime.GOARCH)
	}
	compiler, err := exec.LookPath("g++")
	if err != nil {
		return "", ErrNoCompiler
	}
	flags := []string{"-std=c++17", "-O2", "-Wall", "-Wno-unknown-pragmas", "-Wno-unused-function"}
	if sanitize {
		flags = append(flags, "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	cache = filepath.Join(cache, "mome-emulator")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintln(h, flags, kernel.SourceHash())
	own, err := fs.Sub(sources, "source")
	if err != nil {
		return "", err
	}
	for _, name := range []string{"emulator.cpp", "emulator.h"} {
		data, err := fs.ReadFile(own, name)
		if err != nil {
			return "", err
		}
		h.Write(data)
	}
	program = filepath.Join(cache, hex.EncodeToString(h.Sum(nil))[:32])
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	dir, err := os.MkdirTemp(cache, "build")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	if err := errors.Join(os.CopyFS(dir, own), os.CopyFS(dir, kernel.Sources)); err != nil {
		return "", err
	}
	units, err := fs.Glob(kernel.Sources, "*.cu")
	if err != nil {
		return "", err
	}
	if err := compile(dir, compiler, flags, append(units, "emulator.cpp")); err != nil {
		return "", err
	}
	return program, os.Rename(filepath.Join(dir, "emulator"), program)
}

// compile makes the program "emulator" of the units in dir, two at a time.
func compile(dir, compiler string, flags, units []string) error {
	run := func(args ...string) error {
		c := exec.Command(compiler, args...)
		c.Dir = dir
		if out, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("g++: %w\n%s", err, out)
		}
		return nil
	}
	places := make(chan struct{}, runtime.GOMAXPROCS(0))
	failures := make([]error, len(units))
	link := append([]string{}, flags...)
	var wait sync.WaitGroup
	for i, u := range units {
		link = append(link, u+".o")
		wait.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			failures[i] = run(append(append([]string{}, flags...), "-c", "-x", "c++", "-o", u+".o", u)...)
		})
	}
	wait.Wait()
	if err := errors.Join(failures...); err != nil {
		return err
	}
	return run(append(link, "-o", "emulator")...)
}
