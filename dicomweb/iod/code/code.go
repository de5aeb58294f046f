// Package code holds coded concepts (PS3.3 section 8) and the table of those that this node writes: standard codes
// of PS3.16 with their Context Group, and the local scheme 99BRMOME for what has no standard code. A concept is its
// value and scheme; the meaning is for people and never decides anything.
package code

import (
	"fmt"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
)

// Code is a coded concept: the triplet of PS3.3 table 8.8-1a.
type Code struct{ Value, Scheme, Meaning string }

// Is reports whether c and o are the same concept, whatever their meanings say.
func (c Code) Is(o Code) bool { return c.Value == o.Value && c.Scheme == o.Scheme }

// Zero reports whether c names no concept.
func (c Code) Zero() bool { return c.Value == "" }

// String returns the notation of PS3.16: (125007, DCM, "Measurement Group").
func (c Code) String() string { return fmt.Sprintf("(%s, %s, %q)", c.Value, c.Scheme, c.Meaning) }

// Item returns c as an item of a code sequence. A value of more than 16 characters goes into Long Code Value, PS3.3
// section 8.1.
func (c Code) Item() *dicom.Dataset {
	d := dicom.New()
	if len(c.Value) <= 16 {
		d.Set(tag.CodeValue, c.Value)
	} else {
		d.Set(tag.LongCodeValue, c.Value)
	}
	d.Set(tag.CodingSchemeDesignator, c.Scheme)
	d.Set(tag.CodeMeaning, c.Meaning)
	return d
}

// Read returns the concept of a code sequence's item; nil gives the zero Code. A URN code value has no scheme.
func Read(item *dicom.Dataset) Code {
	c := Code{
		Value:   item.String(tag.CodeValue),
		Scheme:  item.String(tag.CodingSchemeDesignator),
		Meaning: item.String(tag.CodeMeaning),
	}
	if c.Value == "" {
		c.Value = item.String(tag.LongCodeValue)
	}
	if c.Value == "" {
		c.Value = item.String(tag.URNCodeValue)
	}
	return c
}

// Items returns the items of a code sequence for codes.
func Items(codes ...Code) []*dicom.Dataset {
	items := make([]*dicom.Dataset, len(codes))
	for i, c := range codes {
		items[i] = c.Item()
	}
	return items
}

// ReadAll returns the concepts of a code sequence.
func ReadAll(d *dicom.Dataset, sequence tag.Tag) []Code {
	var codes []Code
	for _, item := range d.Items(sequence) {
		codes = append(codes, Read(item))
	}
	return codes
}
