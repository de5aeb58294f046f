package report

import (
	"fmt"
	"slices"
	"strings"

	"mome/dicomweb/iod/code"
	"mome/dicomweb/sr"
	"mome/experts"
	"mome/fusion"
	"mome/server/words"
)

// warning is the sentence that goes with everything that is shown. The words of the disclaimer stand in it in English in
// every language, for programs that look for them.
func (b *build) warning() string {
	text := sentence(b.lang.Text(Disclaimer))
	if trainedOn, _ := b.lang.Translate(clean(b.a.Algorithm.TrainedOn)); trainedOn != "" {
		text += " " + sentence(b.lang.Text("Trained on %s", trainedOn))
	}
	return text
}

// remarks are the comments of the report: how it ended, what it is, what was missing, how sure the images are, notes, what
// each series was.
func (b *build) remarks() []*sr.Item {
	texts := []string{b.headline() + " " + b.warning() + " " + b.lang.Text("Output of an automated algorithm, not verified by a physician.")}
	if b.a.Outcome != fusion.NotDone {
		for _, m := range experts.Modalities {
			if !b.a.Present[m] {
				texts = append(texts, b.lang.Text("%s missing: no series of this kind was used; what needs it is left out.", m))
			}
		}
	}
	for _, j := range b.a.Judgements {
		texts = append(texts, b.lang.Text("Whole examination")+": "+b.judgement(j))
	}
	for _, f := range b.a.Findings {
		for _, j := range f.Further {
			texts = append(texts, b.label(f.Label)+": "+b.judgement(j))
		}
	}
	texts = append(texts, b.asymmetry(), b.motion(), b.sorted())
	var items []*sr.Item
	for _, t := range texts {
		if t != "" {
			items = append(items, sr.Remark(t))
		}
	}
	for _, n := range b.notes() {
		items = append(items, b.note(n))
	}
	return items
}

// notes are the sentences of the analysis, and those about comparisons that are not among them.
func (b *build) notes() (out []string) {
	add := func(text string) {
		if text = clean(text); text != "" && !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	for _, n := range b.a.Notes {
		add(n)
	}
	for _, c := range b.a.Checks {
		add(c.Text)
	}
	return out
}

// note returns a sentence that was made in English. Where it has no translation it says that it is English.
func (b *build) note(text string) *sr.Item {
	translated, ok := b.lang.Translate(text)
	item := sr.Remark(translated)
	if !ok {
		item.Add(sr.Language(languageCode(words.English)))
	}
	return item
}

// judgement says a model's answer in words.
func (b *build) judgement(j fusion.Judgement) string {
	var parts []string
	for i, p := range j.Probabilities {
		class, _ := b.lang.Translate(clean(j.Task.Classes[i]))
		parts = append(parts, fmt.Sprintf("%s %.1f %%", class, 100*p))
	}
	task, _ := b.lang.Translate(clean(j.Task.Name))
	trainedOn, _ := b.lang.Translate(clean(j.TrainedOn))
	text := task + ": " + strings.Join(parts, ", ") + b.lang.Text(" (weights %.12s, trained on %s)", j.WeightsSHA256, trainedOn)
	if len(j.Contributions) == 0 {
		return sentence(text)
	}
	parts = nil
	for _, c := range j.Contributions {
		parts = append(parts, fmt.Sprintf("%s %+.2f", c.Modality, c.LogOdds))
	}
	return sentence(text + b.lang.Text("; contributions in log-odds: %s", strings.Join(parts, ", ")))
}

// headline says in words how the analysis ended.
func (b *build) headline() string {
	point := b.a.Algorithm.OperatingPoint
	switch {
	case b.a.Outcome == fusion.NotDone:
		reason, _ := b.lang.Translate(clean(b.a.Reason.Text))
		return b.lang.Text("Analysis not performed: %s", sentence(reason)) + " " + b.lang.Text("This is not a negative result.")
	case b.a.Outcome == fusion.WithoutFindings && point > 0:
		return b.lang.Text("No lesion exceeded the operating point %s.", number(point))
	case b.a.Outcome == fusion.WithoutFindings:
		return b.lang.Text("No lesion was found.")
	}
	judged, above := 0, 0
	for _, f := range b.a.Findings {
		if f.Probability.Known {
			judged++
			if f.Probability.Value >= point {
				above++
			}
		}
	}
	text := b.lang.Text("Lesions reported: %d", len(b.a.Findings))
	switch {
	case judged == 0 && len(b.a.Judgements) > 0:
		text += b.lang.Text(", none of them judged apart from the whole examination")
	case judged == 0:
		text += b.lang.Text(", none of them judged by a model")
	case point > 0:
		text += b.lang.Text(", of which %d reach the operating point %s", above, number(point))
	}
	return text + "."
}

// asymmetry compares the breasts.
func (b *build) asymmetry() string {
	var parts []string
	if y := b.a.Asymmetry; y.FGT.Known && finite(y.FGT.Value) {
		parts = append(parts, b.lang.Text("share of fibroglandular tissue %+.0f %%", y.FGT.Value))
	}
	if y := b.a.Asymmetry; y.BPE.Known && finite(y.BPE.Value) {
		parts = append(parts, b.lang.Text("background enhancement %+.0f %%", y.BPE.Value))
	}
	if parts == nil {
		return ""
	}
	return b.lang.Text("Left less right breast, over the mean of both: %s.", strings.Join(parts, ", "))
}

// motion tells what was found of each acquisition.
func (b *build) motion() string {
	var parts []string
	for _, m := range b.a.Motion {
		name, _ := b.lang.Translate(clean(m.Name))
		if m.Corrected {
			parts = append(parts, b.lang.Text("%s moved by %.1f mm on average (95th percentile %.1f mm, largest %.1f mm), corrected", name, m.MeanMM, m.P95MM, m.MaxMM))
			continue
		}
		parts = append(parts, b.lang.Text("%s left as acquired", name))
	}
	if parts == nil {
		return ""
	}
	return b.lang.Text("Motion within the breasts against the reference phase: %s.", strings.Join(parts, "; "))
}

// sorted tells what was made of each series.
func (b *build) sorted() string {
	var parts []string
	for _, s := range b.a.Series {
		name := b.lang.Text("a series without a number")
		if s.Number != 0 {
			name = b.lang.Text("series %d", s.Number)
		}
		role, _ := b.lang.Translate(string(s.Role))
		part := b.lang.Text("%s as %s", name, role)
		if !s.Used {
			part = b.lang.Text("%s not used, %s", name, role)
		}
		if detail := clean(s.Detail); detail != "" && detail != "not used" {
			detail, _ = b.lang.Translate(detail)
			part += " (" + detail + ")"
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return ""
	}
	return b.lang.Text("Series of the study: %s.", strings.Join(parts, "; "))
}

// sentence ends s with a full stop, if it says anything.
func sentence(s string) string {
	for _, end := range []string{".", "!", "?", "。"} {
		if strings.HasSuffix(s, end) {
			return s
		}
	}
	if s == "" {
		return s
	}
	return s + "."
}

// expertSettings are what the experts' numbers rest on, as parameters: "DCE early phase=2", "DCE FTV least early
// enhancement=70 %".
func expertSettings(a *fusion.Assessment) (out []string) {
	for _, m := range experts.Modalities {
		for _, s := range a.Settings[m] {
			value := s.Text
			if value == "" {
				value = number(sr.Round(s.Value, 6))
				if s.Unit != "" && s.Unit != code.Dimensionless.Value {
					value += " " + s.Unit
				}
			}
			out = append(out, clean(string(m)+" "+s.Name+"="+value))
		}
	}
	return out
}
