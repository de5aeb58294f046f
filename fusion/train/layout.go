package train

import (
	"maps"
	"slices"

	"mome/experts/nn"
	"mome/experts/weights"
)

// layout says where each trained tensor lies in a flat array of them all. Frozen tensors have no place in it, so that
// nothing is kept for them but their own numbers.
type layout struct {
	specs  []nn.TensorSpec // of the trained tensors
	at     []int           // where each begins; one more at the end
	number map[string]int  // by name
}

func newLayout(config nn.Config, trained func(name string) bool) layout {
	l := layout{at: []int{0}, number: map[string]int{}}
	for _, s := range config.Tensors() {
		if !trained(s.Name) {
			continue
		}
		n := 1
		for _, d := range s.Shape {
			n *= d
		}
		l.number[s.Name] = len(l.specs)
		l.specs = append(l.specs, s)
		l.at = append(l.at, l.size()+n)
	}
	return l
}

// size is the count of trained numbers.
func (l layout) size() int { return l.at[len(l.at)-1] }

// of is the part of a flat array that belongs to the i-th trained tensor.
func (l layout) of(flat []float32, i int) []float32 { return flat[l.at[i]:l.at[i+1]:l.at[i+1]] }

// set puts trained and frozen tensors together. It shares the memory of both.
func (l layout) set(flat []float32, config nn.Config, frozen weights.Set, metadata map[string]string) (weights.Set, error) {
	var tensors []weights.Tensor
	for _, s := range config.Tensors() {
		t, _ := frozen.Tensor(s.Name) // nn.ConfigFrom has seen them all
		if i, ok := l.number[s.Name]; ok {
			t = weights.Tensor{Name: s.Name, Shape: slices.Clone(s.Shape), Data: l.of(flat, i)}
		}
		tensors = append(tensors, t)
	}
	return weights.New(tensors, maps.Clone(metadata))
}
