package registration

import (
	"context"
	"math"

	"mome/experts"
	"mome/experts/volume"
)

// smoothing is the standard deviation of the Gaussian before a grid is thinned, in voxels of the new one. Linear
// interpolation softens noise most half way between voxels, and less the smoother the image is: at 0.6 the errors of
// translations found on balls in noise were twice those at 1.
const smoothing = 1.0

// span is a range of indices, to included.
type span struct{ from, to int }

// whole returns the spans of all voxels.
func whole(g *volume.Grid) [3]span {
	return [3]span{{0, g.Size[0] - 1}, {0, g.Size[1] - 1}, {0, g.Size[2] - 1}}
}

// thinned returns the part of v within the box on a grid of its axes whose voxels are at least mm wide, smoothed first.
// Values that are not finite count as zero.
func thinned(ctx context.Context, v *volume.Volume, box [3]span, mm float64) (*volume.Volume, error) {
	g := v.Grid
	var taps [3][]gaussTap
	for a := range 3 {
		s := v.SpacingMM[a]
		ratio := max(1, mm/s)
		length := float64(box[a].to - box[a].from)
		n := int(length/ratio+1e-9) + 1
		first := float64(box[a].from) + (length-float64(n-1)*ratio)/2
		g.Size[a], g.SpacingMM[a] = n, s*ratio
		g.Origin = g.Origin.Add(g.Axis[a].Scale(first * s))
		taps[a] = gaussTaps(first, ratio, n, v.Size[a], smoothing*ratio)
	}
	// Along i and j within the slices that the last step reads; these are fewer than v's where the box is smaller.
	low, high := taps[2][0].from, taps[2][g.Size[2]-1].from+len(taps[2][g.Size[2]-1].w)
	area := g.Size[0] * g.Size[1]
	flat := make([]float32, area*(high-low))
	err := experts.EachSlice(ctx, high-low, func(n int) { thinSlice(v, low+n, taps, g.Size, flat[n*area:][:area]) })
	if err != nil {
		return nil, err
	}
	out := volume.New(g)
	err = experts.EachSlice(ctx, g.Size[2], func(k int) {
		to := out.Data[k*area:][:area]
		for n, w := range taps[2][k].w {
			for i, x := range flat[(taps[2][k].from-low+n)*area:][:area] {
				to[i] += w * x
			}
		}
	})
	return out, err
}

// thinSlice smooths and thins slice k of v along i and j.
func thinSlice(v *volume.Volume, k int, taps [3][]gaussTap, size [3]int, out []float32) {
	low, high := taps[1][0].from, taps[1][size[1]-1].from+len(taps[1][size[1]-1].w)
	rows := make([]float32, size[0]*(high-low))
	for j := low; j < high; j++ {
		from := v.Data[v.Index(0, j, k):][:v.Size[0]]
		to := rows[(j-low)*size[0]:][:size[0]]
		for i := range to {
			t := &taps[0][i]
			sum := float32(0)
			for n, x := range from[t.from:][:len(t.w)] {
				if x-x == 0 { // finite
					sum += t.w[n] * x
				}
			}
			to[i] = sum
		}
	}
	for j := range size[1] {
		to := out[j*size[0]:][:size[0]]
		for n, w := range taps[1][j].w {
			for i, x := range rows[(taps[1][j].from-low+n)*size[0]:][:size[0]] {
				to[i] += w * x
			}
		}
	}
}

// gaussTap is a weighted mean of neighbours along one axis.
type gaussTap struct {
	from int
	w    []float32
}

// gaussTaps returns the taps at first, first + step, ... of a line of size values. Beyond the line's ends is nothing: the
// weights of what is left are raised to 1.
func gaussTaps(first, step float64, n, size int, sigma float64) []gaussTap {
	taps := make([]gaussTap, n)
	for i := range taps {
		x := first + float64(i)*step
		low, high := max(int(math.Ceil(x-2.5*sigma)), 0), min(int(math.Floor(x+2.5*sigma)), size-1)
		if low > high { // narrower than a voxel
			low = min(max(int(math.Round(x)), 0), size-1)
			high = low
		}
		w, sum := make([]float64, high-low+1), 0.0
		for m := range w {
			d := (float64(low+m) - x) / sigma
			w[m] = math.Exp(-d * d / 2)
			sum += w[m]
		}
		taps[i] = gaussTap{from: low, w: make([]float32, len(w))}
		for m := range w {
			taps[i].w[m] = float32(w[m] / sum)
		}
	}
	return taps
}
