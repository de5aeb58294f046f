// Package sr holds the content tree of Structured Reports (PS3.3 C.17.3) and the templates of PS3.16 that a
// measurement report is made of, as functions named by what they say: TID 1500 with 1204, 1002, 1004, 1600, 1602,
// 4019, 1411 and 1419, or 1501 with 300 and 320. Trees are built, written into a data set and read back from any SR that was stored. It knows
// neither what is measured nor how.
package sr

import (
	"math"
	"strconv"

	"mome/dicomweb/iod"
	"mome/dicomweb/iod/code"
)

// Relation is a Relationship Type, PS3.3 C.17.3.2.4.
type Relation string

// Relationship types.
const (
	Contains      Relation = "CONTAINS"
	HasConceptMod Relation = "HAS CONCEPT MOD"
	HasObsContext Relation = "HAS OBS CONTEXT"
	HasAcqContext Relation = "HAS ACQ CONTEXT"
	HasProperties Relation = "HAS PROPERTIES"
	InferredFrom  Relation = "INFERRED FROM"
	SelectedFrom  Relation = "SELECTED FROM"
)

// ValueType is a Value Type, PS3.3 C.17.3.2.1.
type ValueType string

// Value types. Others are read as they are, without their value.
const (
	Container ValueType = "CONTAINER"
	Code      ValueType = "CODE"
	Num       ValueType = "NUM"
	Text      ValueType = "TEXT"
	UIDRef    ValueType = "UIDREF"
	DateTime  ValueType = "DATETIME"
	Date      ValueType = "DATE"
	Time      ValueType = "TIME"
	PName     ValueType = "PNAME"
	Image     ValueType = "IMAGE"
	Composite ValueType = "COMPOSITE"
	SCoord    ValueType = "SCOORD"
	SCoord3D  ValueType = "SCOORD3D"
)

// Item is one content item with what hangs below it. Which of the value fields count is told by Type.
type Item struct {
	Relation Relation // to the parent; "" for the root
	Type     ValueType
	Name     code.Code // the concept name; zero where it has none, as images of the library

	Text  string    // TEXT, UIDREF, DATETIME, DATE, TIME, PNAME
	Code  code.Code // CODE
	Value Quantity  // NUM
	Ref   Ref       // IMAGE, COMPOSITE
	Coord Coord     // SCOORD, SCOORD3D

	Template string // of a CONTAINER: template identifier of DCMR, "1500"
	Target   []int  // of an item by reference: the path to the item meant, from 1; it has no value of its own
	Items    []*Item
}

// Quantity is the measured value of a NUM.
type Quantity struct {
	Number   float64
	Known    bool // false: the value is missing, as Measured Value Sequence without an item says
	Unit     code.Code
	Modifier code.Code // Numeric Value Qualifier: why it is missing, or what is special about it; may be zero
}

// Ref is an instance that an item points to. Its study and series are not in the tree, but in the evidence beside it.
type Ref struct {
	iod.Instance
	Frames   []int // from 1; nil means all
	Segments []int // of a Segmentation, from 1; nil means all
}

// Coord is a graphic.
type Coord struct {
	Graphic             string    // POINT, POLYLINE, ...
	Points              []float32 // column, row pairs for SCOORD; x, y, z in mm in patient space for SCOORD3D
	FrameOfReferenceUID string    // of SCOORD3D
}

// NewContainer returns a container whose content is separate items.
func NewContainer(rel Relation, name code.Code, items ...*Item) *Item {
	return &Item{Relation: rel, Type: Container, Name: name, Items: items}
}

// NewCode returns a coded item.
func NewCode(rel Relation, name, value code.Code, items ...*Item) *Item {
	return &Item{Relation: rel, Type: Code, Name: name, Code: value, Items: items}
}

// NewText returns a text item.
func NewText(rel Relation, name code.Code, text string) *Item {
	return &Item{Relation: rel, Type: Text, Name: name, Text: text}
}

// NewUID returns a UID reference.
func NewUID(rel Relation, name code.Code, uid string) *Item {
	return &Item{Relation: rel, Type: UIDRef, Name: name, Text: uid}
}

// NewNum returns a measurement.
func NewNum(rel Relation, name code.Code, value float64, unit code.Code, items ...*Item) *Item {
	return &Item{Relation: rel, Type: Num, Name: name, Value: Quantity{Number: value, Known: true, Unit: unit}, Items: items}
}

// NewImage returns a reference to an image.
func NewImage(rel Relation, name code.Code, ref Ref) *Item {
	return &Item{Relation: rel, Type: Image, Name: name, Ref: ref}
}

// Add appends items below i and returns it.
func (i *Item) Add(items ...*Item) *Item {
	i.Items = append(i.Items, items...)
	return i
}

// Find returns the first item right below i whose concept name is name, or nil. A nil item has none.
func (i *Item) Find(name code.Code) *Item {
	if i == nil {
		return nil
	}
	for _, child := range i.Items {
		if child.Name.Is(name) {
			return child
		}
	}
	return nil
}

// FindAll returns all items right below i whose concept name is name.
func (i *Item) FindAll(name code.Code) []*Item {
	if i == nil {
		return nil
	}
	var out []*Item
	for _, child := range i.Items {
		if child.Name.Is(name) {
			out = append(out, child)
		}
	}
	return out
}

// TextOf returns the text of the first item named name below i, "" if there is none.
func (i *Item) TextOf(name code.Code) string {
	if c := i.Find(name); c != nil {
		return c.Text
	}
	return ""
}

// CodeOf returns the code of the first item named name below i, zero if there is none.
func (i *Item) CodeOf(name code.Code) code.Code {
	if c := i.Find(name); c != nil {
		return c.Code
	}
	return code.Code{}
}

// Walk calls visit for i and all below it, parents first.
func (i *Item) Walk(visit func(item *Item, depth int)) { i.walk(visit, 0) }

func (i *Item) walk(visit func(*Item, int), depth int) {
	visit(i, depth)
	for _, child := range i.Items {
		child.walk(visit, depth+1)
	}
}

// Instances returns the instances that the tree points to, in order, each as often as it does.
func (i *Item) Instances() []iod.Instance {
	var out []iod.Instance
	i.Walk(func(item *Item, _ int) {
		if (item.Type == Image || item.Type == Composite) && item.Target == nil {
			out = append(out, item.Ref.Instance)
		}
	})
	return out
}

// Round returns v with the given number of decimals, which is how a number is written: digits that the measurement
// does not support are no information.
func Round(v float64, decimals int) float64 {
	r, err := strconv.ParseFloat(strconv.FormatFloat(v, 'f', decimals, 64), 64)
	if err != nil || math.IsInf(v, 0) {
		return v
	}
	return r + 0 // no negative zero
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
