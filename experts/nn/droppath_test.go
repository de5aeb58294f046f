package nn_test

import (
	"slices"
	"testing"

	"mome/experts"
	"mome/experts/nn"
	"mome/gpu/vm"
)

func TestDropPathRateRisesToItsMaximum(t *testing.T) {
	c := tiny()
	for _, test := range []struct {
		layers, layer int
		want          float64
	}{{12, 0, 0}, {12, 11, 0.15}, {3, 1, 0.075}, {1, 0, 0}} {
		c.Layers = test.layers
		if got := nn.DropPathRate(c, test.layer, 0.15); got != test.want {
			t.Errorf("layer %d of %d: rate %g, want %g", test.layer, test.layers, got, test.want)
		}
	}
}

func TestDropPathInputsAreThereOnlyWhenAskedFor(t *testing.T) {
	names := nn.DropPathInputs(tiny())
	want := []string{"drop_path.0.attention", "drop_path.0.ffn", "drop_path.1.attention", "drop_path.1.ffn"}
	if !slices.Equal(names, want) {
		t.Fatalf("inputs %v, want %v", names, want)
	}
	for _, asked := range []bool{false, true} {
		b, err := nn.NewBuilder(tiny())
		if err != nil {
			t.Fatal(err)
		}
		b.DropPath = asked
		out, err := b.Expert(experts.T2, b.Volume(experts.T2))
		if err != nil {
			t.Fatal(err)
		}
		p, err := vm.Compile(out)
		if err != nil {
			t.Fatal(err)
		}
		for i, name := range names {
			shape, there := p.Inputs()[name]
			if wanted := asked && i < 2; there != wanted { // layer 1 is fusion's
				t.Errorf("asked %v: input %s is there: %v, want %v", asked, name, there, wanted)
			}
			if there && (len(shape) != 1 || shape[0] != 1) {
				t.Errorf("input %s has shape %v, want [1]", name, shape)
			}
		}
	}
}
