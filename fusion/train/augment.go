package train

import (
	"math/rand/v2"

	"mome/experts"
	"mome/experts/nn"
	"mome/fusion"
)

// item is one use of a sample: what is left out of it and how it is mirrored.
type item struct {
	index int
	load  func(index int) (Sample, error)
	leave [3]bool // modalities to leave out, in the order of experts.Modalities
	flip  [3]bool // axes H, W, D to mirror
}

// draw decides at random how a sample is used.
func (f *fit) draw(random *rand.Rand, index int) item {
	it := item{index: index, load: f.source.At}
	for a := range it.flip {
		it.flip[a] = random.Float64() < f.o.Flip
	}
	for m := range it.leave {
		it.leave[m] = random.Float64() < f.o.ModalityDropout
	}
	if spared := random.IntN(len(it.leave)); it.leave[0] && it.leave[1] && it.leave[2] {
		it.leave[spared] = false
	}
	return it
}

// input loads the sample and applies the item to it. A sample of which nothing would be left keeps what it has.
func (it item) input(config nn.Config) (in fusion.Input, label int, err error) {
	s, err := it.load(it.index)
	if err != nil {
		return in, 0, err
	}
	in = s.input()
	kept := in
	for i, m := range experts.Modalities {
		if it.leave[i] {
			set(&kept, m, nil)
		}
	}
	if kept.DCE != nil || kept.T2 != nil || kept.DWI != nil {
		in = kept
	}
	if it.flip != [3]bool{} {
		for _, m := range experts.Modalities {
			if data := in.Of(m); data != nil {
				set(&in, m, mirror(config.Boxes.Of(m), data, it.flip))
			}
		}
	}
	return in, s.Label, nil
}

func set(in *fusion.Input, m experts.Modality, data []float32) {
	switch m {
	case experts.DCE:
		in.DCE = data
	case experts.T2:
		in.T2 = data
	case experts.DWI:
		in.DWI = data
	}
}

// mirror returns a copy of a volume [channel, H, W, D] with the given axes reversed.
func mirror(box nn.Box, data []float32, flip [3]bool) []float32 {
	out := make([]float32, len(data))
	place := func(axis, i int) int {
		if flip[axis] {
			return box.Size[axis] - 1 - i
		}
		return i
	}
	depth := box.Size[2]
	for c := range box.Channels {
		for h := range box.Size[0] {
			for w := range box.Size[1] {
				from := ((c*box.Size[0]+h)*box.Size[1] + w) * depth
				to := ((c*box.Size[0]+place(0, h))*box.Size[1] + place(1, w)) * depth
				src, dst := data[from:from+depth], out[to:to+depth]
				copy(dst, src)
				if flip[2] {
					for i, v := range src {
						dst[depth-1-i] = v
					}
				}
			}
		}
	}
	return out
}
