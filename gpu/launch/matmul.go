package launch

import (
	"mome/gpu/kernel"
	"mome/gpu/op"
)

// products are the operations of gpu/op/matmul.go and LinearFused.
func products(k op.Kernel, p op.Precision) (List, bool) {
	switch k := k.(type) {
	case op.MatMulKernel:
		return product{MatMulShape: k.MatMulShape}.list(p), true
	case op.LinearKernel:
		return linear(k.LinearShape, false, 0).list(p), true
	case LinearFused:
		if k.Terms <= MaxTerms {
			return linear(k.LinearShape, k.GELU, k.Terms).list(p), true
		}
	case op.GroupedLinearKernel:
		return grouped(k.GroupedShape, kernel.MatMulShape{M: k.Slots, N: k.Out, K: k.In}, true).list(p), true
	case op.GroupedLinearGradInputKernel:
		g := grouped(k.GroupedShape, kernel.MatMulShape{M: k.Slots, N: k.In, K: k.Out, TransB: true}, false)
		g.a, g.b = 1, 0
		return g.list(p), true
	case op.GroupedLinearGradWeightKernel:
		return grouped(k.GroupedShape, kernel.MatMulShape{M: k.In, N: k.Out, K: k.Slots, TransA: true}, false).list(p), true
	case op.GroupedLinearGradBiasKernel:
		return List{Steps: []Step{each("grouped_linear_grad_bias", k.Groups*k.Out, Out(0), In(0, 0), Int(k.Groups), Int(k.Slots), Int(k.Out))}}, true
	}
	return List{}, false
}

// product is y = [gelu](op(A) op(B) + bias) + terms, for so many groups of rows with factors of their own; 0 stands for one.
type product struct {
	kernel.MatMulShape
	groups int
	a, b   int  // the inputs that are the factors; 0 and 0 stand for 0 and 1
	bias   bool // input 2
	gelu   bool
	terms  int // inputs 3 and on
}

func linear(s kernel.LinearShape, gelu bool, terms int) product {
	return product{MatMulShape: kernel.MatMulShape{M: s.Rows, N: s.Out, K: s.In, TransB: true}, bias: true, gelu: gelu, terms: terms}
}

func grouped(s kernel.GroupedShape, one kernel.MatMulShape, bias bool) product {
	return product{MatMulShape: one, groups: s.Groups, bias: bias}
}

func (g product) list(p op.Precision) List {
	if g.groups == 0 {
		g.groups = 1
	}
	if g.a == g.b {
		g.b = g.a + 1
	}
	most := mostParts
	if g.groups > 1 {
		most = 1
	}
	t, parts := split(p, tiles(p), g.groups, g.M, g.N, g.K, most)
	name := map[bool]string{false: "n", true: "t"}
	kernel := "matmul_" + name[g.TransA] + name[g.TransB] + "_" + t.name + "_" + p.String()
	if parts > 1 {
		return g.inParts(kernel, t, parts)
	}
	params := append([]Param{Out(0), In(g.a, 0), In(g.b, 0)}, g.ending()...)
	params = append(params, Int(g.M), Int(g.N), Int(g.K), Int(0), Int(g.M*g.K), Int(g.K*g.N), Int(g.M*g.N), Int(g.N))
	return List{Steps: []Step{{
		Kernel: kernel, Grid: [3]int{g.groups * t.count(g.M, g.N), 1, 1}, Block: [3]int{t.threads, 1, 1},
		Shared: t.shared(g.K), Params: params,
	}}}
}

// inParts multiplies parts of the depth side by side, into the workspace, and adds them.
func (g product) inParts(kernel string, t tile, parts int) List {
	deep := partDepth(g.K, parts)
	stepA, stepB := deep, deep*g.N
	if g.TransA {
		stepA = deep * g.M
	}
	if g.TransB {
		stepB = deep
	}
	params := append([]Param{Space(0), In(g.a, 0), In(g.b, 0)}, product{}.ending()...)
	params = append(params, Int(g.M), Int(g.N), Int(g.K), Int(deep), Int(stepA), Int(stepB), Int(g.M*g.N), Int(0))
	return List{Workspace: parts * g.M * g.N, Steps: []Step{
		{
			Kernel: kernel, Grid: [3]int{parts * t.count(g.M, g.N), 1, 1}, Block: [3]int{t.threads, 1, 1},
			Shared: t.shared(deep), Params: params,
		},
		sumParts(g.M, g.N, parts, g.ending()),
	}}
}

// sumParts adds the parts in the workspace.
func sumParts(rows, cols, parts int, ending []Param) Step {
	params := append([]Param{Out(0), Space(0)}, ending...)
	return each("sum_parts", rows*blocks(cols, 4), append(params, Int(rows), Int(cols), Int(parts))...)
}

// ending are the parameters for what follows the product.
func (g product) ending() []Param {
	params := make([]Param, 2+MaxTerms)
	for i := range params {
		params[i] = Int(0)
	}
	if g.bias {
		params[0] = In(2, 0)
	}
	for i := range g.terms {
		params[1+i] = In(3+i, 0)
	}
	if g.gelu {
		params[1+MaxTerms] = Int(1)
	}
	return params
}
