package gemm

import "golang.org/x/sys/cpu"

//go:noescape
func float32x12AVX512(k int, a *float32, aRow, aStep int, b *float32, bStep int, c *float32, cRow int, init *float32, initRow int, mask uint32)

//go:noescape
func float32x8AVX512(k int, a *float32, aRow, aStep int, b *float32, bStep int, c *float32, cRow int, init *float32, initRow int, mask uint32)

//go:noescape
func float32x4AVX512(k int, a *float32, aRow, aStep int, b *float32, bStep int, c *float32, cRow int, init *float32, initRow int, mask uint32)

//go:noescape
func float32x2AVX512(k int, a *float32, aRow, aStep int, b *float32, bStep int, c *float32, cRow int, init *float32, initRow int, mask uint32)

//go:noescape
func float32x1AVX512(k int, a *float32, aRow, aStep int, b *float32, bStep int, c *float32, cRow int, init *float32, initRow int, mask uint32)

//go:noescape
func bfloat16x12AVX512(k int, a *float32, aRow, aStep int, b *float32, bStep int, c *float32, cRow int, init *float32, initRow int, mask uint32)

//go:noescape
func bfloat16x8AVX512(k int, a *float32, aRow, aStep int, b *float32, bStep int, c *float32, cRow int, init *float32, initRow int, mask uint32)

//go:noescape
func bfloat16x4AVX512(k int, a *float32, aRow, aStep int, b *float32, bStep int, c *float32, cRow int, init *float32, initRow int, mask uint32)

//go:noescape
func bfloat16x2AVX512(k int, a *float32, aRow, aStep int, b *float32, bStep int, c *float32, cRow int, init *float32, initRow int, mask uint32)

//go:noescape
func bfloat16x1AVX512(k int, a *float32, aRow, aStep int, b *float32, bStep int, c *float32, cRow int, init *float32, initRow int, mask uint32)

//go:noescape
func float32x6AVX2(k int, a *float32, aRow, aStep int, b *float32, bStep int, c *float32, cRow int, init *float32, initRow int, mask uint32)

//go:noescape
func float32x4AVX2(k int, a *float32, aRow, aStep int, b *float32, bStep int, c *float32, cRow int, init *float32, initRow int, mask uint32)

//go:noescape
func float32x2AVX2(k int, a *float32, aRow, aStep int, b *float32, bStep int, c *float32, cRow int, init *float32, initRow int, mask uint32)

//go:noescape
func float32x1AVX2(k int, a *float32, aRow, aStep int, b *float32, bStep int, c *float32, cRow int, init *float32, initRow int, mask uint32)

// assembly lists the kernels in assembly that this CPU and its operating system can run, best first.
func assembly() []*Kernel {
	var all []*Kernel
	wide := cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasBMI2
	if wide && cpu.X86.HasAVX512BF16 {
		all = append(all, &Kernel{
			name: "avx512bf16", precision: BFloat16, cols: 32, masked: true, pairs: true, pack: packBFloat16(),
			tiles: []tile{{12, bfloat16x12AVX512}, {8, bfloat16x8AVX512}, {4, bfloat16x4AVX512}, {2, bfloat16x2AVX512}, {1, bfloat16x1AVX512}},
		})
	}
	if wide {
		tiles := []tile{{12, float32x12AVX512}, {8, float32x8AVX512}, {4, float32x4AVX512}, {2, float32x2AVX512}, {1, float32x1AVX512}}
		for p := range 2 {
			all = append(all, &Kernel{name: "avx512", precision: Precision(p), cols: 32, masked: true, tiles: tiles, pack: packAVX512()})
		}
	}
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		tiles := []tile{{6, float32x6AVX2}, {4, float32x4AVX2}, {2, float32x2AVX2}, {1, float32x1AVX2}}
		for p := range 2 {
			all = append(all, &Kernel{name: "avx2", precision: Precision(p), cols: 16, tiles: tiles, pack: packAVX2()})
		}
	}
	return all
}
