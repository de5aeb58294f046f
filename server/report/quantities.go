package report

import (
	"mome/dicomweb/iod/code"
	"mome/dicomweb/sr"
	"mome/experts"
	"mome/experts/pharmacokinetics"
)

// quantity is a number of a lesion and how an SR says it; writer and reader go by the same list.
type quantity struct {
	name     code.Code
	decimals int
	unit     code.Code
	how      how
	of       func(*experts.Lesion) *experts.Quantity
}

// quantities are the numbers of a lesion that can be unknown, in the order of the report.
func quantities() []quantity {
	list := []quantity{
		{code.FTV, 3, code.CM3, method(code.FTV70), func(l *experts.Lesion) *experts.Quantity { return &l.FTVCM3 }},
		{code.FromNipple, 1, code.MM, method(code.NearestEdge), func(l *experts.Lesion) *experts.Quantity { return &l.NippleMM }},
		{code.FromSkin, 1, code.MM, method(code.NearestEdge), func(l *experts.Lesion) *experts.Quantity { return &l.SkinMM }},
		{code.FromChestWall, 1, code.MM, method(code.NearestEdge), func(l *experts.Lesion) *experts.Quantity { return &l.WallMM }},
		{code.Solidity, 3, code.Ratio, method(code.HullArea), func(l *experts.Lesion) *experts.Quantity { return &l.Solidity }},
		{code.Elongation, 3, code.Ratio, method(code.Moments), func(l *experts.Lesion) *experts.Quantity { return &l.Elongation }},
		{code.Flatness, 3, code.Ratio, method(code.Moments), func(l *experts.Lesion) *experts.Quantity { return &l.Flatness }},
		{code.Roughness, 3, code.Ratio, method(code.Ellipsoid), func(l *experts.Lesion) *experts.Quantity { return &l.Roughness }},
		{code.Spiculation, 3, code.Ratio, method(code.Opening), func(l *experts.Lesion) *experts.Quantity { return &l.Spiculation }},
		{code.Sharpness, 3, code.PerMM, method(code.EarlySub), func(l *experts.Lesion) *experts.Quantity { return &l.Sharpness }},
		{code.RadialGradient, 3, code.Ratio, method(code.EarlySub), func(l *experts.Lesion) *experts.Quantity { return &l.RadialGradient }},
		{code.EnhancementCV, 3, code.Ratio, method(code.EarlySub), func(l *experts.Lesion) *experts.Quantity { return &l.EnhancementCV }},
		{code.RimRatio, 3, code.Ratio, method(code.EarlySub), func(l *experts.Lesion) *experts.Quantity { return &l.RimRatio }},
		{code.ADC, 0, code.UM2PerS, derivation(code.Mean), func(l *experts.Lesion) *experts.Quantity { return &l.ADC }},
		{code.ADC, 0, code.UM2PerS, derivation(code.Minimum), func(l *experts.Lesion) *experts.Quantity { return &l.ADCMin }},
		{code.ADC, 0, code.UM2PerS, derivation(code.Percentile10), func(l *experts.Lesion) *experts.Quantity { return &l.ADCP10 }},
		{code.T2Signal, 2, code.Ratio, how{derivation: code.Mean, method: code.T2Muscle}, func(l *experts.Lesion) *experts.Quantity { return &l.T2MuscleRatio }},
	}
	for _, k := range kinetics() {
		list = append(list,
			quantity{k.name, k.decimals, k.unit, derivation(k.derivation), k.ofLesion},
			quantity{k.name, k.decimals, k.unit, how{derivation: k.derivation, modifiers: inHotSpot()}, func(l *experts.Lesion) *experts.Quantity { return k.ofCurve(&l.HotSpot.Kinetics) }})
	}
	return list
}

// inHotSpot says that something was measured in the most enhancing part of a lesion alone.
func inHotSpot() []sr.Quality { return []sr.Quality{{Name: code.Region, Value: code.HotSpot}} }

// kinetic is a number that is read off a time-signal curve: the lesion's mean one and that of its hot spot.
type kinetic struct {
	name       code.Code
	decimals   int
	unit       code.Code
	derivation code.Code
	ofLesion   func(*experts.Lesion) *experts.Quantity
	ofCurve    func(*experts.Kinetics) *experts.Quantity
}

