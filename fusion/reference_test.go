package fusion

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gorgonia.org/gorgonia"

	"mome/experts"
	"mome/experts/clinical"
	"mome/experts/nn"
	"mome/experts/weights"
)

// This file computes the network once more, as its description reads: double precision, one number after the other,
// all modalities' rows in one matrix and a mask where attention must not look. It shares no code with the graph.

type matrix [][]float64

func zeros(rows, cols int) matrix {
	m := make(matrix, rows)
	for i := range m {
		m[i] = make([]float64, cols)
	}
	return m
}

// reference is a network with its weights by name.
type reference struct {
	c       nn.Config
	weights map[string][]float64
	// factor multiplies residual branches, by the name of their input; nil is 1 for all.
	factor map[string]float32
}

// branch is what a residual branch adds.
func (r reference) branch(layer int, name string, x []float64) []float64 {
	f, ok := r.factor[fmt.Sprintf("drop_path.%d.%s", layer, name)]
	if !ok {
		return x
	}
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = v * float64(f)
	}
	return y
}

func newReference(c nn.Config, set weights.Set) reference {
	r := reference{c: c, weights: map[string][]float64{}}
	for _, t := range set.All() {
		for _, v := range t.Data {
			r.weights[t.Name] = append(r.weights[t.Name], float64(v))
		}
	}
	return r
}

func (r reference) get(name string) []float64 {
	data, ok := r.weights[name]
	if !ok {
		panic("no tensor " + name)
	}
	return data
}

func (r reference) linear(name string, x []float64) []float64 {
	w, b := r.get(name+".weight"), r.get(name+".bias")
	y := make([]float64, len(b))
	for o := range y {
		y[o] = b[o]
		for i, v := range x {
			y[o] += w[o*len(x)+i] * v
		}
	}
	return y
}

func (r reference) norm(name string, x []float64) []float64 {
	w, b := r.get(name+".weight"), r.get(name+".bias")
	mean, variance := 0.0, 0.0
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		variance += (v - mean) * (v - mean) / float64(len(x))
	}
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = (v-mean)/math.Sqrt(variance+1e-5)*w[i] + b[i]
	}
	return y
}

func gelu(x []float64) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = v / 2 * math.Erfc(-v/math.Sqrt2)
	}
	return y
}

func add(terms ...[]float64) []float64 {
	y := make([]float64, len(terms[0]))
	for _, t := range terms {
		for i, v := range t {
			y[i] += v
		}
	}
	return y
}

// cube is a volume of channels.
type cube struct {
	size [3]int
	data [][]float64 // [channel][h][w][d], the last three flat
}

func (c cube) at(channel, h, w, d int) (float64, bool) {
	if h < 0 || w < 0 || d < 0 || h >= c.size[0] || w >= c.size[1] || d >= c.size[2] {
		return 0, false
	}
	return c.data[channel][(h*c.size[1]+w)*c.size[2]+d], true
}

// halve visits every third-order window of stride 2 and padding 1 and puts what f makes of it into a new volume.
func (c cube) halve(channels int, f func(channel, h, w, d int) float64) cube {
	out := cube{data: make([][]float64, channels)}
	for a := range 3 {
		out.size[a] = (c.size[a] + 1) / 2
	}
	for o := range channels {
		for h := range out.size[0] {
			for w := range out.size[1] {
				for d := range out.size[2] {
					out.data[o] = append(out.data[o], f(o, 2*h-1, 2*w-1, 2*d-1))
				}
			}
		}
	}
	return out
}

