// Package prepared makes the metadata of an instance (PS3.18 section 10.4.1.1.2) once, when it is stored, so that
// answers are put together without looking into them: DICOM JSON, compressed in pieces, with gaps where the address of
// the node goes, which only a request tells. It knows neither archive nor HTTP.
package prepared

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"sync"

	"github.com/klauspost/compress/flate"
)

// Largest is the length in bytes of the longest metadata that are prepared; longer ones, as of segmentations with
// thousands of frames, are made when they are asked for.
const Largest = 4 << 20

// short is the length up to which a piece is stored as it is: compression would not shorten it.
const short = 128

// Append encodes metadata that write gives, in pieces. Write appends DICOM JSON (dicom.AppendJSON) whose bulk data URIs
// begin with the base that it is given. The encoding of each piece is its length, the length of its compressed form and
// that form's CRC-32, 4 bytes each, little endian, then the form: DEFLATE blocks that end at a byte (RFC 1951 section
// 3.2.4) and refer to nothing before them. Between two pieces belongs the base. Metadata longer than Largest give nil.
func Append(dst []byte, write func(base string) ([]byte, error)) ([]byte, error) {
	gap := marker()
	text, err := write(gap)
	if err != nil || len(text) > Largest {
		return nil, err
	}
	z := deflaters.Get().(*deflater)
	defer deflaters.Put(z)
	for piece := range bytes.SplitSeq(text, []byte(gap)) {
		body, err := z.deflate(piece)
		if err != nil {
			return nil, err
		}
		dst = binary.LittleEndian.AppendUint32(dst, uint32(len(piece)))
		dst = binary.LittleEndian.AppendUint32(dst, uint32(len(body)))
		dst = binary.LittleEndian.AppendUint32(dst, crc32.ChecksumIEEE(piece))
		dst = append(dst, body...)
	}
	return dst, nil
}

// marker returns a text that no metadata hold, whoever made them.
func marker() string {
	var b [16]byte
	rand.Read(b[:]) // crypto/rand never fails
	return hex.EncodeToString(b[:])
}

// deflater keeps what a compressor needs, which is more than what it compresses.
type deflater struct {
	out bytes.Buffer
	w   *flate.Writer
}

var deflaters = sync.Pool{New: func() any {
	z := &deflater{}
	z.w, _ = flate.NewWriter(&z.out, flate.BestSpeed) // the level is valid
	return z
}}

// deflate returns piece as DEFLATE blocks, until the next call.
func (z *deflater) deflate(piece []byte) ([]byte, error) {
	z.out.Reset()
	if len(piece) <= short {
		return appendStored(z.out.AvailableBuffer(), piece), nil
	}
	z.w.Reset(&z.out)
	if _, err := z.w.Write(piece); err != nil {
		return nil, err
	}
	if err := z.w.Flush(); err != nil { // an empty stored block: what follows begins at a byte
		return nil, err
	}
	return z.out.Bytes(), nil
}

// longestStored is what one stored block holds.
const longestStored = 0xFFFF

// appendStored appends text as stored blocks, RFC 1951 section 3.2.4.
func appendStored(dst, text []byte) []byte {
	for len(text) > 0 {
		n := min(len(text), longestStored)
		dst = append(dst, 0)
		dst = binary.LittleEndian.AppendUint16(dst, uint16(n))
		dst = binary.LittleEndian.AppendUint16(dst, ^uint16(n))
		dst, text = append(dst, text[:n]...), text[n:]
	}
	return dst
}

var errCorrupt = errors.New("prepared: stored metadata are corrupt: reindex the archive")

// piece is one piece of an encoding.
type piece struct {
	length int
	crc    uint32
	body   []byte
}

// cut takes the first piece off an encoding.
func cut(b []byte) (p piece, rest []byte, err error) {
	if len(b) < 12 {
		return p, nil, errCorrupt
	}
	length, n := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
	p.crc = binary.LittleEndian.Uint32(b[8:])
	if b = b[12:]; length > Largest || uint64(n) > uint64(len(b)) {
		return p, nil, errCorrupt
	}
	p.length, p.body = int(length), b[:n]
	return p, b[n:], nil
}
