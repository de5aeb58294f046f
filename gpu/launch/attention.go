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
		return attention(k.AttentionShape, p)
	}
	return List{}, false
}

// attention packs query, key and value, and lets every block take some queries of a head.
func attention(s kernel.AttentionShape, p op.Precision) (List, bool) {
	h := headsOf(s, p)
	var l List
	packed := l.reserve(h.floats(3))
	l.Steps = []Step{
		h.pack(Space(packed), In(0, 0), 3),
		h.step("attention_", h.queries*h.width+4*64*h.width, Out(0), Int(0), Space(packed), Int(0),
			Int(s.Tokens), Int(h.padded), Int(s.Width), Float(float64(s.Scale))),
	}
	return l, true
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
	name          string // of the precision, in the names of kernels
	bytes         int    // of a packed number
	padded, width int    // tokens and width of packed heads
	queries       int    // of a block
	warps         int
}

// attentionPad is attention_pad of attention.cuh.
const attentionPad = 128

// fillsDevice is the number of blocks from which on the larger ones are faster: two for each multiprocessor of an H100.
const fillsDevice = 264

func headsOf(s kernel.AttentionShape, p op.Precision) heads {
	h := heads{AttentionShape: s, name: p.String(), bytes: 4, padded: blocks(s.Tokens, attentionPad) * attentionPad, width: 32}
	for h.width < s.Width {
		h.width *= 2
	}
	perWarp := 16
	if p != op.Float32 && h.width <= 64 {
		perWarp = 32 // Mode::fragments(width) of attention.cuh times 16
	}
	if p == op.BFloat16 {
		h.bytes = 2
	}
	h.warps = 4
	if blocks(s.Tokens, 4*perWarp)*s.Heads < fillsDevice {
		h.warps = 2
	}
	h.queries = perWarp * h.warps
	return h
}

// floats is the room for as many packed tensors, such as the query of all heads.
func (h heads) floats(tensors int) int { return tensors * h.Heads * h.padded * h.width * h.bytes / 4 }

// pack is the step that packs tensors side by side, [tokens, tensors·heads·width].
func (h heads) pack(packed, x Param, tensors int) Step {
	slices := tensors * h.Heads
	block := [3]int{h.width / 4, threads * 4 / h.width, 1}
	return Step{
		Kernel: "attention_pack_" + h.name, Grid: [3]int{h.padded, blocks(slices, block[1]), 1}, Block: block,
		Params: []Param{packed, x, Int(h.Tokens), Int(slices), Int(h.Width)},
	}
}

// step is one of the kernels that work on packed heads, with shared memory for so many packed numbers.
func (h heads) step(family string, numbers int, params ...Param) Step {
	return Step{
		Kernel: fmt.Sprintf("%s%s_%d", family, h.name, h.width), Grid: [3]int{blocks(h.Tokens, h.queries), h.Heads, 1},
		Block: [3]int{32 * h.warps, 1, 1}, Shared: numbers * h.bytes, Params: params,
	}
}
