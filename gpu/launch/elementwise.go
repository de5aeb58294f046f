package launch

import "mome/gpu/op"

// elementwise are the operations of gpu/op/elementwise.go.
func elementwise(k op.Kernel, _ op.Precision) (List, bool) {
	switch k := k.(type) {
	case op.GELUKernel:
		n := k.Rows * k.Cols
		return List{Steps: []Step{each("gelu", n, Out(0), In(0, 0), Int(n))}}, true
	}
	return List{}, false
}
