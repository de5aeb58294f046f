package fusion

import (
	"fmt"

	"gorgonia.org/gorgonia"

	"mome/experts/nn"
	"mome/gpu/op"
)

// mixture is the adapter of a fusion layer over all rows h: [N, E], answered for the rows [from, to) of them:
//
//	g = GELU(D_fc1 h)                          [N, d], d = Config.Adapter
//	L = g phi                                  [N, experts·slots]
//	slots = softmax_over_rows(L)ᵀ g            [experts·slots, d]
//	y = slots through their expert             [experts·slots, d]
//	answer = norm(D_fc2(softmax_over_slots(L) y))
//
// (Puigcerver et al., "From Sparse to Soft Mixtures of Experts", arXiv 2308.00951, eqs. 1-3.)
func mixture(b *nn.Builder, index int, h *gorgonia.Node, from, to int) *gorgonia.Node {
	name := nn.LayerName(index, "MLP_Adapter")
	g := b.GELU(b.Linear(name+".D_fc1", h))
	phi := b.Weight(name + ".moe.phi")
	l := b.Add(func() (*gorgonia.Node, error) { return op.MatMul(g, phi, false, false) })
	dispatch := b.Add(func() (*gorgonia.Node, error) { return op.Softmax(l, 0) })
	b.Mark(fmt.Sprintf("dispatch.%d", index), dispatch)
	slots := b.Add(func() (*gorgonia.Node, error) { return op.MatMul(dispatch, g, true, false) })
	w, bias := b.Weight(name+".moe.experts.weight"), b.Weight(name+".moe.experts.bias")
	y := b.Add(func() (*gorgonia.Node, error) { return op.GroupedLinear(slots, w, bias) })
	rows := l
	if b.Err() == nil && (from != 0 || to != l.Shape()[0]) {
		rows = b.Rows(l, from, to)
	}
	combine := b.Add(func() (*gorgonia.Node, error) { return op.Softmax(rows, 1) })
	b.Mark(fmt.Sprintf("combine.%d", index), combine)
	mixed := b.Add(func() (*gorgonia.Node, error) { return op.MatMul(combine, y, false, false) })
	mixed = b.Mark(fmt.Sprintf("mixture.%d", index), mixed)
	return b.Mark(fmt.Sprintf("adapter.%d", index), b.Norm(name+".norm", b.Linear(name+".D_fc2", mixed)))
}
