package dicom

import (
	"bytes"
	"encoding/binary"
	"iter"
	"slices"
	"strconv"
	"strings"

	"mome/dicomweb/dicom/tag"
)

// VR is a value representation, PS3.5 section 6.2: two upper-case letters.
type VR string

// Value representations.
const (
	AE VR = "AE"
	AS VR = "AS"
	AT VR = "AT"
	CS VR = "CS"
	DA VR = "DA"
	DS VR = "DS"
	DT VR = "DT"
	FD VR = "FD"
	FL VR = "FL"
	IS VR = "IS"
	LO VR = "LO"
	LT VR = "LT"
	OB VR = "OB"
	OD VR = "OD"
	OF VR = "OF"
	OL VR = "OL"
	OV VR = "OV"
	OW VR = "OW"
	PN VR = "PN"
	SH VR = "SH"
	SL VR = "SL"
	SQ VR = "SQ"
	SS VR = "SS"
	ST VR = "ST"
	SV VR = "SV"
	TM VR = "TM"
	UC VR = "UC"
	UI VR = "UI"
	UL VR = "UL"
	UN VR = "UN"
	UR VR = "UR"
	US VR = "US"
	UT VR = "UT"
	UV VR = "UV"
)

// Span is a stretch of a file: Offset and Length in bytes from the start of File.Body.
type Span struct{ Offset, Length int64 }

// Element is one Data Element. Its value is held as it was sent (bytes in the data set's byte order and character
// set) or, where it is long, left in the file at Span with Value nil.
type Element struct {
	Tag   tag.Tag
	VR    VR
	Value []byte     // nil for a sequence, an empty value, or one that was left in the file
	Items []*Dataset // of a sequence, in order
	Span  Span       // where the value lies; zero for an element that was built in memory
	// Fragments are the items of encapsulated Pixel Data (PS3.5 annex A.4), the Basic Offset Table first, which may
	// be empty or wrong; nil for a native value.
	Fragments []Span
	// BulkDataURI is where the value can be had, of an element that came without it in DICOM JSON.
	BulkDataURI string
}

// Deferred reports whether the value was left in the file.
func (e *Element) Deferred() bool { return e.Value == nil && e.Items == nil && e.Span.Length > 0 }

// Dataset is a Data Set: elements in ascending order of tag, the byte order and character set that their values
// are in. It is not safe for concurrent change; concurrent reading is fine.
type Dataset struct {
	elements []*Element
	order    binary.ByteOrder // nil means little endian
	charset  []string         // inherited Specific Character Set, where this data set has none of its own
	offset   string           // inherited Timezone Offset From UTC
}

// New returns an empty little-endian data set.
func New() *Dataset { return &Dataset{} }

// Len returns the number of elements at the top level.
func (d *Dataset) Len() int { return len(d.elements) }

// All yields the elements in ascending order of tag.
func (d *Dataset) All() iter.Seq[*Element] { return slices.Values(d.elements) }

// Get returns the element with tag t, or nil. A nil data set has no elements.
func (d *Dataset) Get(t tag.Tag) *Element {
	if d == nil {
		return nil
	}
	i, ok := d.find(t)
	if !ok {
		return nil
	}
	return d.elements[i]
}

// Has reports whether the attribute is present, with a value or without.
func (d *Dataset) Has(t tag.Tag) bool { return d.Get(t) != nil }

// Private returns the element at byte elem of the block that creator reserved in group (PS3.5 section 7.8.1), or nil.
// Where creator reserved several blocks, the first that holds the element tells. The reservations of a group stand
// together in the order of tags: one search finds the first, and most groups that are asked for are not there at all.
func (d *Dataset) Private(creator string, group uint16, elem byte) *Element {
	if d == nil {
		return nil
	}
	first, _ := d.find(tag.New(group, 0x10))
	for _, r := range d.elements[first:] {
		if r.Tag > tag.New(group, 0xFF) {
			return nil
		}
		if d.reservedBy(r, creator) {
			if e := d.Get(tag.New(group, r.Tag.Element()<<8|uint16(elem))); e != nil {
				return e
			}
		}
	}
	return nil
}

// reservedBy reports whether a private creator's first value is creator. It decodes only what is not plain ASCII.
func (d *Dataset) reservedBy(e *Element, creator string) bool {
	if e.VR == LO && !bytes.ContainsFunc(e.Value, func(r rune) bool { return r == '\\' || r < ' ' && r != 0 || r >= 0x7F }) {
		return string(bytes.Trim(e.Value, " \x00")) == creator // does not allocate
	}
	v := d.ElementStrings(e)
	return len(v) > 0 && v[0] == creator
}

// Find returns the element that a path names: "00540016/0/00181074" is the tag (0018,1074) in the first item of
// (0054,0016). It returns nil when there is none. The data set that holds it comes along, for its byte order and
// character set.
func (d *Dataset) Find(path string) (in *Dataset, e *Element) {
	for {
		name, rest, nested := strings.Cut(path, "/")
		t, err := strconv.ParseUint(name, 16, 32)
		if err != nil || len(name) != 8 {
			return nil, nil
		}
		if e = d.Get(tag.Tag(t)); e == nil || !nested {
			return d, e
		}
		number, rest, nested := strings.Cut(rest, "/")
		i, err := strconv.Atoi(number)
		if err != nil || !nested || i < 0 || i >= len(e.Items) {
			return nil, nil
		}
		d, path = e.Items[i], rest
	}
}

// Put adds e, replacing an element of the same tag.
func (d *Dataset) Put(e *Element) {
	n := len(d.elements)
	if n == 0 || d.elements[n-1].Tag < e.Tag { // as they come
		if d.elements == nil {
			d.elements = make([]*Element, 0, 16)
		}
		d.elements = append(d.elements, e)
		return
	}
	i, ok := d.find(e.Tag)
	if ok {
		d.elements[i] = e
		return
	}
	d.elements = slices.Insert(d.elements, i, e)
}

// Delete removes the element with tag t, if any.
func (d *Dataset) Delete(t tag.Tag) {
	if i, ok := d.find(t); ok {
		d.elements = slices.Delete(d.elements, i, i+1)
	}
}

// Clone returns a data set with the same elements; the elements themselves are shared.
func (d *Dataset) Clone() *Dataset {
	c := *d
	c.elements = slices.Clone(d.elements)
	return &c
}

func (d *Dataset) find(t tag.Tag) (int, bool) {
	return slices.BinarySearchFunc(d.elements, t, func(e *Element, t tag.Tag) int {
		switch {
		case e.Tag < t:
			return -1
		case e.Tag > t:
			return 1
		}
		return 0
	})
}

func (d *Dataset) byteOrder() binary.ByteOrder {
	if d.order == nil {
		return binary.LittleEndian
	}
	return d.order
}
