package explain

import (
	"context"
	"math"
	"testing"

	"mome/experts"
	"mome/experts/clinical"
	"mome/experts/nn"
	"mome/fusion"
)

func TestGateSharesSumToOne(t *testing.T) {
	config := tiny(2)
	config.Context = true
	x := explainer(t, shaken(t, config))
	full := noise(config, 2)
	told := full
	told.Context = &clinical.Context{AgeYears: experts.Known(50)}
	for name, in := range map[string]fusion.Input{"all": full, "with context": told, "no DCE": {T2: full.T2, DWI: full.DWI}, "T2 alone": {T2: full.T2}} {
		e, err := x.Explain(context.Background(), in)
		if err != nil {
			t.Fatal(err)
		}
		if len(e.Gates) != config.Layers-config.FusionFrom {
			t.Fatalf("%s: %d gates, want %d", name, len(e.Gates), config.Layers-config.FusionFrom)
		}
		for _, g := range e.Gates {
			sum, through, rows := g.ClassShare, 0.0, 1
			for _, share := range g.Share {
				sum += share
			}
			for _, part := range g.Rows[1:] {
				rows += part.Len()
			}
			for _, share := range g.Experts {
				through += share
			}
			if (g.Share[nn.ContextRows] > 0) != (in.Context != nil) {
				t.Errorf("%s, layer %d: the context has %g", name, g.Layer, g.Share[nn.ContextRows])
			}
			if math.Abs(sum-1) > 1e-5 || math.Abs(through-1) > 1e-5 {
				t.Errorf("%s, layer %d: modalities sum to %g, experts to %g, want 1", name, g.Layer, sum, through)
			}
			if rows != g.Dispatch.Rows || g.Dispatch.Cols != config.Experts*config.Slots {
				t.Errorf("%s, layer %d: dispatch is %d by %d, the modalities have %d rows", name, g.Layer, g.Dispatch.Rows, g.Dispatch.Cols, rows)
			}
			for slot := range g.Dispatch.Cols {
				gathered := 0.0
				for _, part := range g.Rows {
					gathered += g.SlotShare(part, slot)
				}
				if math.Abs(gathered-1) > 1e-5 {
					t.Errorf("%s, layer %d: slot %d gathers %g, want 1", name, g.Layer, slot, gathered)
				}
			}
			if last := g.Layer == config.Layers-1; last && g.Combine.Rows != 1 || !last && g.Combine.Rows != rows {
				t.Errorf("%s, layer %d: combine has %d rows", name, g.Layer, g.Combine.Rows)
			}
		}
	}
}

// Without preferences every row weighs the same, so modalities weigh by their number of tokens.
func TestIndifferentGateWeighsByTokens(t *testing.T) {
	config := tiny(2)
	set := shaken(t, config)
	for _, name := range []string{"beit3.encoder.layers.1.MLP_Adapter.moe.phi", "beit3.encoder.layers.2.MLP_Adapter.moe.phi"} {
		fill(t, set, name, 0)
	}
	e, err := explainer(t, set).Explain(context.Background(), noise(config, 2))
	if err != nil {
		t.Fatal(err)
	}
	rows := 1
	for _, m := range experts.Modalities {
		rows += config.Boxes.Of(m).Tokens()
	}
	for _, g := range e.Gates {
		for _, m := range experts.Modalities {
			if want := float64(config.Boxes.Of(m).Tokens()) / float64(rows); math.Abs(g.Share[m]-want) > 1e-5 {
				t.Errorf("layer %d: %s has %g, want %g", g.Layer, m, g.Share[m], want)
			}
		}
		for i, share := range g.Experts {
			if want := 1 / float64(config.Experts); math.Abs(share-want) > 1e-5 {
				t.Errorf("layer %d: expert %d has %g, want %g", g.Layer, i, share, want)
			}
		}
	}
}

// A mixture that prefers what one modality's rows look like gathers from that modality: the preference is made by giving
// T2 alone a large scale in the norm before the mixture.
func TestGateTellsPreference(t *testing.T) {
	config := tiny(2)
	set := shaken(t, config)
	for _, layer := range []string{"1", "2"} {
		name := "beit3.encoder.layers." + layer + "."
		// Every row becomes constant but for T2's, which is larger; D_fc1 and phi keep the order.
		for copy, level := range map[string]float32{"A": 0.1, "B": 0.1, "C": 4} {
			fill(t, set, name+"final_layer_norm."+copy+".weight", 0)
			fill(t, set, name+"final_layer_norm."+copy+".bias", level)
		}
		fill(t, set, name+"MLP_Adapter.D_fc1.weight", 0.5)
		fill(t, set, name+"MLP_Adapter.D_fc1.bias", 0)
		fill(t, set, name+"MLP_Adapter.moe.phi", 1)
	}
	e, err := explainer(t, set).Explain(context.Background(), noise(config, 2))
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range e.Gates {
		if g.Share[experts.T2] < 0.99 {
			t.Errorf("layer %d gathers %v, want nearly all of it from T2", g.Layer, g.Share)
		}
	}
}
