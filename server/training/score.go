package training

import (
	"context"
	"fmt"

	"mome/experts"
	"mome/fusion"
	"mome/fusion/train/measure"
)

// Subset is a set of modalities: bit i stands for experts.Modalities[i].
type Subset uint8

// AllModalities is the largest Subset.
const AllModalities = Subset(1<<len(experts.Modalities) - 1)

// Subsets lists the seven that are not empty, all modalities first, then two, then one.
func Subsets() []Subset { return []Subset{7, 3, 5, 6, 1, 2, 4} }

func (s Subset) String() string {
	text := ""
	for i, m := range experts.Modalities {
		if s&(1<<i) != 0 {
			if text != "" {
				text += "+"
			}
			text += string(m)
		}
	}
	return text
}

// of returns what in has of the subset, and the clinical context; ok is false where it lacks some of it.
func (s Subset) of(in fusion.Input) (out fusion.Input, ok bool) {
	out.Context = in.Context
	for i, m := range experts.Modalities {
		if s&(1<<i) == 0 {
			continue
		}
		data := in.Of(m)
		if data == nil {
			return out, false
		}
		switch m {
		case experts.DCE:
			out.DCE = data
		case experts.T2:
			out.T2 = data
		case experts.DWI:
			out.DWI = data
		}
	}
	return out, true
}

// Scored is a case with a model's calibrated probabilities, one for each class.
type Scored struct {
	Case
	Probabilities []float64            // with all modalities that it has
	Alone         map[Subset][]float64 // with these modalities alone, where it has them
	Contextless   []float64            // with all modalities and without the clinical context; nil where the model reads none
}

// Score asks the model about every case, with the modalities that it has, and where subsets is set with each of the seven
// subsets that it has. progress is told the cases done.
func Score(ctx context.Context, model *fusion.Model, cases []Case, subsets bool, progress func(done, total int)) ([]Scored, error) {
	out := make([]Scored, len(cases))
	for n := range cases {
		c := &cases[n]
		in, err := c.Input()
		if err != nil {
			return nil, fmt.Errorf("study %s: %w", c.StudyUID, err)
		}
		out[n] = Scored{Case: *c, Alone: map[Subset][]float64{}}
		if out[n].Probabilities, err = probabilities(ctx, model, in); err != nil {
			return nil, fmt.Errorf("study %s: %w", c.StudyUID, err)
		}
		if subsets && model.Config().Context {
			mute := in
			mute.Context = nil
			if out[n].Contextless, err = probabilities(ctx, model, mute); err != nil {
				return nil, fmt.Errorf("study %s: %w", c.StudyUID, err)
			}
		}
		for _, s := range Subsets() {
			part, ok := s.of(in)
			switch {
			case !ok || !subsets:
				continue
			case s == AllModalities:
				out[n].Alone[s] = out[n].Probabilities
				continue
			}
			if out[n].Alone[s], err = probabilities(ctx, model, part); err != nil {
				return nil, fmt.Errorf("study %s: %w", c.StudyUID, err)
			}
		}
		if progress != nil {
			progress(n+1, len(cases))
		}
	}
	return out, nil
}

func probabilities(ctx context.Context, model *fusion.Model, in fusion.Input) ([]float64, error) {
	logits, err := model.Logits(ctx, in)
	if err != nil {
		return nil, err
	}
	return measure.Softmax(logits, model.Temperature()), nil
}
