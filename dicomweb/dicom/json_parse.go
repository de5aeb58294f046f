package dicom

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"mome/dicomweb/dicom/tag"
)

// ParseJSON reads data sets in the DICOM JSON Model (PS3.18 annex F): an array of objects, or one object. They come
// back in little endian and UTF-8, with Specific Character Set ISO_IR 192 where they name one or need it. An element
// whose value is elsewhere has its BulkDataURI. Limits bounds the bytes read and the memory that they
// take (HeaderBytes each), Elements, Items and Depth of all data sets together. The error never holds a value.
func ParseJSON(r io.Reader, lim Limits) ([]*Dataset, error) {
	lim = lim.withDefaults()
	limited := &io.LimitedReader{R: r, N: lim.HeaderBytes + 1}
	dec := json.NewDecoder(limited)
	dec.UseNumber()
	p := &jsonParser{budget: budget{lim: lim, model: "DICOM JSON", offset: dec.InputOffset}, dec: dec}
	all, err := p.all()
	if limited.N <= 0 {
		return nil, &FormatError{Offset: p.dec.InputOffset(), Reason: ReasonHeaderBytes}
	}
	if err != nil {
		return nil, err
	}
	if _, err := p.dec.Token(); !errors.Is(err, io.EOF) {
		return nil, p.bad(0, "more behind the end")
	}
	for _, d := range all {
		nameUTF8(d)
	}
	return all, nil
}

type jsonParser struct {
	budget
	dec *json.Decoder
}

// token returns the next token; syntax errors become a FormatError, without the text that encoding/json quotes.
func (p *jsonParser) token(t tag.Tag) (json.Token, error) {
	tok, err := p.dec.Token()
	if err == nil {
		return tok, nil
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, p.bad(t, "not well-formed")
	}
	return nil, fmt.Errorf("read DICOM JSON: %w", err)
}

// open consumes the delimiter that must come next.
func (p *jsonParser) open(t tag.Tag, want json.Delim) error {
	tok, err := p.token(t)
	if err == nil && tok != want {
		err = p.bad(t, "not the structure of PS3.18 annex F")
	}
	return err
}

