package pixel

import (
	"encoding/binary"
	"slices"

	"mome/dicomweb"
	"mome/dicomweb/dicom/uid"
)

// isJPEG2000 reports the transfer syntaxes of JPEG 2000 part 1 and part 15 (high throughput) code streams.
func isJPEG2000(transferSyntax string) bool {
	return slices.Contains([]string{uid.JPEG2000Lossless, uid.JPEG2000, uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K}, transferSyntax)
}

// JPEG 2000 markers, ISO/IEC 15444-1 table A.2.
const (
	markerSOC = 0xFF4F
	markerSIZ = 0xFF51
)

// maxTiles of one frame; a decoder holds tables for each. Scanners write one, few archives more than a dozen.
const maxTiles = 1 << 10

// checkSIZ looks at the image and tile size that begins a code stream (A.5.1) before a decoder allocates anything for it:
// a stream of another size is not the image that the header describes.
func checkSIZ(l Layout, raw []byte) error {
	broken := func(format string, args ...any) error {
		return dicomweb.Errorf(dicomweb.BadRequest, "JPEG 2000: "+format, args...)
	}
	// SOC, SIZ, Lsiz, Rsiz, eight sizes of 32 bits, Csiz, then three bytes for each component.
	const fixed = 42
	if len(raw) < fixed+3 || binary.BigEndian.Uint16(raw) != markerSOC || binary.BigEndian.Uint16(raw[2:]) != markerSIZ {
		return broken("the stream does not begin with SOC and SIZ")
	}
	size := func(i int) int64 { return int64(binary.BigEndian.Uint32(raw[8+4*i:])) }
	columns, rows := size(0)-size(2), size(1)-size(3)
	tileColumns, tileRows := size(4), size(5)
	components := int(binary.BigEndian.Uint16(raw[40:]))
	bits, signed := int(raw[fixed]&0x7F)+1, raw[fixed]&0x80 != 0
	switch {
	case columns != int64(l.Columns) || rows != int64(l.Rows) || components != l.SamplesPerPixel:
		return broken("the stream has %d x %d pixels of %d samples, the header %d x %d of %d", rows, columns, components, l.Rows, l.Columns, l.SamplesPerPixel)
	case bits > l.BitsAllocated || bits > 31 || signed && !l.Signed:
		return broken("the stream has %d bits per sample (signed %v), %d are allocated (signed %v)", bits, signed, l.BitsAllocated, l.Signed)
	case raw[fixed+1] != 1 || raw[fixed+2] != 1:
		return broken("the samples are subsampled")
	case tileColumns < 1 || tileRows < 1 || size(6) > size(2) || size(7) > size(3) ||
		tiles(size(0)-size(6), tileColumns)*tiles(size(1)-size(7), tileRows) > maxTiles:
		return broken("tiles of %d x %d are not decoded", tileRows, tileColumns)
	}
	return nil
}

// tiles returns how many tiles cover a length; both are below 2^32.
func tiles(length, tile int64) int64 { return min((length+tile-1)/tile, 1<<20) }