func kinetics() []kinetic {
	return []kinetic{
		{code.PEEarly, 1, code.Percent, code.Mean,
			func(l *experts.Lesion) *experts.Quantity { return &l.PEEarly }, func(k *experts.Kinetics) *experts.Quantity { return &k.PEEarly }},
		{code.PEPeak, 1, code.Percent, code.Maximum,
			func(l *experts.Lesion) *experts.Quantity { return &l.PEPeak }, func(k *experts.Kinetics) *experts.Quantity { return &k.PEPeak }},
		{code.PEInitial, 1, code.Percent, code.Mean,
			func(l *experts.Lesion) *experts.Quantity { return &l.PEInitial }, func(k *experts.Kinetics) *experts.Quantity { return &k.PEInitial }},
		{code.SER, 2, code.Ratio, code.Mean,
			func(l *experts.Lesion) *experts.Quantity { return &l.SER }, func(k *experts.Kinetics) *experts.Quantity { return &k.SER }},
		{code.TimeToPeak, 1, code.Second, code.Mean,
			func(l *experts.Lesion) *experts.Quantity { return &l.TimeToPeak }, func(k *experts.Kinetics) *experts.Quantity { return &k.TimeToPeak }},
		{code.WashIn, 1, code.PercentPerMin, code.Mean,
			func(l *experts.Lesion) *experts.Quantity { return &l.WashIn }, func(k *experts.Kinetics) *experts.Quantity { return &k.WashIn }},
		{code.WashOut, 2, code.PercentPerMin, code.Mean,
			func(l *experts.Lesion) *experts.Quantity { return &l.WashOut }, func(k *experts.Kinetics) *experts.Quantity { return &k.WashOut }},
		{code.DelayedChange, 1, code.Percent, code.Mean,
			func(l *experts.Lesion) *experts.Quantity { return &l.DelayedChange }, func(k *experts.Kinetics) *experts.Quantity { return &k.DelayedChange }},
	}
}

// breastQuantity is a number of a breast.
type breastQuantity struct {
	name     code.Code
	decimals int
	unit     code.Code
	how      how
	q        *experts.Quantity
}

func breastQuantities(b *experts.Breast) []breastQuantity {
	return []breastQuantity{
		{code.PercentFGT, 1, code.Percent, method(code.VoxelSum), &b.FGT},
		{code.BPE, 1, code.Percent, derivation(code.Mean), &b.BPE},
		{code.BPEShare, 1, code.Percent, method(code.VoxelShare), &b.BPEShare},
	}
}

// uptake is a number of a pharmacokinetic model.
type uptake struct {
	name     code.Code
	decimals int
	unit     code.Code
	q        *experts.Quantity
}

func uptakes(u *experts.Uptake) []uptake {
	return []uptake{
		{code.Ktrans, 4, code.PerMinute, &u.Ktrans},
		{code.Kep, 4, code.PerMinute, &u.Kep},
		{code.Ve, 3, code.Ratio, &u.Ve},
		{code.Vp, 3, code.Ratio, &u.Vp},
		{code.IAUC60, 2, code.MMolSecPerL, &u.IAUC60},
		{code.IAUC90, 2, code.MMolSecPerL, &u.IAUC90},
	}
}

// addUptake adds what a pharmacokinetic model says of the lesion: their method is the model, that of T1 how it was come by.
func (m *measurements) addUptake(u experts.Uptake) {
	model := code.ToftsModel
	switch u.Model {
	case "":
		return
	case string(pharmacokinetics.Extended):
		model = code.ExtendedTofts
	}
	for _, n := range uptakes(&u) {
		m.add(n.name, *n.q, n.decimals, n.unit, method(model))
	}
	t1 := code.T1Fixed
	if u.T1Measured {
		t1 = code.T1Measured
	}
	m.add(code.T1Used, positive(u.T1S), 3, code.Second, method(t1))
}

// readUptake is the inverse of addUptake.
func readUptake(g sr.ROI) (u experts.Uptake) {
	for _, n := range uptakes(&u) {
		m, ok := g.Measured(n.name)
		if !ok {
			continue
		}
		*n.q = experts.Known(m.Value)
		u.Model = string(pharmacokinetics.Tofts)
		if m.Method.Is(code.ExtendedTofts) {
			u.Model = string(pharmacokinetics.Extended)
		}
	}
	if m, ok := g.Measured(code.T1Used); ok {
		u.T1S, u.T1Measured = m.Value, m.Method.Is(code.T1Measured)
	}
	return u
}

// read finds the number among what was measured: of the same name, derivation, method and modifiers.
func (q quantity) read(g sr.ROI) experts.Quantity {
	for _, m := range g.Measurements {
		if m.Name.Is(q.name) && m.Derivation.Is(q.how.derivation) && m.Method.Is(q.how.method) && sameModifiers(m.Modifiers, q.how.modifiers) {
			return experts.Known(m.Value)
		}
	}
	return experts.Quantity{}
}

func sameModifiers(a, b []sr.Quality) bool {
	if len(a) != len(b) {
		return false
	}
	for n := range a {
		if !a[n].Name.Is(b[n].Name) || !a[n].Value.Is(b[n].Value) {
			return false
		}
	}
	return true
}
