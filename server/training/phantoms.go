// Package training makes the samples that the built-in weights were fitted to: digital phantom studies, read by the
// node's own analysis up to the lesions, each lesion labelled by the phantom's truth. What is measured on them says
// nothing of patients.
package training

import (
	"bytes"
	"context"
	"fmt"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/uid"
	"mome/experts"
	"mome/experts/nn"
	"mome/experts/volume"
	"mome/fixtures/phantom"
	"mome/fusion"
	"mome/fusion/train"
	"mome/server/analysis"
)

// Kind is what a candidate turned out to be.
type Kind string

// Kinds of candidate. Other is enhancement at no planted lesion: vessels, nipple, background.
const (
	Malignant Kind = "malignant"
	Benign    Kind = "benign"
	Other     Kind = "other"
)

// Candidate is one lesion that the analysis found in a phantom, or one that it missed.
type Candidate struct {
	train.Sample
	Kind   Kind
	Missed bool // planted and not found: cut around the planted centre
}

// Tally counts what the analysis made of the phantoms' lesions.
type Tally struct {
	Studies, Planted, Found, Other int
}

// Add adds up tallies.
func (t *Tally) Add(o Tally) {
	t.Studies += o.Studies
	t.Planted += o.Planted
	t.Found += o.Found
	t.Other += o.Other
}

func (t Tally) String() string {
	return fmt.Sprintf("%d studies, %d of %d planted lesions found, %.2f other candidates a study",
		t.Studies, t.Found, t.Planted, float64(t.Other)/float64(max(t.Studies, 1)))
}

// Study reads the phantom of cfg and returns its candidates and the planted lesions that are none, cut to boxes. The
// label is 1 for malignant.
func Study(ctx context.Context, a *analysis.Analyzer, boxes nn.Boxes, cfg phantom.Config) ([]Candidate, Tally, error) {
	p, err := phantom.New(cfg)
	if err != nil {
		return nil, Tally{}, err
	}
	var objects []analysis.Object
	for _, ds := range p.Instances() {
		var b bytes.Buffer
		if err := dicom.Write(&b, ds, uid.ExplicitVRLittleEndian); err != nil {
			return nil, Tally{}, err
		}
		objects = append(objects, analysis.FromMemory(b.Bytes()))
	}
	r, err := a.Read(ctx, objects, nil)
	if err != nil {
		return nil, Tally{}, err
	}
	if r.Study == nil {
		return nil, Tally{}, fmt.Errorf("phantom %d was not understood: %s", cfg.Seed, r.Assessment.Reason.Text)
	}
	tally := Tally{Studies: 1}
	found := map[int]bool{}
	labels := p.Labels()
	var candidates []Candidate
	add := func(centreMM volume.Vec, n int, missed bool) error {
		in, err := fusion.Crop(boxes, r.Channels(), centreMM)
		if err != nil {
			return err
		}
		c := Candidate{Kind: Other, Missed: missed, Sample: train.Sample{
			DCE: in.DCE, T2: in.T2, DWI: in.DWI, Group: fmt.Sprint(cfg.Vendor, cfg.Seed),
		}}
		switch {
		case n < 0 || p.Truth.Lesions[n].Kind == phantom.Cyst:
		case p.Truth.Lesions[n].Malignant:
			c.Kind, c.Label = Malignant, 1
		default:
			c.Kind = Benign
		}
		candidates = append(candidates, c)
		return nil
	}
	for _, l := range r.Lesions {
		n := match(l, labels)
		if n >= 0 {
			found[n] = true
		} else {
			tally.Other++
		}
		if err := add(l.CentreMM, n, false); err != nil {
			return nil, Tally{}, err
		}
	}
	for n, l := range p.Truth.Lesions {
		switch {
		case l.Kind == phantom.Cyst:
			continue
		case found[n]:
			tally.Found++
		default:
			if err := add(volume.Vec(l.CentreMM), n, true); err != nil {
				return nil, Tally{}, err
			}
		}
		tally.Planted++
	}
	return candidates, tally, nil
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
