//go:build gpu

package cuda_test

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"mome/gpu"
	"mome/gpu/check"
	"mome/gpu/cuda"
	"mome/gpu/kernel"
	"mome/gpu/op"
)

// The tests run in a child process that finds the fake driver instead of the machine's own: one driver a process is all
// there is.
const fakeFolder = "FAKE_DRIVER" // an environment variable: where the fake driver is

func TestMain(m *testing.M) {
	if os.Getenv(fakeFolder) != "" {
		os.Exit(m.Run())
	}
	flag.Parse() // for testing.Short
	os.Exit(underFakeDriver())
}

func underFakeDriver() int {
	folder, err := os.MkdirTemp("", "fakedriver")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(folder)
	build := []string{folder}
	if testing.Short() {
		build = append(build, "elementwise.cu")
	}
	if out, err := exec.Command("fakedriver/build", build...).CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "fakedriver/build: %v\n%s", err, out)
		return 1
	}
	child := exec.Command(os.Args[0], os.Args[1:]...)
	child.Env = append(os.Environ(), fakeFolder+"="+folder, "LD_LIBRARY_PATH="+folder)
	child.Stdout, child.Stderr = os.Stdout, os.Stderr
	if err := child.Run(); err != nil {
		if child.ProcessState == nil {
			fmt.Fprintln(os.Stderr, err)
		}
		return 1
	}
	return 0
}

// logged makes the fake driver write a log, and returns what reads it.
func logged(t *testing.T) func() string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log")
	t.Setenv("FAKE_LOG", path)
	return func() string {
		text, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		return string(text)
	}
}

// nothingLeft is what the fake driver logs when a context ends that holds nothing any more.
const nothingLeft = "end device 0: memory 0 streams 0 events 0 pinned 0 graphs 0 modules 0\n"

