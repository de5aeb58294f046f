package series

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
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
		if p, err := b.planeOf(s.Slices[0][0]); err == nil { // else reading it will fail
			b.voxels += len(s.Slices) * p.Rows * p.Columns
		}
	}
	return j
}

// planeOf returns the plane of a frame or of one tile of it.
func (b *builder) planeOf(f Frame) (volume.Plane, error) {
	h := b.instances[f.Instance].Header
	if f.Tile == 0 {
		return volume.PlaneOf(h, f.Number)
	}
	m, err := volume.MosaicOf(h)
	if err != nil {
		return volume.Plane{}, err
	}
	return m.Tiles[f.Tile-1], nil
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
	study.Echo = b.echo(&sorted.DCE[sorted.Reference].Stack)
	study.Notes = append(study.Notes, checkPhases(study.DCE)...)
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
