package explain

import (
	"fmt"

	"gorgonia.org/gorgonia"

	"mome/experts"
	"mome/experts/nn"
	"mome/fusion"
	"mome/gpu/vm"
)

// Gate is how the soft mixture of one fusion layer weighed the rows and the experts for a study. Each slot of each
// expert gathers a weighted mean of all rows (dispatch), and each row takes a weighted mean of all slots' answers
// (combine); see Puigcerver et al., arXiv 2308.00951, eqs. 1-3.
type Gate struct {
	Layer int
	// Share is how much of what the class token takes from the mixture was gathered from the rows of each modality, and
	// of the clinical context under nn.ContextRows, and ClassShare how much from the class token's own row: sum over slots
	// of combine[cls, slot] * dispatch[row, slot]. They sum to 1. They are weights of a mean, not effects: a row with a
	// large weight can change nothing.
	Share      map[experts.Modality]float64
	ClassShare float64
	// Experts is how much of what the class token takes goes through each expert; sums to 1.
	Experts []float64
	// Rows say which rows of Dispatch and Combine stand for what; the class token is row 0.
	Rows []fusion.Part
	// Dispatch is [row, experts*slots], each column sums to 1. Combine is [row, experts*slots], each row sums to 1; of
	// the last layer it has the class token's row alone, for nothing else is computed.
	Dispatch, Combine Matrix
}

// Matrix is row-major.
type Matrix struct {
	Rows, Cols int
	Data       []float32
}

// At is the element in a row and column.
func (m *Matrix) At(row, col int) float64 { return float64(m.Data[row*m.Cols+col]) }

// SlotShare is how much of what a slot gathers comes from the given rows, 0..1.
func (g *Gate) SlotShare(rows fusion.Part, slot int) float64 {
	sum := 0.0
	for row := rows.From; row < rows.To; row++ {
		sum += g.Dispatch.At(row, slot)
	}
	return sum
}

// gateNodes are a fusion layer's nodes in the graph.
type gateNodes struct {
	layer             int
	dispatch, combine *gorgonia.Node
}

func gatesOf(b *nn.Builder) ([]gateNodes, error) {
	var gates []gateNodes
	for layer := b.Config.FusionFrom; layer < b.Config.Layers; layer++ {
		g := gateNodes{layer, b.Marked(fmt.Sprintf("dispatch.%d", layer)), b.Marked(fmt.Sprintf("combine.%d", layer))}
		if g.dispatch == nil || g.combine == nil {
			return nil, fmt.Errorf("layer %d marks no dispatch and combine weights", layer)
		}
		gates = append(gates, g)
	}
	return gates, nil
}

// readGates copies the weights of the last forward run.
func (n *network) readGates(rows []fusion.Part) ([]Gate, error) {
	gates := make([]Gate, len(n.gates))
	for i, nodes := range n.gates {
		g := Gate{Layer: nodes.layer, Rows: rows, Share: map[experts.Modality]float64{}, Experts: make([]float64, n.experts)}
		var err error
		if g.Dispatch, err = matrixOf(n.forward, nodes.dispatch); err != nil {
			return nil, err
		}
		if g.Combine, err = matrixOf(n.forward, nodes.combine); err != nil {
			return nil, err
		}
		slots := g.Combine.Cols / n.experts
		for s := range g.Combine.Cols {
			taken := g.Combine.At(0, s)
			g.Experts[s/slots] += taken
			for _, part := range rows {
				if share := taken * g.SlotShare(part, s); part.Name == fusion.ClassToken {
					g.ClassShare += share
				} else {
					g.Share[part.Modality] += share
				}
			}
		}
		gates[i] = g
	}
	return gates, nil
}

func matrixOf(p *vm.Program, n *gorgonia.Node) (Matrix, error) {
	v, err := p.Value(n)
	if err != nil {
		return Matrix{}, err
	}
	m := Matrix{Rows: n.Shape()[0], Cols: n.Shape()[1], Data: make([]float32, len(v))}
	copy(m.Data, v)
	return m, nil
}
