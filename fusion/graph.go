// Package fusion joins what the experts of the modalities say about one study: their tokens in the fusion layers of
// MOME (arXiv 2408.12606), a soft mixture of experts, one head. A modality that is absent is left out, row by row, and
// not replaced by zeros. Out come calibrated probabilities and each modality's share in them. It reads no images and
// looks for no lesions.
package fusion

import (
	"fmt"

	"gorgonia.org/gorgonia"

	"mome/experts"
	"mome/experts/nn"
)

// Branch adds one expert to the graph: from its volume [1, channel, H, W, D], or its stem's tokens [T, E], to its rows
// before fusion, [T, E]. DCE's branch puts the class token first, and takes nil where there is no dynamic series.
type Branch func(b *nn.Builder, input *gorgonia.Node) (*gorgonia.Node, error)

// Branches are the experts that a model joins.
type Branches struct{ DCE, T2, DWI Branch }

func (b Branches) of(m experts.Modality) Branch {
	switch m {
	case experts.DCE:
		return b.DCE
	case experts.T2:
		return b.T2
	default:
		return b.DWI
	}
}

// rows are one modality's rows of x, or the context's, [T, E].
type rows struct {
	modality experts.Modality
	x        *gorgonia.Node
}

// Graph adds the whole network to the graph and returns the logits, [1, classes]. Modalities without an input are left
// out; the class token is always there. Under nn.ContextRows the inputs may hold the clinical context, [field, column],
// which no expert reads: its rows come after T2's from the first fusion layer on.
func Graph(b *nn.Builder, branches Branches, inputs map[experts.Modality]*gorgonia.Node) (*gorgonia.Node, error) {
	var parts []rows
	for _, m := range nn.RowOrder() {
		if inputs[m] == nil && m != experts.DCE {
			continue
		}
		x, err := expertRows(b, branches, m, inputs[m])
		if err != nil {
			return nil, err
		}
		parts = append(parts, rows{m, x})
	}
	if context := inputs[nn.ContextRows]; context != nil {
		parts = append(parts, rows{nn.ContextRows, b.EmbedContext(context)})
	}
	return fuse(b, parts)
}

// expertRows are a modality's rows before fusion, [T, E].
func expertRows(b *nn.Builder, branches Branches, m experts.Modality, input *gorgonia.Node) (*gorgonia.Node, error) {
	branch := branches.of(m)
	if branch == nil {
		return nil, fmt.Errorf("fusion: no branch for %s", m)
	}
	x, err := branch(b, input)
	if err != nil {
		return nil, fmt.Errorf("graph of expert %s: %w", m, err)
	}
	return x, nil
}

// fuse is the rest of the network, from the experts' rows, DCE's first, to the logits.
func fuse(b *nn.Builder, parts []rows) (*gorgonia.Node, error) {
	last := b.Config.Layers - 1
	for i := b.Config.FusionFrom; i < last; i++ {
		parts = layer(b, i, parts)
	}
	cls := lastLayer(b, last, parts)
	logits := b.Linear("head", b.Mark("fc_norm", b.Norm("fc_norm", cls)))
	return logits, b.Err()
}

// attend is the first half of a fusion layer: every row sees every row. The answer has the same parts.
func attend(b *nn.Builder, index int, parts []rows) []rows {
	qkv := make([]*gorgonia.Node, len(parts))
	for i, p := range parts {
		qkv[i] = b.QKV(index, p.modality, p.x)
	}
	all := b.Attention(b.ConcatRows(qkv...))
	seen := split(b, all, parts)
	for i, p := range parts {
		seen[i].x = b.Sum(p.x, b.Project(index, p.modality, seen[i].x))
	}
	return seen
}

// split cuts the joined rows into the given parts.
func split(b *nn.Builder, all *gorgonia.Node, parts []rows) []rows {
	out := make([]rows, len(parts))
	at := 0
	for i, p := range parts {
		out[i].modality = p.modality
		if b.Err() != nil {
			continue
		}
		n := p.x.Shape()[0]
		out[i].x = b.Rows(all, at, at+n)
		at += n
	}
	return out
}

// norms are the layer-normed rows that feed-forward and mixture read, part by part and joined.
func norms(b *nn.Builder, index int, parts []rows) (each []*gorgonia.Node, all *gorgonia.Node) {
	for _, p := range parts {
		each = append(each, b.FeedForwardNorm(index, p.modality, p.x))
	}
	return each, b.ConcatRows(each...)
}

// layer is a fusion layer:
//
//	x = x + project(attention(qkv(x)))                    all rows together
//	x = x + ffn(norm x) + mixture(norm x)                 ffn with the modality's copy, one mixture for all rows
func layer(b *nn.Builder, index int, parts []rows) []rows {
	parts = attend(b, index, parts)
	each, all := norms(b, index, parts)
	if b.Err() != nil {
		return parts
	}
	mixed := split(b, mixture(b, index, all, 0, all.Shape()[0]), parts)
	for i, p := range parts {
		x := b.AddFeedForward(index, p.x, b.FeedForward(index, p.modality, each[i]), mixed[i].x)
		parts[i].x = b.Mark(fmt.Sprintf("layer.%d.%s", index, nn.InputName(p.modality)), x)
	}
	return parts
}

// lastLayer is a fusion layer of which only the class token's row, [1, E], is computed after attention, for nothing
// else is read. The mixture's slots still gather from every row.
func lastLayer(b *nn.Builder, index int, parts []rows) *gorgonia.Node {
	parts = attend(b, index, parts)
	each, all := norms(b, index, parts)
	f := b.FeedForward(index, experts.DCE, b.Rows(each[0], 0, 1))
	cls := b.AddFeedForward(index, b.Rows(parts[0].x, 0, 1), f, mixture(b, index, all, 0, 1))
	return b.Mark(fmt.Sprintf("layer.%d.cls", index), cls)
}
