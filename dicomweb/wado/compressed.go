package wado

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/mediatype"
)

// Limits of what is held in memory of one object that is being compressed. Frames beyond it are compressed twice: to
// know their lengths, which stand before the first of them, and when their turn to be sent comes.
const maxKept = 16 << 20 // bytes of compressed frames

// maxOffset is the largest offset that a Basic Offset Table holds; beyond it there is an Extended Offset Table.
const maxOffset = 1<<32 - 2

// compressed returns an object as a file whose pixels are compressed without loss, and its length in bytes: a fragment
// for each frame, found by a Basic Offset Table (PS3.5 annex A.4). All else is as explicit gives it. What cannot be
// compressed is an error of kind NotAcceptable.
func compressed(ctx context.Context, f *dicom.File, syntax string) (io.Reader, int64, error) {
	head, pixels, behind, err := split(f)
	if err != nil {
		return nil, 0, err
	}
	if pixels == nil || behind || !compressible(f.Dataset, f.TransferSyntax, syntax) {
		return nil, 0, dicomweb.Errorf(dicomweb.NotAcceptable, "the object's pixel data cannot be compressed in transfer syntax %s", syntax)
	}
	frames, err := framesOf(f)
	if err != nil {
		return nil, 0, err
	}
	if frames.Count() > maxFrameList {
		return nil, 0, dicomweb.Errorf(dicomweb.NotAcceptable, "%d frames are too many to be compressed in one answer", frames.Count())
	}
	src, err := newFrameSource(f, frames, mediatype.Offer{TransferSyntax: syntax})
	if err != nil {
		return nil, 0, cannot(err)
	}
	if src.layout.Planar && syntax != uid.RLELossless {
		head.Set(tag.PlanarConfiguration, 0) // components of JPEG are interleaved, PS3.5 section 8.2.1
	}
	items, err := newItems(ctx, src, frames.Count(), maxKept)
	if err != nil {
		return nil, 0, err
	}
	return items.file(head, syntax, maxOffset)
}

// items are the compressed frames of an object as the items of encapsulated pixel data.
type items struct {
	src   *frameSource
	sizes []int64  // of the compressed frames, without padding
	kept  [][]byte // the first of them
}

// newItems compresses all frames and keeps about as many bytes of them as keep says.
func newItems(ctx context.Context, src *frameSource, count int, keep int64) (*items, error) {
	it := &items{src: src, sizes: make([]int64, count)}
	for i := range count {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		b, err := src.bytes(i)
		if err != nil {
			return nil, cannot(err)
		}
		it.sizes[i] = int64(len(b))
		if keep -= int64(len(b)); keep >= 0 && len(it.kept) == i {
			it.kept = append(it.kept, bytes.Clone(b))
		}
	}
	return it, nil
}

// file writes the file: head, offset table, items, delimiter. Offsets beyond most are told by an Extended Offset Table.
func (it *items) file(head *dicom.Dataset, syntax string, most int64) (io.Reader, int64, error) {
	offsets, total := make([]int64, len(it.sizes)), int64(0)
	for i, n := range it.sizes {
		offsets[i] = total
		total += 8 + n + n%2
	}
	var table []byte
	if offsets[len(offsets)-1] <= most {
		for _, o := range offsets {
			table = binary.LittleEndian.AppendUint32(table, uint32(o))
		}
	} else {
		head.SetVR(tag.ExtendedOffsetTable, dicom.OV, longs(offsets))
		head.SetVR(tag.ExtendedOffsetTableLengths, dicom.OV, longs(it.sizes))
	}
	buf, err := written(head)
	if err != nil {
		return nil, 0, err
	}
	begin, err := renamed(buf.Bytes(), syntax)
	if err != nil {
		return nil, 0, err
	}
	begin = append(begin, 0xE0, 0x7F, 0x10, 0, 'O', 'B', 0, 0, 0xFF, 0xFF, 0xFF, 0xFF)
	begin = append(append(begin, itemHeader(int64(len(table)))...), table...)
	end := []byte{0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0} // sequence delimitation item
	body := &inTurn{count: len(it.sizes), open: it.item}
	return io.MultiReader(bytes.NewReader(begin), body, bytes.NewReader(end)), int64(len(begin)) + total + int64(len(end)), nil
}

func longs(values []int64) []byte {
	var b []byte
	for _, v := range values {
		b = binary.LittleEndian.AppendUint64(b, uint64(v))
	}
	return b
}

// itemHeader is the header of an item of n bytes, PS3.5 section 7.5.
func itemHeader(n int64) []byte {
	return binary.LittleEndian.AppendUint32([]byte{0xFE, 0xFF, 0, 0xE0}, uint32(n))
}

// item returns frame i as an item, padded to even length.
func (it *items) item(i int) (io.Reader, error) {
	n := it.sizes[i]
	var b []byte
	if i < len(it.kept) {
		b = it.kept[i]
	} else {
		var err error
		if b, err = it.src.bytes(i); err != nil {
			return nil, err
		}
		if int64(len(b)) != n {
			return nil, fmt.Errorf("wado: frame %d has %d bytes the second time it is compressed, %d the first", i+1, len(b), n)
		}
	}
	return io.MultiReader(bytes.NewReader(itemHeader(n+n%2)), bytes.NewReader(b), bytes.NewReader(make([]byte, n%2))), nil
}

// renamed returns a file in explicit VR little endian, as dicom.Write makes it, with another transfer syntax in its File
// Meta Information (PS3.10 section 7.1).
func renamed(file []byte, syntax string) ([]byte, error) {
	const metaAt = 128 + 4 + 12 // behind preamble, prefix and group length
	if len(file) < metaAt {
		return nil, fmt.Errorf("wado: a file of %d bytes", len(file))
	}
	length := int(binary.LittleEndian.Uint32(file[metaAt-4:]))
	if length > len(file)-metaAt {
		return nil, fmt.Errorf("wado: File Meta Information of %d bytes", length)
	}
	meta := file[metaAt : metaAt+length]
	element := []byte{2, 0, 0x10, 0, 'U', 'I'}
	at := bytes.Index(meta, element)
	if at < 0 || at+8 > len(meta) {
		return nil, fmt.Errorf("wado: File Meta Information without a transfer syntax")
	}
	value := append([]byte(syntax), make([]byte, len(syntax)%2)...)
	after := at + 8 + int(binary.LittleEndian.Uint16(meta[at+6:]))
	out := append([]byte{}, file[:metaAt-4]...)
	out = binary.LittleEndian.AppendUint32(out, uint32(length-(after-at-8)+len(value)))
	out = append(append(out, meta[:at]...), element...)
	out = append(binary.LittleEndian.AppendUint16(out, uint16(len(value))), value...)
	return append(append(out, meta[after:]...), file[metaAt+length:]...), nil
}
