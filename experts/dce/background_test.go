package dce_test

import (
	"testing"

	"mome/experts"
	"mome/experts/dce"
	"mome/experts/volume"
)

// TestBreasts: two breasts of 1000 voxels. The left has 300 of gland, of which 100 enhance by 60 %, 200 by 10 %, and a
// lesion in it; the right has 500, all by 40 %.
func TestBreasts(t *testing.T) {
	g := cube(20)
	left, right := experts.Breast{Side: experts.Left}, experts.Breast{Side: experts.Right}
	for _, b := range []*experts.Breast{&left, &right} {
		b.Mask, b.Fibroglandular = volume.NewMask(g), volume.NewMask(g)
	}
	lesion := &experts.Lesion{Label: "Lesion 1", Mask: volume.NewMask(g)}
	s := study(times, make([]float64, 6), lesion.Mask, 0, 1)
	fill := func(m *volume.Mask, from, to [3]int, pe float32) {
		for k := from[2]; k < to[2]; k++ {
			for j := from[1]; j < to[1]; j++ {
				for i := from[0]; i < to[0]; i++ {
					m.Data[g.Index(i, j, k)] = true
					s.DCE[3].Volume.Data[g.Index(i, j, k)] = 100 + pe
				}
			}
		}
	}
	fill(left.Mask, [3]int{10, 0, 0}, [3]int{20, 10, 10}, 0)
	fill(left.Fibroglandular, [3]int{10, 0, 0}, [3]int{20, 10, 1}, 60)
	fill(left.Fibroglandular, [3]int{10, 0, 4}, [3]int{20, 10, 6}, 10)
	fill(right.Mask, [3]int{0, 0, 0}, [3]int{10, 10, 10}, 0)
	fill(right.Fibroglandular, [3]int{0, 0, 0}, [3]int{10, 10, 5}, 40)
	breasts := []experts.Breast{left, right}
	read := func(cfg dce.Config, lesions ...*experts.Lesion) *experts.Opinion {
		op, err := expert(t, cfg).Read(t.Context(), s, breasts, lesions)
		if err != nil {
			t.Fatal(err)
		}
		return op
	}
	op := read(dce.Config{})
	near(t, "left FGT, %", breasts[0].FGT, 30, 1e-9)
	near(t, "right FGT, %", breasts[1].FGT, 50, 1e-9)
	near(t, "left BPE, %", breasts[0].BPE, (60.+2*10)/3, 1e-4)
	near(t, "left BPE share, %", breasts[0].BPEShare, 100/3., 1e-9)
	near(t, "right BPE, %", breasts[1].BPE, 40, 1e-4)
	near(t, "asymmetry of FGT, %", op.Asymmetry.FGT, -50, 1e-9)
	near(t, "asymmetry of BPE, %", op.Asymmetry.BPE, 200*(80/3.-40)/(80/3.+40), 1e-3)
	for n, want := range []struct {
		experts.Composition
		experts.Background
	}{{experts.CompositionB, experts.Mild}, {experts.CompositionC, experts.Marked}} {
		if b := breasts[n]; b.Composition != want.Composition || b.Background != want.Background {
			t.Errorf("%s: composition %q and background %q, want %+v", b.Side, b.Composition, b.Background, want)
		}
	}

	// Cuts are settings.
	read(dce.Config{FGTCuts: [3]float64{5, 10, 29}, BPECuts: [3]float64{40, 50, 60}})
	if b := breasts[0]; b.Composition != experts.CompositionD || b.Background != experts.Minimal {
		t.Errorf("with other cuts: composition %q and background %q, want d and minimal", b.Composition, b.Background)
	}

	// A lesion that is 400 % bright does not make background; 2 mm around it are left out, too.
	fill(lesion.Mask, [3]int{13, 3, 4}, [3]int{16, 6, 6}, 400)
	read(dce.Config{}, lesion)
	near(t, "left BPE beside a lesion, %", breasts[0].BPE, (100*60+10*(200-2*49))/(300-2*49.), 1e-3)

	// Nothing is told where the gland is not known, and no asymmetry either.
	breasts[0].Fibroglandular = nil
	op = read(dce.Config{})
	if b := breasts[0]; b.FGT.Known || b.BPE.Known || b.Composition != "" || b.Background != "" || op.Asymmetry.FGT.Known {
		t.Errorf("without a gland mask: %+v, %+v", b, op.Asymmetry)
	}
}
