package training

import (
	"context"
	"fmt"
	"math"

	"mome/experts"
	"mome/experts/volume"
	"mome/fixtures/phantom"
	"mome/fusion"
	"mome/server/analysis"
)

// Phantoms reads digital phantoms and labels every candidate by their truth: class 1 is malignant, class 0 benign or no
// lesion. Planted lesions that the analysis missed are cut around their planted centre. The order of what comes out is
// that of configs, whatever the number of cores.
func (p *Preparer) Phantoms(ctx context.Context, what string, configs []phantom.Config) (*Prepared, error) {
	out := &Prepared{Studies: make([]Study, len(configs))}
	name := func(i int) string { return p.key("phantom", configs[i]) }
	take := func(i int, r *record) Tally {
		out.Studies[i] = phantomStudy(configs[i], r, p.whole())
		return out.Studies[i].phantomTally(r)
	}
	var err error
	out.Tally, err = p.each(ctx, what, len(configs), func(i int) (Tally, bool) {
		r := p.load(name(i))
		if r == nil {
			return Tally{}, false
		}
		return take(i, r), true
	}, func(ctx context.Context, i int) (Tally, error) {
		r, err := p.readPhantom(ctx, configs[i])
		if err != nil {
			return Tally{}, fmt.Errorf("phantom %d: %w", configs[i].Seed, err)
		}
		if r, err = p.cfg.Cache.store(name(i), r, p.cfg.Boxes); err != nil {
			return Tally{}, err
		}
		return take(i, r), nil
	})
	return out, err
}

// analyse makes a phantom and reads it the way a received study is read, through DICOM's bytes: writing and parsing them
// takes a fiftieth of the time that the phantom itself and its reading take.
func (p *Preparer) analyse(ctx context.Context, cfg phantom.Config) (*phantom.Study, *analysis.Reading, error) {
	study, err := phantom.New(cfg)
	if err != nil {
		return nil, nil, err
	}
	objects, err := analysis.FromDatasets(ctx, study.Instances())
	if err != nil {
		return nil, nil, err
	}
	r, err := p.cfg.Analyzer.Read(ctx, objects, nil)
	if err == nil && r.Assessment.Outcome == fusion.NotDone {
		err = fmt.Errorf("it was not understood: %s", r.Assessment.Reason.Text)
	}
	return study, r, err
}

// readPhantom makes the record of a phantom.
func (p *Preparer) readPhantom(ctx context.Context, cfg phantom.Config) (*record, error) {
	study, r, err := p.analyse(ctx, cfg)
	if err != nil {
		return nil, err
	}
	out, err := p.cuts(r, study.Truth.StudyInstanceUID)
	if err != nil {
		return nil, err
	}
	out.AgeYears = ageOf(r.SourceHeader()).Value
	if p.whole() {
		out.Cuts[0].Kind = Benign
		if study.Truth.Malignant {
			out.Cuts[0].Kind = Malignant
		}
		return out, nil
	}
	labels, found := planted(study, &r.Assessment.Grid), map[int]bool{}
	for n, l := range r.Lesions {
		is := match(l, labels)
		out.Cuts[n].Kind = kindOf(study.Truth.Lesions, is)
		found[is] = true
	}
	for n, l := range study.Truth.Lesions {
		if l.Kind == phantom.Cyst {
			continue
		}
		out.Planted++
		if found[n] {
			continue
		}
		if err := p.cutAt(out, r, volume.Vec(l.CentreMM), kindOf(study.Truth.Lesions, n)); err != nil {
			return nil, err
		}
		out.Cuts[len(out.Cuts)-1].Side = experts.Side(l.Side)
	}
	return out, nil
}

func kindOf(lesions []phantom.Lesion, n int) Kind {
	switch {
	case n < 0 || lesions[n].Kind == phantom.Cyst:
		return Other
	case lesions[n].Malignant:
		return Malignant
	}
	return Benign
}

// phantomStudy labels a phantom's record.
func phantomStudy(cfg phantom.Config, r *record, whole bool) Study {
	vendor := cfg.Vendor
	if vendor == "" {
		vendor = phantom.Siemens
	}
	s := Study{UID: r.Study, Group: fmt.Sprint(vendor, cfg.Seed), Done: true, Facts: Facts{Vendor: string(vendor)}}
	if r.AgeYears > 0 {
		s.AgeYears = experts.Known(r.AgeYears)
	}
	for n := range r.Cuts {
		c := &r.Cuts[n]
		label := 0
		if c.Kind == Malignant {
			label, s.Label = 1, 1
		}
		s.Cases = append(s.Cases, Case{
			Facts: s.Facts, StudyUID: s.UID, Group: s.Group, Lesion: c.Lesion, Side: c.Side, CentreMM: c.CentreMM,
			Label: label, Kind: c.Kind, Missed: c.Lesion == 0 && !whole, input: c.input,
		})
	}
	return s
}

func (s *Study) phantomTally(r *record) Tally {
	t := Tally{Studies: 1, Known: r.Planted, Found: r.Planted}
	for _, c := range s.Cases {
		switch {
		case c.Missed:
			t.Found--
		case c.Kind == Other:
			t.Other++
		}
	}
	return t
}

// planted returns the phantom's labels on the analysis' grid, [slice, row, column]: n+1 in lesion n. Both have the same
// voxels, but not in the same order: the analysis sorts slices by their place, and a scanner may send them from head to
// foot.
func planted(study *phantom.Study, grid *volume.Grid) []uint8 {
	out := make([]uint8, grid.Len())
	truth := &study.Truth.Grid
	for at, label := range study.Labels() {
		if label == 0 {
			continue
		}
		i, row := at%truth.Size[0], at/truth.Size[0]
		x, y, z := grid.At(volume.Vec(truth.Point(float64(i), float64(row%truth.Size[1]), float64(row/truth.Size[1]))))
		i, j, k := int(math.Round(x)), int(math.Round(y)), int(math.Round(z))
		if grid.Contains(i, j, k) {
			out[grid.Index(i, j, k)] = label
		}
	}
	return out
}

// match returns the planted lesion that most of the mask's planted voxels belong to, if they are at least a tenth of
// the mask, and -1 otherwise.
func match(l *experts.Lesion, labels []uint8) int {
	counts := map[uint8]int{}
	total := 0
	for at, in := range l.Mask.Data {
		if in {
			total++
			counts[labels[at]]++
		}
	}
	best := uint8(0)
	for label, n := range counts {
		if label != 0 && (best == 0 || n > counts[best] || n == counts[best] && label < best) {
			best = label
		}
	}
	if best == 0 || counts[best]*10 < total {
		return -1
	}
	return int(best) - 1
}
