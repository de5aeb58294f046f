package detection

import (
	"cmp"
	"math"
	"slices"

	"mome/experts"
	"mome/experts/lesion"
	"mome/experts/volume"
	"mome/fixtures/phantom"
	"mome/fixtures/phantom/anatomy"
)

// The rule by which a candidate has found a planted lesion: pairs are taken in order of their Dice coefficient, each
// candidate and each lesion once, down to minDice. An overlap of 0.2 is far less than an outline should have; below it a
// reader would look elsewhere. (Of MICCAI challenges' rules, which run from a voxel to 0.5, it is one of the stricter.)
const minDice = 0.2

// splitShare is the share of a false candidate's voxels in planted lesions from which it is called a part of one.
const splitShare = 0.1

// Planted is a lesion that enhances, and how it was found.
type Planted struct {
	Lesion     int     // index into the phantom's truth
	SizeMM     float64 // largest diameter of the ellipsoid under the surface, without spicules
	LongAxisMM float64 // of the mask, as lesion.Measure measures
	VolumeCM3  float64
	EarlyPct   float64 // %, mean early enhancement, without noise
	Contrast   float64 // percentage points above the median of the fibroglandular tissue
	Malignant  bool
	Rim        float64
	Spiculated float64
	Irregular  float64

	Candidate int     // index into the study's candidates; -1: missed
	Score     float64 // of the candidate
	Outline   Outline // unless missed
}

// Outline holds a candidate against the mask of the lesion that it found.
type Outline struct {
	Dice       float64
	SurfaceMM  float64 // mean distance of the surfaces, both ways
	Surface95  float64 // mm, 95th percentile of it
	LongAxisMM float64 // mm, candidate less truth
	Volume     float64 // candidate over truth
}

// Candidate is what the detection returned.
type Candidate struct {
	Score    float64 // experts.Lesion.Suspicion
	Found    int     // index into the study's planted lesions; -1: a false positive
	What     Kind    // of a false positive
	SizeMM   float64 // long axis
	CentreMM volume.Vec
}

// Kind is what a false positive is.
type Kind string

// Kinds, in the order of tables.
const (
	Split  Kind = "part of a lesion"
	Cyst   Kind = "cyst"
	Nipple Kind = "nipple"
	Skin   Kind = "skin"
	Heart  Kind = "heart"
	Muscle Kind = "muscle"
	Node   Kind = "lymph node"
	Vessel Kind = "vessel"
	Gland  Kind = "gland"
)

// kinds lists all of them.
func kinds() []Kind {
	return []Kind{Split, Cyst, Nipple, Skin, Heart, Muscle, Node, Vessel, Gland}
}

// truth is an examination's truth in the forms that it is compared in.
type truth struct {
	*exam
	early      int // phase
	background float64
	masks      []*experts.Lesion // measured; nil for cysts
}

func newTruth(e *exam) *truth {
	t := &truth{exam: e}
	t.early, _ = e.study.EarlyLate(experts.EarlyS, experts.LateS)
	pre, early := e.study.DCE[0].Volume, e.study.DCE[t.early].Volume
	var pe []float64
	for at := range e.tissue {
		if e.is(at, anatomy.Gland) && pre.Data[at] > 0 {
			pe = append(pe, 100*float64(early.Data[at]-pre.Data[at])/float64(pre.Data[at]))
		}
	}
	t.background = quantile(pe, 0.5)
	for n, l := range e.truth.Lesions {
		t.masks = append(t.masks, nil)
		if l.Kind == phantom.Cyst {
			continue
		}
		m := volume.NewMask(pre.Grid)
		for at, label := range e.labels {
			m.Data[at] = int(label) == n+1
		}
		if m.Count() == 0 {
			continue // another lesion covers it
		}
		t.masks[n] = &experts.Lesion{Mask: m}
		lesion.Measure(t.masks[n], nil)
	}
	return t
}

func (t *truth) facts() Facts {
	return Facts{Seed: t.truth.Seed, Vendor: string(t.truth.Vendor), Images: images(t.acquisition), MotionMM: t.motion, Density: t.truth.Density, Background: t.background}
}

// match pairs candidates with lesions.
func (t *truth) match(found []*experts.Lesion) ([]Planted, []Candidate) {
	var planted []Planted
	for n, l := range t.truth.Lesions {
		if t.masks[n] == nil {
			continue
		}
		planted = append(planted, Planted{
			Lesion: n, SizeMM: l.DiametersMM[0], LongAxisMM: t.masks[n].LongAxisMM, VolumeCM3: t.masks[n].VolumeCM3,
			EarlyPct: l.EnhancementPct[t.early], Contrast: l.EnhancementPct[t.early] - t.background, Malignant: l.Malignant,
			Rim: l.Rim, Spiculated: l.Spiculation, Irregular: l.Irregularity, Candidate: -1,
		})
	}
	type pair struct {
		planted, candidate int
		dice               float64
	}
	var pairs []pair
	candidates := make([]Candidate, len(found))
	for c, l := range found {
		candidates[c] = Candidate{Score: l.Suspicion, Found: -1, SizeMM: l.LongAxisMM, CentreMM: l.CentreMM}
		for p := range planted {
			if d := dice(l.Mask.Data, t.masks[planted[p].Lesion].Mask.Data); d >= minDice {
				pairs = append(pairs, pair{p, c, d})
			}
		}
	}
	slices.SortStableFunc(pairs, func(a, b pair) int { return cmp.Compare(b.dice, a.dice) })
	for _, q := range pairs {
		p, c := &planted[q.planted], &candidates[q.candidate]
		if p.Candidate >= 0 || c.Found >= 0 {
			continue
		}
		p.Candidate, p.Score, c.Found = q.candidate, c.Score, q.planted
		p.Outline = outline(found[q.candidate], t.masks[p.Lesion])
	}
	for c := range candidates {
		if candidates[c].Found < 0 {
			candidates[c].What = t.what(found[c])
		}
	}
	return planted, candidates
}

