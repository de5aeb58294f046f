package t2

import (
	"gorgonia.org/gorgonia"

	"mome/experts"
	"mome/experts/nn"
)

// Graph adds the expert for T2-weighted images to the graph: from the volume, [1, 1, H, W, D], to its tokens [T, E].
func Graph(b *nn.Builder, input *gorgonia.Node) (*gorgonia.Node, error) {
	return b.Expert(experts.T2, input)
}
