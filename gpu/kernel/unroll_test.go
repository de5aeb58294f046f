package kernel

import (
	"fmt"
	"slices"
	"testing"
)

var strides2 = []Conv3dShape{
	{Batch: 1, In: 3, Out: 1, Size: [3]int{5, 4, 9}, Kernel: [3]int{3, 3, 3}, Stride: [3]int{2, 2, 2}, Pad: [3]int{1, 1, 1}},
	{Batch: 1, In: 2, Out: 1, Size: [3]int{2, 3, 70}, Kernel: [3]int{3, 3, 3}, Stride: [3]int{2, 2, 2}, Pad: [3]int{1, 1, 1}},
	{Batch: 1, In: 1, Out: 1, Size: [3]int{3, 3, 131}, Kernel: [3]int{1, 2, 5}, Stride: [3]int{1, 3, 2}, Pad: [3]int{0, 1, 4}},
	{Batch: 1, In: 2, Out: 1, Size: [3]int{4, 4, 1}, Kernel: [3]int{3, 3, 3}, Stride: [3]int{2, 2, 2}, Pad: [3]int{1, 1, 1}},
}

// definition is the unrolled input entry by entry.
func definition(s Conv3dShape, x []float32, k, voxel int) float32 {
	out, window := s.OutSize(), volume(s.Kernel)
	c, e := k/window, k%window
	at := [3]int{
		voxel/(out[1]*out[2])*s.Stride[0] - s.Pad[0] + e/(s.Kernel[1]*s.Kernel[2]),
		voxel/out[2]%out[1]*s.Stride[1] - s.Pad[1] + e/s.Kernel[2]%s.Kernel[1],
		voxel%out[2]*s.Stride[2] - s.Pad[2] + e%s.Kernel[2],
	}
	for a := range 3 {
		if at[a] < 0 || at[a] >= s.Size[a] {
			return 0
		}
	}
	return x[((c*s.Size[0]+at[0])*s.Size[1]+at[1])*s.Size[2]+at[2]]
}

// Any rows and columns of the unrolled input must be its definition's, wherever panels and channels end; the memory of x
// ends with its last voxel, so that reading on would show.
func TestUnrolledInput(t *testing.T) {
	for _, s := range append(slices.Clone(convolutions), strides2...) {
		x := normals(1, s.In*volume(s.Size))
		patch, voxels := s.patch(), volume(s.OutSize())
		for _, cut := range [][2]int{{patch, 32}, {volume(s.Kernel), 40}, {7, 5}, {1, 33}} {
			if patch*voxels/(cut[0]*cut[1]) > 20000 {
				continue
			}
			for k0 := 0; k0 < patch; k0 += cut[0] {
				for n0 := 0; n0 < voxels; n0 += cut[1] {
					k1, n1 := min(k0+cut[0], patch), min(n0+cut[1], voxels)
					panel := dirty((k1 - k0) * cut[1])
					(&unrolled{s: &s, x: x}).Fill(panel, cut[1], k0, k1, n0, n1)
					for k := k0; k < k1; k++ {
						for n := n0; n < n1; n++ {
							if got, want := panel[(k-k0)*cut[1]+n-n0], definition(s, x, k, n); got != want {
								t.Fatalf("%+v, cut by %v: row %d, voxel %d is %g, want %g", s, cut, k, n, got, want)
							}
						}
					}
				}
			}
		}
	}
}

func TestUnrollersAgree(t *testing.T) {
	slow := anyStride(2)
	for number, fast := range everySecond() {
		for _, s := range strides2 {
			size, block := volume(s.Size), volume(s.Kernel)*40
			for row := range s.OutSize()[0] * s.OutSize()[1] {
				for d := 0; d < s.OutSize()[2]; d += 5 {
					cols := min(s.OutSize()[2]-d, runVoxels)
					taps := s.appendTaps(nil, row, d, cols, 0, volume(s.Kernel), 40)
					name := fmt.Sprintf("of number %d, %+v, row %d from %d", number, s, row, d)
					x := normals(1, s.In*size)
					got, want := normals(2, s.In*block), normals(2, s.In*block)
					fast.gather(got, block, x, size, s.In, taps, cols)
					slow.gather(want, block, x, size, s.In, taps, cols)
					if !slices.Equal(got, want) {
						t.Fatalf("gather %s: differs, or writes beyond its columns", name)
					}
					sum := slices.Clone(x)
					fast.scatter(sum, size, got, block, s.In, taps, cols)
					slow.scatter(x, size, got, block, s.In, taps, cols)
					if !slices.Equal(sum, x) {
						t.Fatalf("scatter %s: differs", name)
					}
				}
			}
		}
	}
}
