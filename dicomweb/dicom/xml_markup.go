package dicom

import (
	"bufio"
	"errors"
	"io"
	"strings"

	"golang.org/x/text/encoding/charmap"
)

var (
	errEncoding = errors.New("an encoding other than UTF-8 and ISO-8859-1")
	errDTD      = errors.New("a document type definition")
	errMarkup   = errors.New("a start tag of more than 64 KiB")
)

// xmlEncoding decodes the encodings other than UTF-8 in which DICOM programs write XML.
func xmlEncoding(name string, r io.Reader) (io.Reader, error) {
	switch strings.ToLower(name) {
	case "iso-8859-1", "us-ascii":
		return charmap.ISO8859_1.NewDecoder().Reader(r), nil
	}
	return nil, errEncoding
}

// markupReader bounds what encoding/xml takes into memory at once: it holds all attributes of a start tag before they
// can be looked at, in many times the bytes that they were written in. Comments and character data cost what they are
// long, and document type definitions, whose entities could cost anything, are refused.
type markupReader struct {
	buf   *bufio.Reader
	left  int64 // bytes that may still come; negative once there were more
	where byte  // 0 in text; '<', '!', 'd', 't', '\'' and '"' in markup; '-', '[' and '?' in what ends with end
	end   string
	tail  [3]byte // the bytes read last
	tag   int     // bytes of the start tag so far
	err   error   // of buf, but for its end
}

const maxMarkup = 64 << 10

// ReadByte returns the next byte; encoding/xml reads by it.
func (m *markupReader) ReadByte() (byte, error) {
	if m.left--; m.left < 0 {
		return 0, io.ErrUnexpectedEOF
	}
	c, err := m.buf.ReadByte()
	if err != nil {
		if err != io.EOF {
			m.err = err
		}
		return 0, err
	}
	m.tail = [3]byte{m.tail[1], m.tail[2], c}
	return c, m.follow(c)
}

// follow keeps track of where in the markup c stands.
func (m *markupReader) follow(c byte) error {
	switch m.where {
	case 0:
		if c == '<' {
			m.where = c
		}
	case '<':
		switch c {
		case '!':
			m.where = c
		case '?':
			m.where, m.end = c, "?>"
		default:
			m.where, m.tag = 't', 1
		}
	case '!':
		switch c {
		case '-':
			m.where = 'd'
		case '[':
			m.where, m.end = c, "]]>"
		default:
			return errDTD
		}
	case 'd': // the second dash of <!--, which is no part of the end: <!--> goes on
		m.where, m.end, m.tail = '-', "-->", [3]byte{}
	case '-', '[', '?':
		if strings.HasSuffix(string(m.tail[:]), m.end) {
			m.where = 0
		}
	default:
		if m.tag++; m.tag > maxMarkup {
			return errMarkup
		}
		switch {
		case m.where == 't' && c == '>':
			m.where = 0
		case m.where == 't' && (c == '"' || c == '\''):
			m.where = c
		case c == m.where: // the quote that ends
			m.where = 't'
		}
	}
	return nil
}

// Read reads one byte: what decodes the document must not read ahead of what is counted.
func (m *markupReader) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	c, err := m.ReadByte()
	if err != nil {
		return 0, err
	}
	b[0] = c
	return 1, nil
}
