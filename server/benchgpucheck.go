package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"mome/experts/nn"
	"mome/experts/weights"
	"mome/fusion"
	"mome/gpu"
	"mome/gpu/check"
	"mome/gpu/cuda"
	"mome/gpu/op"
	"mome/gpu/vm"
)

// precisions are all that a device computes at.
var precisions = []op.Precision{op.Float32, op.TF32, op.BFloat16}

// patience is how long a case of a kernel may take, which takes milliseconds: one that takes longer does not end.
const patience = 30 * time.Second

// checkKernels compares every operation, a line for each kind and precision, and one for each case that is wrong. It begins at a part and
// returns how many there are.
func (c *benchGPUCommand) checkKernels(ctx context.Context, d gpu.Device, t *checkTable, from int) (parts int, err error) {
	cases := kernelCases()
	for _, p := range precisions {
		var right kinds
		for i, k := range cases {
			parts++
			if parts <= from || err != nil || !slices.Contains(check.Precisions(k.Kernel), p) {
				continue
			}
			if err = ctx.Err(); err != nil {
				continue
			}
			name, next := fmt.Sprintf("%s, %s", kindOf(k.Kernel), p), parts+sameKind(cases[i+1:], k)
			stop := func() bool { return true }
			if c.anew != nil {
				stop = time.AfterFunc(patience, func() {
					t.verdict(name, false, fmt.Sprintf("%s: not done after %v", k.Name, patience))
					t.verdict("go on without it", false, fmt.Sprint(c.anew(next)))
					os.Exit(1)
				}).Stop
			}
			e, problem := check.Compare(d, k, p)
			stop()
			if problem == nil && !(e <= check.Tolerance(p)) {
				problem = fmt.Errorf("%.2g, at most %.2g of the largest value", e, check.Tolerance(p))
			}
			if problem == nil {
				right.add(name, e)
				continue
			}
			t.verdict(name, false, fmt.Sprintf("%s: %v", k.Name, problem))
			if errors.Is(problem, cuda.ErrLost) {
				err = lostError{next, problem}
			}
		}
		for _, name := range right.order {
			t.check(name, right.worst[name], check.Tolerance(p), fmt.Sprintf("of the largest value, %d cases", right.count[name]))
		}
	}
	return parts, err
}

// kernelCases are the cases of all kernels, those of a kind one after the other.
func kernelCases() []check.Case {
	all := check.Cases()
	slices.SortStableFunc(all, func(a, b check.Case) int { return strings.Compare(kindOf(a.Kernel), kindOf(b.Kernel)) })
	return all
}

// sameKind is how many cases come first that are of the kind of one that lost the device, and would lose it again.
func sameKind(cases []check.Case, as check.Case) int {
	n := 0
	for n < len(cases) && kindOf(cases[n].Kernel) == kindOf(as.Kernel) {
		n++
	}
	return n
}

// kinds are the cases that were right, by the name of their kind and precision.
type kinds struct {
	order []string
	worst map[string]float64
	count map[string]int
}

func (k *kinds) add(name string, difference float64) {
	if k.worst == nil {
		k.worst, k.count = map[string]float64{}, map[string]int{}
	}
	if k.count[name] == 0 {
		k.order = append(k.order, name)
	}
	k.worst[name] = max(k.worst[name], difference)
	k.count[name]++
}

// gpuBench is a network of random weights with one case, and what the CPU says of it.
type gpuBench struct {
	size    string
	device  gpu.Device
	set     weights.Set
	config  nn.Config
	in      fusion.Input
	machine *vm.Machine
	want    *collector // of reference

	mu     sync.Mutex
	warned error
}

func newGPUBench(size string, set weights.Set, config nn.Config, d gpu.Device) *gpuBench {
	b := &gpuBench{size: size, device: d, set: set, config: config, in: randomInput(config)}
	b.machine = vm.On(d, b.warn)
	return b
}

