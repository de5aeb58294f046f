// Package nn holds the parts of the network that the experts and the fusion share, as Gorgonia nodes: convolutional
// stem, positions, and the transformer layer of one modality, after MOME (Luo et al., "A Large Model for Non-invasive
// and Personalized Management of Breast Cancer from Multiparametric MRI", Nature Communications 2025,
// arXiv 2408.12606), whose layers are those of BEiT-3 (Wang et al., arXiv 2208.10442). It also says which tensors a
// configuration needs, under the published names, and makes fresh ones. It does not mix modalities: package fusion does.
package nn

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"mome/experts"
	"mome/experts/weights"
	"mome/gpu/op"
)

// Eps is added to the variance by every normalisation of the network.
const Eps = 1e-5

// downsampling is the edge in voxels of the block that becomes one token: three strided convolutions and a strided
// maximum, each halving.
const downsampling = 16

// maxBox is the greatest number of values of a volume, 14 times that of the published DCE: a small file of weights must
// not ask for more memory than there is.
const maxBox = 1 << 30

// Published ratios of the layers' hidden sizes to the embedding, for configurations that state none.
const (
	hiddenRatio  = 4 // feed-forward hidden size = 4 embed
	adapterRatio = 4 // adapter hidden size = embed / 4
)

// Config is the size of everything in the network.
type Config struct {
	Embed        int    // length of a token
	Hidden       int    // hidden size of the feed-forward; 0 is 4 Embed
	Adapter      int    // hidden size of the adapters and the soft mixtures; 0 is Embed / 4
	Heads        int    // attention heads; divides Embed
	Layers       int    // all layers
	FusionFrom   int    // index of the first layer in which modalities see each other
	Experts      int    // of the soft mixture in every fusion layer
	Slots        int    // per expert
	StemChannels [2]int // channels after the first and second convolution; the third gives Embed
	Boxes        Boxes
	Absolute     Absolutes // channels in units of their own; none as published
	Classes      int
	Context      bool // whether the fusion layers read the clinical context too, see ContextRows
}

// Full is the configuration with its defaults written out, as ConfigFrom returns it.
func (c Config) Full() Config {
	if c.Hidden == 0 {
		c.Hidden = hiddenRatio * c.Embed
	}
	if c.Adapter == 0 {
		c.Adapter = c.Embed / adapterRatio
	}
	return c
}

// ReadsWhole says whether the network reads the whole volume of each modality, as the published weights do, and not
// what lies around one place: see Box.FieldOfViewMM.
func (c Config) ReadsWhole() bool { return c.Boxes.ReadWhole() }

// Boxes are the input volumes.
type Boxes struct{ DCE, T2, DWI Box }

// Of is the box of a modality; the zero Box if it is unknown.
func (b Boxes) Of(m experts.Modality) Box {
	switch m {
	case experts.DCE:
		return b.DCE
	case experts.T2:
		return b.T2
	case experts.DWI:
		return b.DWI
	}
	return Box{}
}

// ReadWhole says whether no box states a field of view.
func (b Boxes) ReadWhole() bool {
	return b.DCE.FieldOfViewMM == [3]float64{} && b.T2.FieldOfViewMM == [3]float64{} && b.DWI.FieldOfViewMM == [3]float64{}
}

// Box is the input volume of one modality: [Channels, Size...].
type Box struct {
	Channels int
	Size     [3]int // voxels along H, W, D
	// FieldOfViewMM is the extent along H, W, D that the box covers. Zero, which all boxes of a network must then be,
	// means that the weights do not say: then voxels keep their size, and whole volumes are padded or shrunk into the
	// box as the published preprocessing does.
	FieldOfViewMM [3]float64
}

// Absolute says which channels of a modality's volume are to be read against a mark of their own, such as the ADC
// relative to that of low diffusion. An instance norm follows every convolution, so a stem sees neither scale nor level
// of what it is given; such channels therefore enter windowed around the middle of the box, where the lesion is, with the
// mark as zero, and all others are brought to their size, by their common root mean square. The zero value, as of the
// published weights, changes nothing.
type Absolute struct {
	Channels int     // the last ones
	WindowMM float64 // deviation of the Gaussian window
}

