package op

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"mome/gpu/kernel"
)

// TokensKernel turns a volume into rows, one per voxel.
type TokensKernel struct {
	Channels int
	Size     [3]int
}

// Tokens turns x: [1, channel, H, W, D] into [H·W·D, channel], voxels in the order (H, W, D).
func Tokens(x *gorgonia.Node) (*gorgonia.Node, error) {
	batch, channels, size, err := volume("tokens", x)
	if err != nil {
		return nil, err
	}
	if batch != 1 {
		return nil, fmt.Errorf("tokens: batch of %d, want one volume", batch)
	}
	return apply(TokensKernel{Channels: channels, Size: size}, x)
}

func (k TokensKernel) voxels() int { return k.Size[0] * k.Size[1] * k.Size[2] }

// Shapes implements Kernel.
func (k TokensKernel) Shapes() ([]tensor.Shape, tensor.Shape) {
	return []tensor.Shape{{1, k.Channels, k.Size[0], k.Size[1], k.Size[2]}}, tensor.Shape{k.voxels(), k.Channels}
}

// Run implements Kernel.
func (k TokensKernel) Run(out []float32, in [][]float32) {
	kernel.Transpose(k.Channels, k.voxels(), out, in[0])
}

func (k TokensKernel) gradients(_ gorgonia.Nodes, _, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	dx, err := apply(TokensGradKernel(k), grad)
	return gorgonia.Nodes{dx}, err
}

// TokensGradKernel turns rows back into a volume.
type TokensGradKernel TokensKernel

// Shapes implements Kernel.
func (k TokensGradKernel) Shapes() ([]tensor.Shape, tensor.Shape) {
	in, out := TokensKernel(k).Shapes()
	return []tensor.Shape{out}, in[0]
}

// Run implements Kernel.
func (k TokensGradKernel) Run(out []float32, in [][]float32) {
	kernel.Transpose(TokensKernel(k).voxels(), k.Channels, out, in[0])
}

// SliceKernel takes the rows (Axis 0) or columns (Axis 1) [From, To) of a matrix.
type SliceKernel struct{ Rows, Cols, Axis, From, To int }

// Rows takes the rows [from, to) of x.
func Rows(x *gorgonia.Node, from, to int) (*gorgonia.Node, error) { return slice(x, 0, from, to) }

// Cols takes the columns [from, to) of x.
func Cols(x *gorgonia.Node, from, to int) (*gorgonia.Node, error) { return slice(x, 1, from, to) }

func slice(x *gorgonia.Node, axis, from, to int) (*gorgonia.Node, error) {
	rows, cols, err := matrix("slice", x)
	if err != nil {
		return nil, err
	}
	if from < 0 || from >= to || to > x.Shape()[axis] {
		return nil, fmt.Errorf("slice: [%d, %d) of axis %d of %v", from, to, axis, x.Shape())
	}
	return apply(SliceKernel{Rows: rows, Cols: cols, Axis: axis, From: from, To: to}, x)
}

// block is the slice as a block of the matrix: its height and width, and where it starts.
func (k SliceKernel) block() (rows, cols, start int) {
	if k.Axis == 0 {
		return k.To - k.From, k.Cols, k.From * k.Cols
	}
	return k.Rows, k.To - k.From, k.From
}

// Shapes implements Kernel.
func (k SliceKernel) Shapes() ([]tensor.Shape, tensor.Shape) {
	rows, cols, _ := k.block()
	return []tensor.Shape{{k.Rows, k.Cols}}, tensor.Shape{rows, cols}
}

// Run implements Kernel.
func (k SliceKernel) Run(out []float32, in [][]float32) {
	rows, cols, start := k.block()
	kernel.CopyBlock(rows, cols, out, cols, in[0][start:], k.Cols)
}

func (k SliceKernel) gradients(_ gorgonia.Nodes, _, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	dx, err := apply(SliceGradKernel(k), grad)
	return gorgonia.Nodes{dx}, err
}

// SliceGradKernel puts a slice back into a matrix of zeros.
type SliceGradKernel SliceKernel

// Shapes implements Kernel.
func (k SliceGradKernel) Shapes() ([]tensor.Shape, tensor.Shape) {
	in, out := SliceKernel(k).Shapes()
	return []tensor.Shape{out}, in[0]
}

// Run implements Kernel.
func (k SliceGradKernel) Run(out []float32, in [][]float32) {
	rows, cols, start := SliceKernel(k).block()
	clear(out)
	kernel.CopyBlock(rows, cols, out[start:], k.Cols, in[0], cols)
}

// ConcatKernel joins matrices along Axis; Lengths are their lengths along it, Across is the other axis.
type ConcatKernel struct {
	Axis, Across int
	Lengths      []int
}

// ConcatRows puts matrices of one width below each other.
func ConcatRows(parts ...*gorgonia.Node) (*gorgonia.Node, error) { return concat(0, parts) }

// ConcatCols puts matrices of one height side by side.
func ConcatCols(parts ...*gorgonia.Node) (*gorgonia.Node, error) { return concat(1, parts) }

func concat(axis int, parts []*gorgonia.Node) (*gorgonia.Node, error) {
	if len(parts) == 0 {
		return nil, fmt.Errorf("concat: nothing to join")
	}
	k := ConcatKernel{Axis: axis}
	for i, p := range parts {
		if _, _, err := matrix(fmt.Sprintf("concat: part %d", i), p); err != nil {
			return nil, err
		}
		k.Lengths = append(k.Lengths, p.Shape()[axis])
	}
	if len(parts) == 1 {
		return parts[0], nil
	}
	k.Across = parts[0].Shape()[1-axis]
	return apply(k, parts...)
}

func (k ConcatKernel) shape(length int) tensor.Shape {
	if k.Axis == 0 {
		return tensor.Shape{length, k.Across}
	}
	return tensor.Shape{k.Across, length}
}

// Shapes implements Kernel.
func (k ConcatKernel) Shapes() ([]tensor.Shape, tensor.Shape) {
	in, total := make([]tensor.Shape, len(k.Lengths)), 0
	for i, n := range k.Lengths {
		in[i] = k.shape(n)
		total += n
	}
	return in, k.shape(total)
}

// Run implements Kernel.
func (k ConcatKernel) Run(out []float32, in [][]float32) {
	_, whole := k.Shapes()
	at := 0
	for i, n := range k.Lengths {
		if k.Axis == 0 {
			copy(out[at*k.Across:], in[i])
		} else {
			kernel.CopyBlock(k.Across, n, out[at:], whole[1], in[i], n)
		}
		at += n
	}
}

func (k ConcatKernel) gradients(_ gorgonia.Nodes, _, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	all := make(gorgonia.Nodes, len(k.Lengths))
	at := 0
	for i, n := range k.Lengths {
		var err error
		if all[i], err = slice(grad, k.Axis, at, at+n); err != nil {
			return nil, err
		}
		at += n
	}
	return all, nil
}
