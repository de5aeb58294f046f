package analysis

import (
	"mome/experts"
	"mome/fusion"
)

// Findings is an assessment for programs: the form of findings.json. A number that is not known is absent.
type Findings struct {
	Notice    string             `json:"notice"`
	Study     string             `json:"study"`
	Outcome   fusion.Outcome     `json:"outcome"`
	Reason    string             `json:"reason,omitempty"` // why nothing could be said
	Lesions   []LesionFinding    `json:"lesions"`
	Exam      []JudgementFinding `json:"examination,omitempty"` // by models that read whole volumes
	Breasts   []BreastFinding    `json:"breasts,omitempty"`
	Asymmetry *AsymmetryFinding  `json:"asymmetry,omitempty"`
	Present   map[string]bool    `json:"modalities"`
	Series    []SeriesFinding    `json:"series"`
	Motion    []MotionFinding    `json:"motion,omitempty"`
	Checks    []CheckFinding     `json:"checks,omitempty"`
	Settings  []SettingFinding   `json:"settings,omitempty"`
	Notes     []string           `json:"notes,omitempty"`
	Algorithm AlgorithmFinding   `json:"algorithm"`
	StagesS   map[string]float64 `json:"stages_s,omitempty"`
}

// JudgementFinding is one model's answer to its task.
type JudgementFinding struct {
	Task          string             `json:"task"`
	Probabilities map[string]float64 `json:"probabilities"` // by class
	Contributions map[string]float64 `json:"contributions_log_odds,omitempty"`
	WeightsSHA256 string             `json:"weights_sha256"`
	TrainedOn     string             `json:"trained_on"`
}

// BreastFinding is one breast.
type BreastFinding struct {
	Side           experts.Side        `json:"side"`
	VolumeCM3      float64             `json:"volume_cm3"`
	Fibroglandular *float64            `json:"fibroglandular_cm3,omitempty"`
	FGT            *float64            `json:"fgt_percent,omitempty"`
	Composition    experts.Composition `json:"composition,omitempty"`
	BPE            *float64            `json:"bpe_percent,omitempty"`
	BPEShare       *float64            `json:"bpe_share_percent,omitempty"`
	Background     experts.Background  `json:"background,omitempty"`
}

// AsymmetryFinding compares the breasts, 100 (left - right) / mean of both, %.
type AsymmetryFinding struct {
	FGT *float64 `json:"fgt_percent,omitempty"`
	BPE *float64 `json:"bpe_percent,omitempty"`
}

// SettingFinding is what numbers rest on.
type SettingFinding struct {
	Modality experts.Modality `json:"modality"`
	Name     string           `json:"name"`
	Value    float64          `json:"value"`
	Unit     string           `json:"unit,omitempty"` // UCUM
	Text     string           `json:"text,omitempty"` // the value where it is no number
}

// MotionFinding is how far an acquisition lay from the phase that results refer to, mm within the breasts.
type MotionFinding struct {
	Of        string  `json:"of"` // "phase 3", "T2", "DWI"
	Series    string  `json:"series"`
	MeanMM    float64 `json:"mean_mm"`
	P95MM     float64 `json:"p95_mm"`
	MaxMM     float64 `json:"max_mm"`
	Corrected bool    `json:"corrected"`
	Deformed  bool    `json:"deformed"`
	Before    float64 `json:"measure_before"`
	After     float64 `json:"measure_after"`
	Method    string  `json:"method"`
	Reason    string  `json:"reason"`
}

// CheckFinding is a comparison with what the scanner's own software computed.
type CheckFinding struct {
	Name          string   `json:"name"`
	Series        string   `json:"series,omitempty"`
	R             *float64 `json:"r,omitempty"`            // Pearson's
	MedianRatio   *float64 `json:"median_ratio,omitempty"` // ours over theirs
	MaxDifference *float64 `json:"max_difference,omitempty"`
	Voxels        int      `json:"voxels"`
	Agrees        bool     `json:"agrees"`
	Text          string   `json:"text"`
}