func (r reference) stem(m string, x cube) matrix {
	for i := range 3 {
		w := r.get(fmt.Sprintf("beit3.%s_embed.stem.%d.weight", m, 3*i))
		in := len(x.data)
		y := x.halve(len(w)/(27*in), func(o, h, v, d int) float64 {
			sum := 0.0
			for c := range in {
				for k := range 27 {
					value, _ := x.at(c, h+k/9, v+k/3%3, d+k%3)
					sum += value * w[(o*in+c)*27+k]
				}
			}
			return sum
		})
		for _, channel := range y.data {
			mean, variance := 0.0, 0.0
			for _, v := range channel {
				mean += v / float64(len(channel))
			}
			for _, v := range channel {
				variance += (v - mean) * (v - mean) / float64(len(channel))
			}
			for j, v := range channel {
				channel[j] = max(0, (v-mean)/math.Sqrt(variance+1e-5))
			}
		}
		x = y
	}
	x = x.halve(len(x.data), func(c, h, w, d int) float64 {
		best := math.Inf(-1)
		for k := range 27 {
			if v, ok := x.at(c, h+k/9, w+k/3%3, d+k%3); ok {
				best = max(best, v)
			}
		}
		return best
	})
	tokens := zeros(len(x.data[0]), len(x.data))
	for t := range tokens {
		for e := range tokens[t] {
			tokens[t][e] = x.data[e][t]
		}
	}
	return tokens
}

// embed returns all rows with the letter of the copy that each belongs to.
func (r reference) embed(in Input) (x matrix, letter []string) {
	row := func(table []float64, i int, token []float64) {
		y := make([]float64, r.c.Embed)
		for e := range y {
			y[e] = token[e] + table[i*r.c.Embed+e]
		}
		x = append(x, y)
	}
	for _, m := range []struct {
		name, letter string
		modality     experts.Modality
	}{{"dce", "A", experts.DCE}, {"dwi", "B", experts.DWI}, {"t2", "C", experts.T2}} {
		table := r.get("beit3.encoder.embed_positions." + m.letter + ".weight")
		from := 0
		if m.letter == "A" {
			row(table, 1, r.get("beit3.dce_embed.cls_token"))
			letter = append(letter, "A")
			from = 2
		}
		data := in.Of(m.modality)
		if data == nil {
			continue
		}
		box := r.c.Boxes.Of(m.modality)
		volume := cube{size: box.Size}
		for c := range box.Channels {
			n := len(data) / box.Channels
			var channel []float64
			for _, v := range data[c*n : (c+1)*n] {
				channel = append(channel, float64(v))
			}
			volume.data = append(volume.data, channel)
		}
		for i, token := range r.stem(m.name, volume) {
			row(table, from+i, token)
			letter = append(letter, m.letter)
		}
	}
	return x, letter
}

// context sums the rows of the context's weight that the encoding names.
func (r reference) context(in Input) matrix {
	code, err := in.Context.Encode()
	if err != nil {
		panic(err)
	}
	fields, columns := clinical.Size()
	w, x := r.get("context.weight"), zeros(fields, r.c.Embed)
	for i, v := range code {
		for e := range r.c.Embed {
			x[i/columns][e] += float64(v) * w[i%columns*r.c.Embed+e]
		}
	}
	return x
}

func (r reference) attention(layer int, x matrix, letter []string) matrix {
	name := fmt.Sprintf("beit3.encoder.layers.%d.self_attn", layer)
	q, k, v := make(matrix, len(x)), make(matrix, len(x)), make(matrix, len(x))
	for i := range x {
		h := r.norm(name+"_layer_norm."+letter[i], x[i])
		q[i], k[i], v[i] = r.linear(name+".q_proj."+letter[i], h), r.linear(name+".k_proj."+letter[i], h), r.linear(name+".v_proj."+letter[i], h)
	}
	width := r.c.Embed / r.c.Heads
	out := make(matrix, len(x))
	for i := range x {
		seen := make([]float64, r.c.Embed)
		for head := range r.c.Heads {
			p, sum := make([]float64, len(x)), 0.0
			for j := range x {
				if layer < r.c.FusionFrom && letter[i] != letter[j] {
					continue
				}
				score := 0.0
				for e := head * width; e < (head+1)*width; e++ {
					score += q[i][e] * k[j][e] / math.Sqrt(float64(width))
				}
				p[j] = math.Exp(score)
				sum += p[j]
			}
			for j := range x {
				for e := head * width; e < (head+1)*width; e++ {
					seen[e] += p[j] / sum * v[j][e]
				}
			}
		}
		out[i] = add(x[i], r.branch(layer, "attention", r.linear(name+".out_proj."+letter[i], r.norm(name+".inner_attn_ln."+letter[i], seen))))
	}
	return out
}

