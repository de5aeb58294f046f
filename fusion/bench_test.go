package fusion

import (
	"context"
	"math/rand/v2"
	"testing"

	"gorgonia.org/gorgonia"

	"mome/experts"
	"mome/experts/clinical"
	"mome/experts/nn"
)

// trainable is the size that is trained on one CPU.
func trainable() nn.Config {
	return nn.Config{
		Embed: 48, Heads: 4, Layers: 4, FusionFrom: 2, Experts: 8, Slots: 1, StemChannels: [2]int{16, 32}, Classes: 2,
		Boxes: nn.Boxes{
			DCE: nn.Box{Channels: 6, Size: [3]int{32, 32, 16}},
			T2:  nn.Box{Channels: 1, Size: [3]int{32, 32, 16}},
			DWI: nn.Box{Channels: 1, Size: [3]int{16, 16, 8}},
		},
	}
}

// noise is an input of normal values that the seed decides.
func noise(c nn.Config, seed uint64) Input {
	random := rand.New(rand.NewPCG(seed, 1))
	fill := func(m experts.Modality) []float32 {
		data := make([]float32, c.Boxes.Of(m).Floats())
		for i := range data {
			data[i] = float32(random.NormFloat64())
		}
		return data
	}
	in := Input{DCE: fill(experts.DCE), T2: fill(experts.T2), DWI: fill(experts.DWI)}
	if c.Context {
		in.Context = &clinical.Context{AgeYears: experts.Known(40 + float64(seed%30)), FamilyHistory: clinical.FirstDegree}
	}
	return in
}

func BenchmarkForward(b *testing.B) {
	set, err := nn.Init(trainable(), 1)
	if err != nil {
		b.Fatal(err)
	}
	m, err := New(set, Options{Branches: branches()})
	if err != nil {
		b.Fatal(err)
	}
	in := noise(trainable(), 1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Logits(context.Background(), in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkForwardBackward(b *testing.B) {
	set, err := nn.Init(trainable(), 1)
	if err != nil {
		b.Fatal(err)
	}
	g, _, loss := graphOf(b, set)
	_, nodes := g.Weights()
	grads, err := gorgonia.Grad(loss, nodes...)
	if err != nil {
		b.Fatal(err)
	}
	p := compile(b, g, set, append([]*gorgonia.Node{loss}, grads...)...)
	in := noise(trainable(), 1)
	run(b, p, in, []float32{0, 1})
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Run(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkGraph is what a combination of modalities costs when it is first met in training.
func BenchmarkGraph(b *testing.B) {
	set, err := nn.Init(trainable(), 1)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		g, _, loss := graphOf(b, set)
		_, nodes := g.Weights()
		if _, err := gorgonia.Grad(loss, nodes...); err != nil {
			b.Fatal(err)
		}
	}
}
