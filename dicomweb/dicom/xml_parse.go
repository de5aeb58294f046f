package dicom

import (
	"bufio"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"mome/dicomweb/dicom/tag"
)

// ParseXML reads a document of the Native DICOM Model (PS3.19 section A.1). The data set comes back in little endian
// and UTF-8, with Specific Character Set ISO_IR 192 where it names one or needs it. An element whose value is elsewhere
// has its BulkDataURI. Private attributes come into the block of their creator, which is added where it is not there.
// Limits bounds the bytes read and the memory that they take (HeaderBytes each), Elements, Items and Depth. Document
// type definitions and encodings other than UTF-8 and ISO-8859-1 are refused. The error never holds a value.
func ParseXML(r io.Reader, lim Limits) (*Dataset, error) {
	lim = lim.withDefaults()
	in := &markupReader{buf: bufio.NewReader(r), left: lim.HeaderBytes + 1}
	if mark, err := in.buf.Peek(len(byteOrderMark)); err == nil && string(mark) == byteOrderMark {
		in.buf.Discard(len(byteOrderMark)) // they were peeked at: no error
	}
	dec := xml.NewDecoder(in)
	dec.CharsetReader = xmlEncoding
	p := &xmlParser{budget: budget{lim: lim, model: "Native DICOM Model", offset: dec.InputOffset}, dec: dec, in: in}
	d, err := p.document()
	if in.left < 0 && in.err == nil {
		return nil, &FormatError{Offset: dec.InputOffset(), Reason: ReasonHeaderBytes}
	}
	if err != nil {
		return nil, err
	}
	nameUTF8(d)
	return d, nil
}

const byteOrderMark = "\uFEFF" // some writers of UTF-8 begin with it

type xmlParser struct {
	budget
	dec *xml.Decoder
	in  *markupReader
}

// token returns the next start or end tag or text; what a parser may skip is skipped. Errors of the document become
// a FormatError, without the text that encoding/xml quotes.
func (p *xmlParser) token(t tag.Tag) (xml.Token, error) {
	for {
		tok, err := p.dec.Token()
		switch {
		case p.in.err != nil:
			return nil, fmt.Errorf("read %s: %w", p.model, p.in.err)
		case err != nil:
			for _, known := range []error{errEncoding, errMarkup, errDTD} {
				if errors.Is(err, known) {
					return nil, p.bad(t, known.Error())
				}
			}
			return nil, p.bad(t, "not well-formed")
		}
		switch tok.(type) {
		case xml.Comment, xml.ProcInst:
		default:
			return tok, nil
		}
	}
}

const notTheStructure = "not the structure of PS3.19 section A.1"

// child returns the next start tag within an element that holds elements only; ok is false at its end.
func (p *xmlParser) child(t tag.Tag) (start xml.StartElement, ok bool, err error) {
	for {
		tok, err := p.token(t)
		if err != nil {
			return start, false, err
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			return tok, true, nil
		case xml.EndElement:
			return start, false, nil
		case xml.CharData:
			if strings.TrimSpace(string(tok)) != "" {
				return start, false, p.bad(t, notTheStructure)
			}
		}
	}
}

// text returns the character data of an element that holds nothing else, up to its end.
func (p *xmlParser) text(t tag.Tag) (string, error) {
	var s strings.Builder
	for {
		tok, err := p.token(t)
		if err != nil {
			return "", err
		}
		switch tok := tok.(type) {
		case xml.EndElement:
			return s.String(), nil
		case xml.CharData:
			s.Write(tok) // several around comments
		default:
			return "", p.bad(t, notTheStructure)
		}
	}
}

func (p *xmlParser) document() (*Dataset, error) {
	root, ok, err := p.child(0)
	if err != nil {
		return nil, err
	}
	if !ok || root.Name.Local != "NativeDicomModel" {
		return nil, p.bad(0, "the root is no NativeDicomModel")
	}
	d, err := p.dataset(0, 0)
	if err != nil {
		return nil, err
	}
	for {
		tok, err := p.dec.Token()
		if err == io.EOF && p.in.err == nil {
			return d, nil
		}
		if space, blank := tok.(xml.CharData); blank && strings.TrimSpace(string(space)) == "" {
			continue
		}
		if _, comment := tok.(xml.Comment); !comment {
			return nil, p.bad(0, "more behind the end")
		}
	}
}

// dataset reads attributes up to the end of the element that holds them.
func (p *xmlParser) dataset(t tag.Tag, depth int) (*Dataset, error) {
	if err := p.nested(t, depth); err != nil {
		return nil, err
	}
	d := New()
	var private []privateAttribute
	for {
		start, more, err := p.child(t)
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
		if start.Name.Local != "DicomAttribute" {
			return nil, p.bad(t, notTheStructure)
		}
		creator, err := p.attribute(d, start, depth)
		if err != nil {
			return nil, err
		}
		if last := len(d.elements) - 1; creator != "" {
			private = append(private, privateAttribute{d.elements[last], creator})
			d.elements = d.elements[:last]
		}
	}
	if err := p.sort(d); err != nil {
		return nil, err
	}
	if err := p.place(d, private); err != nil {
		return nil, err
	}
	return d, nil
}

// attribute reads one attribute and adds it to d, unsorted. It returns the private creator.
func (p *xmlParser) attribute(d *Dataset, start xml.StartElement, depth int) (creator string, err error) {
	var a attribute
	named := false
	for _, m := range start.Attr {
		switch m.Name.Local {
		case "tag":
			n, err := strconv.ParseUint(m.Value, 16, 32)
			if err != nil || len(m.Value) != 8 {
				return "", p.bad(0, "a tag that is none")
			}
			a.tag, named = tag.Tag(n), true
		case "vr":
			ok := false
			if len(m.Value) == 2 {
				a.vr, ok = parseVR(m.Value[0], m.Value[1])
			}
			if !ok {
				return "", p.bad(a.tag, "no such value representation")
			}
		case "privateCreator":
			creator = strings.Trim(m.Value, " \x00")
		}
	}
	switch {
	case !named:
		return "", p.bad(0, "an attribute without its tag")
	case creator != "" && (!a.tag.Private() || !sayable(creator)):
		return "", p.bad(a.tag, "a private creator where none belongs")
	}
	if a.vr == "" { // it is optional; that of a private attribute is not known
		a.vr, _ = implicitVR(a.tag)
		if creator != "" {
			a.vr = UN
		}
	}
	if err := p.element(a.tag); err != nil {
		return "", err
	}
	for {
		member, more, err := p.child(a.tag)
		if err != nil {
			return "", err
		}
		if !more {
			return creator, p.add(d, &a)
		}
		if err := p.member(&a, member, depth); err != nil {
			return "", err
		}
	}
}
