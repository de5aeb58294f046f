package weights_test

import (
	"slices"
	"strings"
	"testing"

	"mome/experts/weights"
)

// filled is a set of tensors of two numbers: the tensor's place, and that plus a half.
func filled(t *testing.T, from float32, names ...string) weights.Set {
	t.Helper()
	var all []weights.Tensor
	for i, name := range names {
		v := from + float32(i)
		all = append(all, weights.Tensor{Name: name, Shape: []int{2}, Data: []float32{v, v + 0.5}})
	}
	s, err := weights.New(all, map[string]string{"heads": "4"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestFromBEiT3(t *testing.T) {
	beit3 := filled(t, 1,
		"beit3.text_embed.weight", "beit3.vision_embed.mask_token", "beit3.vision_embed.cls_token", // 1, 2, 3
		"beit3.encoder.embed_positions.A.weight",                                                               // 4
		"beit3.encoder.layers.0.self_attn.k_proj.A.weight", "beit3.encoder.layers.0.self_attn.k_proj.B.weight", // 5, 6
		"beit3.encoder.layers.0.ffn.A.ffn_layernorm.bias", "beit3.encoder.layer_norm.A.weight", // 7, 8
	)
	fresh := filled(t, 100,
		"beit3.dce_embed.cls_token", "beit3.encoder.embed_positions.A.weight",
		"beit3.encoder.layers.0.self_attn.k_proj.A.weight", "beit3.encoder.layers.0.self_attn.k_proj.B.weight",
		"beit3.encoder.layers.0.self_attn.k_proj.C.weight", "beit3.encoder.layers.0.ffn.C.ffn_layernorm.bias",
		"beit3.encoder.layers.0.MLP_Adapter.A.D_fc1.weight", "beit3.encoder.layers.0.MLP_Adapter.A.D_fc2.weight",
		"beit3.encoder.layers.1.MLP_Adapter.D_fc2.bias", "head.weight", // ... 109
	)
	got, report, err := weights.FromBEiT3(beit3, fresh)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]float32{
		"beit3.dce_embed.cls_token":                         {100, 100.5},
		"beit3.encoder.embed_positions.A.weight":            {101, 101.5},
		"beit3.encoder.layers.0.self_attn.k_proj.A.weight":  {5, 5.5},
		"beit3.encoder.layers.0.self_attn.k_proj.B.weight":  {5, 5.5},
		"beit3.encoder.layers.0.self_attn.k_proj.C.weight":  {5, 5.5},
		"beit3.encoder.layers.0.ffn.C.ffn_layernorm.bias":   {7, 7.5},
		"beit3.encoder.layers.0.MLP_Adapter.A.D_fc1.weight": {106, 106.5},
		"beit3.encoder.layers.0.MLP_Adapter.A.D_fc2.weight": {0, 0},
		"beit3.encoder.layers.1.MLP_Adapter.D_fc2.bias":     {0, 0},
		"head.weight": {109 * float32(1e-3), 109.5 * float32(1e-3)},
	} {
		if tensor, _ := got.Tensor(name); !slices.Equal(tensor.Data, want) {
			t.Errorf("%s: got %v, want %v", name, tensor.Data, want)
		}
	}
	unused := []string{
		"beit3.text_embed.weight", "beit3.vision_embed.mask_token", "beit3.vision_embed.cls_token",
		"beit3.encoder.embed_positions.A.weight", "beit3.encoder.layers.0.self_attn.k_proj.B.weight", "beit3.encoder.layer_norm.A.weight",
	}
	if !slices.Equal(report.Unused, unused) || len(report.Copied) != 4 || len(report.Fresh) != 6 {
		t.Errorf("report %+v, want 4 copied, 6 fresh, unused %q", report, unused)
	}
	a, _ := got.Tensor("beit3.encoder.layers.0.self_attn.k_proj.A.weight")
	a.Data[0] = -1
	if b, _ := got.Tensor("beit3.encoder.layers.0.self_attn.k_proj.B.weight"); b.Data[0] != 5 {
		t.Error("the copies of a tensor share memory")
	}
}

func TestFromBEiT3Refuses(t *testing.T) {
	const name = "beit3.encoder.layers.0.self_attn.k_proj.A.weight"
	wide, err := weights.New([]weights.Tensor{{Name: name, Shape: []int{3}, Data: make([]float32, 3)}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name         string
		beit3, fresh weights.Set
		want         string
	}{
		{"a layer too few", filled(t, 0, "x"), filled(t, 0, name), "does not have"},
		{"another size", wide, filled(t, 0, name), "another size"},
		{"another network", filled(t, 0, name), filled(t, 0, "y"), "none of"},
	} {
		if _, _, err := weights.FromBEiT3(c.beit3, c.fresh); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
}
