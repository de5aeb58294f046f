package experts_test

import (
	"math"
	"testing"

	"mome/experts"
	"mome/fixtures/phantom"
)

// TestUptakeOfPhantoms: clinical phases of 66 to 84 s, noise, a plasma volume of 3 % that the plain model does not know, and
// an arrival that is not the first phase's beginning by 10 s and more: Ktrans is in order, and right to within 1.7 times.
func TestUptakeOfPhantoms(t *testing.T) {
	ktrans := []float64{0.04, 0.08, 0.16, 0.32}
	for n, c := range []phantom.Config{{Seed: 20}, {Seed: 22, Vendor: phantom.Philips}} {
		for _, k := range ktrans {
			c.Lesions = append(c.Lesions, phantom.Lesion{Kind: phantom.Malignant, DiametersMM: [3]float64{22, 22, 22}, KtransPerMin: k,
				Ve: 0.3, Vp: 0.03, T1S: 1.45, ArrivalS: 5, Spiculation: 1e-9, Irregularity: 1e-9, Rim: 1e-9})
		}
		c.Without = []string{"T2", "DWI"}
		e := examine(t, c)
		trS := [2]float64{0.00459, 0.0043}[n]
		if echo := e.volumes.Echo; echo == nil || math.Abs(echo.TRS-trS) > 1e-9 || math.Abs(echo.FlipRad-math.Pi/18) > 1e-9 {
			t.Fatalf("seed %d: sequence %+v, want a repetition time of %g s and 10 degrees", c.Seed, echo, trS)
		}
		var lesions []*experts.Lesion
		for n := range ktrans {
			lesions = append(lesions, &experts.Lesion{Label: "Lesion", Mask: planted(e, n)})
		}
		read(t, experts.DCE, e, lesions)
		last := 0.0
		for n, l := range lesions {
			got := l.Uptake.Ktrans
			if !got.Known || got.Value <= last || math.Abs(math.Log(got.Value/ktrans[n])) > math.Log(1.7) {
				t.Errorf("seed %d: Ktrans %.4f per min after %.4f, planted %.2f", c.Seed, got.Value, last, ktrans[n])
			}
			last = got.Value
		}
	}
}