// SeriesFinding says what was made of a series. Descriptions are left out: they are the sender's free text.
type SeriesFinding struct {
	Series     string       `json:"series"`
	Number     int          `json:"number"`
	Role       experts.Role `json:"role"`
	Used       bool         `json:"used"`
	Detail     string       `json:"detail,omitempty"`
	Reason     string       `json:"reason"`
	Confidence float64      `json:"confidence"`
}

// AlgorithmFinding says what made the assessment.
type AlgorithmFinding struct {
	Name           string  `json:"name"`
	Version        string  `json:"version"`
	WeightsSHA256  string  `json:"weights_sha256"`
	TrainedOn      string  `json:"trained_on"`
	OperatingPoint float64 `json:"operating_point"`
}

// FindingsOf returns the reading for programs, under the notice given.
func FindingsOf(r *Reading, notice string) Findings {
	a := r.Assessment
	f := Findings{
		Notice: notice, Study: a.StudyUID, Outcome: a.Outcome, Reason: a.Reason.Text, Notes: a.Notes,
		Lesions: []LesionFinding{}, Present: map[string]bool{}, StagesS: map[string]float64{},
		Algorithm: AlgorithmFinding{a.Algorithm.Name, a.Algorithm.Version, a.Algorithm.WeightsSHA256, a.Algorithm.TrainedOn, a.Algorithm.OperatingPoint},
	}
	for _, m := range experts.Modalities {
		f.Present[string(m)] = a.Present[m]
	}
	for _, s := range a.Series {
		f.Series = append(f.Series, SeriesFinding{s.SeriesUID, s.Number, s.Role, s.Used, s.Detail, s.Reason, s.Confidence})
	}
	for _, m := range a.Motion {
		f.Motion = append(f.Motion, MotionFinding{m.Name, m.SeriesUID, m.MeanMM, m.P95MM, m.MaxMM, m.Corrected, m.Deformed,
			m.Before, m.After, m.Method, m.Reason})
	}
	for _, c := range a.Checks {
		f.Checks = append(f.Checks, CheckFinding{c.Name, c.SeriesUID, number(c.R), number(c.MedianRatio), number(c.MaxDifference), c.Voxels, c.Agrees, c.Text})
	}
	for _, b := range a.Breasts {
		v := BreastFinding{
			Side: b.Side, VolumeCM3: b.Mask.VolumeCM3(), FGT: number(b.FGT), Composition: b.Composition,
			BPE: number(b.BPE), BPEShare: number(b.BPEShare), Background: b.Background,
		}
		if b.Fibroglandular != nil {
			v.Fibroglandular = number(experts.Known(b.Fibroglandular.VolumeCM3()))
		}
		f.Breasts = append(f.Breasts, v)
	}
	if y := a.Asymmetry; y.FGT.Known || y.BPE.Known {
		f.Asymmetry = &AsymmetryFinding{number(y.FGT), number(y.BPE)}
	}
	for _, m := range experts.Modalities {
		for _, s := range a.Settings[m] {
			f.Settings = append(f.Settings, SettingFinding{m, s.Name, s.Value, s.Unit, s.Text})
		}
	}
	f.Exam = judgementFindings(a.Judgements)
	labels := labelled{}
	for _, l := range a.Findings {
		labels[l.Lesion] = l.Label
	}
	for n, l := range a.Findings {
		v := lesionFinding(l, a.Algorithm.OperatingPoint, labels)
		v.Explanation = r.explanationOf(n)
		f.Lesions = append(f.Lesions, v)
	}
	for _, s := range r.Stages {
		f.StagesS[s.Name] = s.Took.Seconds()
	}
	return f
}

func judgementFindings(judgements []fusion.Judgement) []JudgementFinding {
	var out []JudgementFinding
	for _, j := range judgements {
		f := JudgementFinding{
			Task: j.Task.Name, Probabilities: map[string]float64{}, Contributions: contributions(j.Contributions),
			WeightsSHA256: j.WeightsSHA256, TrainedOn: j.TrainedOn,
		}
		for i, p := range j.Probabilities {
			f.Probabilities[j.Task.Classes[i]] = p
		}
		out = append(out, f)
	}
	return out
}

func contributions(list []fusion.Contribution) map[string]float64 {
	by := map[string]float64{}
	for _, c := range list {
		by[string(c.Modality)] = c.LogOdds
	}
	return by
}