func (r reference) softMoE(name string, g matrix) matrix {
	phi, w, b := r.get(name+".phi"), r.get(name+".experts.weight"), r.get(name+".experts.bias")
	d, slots := len(g[0]), r.c.Experts*r.c.Slots
	l := zeros(len(g), slots)
	for i := range g {
		for s := range slots {
			for e := range d {
				l[i][s] += g[i][e] * phi[e*slots+s]
			}
		}
	}
	y := zeros(slots, d)
	for s := range slots {
		sum, slot, expert := 0.0, make([]float64, d), s/r.c.Slots
		for i := range g {
			sum += math.Exp(l[i][s])
			for e := range d {
				slot[e] += math.Exp(l[i][s]) * g[i][e]
			}
		}
		for o := range d {
			y[s][o] = b[expert*d+o]
			for e := range d {
				y[s][o] += slot[e] / sum * w[(expert*d+e)*d+o]
			}
		}
	}
	out := zeros(len(g), d)
	for i := range g {
		sum := 0.0
		for s := range slots {
			sum += math.Exp(l[i][s])
		}
		for s := range slots {
			for o := range d {
				out[i][o] += math.Exp(l[i][s]) / sum * y[s][o]
			}
		}
	}
	return out
}

func (r reference) logits(in Input) []float64 {
	x, letter := r.embed(in)
	for layer := range r.c.Layers {
		if layer == r.c.FusionFrom && r.c.Context && in.Context != nil {
			for _, row := range r.context(in) {
				x, letter = append(x, row), append(letter, "A")
			}
		}
		x = r.attention(layer, x, letter)
		name := fmt.Sprintf("beit3.encoder.layers.%d.", layer)
		h, g := make(matrix, len(x)), make(matrix, len(x))
		adapter := func(i int) string {
			if layer < r.c.FusionFrom {
				return name + "MLP_Adapter." + letter[i]
			}
			return name + "MLP_Adapter"
		}
		for i := range x {
			h[i] = r.norm(name+"final_layer_norm."+letter[i], x[i])
			g[i] = gelu(r.linear(adapter(i)+".D_fc1", h[i]))
		}
		if layer >= r.c.FusionFrom {
			g = r.softMoE(name+"MLP_Adapter.moe", g)
		}
		for i := range x {
			ffn := name + "ffn." + letter[i]
			f := r.linear(ffn+".fc2", r.norm(ffn+".ffn_layernorm", gelu(r.linear(ffn+".fc1", h[i]))))
			a := r.norm(adapter(i)+".norm", r.linear(adapter(i)+".D_fc2", g[i]))
			x[i] = add(x[i], r.branch(layer, "ffn", add(f, a)))
		}
	}
	return r.linear("head", r.norm("fc_norm", x[0]))
}

// odd are networks of sizes that divide nothing: layers before and after fusion; fusion from the start, with a context;
// hidden sizes of other ratios, volumes one voxel thick, one expert and a context; a single layer.
func odd() []nn.Config {
	c := nn.Config{
		Embed: 12, Heads: 3, Layers: 4, FusionFrom: 2, Experts: 3, Slots: 2, StemChannels: [2]int{3, 5}, Classes: 3,
		Boxes: nn.Boxes{
			DCE: nn.Box{Channels: 2, Size: [3]int{17, 20, 9}},
			T2:  nn.Box{Channels: 1, Size: [3]int{18, 19, 3}},
			DWI: nn.Box{Channels: 3, Size: [3]int{5, 4, 33}},
		},
	}
	early := c
	early.Layers, early.FusionFrom, early.Slots, early.Classes, early.Context = 2, 0, 1, 2, true
	uneven := nn.Config{
		Embed: 10, Hidden: 7, Adapter: 9, Heads: 5, Layers: 3, FusionFrom: 2, Experts: 1, Slots: 3, Classes: 5, Context: true,
		StemChannels: [2]int{2, 1},
		Boxes: nn.Boxes{
			DCE: nn.Box{Channels: 1, Size: [3]int{17, 1, 33}},
			T2:  nn.Box{Channels: 2, Size: [3]int{15, 19, 1}},
			DWI: nn.Box{Channels: 4, Size: [3]int{1, 49, 2}},
		},
	}
	single := uneven
	single.Embed, single.Hidden, single.Adapter, single.Heads = 9, 0, 0, 1 // Adapter 2: the ratio rounded down
	single.Layers, single.FusionFrom, single.Experts, single.Slots, single.Classes = 1, 0, 5, 1, 2
	single.Context = false
	return []nn.Config{c, early, uneven, single}
}

