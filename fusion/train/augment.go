package train

import (
	"fmt"
	"math"
	"math/rand/v2"

	"mome/experts"
	"mome/experts/nn"
	"mome/fusion"
)

// Flip says which of the axes H, W, D of all volumes are reversed.
type Flip [3]bool

// AllFlips are the eight ways to mirror a volume, none among them.
func AllFlips() []Flip {
	var all []Flip
	for bits := range 8 {
		all = append(all, Flip{bits&4 != 0, bits&2 != 0, bits&1 != 0})
	}
	return all
}

// PublishedFlips are the six among which the authors choose: one axis, or two. They leave out none and all three.
func PublishedFlips() []Flip {
	return []Flip{{true, false, false}, {false, true, false}, {false, false, true}, {true, true, false}, {true, false, true}, {false, true, true}}
}

// item is one use of a sample: everything that chance decides about it.
type item struct {
	index  int
	leave  [3]bool // modalities to leave out, in the order of experts.Modalities
	mute   bool    // leave out the clinical context
	flip   Flip
	shift  [3]float64 // of the box along H, W, D as a part of the margin, -1 to 1
	factor [3]uint64  // seeds of the channels' factors by modality; 0 leaves them as they are
	path   []float32  // values of nn.DropPathInputs
}

// draw decides at random how a sample is used. It draws the same count of numbers whatever the sample.
func (f *fit) draw(random *rand.Rand, index int) item {
	it := item{index: index, flip: f.o.Flips[random.IntN(len(f.o.Flips))]}
	for m := range it.leave {
		it.leave[m] = random.Float64() < f.o.ModalityDropout
		it.factor[m] = random.Uint64()
	}
	if spared := random.IntN(len(it.leave)); it.leave[0] && it.leave[1] && it.leave[2] {
		it.leave[spared] = false
	}
	it.mute = random.Float64() < f.o.ModalityDropout
	for a := range it.shift {
		it.shift[a] = 2*random.Float64() - 1
	}
	if f.o.DropPath > 0 {
		it.path = drawPath(random, f.config, f.o.DropPath)
	}
	return it
}

// drawPath decides which residual branches take part: 0, or what makes up for the times when they do not.
func drawPath(random *rand.Rand, config nn.Config, rate float64) []float32 {
	path := make([]float32, len(nn.DropPathInputs(config)))
	for i := range path {
		keep := 1 - nn.DropPathRate(config, i*config.Layers/len(path), rate)
		if random.Float64() < keep {
			path[i] = float32(1 / keep)
		}
	}
	return path
}

// middle is the use of a sample without any augmentation.
func middle(index int) item { return item{index: index} }

// kept are the modalities of a sample that are used, in the order of experts.Modalities. A sample of which nothing
// would be left keeps what it has.
func (it item) kept(s Sample) (which [3]bool) {
	any := false
	for i, m := range experts.Modalities {
		which[i] = s.of(m) != nil && !it.leave[i]
		any = any || which[i]
	}
	for i, m := range experts.Modalities {
		which[i] = which[i] || !any && s.of(m) != nil
	}
	return which
}

// studio prepares volumes in memory that it uses again and again.
type studio struct {
	config nn.Config
	jitter float64
	room   [3][]float32 // by modality
}

// input applies the item to a sample. The answer is good until the next call; it holds the sample's own volumes where
// nothing is changed.
func (st *studio) input(s Sample, it item) (fusion.Input, error) {
	if err := s.check(st.config); err != nil { // a source may have changed its mind
		return fusion.Input{}, fmt.Errorf("sample %d: %w", it.index, err)
	}
	var in fusion.Input
	if st.config.Context && !it.mute {
		in.Context = s.Context
	}
	for i, use := range it.kept(s) {
		if !use {
			continue
		}
		m := experts.Modalities[i]
		data, box, margin := s.of(m), st.config.Boxes.Of(m), s.Margin.of(m)
		jitter := st.jitter != 0 && it.factor[i] != 0
		if margin != 0 || it.flip != (Flip{}) || jitter {
			if st.room[i] == nil {
				st.room[i] = make([]float32, box.Floats())
			}
			cut(box, data, margin, it.from(margin), it.flip, st.room[i])
			data = st.room[i]
			if jitter {
				scaleChannels(data, box.Channels, rand.New(rand.NewPCG(it.factor[i], 0)), st.jitter)
			}
		}
		switch m {
		case experts.DCE:
			in.DCE = data
		case experts.T2:
			in.T2 = data
		case experts.DWI:
			in.DWI = data
		}
	}
	return in, nil
}

// from is the first voxel of the box in a volume with a margin.
func (it item) from(margin int) [3]int {
	var at [3]int
	for a, s := range it.shift {
		at[a] = margin + int(math.Round(s*float64(margin)))
	}
	return at
}

// cut copies a box out of data, [channel, H, W, D] with a margin on every side of H, W and D, beginning at the voxel
// from, and reverses axes.
func cut(box nn.Box, data []float32, margin int, from [3]int, flip Flip, out []float32) {
	height, width, depth := box.Size[0], box.Size[1], box.Size[2]
	w, d := width+2*margin, depth+2*margin
	for c := range box.Channels {
		for i := range height {
			for j := range width {
				src := data[((c*(height+2*margin)+from[0]+i)*w+from[1]+j)*d+from[2]:][:depth]
				toI, toJ := i, j
				if flip[0] {
					toI = height - 1 - i
				}
				if flip[1] {
					toJ = width - 1 - j
				}
				dst := out[((c*height+toI)*width+toJ)*depth:][:depth]
				if !flip[2] {
					copy(dst, src)
					continue
				}
				for k, v := range src {
					dst[depth-1-k] = v
				}
			}
		}
	}
}

// scaleChannels multiplies each channel by a factor whose logarithm is normal.
func scaleChannels(data []float32, channels int, random *rand.Rand, deviation float64) {
	n := len(data) / channels
	for c := range channels {
		factor := float32(math.Exp(deviation * random.NormFloat64()))
		for i := range data[c*n : (c+1)*n] {
			data[c*n+i] *= factor
		}
	}
}
