package dicom

import (
	"encoding/base64"
	"strconv"
	"strings"
	"unicode/utf8"

	"mome/dicomweb/dicom/tag"
)

// AppendXML appends the data set as a document of the Native DICOM Model (PS3.19 section A.1), reading values that
// were left in the file where they are to be inline.
func (f *File) AppendXML(dst []byte, opt JSONOptions) ([]byte, error) {
	x := xmlWriter{modelWriter{opt: opt, file: f}}
	return x.document(dst, f.Dataset)
}

// AppendXML appends d as a document of the Native DICOM Model (PS3.19 section A.1) in UTF-8, with the values that
// AppendJSON writes. Private attributes are named by their element within the block and their creator
// (PS3.19 table A.1.5-2); the creators stand there as well, so that reading gives every block its number back.
// Characters that XML 1.0 has no room for (form feed, escape, NUL) become U+FFFD.
//
// It is an error when a value was left in a file and has no BulkDataURI: File.AppendXML reads those.
func AppendXML(dst []byte, d *Dataset, opt JSONOptions) ([]byte, error) {
	x := xmlWriter{modelWriter{opt: opt}}
	return x.document(dst, d)
}

// xmlNamespace is that of PS3.19 section A.1.6.
const xmlNamespace = "http://dicom.nema.org/PS3.19/models/NativeDICOM"

type xmlWriter struct{ modelWriter }

func (x *xmlWriter) document(dst []byte, d *Dataset) ([]byte, error) {
	dst = append(dst, `<?xml version="1.0" encoding="UTF-8"?>`+"\n"+`<NativeDicomModel xmlns="`+xmlNamespace+`" xml:space="preserve">`...)
	dst, err := x.dataset(dst, d)
	if err != nil {
		return nil, err
	}
	return append(dst, "</NativeDicomModel>\n"...), nil
}

func (x *xmlWriter) dataset(dst []byte, d *Dataset) ([]byte, error) {
	base := len(x.path)
	for e := range d.All() {
		if !listed(e) {
			continue
		}
		x.path = appendHex(x.path[:base], e.Tag)
		dst = appendAttributeStart(dst, d, e)
		before := len(dst)
		var err error
		if dst, err = x.value(dst, d, e); err != nil {
			return nil, err
		}
		if len(dst) == before {
			dst = append(dst[:before-1], "/>"...)
		} else {
			dst = append(dst, "</DicomAttribute>"...)
		}
	}
	x.path = x.path[:base]
	return dst, nil
}

// appendAttributeStart appends the start tag of an attribute.
func appendAttributeStart(dst []byte, d *Dataset, e *Element) []byte {
	named, creator := e.Tag, ""
	if e.Tag.Private() && e.Tag.Element() > 0xFF {
		named, creator = d.nameInBlock(e.Tag)
	}
	dst = append(appendHex(append(dst, `<DicomAttribute tag="`...), named), `" vr="`...)
	dst = append(append(dst, e.VR...), '"')
	if k := e.Tag.Keyword(); k != "" {
		dst = append(append(append(dst, ` keyword="`...), k...), '"')
	}
	if creator != "" {
		dst = append(appendXMLText(append(dst, ` privateCreator="`...), creator), '"')
	}
	return append(dst, '>')
}

// nameInBlock returns how PS3.19 names a private attribute: gggg00ee and the creator of its block. Where creator has
// reserved several blocks, that would say nothing of which: those behind the first keep their number.
func (d *Dataset) nameInBlock(t tag.Tag) (named tag.Tag, creator string) {
	block := tag.New(t.Group(), t.Element()>>8)
	if creator = d.String(block); !sayable(creator) {
		return t, ""
	}
	first, _ := d.find(tag.New(t.Group(), 0x10))
	for _, r := range d.elements[first:] {
		if r.Tag == block {
			return tag.New(t.Group(), t.Element()&0xFF), creator
		}
		if d.reservedBy(r, creator) {
			break
		}
	}
	return t, creator
}

