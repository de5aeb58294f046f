package launch

import (
	"fmt"

	"mome/gpu/kernel"
	"mome/gpu/op"
)

// attentions are the operations of gpu/op/attention.go.
func attentions(k op.Kernel, p op.Precision) (List, bool) {
	switch k := k.(type) {
	case op.AttentionKernel:
		if k.Width > maxTile {
			return wideAttention(k.AttentionShape), attendable(k.AttentionShape)
		}
		return attention(headsOf(k.AttentionShape, p)), attendable(k.AttentionShape)
	case op.AttentionGradKernel:
		if k.Width > maxTile {
			return wideAttentionGrad(k.AttentionShape), attendable(k.AttentionShape)
		}
		return attentionGrad(headsOf(k.AttentionShape, p)), attendable(k.AttentionShape)
	}
	return List{}, false
}

// Heads wider than the kernels' tiles are computed number by number, up to the width that a warp can hold.
const (
	maxTile = 128
	maxWide = 384
	_       = uint(maxWide - op.MaxHeadWidth) // is negative where operations are wider
)

// attendable tells whether the kernels can compute a shape: they find the greatest score before they scale it.
func attendable(s kernel.AttentionShape) bool {
	return s.Scale > 0 && s.Width <= maxWide && s.Heads <= 65535
}

// attention packs query, key and value, and lets every block take some queries of a head.
func attention(h heads) List {
	var l List
	packed := l.reserve(h.floats(3))
	l.Steps = []Step{
		h.pack(Space(packed), In(0, 0), 3),
		h.attend(Out(0), Int(0), Space(packed), Int(0)),
	}
	return l
}

// attentionGrad packs query, key, value and the output's gradient, and computes what both kernels of the gradient need of each
// row, then the gradient of keys and values, then of queries.
func attentionGrad(h heads) List {
	var l List
	packed, dy, statistics := l.reserve(h.floats(3)), l.reserve(h.floats(1)), l.reserve(2*h.Heads*h.padded)
	l.Steps = []Step{
		h.pack(Space(packed), In(0, 0), 3),
		h.pack(Space(dy), In(1, 0), 1),
		h.attend(Int(0), Space(statistics), Space(packed), Space(dy)),
		h.differentiate("attention_grad_keys_", Out(0), Space(statistics), Space(packed), Space(dy)),
		h.differentiate("attention_grad_queries_", Out(0), Space(statistics), Space(packed), Space(dy)),
	}
	return l
}

// wideRows are the queries or keys of a block of the kernels for wide heads.
const wideRows = 4

func wideStep(kernel string, s kernel.AttentionShape, params ...Param) Step {
	return Step{
		Kernel: kernel, Grid: [3]int{blocks(s.Tokens, wideRows), s.Heads, 1}, Block: [3]int{32, wideRows, 1},
		Params: append(params, Int(s.Tokens), Int(s.Width), Float(float64(s.Scale))),
	}
}

func wideAttention(s kernel.AttentionShape) List {
	return List{Steps: []Step{wideStep("attention_wide", s, Out(0), Int(0), In(0, 0), Int(0))}}
}

func wideAttentionGrad(s kernel.AttentionShape) List {
	return List{Workspace: 2 * s.Heads * s.Tokens, Steps: []Step{
		wideStep("attention_wide", s, Int(0), Space(0), In(0, 0), In(1, 0)),
		wideStep("attention_wide_grad_keys", s, Out(0), Space(0), In(0, 0), In(1, 0)),
		wideStep("attention_wide_grad_queries", s, Out(0), Space(0), In(0, 0), In(1, 0)),
	}}
}

// reserve takes floats of the workspace, and says where they begin. Everything in it is aligned to 64 bytes.
func (l *List) reserve(floats int) (offset int) {
	offset = l.Workspace
	l.Workspace += blocks(floats, 16) * 16
	return offset
}

// heads is how attention is cut into blocks at a precision.
type heads struct {
	kernel.AttentionShape
	precision     op.Precision
	bytes         int // of a packed number
	padded, width int // tokens and width of packed heads
	rows          int // queries or keys of a block
}

// attentionPad is a multiple of the rows of a block, whichever its precision and width.
const attentionPad = 128

func headsOf(s kernel.AttentionShape, p op.Precision) heads {
	h := heads{AttentionShape: s, precision: p, bytes: 4, padded: blocks(s.Tokens, attentionPad) * attentionPad, width: 32, rows: 64}
	for h.width < s.Width {
		h.width *= 2
	}
	if p != op.Float32 && h.width <= 64 {
		h.rows = 128 // 64·M, Mode::fragments(width) of attention_factors.cuh
	}
	if p == op.BFloat16 {
		h.bytes = 2
	}
	return h
}

// floats is the room for as many packed tensors, such as the query of all heads.
func (h heads) floats(tensors int) int { return tensors * h.Heads * h.padded * h.width * h.bytes / 4 }

// pack is the step that packs tensors side by side, [tokens, tensors·heads·width].
func (h heads) pack(packed, x Param, tensors int) Step {
	slices := tensors * h.Heads
	block := [3]int{h.width / 4, threads * 4 / h.width, 1}
	return Step{
		Kernel: "attention_pack_" + h.precision.String(), Grid: [3]int{h.padded, blocks(slices, block[1]), 1}, Block: block,
		Params: []Param{packed, x, Int(h.Tokens), Int(slices), Int(h.Width)},
	}
}

// attend is the step that writes the output of some queries, or their statistics.
func (h heads) attend(y, statistics, packed, dy Param) Step {
	keys := 64 // rows of a stage: Mode::keys(width) of attention_factors.cuh
	if h.precision == op.Float32 {
		keys = 32
	}
	return h.step("attention_", h.bytes*h.width*(h.rows+2*2*keys), y, statistics, packed, dy)
}

// differentiate is the step that writes the gradient of some keys and values or queries.
func (h heads) differentiate(family string, dqkv, statistics, packed, dy Param) Step {
	streamed := 32 // rows of a stage: Mode::streamed(width) of attention_factors.cuh
	if h.precision == op.Float32 && h.width == 128 {
		streamed = 16
	}
	return h.step(family, h.bytes*h.width*(2*h.rows+2*2*streamed)+4*2*2*streamed, dqkv, statistics, packed, dy)
}

// step is one of the kernels that work on packed heads, with so many bytes of shared memory.
func (h heads) step(family string, shared int, params ...Param) Step {
	return Step{
		Kernel: fmt.Sprintf("%s%s_%d", family, h.precision, h.width), Grid: [3]int{blocks(h.Tokens, h.rows), h.Heads, 1},
		Block: [3]int{128, 1, 1}, Shared: shared,
		Params: append(params, Int(h.Tokens), Int(h.padded), Int(h.Width), Float(float64(h.Scale))),
	}
}