// Absolutes are the absolute channels of every modality.
type Absolutes struct{ DCE, T2, DWI Absolute }

// Of are those of a modality.
func (a Absolutes) Of(m experts.Modality) Absolute {
	switch m {
	case experts.DCE:
		return a.DCE
	case experts.T2:
		return a.T2
	case experts.DWI:
		return a.DWI
	}
	return Absolute{}
}

// Floats is the number of values of the volume.
func (b Box) Floats() int { return b.Channels * b.Size[0] * b.Size[1] * b.Size[2] }

// Grid is the number of tokens along H, W, D: one per started block of 16 voxels.
func (b Box) Grid() [3]int {
	var g [3]int
	for a, n := range b.Size {
		g[a] = (n + downsampling - 1) / downsampling
	}
	return g
}

// Tokens is the number of tokens of the volume, without the class token.
func (b Box) Tokens() int { g := b.Grid(); return g[0] * g[1] * g[2] }

// RowOrder is the order of the modalities' rows in the network: class token and DCE first, then DWI, then T2.
func RowOrder() [3]experts.Modality {
	return [3]experts.Modality{experts.DCE, experts.DWI, experts.T2}
}

// ContextRows stands for the rows of the clinical context wherever a part of the network asks whose rows it is given. It
// is no modality: it has no volume and no expert, and its rows are there in fusion layers only, after all others. They
// read the copy of the class token and DCE: the context has too few words to train copies of its own.
const ContextRows experts.Modality = "context"

// Copy is the letter under which the published names keep a modality's copy of a layer.
func Copy(m experts.Modality) string {
	switch m {
	case experts.DCE, ContextRows:
		return "A"
	case experts.DWI:
		return "B"
	default:
		return "C"
	}
}

// key is a modality's name in tensor names, metadata and graph inputs.
func key(m experts.Modality) string { return strings.ToLower(string(m)) }

// InputName is the name of the graph input that holds a modality's volume, or the context.
func InputName(m experts.Modality) string { return key(m) }

// ErrConfig is wrapped by every error that says that weights are not a network.
var ErrConfig = errors.New("weights do not fit the network")

// Check says which number is impossible.
func (c Config) Check() error {
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrConfig, fmt.Sprintf(format, args...))
	}
	full := c.Full()
	for _, n := range []struct {
		name  string
		value int
	}{
		{"Embed", c.Embed}, {"Hidden", full.Hidden}, {"Adapter", full.Adapter}, {"Heads", c.Heads}, {"Layers", c.Layers}, {"Experts", c.Experts}, {"Slots", c.Slots},
		{"StemChannels[0]", c.StemChannels[0]}, {"StemChannels[1]", c.StemChannels[1]}, {"Classes", c.Classes},
	} {
		if n.value < 1 || n.value > 1<<16 {
			return wrong("%s is %d", n.name, n.value)
		}
	}
	if c.Embed%c.Heads != 0 {
		return wrong("Embed %d is not divisible by Heads %d", c.Embed, c.Heads)
	}
	if width := c.Embed / c.Heads; width > op.MaxHeadWidth {
		return wrong("Embed %d by Heads %d gives heads of %d numbers, more than %d", c.Embed, c.Heads, width, op.MaxHeadWidth)
	}
	if c.FusionFrom < 0 || c.FusionFrom >= c.Layers {
		return wrong("FusionFrom %d of %d Layers leaves no fusion", c.FusionFrom, c.Layers)
	}
	for _, m := range RowOrder() {
		b := c.Boxes.Of(m)
		if a := c.Absolute.Of(m); a != (Absolute{}) && !(a.Channels > 0 && a.Channels <= b.Channels && a.WindowMM > 0 && a.WindowMM < 1e4 && b.FieldOfViewMM[0] > 0) {
			return wrong("Absolute.%s has %d of %d channels and a window of %g mm, with a field of view of %v mm", m, a.Channels, b.Channels, a.WindowMM, b.FieldOfViewMM)
		}
		if b.Channels < 1 || b.Channels > 1<<10 {
			return wrong("Boxes.%s has %d channels", m, b.Channels)
		}
		if n := float64(b.Channels) * float64(b.Size[0]) * float64(b.Size[1]) * float64(b.Size[2]); n > maxBox {
			return wrong("Boxes.%s has %d channels of size %v, more than %d numbers", m, b.Channels, b.Size, maxBox)
		}
		for a, n := range b.Size {
			if n < 1 || n > 1<<12 {
				return wrong("Boxes.%s has size %v", m, b.Size)
			}
			if mm := b.FieldOfViewMM[a]; !(mm >= 0 && mm < 1e4) {
				return wrong("Boxes.%s has field of view %v mm", m, b.FieldOfViewMM)
			} else if (mm == 0) != c.ReadsWhole() {
				return wrong("Boxes.%s has field of view %v mm: all axes of all boxes must state one, or none", m, b.FieldOfViewMM)
			}
		}
	}
	return nil
}

