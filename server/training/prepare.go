package training

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"mome/experts/nn"
	"mome/experts/volume"
	"mome/fixtures/phantom"
	"mome/fusion"
	"mome/server/analysis"
)

// preparation is the version of what this package makes of a reading. It counts up when the cuts change.
const preparation = 2

// Config is what a Preparer works with. Analyzer and Boxes are needed; its analyzer has no model.
type Config struct {
	Analyzer *analysis.Analyzer
	Boxes    nn.Boxes // of the network; without a field of view it reads whole examinations, one sample each
	Version  string   // of the software
	Cache    *Cache   // nil: samples are kept in memory and made anew by every run
	Parallel int      // studies read at the same time; default one for each core
	Progress func(Progress)
	Now      func() time.Time // default time.Now
}

// Progress is where the preparation of a set of studies stands.
type Progress struct {
	What          string // the set
	Done, Total   int    // studies
	FromCache     int    // of those done
	Tally         Tally
	Elapsed, Left time.Duration // Left is 0 while it is not known
}

// Preparer reads studies and cuts their candidates to samples. It is safe for concurrent use.
type Preparer struct {
	cfg   Config
	probe string // what the analysis makes of a known study: part of every key of the cache
}

// NewPreparer returns a Preparer. With a cache it first reads one small phantom: what comes out is part of the name of
// every cached file, so that samples of another analysis are never taken for this one's.
func NewPreparer(ctx context.Context, cfg Config) (*Preparer, error) {
	if cfg.Analyzer == nil {
		return nil, errors.New("training: Config.Analyzer is needed")
	}
	if cfg.Parallel < 1 {
		cfg.Parallel = runtime.GOMAXPROCS(0)
	}
	if cfg.Progress == nil {
		cfg.Progress = func(Progress) {}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	p := &Preparer{cfg: cfg}
	if cfg.Cache == nil {
		return p, nil
	}
	r, err := p.readPhantom(ctx, phantom.Config{Seed: 1, MotionMM: 1, Lesions: []phantom.Lesion{
		{Kind: phantom.Malignant, Side: phantom.Right, DiametersMM: [3]float64{22, 20, 18}},
		{Kind: phantom.Benign, Side: phantom.Left, DiametersMM: [3]float64{14, 12, 12}},
	}})
	if err != nil {
		return nil, fmt.Errorf("read the probe of the analysis: %w", err)
	}
	var b bytes.Buffer
	if err := r.write(&b); err != nil {
		return nil, err
	}
	p.probe = key(b.String())
	return p, nil
}

// key is the cache's name for a study.
func (p *Preparer) key(study ...any) string {
	return key(append([]any{preparation, p.cfg.Version, p.probe, p.cfg.Boxes}, study...)...)
}

// each runs load for n studies, then read for those that it had no answer for, several at a time, and reports progress.
// Both return what the study adds to the tally.
func (p *Preparer) each(ctx context.Context, what string, n int, load func(i int) (Tally, bool), read func(ctx context.Context, i int) (Tally, error)) (Tally, error) {
	state := Progress{What: what, Total: n}
	began := p.cfg.Now()
	var rest []int
	for i := range n {
		t, ok := load(i)
		if !ok {
			rest = append(rest, i)
			continue
		}
		state.Tally.Add(t)
		state.Done++
		state.FromCache++
	}
	if state.Done > 0 {
		p.cfg.Progress(state)
	}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(p.cfg.Parallel)
	for _, i := range rest {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			t, err := read(ctx, i)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			state.Tally.Add(t)
			state.Done++
			state.Elapsed = p.cfg.Now().Sub(began)
			made := state.Done - state.FromCache
			state.Left = state.Elapsed / time.Duration(made) * time.Duration(len(rest)-made)
			p.cfg.Progress(state)
			return nil
		})
	}
	return state.Tally, group.Wait()
}

// load returns the cache's record of a study, nil where there is none that fits: an examination that is read whole has
// one cut unless it could not be read.
func (p *Preparer) load(name string) *record {
	r := p.cfg.Cache.load(name, p.cfg.Boxes)
	if r != nil && p.whole() && r.NotDone == "" && len(r.Cuts) != 1 {
		return nil
	}
	return r
}

// whole reports whether a sample is a whole examination instead of a candidate's surroundings.
func (p *Preparer) whole() bool { return p.cfg.Boxes.DCE.FieldOfViewMM == [3]float64{} }

// cuts makes the record of a reading: its candidates, and the places that hold none.
func (p *Preparer) cuts(r *analysis.Reading, study string) (*record, error) {
	out := &record{Study: study}
	if r.Assessment.Outcome == fusion.NotDone {
		out.NotDone = r.Assessment.Reason.Code
		return out, nil
	}
	if p.whole() {
		in, err := fusion.Whole(p.cfg.Boxes, r.Channels())
		if err != nil {
			return nil, err
		}
		out.Cuts = []cut{{memory: in}}
		return out, nil
	}
	for n, l := range r.Lesions {
		in, err := fusion.Crop(p.cfg.Boxes, r.Channels(), l.CentreMM)
		if err != nil {
			return nil, err
		}
		out.Cuts = append(out.Cuts, cut{Lesion: n + 1, Side: l.Side, CentreMM: l.CentreMM, LongAxisMM: l.LongAxisMM, memory: in})
	}
	return out, nil
}

// cutAt adds a place where the analysis has no candidate.
func (p *Preparer) cutAt(out *record, r *analysis.Reading, placeMM volume.Vec, kind Kind) error {
	in, err := fusion.Crop(p.cfg.Boxes, r.Channels(), placeMM)
	if err != nil {
		return err
	}
	out.Cuts = append(out.Cuts, cut{CentreMM: placeMM, Kind: kind, memory: in})
	return nil
}

// Prepared are studies that were read.
type Prepared struct {
	Studies  []Study
	Tally    Tally
	Problems []string // with labels and studies, by line and Study Instance UID
}

// Study is one examination with its cases.
type Study struct {
	Facts
	UID   string
	Group string
	Label int // of its most suspicious lesion; NoLabel where its labels do not make one
	Split Split
	Done  bool // false: it could not be analysed
	Cases []Case
}

// Cases returns the cases that use accepts, study by study.
func (p *Prepared) Cases(use func(*Case) bool) []Case {
	var all []Case
	for _, s := range p.Studies {
		for n := range s.Cases {
			if use(&s.Cases[n]) {
				all = append(all, s.Cases[n])
			}
		}
	}
	return all
}

// Labelled are the cases that have a label, missed lesions among them: what a model is fitted to.
func (p *Prepared) Labelled() []Case {
	return p.Cases(func(c *Case) bool { return c.Label != NoLabel })
}
