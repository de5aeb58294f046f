package nn

import (
	"fmt"
	"strings"

	"gorgonia.org/gorgonia"

	"mome/experts"
	"mome/experts/clinical"
	"mome/gpu/op"
)

// Builder adds the parts of one network to one graph. A weight becomes an input of the graph, under its published
// name, when a part first asks for it, so a graph has exactly the weights it uses.
//
// The parts return nodes only; the first error is kept, everything after it is nil, and Err must be asked once at the
// end. A Builder is not safe for concurrent use.
//
// In comments T is the number of rows, E the embedding.
type Builder struct {
	Graph  *gorgonia.ExprGraph
	Config Config
	// DropPath makes the residual branches answer to the inputs of DropPathInputs. To be set before the first part is
	// added; without it there are no such inputs.
	DropPath bool

	specs  map[string][]int
	inputs map[string]*gorgonia.Node
	order  []string
	marks  map[string]*gorgonia.Node
	err    error
}

// NewBuilder starts an empty graph.
func NewBuilder(c Config) (*Builder, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	b := &Builder{
		Graph: gorgonia.NewGraph(), Config: c, specs: map[string][]int{},
		inputs: map[string]*gorgonia.Node{}, marks: map[string]*gorgonia.Node{},
	}
	for _, s := range c.Tensors() {
		b.specs[s.Name] = s.Shape
	}
	return b, nil
}

// Err is the first error of any part.
func (b *Builder) Err() error { return b.err }

// Add passes a new node on, or keeps the error. After an error nothing is added and the answer is nil.
func (b *Builder) Add(add func() (*gorgonia.Node, error)) *gorgonia.Node {
	if b.err != nil {
		return nil
	}
	n, err := add()
	if err != nil {
		b.err = err
		return nil
	}
	return n
}

// Mark remembers an intermediate node under a name, for explanations and tests.
func (b *Builder) Mark(name string, n *gorgonia.Node) *gorgonia.Node {
	b.marks[name] = n
	return n
}

// markLayer remembers a modality's rows in a layer.
func (b *Builder) markLayer(what string, layer int, m experts.Modality, n *gorgonia.Node) *gorgonia.Node {
	return b.Mark(fmt.Sprintf("%s.%d.%s", what, layer, key(m)), n)
}

// Marked is the node remembered under a name, or nil. Modalities are written as in InputName. The names are
//
//	stem.<modality>                stem output [T, E], without class token
//	embed.<modality>               with positions [T, E]; here and below DCE has the class token first. Here and in
//	                               fusion layers there is "context" as well, where the graph has one
//	inner.<index>.<modality>       what attention answers in a layer, normalised [T, E]
//	attention.<index>.<modality>   what it adds to the rows [T, E]
//	ffn.<index>.<modality>         what the feed-forward adds [T, E]; in the last layer dce's, [1, E], alone
//	adapter.<index>.<modality>     what the adapter adds before fusion [T, E]; adapter.<index>: in fusion [rows, E]
//	layer.<index>.<modality>       output of a layer [T, E]; layer.<last>.cls: [1, E]
//	mixture.<index>                what the soft mixture of a fusion layer answers [rows, Adapter]
//	dispatch.<index>               its softmax over all rows, [rows, experts·slots]: what each slot is gathered from
//	combine.<index>                its softmax over slots, [rows, experts·slots]: what each row takes
//	fc_norm                        what the head reads [1, E]
//
// In the last layer mixture, combine and adapter have the class token's row only.
func (b *Builder) Marked(name string) *gorgonia.Node { return b.marks[name] }

// Input adds a named input of the graph.
func (b *Builder) Input(name string, shape ...int) *gorgonia.Node {
	return b.Add(func() (*gorgonia.Node, error) { return op.Input(b.Graph, name, shape...) })
}

// Volume adds the input of a modality: [1, channel, H, W, D].
func (b *Builder) Volume(m experts.Modality) *gorgonia.Node {
	x := b.Config.Boxes.Of(m)
	return b.Input(InputName(m), 1, x.Channels, x.Size[0], x.Size[1], x.Size[2])
}

// ContextInput adds the input of the clinical context: [field, column] as clinical.Context.Encode writes it.
func (b *Builder) ContextInput() *gorgonia.Node {
	rows, columns := clinical.Size()
	return b.Input(InputName(ContextRows), rows, columns)
}

