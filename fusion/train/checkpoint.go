package train

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"mome/experts/weights"
)

// ErrCheckpoint is wrapped by errors about a checkpoint that is broken or belongs to another training.
var ErrCheckpoint = errors.New("checkpoint does not fit")

// checkpointVersion changes with the meaning of anything in a checkpoint.
const checkpointVersion = "1"

// Tensors of a checkpoint: flat arrays of all trained tensors, and the logits of the validation part, [case, class].
// Best and logits are there once an epoch was good for anything.
const (
	checkpointWeights = "weights"
	checkpointMean    = "adam.mean"
	checkpointSquare  = "adam.square"
	checkpointBest    = "best"
	checkpointLogits  = "logits"
)

// Metadata of a checkpoint.
const (
	checkpointFormat   = "mome_checkpoint" // the version
	checkpointState    = "state"           // JSON
	checkpointIdentity = "identity"        // JSON; see fit.identity
)

// checkpointRoom is how much larger than its tensors a checkpoint may be, in bytes, and for each epoch more.
const (
	checkpointRoom      = 1 << 20
	checkpointEpochRoom = 1 << 10
)

// state is what a checkpoint holds besides tensors. There is no state of a random generator: each epoch begins with
// one of its own.
type state struct {
	Epochs     []epochState `json:"epochs"`
	Best       int          `json:"best"`
	EndedEarly bool         `json:"ended_early"`
	Steps      []int        `json:"steps"` // of Adam, by tensor
}

// epochState is an Epoch whose numbers survive JSON bit by bit, NaN included.
type epochState []string

func (e *Epoch) numbers() []*float64 {
	return []*float64{&e.TrainLoss, &e.ValidationLoss, &e.AUROC, &e.AUPRC, &e.LearningRate, &e.GradientNorm}
}

func (e Epoch) state() epochState {
	var s epochState
	for _, v := range e.numbers() {
		s = append(s, strconv.FormatFloat(*v, 'g', -1, 64))
	}
	return s
}

func (s epochState) epoch() (e Epoch, err error) {
	numbers := e.numbers()
	if len(s) != len(numbers) {
		return e, fmt.Errorf("%w: an epoch has %d numbers, want %d", ErrCheckpoint, len(s), len(numbers))
	}
	for i, text := range s {
		if *numbers[i], err = strconv.ParseFloat(text, 64); err != nil {
			return e, fmt.Errorf("%w: %q in an epoch is not a number", ErrCheckpoint, text)
		}
	}
	return e, nil
}

// identity is everything that the result of a training depends on, as far as it can be known, by name.
func (f *fit) identity() map[string]string {
	o := f.o
	digest := func(v any) string {
		sum := sha256.Sum256(fmt.Append(nil, v))
		return hex.EncodeToString(sum[:])
	}
	id := map[string]string{
		"network": fmt.Sprintf("%+v", f.config), "initial weights": f.learner.initial.SHA256(), "data": f.census.sha256,
		"trained tensors": digest(f.learner.layout.specs), "validation part": digest(f.history.Validation), "Seed": strconv.FormatUint(o.Seed, 10),
	}
	for name, value := range map[string]any{
		"Epochs": o.Epochs, "Batch": o.Batch, "LearningRate": o.LearningRate, "FinalRate": o.FinalRate, "WarmUp": o.WarmUp,
		"RatePerEpoch": o.RatePerEpoch, "WeightDecay": o.WeightDecay, "ClipNorm": o.ClipNorm, "DropPath": o.DropPath,
		"ClassWeights": o.ClassWeights, "ModalityDropout": o.ModalityDropout, "Flips": o.Flips, "Jitter": o.Jitter,
		"Best": o.Best, "Patience": o.Patience,
	} {
		id[name] = fmt.Sprint(value)
	}
	return id
}

// save writes the checkpoint, if one is asked for: beside the file first, then in its place, so that there is always a
// whole one.
func (f *fit) save() error {
	if f.o.Checkpoint == "" {
		return nil
	}
	s := state{Best: f.history.Best, EndedEarly: f.history.EndedEarly, Steps: f.learner.adam.steps}
	for _, e := range f.history.Epochs {
		s.Epochs = append(s.Epochs, e.state())
	}
	metadata := map[string]string{checkpointFormat: checkpointVersion}
	for key, value := range map[string]any{checkpointState: s, checkpointIdentity: f.identity()} {
		text, err := json.Marshal(value)
		if err != nil {
			return fmt.Errorf("checkpoint: %w", err)
		}
		metadata[key] = string(text)
	}
	flat := func(name string, data []float32) weights.Tensor {
		return weights.Tensor{Name: name, Shape: []int{len(data)}, Data: data}
	}
	tensors := []weights.Tensor{
		flat(checkpointWeights, f.learner.flat), flat(checkpointMean, f.learner.adam.mean), flat(checkpointSquare, f.learner.adam.square),
	}
	if f.best != nil {
		logits := weights.Tensor{Name: checkpointLogits, Shape: []int{len(f.logits), f.config.Classes}, Data: slices.Concat(f.logits...)}
		tensors = append(tensors, flat(checkpointBest, f.best), logits)
	}
	set, err := weights.New(tensors, metadata)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return replace(f.o.Checkpoint, set)
}

