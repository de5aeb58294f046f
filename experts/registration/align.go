package registration

import (
	"context"
	"fmt"
	"math"

	"mome/experts"
	"mome/experts/volume"
)

// Settings say how Align works; the zero value corrects rigid motion and deformation.
type Settings struct {
	// Off leaves all images as acquired, RigidOnly finds no deformations.
	Off, RigidOnly bool
	// DiffusionAlong is the phase-encoding direction of the diffusion-weighted images, patient space: the direction in which
	// field inhomogeneity distorts EPI. Zero is unknown: then they are moved rigidly.
	DiffusionAlong volume.Vec
}

// T2 and diffusion are measured over regions, on voxels of several millimetres: what moves by less is left as acquired,
// since interpolation costs them more.
const leastOtherMM = 0.5

// diffusionVolume is the weight of the penalty on changes of volume for EPI, which is distorted rather than moved.
const diffusionVolume = 1

// Align returns the study with its other phases, T2 and diffusion laid onto the dynamic phase that results refer to
// (Study.Reference), so that what is found lies on the images that it is shown on; that phase keeps its voxels as
// acquired. Phases stay on their grid, T2 and diffusion on theirs. Motion is told for each acquisition but the reference. Volumes that were not
// moved are shared with s, which is left as it is. breasts say which region has to fit; without any nothing is done.
//
// progress, which may be nil, is told the share that is done, 0..1. Errors are ctx's and broken volumes.
func Align(ctx context.Context, s *experts.Study, breasts []experts.Breast, set Settings, progress func(done float64)) (*experts.Study, error) {
	out := *s
	if set.Off || len(breasts) == 0 || len(s.DCE) == 0 {
		return &out, nil
	}
	a := aligner{Settings: set, fixed: s.DCE[s.Reference].Volume, mask: union(breasts), progress: progress, all: len(s.DCE) - 1}
	if s.T2 != nil {
		a.all++
	}
	if len(s.DWI) > 0 || s.ADC != nil {
		a.all++
	}
	if err := a.phases(ctx, &out); err != nil {
		return nil, err
	}
	if err := a.t2(ctx, &out); err != nil {
		return nil, err
	}
	if err := a.diffusion(ctx, &out); err != nil {
		return nil, err
	}
	return &out, nil
}

// union returns the voxels of both breasts.
func union(breasts []experts.Breast) *volume.Mask {
	m := volume.NewMask(breasts[0].Mask.Grid)
	for _, b := range breasts {
		for at, in := range b.Mask.Data {
			m.Data[at] = m.Data[at] || in
		}
	}
	return m
}

type aligner struct {
	Settings
	fixed    *volume.Volume
	mask     *volume.Mask
	progress func(float64)
	done     int
	all      int
}

func (a *aligner) step() {
	a.done++
	if a.progress != nil {
		a.progress(float64(a.done) / float64(a.all))
	}
}

func (a *aligner) phases(ctx context.Context, s *experts.Study) error {
	phases := make([]experts.Phase, len(s.DCE))
	copy(phases, s.DCE)
	for n := range phases {
		if n == s.Reference {
			continue
		}
		p := &phases[n]
		t, m, err := a.find(ctx, fmt.Sprintf("phase %d", n+1), p.Volume, Options{}, !a.RigidOnly)
		if err != nil {
			return err
		}
		m.SeriesUID = p.SeriesUID
		s.Motion = append(s.Motion, m)
		if p.Volume, err = moved(ctx, p.Volume, t); err != nil {
			return err
		}
		a.step()
	}
	s.DCE = phases
	return nil
}

func (a *aligner) t2(ctx context.Context, s *experts.Study) error {
	if s.T2 == nil {
		return nil
	}
	t, m, err := a.find(ctx, string(experts.T2), s.T2, Options{MinMM: leastOtherMM}, !a.RigidOnly)
	if err != nil {
		return err
	}
	m.SeriesUID = s.UsedSeries(experts.RoleT2)
	s.Motion = append(s.Motion, m)
	s.T2, err = moved(ctx, s.T2, t)
	a.step()
	return err
}

// diffusion moves all b-values and the vendor's map alike: they are read out in the same way, the lowest b-value has the
// most signal to go by.
func (a *aligner) diffusion(ctx context.Context, s *experts.Study) error {
	shown := s.ADC
	if len(s.DWI) > 0 {
		shown = s.DWI[0].Volume
	}
	if shown == nil {
		return nil
	}
	o := Options{MinMM: leastOtherMM, Along: a.DiffusionAlong, Volume: diffusionVolume}
	t, m, err := a.find(ctx, string(experts.DWI), shown, o, !a.RigidOnly && len(s.DWI) > 0 && a.DiffusionAlong != volume.Vec{})
	if err != nil {
		return err
	}
	m.SeriesUID = s.UsedSeries(experts.RoleADC)
	if len(s.DWI) > 0 {
		m.SeriesUID = s.DWI[0].SeriesUID
	}
	s.Motion = append(s.Motion, m)
	dwi := make([]experts.BVolume, len(s.DWI))
	for n, b := range s.DWI {
		dwi[n] = b
		if dwi[n].Volume, err = moved(ctx, b.Volume, t); err != nil {
			return err
		}
	}
	s.DWI = dwi
	if s.ADC != nil {
		s.ADC, err = moved(ctx, s.ADC, t)
	}
	a.step()
	return err
}

// find registers one volume; what it cannot find is told, it is no error.
func (a *aligner) find(ctx context.Context, name string, moving *volume.Volume, o Options, deform bool) (Transform, experts.Motion, error) {
	o.Mask = a.mask
	m := experts.Motion{Name: name, Method: "rigid, normalised gradient fields"}
	var r Result
	var err error
	if deform {
		m.Method = "rigid and cubic B-splines, normalised gradient fields"
		r, err = Register(ctx, a.fixed, moving, o)
	} else {
		r.Transform, r.Rigid, err = Rigid(ctx, a.fixed, moving, o)
	}
	if err != nil {
		return Transform{}, m, fmt.Errorf("%s: %w", name, err)
	}
	last := r.Rigid
	m.Before, m.After, m.Corrected, m.Reason = last.Before, last.After, last.Kept, "rigid motion "+last.Reason
	if deform {
		last = r.Deform
		m.Reason += "; deformation " + last.Reason
		if last.Kept {
			m.After, m.Corrected, m.Deformed = last.After, true, true
		}
	}
	m.MeanMM, m.P95MM, m.MaxMM = last.MeanMM, last.P95MM, last.MaxMM
	return r.Transform, m, nil
}

// moved returns v as t lays it onto its own grid, v itself where t moves nothing. Places that lie beyond v keep the value
// as acquired: zeros would enhance, or lose all signal, at the border of the images.
func moved(ctx context.Context, v *volume.Volume, t Transform) (*volume.Volume, error) {
	if t.Identity() {
		return v, nil
	}
	out, err := Apply(ctx, v, t, &v.Grid, Resampling{Kernel: Cubic, Outside: float32(math.NaN())})
	if err != nil {
		return nil, err
	}
	for at, x := range out.Data {
		if x != x {
			out.Data[at] = v.Data[at]
		}
	}
	return out, nil
}
