// Package t2 is the expert of T2-weighted images: a lesion's T2 signal relative to the fibroglandular tissue of the same
// breast and to the pectoral muscle. It measures signal ratios, not T2 times.
package t2

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"mome/experts"
	"mome/experts/lesion"
	"mome/experts/volume"
)

// Config has the settings; the zero value means the defaults.
type Config struct {
	// MinReferenceMM3 is the least volume of tissue whose mean may serve as a reference, mm3; 500 if zero, a cube of
	// 8 mm: less is a few voxels of a slice 5 mm thick.
	MinReferenceMM3 float64
}

// Expert reads T2-weighted volumes.
type Expert struct{ cfg Config }

// New returns an expert with these settings.
func New(cfg Config) (*Expert, error) {
	if cfg.MinReferenceMM3 < 0 {
		return nil, fmt.Errorf("t2 config: MinReferenceMM3 %g is negative", cfg.MinReferenceMM3)
	}
	if cfg.MinReferenceMM3 == 0 {
		cfg.MinReferenceMM3 = 500
	}
	return &Expert{cfg: cfg}, nil
}

// Modality returns experts.T2.
func (*Expert) Modality() experts.Modality { return experts.T2 }

// ErrNoT2 says that the study holds no T2-weighted volume.
var ErrNoT2 = errors.New("study has no T2-weighted volume")

// Read sets T2Ratio of each lesion: its mean T2 signal over the mean of the fibroglandular tissue of its own breast
// (a normalised T2 signal, free of the scanner's arbitrary unit), other lesions left out. Where that breast has no such
// tissue on the T2 images the other breast's is used, then the whole breast; T2Reference and a note say so.
// T2MuscleRatio is the same over the pectoral muscle behind the breast, then behind the other one, and unknown without.
// The opinion's map "T2" and its only channel are the T2 volume itself, shared, not copied.
func (e *Expert) Read(ctx context.Context, s *experts.Study, breasts []experts.Breast, lesions []*experts.Lesion) (*experts.Opinion, error) {
	if s.T2 == nil {
		return nil, ErrNoT2
	}
	v := s.T2
	op := &experts.Opinion{
		Modality: experts.T2,
		Maps:     map[string]*volume.Volume{"T2": v},
		Channels: []*volume.Volume{v},
	}
	if note := frameNote(s, v); note != "" {
		op.Notes = append(op.Notes, note)
	}
	refs, err := e.references(ctx, s, breasts, lesions)
	if err != nil {
		return nil, err
	}
	op.Settings = refs.settings()
	said := map[string]bool{}
	for _, l := range lesions {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		l.T2Ratio, l.T2MuscleRatio, l.T2Reference = experts.Quantity{}, experts.Quantity{}, ""
		mean, ok := lesionMean(v, l)
		if !ok {
			op.Notes = append(op.Notes, l.Label+" lies outside the T2-weighted images; its T2 ratio is unknown.")
			continue
		}
		if muscle := cmp.Or(refs.muscle[l.Side], refs.muscle[opposite(l.Side)]); muscle > 0 {
			l.T2MuscleRatio = experts.Known(mean / muscle)
		}
		ref, reference, note := refs.of(l.Side)
		if ref <= 0 {
			op.Notes = append(op.Notes, "No reference tissue on the T2-weighted images: the T2 ratio of "+l.Label+" is unknown.")
			continue
		}
		if note != "" && !said[note] {
			said[note] = true
			op.Notes = append(op.Notes, note)
		}
		l.T2Ratio, l.T2Reference = experts.Known(mean/ref), reference
	}
	return op, nil
}

// frameNote warns where T2 and DCE state different frames of reference: their coordinates then share no origin.
func frameNote(s *experts.Study, v *volume.Volume) string {
	if len(s.DCE) == 0 {
		return ""
	}
	dce := s.DCE[0].Volume.FrameOfReference
	if dce == "" || v.FrameOfReference == "" || dce == v.FrameOfReference {
		return ""
	}
	return "T2-weighted and dynamic images state different frames of reference; their positions were taken as common."
}

// lesionMean returns the mean T2 signal of l, every voxel weighted by the part of it that the lesion covers: voxels that
// it mostly covers, or all that it touches where it covers none.
func lesionMean(v *volume.Volume, l *experts.Lesion) (float64, bool) {
	if l.Mask == nil {
		return 0, false
	}
	parts := lesion.Cover(l.Mask, &v.Grid, 3)
	for _, least := range [2]float64{0.5, 0} {
		sum, weight := 0.0, 0.0
		for _, p := range parts {
			if p.Fraction >= least {
				sum += p.Fraction * float64(v.Data[p.Index])
				weight += p.Fraction
			}
		}
		if weight > 0 {
			return sum / weight, true
		}
	}
	return 0, false
}
