package op

import (
	"fmt"
	"math"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"mome/gpu/kernel"
)

// MaxHeadWidth is the greatest length of a head's queries, keys and values.
const MaxHeadWidth = kernel.MaxHeadWidth

// AttentionKernel is multi-head self-attention of rows that hold query, key and value side by side.
type AttentionKernel struct{ kernel.AttentionShape }

// Attention lets every row of qkv: [tokens, 3·embed] see every other; the answer is [tokens, embed].
// Queries are scaled by 1/sqrt(embed / heads).
func Attention(qkv *gorgonia.Node, heads int) (*gorgonia.Node, error) {
	tokens, cols, err := matrix("attention", qkv)
	if err != nil {
		return nil, err
	}
	if heads < 1 || cols%(3*heads) != 0 {
		return nil, fmt.Errorf("attention: %d columns are not query, key and value of %d heads", cols, heads)
	}
	width := cols / (3 * heads)
	if width > MaxHeadWidth {
		return nil, fmt.Errorf("attention: heads of %d numbers are wider than %d", width, MaxHeadWidth)
	}
	return apply(AttentionKernel{kernel.AttentionShape{
		Tokens: tokens, Heads: heads, Width: width, Scale: float32(1 / math.Sqrt(float64(width))),
	}}, qkv)
}

// Shapes implements Kernel.
func (k AttentionKernel) Shapes() ([]tensor.Shape, tensor.Shape) {
	embed := k.Heads * k.Width
	return []tensor.Shape{{k.Tokens, 3 * embed}}, tensor.Shape{k.Tokens, embed}
}

// Run implements Kernel.
func (k AttentionKernel) Run(out []float32, in [][]float32) {
	kernel.Attention(k.AttentionShape, out, in[0])
}

// RunBFloat16 implements Reducible.
func (k AttentionKernel) RunBFloat16(out []float32, in [][]float32) {
	kernel.AttentionBFloat16(k.AttentionShape, out, in[0])
}

func (k AttentionKernel) gradients(in gorgonia.Nodes, _, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	d, err := apply(AttentionGradKernel(k), in[0], grad)
	return gorgonia.Nodes{d}, err
}

// AttentionGradKernel is the gradient of AttentionKernel, from its input and the output's gradient.
type AttentionGradKernel struct{ kernel.AttentionShape }

// Shapes implements Kernel.
func (k AttentionGradKernel) Shapes() ([]tensor.Shape, tensor.Shape) {
	in, out := AttentionKernel(k).Shapes()
	return []tensor.Shape{in[0], out}, in[0]
}

// Run implements Kernel.
func (k AttentionGradKernel) Run(out []float32, in [][]float32) {
	kernel.AttentionGrad(k.AttentionShape, out, in[0], in[1])
}
