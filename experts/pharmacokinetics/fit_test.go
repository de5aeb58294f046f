package pharmacokinetics_test

import (
	"math"
	"testing"

	"mome/experts"
	pk "mome/experts/pharmacokinetics"
	"mome/fixtures/phantom/physics"
)

// clinical is the middle of each phase of a breast exam, s after arrival: five phases of 75 s. dense is one every 2 s.
var clinical = []float64{37.5, 112.5, 187.5, 262.5, 337.5}

func dense() []float64 {
	var t []float64
	for s := 0.0; s < 360; s += 2 {
		t = append(t, s)
	}
	return t
}

// TestFitFindsItsOwn: without noise the parameters of the phantom's physics, which shares nothing with the package, come
// back; to what the two differ in the step of the arterial curve.
func TestFitFindsItsOwn(t *testing.T) {
	plasma := physics.ParkerPlasma(400)
	in := pk.Population(400)
	for _, c := range []struct {
		name   string
		timesS []float64
		tol    float64
	}{{"dense", dense(), 0.002}, {"clinical", clinical, 0.005}} {
		for _, model := range []pk.Model{pk.Tofts, pk.Extended} {
			f := pk.NewFitter(model, in, c.timesS)
			for _, k := range []physics.Kinetics{
				{KtransPerMin: 0.04, Ve: 0.1, Vp: 0.02}, {KtransPerMin: 0.1, Ve: 0.5, Vp: 0.05}, {KtransPerMin: 0.38, Ve: 0.3, Vp: 0.13},
				{KtransPerMin: 0.01, Ve: 0.3}, {KtransPerMin: 0.9, Ve: 0.95, Vp: 0.01},
			} {
				if model == pk.Tofts {
					k.Vp = 0
				}
				got := f.Fit(plasma.Tissue(k, c.timesS))
				if math.Abs(got.KtransPerMin/k.KtransPerMin-1) > c.tol || math.Abs(got.Ve/k.Ve-1) > c.tol || math.Abs(got.Vp-k.Vp) > c.tol*0.1 {
					t.Errorf("%s, %s: Ktrans %.5f ve %.5f vp %.5f, want %+v", c.name, model, got.KtransPerMin, got.Ve, got.Vp, k)
				}
				if math.Abs(got.KepPerMin*got.Ve-got.KtransPerMin) > 1e-9 || got.Residual > 1e-3 {
					t.Errorf("%s, %s: kep %g of %+v, residual %g mM", c.name, model, got.KepPerMin, k, got.Residual)
				}
				curve := pk.Concentrations(model, in, got, c.timesS)
				for n, want := range plasma.Tissue(k, c.timesS) {
					if math.Abs(curve[n]-want) > 0.002+0.002*want {
						t.Fatalf("%s, %s: the fitted curve has %g mM at %g s, want %g", c.name, model, curve[n], c.timesS[n], want)
					}
				}
			}
		}
	}
}

// TestFitBounds: no uptake, negative curves and curves that rise beyond what a tissue can hold end at the bounds.
func TestFitBounds(t *testing.T) {
	in := pk.Population(400)
	for _, model := range []pk.Model{pk.Tofts, pk.Extended} {
		f := pk.NewFitter(model, in, clinical)
		for name, c := range map[string][]float64{
			"nothing": {0, 0, 0, 0, 0}, "negative": {-1, -0.5, -0.2, -0.1, 0}, "huge": {50, 60, 70, 80, 90},
		} {
			p := f.Fit(c)
			if !(p.KtransPerMin >= 0 && p.KtransPerMin <= 5 && p.Ve >= 0 && p.Ve <= 1 && p.Vp >= 0 && p.Vp <= 1) {
				t.Errorf("%s, %s: %+v is out of bounds", model, name, p)
			}
			if name != "huge" && (p.KtransPerMin != 0 || p.Ve != 0 || p.KepPerMin != 0) {
				t.Errorf("%s, %s: %+v, want none", model, name, p)
			}
		}
	}
}

// TestConcentration: the inverse of the phantom's signal equation, T2* aside.
func TestConcentration(t *testing.T) {
	seq := physics.SpoiledGradientEcho{TRS: 0.0046, FlipRad: 10 * math.Pi / 180}
	own := experts.SpoiledGradientEcho{TRS: seq.TRS, FlipRad: seq.FlipRad}
	for _, mM := range []float64{0, 0.1, 1, 5} {
		ratio := seq.Signal(1.45, mM, 1) / seq.Signal(1.45, 0, 1)
		if got, ok := pk.Concentration(ratio, 1.45, physics.R1PerMMS, own); !ok || math.Abs(got-mM) > 1e-9 {
			t.Errorf("%g mM come back as %g (%v)", mM, got, ok)
		}
	}
	for _, ratio := range []float64{100, -1, math.NaN()} {
		if got, ok := pk.Concentration(ratio, 1.45, 4.4, own); ok && ratio > 0 {
			t.Errorf("a signal of %g times that before contrast gives %g mM", ratio, got)
		}
	}
}

func TestT1NeedsTwoFlipAngles(t *testing.T) {
	if _, _, ok := pk.T1S([]float64{0.1}, 0.005, []float64{100}); ok {
		t.Error("one flip angle gave a T1")
	}
	if _, _, ok := pk.T1S([]float64{0.1, 0.2}, 0.005, []float64{0, 0}); ok {
		t.Error("no signal gave a T1")
	}
}

func BenchmarkFit(b *testing.B) {
	in := pk.Population(400)
	mM := physics.ParkerPlasma(400).Tissue(physics.Kinetics{KtransPerMin: 0.1, Ve: 0.3, Vp: 0.05}, clinical)
	f := pk.NewFitter(pk.Extended, in, clinical)
	b.ReportAllocs()
	for b.Loop() {
		f.Fit(mM)
	}
}
