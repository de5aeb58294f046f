package report

import (
	"mome/dicomweb/iod/code"
	"mome/dicomweb/sr"
	"mome/experts"
)

// quality is a coded statement about a lesion or a breast; writer and reader go by the same list.
type quality[T any] struct {
	name code.Code
	code func(*T) code.Code  // zero where nothing is told
	read func(*T, code.Code) // does nothing with a code that it does not know
}

// coded is a word of the analysis and its code.
type coded[W ~string] struct {
	word W
	code code.Code
}

// codeOf returns the code of a word, zero for one that has none.
func codeOf[W ~string](words []coded[W], word W) code.Code {
	for _, w := range words {
		if w.word == word {
			return w.code
		}
	}
	return code.Code{}
}

// wordOf is the inverse of codeOf.
func wordOf[W ~string](words []coded[W], c code.Code) W {
	for _, w := range words {
		if w.code.Is(c) {
			return w.word
		}
	}
	return ""
}

// said returns the statement that name makes of the word at of.
func said[T any, W ~string](name code.Code, words []coded[W], of func(*T) *W) quality[T] {
	return quality[T]{
		name: name,
		code: func(t *T) code.Code { return codeOf(words, *of(t)) },
		read: func(t *T, c code.Code) { *of(t) = wordOf(words, c) },
	}
}

func curves() []coded[experts.Curve] {
	return []coded[experts.Curve]{{experts.Persistent, code.Curve1}, {experts.Plateau, code.Curve2}, {experts.Washout, code.Curve3}}
}

func initialPhases() []coded[experts.InitialPhase] {
	return []coded[experts.InitialPhase]{{experts.Slow, code.Slow}, {experts.Medium, code.Medium}, {experts.Fast, code.Fast}}
}

func quadrants() []coded[string] {
	return []coded[string]{
		{"upper outer", code.UpperOuter}, {"upper inner", code.UpperInner},
		{"lower outer", code.LowerOuter}, {"lower inner", code.LowerInner},
	}
}

func spreads() []coded[experts.Spread] {
	return []coded[experts.Spread]{{experts.Multifocal, code.Multifocal}, {experts.Multicentric, code.Multicentric}}
}

// t2References are what a T2 ratio refers to, as a method; a ratio to anything else is written without one.
func t2References() []coded[string] {
	return []coded[string]{
		{"fibroglandular tissue of the same breast", code.T2Norm},
		{"fibroglandular tissue of the other breast", code.T2Contra},
		{"the whole breast", code.T2Whole},
	}
}

// lesionQualities are the coded statements about a lesion, in the order of the report.
func lesionQualities() []quality[experts.Lesion] {
	type lesion = experts.Lesion
	return []quality[lesion]{
		{code.Clockface,
			func(l *lesion) code.Code { c, _ := code.ClockPosition(l.Clock); return c },
			func(l *lesion, c code.Code) {
				for hour := 1; hour <= 12; hour++ {
					if at, _ := code.ClockPosition(hour); at.Is(c) {
						l.Clock = hour
					}
				}
			}},
		said(code.Depth, []coded[experts.Depth]{{experts.Anterior, code.Anterior}, {experts.Middle, code.Middle}, {experts.Posterior, code.Posterior}},
			func(l *lesion) *experts.Depth { return &l.Depth }),
		said(code.Shape, []coded[experts.Shape]{{experts.Round, code.Round}, {experts.Oval, code.Oval}, {experts.IrregularShape, code.Irregular}},
			func(l *lesion) *experts.Shape { return &l.Shape }),
		said(code.Margins, []coded[experts.Margin]{{experts.Circumscribed, code.Circumscribed}, {experts.IrregularMargin, code.Irregular}, {experts.Spiculated, code.Spiculated}},
			func(l *lesion) *experts.Margin { return &l.Margin }),
		said(code.InternalEnh, []coded[experts.Internal]{{experts.Homogeneous, code.Homogeneous}, {experts.Heterogeneous, code.Heterogeneous}, {experts.Rim, code.Rim}},
			func(l *lesion) *experts.Internal { return &l.Internal }),
		said(code.InitialPhase, initialPhases(), func(l *lesion) *experts.InitialPhase { return &l.InitialPhase }),
		said(code.EnhancementPattern, curves(), func(l *lesion) *experts.Curve { return &l.WorstCurve }),
		said(code.MeanCurve, curves(), func(l *lesion) *experts.Curve { return &l.MeanCurve }),
		said(code.HotSpotPhase, initialPhases(), func(l *lesion) *experts.InitialPhase { return &l.HotSpot.Initial }),
		said(code.HotSpotCurve, curves(), func(l *lesion) *experts.Curve { return &l.HotSpot.Curve }),
		said(code.ADCSide, []coded[experts.Diffusion]{{experts.LowDiffusion, code.ADCLow}, {experts.NotLowDiffusion, code.ADCNotLow}},
			func(l *lesion) *experts.Diffusion { return &l.Diffusion }),
	}
}

// breastQualities are those about a breast.
func breastQualities() []quality[experts.Breast] {
	return []quality[experts.Breast]{
		said(code.Composition, []coded[experts.Composition]{
			{experts.CompositionA, code.CompositionA}, {experts.CompositionB, code.CompositionB},
			{experts.CompositionC, code.CompositionC}, {experts.CompositionD, code.CompositionD},
		}, func(b *experts.Breast) *experts.Composition { return &b.Composition }),
		said(code.BPEClass, []coded[experts.Background]{
			{experts.Minimal, code.Minimal}, {experts.Mild, code.Mild}, {experts.Moderate, code.Moderate}, {experts.Marked, code.Marked},
		}, func(b *experts.Breast) *experts.Background { return &b.Background }),
	}
}

// evaluate returns what the list says of t.
func evaluate[T any](list []quality[T], t *T) (out []sr.Quality) {
	for _, q := range list {
		if c := q.code(t); !c.Zero() {
			out = append(out, sr.Quality{Name: q.name, Value: c})
		}
	}
	return out
}

// readQualities sets in t what a group says.
func readQualities[T any](list []quality[T], g sr.ROI, t *T) {
	for _, q := range list {
		if c := g.Evaluated(q.name); !c.Zero() {
			q.read(t, c)
		}
	}
}
