package dce_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"mome/experts"
	"mome/experts/dce"
	"mome/experts/volume"
)

func cube(n int) volume.Grid {
	return volume.Grid{
		Size:      [3]int{n, n, n},
		Axis:      [3]volume.Vec{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
		SpacingMM: [3]float64{1, 1, 1},
	}
}

// ball returns the mask of the voxels within r of the middle of an n-cube.
func ball(n int, r float64) *volume.Mask {
	m := volume.NewMask(cube(n))
	for at := range m.Data {
		i, j, k := m.Voxel(at)
		c := float64(n-1) / 2
		d := volume.Vec{float64(i) - c, float64(j) - c, float64(k) - c}
		m.Data[at] = d.Norm() <= r
	}
	return m
}

// study has signal 100 before contrast everywhere and 100 (1 + pe) of the lesion's curve inside, tissue's outside.
func study(times, pe []float64, in *volume.Mask, sigma float64, seed uint64) *experts.Study {
	s := &experts.Study{TimesKnown: true}
	rng := rand.New(rand.NewPCG(seed, 3))
	for n, t := range times {
		v := volume.New(in.Grid)
		for at := range v.Data {
			e := 0.0
			if n > 0 {
				e = 0.05
				if in.Data[at] {
					e = pe[n-1]
				}
			}
			v.Data[at] = float32(math.Hypot(100*(1+e)+sigma*rng.NormFloat64(), sigma*rng.NormFloat64()))
		}
		s.DCE = append(s.DCE, experts.Phase{TimeS: t, Volume: v})
	}
	return s
}

func expert(t *testing.T, cfg dce.Config) *dce.Expert {
	t.Helper()
	e, err := dce.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// six phases as a scanner makes them: early is the fourth (180 s after the second began), late the last.
var times = []float64{0, 90, 180, 270, 360, 450, 540}

func TestKinetics(t *testing.T) {
	mask := ball(24, 8)
	for _, c := range []struct {
		name         string
		pe           []float64
		early, peak  float64 // %
		ser, toPeakS float64
		tolPeakS     float64 // equal phases differ by noise
		worst        experts.Curve
	}{
		// Early is at 150 s after 90 s: 180 and 270 lie 90 and 180 s after it, nearest is 270.
		{"washout", []float64{1.2, 1.6, 1.5, 1.2, 1.0, 0.9}, 150, 160, 1.5 / 0.9, 180, 0, experts.Washout},
		{"plateau", []float64{0.8, 1.0, 1.1, 1.1, 1.1, 1.1}, 110, 110, 1, 270, 270, experts.Plateau},
		{"persistent", []float64{0.3, 0.5, 0.7, 0.9, 1.1, 1.3}, 70, 130, 0.7 / 1.3, 540, 0, experts.Persistent},
		// Early enhancement below CurveMinPE everywhere: the curve is typed all the same.
		{"slow persistent", []float64{0.1, 0.2, 0.3, 0.4, 0.5, 0.6}, 30, 60, 0.5, 540, 0, experts.Persistent},
	} {
		for _, sigma := range []float64{0, 5} { // SNR 20 before contrast: mean values move by far less than 1 %
			t.Run(c.name, func(t *testing.T) {
				l := &experts.Lesion{Label: "Lesion 1", Mask: mask}
				op, err := expert(t, dce.Config{}).Read(t.Context(), study(times, c.pe, mask, sigma, 1), nil, []*experts.Lesion{l})
				if err != nil {
					t.Fatal(err)
				}
				for _, q := range []struct {
					name      string
					got       experts.Quantity
					want, tol float64
				}{
					{"PE early", l.PEEarly, c.early, 0.01 * (100 + c.early)},
					{"PE peak", l.PEPeak, c.peak, 0.01 * (100 + c.peak)},
					{"SER", l.SER, c.ser, 0.02 * c.ser},
					{"time to peak", l.TimeToPeak, c.toPeakS, c.tolPeakS},
				} {
					if !q.got.Known || math.Abs(q.got.Value-q.want) > q.tol+1e-4 {
						t.Errorf("sigma %g: %s %+v, want %.3f within %.3f", sigma, q.name, q.got, q.want, q.tol)
					}
				}
				if l.WorstCurve != c.worst || !(l.CurveShare[c.worst] > 0.6) {
					t.Errorf("sigma %g: worst curve %q, shares %v, want %q in most voxels", sigma, l.WorstCurve, l.CurveShare, c.worst)
				}
				if !slices.Equal(l.TimesS, times) || len(l.Signal) != len(times) {
					t.Errorf("curve of %d times %v, %d signals", len(l.TimesS), l.TimesS, len(l.Signal))
				}
				if len(op.Notes) != 0 {
					t.Errorf("notes %q, want none", op.Notes)
				}
			})
		}
	}
}

// TestWorstCurve: a washout part counts from a tenth of the lesion on.
func TestWorstCurve(t *testing.T) {
	for _, c := range []struct {
		name string
		part float64 // of the lesion that washes out
		want experts.Curve
	}{
		{"none", 0, experts.Persistent},
		{"a slice of few voxels", 0.04, experts.Persistent},
		{"a quarter", 0.25, experts.Washout},
	} {
		t.Run(c.name, func(t *testing.T) {
			mask := ball(30, 10)
			s := study(times, []float64{0.5, 0.6, 0.7, 0.9, 1.1, 1.3}, mask, 3, 2)
			in, washed := mask.Count(), 0
			for at := range mask.Data { // slice by slice from below: a compact part
				if mask.Data[at] && float64(washed) < c.part*float64(in) {
					washed++
					for n, e := range []float64{1.2, 1.6, 1.5, 1.2, 1.0, 0.9} {
						s.DCE[n+1].Volume.Data[at] = float32(100 * (1 + e))
					}
				}
			}
			l := &experts.Lesion{Label: "Lesion 1", Mask: mask}
			if _, err := expert(t, dce.Config{}).Read(t.Context(), s, nil, []*experts.Lesion{l}); err != nil {
				t.Fatal(err)
			}
			sum := 0.0
			for _, share := range l.CurveShare {
				sum += share
			}
			if l.WorstCurve != c.want || math.Abs(sum-1) > 1e-9 {
				t.Errorf("worst curve %q of shares %v (sum %g), want %q", l.WorstCurve, l.CurveShare, sum, c.want)
			}
		})
	}
}

func TestFTV(t *testing.T) {
	mask := ball(24, 8)
	washout := []float64{1.2, 1.6, 1.5, 1.2, 1.0, 0.9}
	for _, c := range []struct {
		name   string
		change func(s *experts.Study, at int, p volume.Vec)
		pe     []float64
		want   float64 // share of the mask
	}{
		{"all of it", nil, washout, 1},
		{"none enhances by 70 %", nil, []float64{0.3, 0.5, 0.6, 0.9, 1.1, 1.3}, 0},
		{"dark half", func(s *experts.Study, at int, p volume.Vec) {
			if p[2] > 11.5 { // a centre of necrosis or fat: 30 before contrast, below 0.6 of 100
				for n := range s.DCE {
					s.DCE[n].Volume.Data[at] *= 0.3
				}
			}
		}, washout, 0.5},
		{"falls below its start", func(s *experts.Study, at int, p volume.Vec) {
			if p[2] > 11.5 {
				s.DCE[6].Volume.Data[at] = 90
			}
		}, washout, 0.5},
		{"single voxels", func(s *experts.Study, at int, p volume.Vec) {
			if int(p[0])%2 != 0 || int(p[1])%2 != 0 || int(p[2])%2 != 0 {
				s.DCE[3].Volume.Data[at] = 110
			}
		}, washout, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := study(times, c.pe, mask, 0, 1)
			for at := range mask.Data {
				if c.change != nil && mask.Data[at] {
					i, j, k := mask.Voxel(at)
					c.change(s, at, volume.Vec{float64(i), float64(j), float64(k)})
				}
			}
			l := &experts.Lesion{Label: "Lesion 1", Mask: mask}
			if _, err := expert(t, dce.Config{}).Read(t.Context(), s, nil, []*experts.Lesion{l}); err != nil {
				t.Fatal(err)
			}
			want := c.want * mask.VolumeCM3()
			if !l.FTVCM3.Known || math.Abs(l.FTVCM3.Value-want) > 1e-9 {
				t.Errorf("FTV %+v cm3, want %.4f", l.FTVCM3, want)
			}
		})
	}
}

func TestMaps(t *testing.T) {
	mask := ball(24, 8)
	s := study(times, []float64{1.2, 1.6, 1.5, 1.2, 1.0, 0.9}, mask, 0, 1)
	s.DCE[0].Volume.Data[0] = 0 // air has no ratio
	breast := experts.Breast{Side: experts.Left, Mask: ball(24, 10)}
	op, err := expert(t, dce.Config{}).Read(t.Context(), s, []experts.Breast{breast}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]float32{"PE_early": 150, "PE_late": 90, "SER": 1.5 / 0.9, "curve": 3} {
		m := op.Maps[name]
		if m == nil {
			t.Fatalf("no map %q", name)
		}
		if m.Size != [3]int{20, 20, 20} { // the ball of radius 10 around 11.5 reaches from 2 to 21
			t.Errorf("%s has size %v, want the breast's 20 voxels a side", name, m.Size)
		}
		i, j, k := m.At(volume.Vec{12, 12, 12})
		if got := m.Data[m.Index(int(i+0.5), int(j+0.5), int(k+0.5))]; math.Abs(float64(got-want)) > 1e-3 {
			t.Errorf("%s at the lesion's middle is %g, want %g", name, got, want)
		}
	}
	op, err = expert(t, dce.Config{}).Read(t.Context(), s, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if pe := op.Maps["PE_early"]; !pe.Same(&mask.Grid) || pe.Data[0] != 0 {
		t.Errorf("without breasts: PE_early of size %v, %g in air, want the whole grid and 0", pe.Size, pe.Data[0])
	}
}

func TestPhases(t *testing.T) {
	mask := ball(12, 4)
	for _, c := range []struct {
		name     string
		times    []float64
		unknown  bool
		delayed  bool
		channels string // post-contrast phases in the channels
		notes    []string
	}{
		{"seven", times, false, true, "1 2 3 4 5 6", nil},
		{"two", []float64{0, 90}, false, false, "1 1 1 1 1 1", []string{"wash-out", "six subtractions"}},
		// UCSF's three phases: the second lies as far from 150 s as the third, the first of them is taken.
		{"three", []float64{0, 20, 320}, false, true, "1 1 1 2 2 2", []string{"six subtractions", "early phase is phase 2"}},
		{"six", []float64{0, 90, 180, 270, 360, 450}, false, true, "1 2 3 3 4 5", []string{"six subtractions"}},
		{"thirteen", []float64{0, 40, 80, 120, 160, 200, 240, 280, 320, 360, 400, 440, 480}, false, true, "1 3 5 8 10 12", []string{"six subtractions"}},
		{"ultrafast", []float64{0, 5, 10, 15, 20, 25, 30}, false, false, "1 2 3 4 5 6", []string{"wash-out"}},
		{"times assumed", times, true, true, "1 2 3 4 5 6", []string{"assumption"}},
		{"times missing", []float64{0, 0, 0}, true, false, "1 1 1 2 2 2", []string{"assumption", "wash-out"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			pe := make([]float64, len(c.times)-1)
			for n := range pe {
				pe[n] = float64(n+1) / 10
			}
			s := study(c.times, pe, mask, 0, 1)
			s.TimesKnown = !c.unknown
			l := &experts.Lesion{Label: "Lesion 1", Mask: mask}
			op, err := expert(t, dce.Config{}).Read(t.Context(), s, nil, []*experts.Lesion{l})
			if err != nil {
				t.Fatal(err)
			}
			if l.SER.Known != c.delayed || (l.WorstCurve != "") != c.delayed || (op.Maps["SER"] != nil) != c.delayed {
				t.Errorf("SER %+v, worst curve %q, map of SER %v, want a delayed phase: %v", l.SER, l.WorstCurve, op.Maps["SER"] != nil, c.delayed)
			}
			var channels []string
			inside := slices.Index(mask.Data, true)
			for _, v := range op.Channels[:dce.Channels] {
				channels = append(channels, string(rune('0'+int(v.Data[inside]/10+0.5)%10)))
			}
			if c.name == "thirteen" { // 10 and 12 as one digit
				c.channels = "1 3 5 8 0 2"
			}
			if got := strings.Join(channels, " "); got != c.channels {
				t.Errorf("channels are post-contrast phases %s, want %s", got, c.channels)
			}
			text := strings.Join(op.Notes, " ")
			for _, want := range c.notes {
				if !strings.Contains(text, want) {
					t.Errorf("notes %q do not say %q", op.Notes, want)
				}
			}
			if len(c.notes) == 0 && text != "" {
				t.Errorf("notes %q, want none", op.Notes)
			}
		})
	}
}

func TestRefuses(t *testing.T) {
	mask := ball(6, 2)
	fine := study(times, make([]float64, 6), mask, 0, 1)
	other := study(times, make([]float64, 6), mask, 0, 1)
	other.DCE[3].Volume = volume.New(cube(7))
	gone := study(times, make([]float64, 6), mask, 0, 1)
	gone.DCE[2].Volume = nil
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name   string
		ctx    context.Context
		study  *experts.Study
		lesion *experts.Lesion
		want   string
	}{
		{"one phase", t.Context(), &experts.Study{DCE: fine.DCE[:1]}, nil, dce.ErrNoContrast.Error()},
		{"other grid", t.Context(), other, nil, "dynamic phase 4"},
		{"no volume", t.Context(), gone, nil, "dynamic phase 3"},
		{"lesion elsewhere", t.Context(), fine, &experts.Lesion{Label: "Lesion 9", Mask: ball(7, 2)}, "Lesion 9"},
		{"lesion without mask", t.Context(), fine, &experts.Lesion{Label: "Lesion 9"}, "Lesion 9"},
		{"cancelled", cancelled, fine, nil, context.Canceled.Error()},
	} {
		t.Run(c.name, func(t *testing.T) {
			var lesions []*experts.Lesion
			if c.lesion != nil {
				lesions = append(lesions, c.lesion)
			}
			if _, err := expert(t, dce.Config{}).Read(c.ctx, c.study, nil, lesions); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
	if _, err := expert(t, dce.Config{}).Read(cancelled, fine, nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: error %v is not context.Canceled", err)
	}
	for field, cfg := range map[string]dce.Config{
		"EarlyS":        {EarlyS: 500},
		"LateS":         {LateS: -1},
		"FTVBackground": {FTVBackground: 2},
		"FTVNeighbours": {FTVNeighbours: 27},
		"CurveChange":   {CurveChange: math.NaN()},
		"WorstShare":    {WorstShare: 1.5},
	} {
		if _, err := dce.New(cfg); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("config %+v: error %v, want one that names %s", cfg, err, field)
		}
	}
}

// TestEmpty: a lesion without voxels and values that are no numbers leave quantities unknown, not wrong.
func TestEmpty(t *testing.T) {
	mask := ball(8, 3)
	s := study(times, make([]float64, 6), mask, 0, 1)
	empty := &experts.Lesion{Label: "Lesion 1", Mask: volume.NewMask(mask.Grid)}
	dark := &experts.Lesion{Label: "Lesion 2", Mask: mask}
	for n := range s.DCE {
		clear(s.DCE[n].Volume.Data)
	}
	if _, err := expert(t, dce.Config{}).Read(t.Context(), s, nil, []*experts.Lesion{empty, dark}); err != nil {
		t.Fatal(err)
	}
	for _, l := range []*experts.Lesion{empty, dark} {
		if l.PEEarly.Known || l.PEPeak.Known || l.SER.Known || l.TimeToPeak.Known || l.WorstCurve != "" {
			t.Errorf("%s without signal: %+v", l.Label, l)
		}
	}
}

func TestRelativeChannels(t *testing.T) {
	for _, c := range []struct {
		name             string
		early, late      float64 // enhancement, as a part of the pre-contrast signal
		initial, delayed float64
	}{
		{"fast, washing out", 1.5, 1.0, 0.5, -0.2},
		{"slow, persistent", 0.6, 1.0, -0.4, 0.25},
		{"beyond the bounds", 3.8, 0.1, 2, -0.5},
		{"half counted", 0.4, 0.54, -0.3, 0.05},
		{"background", 0.15, 0.6, 0, 0},
	} {
		mask := ball(12, 4)
		s := study([]float64{0, 150, 450}, []float64{c.early, c.late}, mask, 0, 1)
		op, err := expert(t, dce.Config{}).Read(t.Context(), s, nil, []*experts.Lesion{{Label: "Lesion 1", Mask: mask}})
		if err != nil {
			t.Fatal(err)
		}
		if len(op.Channels) != dce.Channels+2 {
			t.Fatalf("%s: %d channels, want %d", c.name, len(op.Channels), dce.Channels+2)
		}
		at := slices.Index(mask.Data, true)
		i, d := op.Channels[dce.Channels].Data[at], op.Channels[dce.Channels+1].Data[at]
		if math.Abs(float64(i)-c.initial) > 1e-3 || math.Abs(float64(d)-c.delayed) > 1e-3 {
			t.Errorf("%s: channels %g and %g, want %g and %g", c.name, i, d, c.initial, c.delayed)
		}
	}
}
