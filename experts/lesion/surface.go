package lesion

import (
	"math"

	"mome/experts/volume"
)

// directions are the 13 lines through a voxel and its 26 neighbours.
var directions = [13][3]int{
	{1, 0, 0}, {0, 1, 0}, {0, 0, 1},
	{1, 1, 0}, {1, -1, 0}, {1, 0, 1}, {1, 0, -1}, {0, 1, 1}, {0, 1, -1},
	{1, 1, 1}, {1, 1, -1}, {1, -1, 1}, {-1, 1, 1},
}

// shares returns for each direction the part of all directions in space that lie nearest to it on a grid of this
// spacing, found on 4,096 evenly spread ones; they sum to 1.
func shares(spacingMM [3]float64) (share [13]float64) {
	var unit [13]volume.Vec
	for d, step := range directions {
		unit[d] = stepMM(step, spacingMM)
		unit[d] = unit[d].Scale(1 / unit[d].Norm())
	}
	const samples = 4096
	golden := math.Pi * (3 - math.Sqrt(5)) // Fibonacci lattice on the sphere
	for n := range samples {
		z := 1 - (2*float64(n)+1)/samples
		r := math.Sqrt(1 - z*z)
		sin, cos := math.Sincos(golden * float64(n))
		v := volume.Vec{r * cos, r * sin, z}
		best, most := 0, -1.0
		for d := range unit {
			if c := math.Abs(v.Dot(unit[d])); c > most {
				best, most = d, c
			}
		}
		share[best] += 1.0 / samples
	}
	return share
}

func stepMM(step [3]int, spacingMM [3]float64) volume.Vec {
	return volume.Vec{float64(step[0]) * spacingMM[0], float64(step[1]) * spacingMM[1], float64(step[2]) * spacingMM[2]}
}

// areaMM2 returns the surface of m inside b by the Cauchy-Crofton formula: lines of 13 directions cross it, each
// direction weighted by its share of the sphere (Lehmann and Legland, Insight Journal 2012). Counting voxel faces
// instead would make every ball's surface half as large again.
func areaMM2(m *volume.Mask, b box) float64 {
	share := shares(m.SpacingMM)
	inside := func(i, j, k int) bool { return m.Contains(i, j, k) && m.Data[m.Index(i, j, k)] }
	var crossings [13]int
	for k := b.lo[2]; k <= b.hi[2]; k++ {
		for j := b.lo[1]; j <= b.hi[1]; j++ {
			for i := b.lo[0]; i <= b.hi[0]; i++ {
				if !m.Data[m.Index(i, j, k)] {
					continue
				}
				for d, s := range directions {
					if !inside(i+s[0], j+s[1], k+s[2]) {
						crossings[d]++
					}
					if !inside(i-s[0], j-s[1], k-s[2]) {
						crossings[d]++
					}
				}
			}
		}
	}
	area := 0.0
	for d, s := range directions {
		// The lines of one direction lie VoxelMM3/length apart in cross-section; |n . d| averages 1/2 over directions.
		area += 2 * share[d] * float64(crossings[d]) * m.VoxelMM3() / stepMM(s, m.SpacingMM).Norm()
	}
	return area
}
