package kernel

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// minWork is the number of elementary operations below which a goroutine costs more than it brings.
const minWork = 1 << 16

// parallel calls f on consecutive pieces [from, to) of [0, n), each of grain items, on as many goroutines as there
// are cores, and returns when all are done. The pieces depend on n and grain only.
func parallel(n, grain int, f func(from, to int)) {
	if grain < 1 {
		grain = 1
	}
	pieces := (n + grain - 1) / grain
	workers := min(pieces, runtime.GOMAXPROCS(0))
	var next atomic.Int64
	work := func() {
		for {
			from := (int(next.Add(1)) - 1) * grain
			if from >= n {
				return
			}
			f(from, min(from+grain, n))
		}
	}
	if workers <= 1 {
		work()
		return
	}
	var wait sync.WaitGroup
	for range workers - 1 {
		wait.Go(work)
	}
	work()
	wait.Wait()
}

// grainFor is the number of items of the given cost that make one piece worth a goroutine.
func grainFor(costPerItem int) int {
	return max(1, minWork/max(1, costPerItem))
}