// replace writes a file so that a crash leaves the old one or the new one, whole. What a crash leaves of the next one
// has a name of its own, and is written over by the next run.
func replace(path string, set weights.Set) (err error) {
	file, err := os.OpenFile(path+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("checkpoint: %w", err), os.Remove(file.Name()))
		}
	}()
	if err := errors.Join(set.WriteSafetensors(file), file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return err
	}
	if d, err := os.Open(filepath.Dir(path)); err == nil { // not every system lets a directory be opened or synced
		_ = d.Sync()
		_ = d.Close()
	}
	return nil
}

// resume takes up a training from its checkpoint, if there is one.
func (f *fit) resume() error {
	if f.o.Checkpoint == "" {
		return nil
	}
	info, err := os.Stat(f.o.Checkpoint)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	most := int64(4*(4*f.learner.layout.size()+len(f.history.Validation)*f.config.Classes)) +
		int64(checkpointRoom+checkpointEpochRoom*f.o.Epochs)
	if info.Size() > most {
		return fmt.Errorf("%w: %s has %d bytes, this training's have at most %d", ErrCheckpoint, f.o.Checkpoint, info.Size(), most)
	}
	set, err := weights.Open(f.o.Checkpoint)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	if err := f.restore(set); err != nil {
		return fmt.Errorf("%s: %w", f.o.Checkpoint, err)
	}
	return nil
}

// restore puts back what save has put into a checkpoint.
func (f *fit) restore(set weights.Set) error {
	if got := set.Metadata[checkpointFormat]; got != checkpointVersion {
		return fmt.Errorf("%w: version %q, want %q", ErrCheckpoint, got, checkpointVersion)
	}
	var identity map[string]string
	if err := json.Unmarshal([]byte(set.Metadata[checkpointIdentity]), &identity); err != nil {
		return fmt.Errorf("%w: identity: %w", ErrCheckpoint, err)
	}
	own := f.identity()
	for _, key := range slices.Sorted(maps.Keys(own)) {
		if identity[key] != own[key] {
			return fmt.Errorf("%w: it was made with %s %s, this training has %s", ErrCheckpoint, key, identity[key], own[key])
		}
	}
	var s state
	if err := json.Unmarshal([]byte(set.Metadata[checkpointState]), &s); err != nil {
		return fmt.Errorf("%w: state: %w", ErrCheckpoint, err)
	}
	n := f.learner.layout.size()
	if len(s.Epochs) < 1 || len(s.Epochs) > f.o.Epochs || s.Best < -1 || s.Best >= len(s.Epochs) || len(s.Steps) != len(f.learner.adam.steps) {
		return fmt.Errorf("%w: %d epochs, the best %d, steps of %d tensors", ErrCheckpoint, len(s.Epochs), s.Best, len(s.Steps))
	}
	for _, steps := range s.Steps {
		if steps < 0 || steps > len(s.Epochs)*f.perEpoch() {
			return fmt.Errorf("%w: a tensor was changed %d times in %d epochs", ErrCheckpoint, steps, len(s.Epochs))
		}
	}
	var epochs []Epoch
	for _, e := range s.Epochs {
		epoch, err := e.epoch()
		if err != nil {
			return err
		}
		epochs = append(epochs, epoch)
	}
	fill := func(into []float32, name string) error {
		t, ok := set.Tensor(name)
		if !ok || len(t.Data) != len(into) {
			return fmt.Errorf("%w: tensor %s holds %d numbers, want %d", ErrCheckpoint, name, len(t.Data), len(into))
		}
		copy(into, t.Data)
		return nil
	}
	err := errors.Join(fill(f.learner.flat, checkpointWeights), fill(f.learner.adam.mean, checkpointMean), fill(f.learner.adam.square, checkpointSquare))
	if s.Best >= 0 {
		f.best = make([]float32, n)
		logits := make([]float32, len(f.history.Validation)*f.config.Classes)
		err = errors.Join(err, fill(f.best, checkpointBest), fill(logits, checkpointLogits))
		f.logits = slices.Collect(slices.Chunk(logits, f.config.Classes))
	}
	f.history.Epochs, f.history.Best, f.history.EndedEarly = epochs, s.Best, s.EndedEarly
	copy(f.learner.adam.steps, s.Steps)
	return err
}