// EmbedContext turns the context, [field, column], into one row per field, [fields, E]. There are no positions: every
// field has columns of its own, and so says which it is.
func (b *Builder) EmbedContext(context *gorgonia.Node) *gorgonia.Node {
	w := b.Weight(contextName)
	x := b.Add(func() (*gorgonia.Node, error) { return op.MatMul(context, w, false, false) })
	return b.Mark("embed."+key(ContextRows), x)
}

// Weight is the input for one of the network's tensors. Tensors that are used as matrices are flattened to two axes:
// the class token to [1, E], the mixture's phi to [d, experts·slots].
func (b *Builder) Weight(name string) *gorgonia.Node {
	return b.Add(func() (*gorgonia.Node, error) {
		if n, ok := b.inputs[name]; ok {
			return n, nil
		}
		shape, ok := b.specs[name]
		if !ok {
			return nil, fmt.Errorf("%w: no tensor %q in this configuration", ErrConfig, name)
		}
		switch {
		case name == "beit3.dce_embed.cls_token":
			shape = shape[1:]
		case strings.HasSuffix(name, ".moe.phi"):
			shape = []int{shape[0], shape[1] * shape[2]}
		}
		n, err := op.Input(b.Graph, name, shape...)
		if err == nil {
			b.inputs[name] = n
			b.order = append(b.order, name)
		}
		return n, err
	})
}

// Weights are the names and nodes of all weights the graph uses, in the order in which they were first asked for.
func (b *Builder) Weights() (names []string, nodes gorgonia.Nodes) {
	for _, name := range b.order {
		nodes = append(nodes, b.inputs[name])
	}
	return b.order, nodes
}

// Linear is x Wᵀ + b with the weights name.weight and name.bias.
func (b *Builder) Linear(name string, x *gorgonia.Node) *gorgonia.Node {
	w, bias := b.Weight(name+".weight"), b.Weight(name+".bias")
	return b.Add(func() (*gorgonia.Node, error) { return op.Linear(x, w, bias) })
}

// Norm is a layer norm with the weights name.weight and name.bias.
func (b *Builder) Norm(name string, x *gorgonia.Node) *gorgonia.Node {
	w, bias := b.Weight(name+".weight"), b.Weight(name+".bias")
	return b.Add(func() (*gorgonia.Node, error) { return op.LayerNorm(x, w, bias, Eps) })
}

// GELU is the exact Gaussian error linear unit.
func (b *Builder) GELU(x *gorgonia.Node) *gorgonia.Node {
	return b.Add(func() (*gorgonia.Node, error) { return op.GELU(x) })
}

// Sum adds nodes of one shape.
func (b *Builder) Sum(terms ...*gorgonia.Node) *gorgonia.Node {
	return b.Add(func() (*gorgonia.Node, error) { return op.Sum(terms...) })
}

// Rows are the rows [from, to) of x.
func (b *Builder) Rows(x *gorgonia.Node, from, to int) *gorgonia.Node {
	return b.Add(func() (*gorgonia.Node, error) { return op.Rows(x, from, to) })
}

// ConcatRows puts the parts below each other.
func (b *Builder) ConcatRows(parts ...*gorgonia.Node) *gorgonia.Node {
	return b.Add(func() (*gorgonia.Node, error) { return op.ConcatRows(parts...) })
}

// Attention lets the rows of qkv: [T, 3E] see each other: [T, E].
func (b *Builder) Attention(qkv *gorgonia.Node) *gorgonia.Node {
	return b.Add(func() (*gorgonia.Node, error) { return op.Attention(qkv, b.Config.Heads) })
}

// Stem turns a volume [1, channel, H, W, D] into tokens [T, E]: three times convolution, instance norm and ReLU, then
// a maximum; each of the four halves H, W and D. Channels that Config.Absolute names are prepared first.
func (b *Builder) Stem(m experts.Modality, volume *gorgonia.Node) *gorgonia.Node {
	halve := op.Cube(3, 2, 1)
	x := volume
	if a := b.Config.Absolute.Of(m); a != (Absolute{}) {
		var step [3]float64 // mm
		box := b.Config.Boxes.Of(m)
		for axis, n := range box.Size {
			step[axis] = box.FieldOfViewMM[axis] / float64(n)
		}
		x = b.Add(func() (*gorgonia.Node, error) { return op.Level(x, a.Channels, step, a.WindowMM) })
	}
	for i := range 3 {
		w := b.Weight(stemName(m, i))
		x = b.Add(func() (*gorgonia.Node, error) { return op.Conv3d(x, w, halve) })
		x = b.Add(func() (*gorgonia.Node, error) { return op.InstanceNormReLU(x, Eps) })
	}
	x = b.Add(func() (*gorgonia.Node, error) { return op.MaxPool3d(x, halve) })
	x = b.Add(func() (*gorgonia.Node, error) { return op.Tokens(x) })
	return b.Mark("stem."+key(m), x)
}

