package main

import (
	"fmt"

	"mome/experts/nn"
)

// presetConfig is a network's size by name: base is the published one (arXiv 2408.12606), small the same with fewer and
// smaller layers and volumes, so that every part can be tried within seconds.
func presetConfig(name string) (nn.Config, error) {
	switch name {
	case "base":
		return nn.Config{
			Embed: 768, Heads: 12, Layers: 12, FusionFrom: 9, Experts: 128, Slots: 1, StemChannels: [2]int{64, 128}, Classes: 2,
			Boxes: nn.Boxes{
				DCE: nn.Box{Channels: 6, Size: [3]int{384, 256, 128}},
				DWI: nn.Box{Channels: 1, Size: [3]int{256, 128, 32}},
				T2:  nn.Box{Channels: 1, Size: [3]int{384, 256, 48}},
			},
		}, nil
	case "small":
		return nn.Config{
			Embed: 96, Heads: 4, Layers: 4, FusionFrom: 3, Experts: 8, Slots: 1, StemChannels: [2]int{64, 128}, Classes: 2,
			Boxes: nn.Boxes{
				DCE: nn.Box{Channels: 6, Size: [3]int{64, 48, 32}},
				DWI: nn.Box{Channels: 1, Size: [3]int{48, 32, 16}},
				T2:  nn.Box{Channels: 1, Size: [3]int{64, 48, 16}},
			},
		}, nil
	}
	return nn.Config{}, fmt.Errorf("no network is named %q, want base or small", name)
}
