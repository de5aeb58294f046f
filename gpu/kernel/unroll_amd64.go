package kernel

import (
	"sync"

	"golang.org/x/sys/cpu"
)

//go:noescape
func gatherAVX512(dst *float32, block int, x *float32, channel, channels int, taps *tap, count int, cols uint32)

//go:noescape
func scatterAVX512(x *float32, channel int, src *float32, block, channels int, taps *tap, count int, cols uint32)

// everySecond is the unroller for taps that take every second number, nil where there is no better one than that for
// any stride. It asks the CPU once.
var everySecond = sync.OnceValue(func() *unroller {
	if !cpu.X86.HasAVX512F || !cpu.X86.HasAVX512BW {
		return nil
	}
	return &unroller{
		gather: func(dst []float32, block int, x []float32, channel, channels int, taps []tap, cols int) {
			gatherAVX512(&dst[0], 4*block, &x[0], 4*channel, channels, &taps[0], len(taps), uint32(1<<cols-1))
		},
		scatter: func(x []float32, channel int, src []float32, block, channels int, taps []tap, cols int) {
			scatterAVX512(&x[0], 4*channel, &src[0], 4*block, channels, &taps[0], len(taps), uint32(1<<cols-1))
		},
	}
})
