package series

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sync"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/pixel"
	"mome/experts"
	"mome/experts/volume"
)

// Codes of Error, as the report states them.
const (
	NoDCE    = "NODCE"   // the study has no dynamic series
	Geometry = "GEOM"    // the dynamic series does not make volumes
	NoPixel  = "NOPIXEL" // its pixels cannot be read
)

// Error says why a study cannot be analysed; Text is a sentence for the report's reader.
type Error struct {
	Code string
	Text string
	Err  error // the cause, if any
}

func (e *Error) Error() string { return e.Code + ": " + e.Text }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Opener opens an instance, by its index in what Sort was given. The caller closes the closer when it has read what it
// wants. It is called from several goroutines.
type Opener func(ctx context.Context, instance int) (*dicom.File, io.Closer, error)

// maxStudyVoxels bounds all volumes of a study together: 1 Gi voxels of float32 are 4 GiB.
const maxStudyVoxels = 1 << 30

// Assemble reads the volumes of a sorted study; instances are those that Sort was given. progress, which may be nil, is
// told the share that is done, 0..1, never from two goroutines at once.
//
// A stack other than the dynamic series that cannot be read is left out, with a note. Without a dynamic series that can
// be read the error is an *Error, and the study holds series and notes only. Any other error is ctx's. Frames are read
// one at a time on each processor; only the volumes are held.
func Assemble(ctx context.Context, instances []Instance, sorted Result, open Opener, progress func(done float64)) (*experts.Study, error) {
	study := &experts.Study{
		StudyUID:   sorted.StudyUID,
		TimesKnown: sorted.TimesKnown,
		Reference:  sorted.Reference,
		Series:     slices.Clone(sorted.Series),
		Notes:      slices.Clone(sorted.Notes),
	}
	if len(sorted.DCE) < 2 {
		return study, &Error{Code: NoDCE, Text: "no dynamic contrast-enhanced series was found: two T1-weighted time points of one geometry are needed"}
	}
	b := &builder{instances: instances, open: open, progress: progress}
	for i := range sorted.DCE {
		b.plan(fmt.Sprintf("dynamic phase %d", i+1), &sorted.DCE[i].Stack)
	}
	if b.voxels > maxStudyVoxels {
		return study, &Error{Code: Geometry, Text: fmt.Sprintf("the dynamic series has %d voxels, more than the %d that are read", b.voxels, maxStudyVoxels)}
	}
	t2 := b.plan("T2", sorted.T2)
	adc := b.plan("ADC", sorted.ADC)
	firstB := len(b.jobs)
	for i := range sorted.DWI {
		b.plan(fmt.Sprintf("b %s", bText(sorted.DWI[i].BSPerMM2)), &sorted.DWI[i].Stack)
	}
	if err := b.run(ctx); err != nil {
		return nil, err
	}
	defer func() { study.Notes = sentences(study.Notes) }()
	if err := b.dynamic(study, sorted); err != nil {
		return study, err
	}
	study.T2 = b.take(t2, study, experts.RoleT2)
	if adc := b.take(adc, study, experts.RoleADC); adc != nil {
		study.ADC = scaleADC(adc, study)
	}
	b.diffusion(firstB, study, sorted)
	return study, nil
}

// job is one stack to be read, and what came of it.
type job struct {
	name   string
	stack  *Stack
	volume *volume.Volume
	notes  []string
	err    error
}

type builder struct {
	instances []Instance
	open      Opener
	jobs      []*job
	voxels    int // planned

	mu       sync.Mutex
	progress func(float64)
	slices   int // planned
	done     int
}

// plan adds a stack and returns its job; nil for a nil stack.
func (b *builder) plan(name string, s *Stack) *job {
	if s == nil {
		return nil
	}
	j := &job{name: name, stack: s}
	b.jobs = append(b.jobs, j)
	b.slices += len(s.Slices)
	if len(s.Slices) > 0 {
		h := b.instances[s.Slices[0][0].Instance].Header
		b.voxels += len(s.Slices) * h.IntOr(tag.Rows, 0) * h.IntOr(tag.Columns, 0)
	}
	return j
}

