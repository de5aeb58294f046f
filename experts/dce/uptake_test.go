package dce_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"mome/experts"
	"mome/experts/dce"
	"mome/experts/volume"
	"mome/fixtures/phantom/physics"
)

// spoiled is the sequence of the tests, without T2*.
var spoiled = physics.SpoiledGradientEcho{TRS: 0.0046, FlipRad: 10 * math.Pi / 180}

// perfused has phases of durationS, the first post-contrast one beginning at arrival. The lesion's signal is that of the
// phantom's physics at the middle of each phase.
func perfused(k physics.Kinetics, t1S, durationS float64, phases int, in *volume.Mask) *experts.Study {
	s := &experts.Study{TimesKnown: true, Echo: &experts.SpoiledGradientEcho{TRS: spoiled.TRS, FlipRad: spoiled.FlipRad}}
	middle := []float64{-1}
	for n := range phases {
		s.DCE = append(s.DCE, experts.Phase{TimeS: float64(n) * durationS, Volume: volume.New(in.Grid)})
		if n > 0 {
			middle = append(middle, (float64(n)-0.5)*durationS)
		}
	}
	mM := physics.ParkerPlasma(middle[phases-1]+1).Tissue(k, middle)
	for n, c := range mM {
		for at := range s.DCE[n].Volume.Data {
			s.DCE[n].Volume.Data[at] = 100
			if in.Data[at] {
				s.DCE[n].Volume.Data[at] = float32(100 * spoiled.Signal(t1S, c, 1) / spoiled.Signal(t1S, 0, 1))
			}
		}
	}
	return s
}

func TestUptake(t *testing.T) {
	mask := ball(20, 6)
	for _, c := range []struct {
		name      string
		k         physics.Kinetics
		t1S       float64
		measured  bool
		durationS float64
		phases    int
		model     string
		tol       float64
	}{
		// Signals in float32 and the steps of two arterial curves leave half a per cent.
		{"phases of 75 s", physics.Kinetics{KtransPerMin: 0.12, Ve: 0.35}, 1.45, false, 75, 6, "Tofts", 0.005},
		{"phases of 6 s", physics.Kinetics{KtransPerMin: 0.12, Ve: 0.35, Vp: 0.06}, 1.45, false, 6, 51, "extended Tofts", 0.005},
		{"measured T1", physics.Kinetics{KtransPerMin: 0.3, Ve: 0.25}, 1.1, true, 60, 8, "Tofts", 0.005},
		// A T1 of 1.1 s that is taken for 1.45 makes Ktrans too small by about a quarter: relative numbers.
		{"wrong T1", physics.Kinetics{KtransPerMin: 0.3, Ve: 0.25}, 1.1, false, 60, 8, "Tofts", 0.4},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := perfused(c.k, c.t1S, c.durationS, c.phases, mask)
			if c.measured {
				s.T1 = volume.New(mask.Grid)
				for at := range s.T1.Data {
					s.T1.Data[at] = float32(c.t1S)
				}
			}
			l := &experts.Lesion{Label: "Lesion 1", Mask: mask}
			whole := experts.Breast{Side: experts.Left, Mask: volume.NewMask(mask.Grid)} // so that maps hold the whole grid
			for at := range whole.Mask.Data {
				whole.Mask.Data[at] = true
			}
			op, err := expert(t, dce.Config{}).Read(t.Context(), s, []experts.Breast{whole}, []*experts.Lesion{l})
			if err != nil {
				t.Fatal(err)
			}
			u := l.Uptake
			if u.Model != c.model || u.T1Measured != c.measured {
				t.Fatalf("%+v, want the model %s", u, c.model)
			}
			near(t, "Ktrans", u.Ktrans, c.k.KtransPerMin, c.tol*c.k.KtransPerMin)
			near(t, "ve", u.Ve, c.k.Ve, c.tol*c.k.Ve)
			near(t, "kep", u.Kep, c.k.KtransPerMin/c.k.Ve, c.tol*c.k.KtransPerMin/c.k.Ve)
			if u.Vp.Known != (c.model == "extended Tofts") || u.Vp.Known && math.Abs(u.Vp.Value-c.k.Vp) > 0.001 {
				t.Errorf("vp %+v, want %g", u.Vp, c.k.Vp)
			}
			inside := slices.Index(mask.Data, true)
			for name, want := range map[string]experts.Quantity{"Ktrans": u.Ktrans, "ve": u.Ve, "kep": u.Kep, "vp": u.Vp} {
				m := op.Maps[name]
				if (m != nil) != want.Known {
					t.Fatalf("map of %s: %v", name, m != nil)
				}
				if m != nil && (math.Abs(float64(m.Data[inside])-want.Value) > 1e-3*want.Value || m.Data[0] != 0) {
					t.Errorf("map of %s: %g inside, %g far away, want %g and 0", name, m.Data[inside], m.Data[0], want.Value)
				}
			}
			if text := strings.Join(op.Notes, " "); !strings.Contains(text, "relative") || strings.Contains(text, "assumed") == c.measured {
				t.Errorf("notes %q do not say what the numbers are worth", op.Notes)
			}
		})
	}
}

