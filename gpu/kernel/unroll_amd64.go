package kernel

import (
	"sync"

	"golang.org/x/sys/cpu"
)

//go:noescape
func gatherAVX512(dst *float32, line int, x *float32, channel, channels int, taps *tap, count int, store uint32)

// gatherSecond is gather for taps that take every second number. It asks the CPU once which form it can run.
var gatherSecond = sync.OnceValue(func() gatherer {
	if !cpu.X86.HasAVX512F || !cpu.X86.HasAVX512BW {
		return nil
	}
	return func(dst []float32, line int, x []float32, channel, channels int, taps []tap, cols int) {
		gatherAVX512(&dst[0], 4*line, &x[0], 4*channel, channels, &taps[0], len(taps), uint32(1<<cols-1))
	}
})
