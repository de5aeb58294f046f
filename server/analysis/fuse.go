package analysis

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"

	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/experts"
	"mome/experts/clinical"
	"mome/experts/volume"
	"mome/fusion"
)

// suspicion are the probabilities from which a finding has AI suspicion level 2, 3, 4 and 5. They are this node's
// convention, a way to say a probability in words, and no BI-RADS category.
var suspicion = [...]float64{0.02, 0.1, 0.5, 0.95}

// lesionLabel finds the label of a lesion in a sentence.
var lesionLabel = regexp.MustCompile(`\bLesion \d+\b`)

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
	for _, m := range w.models() {
		switch {
		case !m.Config().Context:
		case w.context(m) != nil:
			w.note([]string{fmt.Sprintf("The model of %s took the patient's age into account.", m.Task().Name)})
		default:
			w.note([]string{fmt.Sprintf("The model of %s can take the patient's age into account; the images do not state it.", m.Task().Name)})
		}
	}
	if err := w.judgeExamination(ctx, channels); err != nil {
		return fmt.Errorf("judge the examination: %w", err)
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
		w.progress("fusion", 0.85+0.05*float64(n+1)/float64(len(lesions)))
	}
	slices.SortStableFunc(a.Findings, func(x, y fusion.Finding) int { return cmp.Compare(y.Probability.Value, x.Probability.Value) })
	renamed := map[string]string{}
	for n := range a.Findings {
		f := &a.Findings[n]
		label := fmt.Sprintf("Lesion %d", n+1)
		renamed[f.Label], f.Label = label, label
		f.TrackingUID = uid.From("mome lesion", a.StudyUID, a.Algorithm.DeviceUID, a.Reference.SeriesUID,
			fmt.Sprintf("%.1f", f.CentreMM))
	}
	for n, note := range a.Notes { // the experts knew lesions under their first labels
		a.Notes[n] = lesionLabel.ReplaceAllStringFunc(note, func(label string) string { return cmp.Or(renamed[label], label) })
	}
	a.Outcome = fusion.WithoutFindings
	if len(a.Findings) > 0 {
		a.Outcome = fusion.WithFindings
	}
	return nil
}

// judge says how likely a lesion is malignant, and what else the models say of it. Models that read whole volumes say
// nothing of a lesion.
func (w *work) judge(ctx context.Context, l *experts.Lesion, channels map[experts.Modality][]*volume.Volume) (fusion.Finding, error) {
	f := fusion.Finding{Lesion: l}
	for _, m := range w.models() {
		if m.Config().ReadsWhole() {
			continue
		}
		in, err := w.input(m, l, channels)
		if err != nil {
			return f, err
		}
		j, err := m.Judge(ctx, in)
		if err != nil {
			return f, err
		}
		if m != w.cfg.Model || j.Task.Name != fusion.Malignancy {
			f.Further = append(f.Further, j)
			continue
		}
		f.Probability, f.Contributions = experts.Known(j.Probabilities[1]), j.Contributions
		f.Suspicion = suspicionOf(j.Probabilities[1])
	}
	return f, nil
}

// input is what a model reads of a lesion.
func (w *work) input(m *fusion.Model, l *experts.Lesion, channels map[experts.Modality][]*volume.Volume) (fusion.Input, error) {
	in, err := fusion.Crop(m.Config().Boxes, channels, l.CentreMM)
	in.Context = w.context(m)
	return in, err
}

// context is what DICOM says of the patient beside the images, for a model that reads it; nil where it says nothing, as
// for the samples that models are fitted to.
func (w *work) context(m *fusion.Model) *clinical.Context {
	h := w.reading.SourceHeader()
	if !m.Config().Context || h == nil {
		return nil
	}
	age := clinical.Age(h.String(tag.PatientAge), h.String(tag.PatientBirthDate), h.String(tag.StudyDate))
	if !age.Known {
		return nil
	}
	return &clinical.Context{AgeYears: age}
}

// judgeExamination asks the models that read whole volumes.
func (w *work) judgeExamination(ctx context.Context, channels map[experts.Modality][]*volume.Volume) error {
	for _, m := range w.models() {
		if !m.Config().ReadsWhole() {
			continue
		}
		in, err := fusion.Whole(m.Config().Boxes, channels)
		if err != nil {
			return err
		}
		in.Context = w.context(m)
		j, err := m.Judge(ctx, in)
		if err != nil {
			return err
		}
		w.reading.Assessment.Judgements = append(w.reading.Assessment.Judgements, j)
	}
	return nil
}

// models are all that the analysis has.
func (w *work) models() []*fusion.Model {
	if w.cfg.Model == nil {
		return w.cfg.Further
	}
	return append([]*fusion.Model{w.cfg.Model}, w.cfg.Further...)
}

// suspicionOf is the level, from 1, of a probability of malignancy.
func suspicionOf(p float64) int {
	level := 1
	for _, from := range suspicion {
		if p >= from {
			level++
		}
	}
	return level
}
