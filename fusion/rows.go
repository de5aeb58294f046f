package fusion

import (
	"mome/experts"
	"mome/experts/clinical"
	"mome/experts/nn"
)

// ClassToken is the name of the first row of the fusion layers. A modality's rows, and the context's, are named as their
// input is, see nn.InputName.
const ClassToken = "cls"

// Part is a run of rows of the fusion layers, [From, To).
type Part struct {
	Name     string           // ClassToken or an input's name
	Modality experts.Modality // nn.ContextRows for the context, "" for the class token
	From, To int
}

// Len is the number of rows.
func (p Part) Len() int { return p.To - p.From }

// Rows says which rows of the fusion layers, and so of what Graph marks there, stand for what, for the modalities that
// the input has: class token, DCE, DWI, T2, context. A modality's rows are its tokens in the order of H, W, D, see
// nn.Box.Grid; the context has one per field of package clinical.
func Rows(c nn.Config, in Input) []Part {
	parts := []Part{{Name: ClassToken, To: 1}}
	add := func(m experts.Modality, count int) {
		from := parts[len(parts)-1].To
		parts = append(parts, Part{Name: nn.InputName(m), Modality: m, From: from, To: from + count})
	}
	for _, m := range nn.RowOrder() {
		if in.Of(m) != nil {
			add(m, c.Boxes.Of(m).Tokens())
		}
	}
	if in.Context != nil && c.Context {
		fields, _ := clinical.Size()
		add(nn.ContextRows, fields)
	}
	return parts
}