// Embed puts the class token in front of DCE's tokens [T, E] and adds the modality's positions. DCE without tokens,
// nil, is the class token alone.
func (b *Builder) Embed(m experts.Modality, tokens *gorgonia.Node) *gorgonia.Node {
	table, from := b.Weight(positionName(m)), 0
	x := tokens
	if m == experts.DCE {
		from = 1 // row 0 is never used
		x = b.Weight("beit3.dce_embed.cls_token")
		if tokens != nil {
			x = b.ConcatRows(x, tokens)
		}
	}
	if b.err != nil {
		return nil
	}
	return b.Mark("embed."+key(m), b.Sum(x, b.Rows(table, from, from+x.Shape()[0])))
}

// QKV is query, key and value side by side, [T, 3E], of the layer-normed rows x: [T, E].
func (b *Builder) QKV(layer int, m experts.Modality, x *gorgonia.Node) *gorgonia.Node {
	h := b.Norm(LayerName(layer, "self_attn_layer_norm."+Copy(m)), x)
	parts := make([]*gorgonia.Node, 3)
	for i, p := range []string{"q", "k", "v"} {
		parts[i] = b.Linear(LayerName(layer, "self_attn."+p+"_proj."+Copy(m)), h)
	}
	return b.Add(func() (*gorgonia.Node, error) { return op.ConcatCols(parts...) })
}

// Project normalises what attention returned, [T, E], and maps it back into the residual stream.
func (b *Builder) Project(layer int, m experts.Modality, attention *gorgonia.Node) *gorgonia.Node {
	h := b.markLayer("inner", layer, m, b.Norm(LayerName(layer, "self_attn.inner_attn_ln."+Copy(m)), attention))
	o := b.markLayer("attention", layer, m, b.Linear(LayerName(layer, "self_attn.out_proj."+Copy(m)), h))
	return b.branch(layer, attentionBranch, o)
}

// FeedForwardNorm is the layer norm that feed-forward and adapter share.
func (b *Builder) FeedForwardNorm(layer int, m experts.Modality, x *gorgonia.Node) *gorgonia.Node {
	return b.Norm(LayerName(layer, "final_layer_norm."+Copy(m)), x)
}

// FeedForward is fc2(norm(GELU(fc1 h))) for h: [T, E], [T, Hidden] inside.
func (b *Builder) FeedForward(layer int, m experts.Modality, h *gorgonia.Node) *gorgonia.Node {
	name := LayerName(layer, "ffn."+Copy(m))
	return b.markLayer("ffn", layer, m, b.Linear(name+".fc2", b.Norm(name+".ffn_layernorm", b.GELU(b.Linear(name+".fc1", h)))))
}

// Layer is a whole layer before fusion, for the rows x: [T, E] of one modality:
//
//	x = x + project(attention(qkv(x)))
//	x = x + ffn(norm x) + adapter(norm x)
func (b *Builder) Layer(layer int, m experts.Modality, x *gorgonia.Node) *gorgonia.Node {
	x = b.Sum(x, b.Project(layer, m, b.Attention(b.QKV(layer, m, x))))
	h := b.FeedForwardNorm(layer, m, x)
	name := LayerName(layer, "MLP_Adapter."+Copy(m))
	adapter := b.Norm(name+".norm", b.Linear(name+".D_fc2", b.GELU(b.Linear(name+".D_fc1", h))))
	b.markLayer("adapter", layer, m, adapter)
	return b.markLayer("layer", layer, m, b.AddFeedForward(layer, x, b.FeedForward(layer, m, h), adapter))
}

// Expert is everything that one modality does alone: stem, positions, and all layers before fusion, in which its rows
// see only each other. The input is the volume [1, channel, H, W, D], or what the stem would have made of it, [T, E];
// for DCE it may be nil, which leaves the class token alone. The answer is [T, E], for DCE with the class token first.
func (b *Builder) Expert(m experts.Modality, input *gorgonia.Node) (*gorgonia.Node, error) {
	if input == nil && m != experts.DCE {
		b.Add(func() (*gorgonia.Node, error) { return nil, fmt.Errorf("expert %s: no input", m) })
	}
	tokens := input
	if input != nil && len(input.Shape()) == 5 {
		tokens = b.Stem(m, input)
	}
	x := b.Embed(m, tokens)
	for i := range b.Config.FusionFrom {
		x = b.Layer(i, m, x)
	}
	return x, b.err
}