func (b *builder) run(ctx context.Context) error {
	err := experts.EachSlice(ctx, len(b.jobs), func(n int) {
		j := b.jobs[n]
		r := reader{builder: b}
		defer r.close()
		j.volume, j.notes, j.err = r.build(ctx, j.stack)
	})
	return cmp.Or(err, ctx.Err())
}

func (b *builder) sliceDone() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done++
	if b.progress != nil {
		b.progress(float64(b.done) / float64(b.slices))
	}
}

// dynamic moves the phases into the study, on the grid of the reference phase.
func (b *builder) dynamic(study *experts.Study, sorted Result) error {
	for n := range sorted.DCE {
		j := b.jobs[n]
		if j.err != nil {
			code := NoPixel
			var g *volume.GeometryError
			if errors.As(j.err, &g) {
				code = Geometry
			}
			b.unused(study, experts.RoleDCE, j)
			return &Error{Code: code, Text: fmt.Sprintf("%s cannot be read: %v", j.name, j.err), Err: j.err}
		}
	}
	reference := b.jobs[sorted.Reference].volume
	for n, p := range sorted.DCE {
		j := b.jobs[n]
		v := j.volume
		if v.Size != reference.Size {
			b.unused(study, experts.RoleDCE, j)
			return &Error{Code: Geometry, Text: "the phases of the dynamic series differ in size"}
		}
		if !v.Same(&reference.Grid) {
			v = volume.Resample(v, reference.Grid)
			study.Notes = append(study.Notes, j.name+" was resampled onto the grid of the reference phase")
		}
		study.DCE = append(study.DCE, experts.Phase{TimeS: p.TimeS, SeriesUID: p.SeriesUID, Volume: v})
		study.Notes = append(study.Notes, prefixed(j)...)
	}
	for _, frames := range sorted.DCE[sorted.Reference].Slices {
		f := frames[0]
		study.DCESlices = append(study.DCESlices, experts.Slice{
			SOPInstanceUID: b.instances[f.Instance].Header.String(tag.SOPInstanceUID), Frame: f.Number,
		})
	}
	return nil
}

// take returns the job's volume, or nil and a note where it failed.
func (b *builder) take(j *job, study *experts.Study, role experts.Role) *volume.Volume {
	if j == nil {
		return nil
	}
	study.Notes = append(study.Notes, prefixed(j)...)
	if j.err != nil {
		study.Notes = append(study.Notes, fmt.Sprintf("the %s series cannot be read: %v", j.name, j.err))
		b.unused(study, role, j)
		return nil
	}
	return j.volume
}

func (b *builder) diffusion(first int, study *experts.Study, sorted Result) {
	for n, d := range sorted.DWI {
		v := b.take(b.jobs[first+n], study, experts.RoleDWI)
		if v == nil {
			continue
		}
		if len(study.DWI) > 0 && !v.Same(&study.DWI[0].Volume.Grid) {
			v = volume.Resample(v, study.DWI[0].Volume.Grid)
			study.Notes = append(study.Notes, b.jobs[first+n].name+" was resampled onto the grid of the lowest b-value")
		}
		study.DWI = append(study.DWI, experts.BVolume{BSPerMM2: d.BSPerMM2, SeriesUID: d.SeriesUID, Volume: v})
	}
}

// unused marks the job's series as one that was not read after all, where no other stack of it was.
func (b *builder) unused(study *experts.Study, role experts.Role, failed *job) {
	for _, j := range b.jobs {
		if j.err == nil && j != failed && j.stack.SeriesUID == failed.stack.SeriesUID {
			return
		}
	}
	for i := range study.Series {
		if u := &study.Series[i]; u.SeriesUID == failed.stack.SeriesUID && u.Role == role {
			u.Used = false
			u.Reason += " It could not be read."
		}
	}
}

func prefixed(j *job) []string {
	out := make([]string, len(j.notes))
	for i, n := range j.notes {
		out[i] = j.name + ": " + n
	}
	return out
}

// The median of an ADC map over tissue lies between these, 1e-6 mm2/s: breast and most other soft tissue has 800
// to 2200; noise, fat and cysts in the map widen it.
const adcLeastMedian, adcMostMedian = 300, 4000