// TestArea: the initial area under the concentration curve of phases of 6 s, and none of phases of 75 s.
func TestArea(t *testing.T) {
	mask := ball(12, 4)
	k := physics.Kinetics{KtransPerMin: 0.12, Ve: 0.35, Vp: 0.02, ArrivalS: 4}
	l := &experts.Lesion{Label: "Lesion 1", Mask: mask}
	read := func(s *experts.Study) experts.Uptake {
		if _, err := expert(t, dce.Config{}).Read(t.Context(), s, nil, []*experts.Lesion{l}); err != nil {
			t.Fatal(err)
		}
		return l.Uptake
	}
	var fine []float64
	for s := 0.0; s <= 90; s += 0.5 {
		fine = append(fine, s)
	}
	area := func(endS float64) (sum float64) {
		for n, c := range physics.ParkerPlasma(91).Tissue(k, fine) {
			if fine[n] < endS {
				sum += 0.5 * c
			}
		}
		return sum
	}
	u := read(perfused(k, 1.45, 6, 51, mask))
	near(t, "IAUC60, mM s", u.IAUC60, area(60), 0.03*area(60)) // 10 samples of a curve that bends
	near(t, "IAUC90, mM s", u.IAUC90, area(90), 0.03*area(90))
	if u = read(perfused(k, 1.45, 75, 6, mask)); u.IAUC60.Known || u.IAUC90.Known {
		t.Errorf("areas of phases of 75 s: %+v, %+v", u.IAUC60, u.IAUC90)
	}
}

// TestUptakeRefused: an exam that does not allow a fit gets none, and its reason among the settings.
func TestUptakeRefused(t *testing.T) {
	mask := ball(12, 4)
	k := physics.Kinetics{KtransPerMin: 0.1, Ve: 0.3}
	for _, c := range []struct {
		name   string
		study  *experts.Study
		change func(*experts.Study)
		reason string
	}{
		{"times assumed", perfused(k, 1.45, 75, 6, mask), func(s *experts.Study) { s.TimesKnown = false }, "times"},
		{"no flip angle", perfused(k, 1.45, 75, 6, mask), func(s *experts.Study) { s.Echo = nil }, "flip angle"},
		{"four phases", perfused(k, 1.45, 75, 5, mask), nil, "4 post-contrast phases"},
		{"slow phases", perfused(k, 1.45, 120, 6, mask), nil, "phases of 120 s"},
		{"short", perfused(k, 1.45, 30, 7, mask), nil, "last phase is 165 s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.change != nil {
				c.change(c.study)
			}
			l := &experts.Lesion{Label: "Lesion 1", Mask: mask}
			op, err := expert(t, dce.Config{}).Read(t.Context(), c.study, nil, []*experts.Lesion{l})
			if err != nil {
				t.Fatal(err)
			}
			if l.Uptake != (experts.Uptake{}) || op.Maps["Ktrans"] != nil {
				t.Errorf("uptake %+v", l.Uptake)
			}
			at := slices.IndexFunc(op.Settings, func(s experts.Setting) bool { return s.Name == "pharmacokinetics" })
			if at < 0 || !strings.Contains(op.Settings[at].Text, c.reason) {
				t.Errorf("settings %+v do not say %q", op.Settings, c.reason)
			}
		})
	}
}
