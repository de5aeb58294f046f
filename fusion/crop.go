package fusion

import (
	"fmt"

	"mome/experts"
	"mome/experts/nn"
	"mome/experts/volume"
)

// cropAxes are the directions of a box's D, W and H: the network's D runs along the body, W from front to back, H from
// right to left. D comes first because it runs fastest in memory, as i does in a volume.
var cropAxes = [3]volume.Vec{{0, 0, 1}, {0, 1, 0}, {1, 0, 0}}

// Crop cuts what the network reads of one lesion out of the channels that the experts prepared: for each modality a
// box of the size and field of view that the weights state, around centreMM, [channel, H, W, D] with D fastest. A
// modality without channels stays absent. It fails for weights that state no field of view, and for fewer
// channels than the weights want; of more the first are read.
func Crop(boxes nn.Boxes, channels map[experts.Modality][]*volume.Volume, centreMM volume.Vec) (Input, error) {
	var in Input
	for _, m := range experts.Modalities {
		if len(channels[m]) == 0 {
			continue
		}
		values, err := crop(boxes.Of(m), channels[m], centreMM)
		if err != nil {
			return Input{}, fmt.Errorf("crop %s: %w", m, err)
		}
		switch m {
		case experts.DCE:
			in.DCE = values
		case experts.T2:
			in.T2 = values
		case experts.DWI:
			in.DWI = values
		}
	}
	return in, nil
}

// BoxGrid is the grid on which Crop samples a box around a centre: its i, j, k are the network's D, W, H, so that
// Grid.Index of a voxel is its place in a channel of Input, and Grid.Point its place in the patient.
func BoxGrid(box nn.Box, centreMM volume.Vec, frameOfReference string) volume.Grid {
	size := [3]int{box.Size[2], box.Size[1], box.Size[0]}
	fieldMM := [3]float64{box.FieldOfViewMM[2], box.FieldOfViewMM[1], box.FieldOfViewMM[0]}
	return volume.Box(centreMM, fieldMM, size, cropAxes, frameOfReference)
}

func crop(box nn.Box, channels []*volume.Volume, centreMM volume.Vec) ([]float32, error) {
	if box.FieldOfViewMM == [3]float64{} {
		return nil, fmt.Errorf("the weights state no field of view (metadata fov_mm)")
	}
	if len(channels) < box.Channels {
		return nil, fmt.Errorf("%d channels, the weights want %d", len(channels), box.Channels)
	}
	channels = channels[:box.Channels]
	grid := BoxGrid(box, centreMM, channels[0].FrameOfReference)
	values := make([]float32, 0, box.Floats())
	for _, c := range channels {
		values = append(values, volume.Resample(c, grid).Data...)
	}
	return values, nil
}
