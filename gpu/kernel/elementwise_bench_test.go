package kernel

import "testing"

// BenchmarkElementwise runs what is not a product of matrices at sizes of the published model, and a few of the
// small one.
func BenchmarkElementwise(b *testing.B) {
	for _, c := range []struct {
		name   string
		arrays int // of the given size, read or written
		size   int
		run    func(y, x, z []float32)
	}{
		{"GELU/4481x3072", 2, 4481 * 3072, func(y, x, _ []float32) { GELU(y, x) }},
		{"GELU/43x384", 2, 43 * 384, func(y, x, _ []float32) { GELU(y, x) }},
		{"GELUGrad/4481x3072", 3, 4481 * 3072, func(y, x, z []float32) { GELUGrad(y, x, z) }},
		{"Sum/4481x768", 4, 4481 * 768, func(y, x, z []float32) { Sum(y, x, z, x) }},
		{"LayerNorm/4481x768", 2, 4481 * 768, norm(4481, 768)},
		{"LayerNorm/4481x3072", 2, 4481 * 3072, norm(4481, 3072)},
		{"LayerNorm/43x96", 2, 43 * 96, norm(43, 96)},
		{"LayerNormGradInput/4481x768", 3, 4481 * 768, func(y, x, z []float32) {
			LayerNormGradInput(NormShape{Rows: 4481, Cols: 768, Eps: 1e-5}, y, x, x[:768], z)
		}},
		{"LayerNormGradScale/4481x768", 2, 4481 * 768, func(y, x, z []float32) {
			LayerNormGradScale(NormShape{Rows: 4481, Cols: 768, Eps: 1e-5}, y, x, z)
		}},
		{"InstanceNormReLU/8x1572864", 2, 8 * 1572864, instance(8, 1572864)},
		{"InstanceNormReLU/128x196608", 2, 128 * 196608, instance(128, 196608)},
		{"InstanceNormReLU/768x24576", 2, 768 * 24576, instance(768, 24576)},
		{"InstanceNormReLUGrad/128x196608", 3, 128 * 196608, func(y, x, z []float32) {
			InstanceNormReLUGrad(NormShape{Rows: 128, Cols: 196608, Eps: 1e-5}, y, x, z)
		}},
		{"SoftmaxRows/512x4481", 2, 512 * 4481, func(y, x, _ []float32) { SoftmaxRows(512, 4481, y, x) }},
		{"SoftmaxRowsGrad/512x4481", 3, 512 * 4481, func(y, x, z []float32) { SoftmaxRowsGrad(512, 4481, y, x, z) }},
		{"SoftmaxCols/4481x128", 2, 4481 * 128, func(y, x, _ []float32) { SoftmaxCols(4481, 128, y, x) }},
		{"SoftmaxColsGrad/4481x128", 3, 4481 * 128, func(y, x, z []float32) { SoftmaxColsGrad(4481, 128, y, x, z) }},
		{"MaxPool3d/256x48x32x16", 1, 256 * 24576, func(y, x, _ []float32) { MaxPool3d(pool(256), y, x) }},
		{"MaxPool3dGrad/256x48x32x16", 2, 256 * 24576, func(y, x, z []float32) { MaxPool3dGrad(pool(256), y, x, z) }},
		{"Transpose/768x3072", 2, 768 * 3072, func(y, x, _ []float32) { Transpose(768, 3072, y, x) }},
		{"CopyBlock/4481x768", 2, 4481 * 768, func(y, x, _ []float32) { CopyBlock(4481, 767, y, 767, x, 768) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			y, x, z := make([]float32, c.size), normals(1, c.size), normals(2, c.size)
			b.ReportAllocs()
			b.SetBytes(int64(4 * c.size * c.arrays))
			for b.Loop() {
				c.run(y, x, z)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(c.size), "ns/number")
		})
	}
}

func norm(rows, cols int) func(y, x, z []float32) {
	return func(y, x, z []float32) {
		LayerNorm(NormShape{Rows: rows, Cols: cols, Eps: 1e-5}, y, x, z[:cols], z[:cols])
	}
}

func instance(rows, cols int) func(y, x, z []float32) {
	return func(y, x, _ []float32) { InstanceNormReLU(NormShape{Rows: rows, Cols: cols, Eps: 1e-5}, y, x) }
}

func pool(channels int) PoolShape {
	return PoolShape{
		Channels: channels, Size: [3]int{48, 32, 16},
		Kernel: [3]int{3, 3, 3}, Stride: [3]int{2, 2, 2}, Pad: [3]int{1, 1, 1},
	}
}
