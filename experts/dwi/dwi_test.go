package dwi_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"mome/experts"
	"mome/experts/dwi"
	"mome/experts/volume"
)

func grid(n int, mm [3]float64) volume.Grid {
	g := volume.Grid{
		Size:      [3]int{n, n, n},
		Axis:      [3]volume.Vec{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
		SpacingMM: mm,
	}
	for a := range 3 {
		g.Origin[a] = -mm[a] * float64(n-1) / 2
	}
	return g
}

// coarse is the diffusion grid, fine the dynamic one; both 60 mm wide around the origin.
var (
	coarse = [3]float64{2.4, 2.4, 4}
	fine   = [3]float64{1, 1, 1}
)

func drawn(g volume.Grid, in func(p volume.Vec) bool) *volume.Mask {
	m := volume.NewMask(g)
	for at := range m.Data {
		i, j, k := g.Voxel(at)
		m.Data[at] = in(g.Point(float64(i), float64(j), float64(k)))
	}
	return m
}

func within(r float64) func(volume.Vec) bool { return func(p volume.Vec) bool { return p.Norm() <= r } }

// signals draws the diffusion-weighted images of tissue with the ADC that at returns (1e-6 mm2/s; negative is air) for
// S0 = 300 and a pseudo-perfusion of a tenth that is gone at b 100 and above.
func signals(g volume.Grid, bs []float64, sigma float64, adc func(volume.Vec) float64) []experts.BVolume {
	var out []experts.BVolume
	for n, b := range bs {
		rng := rand.New(rand.NewPCG(5, uint64(n)))
		v := volume.New(g)
		for at := range v.Data {
			i, j, k := g.Voxel(at)
			s := 0.0
			if d := adc(g.Point(float64(i), float64(j), float64(k))); d >= 0 {
				s = 300 * math.Exp(-b*d*1e-6)
				if b < 100 {
					s *= 1.1
				}
			}
			v.Data[at] = float32(math.Hypot(s+sigma*rng.NormFloat64(), sigma*rng.NormFloat64()))
		}
		out = append(out, experts.BVolume{BSPerMM2: b, Volume: v})
	}
	return out
}

func expert(t *testing.T, cfg dwi.Config) *dwi.Expert {
	t.Helper()
	e, err := dwi.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// tissue is a lesion of ADC 1000 and radius 14 mm in gland of 1900, air beyond 27 mm.
func tissue(p volume.Vec) float64 {
	switch r := p.Norm(); {
	case r <= 14:
		return 1000
	case r <= 27:
		return 1900
	}
	return -1
}

func TestADC(t *testing.T) {
	g := grid(30, coarse)
	for _, c := range []struct {
		name  string
		bs    []float64
		sigma float64
		want  float64 // 1e-6 mm2/s
		tol   float64 // share
		note  string
	}{
		{"two b-values, no noise", []float64{100, 800}, 0, 1000, 1e-4, "air"},
		{"b 0 is left out", []float64{0, 400, 800}, 0, 1000, 1e-4, "air"},
		{"b 50 is left out", []float64{50, 400, 800}, 3, 1000, 0.02, ""},
		// 300 exp(-0.4) and exp(-0.8) at sigma 8: SNR 25 and 17, 18 % for a voxel, 1.1 % for the mean over 240 of them.
		{"noise", []float64{50, 400, 800}, 8, 1000, 0.035, ""},
		// At b 1500 the signal is 67, SNR 4: 18 % for a voxel. Noise taken for signal would lower the ADC.
		{"noise floor", []float64{100, 1500}, 16, 1000, 0.035, ""},
		// With b 0 the perfusion of a tenth adds ln(1.1)/800 = 119.
		{"only b 0 and one more", []float64{0, 800}, 3, 1119, 0.02, "includes b 0"},
		{"the same b twice", []float64{0, 800, 800}, 3, 1119, 0.02, "includes b 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &experts.Study{DWI: signals(g, c.bs, c.sigma, tissue)}
			// The lesion on the dynamic grid, a little smaller: partial volume is another test's matter.
			l := &experts.Lesion{Label: "Lesion 1", Mask: drawn(grid(60, fine), within(11))}
			op, err := expert(t, dwi.Config{}).Read(t.Context(), s, nil, []*experts.Lesion{l})
			if err != nil {
				t.Fatal(err)
			}
			if !l.ADC.Known || math.Abs(l.ADC.Value-c.want) > c.tol*c.want {
				t.Errorf("ADC %+v, want %.0f within %.1f%%", l.ADC, c.want, 100*c.tol)
			}
			if text := strings.Join(op.Notes, " "); !strings.Contains(text, c.note) || c.note == "" && text != "" {
				t.Errorf("notes %q, want %q", op.Notes, c.note)
			}
			if len(op.Channels) != 2 || op.Channels[0] != s.DWI[len(s.DWI)-1].Volume || !against(op.Channels[1], op.Maps["ADC"]) {
				t.Errorf("%d channels, want the volume of the highest b-value and the ADC relative to 1300", len(op.Channels))
			}
			for at, v := range op.Maps["ADC"].Data {
				if !(v >= 0 && v <= 4000) {
					t.Fatalf("ADC %g at voxel %d is out of bounds", v, at)
				}
			}
		})
	}
}

// TestPlace: the lesion is found on a grid that is turned, shifted and coarser.
func TestPlace(t *testing.T) {
	sin, cos := math.Sincos(0.2)
	turned := grid(30, coarse)
	turned.Axis = [3]volume.Vec{{cos, sin, 0}, {-sin, cos, 0}, {0, 0, -1}}
	turned.Origin = volume.Vec{}
	turned.Origin = turned.Point(-14, -15, -14)
	for _, c := range []struct {
		name   string
		centre volume.Vec
		radius float64
		want   float64
		tol    float64
		known  bool
		note   string
	}{
		{"in the middle", volume.Vec{}, 7, 1000, 0.001, true, ""},
		{"gland", volume.Vec{20, 0, 0}, 3, 1900, 0.001, true, ""},
		// 1 mm of a lesion inside one voxel of 4 mm: the voxels that it touches are the lesion's.
		{"smaller than a voxel", volume.Vec{1, 1, 1}, 0.9, 1000, 0.001, true, "smaller than a diffusion voxel"},
		{"outside", volume.Vec{200, 0, 0}, 5, 0, 0, false, "outside"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := grid(60, fine)
			g.Origin = g.Origin.Add(c.centre)
			l := &experts.Lesion{Label: "Lesion 1", ADC: experts.Known(7), Mask: drawn(g, func(p volume.Vec) bool {
				return p.Sub(c.centre).Norm() <= c.radius
			})}
			op, err := expert(t, dwi.Config{}).Read(t.Context(), &experts.Study{DWI: signals(turned, []float64{100, 800}, 0, tissue)}, nil, []*experts.Lesion{l})
			if err != nil {
				t.Fatal(err)
			}
			if l.ADC.Known != c.known || math.Abs(l.ADC.Value-c.want) > c.tol*c.want+1e-9 {
				t.Errorf("ADC %+v, want %g within %g, known %v", l.ADC, c.want, c.tol*c.want, c.known)
			}
			if !strings.Contains(strings.Join(op.Notes, " "), c.note) {
				t.Errorf("notes %q do not say %q", op.Notes, c.note)
			}
		})
	}
}

