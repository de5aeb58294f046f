package dicom

import (
	"encoding/xml"
	"slices"
	"strconv"
	"strings"

	"mome/dicomweb/dicom/tag"
)

// member reads what stands in an attribute: one of its values, or all.
func (p *xmlParser) member(a *attribute, start xml.StartElement, depth int) (err error) {
	name := start.Name.Local
	if name == "BulkData" || name == "InlineBinary" {
		a.members++
		if name == "InlineBinary" {
			s, err := p.text(a.tag)
			a.inline = strings.Join(strings.Fields(s), "")
			return err
		}
		if a.uri = attributeOf(start, "uri"); a.uri == "" {
			return p.bad(a.tag, "BulkData without a uri")
		}
		_, more, err := p.child(a.tag)
		if err == nil && more {
			err = p.bad(a.tag, notTheStructure)
		}
		return err
	}
	if len(a.values) == 0 {
		a.members++
	}
	if err := p.upTo(a, start); err != nil {
		return err
	}
	v := attributeValue{kind: 'o'}
	switch {
	case name == "Value" && a.vr != SQ && a.vr != PN:
		v.kind = 's'
		if v.text, err = p.text(a.tag); a.vr != LT && a.vr != ST && a.vr != UT {
			v.text = strings.TrimSpace(v.text)
		}
		if v.text == "" {
			v.kind = 'n'
		}
	case name == "Item" && a.vr == SQ:
		if err := p.item(a.tag); err != nil {
			return err
		}
		v.item, err = p.dataset(a.tag, depth+1)
	case name == "PersonName" && a.vr == PN:
		err = p.name(a.tag, &v.name)
	default:
		return p.bad(a.tag, "a value that does not suit its VR")
	}
	a.values = append(a.values, v)
	return err
}

// upTo makes room for the value that comes: numbers that are left out are empty values.
func (p *xmlParser) upTo(a *attribute, start xml.StartElement) error {
	n, err := strconv.ParseInt(attributeOf(start, "number"), 10, 32)
	if err != nil || int(n) <= len(a.values) {
		return p.bad(a.tag, "the numbers of its values do not ascend from 1")
	}
	if err := p.hold(valueCost*(n-int64(len(a.values))), a.tag); err != nil {
		return err
	}
	for len(a.values) < int(n)-1 {
		a.values = append(a.values, attributeValue{kind: 'n'})
	}
	return nil
}

func attributeOf(start xml.StartElement, name string) string {
	for _, m := range start.Attr {
		if m.Name.Local == name {
			return m.Value
		}
	}
	return ""
}

// name reads the component groups of a person's name.
func (p *xmlParser) name(t tag.Tag, n *PersonName) error {
	for {
		start, more, err := p.child(t)
		if err != nil || !more {
			return err
		}
		var group *string
		switch start.Name.Local {
		case "Alphabetic":
			group = &n.Alphabetic
		case "Ideographic":
			group = &n.Ideographic
		case "Phonetic":
			group = &n.Phonetic
		default:
			return p.bad(t, notTheStructure)
		}
		if *group, err = p.components(t); err != nil {
			return err
		}
	}
}

// components reads one component group.
func (p *xmlParser) components(t tag.Tag) (string, error) {
	var c [len(nameComponents)]string
	for {
		start, more, err := p.child(t)
		if err != nil {
			return "", err
		}
		if !more {
			return strings.TrimRight(strings.Join(c[:], "^"), "^"), nil
		}
		i := slices.Index(nameComponents[:], start.Name.Local)
		if i < 0 {
			return "", p.bad(t, notTheStructure)
		}
		if c[i], err = p.text(t); err != nil {
			return "", err
		}
		if c[i] = strings.TrimSpace(c[i]); strings.ContainsAny(c[i], `=\`) || i < len(c)-1 && strings.Contains(c[i], "^") {
			return "", p.bad(t, "a component of a name with a delimiter")
		}
	}
}
