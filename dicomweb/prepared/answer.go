package prepared

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/flate"
)

// Answer puts the JSON array of prepared metadata together: a gzip file (RFC 1952) made of the pieces as they are, or
// plain text. Add is called for each instance, then Close. It is not safe for concurrent use.
type Answer struct {
	w       io.Writer
	base    string
	zipped  bool
	any     bool
	literal []byte // what is to come before the next piece
	crc     uint32
	length  uint32 // modulo 2^32, RFC 1952 section 2.3.1
	buf     []byte
	inflate io.ReadCloser
	err     error
}

// NewAnswer returns an answer to a request that reached the node at base. Zipped tells that the client takes gzip.
func NewAnswer(w io.Writer, base string, zipped bool) *Answer {
	a := &Answer{w: w, base: base, zipped: zipped, literal: []byte("[")}
	if zipped {
		a.write([]byte{0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF}) // no name, no time
	}
	return a
}

// Add appends an instance's metadata as Append encoded them.
func (a *Answer) Add(encoded []byte) error {
	a.separate()
	for first := true; len(encoded) > 0 && a.err == nil; first = false {
		if !first {
			a.literal = append(a.literal, a.base...)
		}
		var p piece
		if p, encoded, a.err = cut(encoded); a.err == nil {
			a.piece(p)
		}
	}
	return a.err
}

// AddText appends an instance's metadata that were not prepared: one JSON object.
func (a *Answer) AddText(json []byte) error {
	a.separate()
	a.literal = append(a.literal, json...)
	a.flush()
	return a.err
}

func (a *Answer) separate() {
	if a.any {
		a.literal = append(a.literal, ',')
	}
	a.any = true
}

// Close ends the answer.
func (a *Answer) Close() error {
	a.literal = append(a.literal, ']')
	a.flush()
	if a.zipped {
		end := []byte{1, 0, 0, 0xFF, 0xFF} // an empty stored block that is the last
		end = binary.LittleEndian.AppendUint32(end, a.crc)
		a.write(binary.LittleEndian.AppendUint32(end, a.length))
	}
	return a.err
}

// piece writes what comes before a piece, and the piece.
func (a *Answer) piece(p piece) {
	a.flush()
	switch {
	case a.err != nil:
	case a.zipped:
		a.crc = combine(a.crc, p.crc, p.length)
		a.length += uint32(p.length)
		a.write(p.body)
	default:
		a.plain(p)
	}
}

// flush writes the literal text that is due.
func (a *Answer) flush() {
	if a.zipped {
		a.crc = crc32.Update(a.crc, crc32.IEEETable, a.literal)
		a.length += uint32(len(a.literal))
		a.buf = appendStored(a.buf[:0], a.literal)
		a.write(a.buf)
	} else {
		a.write(a.literal)
	}
	a.literal = a.literal[:0]
}

// plain writes a piece as text. Its blocks have no last one: reading ends with its length.
func (a *Answer) plain(p piece) {
	if a.inflate == nil {
		a.inflate = flate.NewReader(bytes.NewReader(p.body))
	} else if a.err = a.inflate.(flate.Resetter).Reset(bytes.NewReader(p.body), nil); a.err != nil {
		return
	}
	if cap(a.buf) < p.length {
		a.buf = make([]byte, p.length)
	}
	text := a.buf[:p.length]
	if _, err := io.ReadFull(a.inflate, text); err != nil || crc32.ChecksumIEEE(text) != p.crc {
		a.err = errCorrupt
		return
	}
	a.write(text)
}

func (a *Answer) write(b []byte) {
	if a.err == nil && len(b) > 0 {
		_, a.err = a.w.Write(b)
	}
}
