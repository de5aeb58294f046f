package dwi

import (
	"slices"

	"mome/experts"
	"mome/experts/lesion"
	"mome/experts/volume"
)

// The range of ADC in which the median of breast tissue lies, 1e-6 mm2/s, and a wider one that a map already in this
// unit may have where much fat (no diffusing water: near 0 when suppressed) is among the voxels.
const (
	tissueLow  = 800
	tissueHigh = 2200
	plainLow   = 300
	plainHigh  = 3500
)

// units are the factors from the units that vendors' maps come in to 1e-6 mm2/s.
var units = [...]struct {
	factor float64
	name   string
}{
	{1, "1e-6 mm2/s"},
	{1e3, "1e-3 mm2/s"},
	{1e6, "mm2/s"},
	{10, "1e-5 mm2/s"},
	{0.1, "1e-7 mm2/s"},
}

// vendor returns the vendor's map in 1e-6 mm2/s, itself where it already is, a scaled copy where the median of tissue
// says that its unit is another, and nil where no unit explains it.
func vendor(v *volume.Volume, breasts []experts.Breast, note func(string, ...any)) *volume.Volume {
	m := tissueMedian(v, breasts)
	if m >= plainLow && m <= plainHigh {
		return v
	}
	for _, u := range units[1:] {
		if t := m * u.factor; t >= tissueLow && t <= tissueHigh {
			note("The vendor's ADC map was taken to be in %s: the median of tissue, %.3g, fits no other unit.", u.name, m)
			out := volume.New(v.Grid)
			for at, x := range v.Data {
				out.Data[at] = x * float32(u.factor)
			}
			return out
		}
	}
	note("The unit of the vendor's ADC map is not known: the median of tissue, %.3g, fits none; no ADC was measured.", m)
	return nil
}

// tissueMedian returns the median of the positive values of v in fibroglandular tissue, else in the breasts, else in
// the whole map; 0 where there are none.
func tissueMedian(v *volume.Volume, breasts []experts.Breast) float64 {
	var sets [3][]float32
	for _, b := range breasts {
		for n, m := range [2]*volume.Mask{b.Fibroglandular, b.Mask} {
			if m == nil {
				continue
			}
			for _, p := range lesion.Cover(m, &v.Grid, 1) {
				if x := v.Data[p.Index]; x > 0 {
					sets[n] = append(sets[n], x)
				}
			}
		}
	}
	step := max(len(v.Data)/noiseSamples, 1)
	for at := 0; at < len(v.Data); at += step {
		if x := v.Data[at]; x > 0 {
			sets[2] = append(sets[2], x)
		}
	}
	const enough = 50 // voxels whose median is steady
	for _, set := range sets {
		if len(set) >= enough {
			slices.Sort(set)
			return float64(set[len(set)/2])
		}
	}
	return 0
}
