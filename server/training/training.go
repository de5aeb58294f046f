// Package training makes labelled samples and measures models on them: of digital phantoms, whose truth is known, or of
// studies with a table of labels. Either is read by the node's own analysis up to the candidates, so that a model is
// fitted to what it will be asked about. Prepared samples can be kept on disk. It stores no patient identification; what
// is measured on phantoms says nothing of patients.
package training

import (
	"fmt"

	"mome/experts"
	"mome/experts/clinical"
	"mome/experts/volume"
	"mome/fusion"
	"mome/fusion/train"
)

// Kind is what a candidate turned out to be.
type Kind string

// Kinds of candidate. Other is enhancement at no planted lesion: vessels, nipple, background. Unlabelled candidates of
// labelled studies are those that no label means.
const (
	Malignant  Kind = "malignant" // of a phantom
	Benign     Kind = "benign"    // of a phantom
	Other      Kind = "other"     // of a phantom
	Labelled   Kind = "labelled"
	Unlabelled Kind = "unlabelled"
)

// NoLabel is the label of an unlabelled candidate.
const NoLabel = -1

// Case is one candidate lesion with what is known of it and of its study.
type Case struct {
	Facts
	StudyUID string
	Group    string // the patient, as a digest, or the phantom; a split never cuts a group
	Lesion   int    // place in the analysis' order of suspicion, from 1; 0 where the analysis did not find it
	Side     experts.Side
	CentreMM volume.Vec // patient space
	Label    int        // class of the task, NoLabel for an unlabelled candidate
	Kind     Kind
	Missed   bool // not found by the analysis: cut around the place where it is
	Split    Split
	Line     int // of the label table, 0 for phantoms

	input func() (fusion.Input, error)
}

// Facts are what is known of a study beside its images. An empty text is not known.
type Facts struct {
	clinical.Context
	Vendor string
	Site   string
	BIRADS string
}

// Input returns what the network reads: volumes from memory or from the cache's file, and the clinical context where
// anything of it is known.
func (c *Case) Input() (fusion.Input, error) {
	in, err := c.input()
	if c.Context != (clinical.Context{}) {
		in.Context = &c.Context
	}
	return in, err
}

// Source offers cases to train.Fit. Unlabelled cases must have been left out.
type Source struct {
	Cases  []Case
	Margin train.Margin // by which the cases' boxes were grown
}

// Len implements train.Source.
func (s Source) Len() int { return len(s.Cases) }

// At implements train.Source.
func (s Source) At(i int) (train.Sample, error) {
	c := &s.Cases[i]
	in, err := c.Input()
	if err != nil {
		return train.Sample{}, fmt.Errorf("study %s: %w", c.StudyUID, err)
	}
	return train.Sample{DCE: in.DCE, T2: in.T2, DWI: in.DWI, Context: in.Context, Margin: s.Margin, Label: c.Label, Group: c.Group}, nil
}

// Tally counts what the analysis made of the lesions that are known.
type Tally struct {
	Studies int // read
	NotDone int // of those, that could not be analysed
	Known   int // lesions planted in phantoms, or labels
	Found   int // of those, that a candidate was found for
	Other   int // candidates that are none of them
}

// Add adds up tallies.
func (t *Tally) Add(o Tally) {
	t.Studies += o.Studies
	t.NotDone += o.NotDone
	t.Known += o.Known
	t.Found += o.Found
	t.Other += o.Other
}

func (t Tally) String() string {
	text := fmt.Sprintf("%d studies, %d of %d known lesions found, %.2f other candidates a study",
		t.Studies, t.Found, t.Known, float64(t.Other)/float64(max(t.Studies, 1)))
	if t.NotDone > 0 {
		text += fmt.Sprintf(", %d studies could not be analysed", t.NotDone)
	}
	return text
}