// TestVendorMap: the map's unit is told by tissue, a map in an unknown unit measures nothing.
func TestVendorMap(t *testing.T) {
	g := grid(30, coarse)
	mask := drawn(grid(60, fine), within(7))
	breast := experts.Breast{Side: experts.Left, Mask: drawn(grid(60, fine), within(25)),
		Fibroglandular: drawn(grid(60, fine), func(p volume.Vec) bool { return p.Norm() > 15 && p.Norm() < 25 })}
	for _, c := range []struct {
		name  string
		unit  float64 // the map's values are 1e-6 mm2/s times this
		want  float64
		note  string
		other int // diffusion-weighted volumes left
	}{
		{"1e-6 mm2/s", 1, 1000, "fewer than two", 0},
		{"1e-3 mm2/s", 1e-3, 1000, "1e-3 mm2/s", 0},
		{"mm2/s", 1e-6, 1000, "taken to be in mm2/s", 0},
		{"1e-5 mm2/s", 0.1, 1000, "1e-5 mm2/s", 0},
		{"nonsense", 40, 0, "is not known", 0},
		{"one b-value left", 1, 1000, "fewer than two", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &experts.Study{ADC: volume.New(g), DWI: signals(g, []float64{800}, 0, tissue)[:c.other]}
			for at := range s.ADC.Data {
				i, j, k := g.Voxel(at)
				s.ADC.Data[at] = float32(max(tissue(g.Point(float64(i), float64(j), float64(k))), 0) * c.unit)
			}
			before := s.ADC.Data[g.Index(15, 15, 15)]
			l := &experts.Lesion{Label: "Lesion 1", Mask: mask}
			op, err := expert(t, dwi.Config{}).Read(t.Context(), s, []experts.Breast{breast}, []*experts.Lesion{l})
			if err != nil {
				t.Fatal(err)
			}
			if l.ADC.Known != (c.want > 0) || math.Abs(l.ADC.Value-c.want) > 0.01*c.want {
				t.Errorf("ADC %+v, want %g", l.ADC, c.want)
			}
			if !strings.Contains(strings.Join(op.Notes, " "), c.note) {
				t.Errorf("notes %q do not say %q", op.Notes, c.note)
			}
			if s.ADC.Data[g.Index(15, 15, 15)] != before {
				t.Error("the study's map was changed")
			}
			want := s.ADC
			if c.other > 0 {
				want = s.DWI[0].Volume
			}
			if len(op.Channels) != 2 || op.Channels[0] != want || !against(op.Channels[1], op.Maps["ADC"]) {
				t.Error("the channel is neither the map nor the images left")
			}
		})
	}
}

