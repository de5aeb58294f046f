package main

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"mome/gpu/op"
)

// flop is the work of a product or convolution, a multiplication and its addition counted as two; 0 for anything else.
func flop(k op.Kernel) float64 {
	var products float64
	switch k := k.(type) {
	case op.LinearKernel:
		products = float64(k.Rows) * float64(k.In) * float64(k.Out)
	case op.MatMulKernel:
		products = float64(k.M) * float64(k.N) * float64(k.K)
	case op.GroupedLinearKernel:
		products = float64(k.Groups) * float64(k.Slots) * float64(k.In) * float64(k.Out)
	case op.GroupedLinearGradInputKernel:
		products = float64(k.Groups) * float64(k.Slots) * float64(k.In) * float64(k.Out)
	case op.GroupedLinearGradWeightKernel:
		products = float64(k.Groups) * float64(k.Slots) * float64(k.In) * float64(k.Out)
	case op.AttentionKernel: // q kᵀ and p v
		products = 2 * float64(k.Tokens) * float64(k.Tokens) * float64(k.Heads) * float64(k.Width)
	case op.AttentionGradKernel: // q kᵀ again, and one product for each of v, p, q and k
		products = 5 * float64(k.Tokens) * float64(k.Tokens) * float64(k.Heads) * float64(k.Width)
	case op.Conv3dKernel:
		products = convolution(k)
	case op.Conv3dGradInputKernel:
		products = convolution(op.Conv3dKernel(k))
	case op.Conv3dGradWeightKernel:
		products = convolution(op.Conv3dKernel(k))
	}
	return 2 * products
}

func convolution(k op.Conv3dKernel) float64 {
	out := k.OutSize()
	return float64(k.Batch) * float64(k.In) * float64(k.Out) * float64(product(k.Kernel[:])) * float64(product(out[:]))
}

// kindOf names a kernel without package and suffix: "Conv3d", "LinearGradWeight".
func kindOf(k op.Kernel) string {
	return strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%T", k), "op."), "Kernel")
}

// outputs are the nodes that a run computes for its own sake.
func (n *network) outputs() gorgonia.Nodes {
	out := gorgonia.Nodes{n.logits}
	if n.loss != nil {
		out = append(append(out, n.loss), n.grads...)
	}
	return out
}

// ordered are all nodes that the outputs need, each after those that it is computed from.
func (n *network) ordered() (nodes gorgonia.Nodes, children map[*gorgonia.Node]gorgonia.Nodes) {
	children = map[*gorgonia.Node]gorgonia.Nodes{}
	var visit func(*gorgonia.Node)
	visit = func(node *gorgonia.Node) {
		if _, ok := children[node]; ok {
			return
		}
		children[node] = op.Children(node)
		for _, c := range children[node] {
			visit(c)
		}
		nodes = append(nodes, node)
	}
	for _, node := range n.outputs() {
		visit(node)
	}
	return nodes, children
}

// gflop is the work of a run by kind of operation, in 10^9, and its sum.
func (n *network) gflop() (byKind map[string]float64, sum float64) {
	byKind = map[string]float64{}
	nodes, _ := n.ordered()
	for _, node := range nodes {
		if own, ok := node.Op().(op.Op); ok {
			if work := 1e-9 * flop(own.Kernel); work > 0 {
				byKind[kindOf(own.Kernel)] += work
				sum += work
			}
		}
	}
	return byKind, sum
}

// kindTime is what all operations of a kind took together.
type kindTime struct {
	Kind  string  `json:"kind"`
	Count int     `json:"count"`
	CPU   float64 `json:"cpu_s"`
	Wall  float64 `json:"wall_s"`
	GFLOP float64 `json:"gflop"`
}

// profile computes everything that a run does from what is bound, one operation at a time, each into memory of its own
// that others take over after its last use, and adds up the time by kind, the longest first. There must have been a run,
// and the logits must be those of the last one.
func (n *network) profile(ctx context.Context) ([]kindTime, error) {
	nodes, children := n.ordered()
	readers := map[*gorgonia.Node]int{}
	for _, node := range nodes {
		for _, c := range children[node] {
			readers[c]++
		}
	}
	readers[n.logits]++ // kept to the end
	free := map[int][][]float32{}
	values := map[*gorgonia.Node][]float32{}
	kinds := map[string]*kindTime{}
	for _, node := range nodes {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if node.Op() == nil {
			values[node] = n.inputs[node.Name()]
			continue
		}
		size := max(node.Shape().TotalSize(), 1)
		var out []float32
		if pool := free[size]; len(pool) > 0 {
			out, free[size] = pool[len(pool)-1], pool[:len(pool)-1]
		} else {
			out = make([]float32, size)
		}
		in := make([][]float32, len(children[node]))
		for i, c := range children[node] {
			in[i] = values[c]
		}
		kind, work := "Gorgonia's own", 0.0
		t, err := timed(func() error {
			own, ok := node.Op().(op.Op)
			if !ok {
				return foreign(node, children[node], in, out)
			}
			kind, work = kindOf(own.Kernel), 1e-9*flop(own.Kernel)
			if reduced, ok := own.Kernel.(op.Reducible); ok && n.lane.Precision() == op.BFloat16 {
				reduced.RunBFloat16(out, in)
			} else {
				own.Kernel.Run(out, in)
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("profile %v: %w", node, err)
		}
		k := kinds[kind]
		if k == nil {
			k = &kindTime{Kind: kind}
			kinds[kind] = k
		}
		k.Count++
		k.CPU, k.Wall, k.GFLOP = k.CPU+t.CPU, k.Wall+t.Wall, k.GFLOP+work
		values[node] = out
		for _, c := range children[node] {
			if readers[c]--; readers[c] == 0 && c.Op() != nil {
				free[len(values[c])] = append(free[len(values[c])], values[c])
				delete(values, c)
			}
		}
	}
	run, err := n.value(n.logits)
	if err != nil {
		return nil, err
	}
	for i, v := range values[n.logits] {
		if d := math.Abs(float64(v) - float64(run[i])); !(d <= 1e-4*(1+math.Abs(float64(v)))) {
			return nil, fmt.Errorf("operation by operation the logits are %v, in a run %v", values[n.logits], run)
		}
	}
	var all []kindTime
	for _, k := range kinds {
		all = append(all, *k)
	}
	slices.SortFunc(all, func(a, b kindTime) int {
		return cmp.Or(cmp.Compare(b.CPU, a.CPU), strings.Compare(a.Kind, b.Kind))
	})
	return all, nil
}

// foreign computes a constant or an operation of Gorgonia's own, which gradients bring.
func foreign(node *gorgonia.Node, children gorgonia.Nodes, in [][]float32, out []float32) error {
	result := node.Value()
	if len(children) > 0 {
		values := make([]gorgonia.Value, len(in))
		for i, data := range in {
			if shape := children[i].Shape(); shape.Dims() == 0 {
				values[i] = gorgonia.NewF32(data[0])
			} else {
				values[i] = tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data))
			}
		}
		var err error
		if result, err = node.Op().Do(values...); err != nil {
			return err
		}
	}
	switch data := result.Data().(type) {
	case []float32:
		copy(out, data)
	case float32:
		out[0] = data
	default:
		return fmt.Errorf("holds %T, want float32", data)
	}
	return nil
}
