package dce

// ftv returns the functional tumour volume inside the voxels in, cm3 (UCSF/I-SPY; Hylton et al., Radiology 2012;263:663):
// of voxels whose pre-contrast signal is at least FTVBackground of its 95th percentile, whose early enhancement is at least
// FTVMinPE, whose SER is not negative, and of whose 26 neighbours at least FTVNeighbours fulfil all that, too. The region
// of the percentile is the lesion's mask itself, which a reader's box around the tumour would be in UCSF's work: fat of a
// series without suppression does not reach it. SER >= 0 is asked for only where there is a delayed phase; a late signal at
// the level before contrast has no SER and does not count.
//
// A whole breast is no region for it: background enhancement alone fills up to 200 cm3 of a phantom without a lesion.
func (r *reading) ftv(in []int) float64 {
	pre, early := r.s.DCE[0].Volume, r.s.DCE[r.early].Volume
	signal := make([]float32, len(in))
	for n, at := range in {
		signal[n] = pre.Data[at]
	}
	least := r.cfg.FTVBackground * float64(percentile(signal, 0.95))
	if r.kept == nil {
		r.kept = make([]bool, len(pre.Data))
	}
	var kept []int
	for _, at := range in {
		s0 := pre.Data[at]
		if !(float64(s0) >= least) || s0 <= 0 || float64(100*(early.Data[at]-s0)/s0) < r.cfg.FTVMinPE {
			continue
		}
		if r.late >= 0 && r.s.DCE[r.late].Volume.Data[at] <= s0 {
			continue
		}
		kept = append(kept, at)
		r.kept[at] = true
	}
	count := 0
	for _, at := range kept {
		neighbours := -1 // the voxel itself
		eachAround(&pre.Grid, at, func(other int) {
			if r.kept[other] {
				neighbours++
			}
		})
		if neighbours >= r.cfg.FTVNeighbours {
			count++
		}
	}
	for _, at := range kept {
		r.kept[at] = false
	}
	return float64(count) * pre.VoxelMM3() / 1000
}