// value appends what stands between the tags of e; nothing for an empty attribute.
func (x *xmlWriter) value(dst []byte, d *Dataset, e *Element) ([]byte, error) {
	if e.VR == SQ {
		return x.items(dst, e)
	}
	if e.empty() {
		return dst, nil
	}
	if uri := x.bulkDataURI(e); uri != "" {
		return append(appendXMLText(append(dst, `<BulkData uri="`...), uri), `"/>`...), nil
	}
	e, err := x.load(e)
	if err != nil {
		return nil, err
	}
	if e.VR.Opaque() {
		dst = base64.StdEncoding.AppendEncode(append(dst, "<InlineBinary>"...), littleEndian(e, d.byteOrder()))
		return append(dst, "</InlineBinary>"...), nil
	}
	switch e.VR {
	case AT, US, SS, UL, SL, UV, SV, FL, FD:
		size, o := numberSize(e.VR), d.byteOrder()
		for i, v := 1, e.Value; len(v) >= size; i, v = i+1, v[size:] {
			dst = appendNumber(appendNumbered(dst, "Value", i), e.VR, v, o)
			dst = append(dst, "</Value>"...)
		}
		return dst, nil
	case PN:
		return appendXMLValues(dst, "PersonName", d.ElementStrings(e), appendXMLName), nil
	}
	values := d.ElementStrings(e)
	if e.Tag == tag.SpecificCharacterSet {
		values = []string{"ISO_IR 192"}
	}
	return appendXMLValues(dst, "Value", values, appendXMLText), nil
}

func (x *xmlWriter) items(dst []byte, e *Element) ([]byte, error) {
	base := len(x.path)
	for i, item := range e.Items {
		x.path = append(strconv.AppendInt(append(x.path[:base], '/'), int64(i), 10), '/')
		var err error
		if dst, err = x.dataset(appendNumbered(dst, "Item", i+1), item); err != nil {
			return nil, err
		}
		dst = append(dst, "</Item>"...)
	}
	x.path = x.path[:base]
	return dst, nil
}

// appendNumbered appends the start tag of the i-th value.
func appendNumbered(dst []byte, name string, i int) []byte {
	dst = append(append(append(dst, '<'), name...), ` number="`...)
	return append(strconv.AppendInt(dst, int64(i), 10), `">`...)
}

func appendXMLValues(dst []byte, name string, values []string, one func([]byte, string) []byte) []byte {
	if len(values) == 1 && values[0] == "" {
		return dst
	}
	for i, v := range values {
		dst = one(appendNumbered(dst, name, i+1), v)
		dst = append(append(append(dst, "</"...), name...), '>')
	}
	return dst
}

// nameComponents are the components of a component group, in order (PS3.5 section 6.2.1).
var nameComponents = [...]string{"FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix"}

// appendXMLName appends a person's name, its components apart. A name with more than five keeps the others in the last.
func appendXMLName(dst []byte, s string) []byte {
	n := ParsePN(s)
	for _, g := range [...]struct{ name, text string }{
		{"Alphabetic", n.Alphabetic}, {"Ideographic", n.Ideographic}, {"Phonetic", n.Phonetic},
	} {
		if g.text == "" {
			continue
		}
		dst = append(append(append(dst, '<'), g.name...), '>')
		for i, c := range strings.SplitN(g.text, "^", len(nameComponents)) {
			if c == "" {
				continue
			}
			dst = append(append(append(dst, '<'), nameComponents[i]...), '>')
			dst = appendXMLText(dst, c)
			dst = append(append(append(dst, "</"...), nameComponents[i]...), '>')
		}
		dst = append(append(append(dst, "</"...), g.name...), '>')
	}
	return dst
}

// appendXMLText appends s as character data or as the value of an attribute in double quotes. A carriage return is
// escaped, for readers make a line feed of it. What XML 1.0 section 2.2 does not allow becomes U+FFFD.
func appendXMLText(dst []byte, s string) []byte {
	for _, r := range s { // invalid UTF-8 gives U+FFFD
		switch {
		case r == '&':
			dst = append(dst, "&amp;"...)
		case r == '<':
			dst = append(dst, "&lt;"...)
		case r == '>':
			dst = append(dst, "&gt;"...)
		case r == '"':
			dst = append(dst, "&#34;"...)
		case r == '\r':
			dst = append(dst, "&#13;"...)
		case r < ' ' && r != '\t' && r != '\n', r == 0xFFFE, r == 0xFFFF:
			dst = utf8.AppendRune(dst, utf8.RuneError)
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return dst
}
