// Package op turns the kernels of package kernel into Gorgonia operations with symbolic gradients, and runs the
// graphs made of them.
//
// Every function such as Linear or Attention adds one node to the graph of its arguments and checks shapes while
// doing so; nothing is computed before a Program runs. Gradients come from gorgonia.Grad: each operation answers
// with further operations of this package, so a graph and its gradient hold kernels only, besides Gorgonia's
// constant 1 and its sum of gradient terms. Second derivatives are refused.
package op

import (
	"fmt"
	"hash"
	"hash/fnv"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Kernel is one computation with all its sizes fixed. Its exported fields are its identity: two kernels of one type
// with equal fields compute the same.
type Kernel interface {
	// Shapes are the shapes of the inputs, in order, and of the output. An empty shape is a scalar.
	Shapes() (in []tensor.Shape, out tensor.Shape)
	// Run writes out in full from in. Lengths are those of Shapes; no slice may be kept.
	Run(out []float32, in [][]float32)
}

// InPlace is a Kernel whose Run may write over its first input.
type InPlace interface {
	Kernel
	InPlace()
}

// derivable is a Kernel with a gradient.
type derivable interface {
	Kernel
	// gradients returns one node for every input, in order, given the gradient of the output. A nil stands for an
	// input without a gradient, and varies must say so as well.
	gradients(in gorgonia.Nodes, out, grad *gorgonia.Node) (gorgonia.Nodes, error)
}

// partial is a derivable Kernel some of whose inputs have no gradient.
type partial interface {
	varies(input int) bool
}

// Op is a Kernel as a Gorgonia operation.
type Op struct {
	Kernel
	// serial is the number of nodes the graph had when the operation was applied. Gorgonia merges nodes whose
	// 32-bit hashes agree and takes equal hashes of operations for equality whatever their children are; with the
	// serial in the hash no two operations of a graph are ever equal.
	serial int
}

var (
	_ gorgonia.SDOp            = Op{}
	_ gorgonia.UsePreallocDoer = Op{}
)

// Arity is the number of inputs.
func (o Op) Arity() int {
	in, _ := o.Shapes()
	return len(in)
}

// Type is a function from float32 tensors of the inputs' ranks to one of the output's.
func (o Op) Type() hm.Type {
	in, out := o.Shapes()
	types := make([]hm.Type, 0, len(in)+1)
	for _, s := range in {
		types = append(types, typeOf(s))
	}
	return hm.NewFnType(append(types, typeOf(out))...)
}

func typeOf(s tensor.Shape) hm.Type {
	if s.Dims() == 0 {
		return tensor.Float32
	}
	return gorgonia.TensorType{Dims: s.Dims(), Of: tensor.Float32}
}

// InferShape checks the inputs' shapes and returns the output's.
func (o Op) InferShape(given ...gorgonia.DimSizer) (tensor.Shape, error) {
	in, out := o.Shapes()
	if len(given) != len(in) {
		return nil, fmt.Errorf("%s: %d inputs, want %d", o, len(given), len(in))
	}
	for i, d := range given {
		if s, ok := d.(tensor.Shape); !ok || !sameShape(s, in[i]) {
			return nil, fmt.Errorf("%s: input %d has shape %v, want %v", o, i, d, in[i])
		}
	}
	return out.Clone(), nil
}

// sameShape is exact, unlike tensor.Shape.Eq, which takes (n) and (n, 1) for equal.
func sameShape(a, b tensor.Shape) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// Do runs the kernel into new memory.
func (o Op) Do(values ...gorgonia.Value) (gorgonia.Value, error) {
	_, out := o.Shapes()
	return o.UsePreallocDo(tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(out...)), values...)
}

// UsePreallocDo runs the kernel into prealloc, or into new memory where prealloc is not a plain tensor of the
// output's size.
func (o Op) UsePreallocDo(prealloc gorgonia.Value, values ...gorgonia.Value) (gorgonia.Value, error) {
	shapes, out := o.Shapes()
	if len(values) != len(shapes) {
		return nil, fmt.Errorf("%s: %d values, want %d", o, len(values), len(shapes))
	}
	in := make([][]float32, len(values))
	for i, v := range values {
		data, err := Floats(v)
		if err != nil {
			return nil, fmt.Errorf("%s: input %d: %w", o, i, err)
		}
		if len(data) != shapes[i].TotalSize() {
			return nil, fmt.Errorf("%s: input %d has %d elements, want shape %v", o, i, len(data), shapes[i])
		}
		in[i] = data
	}
	if out.Dims() == 0 {
		var y [1]float32
		o.Run(y[:], in)
		return gorgonia.NewF32(y[0]), nil
	}
	dst, err := Floats(prealloc)
	if err != nil || len(dst) != out.TotalSize() {
		fresh := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(out...))
		prealloc, dst = fresh, fresh.Data().([]float32)
	}
	o.Run(dst, in)
	return prealloc, nil
}

