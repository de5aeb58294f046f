package fusion

import (
	"context"
	"math"
	"testing"

	"gorgonia.org/gorgonia"

	"mome/experts"
	"mome/experts/dce"
	"mome/experts/dwi"
	"mome/experts/nn"
	"mome/experts/t2"
	"mome/experts/weights"
	"mome/gpu/op"
	"mome/gpu/vm"
)

func branches() Branches { return Branches{DCE: dce.Graph, T2: t2.Graph, DWI: dwi.Graph} }

// graphOf builds the graph with all modalities and a loss, and binds the weights.
func graphOf(t testing.TB, set weights.Set) (b *nn.Builder, logits, loss *gorgonia.Node) {
	t.Helper()
	config, err := nn.ConfigFrom(set)
	if err != nil {
		t.Fatal(err)
	}
	if b, err = nn.NewBuilder(config); err != nil {
		t.Fatal(err)
	}
	inputs := map[experts.Modality]*gorgonia.Node{}
	for _, m := range experts.Modalities {
		inputs[m] = b.Volume(m)
	}
	if config.Context {
		inputs[nn.ContextRows] = b.ContextInput()
	}
	if logits, err = Graph(b, branches(), inputs); err != nil {
		t.Fatal(err)
	}
	target := b.Input("target", 1, config.Classes)
	loss = b.Add(func() (*gorgonia.Node, error) { return op.CrossEntropy(logits, target) })
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	return b, logits, loss
}

func compile(t testing.TB, b *nn.Builder, set weights.Set, outputs ...*gorgonia.Node) *vm.Program {
	t.Helper()
	return compileOn(t, new(vm.Lane), set, outputs...)
}

func compileOn(t testing.TB, l *vm.Lane, set weights.Set, outputs ...*gorgonia.Node) *vm.Program {
	t.Helper()
	p, err := l.Compile(outputs...)
	if err != nil {
		t.Fatal(err)
	}
	for name := range p.Inputs() {
		if tensor, ok := set.Tensor(name); ok {
			if err := p.BindFixed(name, tensor.Data); err != nil {
				t.Fatal(err)
			}
		}
	}
	return p
}

func run(t testing.TB, p *vm.Program, in Input, target []float32) {
	t.Helper()
	for name := range p.Inputs() {
		var data []float32
		switch name {
		case "dce":
			data = in.DCE
		case "dwi":
			data = in.DWI
		case "t2":
			data = in.T2
		case "target":
			data = target
		case "context":
			var err error
			if data, err = in.Context.Encode(); err != nil {
				t.Fatal(err)
			}
		default:
			continue
		}
		if err := p.Bind(name, data); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func value(t testing.TB, p *vm.Program, n *gorgonia.Node) []float32 {
	t.Helper()
	v, err := p.Value(n)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func farthest(got, want []float32) float64 {
	if len(got) != len(want) {
		return math.Inf(1)
	}
	worst := 0.0
	for i := range got {
		worst = max(worst, math.Abs(float64(got[i])-float64(want[i])))
	}
	return worst
}

func norm(x []float32) float64 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum)
}
