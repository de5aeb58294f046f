package train_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"mome/experts/weights"
	"mome/fusion/train"
)

// resumable is a training of everything that chance decides: dropout of modalities and branches, flips, jitter.
func resumable(path string) train.Options {
	return train.Options{
		Branches: branches(), Epochs: 4, Batch: 4, LearningRate: 3e-3, DropPath: 0.3, Jitter: 0.1, Seed: 5, Checkpoint: path,
	}
}

func TestResumedTrainingEndsTheSame(t *testing.T) {
	samples := blobs(tiny(), 20)
	want, wantHistory, err := train.Fit(context.Background(), initial(t, 1), samples, resumable(""))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		stop func(p train.Progress) bool
	}{
		{"at the end of an epoch", func(p train.Progress) bool { return p.Done != nil && p.Epoch == 1 }},
		{"in the midst of an epoch", func(p train.Progress) bool { return p.Done == nil && p.Step == 10 }},
		{"before any epoch's end", func(p train.Progress) bool { return p.Step == 2 }},
		{"once it was over", func(p train.Progress) bool { return p.Done != nil && p.Epoch == 3 }},
	} {
		path := filepath.Join(t.TempDir(), "checkpoint")
		ctx, cancel := context.WithCancel(context.Background())
		options := resumable(path)
		options.Progress = func(p train.Progress) {
			if c.stop(p) {
				cancel()
			}
		}
		_, history, err := train.Fit(ctx, initial(t, 1), samples, options)
		if finished := len(history.Epochs) == options.Epochs; !finished && !errors.Is(err, context.Canceled) || finished && err != nil {
			t.Fatalf("stopped %s: %d epochs, error %v", c.name, len(history.Epochs), err)
		}
		done := len(history.Epochs)
		again := 0
		options.Lanes = 3 // not what it was begun with
		options.Progress = func(p train.Progress) {
			if p.Done != nil {
				again++
			}
		}
		got, gotHistory, err := train.Fit(context.Background(), initial(t, 1), samples, options)
		if err != nil {
			t.Fatalf("stopped %s: resumed: %v", c.name, err)
		}
		if again != options.Epochs-done {
			t.Errorf("stopped %s: %d epochs after %d, want %d in all", c.name, again, done, options.Epochs)
		}
		if got.SHA256() != want.SHA256() || !reflect.DeepEqual(got.Metadata, want.Metadata) {
			t.Errorf("stopped %s: weights %s with %v, want %s with %v", c.name, got.SHA256(), got.Metadata, want.SHA256(), want.Metadata)
		}
		if !reflect.DeepEqual(gotHistory, wantHistory) {
			t.Errorf("stopped %s: history\n%+v, want\n%+v", c.name, gotHistory, wantHistory)
		}
		cancel()
	}
}

func TestCheckpointOfAnotherTrainingIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "checkpoint")
	samples := blobs(tiny(), 12)
	options := resumable(path)
	options.Epochs = 1
	if _, _, err := train.Fit(context.Background(), initial(t, 1), samples, options); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(path + ".*"); left != nil {
		t.Errorf("left behind: %v", left)
	}
	relabelled := append(train.Samples{}, samples...)
	relabelled[3].Label = 1 - relabelled[3].Label
	changed := append(train.Samples{}, samples...)
	changed[3].T2 = append([]float32{7}, changed[3].T2[1:]...)
	flipped := bytes.Clone(whole)
	flipped[len(flipped)-1] ^= 1

	for _, c := range []struct {
		name    string
		file    []byte
		initial uint64
		samples train.Samples
		change  func(o *train.Options)
	}{
		{"seed", whole, 1, samples, func(o *train.Options) { o.Seed = 6 }},
		{"rate", whole, 1, samples, func(o *train.Options) { o.LearningRate = 1e-3 }},
		{"epochs", whole, 1, samples, func(o *train.Options) { o.Epochs = 2 }},
		{"trained tensors", whole, 1, samples, func(o *train.Options) { o.Trained = train.PublishedTrained }},
		{"initial weights", whole, 2, samples, nil},
		{"label", whole, 1, relabelled, nil},
		{"voxel", whole, 1, changed, nil},
		{"number of samples", whole, 1, samples[:10], nil},
		{"flipped bit", flipped, 1, samples, nil},
		{"cut short", whole[:len(whole)/2], 1, samples, nil},
		{"empty", nil, 1, samples, nil},
		{"too large", append(bytes.Clone(whole), make([]byte, 2<<20)...), 1, samples, nil},
		{"weights", written(t, initial(t, 1)), 1, samples, nil},
	} {
		if err := os.WriteFile(path, c.file, 0o600); err != nil {
			t.Fatal(err)
		}
		changed := options
		if c.change != nil {
			c.change(&changed)
		}
		if _, _, err := train.Fit(context.Background(), initial(t, c.initial), c.samples, changed); !errors.Is(err, train.ErrCheckpoint) {
			t.Errorf("another %s: error %v, want ErrCheckpoint", c.name, err)
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, c.file) {
			t.Errorf("another %s: the refused file was touched", c.name)
		}
	}
}

func written(t *testing.T, set weights.Set) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := set.WriteSafetensors(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestCheckpointThatCannotBeWritten(t *testing.T) {
	options := resumable(filepath.Join(t.TempDir(), "missing", "checkpoint"))
	if _, _, err := train.Fit(context.Background(), initial(t, 1), blobs(tiny(), 8), options); err == nil {
		t.Error("no error for a checkpoint in a folder that does not exist")
	}
}