// ConfigFrom reads every size from the tensors' shapes, and what shapes cannot tell from the metadata:
//   - heads: default embed/64, BEiT-3's head width, or 4 where 64 does not divide embed
//   - box.<modality>: default the published volumes, DCE 384x256x128, DWI 256x128x32, T2 384x256x48
//   - fov_mm.<modality>: default unknown, see Box.FieldOfViewMM
//   - absolute.<modality>: default none, see Absolute
//
// The error names the first tensor that is missing or has another shape. Tensors that the network does not have are
// passed over.
func ConfigFrom(s weights.Set) (Config, error) {
	r := reader{set: s}
	cls := r.shape("beit3.dce_embed.cls_token", 3)
	first, second := r.shape(stemName(experts.DCE, 0), 5), r.shape(stemName(experts.DCE, 1), 5)
	head := r.shape("head.weight", 2)
	if r.err != nil {
		return Config{}, r.err
	}
	c := Config{Embed: cls[2], StemChannels: [2]int{first[0], second[0]}, Classes: head[0], FusionFrom: -1}
	for has(s, LayerName(c.Layers, "self_attn.q_proj.A.weight")) {
		if c.FusionFrom < 0 && has(s, LayerName(c.Layers, "MLP_Adapter.moe.phi")) {
			c.FusionFrom = c.Layers
		}
		c.Layers++
	}
	if c.FusionFrom < 0 {
		return Config{}, fmt.Errorf("%w: no layer has a tensor MLP_Adapter.moe.phi", ErrConfig)
	}
	phi := r.shape(LayerName(c.FusionFrom, "MLP_Adapter.moe.phi"), 3)
	c.Adapter, c.Experts, c.Slots = phi[0], phi[1], phi[2]
	c.Hidden = r.shape(LayerName(0, "ffn.A.fc1.weight"), 2)[0]
	c.Heads = r.heads(c.Embed)
	c.Context = has(s, contextName)
	c.Boxes = Boxes{DCE: r.box(experts.DCE), T2: r.box(experts.T2), DWI: r.box(experts.DWI)}
	c.Absolute = Absolutes{DCE: r.absolute(experts.DCE), T2: r.absolute(experts.T2), DWI: r.absolute(experts.DWI)}
	if r.err != nil {
		return Config{}, r.err
	}
	if err := c.Check(); err != nil {
		return Config{}, err
	}
	return c, c.fits(s)
}

// fits compares every tensor that the network has with the set.
func (c Config) fits(s weights.Set) error {
	for _, want := range c.Tensors() {
		got, ok := s.Tensor(want.Name)
		if !ok {
			return fmt.Errorf("%w: tensor %q is missing", ErrConfig, want.Name)
		}
		if fmt.Sprint(got.Shape) == fmt.Sprint(want.Shape) {
			continue
		}
		hint := ""
		if strings.Contains(want.Name, "embed_positions") {
			hint = "; the metadata's boxes decide the number of tokens"
		}
		return fmt.Errorf("%w: tensor %q has shape %v, want %v%s", ErrConfig, want.Name, got.Shape, want.Shape, hint)
	}
	return nil
}