func (b *gpuBench) warn(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.warned = errors.Join(b.warned, err)
}

// renew makes another machine, because one on which something failed leaves everything after that to the CPU.
func (b *gpuBench) renew() error {
	err := b.machine.Release()
	b.machine = vm.On(b.device, b.warn)
	return errors.Join(err, b.complaint())
}

// reference is what the CPU computes in full precision.
func (b *gpuBench) reference(ctx context.Context) (_ *collector, err error) {
	if b.want == nil {
		b.want, err = b.compute(ctx, new(vm.Lane), wants{marks: true})
	}
	return b.want, err
}

// complaint is what the machine said since the last one, when it left work to the CPU.
func (b *gpuBench) complaint() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	err := b.warned
	b.warned = nil
	return err
}

var everything = [3]bool{true, true, true}

var errNotOnDevice = errors.New("the CPU computed this, not the device")

// compute runs the network once on a lane.
func (b *gpuBench) compute(ctx context.Context, l *vm.Lane, want wants) (*collector, error) {
	net, err := newNetwork(b.set, b.config, everything, l, want)
	if err != nil {
		return nil, err
	}
	if err := net.run(ctx, b.in, 1); err != nil {
		return nil, err
	}
	c := newCollector(net, 1)
	return c, c.add()
}

// onDevice is compute on the device; that the CPU stepped in is an error.
func (b *gpuBench) onDevice(ctx context.Context, p op.Precision, want wants) (*collector, error) {
	l := b.machine.Lane(p)
	c, err := b.compute(ctx, l, want)
	if err == nil && !c.net.program.OnDevice() {
		err = errNotOnDevice
	}
	return c, errors.Join(b.complaint(), err, l.Close())
}

// loose is how far logits and intermediate values may be apart. What rounding does grows from layer to layer: of bfloat16 that is
// 4 % of the logits after twelve.
var loose = map[op.Precision]float64{op.Float32: 1e-4, op.TF32: 1e-2, op.BFloat16: 5e-2}

// compareForward compares logits and intermediate values.
func (b *gpuBench) compareForward(ctx context.Context, t *checkTable, p op.Precision) error {
	want, err := b.reference(ctx)
	if err != nil {
		return err
	}
	got, err := b.onDevice(ctx, p, wants{marks: true})
	if err != nil {
		return err
	}
	worst, where := 0.0, ""
	for i, m := range got.marks {
		if e := apart(m.data, want.marks[i].data); e >= worst {
			worst, where = e, m.name
		}
	}
	t.check(fmt.Sprintf("forward of %s, %s", b.size, p), apart(got.logits.data, want.logits.data), loose[p], fmt.Sprintf("of the logits; %.2g of %s", worst, where))
	return nil
}

// compareGradients compares the gradients of all tensors in full precision.
func (b *gpuBench) compareGradients(ctx context.Context, t *checkTable) error {
	name := "gradients of " + b.size
	want, err := b.compute(ctx, new(vm.Lane), wants{gradients: true})
	if err != nil {
		return err
	}
	got, err := b.onDevice(ctx, op.Float32, wants{gradients: true})
	if err != nil {
		return err
	}
	largest := 0.0
	for _, g := range want.gradients {
		largest = max(largest, size(g.data))
	}
	worst, where := 0.0, ""
	for i, g := range got.gradients {
		// Some gradients are nothing but rounding, such as those of biases of keys: these count by the largest of all tensors.
		e := apart(g.data, want.gradients[i].data) * size(want.gradients[i].data)
		if e /= max(size(want.gradients[i].data), 1e-3*largest); e >= worst {
			worst, where = e, g.name
		}
	}
	t.check(name, worst, 1e-3, fmt.Sprintf("of the largest in a tensor, in %s of %d tensors", where, len(got.gradients)))
	return nil
}

