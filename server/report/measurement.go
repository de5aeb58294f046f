package report

import (
	"math"
	"sort"
	"strings"

	"mome/dicomweb/iod/code"
	"mome/dicomweb/sr"
	"mome/experts"
	"mome/fusion"
)

func modalityCode(m experts.Modality) code.Code {
	switch m {
	case experts.DCE:
		return code.DCE
	case experts.T2:
		return code.T2Signal
	case experts.DWI:
		return code.DiffusionWeight
	}
	return code.Code{}
}

// how a number was got; every NUM says it.
type how struct {
	derivation, method code.Code
	modifiers          []sr.Quality
}

func method(c code.Code) how     { return how{method: c} }
func derivation(c code.Code) how { return how{derivation: c} }

type measurements struct{ list []sr.Measurement }

// add appends a quantity with the given decimals if it is known.
func (m *measurements) add(name code.Code, q experts.Quantity, decimals int, unit code.Code, h how) {
	if !q.Known || !finite(q.Value) {
		return
	}
	m.list = append(m.list, sr.Measurement{
		Name: name, Value: sr.Round(q.Value, decimals), Unit: unit,
		Modifiers: h.modifiers, Derivation: h.derivation, Method: h.method,
	})
}

// curveShares adds the share of voxels of each curve type.
func (m *measurements) curveShares(shares map[experts.Curve]float64) {
	order := [...]experts.Curve{experts.Persistent, experts.Plateau, experts.Washout}
	var values []float64
	for _, c := range order {
		values = append(values, shares[c])
	}
	for i, p := range percentages(values) {
		m.add(code.CurveShare, experts.Known(p), 1, code.Percent, how{
			method:    code.VoxelShare,
			modifiers: []sr.Quality{{Name: code.EnhancementPattern, Value: codeOf(curves(), order[i])}},
		})
	}
}

// contributions adds each modality's share, which sum to 100 %, and its Shapley value, which has a sign.
func (m *measurements) contributions(list []fusion.Contribution) {
	var values []float64
	for _, c := range list {
		values = append(values, c.Share)
	}
	shares := percentages(values)
	for i, c := range list {
		h := how{
			method:    code.Shapley,
			modifiers: []sr.Quality{{Name: code.ContribOf, Value: modalityCode(c.Modality)}},
		}
		if h.modifiers[0].Value.Zero() {
			continue
		}
		if shares != nil {
			m.add(code.Contribution, experts.Known(shares[i]), 1, code.Percent, h)
		}
		m.add(code.ContribLogOdd, experts.Known(c.LogOdds), 3, code.Dimensionless, h)
	}
}

// further adds what models of other tasks say of a lesion. A task without a code of its own stands in the remarks alone.
func (m *measurements) further(list []fusion.Judgement) {
	for _, j := range list {
		switch {
		case j.Task.Name == "tnbc" && len(j.Probabilities) == 2:
			m.add(code.ProbTNBC, percent(experts.Known(j.Probabilities[1])), 1, code.Percent, method(code.Calibrated))
		case j.Task.Name == "pcr" && len(j.Probabilities) == 2:
			m.add(code.ProbPCR, percent(experts.Known(j.Probabilities[1])), 1, code.Percent, method(code.Calibrated))
		case j.Task.Name == "subtype":
			for i, p := range percentages(j.Probabilities) {
				if c := subtypeCode(j.Task.Classes[i]); !c.Zero() {
					m.add(code.ProbSubtype, experts.Known(p), 1, code.Percent, how{
						method: code.Calibrated, modifiers: []sr.Quality{{Name: code.Subtype, Value: c}},
					})
				}
			}
		}
	}
}

func subtypeCode(class string) code.Code {
	for _, c := range []code.Code{code.LuminalA, code.LuminalB, code.HER2Enriched, code.TripleNegative} {
		if strings.EqualFold(c.Meaning, class) {
			return c
		}
	}
	return code.Code{}
}

// percentages returns shares as percentages with one decimal that sum to 100: what rounding leaves over goes to the
// largest remainders. It returns nil for shares that are no parts of a whole.
func percentages(shares []float64) []float64 {
	sum := 0.0
	for _, s := range shares {
		if !(s >= 0) || !finite(s) {
			return nil
		}
		sum += s
	}
	if !(sum > 0) || !finite(sum) {
		return nil
	}
	tenths, left := make([]float64, len(shares)), 1000.0
	order := make([]int, len(shares))
	for i, s := range shares {
		tenths[i] = math.Floor(1000 * s / sum)
		left -= tenths[i]
		order[i] = i
	}
	remainder := func(i int) float64 { return 1000*shares[i]/sum - tenths[i] }
	sort.SliceStable(order, func(x, y int) bool { return remainder(order[x]) > remainder(order[y]) })
	for _, i := range order[:min(max(int(left), 0), len(order))] {
		tenths[i]++
	}
	for i := range tenths {
		tenths[i] /= 10
	}
	return tenths
}

// percent returns a probability of 0 to 1 in percent.
func percent(q experts.Quantity) experts.Quantity {
	return experts.Quantity{Value: 100 * q.Value, Known: q.Known}
}

// positive returns a quantity that is known if it is more than zero.
func positive(v float64) experts.Quantity { return experts.Quantity{Value: v, Known: v > 0} }

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
