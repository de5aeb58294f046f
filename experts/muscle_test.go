package experts_test

import (
	"slices"
	"testing"

	"mome/experts"
	"mome/experts/volume"
	"mome/fixtures/phantom"
	"mome/fixtures/phantom/anatomy"
)

// TestMuscleOfPhantoms: the reference found behind the breasts is the phantom's muscle, whose T2 signal has quartiles of 15 %
// around its median, and the ratio of a lesion is that of its own tissue to it.
func TestMuscleOfPhantoms(t *testing.T) {
	for _, c := range []phantom.Config{{Seed: 20}, {Seed: 25, Vendor: phantom.GE}, {Seed: 22, Vendor: phantom.Philips}} {
		c.Without = []string{"DWI"}
		c.Lesions = []phantom.Lesion{{Kind: phantom.Benign, Side: phantom.Left, DiametersMM: [3]float64{30, 28, 26}, T2S: 0.12}}
		e := examine(t, c)
		l := &experts.Lesion{Label: "Lesion 1", Side: experts.Left, Mask: planted(e, 0)}
		op := read(t, experts.T2, e, []*experts.Lesion{l})
		muscle := frontMuscle(e)
		found := 0
		for _, s := range op.Settings {
			if s.Name == "left muscle, median T2 signal" || s.Name == "right muscle, median T2 signal" {
				found++
				near(t, string(c.Vendor)+" "+s.Name, experts.Known(s.Value), muscle, 0.1*muscle)
			}
		}
		if found == 0 {
			t.Errorf("%s: no muscle in %+v", c.Vendor, op.Settings)
		}
		var inside []float64
		for at, in := range l.Mask.Data {
			if in {
				inside = append(inside, t2At(e, at))
			}
		}
		slices.Sort(inside)
		want := inside[len(inside)/2] / muscle
		near(t, string(c.Vendor)+" ratio to muscle", l.T2MuscleRatio, want, 0.15*want)
		if l.T2Ratio.Known != (l.T2Reference != "") {
			t.Errorf("T2 ratio %+v refers to %q", l.T2Ratio, l.T2Reference)
		}
	}
}

// place returns where a voxel of the study's dynamic grid lies.
func (e exam) place(at int) volume.Vec {
	g := &e.volumes.DCE[0].Volume.Grid
	i, j, k := g.Voxel(at)
	return g.Point(float64(i), float64(j), float64(k))
}

// t2At returns the T2 signal at a voxel of the study's dynamic grid.
func t2At(e exam, at int) float64 {
	x, y, z := e.volumes.T2.At(e.place(at))
	return float64(e.volumes.T2.Sample(x, y, z))
}

// frontMuscle returns the median T2 signal of the phantom's muscle in the front of the thorax.
func frontMuscle(e exam) float64 {
	var signal []float64
	for at, tissue := range e.tissue {
		if tissue == anatomy.Muscle && e.place(at)[1] < 60 {
			signal = append(signal, t2At(e, at))
		}
	}
	slices.Sort(signal)
	return signal[len(signal)/2]
}

// planted returns the mask of a planted lesion.
func planted(e exam, n int) *volume.Mask {
	m := volume.NewMask(e.volumes.DCE[0].Volume.Grid)
	for at, tissue := range e.tissue {
		m.Data[at] = tissue == anatomy.FirstLesion+anatomy.Tissue(n)
	}
	return m
}