func has(s weights.Set, name string) bool { _, ok := s.Tensor(name); return ok }

// reader reads a set and keeps the first error.
type reader struct {
	set weights.Set
	err error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrConfig, fmt.Sprintf(format, args...))
	}
}

// shape is the shape of a tensor that must have the given number of axes.
func (r *reader) shape(name string, axes int) []int {
	t, ok := r.set.Tensor(name)
	switch {
	case !ok:
		r.fail("tensor %q is missing", name)
	case len(t.Shape) != axes:
		r.fail("tensor %q has shape %v, want %d axes", name, t.Shape, axes)
	default:
		return t.Shape
	}
	return make([]int, axes)
}

func (r *reader) heads(embed int) int {
	text, ok := r.set.Metadata[weights.Heads]
	if !ok {
		if embed%64 == 0 {
			return embed / 64
		}
		return 4
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		r.fail("metadata %s = %q is not a number", weights.Heads, text)
	}
	return n
}

func (r *reader) box(m experts.Modality) Box {
	b := Box{Channels: r.shape(stemName(m, 0), 5)[1]}
	switch m {
	case experts.DCE:
		b.Size = [3]int{384, 256, 128}
	case experts.T2:
		b.Size = [3]int{384, 256, 48}
	case experts.DWI:
		b.Size = [3]int{256, 128, 32}
	}
	if text, ok := r.set.Metadata[weights.Box+key(m)]; ok {
		n := r.numbers(weights.Box+key(m), text, 4)
		if r.err == nil && int(n[0]) != b.Channels {
			r.fail("metadata %s%s = %q, but tensor %q has %d channels", weights.Box, key(m), text, stemName(m, 0), b.Channels)
		}
		b.Size = [3]int{int(n[1]), int(n[2]), int(n[3])}
	}
	if text, ok := r.set.Metadata[weights.FieldOfView+key(m)]; ok {
		n := r.numbers(weights.FieldOfView+key(m), text, 3)
		b.FieldOfViewMM = [3]float64{n[0], n[1], n[2]}
	}
	return b
}

// absolute reads which channels of a modality are absolute; none by default.
func (r *reader) absolute(m experts.Modality) Absolute {
	text, ok := r.set.Metadata[weights.Absolute+key(m)]
	if !ok {
		return Absolute{}
	}
	n := r.numbers(weights.Absolute+key(m), text, 2)
	return Absolute{Channels: int(n[0]), WindowMM: n[1]}
}

// numbers reads count comma-separated numbers between 0 and 2^31.
func (r *reader) numbers(name, text string, count int) []float64 {
	out := make([]float64, count)
	parts := strings.Split(text, ",")
	for i := range out {
		if len(parts) != count {
			r.fail("metadata %s = %q, want %d numbers", name, text, count)
			break
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(parts[i]), 64)
		if err != nil || !(v >= 0 && v < 1<<31) {
			r.fail("metadata %s = %q: %q is not a size", name, text, parts[i])
			break
		}
		out[i] = v
	}
	return out
}

// Metadata are the entries from which ConfigFrom reads what shapes cannot tell.
func (c Config) Metadata() map[string]string {
	all := map[string]string{weights.Heads: strconv.Itoa(c.Heads)}
	for _, m := range RowOrder() {
		b := c.Boxes.Of(m)
		all[weights.Box+key(m)] = fmt.Sprintf("%d,%d,%d,%d", b.Channels, b.Size[0], b.Size[1], b.Size[2])
		if a := c.Absolute.Of(m); a != (Absolute{}) {
			all[weights.Absolute+key(m)] = fmt.Sprintf("%d,%g", a.Channels, a.WindowMM)
		}
		if b.FieldOfViewMM != [3]float64{} {
			all[weights.FieldOfView+key(m)] = fmt.Sprintf("%g,%g,%g", b.FieldOfViewMM[0], b.FieldOfViewMM[1], b.FieldOfViewMM[2])
		}
	}
	return all
}
