package analysis

import (
	"context"
	"fmt"
	"slices"

	"mome/dicomweb/dicom/uid"
	"mome/experts"
	"mome/experts/volume"
	"mome/fusion"
)

// suspicion are the probabilities from which a finding has AI suspicion level 2, 3, 4 and 5. They are this node's
// convention, a way to say a probability in words, and no BI-RADS category.
var suspicion = [...]float64{0.02, 0.1, 0.5, 0.95}

// fuse lets the model judge each lesion and completes the assessment, most suspicious first.
func (w *work) fuse(ctx context.Context, breasts []experts.Breast) error {
	a, study, lesions := w.reading.Assessment, w.reading.Study, w.reading.Lesions
	channels := w.reading.Channels()
	reference := study.DCE[study.Reference]
	a.Breasts, a.Grid = breasts, reference.Volume.Grid
	a.Reference = fusion.Reference{SeriesUID: reference.SeriesUID, Slices: study.DCESlices}
	for _, s := range study.Series {
		if s.SeriesUID == reference.SeriesUID {
			a.Reference.SOPClassUID = s.SOPClassUID
		}
	}
	for n, l := range lesions {
		if err := ctx.Err(); err != nil {
			return err
		}
		f, err := w.judge(ctx, l, channels)
		if err != nil {
			return fmt.Errorf("judge %s: %w", l.Label, err)
		}
		a.Findings = append(a.Findings, f)
		w.progress("fusion", 0.85+0.15*float64(n+1)/float64(len(lesions)))
	}
	slices.SortStableFunc(a.Findings, func(x, y fusion.Finding) int {
		switch p, q := x.Probability.Value, y.Probability.Value; {
		case p > q:
			return -1
		case p < q:
			return 1
		}
		return 0
	})
	for n := range a.Findings {
		f := &a.Findings[n]
		f.Label = fmt.Sprintf("Lesion %d", n+1)
		f.TrackingUID = uid.From("mome lesion", a.StudyUID, a.Algorithm.DeviceUID, a.Reference.SeriesUID,
			fmt.Sprintf("%.1f", f.CentreMM))
	}
	a.Outcome = fusion.WithoutFindings
	if len(a.Findings) > 0 {
		a.Outcome = fusion.WithFindings
	}
	return nil
}

func (w *work) judge(ctx context.Context, l *experts.Lesion, channels map[experts.Modality][]*volume.Volume) (fusion.Finding, error) {
	if w.cfg.Model == nil {
		return fusion.Finding{Lesion: l}, nil
	}
	in, err := fusion.Crop(w.cfg.Model.Config().Boxes, channels, l.CentreMM)
	if err != nil {
		return fusion.Finding{}, err
	}
	p, err := w.cfg.Model.Probability(ctx, in)
	if err != nil {
		return fusion.Finding{}, err
	}
	parts, err := w.cfg.Model.Contributions(ctx, in)
	if err != nil {
		return fusion.Finding{}, err
	}
	f := fusion.Finding{Lesion: l, Probability: experts.Known(p), Contributions: parts, Suspicion: 1}
	for _, from := range suspicion {
		if p >= from {
			f.Suspicion++
		}
	}
	return f, nil
}
