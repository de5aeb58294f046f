package fusion

import (
	"fmt"
	"math"
	"sync"

	"mome/experts"
	"mome/experts/nn"
	"mome/experts/volume"
)

// Whole puts the volumes that the experts prepared into the boxes as the published preprocessing does, for weights that
// state no field of view. Voxels keep their size and values: a volume smaller than its box is padded with zeros, with
// one zero fewer before than after where they are odd; one larger along any axis is first shrunk by one factor for all
// three axes, so that it just fits, by linear interpolation as of scipy's zoom(order=1), which samples between the
// outermost voxel centres. A modality without channels stays absent.
//
// The network's H runs from the patient's right to left, W from front to back, D from foot to head: the published
// boxes, 384 x 256 x 128 voxels of DCE and 256 x 128 x 32 of DWI, are those of axial slices of both breasts with columns
// first and slices last, and the published code calls the three axes width, height and depth. Volumes are turned and mirrored into this order by whichever of their axes lies nearest, and
// not resampled, so that sagittal and coronal volumes are seen upright too. Which end of an axis comes first mattered
// little to the published weights: they were trained with random mirroring along each.
//
// It fails for weights that state a field of view, see Crop, and for channels that are fewer than the weights want
// (of more the first are read) or not of one size.
func Whole(boxes nn.Boxes, channels map[experts.Modality][]*volume.Volume) (Input, error) {
	var in Input
	for _, m := range experts.Modalities {
		if len(channels[m]) == 0 {
			continue
		}
		values, err := whole(boxes.Of(m), channels[m])
		if err != nil {
			return Input{}, fmt.Errorf("read whole %s: %w", m, err)
		}
		switch m {
		case experts.DCE:
			in.DCE = values
		case experts.T2:
			in.T2 = values
		case experts.DWI:
			in.DWI = values
		}
	}
	return in, nil
}

// WholeGrid is the grid of the box voxels that Whole fills from a volume on the given grid, those of the padding
// included: its i, j, k are the network's D, W, H, so that Grid.Index of a voxel is its place in a channel of Input,
// and Grid.Point its place in the patient.
func WholeGrid(box nn.Box, of volume.Grid) (volume.Grid, error) {
	var f [3]fit
	var err error
	if f, err = fits(box, &of); err != nil {
		return volume.Grid{}, err
	}
	out := volume.Grid{Origin: of.Origin, FrameOfReference: of.FrameOfReference}
	for a := range f { // H, W, D
		to, from := 2-a, f[a].axis
		out.Size[to] = box.Size[a]
		out.Axis[to], out.SpacingMM[to] = of.Axis[from], of.SpacingMM[from]*f[a].step()
		first := 0.0 // of the volume, along its axis
		if f[a].reversed {
			out.Axis[to] = of.Axis[from].Scale(-1)
			first = float64(f[a].from-1) * of.SpacingMM[from]
		}
		out.Origin = out.Origin.Add(of.Axis[from].Scale(first)).Sub(out.Axis[to].Scale(float64(f[a].pad) * out.SpacingMM[to]))
	}
	return out, nil
}

// fit is how one axis of a box is filled: the box's voxels pad, pad+1, ... pad+to-1 from the from voxels of an axis of
// the volume.
type fit struct {
	axis     int // of the volume
	reversed bool
	from, to int
	pad      int
}

// step is the distance between two box voxels in voxels of the volume; scipy's samples are k (from-1)/(to-1).
func (f fit) step() float64 {
	if f.to > 1 {
		return float64(f.from-1) / float64(f.to-1)
	}
	return float64(f.from) // one voxel for all, taken from the first
}

// fits says how the axes H, W, D of a box are filled from a volume.
func fits(box nn.Box, g *volume.Grid) ([3]fit, error) {
	var f [3]fit
	axes, err := nearestAxes(g)
	if err != nil {
		return f, err
	}
	ratio := 1.0
	for a := range f {
		f[a].axis = axes[a]
		f[a].from = g.Size[axes[a]]
		f[a].reversed = g.Axis[axes[a]][a] < 0 // H, W, D are patient x, y, z
		ratio = min(ratio, float64(box.Size[a])/float64(f[a].from))
	}
	for a := range f {
		f[a].to = f[a].from
		if ratio < 1 {
			f[a].to = max(1, int(math.RoundToEven(float64(f[a].from)*ratio)))
		}
		f[a].pad = (box.Size[a] - f[a].to) / 2
	}
	return f, nil
}

