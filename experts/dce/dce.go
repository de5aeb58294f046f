// Package dce is the expert of the dynamic contrast-enhanced series: percent enhancement, signal enhancement ratio,
// time-signal curves, functional tumour volume and background enhancement, voxel by voxel, lesion by lesion and breast by
// breast. Pharmacokinetic parameters are relative: clinical exams hold neither an arterial input nor, mostly, a T1 map.
package dce

import (
	"context"
	"errors"
	"fmt"
	"math"

	"mome/experts"
	"mome/experts/volume"
)

// Channels is the number of subtractions that the published network reads. Two kinetic maps follow them.
const Channels = 6

// Config has the settings; the zero value means the defaults.
type Config struct {
	EarlyS float64 // s after the first post-contrast phase began; 150 if zero (UCSF/I-SPY)
	LateS  float64 // s, likewise; 450 if zero (UCSF/I-SPY)

	// Functional tumour volume (UCSF/I-SPY; Hylton et al., Radiology 2012;263:663).
	FTVBackground float64 // least S_pre as a share of its 95th percentile in the lesion; 0.6 if zero
	FTVMinPE      float64 // least early enhancement, %; 70 if zero
	FTVNeighbours int     // least number of the 26 neighbours that also belong; 4 if zero, -1 for none

	// Curves.
	CurveMinPE  float64 // least early enhancement of a voxel whose curve is typed, %; 50 if zero (BI-RADS: slow is below)
	CurveChange float64 // change from early to late that is no plateau, % of the early signal; 10 if zero (BI-RADS)
	// WorstShare is the least share of a lesion's typed voxels that makes a curve type count as its worst; 0.1 if zero:
	// a tenth is 13 voxels in a ball of 5 mm at 0.8 mm, more than noise or the rim's partial volume bring about.
	WorstShare float64

	// MinSignal is the least S_pre, as a share of its 95th percentile in the breasts, at which the maps hold a ratio; 0.05
	// if zero: air and noise below it enhance by any percentage.
	MinSignal float64

	// Breasts. BPEMinPE is the least early enhancement of fibroglandular tissue that counts as background enhancement, %; 20
	// if zero: this project's own, in reach of no noise after the mean over 27 voxels; published thresholds vary (Wu et al.,
	// Breast Cancer Res 2015;17:67 for the share of tissue above one as a quantity).
	BPEMinPE float64
	// BPECuts are where mild, moderate and marked begin, % of the fibroglandular tissue; its quarters if zero, as readers'
	// classes were defined (King et al., Radiology 2011;260:50).
	BPECuts [3]float64
	// FGTCuts are where b, c and d begin, % of the breast's volume; its quarters if zero, those of BI-RADS 4th edition
	// (ACR, 2003). The 5th edition has words only, and a volume's share is less than that which readers see.
	FGTCuts [3]float64

	// Pharmacokinetics. LesionT1S is the T1 that is assumed where none was measured, s; 1.45 if zero, between the 1.5 of
	// malignant and 1.4 of benign lesions at 1.5 T that digital reference objects of the breast take.
	LesionT1S float64
	// R1PerMMS is the relaxivity of the contrast agent in tissue, per mM and s; 4.4 if zero: 4.3 to 4.5 from 1.5 to 3 T.
	R1PerMMS float64
}

// quarters are the cuts of a whole in four equal parts, %.
var quarters = [3]float64{25, 50, 75}

// Expert reads the dynamic series.
type Expert struct{ cfg Config }

// New returns an expert with these settings.
func New(cfg Config) (*Expert, error) {
	for _, f := range []struct {
		name  string
		value *float64
		use   float64
		most  float64
	}{
		{"EarlyS", &cfg.EarlyS, experts.EarlyS, math.Inf(1)},
		{"LateS", &cfg.LateS, experts.LateS, math.Inf(1)},
		{"FTVBackground", &cfg.FTVBackground, 0.6, 1},
		{"FTVMinPE", &cfg.FTVMinPE, 70, math.Inf(1)},
		{"CurveMinPE", &cfg.CurveMinPE, 50, math.Inf(1)},
		{"CurveChange", &cfg.CurveChange, 10, 100},
		{"WorstShare", &cfg.WorstShare, 0.1, 1},
		{"MinSignal", &cfg.MinSignal, 0.05, 1},
		{"BPEMinPE", &cfg.BPEMinPE, 20, math.Inf(1)},
		{"LesionT1S", &cfg.LesionT1S, 1.45, 10},
		{"R1PerMMS", &cfg.R1PerMMS, 4.4, 100},
	} {
		if !(*f.value >= 0 && *f.value <= f.most) {
			return nil, fmt.Errorf("dce config: %s %g is out of range", f.name, *f.value)
		}
		if *f.value == 0 {
			*f.value = f.use
		}
	}
	if cfg.EarlyS >= cfg.LateS {
		return nil, fmt.Errorf("dce config: EarlyS %g is not before LateS %g", cfg.EarlyS, cfg.LateS)
	}
	if cfg.FTVNeighbours > 26 {
		return nil, fmt.Errorf("dce config: FTVNeighbours %d is more than 26", cfg.FTVNeighbours)
	}
	if cfg.FTVNeighbours == 0 {
		cfg.FTVNeighbours = 4
	}
	for n, cuts := range []*[3]float64{&cfg.BPECuts, &cfg.FGTCuts} {
		if *cuts == [3]float64{} {
			*cuts = quarters
		}
		if !(0 < cuts[0] && cuts[0] < cuts[1] && cuts[1] < cuts[2] && cuts[2] < 100) {
			return nil, fmt.Errorf("dce config: %s %g do not ascend between 0 and 100", [2]string{"BPECuts", "FGTCuts"}[n], *cuts)
		}
	}
	return &Expert{cfg: cfg}, nil
}

