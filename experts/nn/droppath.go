package nn

import (
	"fmt"

	"gorgonia.org/gorgonia"

	"mome/gpu/op"
)

// The residual branches of a layer that stochastic depth can leave out.
const (
	attentionBranch   = "attention"
	feedForwardBranch = "ffn"
)

// DropPathInputs are the names of the inputs, [1] each, by which a graph built with Builder.DropPath multiplies the
// residual branches of its layers, attention before feed-forward, from the first layer to the last: stochastic depth
// (Huang et al., arXiv 1603.09382). For one run an input is 0, which leaves the branch out, or 1 divided by the
// probability of its being kept. One draw holds for all rows of all modalities, as in BEiT-3, where a draw is made per
// sample. As published, the adapter or soft mixture belongs to the feed-forward's branch.
func DropPathInputs(c Config) []string {
	var names []string
	for i := range c.Layers {
		names = append(names, dropPathName(i, attentionBranch), dropPathName(i, feedForwardBranch))
	}
	return names
}

// DropPathRate is the probability with which the branches of a layer are left out: linear over depth, from 0 in the
// first layer to the maximum in the last.
func DropPathRate(c Config, layer int, maximum float64) float64 {
	if c.Layers < 2 {
		return 0 // the first layer's
	}
	return maximum * float64(layer) / float64(c.Layers-1)
}

func dropPathName(layer int, branch string) string {
	return fmt.Sprintf("drop_path.%d.%s", layer, branch)
}

// AddFeedForward adds what feed-forward and adapter answer, [T, E] each, to the rows x.
func (b *Builder) AddFeedForward(layer int, x, feedForward, adapter *gorgonia.Node) *gorgonia.Node {
	if !b.DropPath {
		return b.Sum(x, feedForward, adapter)
	}
	return b.Sum(x, b.branch(layer, feedForwardBranch, b.Sum(feedForward, adapter)))
}

// branch is x: [T, E], what a residual branch adds, times the branch's input where the graph has those.
func (b *Builder) branch(layer int, name string, x *gorgonia.Node) *gorgonia.Node {
	if !b.DropPath {
		return x
	}
	return b.Add(func() (*gorgonia.Node, error) {
		input := dropPathName(layer, name)
		s, ok := b.inputs[input]
		if !ok {
			var err error
			if s, err = op.Input(b.Graph, input, 1); err != nil {
				return nil, err
			}
			b.inputs[input] = s // not in order: it is not a weight
		}
		return op.Scale(x, s)
	})
}