// nearestAxes are the axes of the grid that lie nearest to patient x, y and z, each used once: the assignment with the
// largest sum of cosines.
func nearestAxes(g *volume.Grid) ([3]int, error) {
	var found [3]int
	best := -1.0
	for _, p := range [6][3]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		sum := 0.0
		for a := range p {
			sum += math.Abs(g.Axis[p[a]][a])
		}
		if sum > best {
			found, best = p, sum
		}
	}
	if g.Len() < 1 || !(best > 0) {
		return found, fmt.Errorf("grid of %v voxels with axes %v", g.Size, g.Axis)
	}
	return found, nil
}

func whole(box nn.Box, channels []*volume.Volume) ([]float32, error) {
	if box.FieldOfViewMM != [3]float64{} {
		return nil, fmt.Errorf("the weights state a field of view (metadata fov_mm) of %v mm", box.FieldOfViewMM)
	}
	if len(channels) < box.Channels {
		return nil, fmt.Errorf("%d channels, the weights want %d", len(channels), box.Channels)
	}
	channels = channels[:box.Channels]
	f, err := fits(box, &channels[0].Grid)
	if err != nil {
		return nil, err
	}
	for i, c := range channels {
		if !c.Same(&channels[0].Grid) {
			return nil, fmt.Errorf("channel %d is on another grid than the first", i)
		}
	}
	values := make([]float32, box.Floats())
	n := len(values) / box.Channels
	var wait sync.WaitGroup
	for i, c := range channels {
		wait.Go(func() { fill(values[i*n:(i+1)*n], box.Size, f, c) })
	}
	wait.Wait()
	return values, nil
}

// tap is a linear interpolation between two voxels of a line, given as offsets into a volume's data.
type tap struct {
	at     int // in the box, voxels
	lo, hi int
	w      float64
}

// taps are those of the box's voxels along one axis that the volume fills.
func (f fit) taps(g *volume.Grid) []tap {
	stride := [3]int{1, g.Size[0], g.Size[0] * g.Size[1]}[f.axis]
	out := make([]tap, f.to)
	for k := range out {
		x := float64(k) * f.step()
		lo := min(int(x), f.from-1)
		hi := min(lo+1, f.from-1)
		w := x - float64(lo)
		if f.to == f.from {
			lo, hi, w = k, k, 0
		}
		if f.reversed {
			lo, hi = f.from-1-lo, f.from-1-hi
		}
		out[k] = tap{at: f.pad + k, lo: lo * stride, hi: hi * stride, w: w}
	}
	return out
}

// fill writes a volume into one channel of a box, [H, W, D].
func fill(out []float32, size [3]int, f [3]fit, v *volume.Volume) {
	h, w, d := f[0].taps(&v.Grid), f[1].taps(&v.Grid), f[2].taps(&v.Grid)
	for _, a := range h {
		for _, b := range w {
			row := out[(a.at*size[1]+b.at)*size[2]:][:size[2]]
			for _, c := range d {
				if a.w == 0 && b.w == 0 && c.w == 0 {
					row[c.at] = v.Data[a.lo+b.lo+c.lo]
					continue
				}
				near := lerp(a.w, line(v, a.lo+b.lo, c), line(v, a.hi+b.lo, c))
				far := lerp(a.w, line(v, a.lo+b.hi, c), line(v, a.hi+b.hi, c))
				row[c.at] = float32(lerp(b.w, near, far))
			}
		}
	}
}

func line(v *volume.Volume, at int, t tap) float64 {
	return lerp(t.w, float64(v.Data[at+t.lo]), float64(v.Data[at+t.hi]))
}

func lerp(w, a, b float64) float64 { return (1-w)*a + w*b }
