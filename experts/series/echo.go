package series

import (
	"math"

	"mome/experts"
)

// mostEchoTRMS bounds the repetition time of a spoiled gradient echo, ms: the dynamic series of breast MRI have 3 to 10, and
// what is stated above is the time of a whole train of echoes.
const mostEchoTRMS = 50

// echo returns the sequence that a stack was acquired with, if its first image states a gradient echo's repetition time and
// flip angle.
func (b *builder) echo(s *Stack) *experts.SpoiledGradientEcho {
	if len(s.Slices) == 0 || len(s.Slices[0]) == 0 {
		return nil
	}
	f := s.Slices[0][0]
	q := sequenceOf(groups{b.instances[f.Instance].Header, f.Number})
	if !q.gradientEcho || !(q.trMS > 0 && q.trMS <= mostEchoTRMS) || !(q.flipDeg > 0 && q.flipDeg < 90) {
		return nil
	}
	return &experts.SpoiledGradientEcho{TRS: q.trMS / 1000, FlipRad: q.flipDeg * math.Pi / 180}
}
