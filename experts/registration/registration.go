// Package registration finds the motion between two acquisitions of one examination, the phases of a dynamic series or
// series of different contrast, and takes it out. Places are patient space (PS3.3 C.7.6.2.1.1), mm. It moves images only:
// nothing is segmented, and what a transform would do to a lesion's size is reported, not hidden.
//
// The measure is that of normalised gradient fields (Haber and Modersitzki, MICCAI 2006;4191:726): two images are aligned
// where their edges are parallel, whatever the contrast across them, so that an uptake of contrast agent without motion
// is no reason to move anything. The transform is rigid plus a free-form deformation of cubic B-splines, as Rueckert et
// al. (IEEE TMI 1999;18:712) brought it to breast MRI, smooth by its bending energy and nearly incompressible by a penalty
// on the logarithm of its Jacobian (Rohlfing et al., IEEE TMI 2003;22:730: without one, enhancing lesions shrink).
//
// Measured on phantoms of three vendors, which says nothing of patients: of rigid motion by 1.3 to 2.4 mm between phases,
// with uptake and noise at voxels of 2.7 mm, 0.1 to 0.3 mm was left, of T2's by 1.2 to 3.3 mm 0.2 to 0.3, of DWI's by 1.5
// to 3.3 mm 0.3 to 0.5. On the tests' own breasts, 0.34 mm of a smooth warp by 2.9 mm on average (up to 1.7 at the mask's
// rim), while a lesion in it kept its size within 2 %. Images at rest stayed where they were.
package registration

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"mome/experts/volume"
)

// Options are the settings; the zero value means the defaults. The lengths were chosen on phantoms.
type Options struct {
	// Mask is the region that is to be aligned, on the fixed volume's grid: the breasts, or the body. What moves apart from
	// it (the heart) belongs outside. Nil is everything.
	Mask *volume.Mask
	// SpacingMM is the voxel size of the finest grid that the measure is taken on; 2.5 if zero. Coarser voxels of the
	// images stay as they are.
	SpacingMM float64
	// Levels is the number of resolutions, each half as fine as the next; 3 if zero.
	Levels int
	// KnotMM is the distance of the B-spline's control points, mm; 25 if zero. Finer ones follow edges better and deform
	// lesions more: at 20 the Jacobian reached 6 % from 1 where 25 gave 3 %.
	KnotMM float64
	// Bending is the weight of the bending energy, Volume that of the mean square of ln(Jacobian), both against a measure
	// that runs from 0 to 1; 0.3 and 30 if zero. EPI images are distorted, not moved: their Volume can be low.
	Bending, Volume float64
	// Along, if not zero, is the only direction in which Deform moves anything, patient space: the phase-encoding direction
	// of EPI images, which field inhomogeneity distorts along it alone (Jezzard and Balaban, MRM 1995;34:65).
	Along volume.Vec
	// Margin is the share by which the measure has to improve for a deformation to be kept, 0.4 of it for a rigid motion;
	// 0.005 if zero: following noise gained deformations 0.002 at most on phantoms that had moved rigidly.
	Margin float64
	// MinMM is the mean displacement within the mask below which a transform is not kept, mm; 0.1 if zero: interpolation
	// costs more sharpness than so little motion.
	MinMM float64
	// MaxMM is the largest mean displacement within the mask that is believed, mm; 20 if zero.
	MaxMM float64
	// Now is the clock of Report.Took; time.Now if nil.
	Now func() time.Time
}

// Limits of the Jacobian of a deformation that is kept: the breast's tissue is nearly incompressible, and a lesion that
// changes its volume by more is changed by the registration, not by motion.
const minJacobian, maxJacobian = 0.75, 1.33

// Report says what was found and what became of it.
type Report struct {
	Kept   bool
	Reason string // one sentence, why it was kept or not
	// Before and After are the measure at the beginning and for what was found, kept or not: 1 where all edges are parallel,
	// 0 where they have nothing to do with each other, -0.5 at the least.
	Before, After float64
	// Displacement within the mask by the transform that was returned, rotation and deformation included, mm.
	MeanMM, P95MM, MaxMM float64
	// JacobianMin and JacobianMax are the extremes within the mask of the change of volume by what was found, 1 for none.
	JacobianMin, JacobianMax float64
	Voxels                   int           // of the finest working grid that the measure was taken on
	Evaluations              int           // of the measure, over all levels
	Took                     time.Duration // the first step's includes the preparation of the images
}

