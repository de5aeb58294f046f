package dce

import (
	"mome/experts/volume"
)

// The network's stems see neither the scale nor the level of a volume: an instance norm follows each of their
// convolutions. What is read against an absolute mark must therefore be given relative to it, with zero where there is
// nothing to read, so that the sign survives. The marks are those of the BI-RADS lexicon (ACR, 2013): an initial
// enhancement above 100 % is fast, a delayed phase that falls by more than 10 % washes out, one that rises by more
// persists.
const (
	fastPE       = 100. // %
	leastPE      = 20.  // %: below, nothing enhances
	fullPE       = 60.  // %: from here on a voxel counts in full
	initialBound = 2.   // of the initial channel, in units of 100 %
	delayedBound = 0.5  // of the delayed channel, in units of the early signal
)

// relative returns the two kinetic channels on the maps' grid: how far the initial enhancement lies above or below
// 100 %, and the change from the early to the late signal as a part of the early one, which is 0 everywhere if there is
// no late phase. Voxels enter by how surely they enhance.
func relative(maps map[string]*volume.Volume) []*volume.Volume {
	early, late := maps["PE_early"], maps["PE_late"]
	initial, delayed := volume.New(early.Grid), volume.New(early.Grid)
	for at, pe := range early.Data {
		weight := min((pe-leastPE)/(fullPE-leastPE), 1)
		if !(weight > 0) {
			continue
		}
		initial.Data[at] = weight * min((pe-fastPE)/100, initialBound)
		if late != nil {
			change := (late.Data[at] - pe) / (100 + pe)
			delayed.Data[at] = weight * min(max(change, -delayedBound), delayedBound)
		}
	}
	return []*volume.Volume{initial, delayed}
}