func open(t *testing.T, name string) gpu.Device {
	t.Helper()
	d, err := cuda.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func queueOf(t *testing.T, d gpu.Device) gpu.Queue {
	t.Helper()
	q, err := d.NewQueue()
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func numbers(n int) []float32 {
	random := rand.New(rand.NewPCG(1, 2))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(random.NormFloat64())
	}
	return x
}

func upload(t *testing.T, d gpu.Device, q gpu.Queue, x []float32) gpu.Address {
	t.Helper()
	at, err := d.Allocate(4 * int64(len(x)))
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Upload(at, x); err != nil {
		t.Fatal(err)
	}
	return at
}

// geluOf is one launch of the kernel gelu over n numbers.
func geluOf(out, in gpu.Address, n int) gpu.Launch {
	return gpu.Launch{Kernel: "gelu", Grid: [3]int{(n + 255) / 256, 1, 1}, Block: [3]int{256, 1, 1}, Parameters: []uint64{uint64(out), uint64(in), uint64(n)}}
}

func TestDevices(t *testing.T) {
	t.Setenv("FAKE_DEVICES", "4")
	t.Setenv("FAKE_MEMORY", "1000000,3000000,2000000,4000000")
	t.Setenv("FAKE_CAPABILITY", "9.0,7.5,8.0,8.9")
	all, err := cuda.Devices()
	if err != nil || len(all) != 4 {
		t.Fatalf("%v, %v, want 4 devices", all, err)
	}
	if got, want := all[2], (cuda.Info{Name: "cuda:2", Model: "Fake 2", Major: 8, Minor: 0, Shared: 163 << 10, Free: 2000000, Total: 2000000}); got != want {
		t.Errorf("device 2 is %+v, want %+v", got, want)
	}
	if err := all[1].Err; !errors.Is(err, gpu.ErrNoDevice) {
		t.Errorf("device 1 of compute capability 7.5: %v, want ErrNoDevice", err)
	}
	if version, err := cuda.Driver(); version != "12.4" || err != nil {
		t.Errorf("driver %q, %v, want 12.4", version, err)
	}
	if d := open(t, "cuda"); d.String() != "cuda:2 Fake 2" {
		t.Errorf("opened %s, want cuda:2, which has the most memory of those that can be used", d)
	}
	for name, want := range map[string]string{"cuda:1": "7.5", "cuda:3": "99 KiB", "cuda:4": "has 4 devices"} {
		if _, err := cuda.Open(name); !errors.Is(err, gpu.ErrNoDevice) || !strings.Contains(err.Error(), want) {
			t.Errorf("open %s: %v, want ErrNoDevice with %q", name, err, want)
		}
	}
}

func TestMemory(t *testing.T) {
	t.Setenv("FAKE_MEMORY", "1000000")
	d := open(t, "cuda:0")
	at, err := d.Allocate(600000)
	if err != nil || at%256 != 0 {
		t.Fatalf("%#x, %v, want memory aligned to 256 bytes", at, err)
	}
	if free, total, err := d.Memory(); free != 400000 || total != 1000000 || err != nil {
		t.Errorf("%d of %d bytes free, %v, want 400000 of 1000000", free, total, err)
	}
	if _, err := d.Allocate(400001); !errors.Is(err, gpu.ErrOutOfMemory) {
		t.Errorf("one byte too many: %v, want ErrOutOfMemory", err)
	}
	if err := d.Free(at); err != nil {
		t.Error(err)
	}
	if err := d.Free(at); err == nil {
		t.Error("freed twice without an error")
	}
	if at, err = d.Allocate(1000000); err != nil {
		t.Errorf("after out of memory and free: %v", err)
	}
	if err := d.Free(at); err != nil {
		t.Error(err)
	}
	if at, err := d.Allocate(0); err != nil || at == 0 {
		t.Errorf("no bytes: %#x, %v, want some place", at, err)
	}
}

// Sizes around the chunks of the staging buffers come back as they were; the source may be changed at once.
func TestCopies(t *testing.T) {
	d := open(t, "cuda:0")
	q := queueOf(t, d)
	const chunk = 1 << 20
	for _, n := range []int{0, 1, chunk - 1, chunk, chunk + 1, 2*chunk + 7, 5 * chunk} {
		x := numbers(n)
		want := slices.Clone(x)
		at := upload(t, d, q, x)
		clear(x)
		got := make([]float32, n)
		if err := q.Download(got, at); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d floats came back different", n)
		}
		if err := d.Free(at); err != nil {
			t.Error(err)
		}
	}
	if err := q.Upload(4096, make([]float32, 1)); err == nil {
		t.Error("wrote where nothing is allocated")
	}
}