// TestCheck: which way of fitting the vendor's map follows is found out; noise-free signals leave no other difference.
func TestCheck(t *testing.T) {
	g := grid(30, coarse)
	bs := []float64{50, 400, 800}
	varied := func(p volume.Vec) float64 { return 1200 + 20*p[0]*p[1]/30 + 2*p[2] } // over 200 to 2200
	for _, c := range []struct {
		name   string
		vendor func(fit map[string]float64) float64
		text   string
		ratio  float64
		agrees bool
	}{
		{"our way", func(fit map[string]float64) float64 { return fit["400, 800"] }, "agrees with a log-linear fit of b 400, 800", 1, true},
		{"all b-values", func(fit map[string]float64) float64 { return fit["50, 400, 800"] }, "agrees with a log-linear fit of b 50, 400, 800", 1, true},
		{"lowest and highest", func(fit map[string]float64) float64 { return fit["50, 800"] }, "agrees with a log-linear fit of b 50, 800", 1, true},
		{"another unit of b", func(fit map[string]float64) float64 { return fit["400, 800"] / 1.1 }, "does not agree", 1.1, false},
		{"nothing of the kind", func(map[string]float64) float64 { return 1400 }, "does not agree", 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &experts.Study{DWI: signals(g, bs, 0, varied), ADC: volume.New(g), Series: []experts.SeriesUse{
				{SeriesUID: "1.2.3", Role: experts.RoleADC}, {SeriesUID: "1.2.4", Role: experts.RoleADC, Used: true}}}
			for at := range s.ADC.Data {
				ln := func(n int) float64 { return math.Log(float64(s.DWI[n].Volume.Data[at])) }
				s.ADC.Data[at] = float32(c.vendor(map[string]float64{
					"400, 800": 1e6 * (ln(1) - ln(2)) / 400,
					"50, 800":  1e6 * (ln(0) - ln(2)) / 750,
					// least squares: sum of (b - 1250/3) ln S over sum of (b - 1250/3)^2
					"50, 400, 800": 1e6 * (1100*ln(0) + 50*ln(1) - 1150*ln(2)) / 3 / 281666.67,
				}))
			}
			op, err := expert(t, dwi.Config{}).Read(t.Context(), s, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(op.Checks) != 1 {
				t.Fatalf("%d checks, want 1", len(op.Checks))
			}
			got := op.Checks[0]
			if got.Agrees != c.agrees || !strings.Contains(got.Text, c.text) || got.Voxels != g.Len() || got.SeriesUID != "1.2.4" {
				t.Errorf("check %+v, want %q", got, c.text)
			}
			if c.agrees && (!(got.R.Value > 0.999999) || !(got.MaxDifference.Value < 0.1)) {
				t.Errorf("r %v and largest difference %v of the same fit", got.R, got.MaxDifference)
			}
			if c.ratio > 0 && math.Abs(got.MedianRatio.Value-c.ratio) > 1e-4 {
				t.Errorf("median ratio %v, want %g", got.MedianRatio, c.ratio)
			}
			if said := strings.Contains(strings.Join(op.Notes, " "), "does not agree"); said == c.agrees {
				t.Errorf("notes %q, want the disagreement in them: %v", op.Notes, !c.agrees)
			}

			// Images that were moved are not compared, as acquired they are.
			s.Motion = []experts.Motion{{Name: "T2", Corrected: true}, {Name: "DWI", Corrected: true}}
			if op, err = expert(t, dwi.Config{}).Read(t.Context(), s, nil, nil); err != nil || len(op.Checks) != 0 {
				t.Errorf("moved: %d checks, %v", len(op.Checks), err)
			}
			if again, err := expert(t, dwi.Config{}).Check(t.Context(), s); err != nil || again == nil || *again != got {
				t.Errorf("as acquired: check %+v, %v", again, err)
			}
		})
	}
}

