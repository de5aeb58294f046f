package fusion

import (
	"mome/experts"
	"mome/experts/nn"
)

// Names of the parts of the fusion layers' rows that are not a modality's; a modality's part is named as its input is,
// see nn.InputName.
const (
	ClassToken = "cls"
)

// Part is a run of rows of the fusion layers, [From, To).
type Part struct {
	Name     string           // ClassToken or a modality's input name
	Modality experts.Modality // "" for the class token
	From, To int
}

// Len is the number of rows.
func (p Part) Len() int { return p.To - p.From }

// Rows says which rows of the fusion layers, and so of what Graph marks there, stand for what, for the modalities that
// the input has: class token, DCE, DWI, T2. A modality's rows are its tokens in the order of H, W, D, see nn.Box.Grid.
func Rows(c nn.Config, in Input) []Part {
	parts := []Part{{Name: ClassToken, To: 1}}
	for _, m := range nn.RowOrder() {
		if in.Of(m) == nil {
			continue
		}
		from := parts[len(parts)-1].To
		parts = append(parts, Part{Name: nn.InputName(m), Modality: m, From: from, To: from + c.Boxes.Of(m).Tokens()})
	}
	return parts
}