func TestJobIsAGraph(t *testing.T) {
	log := logged(t)
	d := open(t, "cuda:0")
	q := queueOf(t, d)
	x := numbers(1000)
	in := upload(t, d, q, x)
	out, between := upload(t, d, q, make([]float32, 1000)), upload(t, d, q, make([]float32, 1000))
	launches := []gpu.Launch{geluOf(between, in, 1000), geluOf(out, between, 1000)}
	j, err := q.Prepare(launches)
	if err != nil {
		t.Fatal(err)
	}
	launches[0].Parameters[0], launches[1].Kernel = 0, "" // are not looked at any more
	want := fmt.Sprintf("capture gelu 4 1 1 256 1 1 0 %d %d 1000\ncapture gelu 4 1 1 256 1 1 0 %d %d 1000\n", between, in, out, between)
	if got := log(); !strings.HasSuffix(got, want) {
		t.Errorf("prepared as\n%swant\n%s", got, want)
	}
	for range 3 {
		if err := j.Run(); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.TrimPrefix(log(), want); strings.Count(got, "graph of 2\n") != 3 || strings.Contains(got, "launch") {
		t.Errorf("ran as\n%swant a graph of 2 three times", got)
	}
	checkTwiceGELU(t, q, out, x)
	if err := errors.Join(j.Close(), j.Close(), q.Close(), q.Close()); err != nil {
		t.Error(err)
	}
}

func checkTwiceGELU(t *testing.T, q gpu.Queue, out gpu.Address, x []float32) {
	t.Helper()
	got, once, twice := make([]float32, len(x)), make([]float32, len(x)), make([]float32, len(x))
	if err := q.Download(got, out); err != nil {
		t.Fatal(err)
	}
	kernel.GELU(once, x)
	kernel.GELU(twice, once)
	for i := range got {
		if d := got[i] - twice[i]; !(d < 1e-5 && d > -1e-5) {
			t.Fatalf("value %d is %g, want %g", i, got[i], twice[i])
		}
	}
}

// A driver that cannot make graphs runs the launches one by one.
func TestJobWithoutGraphs(t *testing.T) {
	for _, call := range []string{"cuStreamBeginCapture=801", "cuStreamEndCapture=900", "cuGraphInstantiateWithFlags=801"} {
		t.Run(call, func(t *testing.T) {
			log := logged(t)
			t.Setenv("FAKE_FAIL", call)
			d := open(t, "cuda:0")
			q := queueOf(t, d)
			x := numbers(300)
			in := upload(t, d, q, x)
			launches := []gpu.Launch{geluOf(in, in, 300), geluOf(in, in, 300)}
			j, err := q.Prepare(launches)
			if err != nil {
				t.Fatal(err)
			}
			launches[0].Parameters[0] = 0
			if err := j.Run(); err != nil {
				t.Fatal(err)
			}
			checkTwiceGELU(t, q, in, x)
			if got := log(); strings.Count(got, "launch gelu") != 2 {
				t.Errorf("ran as\n%swant two launches", got)
			}
			if err := d.Close(); err != nil {
				t.Error(err)
			}
			if got := log(); !strings.HasSuffix(got, nothingLeft) {
				t.Errorf("closed as\n%swant nothing left", got)
			}
		})
	}
}

func TestImpossibleLaunches(t *testing.T) {
	d := open(t, "cuda:0")
	q := queueOf(t, d)
	in := upload(t, d, q, numbers(100))
	good := geluOf(in, in, 100)
	for name, change := range map[string]func(*gpu.Launch){
		"no kernel frob":         func(l *gpu.Launch) { l.Kernel = "frob" },
		"grid [1 70000 1]":       func(l *gpu.Launch) { l.Grid[1] = 70000 },
		"block [0 1 1]":          func(l *gpu.Launch) { l.Block[0] = 0 },
		"300000 bytes of shared": func(l *gpu.Launch) { l.Shared = 300000 },
	} {
		bad := good
		change(&bad)
		if _, err := q.Prepare([]gpu.Launch{good, bad}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v, want an error with %q", err, name)
		}
	}
	good.Shared = 100000 // more than a kernel gets without asking
	j, err := q.Prepare([]gpu.Launch{good})
	if err != nil {
		t.Fatalf("100000 bytes of shared memory, after the impossible ones: %v", err)
	}
	if err := j.Run(); err != nil {
		t.Error(err)
	}
}

func TestNothingIsLeft(t *testing.T) {
	log := logged(t)
	d := open(t, "cuda:0")
	q := queueOf(t, d) // neither it nor what it makes is closed
	in := upload(t, d, q, numbers(1000))
	j, err := q.Prepare([]gpu.Launch{geluOf(in, in, 1000)})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Run(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.Close(), j.Close(), q.Close(), d.Close()); err != nil {
		t.Errorf("closed in the wrong order, and twice: %v", err)
	}
	if got := log(); !strings.HasSuffix(got, nothingLeft) {
		t.Errorf("closed as\n%swant nothing left", got)
	}
}

// What fails on the way leaves nothing behind either, and says what was the matter.
func TestFailuresLeaveNothing(t *testing.T) {
	log := logged(t)
	for _, c := range []struct {
		fail string
		want error
	}{
		{"cuModuleLoadData=2", gpu.ErrOutOfMemory},
		{"cuModuleLoadData=209", nil},
		{"cuDevicePrimaryCtxRetain=2", gpu.ErrOutOfMemory},
		{"cuMemGetInfo=700", cuda.ErrLost},
	} {
		t.Setenv("FAKE_FAIL", c.fail)
		if _, err := cuda.Open("cuda:0"); err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: opened with %v, want %v", c.fail, err, c.want)
		}
	}
	t.Setenv("FAKE_FAIL", "cuDevicePrimaryCtxRetain=46") // another process has the device for itself; cu has no name for it
	if _, err := cuda.Open("cuda:0"); err == nil || !strings.Contains(err.Error(), "told to fail") {
		t.Errorf("opened with %v, want the driver's words", err)
	}
	t.Setenv("FAKE_FAIL", "")
	d := open(t, "cuda:0")
	for _, c := range []struct {
		fail string
		want error
	}{
		{"cuStreamCreate=2", gpu.ErrOutOfMemory},
		{"cuMemHostAlloc=2", gpu.ErrOutOfMemory},
		{"cuEventCreate=719", cuda.ErrLost},
	} {
		t.Setenv("FAKE_FAIL", c.fail)
		if _, err := d.NewQueue(); !errors.Is(err, c.want) {
			t.Errorf("%s: queue with %v, want %v", c.fail, err, c.want)
		}
	}
	t.Setenv("FAKE_FAIL", "")
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	for line := range strings.Lines(log()) {
		if line != nothingLeft {
			t.Errorf("the driver logged %q, want %q", line, nothingLeft)
		}
	}
}

