package nn

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"

	"mome/experts"
	"mome/experts/clinical"
	"mome/experts/weights"
)

// TensorSpec is a tensor that a network needs.
type TensorSpec struct {
	Name  string
	Shape []int
}

func stemName(m experts.Modality, i int) string {
	return fmt.Sprintf("beit3.%s_embed.stem.%d.weight", key(m), 3*i) // norm and ReLU take two places between
}

// contextName is the one tensor that the published network lacks: [column, E] for the columns of package clinical.
const contextName = "context.weight"

func positionName(m experts.Modality) string {
	return "beit3.encoder.embed_positions." + Copy(m) + ".weight"
}

// LayerName is the name of something in a layer of the encoder.
func LayerName(layer int, rest string) string {
	return fmt.Sprintf("beit3.encoder.layers.%d.%s", layer, rest)
}

// positionRows is the length of a position table: DCE's has a row for the class token and one that is never used.
func (c Config) positionRows(m experts.Modality) int {
	n := c.Boxes.Of(m).Tokens()
	if m == experts.DCE {
		return n + 2
	}
	return n
}

// Tensors lists all tensors of the network under the published names, in the published order, and last that of the
// clinical context where the network has one. Linear weights are [out, in], those of the mixture's experts
// [expert, in, out], that of the context [column, out].
func (c Config) Tensors() []TensorSpec {
	l := lister{}
	l.add("beit3.dce_embed.cls_token", 1, 1, c.Embed)
	for _, m := range RowOrder() {
		channels := [4]int{c.Boxes.Of(m).Channels, c.StemChannels[0], c.StemChannels[1], c.Embed}
		for i := range 3 {
			l.add(stemName(m, i), channels[i+1], channels[i], 3, 3, 3)
		}
	}
	for _, m := range RowOrder() {
		l.add(positionName(m), c.positionRows(m), c.Embed)
	}
	for i := range c.Layers {
		c.layer(&l, i)
	}
	l.affine("fc_norm", c.Embed)
	l.linear("head", c.Embed, c.Classes)
	if c.Context {
		_, columns := clinical.Size()
		l.add(contextName, columns, c.Embed)
	}
	return l.specs
}

func (c Config) layer(l *lister, i int) {
	full := c.Full()
	embed, hidden, adapter := full.Embed, full.Hidden, full.Adapter
	each := func(format string, add func(name string)) {
		for _, m := range RowOrder() {
			add(LayerName(i, fmt.Sprintf(format, Copy(m))))
		}
	}
	for _, p := range []string{"k", "v", "q", "out"} {
		each("self_attn."+p+"_proj.%s", func(name string) { l.linear(name, embed, embed) })
	}
	each("self_attn.inner_attn_ln.%s", func(name string) { l.affine(name, embed) })
	each("self_attn_layer_norm.%s", func(name string) { l.affine(name, embed) })
	each("ffn.%s", func(name string) {
		l.linear(name+".fc1", embed, hidden)
		l.linear(name+".fc2", hidden, embed)
		l.affine(name+".ffn_layernorm", hidden)
	})
	each("final_layer_norm.%s", func(name string) { l.affine(name, embed) })
	addAdapter := func(name string) {
		l.affine(name+".norm", embed)
		l.linear(name+".D_fc1", embed, adapter)
		l.linear(name+".D_fc2", adapter, embed)
	}
	if i < c.FusionFrom {
		each("MLP_Adapter.%s", addAdapter)
		return
	}
	mixture := LayerName(i, "MLP_Adapter")
	addAdapter(mixture)
	l.add(mixture+".moe.phi", adapter, c.Experts, c.Slots)
	l.add(mixture+".moe.experts.weight", c.Experts, adapter, adapter)
	l.add(mixture+".moe.experts.bias", c.Experts, adapter)
}

type lister struct{ specs []TensorSpec }

func (l *lister) add(name string, shape ...int) {
	l.specs = append(l.specs, TensorSpec{Name: name, Shape: shape})
}

func (l *lister) affine(name string, n int) {
	l.add(name+".weight", n)
	l.add(name+".bias", n)
}

func (l *lister) linear(name string, in, out int) {
	l.add(name+".weight", out, in)
	l.add(name+".bias", out)
}

// Init makes fresh tensors for a network that is trained from the start. The seed decides every number. Convolutions
// are normal with variance 2/fan-in (He et al., arXiv 1502.01852, eq. 10), matrices uniform with variance
// 2/(in + out) (Glorot and Bengio, AISTATS 2010, eq. 16), positions, class token and context normal with deviation 0.02 as in
// BEiT-3, scales 1, biases 0. The head is a hundredth of a matrix, so that training starts at even odds.
func Init(c Config, seed uint64) (weights.Set, error) {
	if err := c.Check(); err != nil {
		return weights.Set{}, err
	}
	random := rand.New(rand.NewPCG(seed, 0))
	specs := c.Tensors()
	tensors := make([]weights.Tensor, len(specs))
	for i, s := range specs {
		n := 1
		for _, d := range s.Shape {
			n *= d
		}
		data := make([]float32, n)
		fill(random, s, data)
		tensors[i] = weights.Tensor{Name: s.Name, Shape: s.Shape, Data: data}
	}
	metadata := c.Metadata()
	maps.Copy(metadata, map[string]string{
		weights.Origin: "fresh initialisation", weights.Seed: strconv.FormatUint(seed, 10),
	})
	return weights.New(tensors, metadata)
}

func fill(random *rand.Rand, s TensorSpec, data []float32) {
	switch {
	case strings.HasSuffix(s.Name, ".bias"):
		return
	case strings.Contains(s.Name, "norm.") || strings.Contains(s.Name, "_ln.") || strings.Contains(s.Name, "layernorm"):
		for i := range data {
			data[i] = 1
		}
	case strings.Contains(s.Name, "embed_positions") || strings.Contains(s.Name, "cls_token") || s.Name == contextName:
		normal(random, data, 0.02)
	case strings.Contains(s.Name, ".stem."):
		normal(random, data, math.Sqrt(2/float64(s.Shape[1]*27)))
	case strings.HasSuffix(s.Name, "moe.phi"):
		normal(random, data, 1/math.Sqrt(float64(s.Shape[0])))
	default: // [..., a, b]
		in, out := s.Shape[len(s.Shape)-1], s.Shape[len(s.Shape)-2]
		bound := math.Sqrt(6 / float64(in+out))
		if s.Name == "head.weight" {
			bound /= 100
		}
		for i := range data {
			data[i] = float32(bound * (2*random.Float64() - 1))
		}
	}
}

func normal(random *rand.Rand, data []float32, deviation float64) {
	for i := range data {
		data[i] = float32(deviation * random.NormFloat64())
	}
}
