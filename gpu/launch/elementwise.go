package launch

import "mome/gpu/op"

// elementwise are the operations of gpu/op/elementwise.go.
func elementwise(k op.Kernel, _ op.Precision) (List, bool) {
	switch k := k.(type) {
	case op.GELUKernel:
		n := k.Rows * k.Cols
		return one(fours("gelu", n, Out(0), In(0, 0), Int(n))), true
	case op.GELUGradKernel:
		n := k.Rows * k.Cols
		return one(fours("gelu_grad", n, Out(0), In(0, 0), In(1, 0), Int(n))), true
	case op.SumKernel:
		return sum(k.Rows*k.Cols, k.Terms), true
	case op.ScaleKernel:
		n := k.Rows * k.Cols
		return one(fours("scale", n, Out(0), In(0, 0), In(1, 0), Int(n))), true
	case op.CrossEntropyKernel:
		return one(Step{Kernel: "cross_entropy", Grid: [3]int{1, 1, 1}, Block: [3]int{32, 8, 1},
			Params: []Param{Out(0), In(0, 0), In(1, 0), Int(k.Rows), Int(k.Classes)}}), true
	case op.CrossEntropyGradKernel:
		return one(Step{Kernel: "cross_entropy_grad", Grid: [3]int{blocks(k.Rows, 8), 1, 1}, Block: [3]int{32, 8, 1},
			Params: []Param{Out(0), In(0, 0), In(1, 0), In(2, 0), Int(k.Rows), Int(k.Classes)}}), true
	}
	return List{}, false
}

// one is a list of one step.
func one(s Step) List { return List{Steps: []Step{s}} }

// fours is a step of one thread for every four of n numbers.
func fours(kernel string, n int, params ...Param) Step { return each(kernel, blocks(n, 4), params...) }

// sum adds terms of n numbers, up to four in one step; what they make is the first term of the next.
func sum(n, terms int) List {
	var l List
	for next := 0; next < terms; {
		var all []Param
		if next > 0 {
			all = append(all, Out(0))
		}
		for ; next < terms && len(all) < 4; next++ {
			all = append(all, In(next, 0))
		}
		count := len(all)
		for len(all) < 4 {
			all = append(all, all[0]) // not read
		}
		l.Steps = append(l.Steps, fours("sum", n, Out(0), all[0], all[1], all[2], all[3], Int(count), Int(n)))
	}
	return l
}
