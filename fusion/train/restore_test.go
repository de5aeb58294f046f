package train

import (
	"errors"
	"maps"
	"math"
	"path/filepath"
	"testing"

	"mome/experts/weights"
)

// FuzzRestore gives state and identity of a checkpoint any text; its tensors are those of the training.
func FuzzRestore(f *testing.F) {
	c := small(2)
	samples := noise(c, Margin{}, 2)
	l := newTestLearner(f, c, samples, func(o *Options) { o.Checkpoint = filepath.Join(f.TempDir(), "checkpoint") })
	fresh := func() *fit {
		return &fit{o: l.o, config: c, learner: l, census: census{sha256: "data"}, history: History{Best: -1, Training: []int{0}, Validation: []int{1}}}
	}
	whole := fresh()
	whole.history.Epochs = []Epoch{{TrainLoss: 1, AUROC: math.NaN(), AUPRC: math.Inf(1), GradientNorm: 1e-300}}
	whole.history.Best, whole.best, whole.logits = 0, l.flat, [][]float32{{1, 2}}
	if err := whole.save(); err != nil {
		f.Fatal(err)
	}
	set, err := weights.Open(l.o.Checkpoint)
	if err != nil {
		f.Fatal(err)
	}
	back := fresh()
	if err := back.restore(set); err != nil {
		f.Fatal(err)
	}
	if got, want := back.history.Epochs[0].state(), whole.history.Epochs[0].state(); got[0] != want[0] || got[2] != want[2] || got[5] != want[5] {
		f.Fatalf("epoch %v came back as %v", want, got)
	}
	f.Add(set.Metadata[checkpointState], set.Metadata[checkpointIdentity])
	f.Add(`{"epochs":[["1"]]}`, set.Metadata[checkpointIdentity])
	f.Add(`{"epochs":[["1","1","1","1","1","x"]],"steps":[]}`, set.Metadata[checkpointIdentity])
	f.Add(`{"best":7}`, `{}`)
	f.Fuzz(func(t *testing.T, text, identity string) {
		changed := set
		changed.Metadata = maps.Clone(set.Metadata)
		changed.Metadata[checkpointState], changed.Metadata[checkpointIdentity] = text, identity
		to := fresh()
		err := to.restore(changed)
		if err != nil && !errors.Is(err, ErrCheckpoint) {
			t.Fatalf("state %q: error %v, want ErrCheckpoint", text, err)
		}
		if err == nil && (len(to.history.Epochs) == 0 || len(to.history.Epochs) > l.o.Epochs || to.history.Best >= len(to.history.Epochs) || (to.best != nil) != (to.history.Best >= 0)) {
			t.Fatalf("state %q was taken: %+v", text, to.history)
		}
		for _, n := range l.adam.steps {
			if n < 0 {
				t.Fatalf("state %q: a tensor has had %d steps", text, n)
			}
		}
	})
}
