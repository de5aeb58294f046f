package check_test

import (
	"os"
	"runtime"
	"testing"

	"mome/gpu/check"
	"mome/gpu/emulator"
	"mome/gpu/launch"
	"mome/gpu/op"
)

// emulators are as many as there are cores.
func emulators(t *testing.T) chan *emulator.Device {
	all := make(chan *emulator.Device, runtime.GOMAXPROCS(0))
	for range cap(all) {
		all <- emulator.Start(t, emulator.Options{Sanitize: os.Getenv("SANITIZE") != ""})
	}
	return all
}

// Every kernel, thread by thread, against the Go kernel, with threads in either order. SANITIZE=1 runs them under the address
// sanitizer too.
func TestKernelsOnTheEmulator(t *testing.T) {
	all := emulators(t)
	for _, c := range check.Cases() {
		for _, p := range check.Precisions(c.Kernel) {
			t.Run(c.Name+"/"+p.String(), func(t *testing.T) {
				if c.Slow && testing.Short() {
					t.Skip("slow")
				}
				t.Parallel()
				d := <-all
				defer func() { all <- d }()
				for _, reverse := range []bool{false, true} {
					if err := d.SetReverse(reverse); err != nil {
						t.Fatal(err)
					}
					e, err := check.Compare(d, c, p)
					if err != nil {
						t.Fatal(err)
					}
					if e > check.Tolerance(p) {
						t.Errorf("%+v: differs by %.2g of the largest value, want %g (threads reversed: %v)", c.Kernel, e, check.Tolerance(p), reverse)
					}
				}
			})
		}
	}
}

// Launch lists and kernels must agree on names and numbers of parameters; a kernel that no list uses is dead.
func TestListsAndKernelsAgree(t *testing.T) {
	kernels, err := emulator.Start(t, emulator.Options{}).Kernels()
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, c := range check.Cases() {
		for _, p := range []op.Precision{op.Float32, op.TF32, op.BFloat16} {
			l, err := launch.For(c.Kernel, p)
			if err != nil {
				t.Errorf("%s: %v", c.Name, err)
				continue
			}
			for _, s := range l.Steps {
				used[s.Kernel] = true
				if n, ok := kernels[s.Kernel]; !ok || n != len(s.Params) {
					t.Errorf("%s: kernel %s with %d parameters, the sources have %d", c.Name, s.Kernel, len(s.Params), n)
				}
			}
		}
	}
	for name := range kernels {
		if !used[name] {
			t.Errorf("no case runs kernel %s", name)
		}
	}
}
