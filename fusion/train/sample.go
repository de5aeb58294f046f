package train

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"runtime"
	"sync"

	"mome/experts"
	"mome/experts/clinical"
	"mome/experts/nn"
	"mome/fusion"
)

// Sample is one case: volumes in the network's boxes grown by the margin, [channel, H, W, D] row-major, nil where a
// modality is absent, and the class it belongs to.
type Sample struct {
	DCE, T2, DWI []float32
	// Margin is how far the volumes reach over the boxes. Training shifts the box at random within it, all modalities
	// alike; everything else takes the middle.
	Margin Margin
	// Context is what is known beside the images; networks without a tensor for it do not read it. nil leaves it out.
	Context *clinical.Context
	Label   int
	Group   string // the study or patient; a split never cuts a group
}

// of is the volume of a modality.
func (s Sample) of(m experts.Modality) []float32 {
	return fusion.Input{DCE: s.DCE, T2: s.T2, DWI: s.DWI}.Of(m)
}

// Margin is the number of voxels that a modality's volume has more than the box, on every side.
type Margin struct{ DCE, T2, DWI int }

// of is the margin of a modality.
func (m Margin) of(modality experts.Modality) int {
	switch modality {
	case experts.DCE:
		return m.DCE
	case experts.T2:
		return m.T2
	default:
		return m.DWI
	}
}

// Grow adds the margin to boxes, for cutting samples with it: sizes and fields of view.
func (m Margin) Grow(b nn.Boxes) nn.Boxes {
	return nn.Boxes{DCE: grow(b.DCE, m.DCE), T2: grow(b.T2, m.T2), DWI: grow(b.DWI, m.DWI)}
}

func grow(b nn.Box, margin int) nn.Box {
	for a, n := range b.Size {
		b.Size[a] = n + 2*margin
		b.FieldOfViewMM[a] *= float64(n+2*margin) / float64(n)
	}
	return b
}

// Source holds the samples. At must be safe for concurrent use and answer the same for the same index; Fit asks once
// for every sample at the start, to learn labels and groups and to recognise the data, and then once for every use.
type Source interface {
	Len() int
	At(i int) (Sample, error)
}

// Samples is a Source in memory.
type Samples []Sample

// Len implements Source.
func (s Samples) Len() int { return len(s) }

// At implements Source.
func (s Samples) At(i int) (Sample, error) { return s[i], nil }

// census is what is known of all samples before training.
type census struct {
	labels []int
	groups []string
	sha256 string // of labels, groups, margins and volumes
}

// survey reads every sample once.
func survey(ctx context.Context, source Source, config nn.Config) (census, error) {
	n := source.Len()
	c := census{labels: make([]int, n), groups: make([]string, n)}
	sums, errs := make([][sha256.Size]byte, n), make([]error, n)
	var wait sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		wait.Go(func() {
			for i := w; i < n && ctx.Err() == nil; i += workers {
				s, err := source.At(i)
				if err == nil {
					err = s.check(config)
				}
				if err != nil {
					errs[i] = fmt.Errorf("sample %d: %w", i, err)
					return
				}
				c.labels[i], c.groups[i], sums[i] = s.Label, s.Group, s.sha256()
			}
		})
	}
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			return census{}, err
		}
	}
	whole := sha256.New()
	for _, sum := range sums {
		whole.Write(sum[:])
	}
	c.sha256 = hex.EncodeToString(whole.Sum(nil))
	return c, ctx.Err()
}

// check refuses a label that the network does not have, and volumes that do not fit its boxes.
func (s Sample) check(config nn.Config) error {
	if s.Label < 0 || s.Label >= config.Classes {
		return fmt.Errorf("%w: label %d of %d classes", ErrOptions, s.Label, config.Classes)
	}
	if s.Context != nil {
		if err := s.Context.Check(); err != nil {
			return fmt.Errorf("%w: %w", ErrOptions, err)
		}
	}
	const widest = 1 << 10
	for _, m := range experts.Modalities {
		if v := s.Margin.of(m); v < 0 || v > widest {
			return fmt.Errorf("%w: %s has a margin of %d voxels", ErrOptions, m, v)
		}
		if data, want := s.of(m), grow(config.Boxes.Of(m), s.Margin.of(m)).Floats(); data != nil && len(data) != want {
			return fmt.Errorf("%w: %s has %d values, want %d", ErrOptions, m, len(data), want)
		}
	}
	return nil
}

// sha256 is the hash of everything in a sample.
func (s Sample) sha256() [sha256.Size]byte {
	h := sha256.New()
	fmt.Fprintf(h, "%d %q %v", s.Label, s.Group, s.Margin)
	if s.Context != nil {
		fmt.Fprintf(h, " %+v", *s.Context)
	}
	var chunk [1 << 14]byte
	for _, m := range experts.Modalities {
		data := s.of(m)
		fmt.Fprintf(h, " %s %d ", m, len(data))
		for len(data) > 0 {
			n := min(len(data), len(chunk)/4)
			for i, v := range data[:n] {
				binary.LittleEndian.PutUint32(chunk[4*i:], math.Float32bits(v))
			}
			h.Write(chunk[:4*n])
			data = data[n:]
		}
	}
	return [sha256.Size]byte(h.Sum(nil))
}
