package pharmacokinetics_test

import (
	"math"
	"testing"

	"mome/experts"
	pk "mome/experts/pharmacokinetics"
)

// OSIPI's tolerances for fits: ve 0.05, Ktrans 0.005 per min and 10 %, vp 0.025.
func within(t *testing.T, what string, got, want pk.Parameters) {
	t.Helper()
	if math.Abs(got.KtransPerMin-want.KtransPerMin) > 0.005+0.1*want.KtransPerMin ||
		math.Abs(got.Ve-want.Ve) > 0.05 || math.Abs(got.Vp-want.Vp) > 0.025 {
		t.Errorf("%s: Ktrans %.4f ve %.4f vp %.4f, want %.4f, %.4f, %.4f", what,
			got.KtransPerMin, got.Ve, got.Vp, want.KtransPerMin, want.Ve, want.Vp)
	}
}

// TestFitAgainstOSIPI: every curve, from SNR 20 to noise-free, by the bounded fit and by Murase's linear one.
func TestFitAgainstOSIPI(t *testing.T) {
	for _, c := range []struct {
		file   string
		model  pk.Model
		curves int
	}{
		{"DCEmodels/data/dce_DRO_data_tofts.csv", pk.Tofts, 25},
		{"DCEmodels/data/dce_DRO_data_extended_tofts.csv", pk.Extended, 15},
	} {
		rows := osipi(t, c.file)
		if len(rows) != c.curves {
			t.Errorf("%d curves in %s, want %d", len(rows), c.file, c.curves)
		}
		for _, r := range rows {
			timesS, mM, plasma := numbers(t, r["t"]), numbers(t, r["C"]), numbers(t, r["ca"])
			want := pk.Parameters{KtransPerMin: numbers(t, r["Ktrans"])[0], Ve: numbers(t, r["ve"])[0]}
			if c.model == pk.Extended {
				want.Vp = numbers(t, r["vp"])[0]
			}
			within(t, string(c.model)+" "+r["label"], pk.NewFitter(c.model, pk.NewInput(timesS, plasma), timesS).Fit(mM), want)
			within(t, "linear "+string(c.model)+" "+r["label"], linear(c.model, timesS, plasma, mM), want)
		}
	}
}

// TestParkerAgainstOSIPI: OSIPI asks for 1e-4 mM plus 1 %.
func TestParkerAgainstOSIPI(t *testing.T) {
	rows := osipi(t, "PopulationAIF_DCE/data/ParkerAIF_ref.csv")
	for _, r := range rows {
		v := numbers(t, r["time"], r["Cb"]) // min, mM in blood
		if got := pk.Parker(60 * v[0]); math.Abs(got-v[1]) > 1e-4+0.01*v[1] {
			t.Fatalf("%s at %g min: %g mM, want %g", r["label"], v[0], got, v[1])
		}
	}
	if len(rows) < 1000 {
		t.Errorf("only %d rows", len(rows))
	}
}

// TestConcentrationAgainstOSIPI: OSIPI asks for 1e-5 mM plus 1e-5, as this is only mathematics. The baseline is the mean of
// the first points; the very first is left out of it there, being the one before the steady state.
func TestConcentrationAgainstOSIPI(t *testing.T) {
	compared := 0
	for _, r := range osipi(t, "SI_to_Conc/data/SI2Conc_data.csv") {
		v := numbers(t, r["FA"], r["TR"], r["T1base"], r["numbaselinepts"], r["r1"])
		signal, want := numbers(t, r["s"]), numbers(t, r["conc"])
		seq := experts.SpoiledGradientEcho{TRS: v[1], FlipRad: v[0] * math.Pi / 180}
		base := 0.0
		for _, s := range signal[1:int(v[3])] {
			base += s / (v[3] - 1)
		}
		for n, s := range signal {
			got, ok := pk.Concentration(s/base, v[2], v[4], seq)
			if !ok || math.Abs(got-want[n]) > 1e-5+1e-5*math.Abs(want[n]) {
				t.Fatalf("%s point %d: %g mM (%v), want %g", r["label"], n, got, ok, want[n])
			}
			compared++
		}
	}
	if compared < 100 {
		t.Errorf("only %d points", compared)
	}
}

// TestT1AgainstOSIPI: OSIPI asks for R1 within 0.05 per s plus 5 %. The prostate's references are non-linear fits without
// correction of B1, in ms.
func TestT1AgainstOSIPI(t *testing.T) {
	for _, c := range []struct {
		file   string
		trUnit float64 // s
		r1PerS func(r map[string]string) float64
	}{
		{"t1_quiba_data", 1, func(r map[string]string) float64 { return 1000 * numbers(t, r["R1"])[0] }},
		{"t1_brain_data", 1, func(r map[string]string) float64 { return numbers(t, r["R1"])[0] }},
		{"t1_prostate_data", 1e-3, func(r map[string]string) float64 { return 1000 / numbers(t, r["T1 nonlinear"])[0] }},
	} {
		rows := osipi(t, "T1_mapping/data/"+c.file+".csv")
		for _, r := range rows {
			flip := numbers(t, r["FA"])
			for n := range flip {
				flip[n] *= math.Pi / 180
			}
			want := c.r1PerS(r)
			t1S, _, ok := pk.T1S(flip, c.trUnit*numbers(t, r["TR"])[0], numbers(t, r["s"]))
			if !ok || math.Abs(1/t1S-want) > 0.05+0.05*want {
				t.Errorf("%s: R1 %g per s (%v), want %g", r["label"], 1/t1S, ok, want)
			}
		}
		if len(rows) < 40 {
			t.Errorf("%s: only %d rows", c.file, len(rows))
		}
	}
}