// Modality returns experts.DCE.
func (*Expert) Modality() experts.Modality { return experts.DCE }

// ErrNoContrast says that the study holds no dynamic series of at least two phases.
var ErrNoContrast = errors.New("study has no pre-contrast and post-contrast phase")

// reading is one study on its way through the expert.
type reading struct {
	cfg         Config
	s           *experts.Study
	early, late int // phases; late is -1 where the study has no delayed phase
	initial     int // phases before it belong to the initial phase
	durationS   float64
	kept        []bool // ftv's voxels, empty between its calls
	tofts       *uptake
	notes       []string
}

func (r *reading) note(format string, args ...any) {
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
}

// Read sets the kinetic quantities of each lesion and the composition and background enhancement of each breast. It
// returns maps on the part of the DCE grid that holds the breasts: "PE_early" and "PE_late" (%), "wash_in" and "wash_out"
// (%/min), "TTP" (s), "SER" (ratio) and "curve" (1 persistent, 2 plateau, 3 washout, 0 not typed), defined as
// experts.Kinetics are, the last three and wash_out where the early enhancement reaches CurveMinPE. PE_late, wash_out, SER
// and curve are absent where the study has no delayed phase. Where the timing allows a pharmacokinetic fit and there are
// lesions, "Ktrans", "kep" (1/min), "ve" and, of phases of 10 s or less, "vp" hold it in and around them, 0 elsewhere.
// The channels are the six subtractions and two kinetic maps.
func (e *Expert) Read(ctx context.Context, s *experts.Study, breasts []experts.Breast, lesions []*experts.Lesion) (*experts.Opinion, error) {
	if len(s.DCE) < 2 {
		return nil, ErrNoContrast
	}
	grid := &s.DCE[0].Volume.Grid
	for n, p := range s.DCE {
		if p.Volume == nil || len(p.Volume.Data) != grid.Len() || !p.Volume.Same(grid) {
			return nil, fmt.Errorf("dynamic phase %d: its voxels lie elsewhere than those of the pre-contrast phase", n+1)
		}
	}
	r := &reading{cfg: e.cfg, s: s}
	r.phases()
	r.tofts = r.newUptake()
	maps, err := r.maps(ctx, breasts, lesions)
	if err != nil {
		return nil, err
	}
	for _, l := range lesions {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if l.Mask == nil || !l.Mask.Same(grid) {
			return nil, fmt.Errorf("%s: its mask is not on the dynamic series' grid", l.Label)
		}
		r.kinetics(l)
	}
	if err := r.breasts(ctx, breasts, lesions); err != nil {
		return nil, err
	}
	if err := r.uptakeMaps(ctx, maps, lesions); err != nil {
		return nil, err
	}
	channels, err := r.channels(ctx)
	if err != nil {
		return nil, err
	}
	return &experts.Opinion{
		Modality: experts.DCE, Maps: maps, Notes: r.notes, Settings: r.settings(), Asymmetry: asymmetry(breasts),
		Channels: append(channels, relative(maps)...),
	}, nil
}

// phases chooses the early and the late phase and says what was chosen on what ground.
func (r *reading) phases() {
	s := r.s
	r.early, r.late = s.EarlyLate(r.cfg.EarlyS, r.cfg.LateS)
	r.durationS = durationS(s.DCE)
	r.initial = r.initialPhases()
	startS := s.DCE[1].TimeS
	if !s.TimesKnown {
		r.note("The times of the dynamic phases are not known; early and late phase follow the assumption of %.0f s from the pre-contrast phase to the first post-contrast one and %.0f s to the last.",
			startS-s.DCE[0].TimeS, s.DCE[len(s.DCE)-1].TimeS-s.DCE[0].TimeS)
	}
	tell := func(name string, k int, targetS float64) {
		at := s.DCE[k].TimeS - startS
		if math.Abs(at-targetS) > targetS/2 {
			r.note("The %s phase is phase %d, %.0f s after the first post-contrast phase began; %.0f s is the definition.", name, k+1, at, targetS)
		}
	}
	tell("early", r.early, r.cfg.EarlyS)
	if r.late < 0 {
		r.note("No phase follows the early one by a minute or more: wash-out, curve types and SER are unknown.")
		return
	}
	tell("late", r.late, r.cfg.LateS)
}

// channels returns exactly six subtractions post_k - pre, in the order of time. Which k, see choose.
func (r *reading) channels(ctx context.Context) ([]*volume.Volume, error) {
	pre := r.s.DCE[0].Volume
	chosen := choose(r.s.DCE[1:], Channels)
	if n := len(r.s.DCE) - 1; n != Channels {
		r.note("The network reads six subtractions; of %d post-contrast phases it was given numbers %s.", n, list(chosen))
	}
	made := map[int]*volume.Volume{}
	out := make([]*volume.Volume, 0, Channels)
	slice := pre.Size[0] * pre.Size[1]
	for _, n := range chosen {
		if v, ok := made[n]; ok { // a repeated phase is the same volume, not a copy
			out = append(out, v)
			continue
		}
		post, v := r.s.DCE[n+1].Volume, volume.New(pre.Grid)
		err := experts.EachSlice(ctx, pre.Size[2], func(k int) {
			for at := k * slice; at < (k+1)*slice; at++ {
				v.Data[at] = post.Data[at] - pre.Data[at]
			}
		})
		if err != nil {
			return nil, err
		}
		made[n] = v
		out = append(out, v)
	}
	return out, nil
}
