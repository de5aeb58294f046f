package dce

import (
	"gorgonia.org/gorgonia"

	"mome/experts"
	"mome/experts/nn"
)

// Graph adds the expert for the dynamic series to the graph: from the subtractions, [1, channel, H, W, D] with one
// channel per post-contrast phase minus the pre-contrast one, to its tokens [1+T, E], class token first. Without a
// dynamic series the input is nil and the class token stands alone.
func Graph(b *nn.Builder, input *gorgonia.Node) (*gorgonia.Node, error) {
	return b.Expert(experts.DCE, input)
}
