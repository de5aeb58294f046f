package fusion

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"gorgonia.org/gorgonia"

	"mome/experts"
	"mome/experts/clinical"
	"mome/experts/nn"
)

func TestRows(t *testing.T) {
	c := odd()[0]
	full := noise(c, 1)
	dce, dwi, t2 := c.Boxes.DCE.Tokens(), c.Boxes.DWI.Tokens(), c.Boxes.T2.Tokens()
	for name, test := range map[string]struct {
		in   Input
		want []Part
	}{
		"all": {full, []Part{
			{"cls", "", 0, 1}, {"dce", experts.DCE, 1, 1 + dce}, {"dwi", experts.DWI, 1 + dce, 1 + dce + dwi},
			{"t2", experts.T2, 1 + dce + dwi, 1 + dce + dwi + t2},
		}},
		"without DWI": {Input{DCE: full.DCE, T2: full.T2}, []Part{
			{"cls", "", 0, 1}, {"dce", experts.DCE, 1, 1 + dce}, {"t2", experts.T2, 1 + dce, 1 + dce + t2},
		}},
		"context of a network that reads none": {Input{T2: full.T2, Context: &clinical.Context{}}, []Part{
			{"cls", "", 0, 1}, {"t2", experts.T2, 1, 1 + t2},
		}},
		"nothing": {Input{}, []Part{{"cls", "", 0, 1}}},
	} {
		if got := Rows(c, test.in); !slices.Equal(got, test.want) {
			t.Errorf("%s: parts %v, want %v", name, got, test.want)
		}
	}
	c.Context = true
	got := Rows(c, Input{T2: full.T2, Context: &clinical.Context{}})
	if last := (Part{"context", nn.ContextRows, 1 + t2, 1 + t2 + 5}); got[len(got)-1] != last {
		t.Errorf("parts %v, want %v last", got, last)
	}
}

// The marks of the gate are the softmaxes of the mixture, over all rows that Rows counts.
func TestGateIsMarked(t *testing.T) {
	c := odd()[2] // with a context
	set := shaken(t, c)
	b, _, _ := graphOf(t, set)
	in := noise(c, 4)
	parts := Rows(c, in)
	rows, slots := parts[len(parts)-1].To, c.Experts*c.Slots
	var nodes []*gorgonia.Node
	for i := c.FusionFrom; i < c.Layers; i++ {
		for name, want := range map[string]int{"dispatch": rows, "combine": rows} {
			if i == c.Layers-1 && name == "combine" {
				want = 1
			}
			n := b.Marked(fmt.Sprintf("%s.%d", name, i))
			if n == nil || n.Shape()[0] != want || n.Shape()[1] != slots {
				t.Fatalf("%s of layer %d: node %v, want %d rows and %d slots", name, i, n, want, slots)
			}
		}
		nodes = append(nodes, b.Marked(fmt.Sprintf("dispatch.%d", i)), b.Marked(fmt.Sprintf("combine.%d", i)))
	}
	p := compile(t, b, set, nodes...)
	run(t, p, in, nil)
	for k, n := range nodes {
		v := value(t, p, n)
		sums := make([]float64, max(rows, slots))
		for i, x := range v {
			if k%2 == 0 {
				sums[i%slots] += float64(x) // dispatch: over rows
			} else {
				sums[i/slots] += float64(x) // combine: over slots
			}
		}
		sums = sums[:slots]
		if k%2 == 1 {
			sums = sums[:len(v)/slots]
		}
		for i, s := range sums {
			if math.Abs(s-1) > 1e-5 {
				t.Errorf("%v: sum %d is %g, want 1", n, i, s)
			}
		}
	}
}

// Residual branches that are left out or scaled must be so for every row.
func TestDropPathMatchesReference(t *testing.T) {
	for k, c := range odd() {
		set := shaken(t, c)
		b, err := nn.NewBuilder(c)
		if err != nil {
			t.Fatal(err)
		}
		b.DropPath = true
		inputs := map[experts.Modality]*gorgonia.Node{}
		for _, m := range experts.Modalities {
			inputs[m] = b.Volume(m)
		}
		if c.Context {
			inputs[nn.ContextRows] = b.ContextInput()
		}
		logits, err := Graph(b, branches(), inputs)
		if err != nil {
			t.Fatal(err)
		}
		weightNames, _ := b.Weights()
		p := compile(t, b, set, logits)
		in := noise(c, 6)
		for name, draw := range map[string]func(i int) float32{
			"all kept":     func(int) float32 { return 1 },
			"all left out": func(int) float32 { return 0 },
			"every second": func(i int) float32 { return 2 * float32(i%2) },
			"every third":  func(i int) float32 { return []float32{1.25, 0, 1.5}[i%3] },
		} {
			factor := map[string]float32{}
			for i, input := range nn.DropPathInputs(c) {
				if slices.Contains(weightNames, input) {
					t.Fatalf("%s is counted among the weights", input)
				}
				factor[input] = draw(i)
				if err := p.Bind(input, []float32{factor[input]}); err != nil {
					t.Fatal(err)
				}
			}
			run(t, p, in, nil)
			r := newReference(c, set)
			r.factor = factor
			got, want := value(t, p, logits), r.logits(in)
			for i := range want {
				if math.Abs(float64(got[i])-want[i]) > 1e-4 {
					t.Errorf("network %d, %s: logits %v, want %v", k, name, got, want)
					break
				}
			}
		}
	}
}
