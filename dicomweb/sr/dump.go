package sr

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"

	"mome/dicomweb/dicom"
)

// Dump writes the tree as text, one line per item, two spaces per level: relation, type, concept, value.
func Dump(w io.Writer, root *Item) error {
	b := bufio.NewWriter(w)
	root.Walk(func(i *Item, depth int) {
		parts := []string{strings.Repeat("  ", depth) + strings.TrimSpace(string(i.Relation)+" "+string(i.Type))}
		if !i.Name.Zero() {
			parts = append(parts, i.Name.String())
		}
		if v := i.value(); v != "" {
			parts = append(parts, "= "+v)
		}
		if i.Template != "" {
			parts = append(parts, "TID "+i.Template)
		}
		fmt.Fprintln(b, strings.Join(parts, " "))
	})
	return b.Flush()
}

func (i *Item) value() string {
	if i.Target != nil {
		return fmt.Sprint("item ", i.Target)
	}
	switch i.Type {
	case Code:
		return i.Code.String()
	case Num:
		if !i.Value.Known {
			return "none " + i.Value.Modifier.String()
		}
		return dicom.FormatDS(i.Value.Number) + " " + i.Value.Unit.String()
	case Image, Composite:
		s := i.Ref.SOPInstanceUID
		if len(i.Ref.Frames) > 0 {
			s += fmt.Sprint(" frames ", i.Ref.Frames)
		}
		if len(i.Ref.Segments) > 0 {
			s += fmt.Sprint(" segments ", i.Ref.Segments)
		}
		return s
	case SCoord, SCoord3D:
		return fmt.Sprint(i.Coord.Graphic, " ", i.Coord.Points)
	case UIDRef:
		return i.Text
	case Container:
		return ""
	}
	return strconv.Quote(i.Text)
}
