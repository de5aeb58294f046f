package analysis

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"mome/experts"
	"mome/experts/volume"
)

// Keep hands everything voxel-like of the reading to write, each under a name: of a Keeping analyzer the volumes as acquired
// and, under "registered_", those that were moved; the experts' maps, breast and lesion masks, and, where findings were
// explained, the heat map and each modality's attribution around each lesion. encode and encodeMask choose the file format.
func (r *Reading) Keep(write func(name string, to func(io.Writer) error) error, encode func(io.Writer, *volume.Volume) error, encodeMask func(io.Writer, *volume.Mask) error) error {
	var failed error
	vol := func(name string, v *volume.Volume) {
		if v != nil && failed == nil {
			failed = write(name, func(w io.Writer) error { return encode(w, v) })
		}
	}
	mask := func(name string, m *volume.Mask) {
		if m != nil && failed == nil {
			failed = write(name, func(w io.Writer) error { return encodeMask(w, m) })
		}
	}
	still := namedVolumes(r.Study)
	for n, v := range namedVolumes(r.Acquired) {
		vol(v.name, v.volume)
		if still[n].volume != v.volume {
			vol("registered_"+v.name, still[n].volume)
		}
	}
	for _, o := range r.Opinions {
		for _, name := range slices.Sorted(maps.Keys(o.Maps)) {
			vol("map_"+name, o.Maps[name])
		}
	}
	for _, b := range r.Assessment.Breasts {
		side := map[experts.Side]string{experts.Left: "left", experts.Right: "right"}[b.Side]
		mask("mask_breast_"+side, b.Mask)
		mask("mask_fibroglandular_"+side, b.Fibroglandular)
	}
	vol("attribution", r.Attribution)
	for n, e := range r.Explanations {
		for _, m := range experts.Modalities {
			vol(fmt.Sprintf("attribution_lesion_%d_%s", n+1, strings.ToLower(string(m))), e.Maps[m])
		}
	}
	for n, f := range r.Assessment.Findings {
		mask(fmt.Sprintf("mask_lesion_%d", n+1), f.Mask)
	}
	return failed
}

type namedVolume struct {
	name   string
	volume *volume.Volume
}

// namedVolumes lists the volumes of a study, in the same order for any two of the same instances.
func namedVolumes(s *experts.Study) (out []namedVolume) {
	if s == nil {
		return nil
	}
	for n, p := range s.DCE {
		out = append(out, namedVolume{fmt.Sprintf("dce_%d", n), p.Volume})
	}
	out = append(out, namedVolume{"t2", s.T2}, namedVolume{"adc_vendor", s.ADC})
	for _, b := range s.DWI {
		out = append(out, namedVolume{fmt.Sprintf("dwi_b%.0f", b.BSPerMM2), b.Volume})
	}
	return out
}
