package check

import "mome/gpu/op"

func elementwise() []Case {
	return []Case{
		{Name: "gelu", Kernel: op.GELUKernel{Rows: 37, Cols: 19}},
		{Name: "gelu of many", Kernel: op.GELUKernel{Rows: 3, Cols: 1001}},
	}
}