// compareShortOfMemory takes nearly all memory away: the CPU must answer, and say why.
func (b *gpuBench) compareShortOfMemory(ctx context.Context, t *checkTable) error {
	want, err := b.reference(ctx)
	if err != nil {
		return err
	}
	if err := b.machine.Release(); err != nil {
		return err
	}
	free, _, err := b.device.Memory()
	if err != nil {
		return err
	}
	var taken []gpu.Address
	for n := free; n > 1<<20; n /= 2 {
		for {
			at, err := b.device.Allocate(n)
			if err != nil {
				break
			}
			taken = append(taken, at)
		}
	}
	l := b.machine.Lane(op.Float32)
	got, err := b.compute(ctx, l, wants{marks: true})
	warned := b.complaint()
	for _, at := range taken {
		err = errors.Join(err, b.device.Free(at))
	}
	err = errors.Join(err, l.Close())
	if err != nil {
		return err
	}
	t.verdict("out of memory", errors.Is(warned, gpu.ErrOutOfMemory) && slices.Equal(got.logits.data, want.logits.data), "the CPU answers, with a warning")
	_, err = b.onDevice(ctx, op.Float32, wants{})
	if err == nil {
		t.verdict("after out of memory", true, "the device answers again")
	}
	return err
}

// compareOracle compares the logits with those of another implementation.
func (b *gpuBench) compareOracle(ctx context.Context, t *checkTable, p op.Precision, dir string) error {
	set, name, err := openSet(filepath.Join(dir, "model.th"))
	if err != nil {
		return err
	}
	config, err := nn.ConfigFrom(set)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	in := func(name string) string { return filepath.Join(dir, name+".npy") }
	cases, _, err := (&modelForwardCommand{DCE: in("dce"), DWI: in("dwi"), T2: in("t2")}).cases(config)
	if err != nil {
		return err
	}
	want, _, err := readNPY(in("logits"), []int{config.Classes})
	if err != nil {
		return err
	}
	l := b.machine.Lane(p)
	net, err := newNetwork(set, config, everything, l, wants{})
	var got []float32
	for i := 0; i < len(cases) && err == nil; i++ {
		if err = net.run(ctx, cases[i], 0); err == nil && !net.program.OnDevice() {
			err = errNotOnDevice
		}
		if err == nil {
			var v []float32
			v, err = net.value(net.logits)
			got = append(got, v...)
		}
	}
	if err := errors.Join(b.complaint(), err, l.Close()); err != nil {
		return err
	}
	t.check(fmt.Sprintf("oracle, %s", p), apart(got, want), loose[p], "of the logits of "+dir)
	return nil
}

// apart is the largest difference, relative to the largest value of want; infinite for what is not finite.
func apart(got, want []float32) float64 {
	if len(got) != len(want) {
		return math.Inf(1)
	}
	worst := 0.0
	for i, w := range want {
		worst = max(worst, math.Abs(float64(got[i])-float64(w)))
		if math.IsNaN(float64(got[i])) {
			return math.Inf(1)
		}
	}
	return worst / size(want)
}

// size is the largest of the values, and never 0.
func size(of []float32) float64 {
	most := 1e-30
	for _, v := range of {
		most = max(most, math.Abs(float64(v)))
	}
	return most
}

// sanitize runs the kernels once more under NVIDIA's checkers of memory and of races.
func sanitize(ctx context.Context, t *checkTable, device string) error {
	path, err := exec.LookPath("compute-sanitizer")
	if err != nil {
		t.verdict("compute-sanitizer", false, "not in PATH; it comes with the CUDA toolkit")
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for _, tool := range []string{"memcheck", "racecheck", "initcheck", "synccheck"} {
		args := goingOn([]string{"--tool", tool, "--error-exitcode", "9", self, "bench", "gpu", "--kernels", "--device", device}, progress{losses: mostLosses})
		out, err := exec.CommandContext(ctx, path, args...).CombinedOutput() // at its own pace, and in one process
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		t.verdict("compute-sanitizer "+tool, err == nil, lines[len(lines)-1])
	}
	return nil
}
