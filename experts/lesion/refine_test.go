package lesion

import (
	"math"
	"math/rand/v2"
	"testing"

	"mome/experts"
	"mome/experts/volume"
)

// refining is a finder over a study of 1.5 mm voxels in which a ball of radiusMM enhances by one curve and all else by another,
// with noise of a deviation. bright is a factor on the ball's curve by x, so that it can be uneven.
func refining(radiusMM, noise float64, ball, rest []float64, bright func(x float64) float64) (f *finder, truth []bool) {
	const n, mm = 28, 1.5
	g := volume.Grid{Size: [3]int{n, n, n}, Axis: [3]volume.Vec{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}, SpacingMM: [3]float64{mm, mm, mm}}
	f = &finder{crop: newCrop(&g, box{hi: [3]int{n - 1, n - 1, n - 1}}), s: &experts.Study{}}
	f.valid, f.taken, truth = make([]bool, g.Len()), make([]bool, g.Len()), make([]bool, g.Len())
	random := rand.New(rand.NewPCG(5, 6))
	for t := range len(ball) + 1 {
		v := volume.New(g)
		for at := range v.Data {
			f.valid[at] = true
			i, j, k := g.Voxel(at)
			d := volume.Vec{float64(i) - 13.5, float64(j) - 13.5, float64(k) - 13.5}.Scale(mm)
			share := min(max(0.5-(d.Norm()-radiusMM)/mm, 0), 1) // of a voxel at the surface
			truth[at] = share >= 0.5
			rise := 0.0
			if t > 0 {
				rise = rest[t-1] + share*(ball[t-1]*bright(d[0])-rest[t-1])
			}
			v.Data[at] = float32(100 + rise + noise*random.NormFloat64())
		}
		f.s.DCE = append(f.s.DCE, experts.Phase{TimeS: 60 * float64(t), Volume: v})
	}
	return f, truth
}

func overlap(set []int, truth []bool) float64 {
	both, all := 0.0, float64(len(set))
	for _, at := range set {
		if truth[at] {
			both++
		}
	}
	for _, in := range truth {
		if in {
			all++
		}
	}
	return 2 * both / all
}

func TestRefined(t *testing.T) {
	even := func(float64) float64 { return 1 }
	washes, rises := []float64{150, 140, 120, 110, 100}, []float64{20, 30, 40, 45, 50}
	for _, c := range []struct {
		name            string
		radiusMM, noise float64
		ball, rest      []float64
		bright          func(float64) float64
		start           float64 // radius of the first outline over the ball's
		least           float64 // Dice
	}{
		{"exact without noise", 7, 0, washes, rises, even, 1, 1},
		{"from too small", 7, 0, washes, rises, even, 0.75, 1},
		{"from too large", 7, 0, washes, rises, even, 1.4, 1},
		{"small", 3, 0, washes, rises, even, 1.5, 0.95},
		// One side enhances by half of what the other does: a level common to both would lose it.
		{"uneven", 9, 0, washes, []float64{5, 5, 5, 5, 5}, func(x float64) float64 { return 0.7 + 0.3*math.Tanh(x/3) }, 0.8, 0.97},
		// Noise of a fifth of the early contrast: a wrong voxel among fifty at the surface.
		{"noisy", 7, 25, washes, rises, even, 1.2, 0.93},
		{"two phases", 7, 10, washes[:1], rises[:1], even, 1.2, 0.95},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, truth := refining(c.radiusMM, c.noise, c.ball, c.rest, c.bright)
			var start []int
			for at := range truth {
				i, j, k := f.voxel(at)
				if (volume.Vec{float64(i) - 13.5, float64(j) - 13.5, float64(k) - 13.5}).Norm()*1.5 <= c.radiusMM*c.start {
					start = append(start, at)
				}
			}
			if d := overlap(f.refined(start), truth); d < c.least {
				t.Errorf("Dice %.3f from a first outline of %.3f, want %.2f", d, overlap(start, truth), c.least)
			}
		})
	}
	t.Run("leaves others alone", func(t *testing.T) {
		f, truth := refining(7, 0, washes, rises, even)
		var start []int
		for at, in := range truth {
			if i, _, _ := f.voxel(at); in && i < 14 {
				start = append(start, at)
			}
			if i, _, _ := f.voxel(at); i >= 14 {
				f.taken[at] = true
			}
		}
		for _, at := range f.refined(start) {
			if f.taken[at] {
				t.Fatalf("voxel %d belongs to two candidates", at)
			}
		}
	})
}

// TestDiscriminate: with noise equal in all phases, the weights must tell ball and surroundings apart better than every
// single subtraction does, in distances of the means over the deviation within.
func TestDiscriminate(t *testing.T) {
	f, truth := refining(9, 20, []float64{100, 80, 60, 50, 40}, []float64{20, 30, 40, 50, 60}, func(float64) float64 { return 1 })
	var set []int
	for at, in := range truth {
		if in {
			set = append(set, at)
		}
	}
	p := f.newPatch(set, refineReachMM)
	p.discriminate()
	apart := func(value func(at int) float64) float64 {
		var n, sum, squares [2]float64
		for at, may := range p.may {
			if may {
				c, v := 0, value(at)
				if p.in[at] {
					c = 1
				}
				n[c], sum[c], squares[c] = n[c]+1, sum[c]+v, squares[c]+v*v
			}
		}
		variance := 0.0
		for c := range n {
			sum[c] /= n[c]
			variance += squares[c]/n[c] - sum[c]*sum[c]
		}
		return (sum[1] - sum[0]) / math.Sqrt(variance/2)
	}
	got := apart(func(at int) float64 { return float64(p.signal[at]) })
	for n := 1; n < len(f.s.DCE); n++ {
		one := apart(func(at int) float64 {
			index := f.index(p.to(at))
			return float64(f.s.DCE[n].Volume.Data[index] - f.s.DCE[0].Volume.Data[index])
		})
		if math.Abs(one) >= got {
			t.Errorf("phase %d alone tells them apart by %.2f deviations, all phases by %.2f", n, one, got)
		}
	}
}
