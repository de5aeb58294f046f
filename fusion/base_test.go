//go:build linux

package fusion

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"syscall"
	"testing"
	"time"

	"mome/experts"
	"mome/experts/nn"
	"mome/gpu/op"
	"mome/gpu/vm"
)

// base is the published size.
func base() nn.Config {
	return nn.Config{
		Embed: 768, Heads: 12, Layers: 12, FusionFrom: 9, Experts: 128, Slots: 1, StemChannels: [2]int{64, 128}, Classes: 2,
		Boxes: nn.Boxes{
			DCE: nn.Box{Channels: 6, Size: [3]int{384, 256, 128}},
			T2:  nn.Box{Channels: 1, Size: [3]int{384, 256, 48}},
			DWI: nn.Box{Channels: 1, Size: [3]int{256, 128, 32}},
		},
	}
}

// BenchmarkBase is one forward pass, and one judgement with the share of every modality, of the published size: wall
// time, processor time of all threads, and the most memory that was resident meanwhile, without the weights and with the
// input, 0.33 GB. It takes 2.5 GB:
//
//	go test -run none -bench Base/forward/float32 -benchtime 1x ./fusion
func BenchmarkBase(b *testing.B) {
	set, err := nn.Init(base(), 1)
	if err != nil {
		b.Fatal(err)
	}
	weightBytes := 0
	for _, t := range set.All() {
		weightBytes += 4 * len(t.Data)
	}
	in := noise(base(), 1)
	for _, precision := range []op.Precision{op.Float32, op.BFloat16} {
		m, err := New(set, Options{Branches: branches(), Precision: precision})
		if err != nil {
			b.Fatal(err)
		}
		b.Run("forward/"+precision.String(), func(b *testing.B) {
			measure(b, weightBytes, func() error { _, err := m.Logits(context.Background(), in); return err })
		})
		b.Run("judge/"+precision.String(), func(b *testing.B) {
			measure(b, weightBytes, func() error { _, err := m.Judge(context.Background(), in); return err })
		})
	}
}

// measure reports what calls of f take.
func measure(b *testing.B, weightBytes int, f func() error) {
	b.Helper()
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil { // proc(5): resets VmHWM
		b.Skipf("the peak of resident memory cannot be reset: %v", err)
	}
	b.ReportAllocs()
	before, start := cpuTime(b), time.Now()
	for b.Loop() {
		if err := f(); err != nil {
			b.Fatal(err)
		}
	}
	n := float64(b.N)
	b.ReportMetric(time.Since(start).Seconds()/n, "wall-s/op")
	b.ReportMetric((cpuTime(b)-before).Seconds()/n, "cpu-s/op")
	b.ReportMetric(float64(peakBytes(b)-weightBytes)/1e9, "GB-beside-weights")
}

// cpuTime is what all threads of the process have used so far.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peakBytes is the most memory that was resident since the last reset.
func peakBytes(b *testing.B) int {
	b.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := bytes.Cut(status, []byte("VmHWM:"))
	kb := 0
	if _, err := fmt.Sscan(string(rest), &kb); err != nil {
		b.Fatalf("no VmHWM in /proc/self/status: %v", err)
	}
	return kb << 10
}

// The arena of the published size, planned and not run. A model's stages share the largest, which is DCE's: 403 MB of
// its stem's first activation, in which norm and ReLU work in place, and 101 MB of the second beside it.
func TestArenaOfThePublishedSize(t *testing.T) {
	const mb = 1 << 20
	for _, c := range []struct {
		name  string
		stage stage
		most  int
	}{
		{"DCE", stage{expert: experts.DCE}, 481 * mb},
		{"class token", stage{expert: experts.DCE, alone: true}, mb},
		{"T2", stage{expert: experts.T2}, 181 * mb},
		{"DWI", stage{expert: experts.DWI}, 41 * mb},
		{"fusion", stage{parts: [3]bool{true, true, true}}, 140 * mb},
	} {
		b, err := nn.NewBuilder(base())
		if err != nil {
			t.Fatal(err)
		}
		out, err := c.stage.graph(b, branches())
		if err != nil {
			t.Fatal(err)
		}
		p, err := vm.Compile(out)
		if err != nil {
			t.Fatal(err)
		}
		if got := 4 * p.ArenaFloats(); got > c.most {
			t.Errorf("%s: arena of %d MB, want at most %d", c.name, got/mb, c.most/mb)
		} else {
			t.Logf("%s: arena of %d MB", c.name, got/mb)
		}
	}
}
