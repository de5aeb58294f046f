package index

import (
	"encoding/binary"
	"errors"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
)

// The encoding of data sets in an index: for each element its tag (4 bytes, little endian), VR (2), form (1), then by
// form the length and the value, the place in the file as offset and length, or the number of items and each item's
// length and elements. Numbers are unsigned varints. It is no transfer syntax: it also says what was left in the file.
const (
	formValue byte = iota
	formPlace
	formItems
)

// deepest bounds the nesting that Decode follows, like dicom.Limits' default.
const deepest = 64

// errCorrupt is the only error of Decode: what an index returned was not what it was given.
var errCorrupt = errors.New("index: a stored data set is corrupt: reindex the archive")

// Encode returns ds for an index.
func Encode(ds *dicom.Dataset) []byte { return appendDataset(nil, ds) }

func appendDataset(dst []byte, ds *dicom.Dataset) []byte {
	for e := range ds.All() {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(e.Tag))
		dst = append(dst, (string(e.VR) + "  ")[:2]...)
		switch {
		case e.Deferred():
			dst = append(dst, formPlace)
			dst = binary.AppendUvarint(dst, uint64(max(0, e.Span.Offset)))
			dst = binary.AppendUvarint(dst, uint64(e.Span.Length))
		case e.VR == dicom.SQ:
			dst = append(dst, formItems)
			dst = binary.AppendUvarint(dst, uint64(len(e.Items)))
			for _, item := range e.Items {
				body := appendDataset(nil, item)
				dst = binary.AppendUvarint(dst, uint64(len(body)))
				dst = append(dst, body...)
			}
		default:
			dst = append(dst, formValue)
			dst = binary.AppendUvarint(dst, uint64(len(e.Value)))
			dst = append(dst, e.Value...)
		}
	}
	return dst
}

// Decode reads what Encode returned. The data set shares b's memory.
func Decode(b []byte) (*dicom.Dataset, error) { return decode(b, 0) }

func decode(b []byte, depth int) (*dicom.Dataset, error) {
	ds := dicom.New()
	if depth > deepest {
		return nil, errCorrupt
	}
	for len(b) > 0 {
		if len(b) < 7 {
			return nil, errCorrupt
		}
		e := &dicom.Element{Tag: tag.Tag(binary.LittleEndian.Uint32(b)), VR: dicom.VR(b[4:6])}
		form := b[6]
		n, rest, ok := uvarint(b[7:])
		if !ok || form != formPlace && (form == formItems) != (e.VR == dicom.SQ) {
			return nil, errCorrupt
		}
		var err error
		switch form {
		case formValue:
			if n > uint64(len(rest)) {
				return nil, errCorrupt
			}
			if n > 0 {
				e.Value = rest[:n:n]
			}
			rest = rest[n:]
		case formPlace:
			e.Span.Offset = int64(n)
			if n, rest, ok = uvarint(rest); !ok || n == 0 {
				return nil, errCorrupt
			}
			e.Span.Length = int64(n)
		case formItems:
			if e.Items, rest, err = decodeItems(rest, n, depth+1); err != nil {
				return nil, err
			}
		default:
			return nil, errCorrupt
		}
		ds.Put(e)
		b = rest
	}
	return ds, nil
}

func decodeItems(b []byte, count uint64, depth int) (items []*dicom.Dataset, rest []byte, err error) {
	for ; count > 0; count-- {
		n, body, ok := uvarint(b)
		if !ok || n > uint64(len(body)) {
			return nil, nil, errCorrupt
		}
		item, err := decode(body[:n], depth)
		if err != nil {
			return nil, nil, err
		}
		items, b = append(items, item), body[n:]
	}
	return items, b, nil
}

// uvarint reads a number that fits an int64.
func uvarint(b []byte) (n uint64, rest []byte, ok bool) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > 1<<62 {
		return 0, nil, false
	}
	return n, b[size:], true
}
