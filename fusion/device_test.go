package fusion

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"gorgonia.org/gorgonia"

	"mome/experts"
	"mome/gpu/emulator"
	"mome/gpu/op"
	"mome/gpu/vm"
)

// emulated is a machine that runs the kernels of a GPU thread by thread on the CPU. That the CPU had to step in fails the test.
func emulated(t testing.TB) *vm.Machine {
	t.Helper()
	return vm.On(emulator.Start(t, emulator.Options{}), func(err error) { t.Error(err) })
}

// Networks of sizes that divide nothing, with any modalities, must answer on a device as the formulas say.
func TestModelOnDevice(t *testing.T) {
	machine := emulated(t)
	for k, c := range odd() {
		set := shaken(t, c)
		m, err := New(set, Options{Branches: branches(), Machine: machine, Lanes: 2})
		if err != nil {
			t.Fatal(err)
		}
		full := noise(c, 9)
		for _, which := range []int{7, 0, 5, 2, 7} {
			in := only(full, experts.Modalities[:], which)
			if which == 5 {
				in.Context = nil
			}
			want := newReference(c, set).logits(in)
			got, err := m.Logits(context.Background(), in)
			if err != nil {
				t.Fatal(err)
			}
			for i := range want {
				if math.Abs(float64(got[i])-want[i]) > 1e-4 {
					t.Errorf("network %d, modalities %03b: logits %v, want %v", k, which, got, want)
					break
				}
			}
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TF32 and bfloat16 must be near, and not the same.
func TestModelOnDeviceInFastModes(t *testing.T) {
	machine := emulated(t)
	c := odd()[0]
	set, in := shaken(t, c), noise(c, 9)
	logits := func(o Options) []float32 {
		o.Branches = branches()
		m, err := New(set, o)
		if err != nil {
			t.Fatal(err)
		}
		v, err := m.Logits(context.Background(), in)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	want := logits(Options{})
	for p, most := range map[op.Precision]float64{op.TF32: 2e-2, op.BFloat16: 0.1} {
		got := logits(Options{Machine: machine, Precision: p})
		if d := farthest(got, want); d == 0 || d > most*norm(want) {
			t.Errorf("%v: logits differ by %g of %g, want more than nothing and less than %g", p, d, norm(want), most)
		}
	}
}

// gradientsOf are the gradients of the loss by all tensors, for one case.
func gradientsOf(t *testing.T, l *vm.Lane, k int, class int) map[string][]float32 {
	t.Helper()
	c := odd()[k]
	set := shaken(t, c)
	b, _, loss := graphOf(t, set)
	names, nodes := b.Weights()
	grads, err := gorgonia.Grad(loss, nodes...)
	if err != nil {
		t.Fatal(err)
	}
	p := compileOn(t, l, set, append(gorgonia.Nodes{loss}, grads...)...)
	target := make([]float32, c.Classes)
	target[class] = 1
	run(t, p, noise(c, 9), target)
	all := map[string][]float32{"loss": slices.Clone(value(t, p, loss))}
	for i, name := range names {
		all[name] = slices.Clone(value(t, p, grads[i]))
	}
	return all
}

func TestGradientsOnDevice(t *testing.T) {
	lane := emulated(t).Lane(op.Float32)
	for k := range odd() {
		want := gradientsOf(t, new(vm.Lane), k, 1)
		for name, got := range gradientsOf(t, lane, k, 1) {
			d, size := farthest(got, want[name]), norm(want[name])
			if d > 1e-4*size+1e-7 {
				t.Errorf("network %d: %s differs by %.2g of %.2g", k, name, d, size)
			}
		}
	}
}

// The published code's own answers, on a device.
func TestOracleOnDevice(t *testing.T) {
	dir := oracle(t)
	if testing.Short() {
		t.Skip("slow on the emulator")
	}
	set := oracleWeights(t, dir)
	m, err := New(set, Options{Branches: branches(), Machine: emulated(t)})
	if err != nil {
		t.Fatal(err)
	}
	want, found := npyFile(t, dir, "logits.npy"), table{}
	for i, in := range oracleInputs(t, dir) {
		got, err := m.Logits(context.Background(), in)
		if err != nil {
			t.Fatal(err)
		}
		found.add(t, fmt.Sprintf("logits of case %d", i), farthest(got, sample(want, 2, i)), 1e-4)
	}
	found.log(t, "largest absolute difference on the emulator")
}
