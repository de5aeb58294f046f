package op

import (
	"fmt"

	"mome/gpu/kernel"
)

// Precision is the form in which matrix products and convolutions read their factors. Sums, norms, softmax and
// everything kept between operations are float32 in either.
type Precision int

// Precisions.
const (
	Float32  Precision = iota
	BFloat16           // 8 bits of mantissa: 2^-9 of every factor; 12 layers of random weights change logits by 4 %
	TF32               // 11 bits: 2^-12 of every factor, on devices that multiply it; a CPU computes Float32
)

func (p Precision) String() string {
	switch p {
	case Float32:
		return "float32"
	case BFloat16:
		return "bfloat16"
	case TF32:
		return "tf32"
	}
	return fmt.Sprintf("Precision(%d)", int(p))
}

// Reducible is a Kernel that can read its factors as bfloat16.
type Reducible interface {
	Kernel
	// RunBFloat16 is Run with the factors of products rounded to bfloat16, to nearest even.
	RunBFloat16(out []float32, in [][]float32)
}

var (
	_ Reducible = MatMulKernel{}
	_ Reducible = LinearKernel{}
	_ Reducible = GroupedLinearKernel{}
	_ Reducible = Conv3dKernel{}
	_ Reducible = AttentionKernel{}
)

// BFloat16Native says whether this processor multiplies bfloat16 itself. Where it does not, factors are rounded and
// multiplied as float32: the same accuracy, and no faster.
func BFloat16Native() bool { return kernel.BFloat16Native() }