// dice is Dice's coefficient of two sets.
func dice(a, b []bool) float64 {
	both, sum := 0, 0
	for at, in := range a {
		if in {
			sum++
			if b[at] {
				both++
			}
		}
		if b[at] {
			sum++
		}
	}
	if sum == 0 {
		return math.NaN()
	}
	return 2 * float64(both) / float64(sum)
}

// outline compares a candidate with the truth.
func outline(found, truth *experts.Lesion) Outline {
	o := Outline{
		Dice:       dice(found.Mask.Data, truth.Mask.Data),
		LongAxisMM: found.LongAxisMM - truth.LongAxisMM,
		Volume:     found.VolumeCM3 / truth.VolumeCM3,
	}
	a, b := surface(found.Mask), surface(truth.Mask)
	distances := append(nearest(a, b), nearest(b, a)...)
	for _, d := range distances {
		o.SurfaceMM += d / float64(len(distances))
	}
	o.Surface95 = quantile(distances, 0.95)
	return o
}

// surface returns the middles of the faces between a mask and its outside, patient space.
func surface(m *volume.Mask) []volume.Vec {
	var out []volume.Vec
	for at, in := range m.Data {
		if !in {
			continue
		}
		i, j, k := m.Voxel(at)
		for a := range 3 {
			for _, side := range [2]int{-1, 1} {
				next := [3]int{i, j, k}
				next[a] += side
				if m.Contains(next[0], next[1], next[2]) && m.Data[m.Index(next[0], next[1], next[2])] {
					continue
				}
				p := [3]float64{float64(i), float64(j), float64(k)}
				p[a] += float64(side) / 2
				out = append(out, m.Point(p[0], p[1], p[2]))
			}
		}
	}
	return out
}

// nearest returns for each point the distance to the nearest of others, mm.
func nearest(points, others []volume.Vec) []float64 {
	out := make([]float64, len(points))
	for n, p := range points {
		best := math.Inf(1)
		for _, q := range others {
			d := p.Sub(q)
			best = min(best, d.Dot(d))
		}
		out[n] = math.Sqrt(best)
	}
	return out
}

// what names a false positive: a part of a lesion or a cyst by its voxels, else the tissue that most of its enhancement
// comes from. What enhances in fat is a vessel: the phantom's are thinner than a voxel, which is then fat for the larger
// part.
func (t *truth) what(l *experts.Lesion) Kind {
	pre, early := t.study.DCE[0].Volume.Data, t.study.DCE[t.early].Volume.Data
	count, inLesion, inCyst := 0, 0, 0
	rise := map[Kind]float64{}
	for at, in := range l.Mask.Data {
		if !in {
			continue
		}
		count++
		if n := int(t.labels[at]); n > 0 {
			if t.truth.Lesions[n-1].Kind == phantom.Cyst {
				inCyst++
			} else {
				inLesion++
			}
		}
		rise[kindOf(anatomy.Tissue(t.tissue[at]))] += max(float64(early[at]-pre[at]), 0)
	}
	switch {
	case float64(inLesion) >= splitShare*float64(count):
		return Split
	case 2*inCyst >= count:
		return Cyst
	case rise[Heart] > 0 && rise[Vessel] > 0: // blood of its chambers
		rise[Heart] += rise[Vessel]
	}
	best := Gland
	for _, k := range kinds() {
		if rise[k] > rise[best] {
			best = k
		}
	}
	return best
}

func kindOf(t anatomy.Tissue) Kind {
	switch t {
	case anatomy.Fat, anatomy.Blood:
		return Vessel
	case anatomy.Skin, anatomy.Air:
		return Skin
	case anatomy.Nipple:
		return Nipple
	case anatomy.Muscle, anatomy.Cortex, anatomy.Marrow:
		return Muscle
	case anatomy.Myocardium, anatomy.Lung, anatomy.Liver:
		return Heart
	case anatomy.Node:
		return Node
	}
	return Gland
}

// quantile interpolates between order statistics; NaN of nothing. It sorts values.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	slices.Sort(values)
	at := q * float64(len(values)-1)
	low := int(at)
	high := min(low+1, len(values)-1)
	return values[low] + (at-float64(low))*(values[high]-values[low])
}
