// Package detection measures how well lesions are found and outlined, and the regions that they are looked for in, on
// digital phantoms whose truth is known: free-response operating characteristic, overlap, size, false positives by what
// they are. What it measures says nothing of patients.
package detection

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"mome/experts"
	"mome/experts/lesion"
	"mome/fixtures/phantom"
)

// Config is how Read works; its zero value works.
type Config struct {
	Cache    string // folder of prepared examinations; "" prepares them anew by every run
	Parallel int    // studies read at the same time; default one for each core
	Progress func(done, total, fromCache int)
	Now      func() time.Time // default time.Now
}

// Reading is what was made of one phantom.
type Reading struct {
	Facts
	Planted    []Planted   // lesions that enhance, in the order in which they were planted
	Candidates []Candidate // the most suspicious first
	Regions    []Region    // of the breasts that were found
	Missing    int         // breasts of the phantom that were not found
	Took       time.Duration
}

// Facts are what the results are broken down by.
type Facts struct {
	Seed       int64
	Vendor     string
	Images     string  // what was acquired: "bilateral, axial, fat-suppressed" and the like
	MotionMM   float64 // the largest that phases may have moved by
	Density    string
	Background float64 // %, median early enhancement of the fibroglandular tissue
}

// Read prepares and reads the phantoms, several at a time; the order of what comes out is that of configs.
func Read(ctx context.Context, configs []phantom.Config, cfg Config) ([]Reading, error) {
	if cfg.Parallel < 1 {
		cfg.Parallel = runtime.GOMAXPROCS(0)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	out := make([]Reading, len(configs))
	done, fromCache := 0, 0
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(cfg.Parallel) // an examination of 224 x 224 x 80 takes 0.3 GB
	for n, c := range configs {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			exam, cached, err := open(ctx, cfg.Cache, c)
			if err == nil {
				out[n], err = read(ctx, exam, cfg)
			}
			if err != nil {
				return fmt.Errorf("phantom %d: %w", c.Seed, err)
			}
			mu.Lock()
			defer mu.Unlock()
			done++
			if cached {
				fromCache++
			}
			if cfg.Progress != nil {
				cfg.Progress(done, len(configs), fromCache)
			}
			return nil
		})
	}
	return out, group.Wait()
}

// read finds breasts and lesions of an examination and holds them against the truth.
func read(ctx context.Context, e *exam, cfg Config) (Reading, error) {
	began := cfg.Now()
	breasts, _, err := lesion.Breasts(ctx, e.study)
	if err != nil {
		return Reading{}, fmt.Errorf("find the breasts: %w", err)
	}
	var found []*experts.Lesion
	if len(breasts) > 0 {
		if found, _, err = lesion.Detect(ctx, e.study, breasts, lesion.Config{}); err != nil {
			return Reading{}, fmt.Errorf("find lesions: %w", err)
		}
	}
	r := Reading{Took: cfg.Now().Sub(began)}
	t := newTruth(e)
	r.Facts = t.facts()
	r.Planted, r.Candidates = t.match(found)
	r.Regions = t.regions(breasts)
	r.Missing = e.shown() - len(breasts)
	return r, ctx.Err()
}
