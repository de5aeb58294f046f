package weights

import (
	"fmt"
	"slices"
	"strings"
)

// BEiT3 says what FromBEiT3 did.
type BEiT3 struct {
	Copied []string // tensors of the network that now hold BEiT-3's numbers
	Fresh  []string // tensors of the network that kept theirs, in order
	Unused []string // tensors of BEiT-3 that went nowhere, in order
}

// FromBEiT3 prepares a network for training from a checkpoint of BEiT-3 (Wang et al., arXiv 2208.10442), whose
// encoder keeps every tensor twice, A for images and B for text. Attention, feed-forward and their norms of every
// layer are copied from A to the copies A, B and C of the three modalities. Everything else, stems, class token,
// positions, adapters, mixtures and head, stays as it is in fresh, except that the adapters' second maps, D_fc2, become
// 0, so that training starts from BEiT-3's own function, and that the head becomes a thousandth of itself.
//
// The tensors of fresh, which name the network, are written over and taken into the answer, with fresh's metadata.
// After an error they may be half written. The error names the first tensor that beit3 lacks or has in another shape.
func FromBEiT3(beit3, fresh Set) (Set, BEiT3, error) {
	var report BEiT3
	used := map[string]bool{}
	for _, t := range fresh.tensors {
		source, ok := beit3Source(t.Name)
		if !ok {
			report.Fresh = append(report.Fresh, t.Name)
			switch {
			case strings.Contains(t.Name, ".D_fc2."):
				clear(t.Data)
			case strings.HasPrefix(t.Name, "head."):
				for i := range t.Data {
					t.Data[i] *= 1e-3
				}
			}
			continue
		}
		from, ok := beit3.Tensor(source)
		if !ok {
			return Set{}, BEiT3{}, fmt.Errorf("tensor %q needs %q of BEiT-3, which the checkpoint does not have", t.Name, source)
		}
		if !slices.Equal(from.Shape, t.Shape) {
			return Set{}, BEiT3{}, fmt.Errorf("tensor %q has shape %v, but %q of BEiT-3 has %v: another size of network", t.Name, t.Shape, source, from.Shape)
		}
		copy(t.Data, from.Data)
		used[source] = true
		report.Copied = append(report.Copied, t.Name)
	}
	if len(report.Copied) == 0 {
		return Set{}, BEiT3{}, fmt.Errorf("none of the network's tensors is one of BEiT-3's encoder")
	}
	for _, t := range beit3.tensors {
		if !used[t.Name] {
			report.Unused = append(report.Unused, t.Name)
		}
	}
	return fresh, report, nil
}

// beit3Source is the name under which BEiT-3 keeps what a modality's copy of a layer's tensor starts from.
func beit3Source(name string) (string, bool) {
	if !strings.HasPrefix(name, "beit3.encoder.layers.") || strings.Contains(name, "MLP_Adapter") {
		return "", false
	}
	for _, letter := range []string{".A.", ".B.", ".C."} {
		if i := strings.LastIndex(name, letter); i >= 0 {
			return name[:i] + ".A." + name[i+len(letter):], true
		}
	}
	return "", false
}