// scaleADC brings the map to 1e-6 mm2/s. Vendors write mm2/s, 1e-3 or 1e-6 mm2/s, and the header rarely tells which: the
// median of the positive values does. A map that fits none is left out.
func scaleADC(v *volume.Volume, study *experts.Study) *volume.Volume {
	var positive []float32
	for _, f := range v.Data {
		if f > 0 {
			positive = append(positive, f)
		}
	}
	if len(positive) == 0 {
		study.Notes = append(study.Notes, "the vendor's ADC map is empty")
		return nil
	}
	slices.Sort(positive)
	median := float64(positive[len(positive)/2])
	for _, factor := range []float64{1, 1e3, 1e6} {
		if m := median * factor; m >= adcLeastMedian && m <= adcMostMedian {
			if factor != 1 {
				for i := range v.Data {
					v.Data[i] *= float32(factor)
				}
				study.Notes = append(study.Notes, fmt.Sprintf("the vendor's ADC map was taken to be in units of %g mm2/s, by its median", factor*1e-6))
			}
			return v
		}
	}
	study.Notes = append(study.Notes, fmt.Sprintf("the unit of the vendor's ADC map is unknown (median %.3g); it was not used", median))
	return nil
}

// reader reads the frames of one stack; it keeps the last instance open for its next frame.
type reader struct {
	*builder
	instance int
	closer   io.Closer
	frames   *pixel.FrameSet
	layout   pixel.Layout
	syntax   string
	samples  []int32
}

func (r *reader) close() {
	if r.closer != nil {
		r.closer.Close()
		r.closer = nil
	}
}

// build reads a stack's volume.
func (r *reader) build(ctx context.Context, s *Stack) (*volume.Volume, []string, error) {
	in := make([]volume.Slice, len(s.Slices))
	for k, frames := range s.Slices {
		plane, err := volume.PlaneOf(r.instances[frames[0].Instance].Header, frames[0].Number)
		if err != nil {
			return nil, nil, err
		}
		in[k] = volume.Slice{Plane: plane, Read: func(ctx context.Context, dst []float32) error {
			defer r.sliceDone()
			return r.mean(ctx, frames, s.Geometric, dst)
		}}
	}
	v, _, notes, err := volume.Build(ctx, in)
	return v, notes, err
}

// mean fills dst with the arithmetic or geometric mean of the frames' rescaled values. Negative values have no geometric
// mean: they count as 0.
func (r *reader) mean(ctx context.Context, frames []Frame, geometric bool, dst []float32) error {
	geometric = geometric && len(frames) > 1
	clear(dst)
	for _, f := range frames {
		if err := r.read(ctx, f, len(dst)); err != nil {
			return err
		}
		slope, intercept := volume.Rescale(r.instances[f.Instance].Header, f.Number)
		for i, s := range r.samples {
			value := slope*float64(s) + intercept
			if geometric {
				value = math.Log(max(value, 0)) // log 0 is -Inf, and exp of it 0 again
			}
			dst[i] += float32(value)
		}
	}
	n := float32(len(frames))
	for i := range dst {
		if n > 1 {
			dst[i] /= n
		}
		if geometric {
			dst[i] = float32(math.Exp(float64(dst[i])))
		}
	}
	return nil
}

// read decodes a frame of n samples into r.samples.
func (r *reader) read(ctx context.Context, f Frame, n int) error {
	if r.closer == nil || r.instance != f.Instance {
		r.close()
		file, closer, err := r.open(ctx, f.Instance)
		if err != nil {
			return fmt.Errorf("open the instance: %w", err)
		}
		r.closer, r.instance, r.syntax = closer, f.Instance, file.TransferSyntax
		if r.layout, err = pixel.LayoutOf(file.Dataset); err != nil {
			return err
		}
		if r.frames, err = pixel.Frames(file); err != nil {
			return err
		}
	}
	if r.layout.Samples() != n {
		return fmt.Errorf("the image has %d samples, its header told %d", r.layout.Samples(), n)
	}
	raw, err := r.frames.Frame(max(f.Number-1, 0))
	if err != nil {
		return err
	}
	r.samples = slices.Grow(r.samples[:0], n)[:n]
	return pixel.Decode(r.layout, r.syntax, raw, r.samples)
}