// shaken is a set whose every tensor is random, also those that start as 0 or 1.
func shaken(t testing.TB, c nn.Config) weights.Set {
	t.Helper()
	set, err := nn.Init(c, 5)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(5, 5))
	for _, tensor := range set.All() {
		for i := range tensor.Data {
			tensor.Data[i] += 0.2 * float32(random.NormFloat64())
		}
	}
	return set
}

func TestModelMatchesReference(t *testing.T) {
	for k, c := range odd() {
		set := shaken(t, c)
		m, err := New(set, Options{Branches: branches()})
		if err != nil {
			t.Fatal(err)
		}
		full := noise(c, 9)
		for which := range 8 {
			in := only(full, experts.Modalities[:], which)
			if which == 5 {
				in.Context = nil
			}
			want := newReference(c, set).logits(in)
			got, err := m.Logits(context.Background(), in)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != len(want) {
				t.Fatalf("network %d: %d logits, want %d", k, len(got), len(want))
			}
			for i := range want {
				if math.Abs(float64(got[i])-want[i]) > 1e-4 {
					t.Errorf("network %d, modalities %03b: logits %v, want %v", k, which, got, want)
					break
				}
			}
		}
	}
}

// loss is the cross-entropy of the reference's logits against one class.
func (r reference) loss(in Input, class int) float64 {
	logits, sum := r.logits(in), 0.0
	for _, v := range logits {
		sum += math.Exp(v)
	}
	return math.Log(sum) - logits[class]
}

// The gradient of every tensor, along one random direction each, against the reference's difference quotient. In
// double precision the quotient is good to 1e-9; float32 leaves 1e-5 of the gradient's norm, more where a softmax sees
// two rows only.
func TestGradientsMatchReference(t *testing.T) {
	for k, c := range odd() {
		set := shaken(t, c)
		b, _, loss := graphOf(t, set)
		names, nodes := b.Weights()
		grads, err := gorgonia.Grad(loss, nodes...)
		if err != nil {
			t.Fatal(err)
		}
		p := compile(t, b, set, grads...)
		in, target := noise(c, 11), make([]float32, c.Classes)
		target[1] = 1
		run(t, p, in, target)
		r := newReference(c, set)
		random := rand.New(rand.NewPCG(12, uint64(k)))
		worst := 0.0
		for i, name := range names {
			got := value(t, p, grads[i])
			w, direction, along := r.get(name), make([]float64, len(got)), 0.0
			for j, v := range got {
				direction[j] = random.NormFloat64()
				along += direction[j] * float64(v)
			}
			const step = 1e-6
			shift := func(by float64) {
				for j, v := range direction {
					w[j] += by * v
				}
			}
			shift(step)
			up := r.loss(in, 1)
			shift(-2 * step)
			down := r.loss(in, 1)
			shift(step)
			want := (up - down) / (2 * step)
			if norm(got) < 1e-6 && math.Abs(want) < 1e-6 { // without effect: what is left is rounding
				continue
			}
			off := math.Abs(along-want) / norm(got)
			worst = max(worst, off)
			if off > 5e-4 {
				t.Errorf("network %d, %s: slope %.8g, reference %.8g, gradient's norm %.3g", k, name, along, want, norm(got))
			}
		}
		t.Logf("network %d: %d tensors, largest difference %.2g of the gradient's norm", k, len(names), worst)
	}
}
