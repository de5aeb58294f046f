//go:build !amd64

package gemm

// assembly lists the kernels in assembly: there are none for this architecture.
func assembly() []*Kernel { return nil }