// TestLesionADC: of 200 voxels 10 have 500, 15 have 700 and 175 have 1600e-6 mm2/s; a tenth of them is 20.
func TestLesionADC(t *testing.T) {
	g := grid(10, coarse)
	at := func(p volume.Vec) float64 {
		i, j, k := g.At(p)
		switch n := g.Index(int(i+0.5), int(j+0.5), int(k+0.5)); {
		case n < 10:
			return 500
		case n < 25:
			return 700
		}
		return 1600
	}
	l := &experts.Lesion{Label: "Lesion 1", Mask: volume.NewMask(g)}
	for n := range 200 {
		l.Mask.Data[n] = true
	}
	op, err := expert(t, dwi.Config{}).Read(t.Context(), &experts.Study{DWI: signals(g, []float64{50, 400, 800}, 0, at)}, nil, []*experts.Lesion{l})
	if err != nil {
		t.Fatal(err)
	}
	for name, q := range map[string][2]float64{
		"mean": {l.ADC.Value, 1477.5}, "least": {l.ADCMin.Value, 500}, "10th percentile": {l.ADCP10.Value, 700},
	} {
		if math.Abs(q[0]-q[1]) > 0.01 {
			t.Errorf("%s ADC %g, want %g", name, q[0], q[1])
		}
	}
	if l.ADCVoxels != 200 || l.Diffusion != experts.LowDiffusion {
		t.Errorf("%d voxels, diffusion %q, want 200 and below the cut-off", l.ADCVoxels, l.Diffusion)
	}
	var used []float64
	for _, s := range op.Settings {
		if strings.HasPrefix(s.Name, "b-value") && s.Unit == "s/mm2" {
			used = append(used, s.Value)
		}
	}
	if !slices.Equal(used, []float64{400, 800}) {
		t.Errorf("b-values %g stated, want 400 and 800: %+v", used, op.Settings)
	}

	for n := range 25 { // without the low ones
		l.Mask.Data[n] = false
	}
	if _, err := expert(t, dwi.Config{}).Read(t.Context(), &experts.Study{DWI: signals(g, []float64{50, 400, 800}, 0, at)}, nil, []*experts.Lesion{l}); err != nil {
		t.Fatal(err)
	}
	if l.Diffusion != experts.NotLowDiffusion || math.Abs(l.ADCP10.Value-1600) > 0.01 {
		t.Errorf("diffusion %q of ADC %v", l.Diffusion, l.ADC)
	}
}

func TestRefuses(t *testing.T) {
	g := grid(8, coarse)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name  string
		ctx   context.Context
		study *experts.Study
		want  error
	}{
		{"nothing", t.Context(), &experts.Study{}, dwi.ErrNoDiffusion},
		{"one b-value", t.Context(), &experts.Study{DWI: signals(g, []float64{800}, 0, tissue)}, dwi.ErrNoDiffusion},
		{"no decay", t.Context(), &experts.Study{DWI: signals(g, []float64{800, 800}, 0, tissue)}, dwi.ErrNoDiffusion},
		{"cancelled", cancelled, &experts.Study{DWI: signals(g, []float64{100, 800}, 0, tissue)}, context.Canceled},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := expert(t, dwi.Config{}).Read(c.ctx, c.study, nil, nil); !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
		})
	}
	for field, cfg := range map[string]dwi.Config{
		"MinBSPerMM2": {MinBSPerMM2: -1},
		"NoiseFactor": {NoiseFactor: math.NaN()},
		"MaxADC":      {MaxADC: -5},
	} {
		if _, err := dwi.New(cfg); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("config %+v: error %v, want one that names %s", cfg, err, field)
		}
	}
}

// TestGrids: b-values whose voxels lie elsewhere than those of the highest are resampled onto them, and it is said.
func TestGrids(t *testing.T) {
	s := &experts.Study{DWI: signals(grid(30, coarse), []float64{100, 800}, 0, tissue)}
	s.DWI[0] = signals(grid(36, [3]float64{2, 2, 4}), []float64{100}, 0, tissue)[0]
	l := &experts.Lesion{Label: "Lesion 1", Mask: drawn(grid(60, fine), within(8))}
	op, err := expert(t, dwi.Config{}).Read(t.Context(), s, nil, []*experts.Lesion{l})
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(l.ADC.Value-1000) > 10 || !strings.Contains(strings.Join(op.Notes, " "), "b 100 s/mm2 were resampled") {
		t.Errorf("ADC %+v, want 1000 within 1 %%; notes %q", l.ADC, op.Notes)
	}
	if adc := op.Maps["ADC"]; !adc.Same(&s.DWI[1].Volume.Grid) {
		t.Errorf("the map has size %v, want that of b 800", adc.Size)
	}
}

// against reports whether relative is adc over 1300e-6 mm2/s in units of 1000, cut at 1, and 0 for fat.
func against(relative, adc *volume.Volume) bool {
	for at, v := range adc.Data {
		want := min((v-1300)/1000, 1)
		if v <= 300 {
			want = 0
		}
		if math.Abs(float64(relative.Data[at]-want)) > 1e-6 {
			return false
		}
	}
	return relative.Same(&adc.Grid)
}