// Result is a transform with the reports of both steps that led to it.
type Result struct {
	Transform     Transform
	Rigid, Deform Report
}

// Rigid finds the rigid motion by which moving has to be sampled to lie on fixed: Transform.At(p) is the place in moving
// of what fixed shows at p. The identity is returned where no motion explains more by Options.Margin; Report.Reason says
// so, it is no error. Errors are broken volumes or options, and ctx's.
func Rigid(ctx context.Context, fixed, moving *volume.Volume, o Options) (Transform, Report, error) {
	p, err := newProblem(ctx, fixed, moving, o)
	if err != nil {
		return Transform{}, Report{}, err
	}
	return p.rigid(ctx)
}

// Deform finds the deformation on top of start. Where it does not explain more by Options.Margin, or would change volumes
// beyond 0.75 to 1.33, start is returned.
func Deform(ctx context.Context, fixed, moving *volume.Volume, start Transform, o Options) (Transform, Report, error) {
	p, err := newProblem(ctx, fixed, moving, o)
	if err != nil {
		return start, Report{}, err
	}
	return p.deform(ctx, start)
}

// Register is Rigid followed by Deform, at less cost than both calls.
func Register(ctx context.Context, fixed, moving *volume.Volume, o Options) (Result, error) {
	p, err := newProblem(ctx, fixed, moving, o)
	if err != nil {
		return Result{}, err
	}
	var r Result
	if r.Transform, r.Rigid, err = p.rigid(ctx); err != nil {
		return r, err
	}
	r.Transform, r.Deform, err = p.deform(ctx, r.Transform)
	return r, err
}

// checked returns the options with defaults filled in.
func (o Options) checked() (Options, error) {
	for _, f := range []struct {
		name      string
		value     *float64
		use       float64
		low, high float64
	}{
		{"SpacingMM", &o.SpacingMM, 2.5, 0.5, 50},
		{"KnotMM", &o.KnotMM, 25, 5, 500},
		{"Bending", &o.Bending, 0.3, 0, 1e6},
		{"Volume", &o.Volume, 30, 0, 1e6},
		{"Margin", &o.Margin, 0.005, 0, 10},
		{"MinMM", &o.MinMM, 0.1, 0, 1e3},
		{"MaxMM", &o.MaxMM, 20, 0, 1e3},
	} {
		if *f.value == 0 {
			*f.value = f.use
		}
		if !(*f.value >= f.low && *f.value <= f.high) {
			return o, fmt.Errorf("registration options: %s %g is not within %g to %g", f.name, *f.value, f.low, f.high)
		}
	}
	if o.Levels == 0 {
		o.Levels = 3
	}
	if o.Levels < 1 || o.Levels > 6 {
		return o, fmt.Errorf("registration options: Levels %d is not within 1 to 6", o.Levels)
	}
	if n := o.Along.Norm(); n != 0 {
		if math.IsNaN(n) || math.IsInf(n, 0) {
			return o, errors.New("registration options: Along is not finite")
		}
		o.Along = o.Along.Scale(1 / n)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o, nil
}

// usable reports what is wrong with a volume.
func usable(name string, v *volume.Volume) error {
	if v == nil || v.Size[0] < 1 || v.Size[1] < 1 || v.Size[2] < 1 {
		return fmt.Errorf("registration: the %s volume is empty", name)
	}
	if len(v.Data) != v.Len() {
		return fmt.Errorf("registration: the %s volume has %d values for %d voxels", name, len(v.Data), v.Len())
	}
	for a := range 3 {
		if s := v.SpacingMM[a]; !(s > 0 && s < 1e4) || !(math.Abs(v.Axis[a].Norm()-1) < 1e-2) {
			return fmt.Errorf("registration: the %s volume's axis %d is %v with a spacing of %g mm", name, a, v.Axis[a], s)
		}
	}
	return nil
}
