package kernel

import (
	"sync"

	"golang.org/x/sys/cpu"
)

//go:noescape
func gatherAVX512(dst *float32, block int, x *float32, channel, channels int, taps *tap, count int, cols uint32)

//go:noescape
func scatterAVX512(x *float32, channel int, src *float32, block, channels int, taps *tap, count int, cols uint32)

//go:noescape
func evensAVX2(dst, x *float32, eights int)

// everySecond lists the unrollers for taps that take every second number that are faster than that for any stride, best
// first. It asks the CPU once.
var everySecond = sync.OnceValue(func() []*unroller {
	var all []*unroller
	if cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW {
		all = append(all, &unroller{
			gather: func(dst []float32, block int, x []float32, channel, channels int, taps []tap, cols int) {
				gatherAVX512(&dst[0], 4*block, &x[0], 4*channel, channels, &taps[0], len(taps), uint32(1<<cols-1))
			},
			scatter: func(x []float32, channel int, src []float32, block, channels int, taps []tap, cols int) {
				scatterAVX512(&x[0], 4*channel, &src[0], 4*block, channels, &taps[0], len(taps), uint32(1<<cols-1))
			},
		})
	}
	if cpu.X86.HasAVX2 {
		all = append(all, copying(2, evenNumbers))
	}
	return all
})

// evenNumbers writes dst[i] = x[2i].
func evenNumbers(dst, x []float32) {
	// The last number is read without its odd neighbour, which need not exist.
	eights := min(len(dst), len(x)/2) / 8
	if eights > 0 {
		evensAVX2(&dst[0], &x[0], eights)
	}
	for i := 8 * eights; i < len(dst); i++ {
		dst[i] = x[2*i]
	}
}
