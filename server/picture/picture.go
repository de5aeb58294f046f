// Package picture draws what an analysis found: projections with the lesions marked, sections of each lesion with its
// outline, diameters, kinetics and heat map, and charts of its curve and of each modality's part. Pictures are for
// people: the machine-readable result is the SR and the SEG. Every picture carries the notice it is given, its scale and
// the legend of its colours, and the same reading gives the same bytes. Text in pictures is ASCII.
package picture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"

	"mome/experts"
	"mome/experts/volume"
	"mome/server/analysis"
)

// Kind is what a picture shows.
type Kind string

// Kinds.
const (
	Projection Kind = "projection" // of the early subtraction, with all lesions
	Anatomy    Kind = "anatomy"    // a lesion in the phase that results refer to, with outline and diameters
	Kinetics   Kind = "kinetics"   // the same with the signal enhancement ratio in colours
	HeatMap    Kind = "heat map"   // the same with the model's attribution in colours
	T2         Kind = "T2"         // at the same place
	ADC        Kind = "ADC"        // at the same place
)

// Picture is one picture with what is needed to file it.
type Picture struct {
	Name   string // unique within a reading: "mip-transverse", "lesion-1-kinetics"
	Kind   Kind
	Title  string // one line in English, such as "MIP of the early subtraction, transverse"
	Lesion int    // index into Assessment.Findings, -1 for a picture of the whole examination
	View   string // "transverse", "sagittal right", ...
	Image  *image.RGBA
	Plane  Plane
}

// Plane is where the picture lies in patient space. Of a projection it lies in the middle of what was projected, and
// ThicknessMM is the extent of that. Bands with text lie beyond the anatomy on the same plane.
type Plane struct {
	FrameOfReference string
	OriginMM         volume.Vec // the centre of the first pixel
	Right, Down      volume.Vec // unit directions of rows and columns
	SpacingMM        float64    // between pixels, both ways
	ThicknessMM      float64
}

// PNG returns the picture as a PNG file.
func (p *Picture) PNG() ([]byte, error) {
	var b bytes.Buffer
	if err := png.Encode(&b, p.Image); err != nil {
		return nil, fmt.Errorf("picture %s: %w", p.Name, err)
	}
	return b.Bytes(), nil
}

// Config is what goes onto every picture.
type Config struct {
	Notice    string // required: what the result is, such as that it is for no clinical use
	TrainedOn string // what the model was trained on; "" where no model judged
}

// MaxLesions bounds the lesions that get pictures of their own, most suspicious first.
const MaxLesions = 20

// Draw draws all pictures of a reading, none where no volumes were built: projections first, then each lesion's in the
// order of findings. The other breast's reading has its own. It returns ctx.Err() soon after ctx is cancelled.
func Draw(ctx context.Context, r *analysis.Reading, cfg Config) ([]Picture, error) {
	if r.Study == nil || len(r.Study.DCE) < 2 {
		return nil, nil
	}
	d, err := newDrawing(r, cfg)
	if err != nil {
		return nil, err
	}
	out, err := d.projections(ctx)
	if err != nil {
		return nil, err
	}
	if r.Attribution != nil {
		for _, v := range r.Attribution.Data {
			d.strongest = max(d.strongest, math.Abs(float64(v)))
		}
	}
	for n := range min(len(r.Assessment.Findings), MaxLesions) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		all, err := d.lesion(n)
		if err != nil {
			return nil, err
		}
		out = append(out, all...)
	}
	return out, nil
}

// Projections draws the projections alone.
func Projections(ctx context.Context, r *analysis.Reading, cfg Config) ([]Picture, error) {
	if r.Study == nil || len(r.Study.DCE) < 2 {
		return nil, nil
	}
	d, err := newDrawing(r, cfg)
	if err != nil {
		return nil, err
	}
	return d.projections(ctx)
}

// drawing is the work on one reading.
type drawing struct {
	*analysis.Reading
	cfg  Config
	face *typeface
	grid *volume.Grid // of the dynamic series
	maps map[string]*volume.Volume

	extents   map[int]box // of the findings' masks that were asked for
	strongest float64     // absolute attribution of all
}

func newDrawing(r *analysis.Reading, cfg Config) (*drawing, error) {
	if cfg.Notice == "" {
		return nil, errors.New("picture: Config.Notice is missing: no picture goes without it")
	}
	face, err := newTypeface()
	if err != nil {
		return nil, err
	}
	d := &drawing{Reading: r, cfg: cfg, face: face, grid: &r.Study.DCE[0].Volume.Grid, maps: map[string]*volume.Volume{},
		extents: map[int]box{}}
	for _, o := range r.Opinions {
		for name, m := range o.Maps {
			d.maps[name] = m
		}
	}
	return d, nil
}

// extent returns the box of a finding's mask, empty without one. It is looked for once: a mask is as large as the volume.
func (d *drawing) extent(n int) box {
	b, ok := d.extents[n]
	if !ok {
		b = emptyBox().with(d.mask(n))
		d.extents[n] = b
	}
	return b
}

// mask returns the mask of a finding, nil where it is not on the grid.
func (d *drawing) mask(n int) *volume.Mask {
	m := d.Assessment.Findings[n].Mask
	if m == nil || !m.Same(d.grid) {
		return nil
	}
	return m
}

// called reports whether a finding reaches the operating point.
func (d *drawing) called(n int) bool {
	p := d.Assessment.Findings[n].Probability
	return p.Known && p.Value >= d.Assessment.Algorithm.OperatingPoint
}

// lesionInk is the colour of a finding's outline: orange where it is called, else sky blue. Pictures say which is
// which in words too.
func (d *drawing) lesionInk(n int) color.NRGBA {
	if d.called(n) {
		return okabeIto(orange)
	}
	return okabeIto(skyBlue)
}

// sideName is a side in words.
func sideName(s experts.Side) string {
	if s == experts.Right {
		return "right"
	}
	return "left"
}