func TestLostDevice(t *testing.T) {
	d := open(t, "cuda:0")
	q := queueOf(t, d)
	in := upload(t, d, q, numbers(10))
	j, err := q.Prepare([]gpu.Launch{geluOf(in, in, 10)})
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("FAKE_FAIL", "cuGraphLaunch=700,cuEventSynchronize=719,cuMemAlloc=700")
	_, allocated := d.Allocate(100)
	for tried, err := range map[string]error{"run": j.Run(), "download": q.Download(make([]float32, 10), in), "allocate": allocated} {
		if !errors.Is(err, cuda.ErrLost) || !strings.Contains(err.Error(), tried) || !strings.Contains(err.Error(), "cuda:0") {
			t.Errorf("%s: %v, want ErrLost, the device and what was tried", tried, err)
		}
	}
	t.Setenv("FAKE_FAIL", "")
}

// Queues run side by side, and goroutines on whatever thread: the context must be current on each.
func TestGoroutines(t *testing.T) {
	d := open(t, "cuda:0")
	var wait sync.WaitGroup
	for range 6 {
		wait.Go(func() {
			for _, c := range check.Cases() {
				if !strings.HasPrefix(c.Name, "gelu") {
					continue
				}
				if e, err := check.Compare(d, c, op.Float32); err != nil || e > check.Tolerance(op.Float32) {
					t.Errorf("%s: differs by %g, %v", c.Name, e, err)
				}
			}
		})
	}
	wait.Wait()
}

// Every launch list passes through the driver: names, grids, shared memory and parameters arrive as the emulator got them.
func TestEveryCase(t *testing.T) {
	if testing.Short() {
		t.Skip("slow")
	}
	t.Setenv("FAKE_MEMORY", "16000000000")
	d := open(t, "cuda:0")
	for _, c := range check.Cases() {
		if c.Slow {
			continue
		}
		for _, p := range []op.Precision{op.Float32, op.TF32, op.BFloat16} {
			if e, err := check.Compare(d, c, p); err != nil || e > check.Tolerance(p) {
				t.Errorf("%s in %v: differs by %.2g of the largest value, want %g; %v", c.Name, p, e, check.Tolerance(p), err)
			}
		}
	}
}
