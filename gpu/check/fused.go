package check

import (
	"fmt"

	"mome/gpu/kernel"
	"mome/gpu/launch"
)

func fused() []Case {
	var all []Case
	for terms := range launch.MaxTerms + 1 {
		for _, gelu := range []bool{false, true} {
			for _, s := range []kernel.LinearShape{{Rows: 43, In: 96, Out: 24}, {Rows: 9, In: 21, Out: 67}, {Rows: 3, In: 768, Out: 7}} {
				all = append(all, Case{
					Name:   fmt.Sprintf("linear fused %v gelu %v terms %d", s, gelu, terms),
					Kernel: launch.LinearFused{LinearShape: s, GELU: gelu, Terms: terms},
				})
			}
		}
	}
	return all
}