// Floats is the contiguous data of a value: a view that skips elements is copied.
func Floats(v gorgonia.Value) ([]float32, error) {
	if t, ok := v.(tensor.View); ok && (t.IsView() || t.IsMaterializable()) {
		v = t.Materialize()
	}
	switch data := v.Data().(type) {
	case []float32:
		return data, nil
	case float32:
		return []float32{data}, nil
	default:
		return nil, fmt.Errorf("holds %T, want []float32", data)
	}
}

// ReturnsPtr is false: the output is memory of its own.
func (o Op) ReturnsPtr() bool { return false }

// CallsExtern is false: everything is Go.
func (o Op) CallsExtern() bool { return false }

// OverwritesInput is -1: Gorgonia's machines must not run an operation in place.
func (o Op) OverwritesInput() int { return -1 }

// WriteHash writes the kernel's type, all its fields and the serial.
func (o Op) WriteHash(h hash.Hash) { fmt.Fprintf(h, "%s#%d", o, o.serial) }

// Hashcode is the hash of WriteHash.
func (o Op) Hashcode() uint32 {
	h := fnv.New32a()
	o.WriteHash(h)
	return h.Sum32()
}

// String is the kernel's type with all its fields.
func (o Op) String() string { return fmt.Sprintf("%T%+v", o.Kernel, o.Kernel) }

// DiffWRT says which inputs have a gradient.
func (o Op) DiffWRT(inputs int) []bool {
	answer := make([]bool, inputs)
	if _, ok := o.Kernel.(derivable); !ok {
		return answer
	}
	p, some := o.Kernel.(partial)
	for i := range answer {
		answer[i] = !some || p.varies(i)
	}
	return answer
}

// SymDiff adds the nodes of the gradients.
func (o Op) SymDiff(inputs gorgonia.Nodes, output, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	d, ok := o.Kernel.(derivable)
	if !ok {
		return nil, fmt.Errorf("%s has no derivative", o)
	}
	return d.gradients(inputs, output, grad)
}

// apply adds the node that computes k from its inputs and checks that Gorgonia returned that node and not one it
// took for equal.
func apply(k Kernel, inputs ...*gorgonia.Node) (*gorgonia.Node, error) {
	o := Op{Kernel: k}
	for i, n := range inputs {
		if n == nil {
			return nil, fmt.Errorf("%s: input %d is nil", o, i)
		}
	}
	if len(inputs) == 0 {
		return nil, fmt.Errorf("%s: no inputs", o)
	}
	g := inputs[0].Graph()
	o.serial = len(g.AllNodes())
	n, err := gorgonia.ApplyOp(o, inputs...)
	if err != nil {
		return nil, err
	}
	children := Children(n)
	same := len(children) == len(inputs)
	for i := 0; same && i < len(inputs); i++ {
		same = children[i] == inputs[i]
	}
	if !same {
		return nil, fmt.Errorf("%s: gorgonia merged the node with %v", o, n)
	}
	return n, nil
}

// Children are the nodes that n is computed from, in the order of its operation's inputs.
func Children(n *gorgonia.Node) gorgonia.Nodes {
	var children gorgonia.Nodes
	for it := n.Graph().From(n.ID()); it != nil && it.Next(); {
		children = append(children, it.Node().(*gorgonia.Node))
	}
	return children
}

// Input adds a named node that is bound to data when a Program runs. Names must be unique in a graph.
func Input(g *gorgonia.ExprGraph, name string, shape ...int) (*gorgonia.Node, error) {
	if len(g.ByName(name)) > 0 {
		return nil, fmt.Errorf("input %q is already in the graph", name)
	}
	for _, n := range shape {
		if n < 1 {
			return nil, fmt.Errorf("input %q: shape %v", name, shape)
		}
	}
	return gorgonia.NewTensor(g, tensor.Float32, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(name)), nil
}

// matrix is the shape of a node that must have two axes.
func matrix(what string, n *gorgonia.Node) (rows, cols int, err error) {
	if n == nil {
		return 0, 0, fmt.Errorf("%s: node is nil", what)
	}
	if s := n.Shape(); len(s) == 2 {
		return s[0], s[1], nil
	}
	return 0, 0, fmt.Errorf("%s: shape %v, want two axes", what, n.Shape())
}
