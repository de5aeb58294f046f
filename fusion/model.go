package fusion

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync"

	"mome/experts"
	"mome/experts/clinical"
	"mome/experts/nn"
	"mome/experts/weights"
	"mome/gpu/op"
	"mome/gpu/vm"
)

// ErrInput is wrapped by errors about volumes that the model cannot read.
var ErrInput = errors.New("input does not fit the model")

// Input is one study's volumes in the model's boxes, [channel, H, W, D] row-major; nil is an absent modality.
type Input struct {
	DCE, T2, DWI []float32
	// Context is what is known beside the images. Models that have no tensor for it do not read it; those that have
	// leave its rows out where it is nil.
	Context *clinical.Context
}

// Of is the volume of a modality, nil if it is absent.
func (in Input) Of(m experts.Modality) []float32 {
	switch m {
	case experts.DCE:
		return in.DCE
	case experts.T2:
		return in.T2
	case experts.DWI:
		return in.DWI
	}
	return nil
}

// Model is a network with its weights. Graphs are built when an expert or a combination of modalities is first met, and
// kept. A Model is safe for concurrent use.
type Model struct {
	set         weights.Set
	config      nn.Config
	options     Options
	temperature float64
	threshold   float64
	task        Task
	hash        func() string

	lanes chan *lane // free ones
}

// Options says how a model is made and run.
type Options struct {
	Branches  Branches     // the experts' graphs; required
	Precision op.Precision // of matrix products and convolutions; float32 by default
	Machine   *vm.Machine  // where graphs run; nil is the CPU
	// Lanes is how many calls may run side by side on a device, each with memory of its own; 0 is 1. On the CPU calls take turns,
	// since one already uses all cores.
	Lanes int
}

// Arithmetic says how answers may differ from those of the CPU in float32: by precision, and by the order of sums on a device. It is
// empty for just that.
func (o Options) Arithmetic() string {
	switch {
	case o.Machine != nil:
		return o.Precision.String() + ", CUDA"
	case o.Precision != op.Float32:
		return o.Precision.String()
	}
	return ""
}

// New makes a model of weights whose tensors and metadata fit together; see nn.ConfigFrom. The tensors are not copied
// and must not change any more. Without a temperature in the metadata logits are taken as they are; without an
// operating point it is 0.5.
func New(set weights.Set, o Options) (*Model, error) {
	config, err := nn.ConfigFrom(set)
	if err != nil {
		return nil, fmt.Errorf("new model: %w", err)
	}
	for _, m := range nn.RowOrder() {
		if o.Branches.of(m) == nil {
			return nil, fmt.Errorf("new model: no branch for %s", m)
		}
	}
	m := &Model{set: set, config: config, options: o, hash: sync.OnceValue(set.SHA256)}
	if m.temperature, err = setting(set, weights.Temperature, 1, math.SmallestNonzeroFloat64, 1e6); err != nil {
		return nil, fmt.Errorf("new model: %w", err)
	}
	if m.threshold, err = setting(set, weights.OperatingPoint, 0.5, 0, 1); err != nil {
		return nil, fmt.Errorf("new model: %w", err)
	}
	if m.task, err = TaskOf(set.Metadata, config.Classes); err != nil {
		return nil, fmt.Errorf("new model: %w", err)
	}
	count := 1
	if o.Machine != nil {
		count = max(1, o.Lanes)
	}
	m.lanes = make(chan *lane, count)
	for range count {
		m.lanes <- &lane{vm: o.Machine.Lane(o.Precision), stages: map[stage]*executor{}}
	}
	return m, nil
}

// setting reads a number of the metadata that must lie in [low, high].
func setting(set weights.Set, key string, fallback, low, high float64) (float64, error) {
	text, ok := set.Metadata[key]
	if !ok {
		return fallback, nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v >= low && v <= high) {
		return 0, fmt.Errorf("metadata %s = %q, want a number from %g to %g", key, text, low, high)
	}
	return v, nil
}

// Config is the size of the network and of its boxes.
func (m *Model) Config() nn.Config { return m.config }

// Metadata are those of the weights; see the keys in package weights. They must not be changed.
func (m *Model) Metadata() map[string]string { return m.set.Metadata }

// Weights are what the model was made of. They must not be changed.
func (m *Model) Weights() weights.Set { return m.set }

// Options are those that the model was made with.
func (m *Model) Options() Options { return m.options }

// SHA256 is the hash of the weights, 64 hexadecimal digits.
func (m *Model) SHA256() string { return m.hash() }

// Temperature divides the logits before softmax.
func (m *Model) Temperature() float64 { return m.temperature }

// OperatingPoint is the probability from which a finding is called.
func (m *Model) OperatingPoint() float64 { return m.threshold }

// Logits are the outputs of the head, one per class, before calibration. Without any modality they are what the class
// token alone gives.
func (m *Model) Logits(ctx context.Context, in Input) ([]float32, error) {
	o, err := m.read(ctx, in, false)
	if err != nil {
		return nil, err
	}
	return m.logits(ctx, o, experts.Modalities[:]...)
}

// check refuses volumes of another size, values that are not finite, and a context of impossible values.
func (m *Model) check(in Input) error {
	if in.Context != nil {
		if err := in.Context.Check(); err != nil {
			return fmt.Errorf("%w: %w", ErrInput, err)
		}
	}
	for _, modality := range nn.RowOrder() {
		data := in.Of(modality)
		if data == nil {
			continue
		}
		if box := m.config.Boxes.Of(modality); len(data) != box.Floats() {
			return fmt.Errorf("%w: %s has %d values, want %d channels of %v", ErrInput, modality, len(data), box.Channels, box.Size)
		}
		for i, v := range data {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				return fmt.Errorf("%w: %s is not finite at value %d", ErrInput, modality, i)
			}
		}
	}
	return nil
}

// Probability is softmax(logits / temperature) of class 1, malignant.
func (m *Model) Probability(ctx context.Context, in Input) (float64, error) {
	odds, err := m.logOdds(ctx, in)
	if err != nil {
		return 0, err
	}
	return 1 / (1 + math.Exp(-odds)), nil
}

// logOdds are ln(p / (1-p)) of class 1 after calibration.
func (m *Model) logOdds(ctx context.Context, in Input) (float64, error) {
	logits, err := m.Logits(ctx, in)
	if err != nil {
		return 0, err
	}
	return LogOdds(logits, m.temperature)
}

// LogOdds are ln(p / (1-p)) of class 1 for p = softmax(logits / temperature).
func LogOdds(logits []float32, temperature float64) (float64, error) {
	if len(logits) < 2 {
		return 0, fmt.Errorf("%d classes have no class 1", len(logits))
	}
	top := math.Inf(-1)
	for i, v := range logits {
		if i != 1 {
			top = max(top, float64(v)/temperature)
		}
	}
	others := 0.0
	for i, v := range logits {
		if i != 1 {
			others += math.Exp(float64(v)/temperature - top)
		}
	}
	odds := float64(logits[1])/temperature - top - math.Log(others)
	if math.IsNaN(odds) {
		return 0, fmt.Errorf("logits %v are not finite", logits)
	}
	return odds, nil
}
