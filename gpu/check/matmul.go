package check

import (
	"fmt"

	"mome/gpu/kernel"
	"mome/gpu/op"
)

func products() []Case {
	var all []Case
	// Below, at and above the sizes of tiles and slices, with and without rows of whole chunks of four.
	for _, s := range [][3]int{{1, 1, 1}, {5, 3, 7}, {64, 64, 32}, {65, 63, 33}, {3, 130, 100}, {129, 66, 68}, {17, 8, 700}, {2, 5, 1537}} {
		for _, trans := range [][2]bool{{false, false}, {false, true}, {true, false}, {true, true}} {
			k := kernel.MatMulShape{M: s[0], N: s[1], K: s[2], TransA: trans[0], TransB: trans[1]}
			all = append(all, Case{Name: fmt.Sprintf("matmul %v %v", s, trans), Kernel: op.MatMulKernel{MatMulShape: k}})
		}
	}
	// Enough for large and for huge tiles.
	for _, s := range [][3]int{{1410, 1284, 36}, {2820, 1284, 12}} {
		for _, trans := range [][2]bool{{false, false}, {false, true}, {true, false}, {true, true}} {
			k := kernel.MatMulShape{M: s[0], N: s[1], K: s[2], TransA: trans[0], TransB: trans[1]}
			all = append(all, Case{Name: fmt.Sprintf("matmul %v %v", s, trans), Kernel: op.MatMulKernel{MatMulShape: k}, Slow: true})
		}
	}
	for _, s := range []kernel.LinearShape{{Rows: 43, In: 96, Out: 96}, {Rows: 1, In: 96, Out: 2}, {Rows: 7, In: 33, Out: 70}, {Rows: 5, In: 600, Out: 12}} {
		all = append(all, Case{Name: fmt.Sprintf("linear %v", s), Kernel: op.LinearKernel{LinearShape: s}})
	}
	all = append(all, Case{Name: "linear of the adapter", Kernel: op.LinearKernel{LinearShape: kernel.LinearShape{Rows: 256, In: 768, Out: 192}}, Slow: true})
	// The published model's way: huge tiles, so deep that the ring of slices comes round.
	all = append(all, Case{Name: "linear in huge tiles", Kernel: op.LinearKernel{LinearShape: kernel.LinearShape{Rows: 1270, In: 132, Out: 1788}}, Slow: true})
	for _, s := range []kernel.GroupedShape{
		{Groups: 8, Slots: 1, In: 24, Out: 24}, {Groups: 3, Slots: 5, In: 7, Out: 9}, {Groups: 1, Slots: 70, In: 40, Out: 68},
		{Groups: 2, Slots: 3, In: 100, Out: 132},
	} {
		all = append(all,
			Case{Name: fmt.Sprintf("grouped linear %v", s), Kernel: op.GroupedLinearKernel{GroupedShape: s}},
			Case{Name: fmt.Sprintf("grouped linear grad input %v", s), Kernel: op.GroupedLinearGradInputKernel{GroupedShape: s}},
			Case{Name: fmt.Sprintf("grouped linear grad weight %v", s), Kernel: op.GroupedLinearGradWeightKernel{GroupedShape: s}},
			Case{Name: fmt.Sprintf("grouped linear grad bias %v", s), Kernel: op.GroupedLinearGradBiasKernel{GroupedShape: s}},
		)
	}
	return append(all, fused()...)
}