func (p *jsonParser) all() ([]*Dataset, error) {
	tok, err := p.token(0)
	if err != nil {
		return nil, err
	}
	switch tok {
	case json.Delim('{'):
		d, err := p.dataset(0, 0)
		return []*Dataset{d}, err
	case json.Delim('['):
	default:
		return nil, p.bad(0, "neither an array nor an object")
	}
	var all []*Dataset
	for p.dec.More() {
		if err := p.open(0, '{'); err != nil {
			return nil, err
		}
		if err := p.item(0); err != nil {
			return nil, err
		}
		d, err := p.dataset(0, 0)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, p.open(0, ']')
}

// dataset reads attributes up to the closing brace; the opening one was read.
func (p *jsonParser) dataset(t tag.Tag, depth int) (*Dataset, error) {
	if err := p.nested(t, depth); err != nil {
		return nil, err
	}
	d := New()
	for p.dec.More() {
		key, err := p.token(t)
		if err != nil {
			return nil, err
		}
		if err := p.attribute(d, key.(string), depth); err != nil {
			return nil, err
		}
	}
	if err := p.open(t, '}'); err != nil {
		return nil, err
	}
	return d, p.sort(d)
}

// attribute reads one attribute and adds it to d, unsorted.
func (p *jsonParser) attribute(d *Dataset, key string, depth int) error {
	n, err := strconv.ParseUint(key, 16, 32)
	if err != nil || len(key) != 8 {
		return p.bad(0, "a key that is no tag")
	}
	t := tag.Tag(n)
	if err := p.element(t); err != nil {
		return err
	}
	if err := p.open(t, '{'); err != nil {
		return err
	}
	a := attribute{tag: t}
	for p.dec.More() {
		key, err := p.token(t)
		if err != nil {
			return err
		}
		if err := p.member(&a, key.(string), depth); err != nil {
			return err
		}
	}
	if err := p.open(t, '}'); err != nil {
		return err
	}
	return p.add(d, &a)
}

func (p *jsonParser) member(a *attribute, key string, depth int) (err error) {
	switch key {
	case "vr":
		s, err := p.text(a.tag)
		if err != nil {
			return err
		}
		var ok bool
		if len(s) == 2 {
			a.vr, ok = parseVR(s[0], s[1])
		}
		if !ok {
			return p.bad(a.tag, "no such value representation")
		}
		return nil
	case "InlineBinary":
		a.members++
		a.inline, err = p.text(a.tag)
		return err
	case "BulkDataURI":
		a.members++
		a.uri, err = p.text(a.tag)
		return err
	case "Value":
		a.members++
		return p.values(a, depth)
	}
	return p.bad(a.tag, "an unknown member")
}

func (p *jsonParser) text(t tag.Tag) (string, error) {
	tok, err := p.token(t)
	if err != nil {
		return "", err
	}
	s, ok := tok.(string)
	if !ok {
		return "", p.bad(t, "not a string")
	}
	return s, nil
}

func (p *jsonParser) values(a *attribute, depth int) error {
	if err := p.open(a.tag, '['); err != nil {
		return err
	}
	for p.dec.More() {
		if err := p.hold(valueCost, a.tag); err != nil {
			return err
		}
		tok, err := p.token(a.tag)
		if err != nil {
			return err
		}
		v := attributeValue{}
		switch tok := tok.(type) {
		case nil:
			v.kind = 'n'
		case string:
			v.kind, v.text = 's', tok
		case json.Number:
			v.kind, v.text = '#', tok.String()
		case json.Delim:
			if tok != '{' {
				return p.bad(a.tag, "an array inside Value")
			}
			v.kind = 'o'
			if err := p.item(a.tag); err != nil {
				return err
			}
			if err := p.object(a, &v, depth); err != nil {
				return err
			}
		default:
			return p.bad(a.tag, "a boolean inside Value")
		}
		a.values = append(a.values, v)
	}
	return p.open(a.tag, ']')
}

// object reads an item or a person's name; which it is shows in its first key, since "vr" may come later.
func (p *jsonParser) object(a *attribute, v *attributeValue, depth int) (err error) {
	if a.vr == SQ {
		v.item, err = p.dataset(a.tag, depth+1)
		return err
	}
	if !p.dec.More() {
		v.item = New()
		return p.open(a.tag, '}')
	}
	for p.dec.More() {
		key, err := p.token(a.tag)
		if err != nil {
			return err
		}
		var group *string
		switch key {
		case "Alphabetic":
			group = &v.name.Alphabetic
		case "Ideographic":
			group = &v.name.Ideographic
		case "Phonetic":
			group = &v.name.Phonetic
		default:
			if v.name != (PersonName{}) {
				return p.bad(a.tag, "neither an item nor a name")
			}
			return p.late(a, v, key.(string), depth)
		}
		if *group, err = p.text(a.tag); err != nil {
			return err
		}
		if strings.Contains(*group, "=") {
			return p.bad(a.tag, "a component group with a delimiter")
		}
	}
	return p.open(a.tag, '}')
}

// late reads an item whose first key was read already.
func (p *jsonParser) late(a *attribute, v *attributeValue, key string, depth int) error {
	if err := p.nested(a.tag, depth+1); err != nil {
		return err
	}
	first := New()
	if err := p.attribute(first, key, depth+1); err != nil {
		return err
	}
	d, err := p.dataset(a.tag, depth+1)
	if err != nil {
		return err
	}
	if d.Has(first.elements[0].Tag) {
		return p.bad(first.elements[0].Tag, "the attribute occurs twice")
	}
	d.Put(first.elements[0])
	v.item = d
	return nil
}
