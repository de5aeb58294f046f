package kernel

import (
	"sync"

	"mome/gpu/kernel/gemm"
)

// pieceVoxels is the number of output voxels whose unrolled input is held at once.
const pieceVoxels = 384

// columnStride is the distance between rows of the unrolled input of a piece.
const columnStride = pieceVoxels + 16

// scratch keeps memory between calls.
type scratch struct{ x []float32 }

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// sumPieces is the number of pieces that the sum over voxels of Conv3dGradWeight is cut into, each into a sum of its
// own, where the channels alone would not keep several cores busy.
func (s Conv3dShape) sumPieces() int {
	const enough = 8
	blocks := (s.In + s.channelsAtOnce() - 1) / s.channelsAtOnce()
	return max(1, enough/blocks)
}

// Conv3dGradWeight writes dw from x and dy.
func Conv3dGradWeight(s Conv3dShape, dw, x, dy []float32) {
	k := gemm.Best(gemm.Float32)
	window, channels, sums := volume(s.Kernel), s.channelsAtOnce(), s.sumPieces()
	blocks, patch := (s.In+channels-1)/channels, s.patch()
	total := scratches.Get().(*scratch)
	defer scratches.Put(total)
	total.x = numbers(total.x, sums*patch*s.Out) // the transpose of dw, which has the longer side along rows: [sum, patch, Out]
	parallel(blocks*sums, 1, func(from, to int) {
		u := unrolledPool.Get().(*unrolled)
		defer u.release()
		columns := scratches.Get().(*scratch)
		defer scratches.Put(columns)
		columns.x = numbers(columns.x, channels*window*columnStride)
		for i := from; i < to; i++ {
			c, sum := i/sums*channels, i%sums
			rows := min(channels, s.In-c) * window
			out := gemm.View{Data: total.x[(sum*patch+c*window)*s.Out:], Stride: s.Out}
			s.eachPiece(sum, sums, func(n, voxel, voxels int, first bool) {
				u.s, u.x, u.voxel = &s, x[(n*s.In+c)*volume(s.Size):], voxel
				u.Fill(columns.x, columnStride, 0, rows, 0, voxels)
				k.Multiply(gemm.Product{
					M: rows, N: s.Out, K: voxels, Add: !first,
					A: gemm.View{Data: columns.x, Stride: columnStride}, B: transposed(s.outputs(dy, n, voxel)), C: out,
				})
			})
		}
	})
	s.addTransposed(dw, total.x, sums)
}

// addTransposed writes dw: [Out, patch], the transpose of the sum of the matrices in parts: [sums, patch, Out].
func (s Conv3dShape) addTransposed(dw, parts []float32, sums int) {
	const line = 16 // numbers of a cache line: as many rows of dw are written together
	patch := s.patch()
	lines := (s.Out + line - 1) / line
	parallel(lines, grainFor(line*sums*patch), func(from, to int) {
		for o := from * line; o < min(to*line, s.Out); o += line {
			n := min(line, s.Out-o)
			for p := range patch {
				for i, v := range parts[p*s.Out+o:][:n] {
					for sum := 1; sum < sums; sum++ {
						v += parts[(sum*patch+p)*s.Out+o+i]
					}
					dw[(o+i)*patch+p] = v
				}
			}
		}
	})
}

// eachPiece visits the pieces of voxels of all images that the sum numbered sum of sums consists of, in order. There is
// at least one, which may be empty.
func (s Conv3dShape) eachPiece(sum, sums int, visit func(n, voxel, voxels int, first bool)) {
	all := volume(s.OutSize())
	pieces := (all + pieceVoxels - 1) / pieceVoxels
	from, to := s.Batch*pieces*sum/sums, s.Batch*pieces*(sum+1)/sums
	if from == to {
		visit(0, 0, 0, true)
	}
	for i := from; i < to; i++ {
		voxel := i % pieces * pieceVoxels
		visit(i/pieces, voxel, min(pieceVoxels, all-voxel), i == from)
	}
}

// outputs are the channels of image n of y from a voxel on: [Out, voxels].
func (s Conv3dShape) outputs(y []float32, n, voxel int) gemm.View {
	voxels := volume(s.OutSize())
	return gemm.View{Data: y[n*s.Out*voxels+voxel:], Stride: voxels}
}

func transposed(v gemm.View) gemm.View {
	v.Trans = !v.Trans
	return v
}

// Conv3dGradInput writes dx from w and dy.
func Conv3dGradInput(s Conv3dShape, dx, w, dy []float32) {
	k := gemm.Best(gemm.Float32)
	window, patch := volume(s.Kernel), s.patch()
	channels := max(1, min(s.channelsAtOnce(), (s.In+1)/2)) // two cores' work where there is any for two
	blocks := (s.In + channels - 1) / channels
	parallel(s.Batch*blocks, 1, func(from, to int) {
		u := unrolledPool.Get().(*unrolled)
		defer u.release()
		columns := scratches.Get().(*scratch)
		defer scratches.Put(columns)
		columns.x = numbers(columns.x, channels*window*columnStride)
		for i := from; i < to; i++ {
			n, c := i/blocks, i%blocks*channels
			rows := min(channels, s.In-c) * window
			u.s, u.x = &s, dx[(n*s.In+c)*volume(s.Size):]
			clear(u.x[:min(channels, s.In-c)*volume(s.Size)])
			for voxel := 0; voxel < volume(s.OutSize()); voxel += pieceVoxels {
				voxels := min(pieceVoxels, volume(s.OutSize())-voxel)
				k.Multiply(gemm.Product{
					M: rows, N: voxels, K: s.Out,
					A: gemm.View{Data: w[c*window:], Stride: patch, Trans: true}, B: s.outputs(dy, n, voxel),
					C: gemm.View{Data: columns.x, Stride: columnStride},
				})
				u.voxel = voxel
				u.add(columns.x, columnStride, 0, rows, voxels)
			}
		}
	})
}
