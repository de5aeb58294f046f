package pixel

import (
	"encoding/binary"
	"fmt"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
)

// Transfer syntaxes whose frames are decoded: plain samples (PS3.5 annex A.1 to A.3 and A.5), and encapsulated ones (A.4).
const (
	implicitLittle = "1.2.840.10008.1.2"
	explicitLittle = "1.2.840.10008.1.2.1"
	deflatedLittle = "1.2.840.10008.1.2.1.99"
	explicitBig    = "1.2.840.10008.1.2.2"
	rleLossless    = "1.2.840.10008.1.2.5"
	jpegLossless   = "1.2.840.10008.1.2.4.57"
	jpegLosslessSV = "1.2.840.10008.1.2.4.70"
	jpegLS         = "1.2.840.10008.1.2.4.80"
	jpegLSNear     = "1.2.840.10008.1.2.4.81"
)

// maxFrameBytes bounds one decoded frame; the largest mammogram has 100 MB.
const maxFrameBytes = 1 << 29

// Layout tells how the samples of a frame lie in its bytes: Image Pixel Module, PS3.3 C.7.6.3.
type Layout struct {
	Rows, Columns                      int
	SamplesPerPixel                    int
	BitsAllocated, BitsStored, HighBit int
	Signed                             bool // Pixel Representation 1
	Planar                             bool // Planar Configuration 1: one colour plane after the other
}

// LayoutOf reads the layout from a header. The error says which attribute does not go with decoding: only whole
// bytes are decoded, 8, 16 or 32 bits allocated.
func LayoutOf(header *dicom.Dataset) (Layout, error) {
	l := Layout{
		Rows:            header.IntOr(tag.Rows, 0),
		Columns:         header.IntOr(tag.Columns, 0),
		SamplesPerPixel: header.IntOr(tag.SamplesPerPixel, 1),
		BitsAllocated:   header.IntOr(tag.BitsAllocated, 0),
		Signed:          header.IntOr(tag.PixelRepresentation, 0) == 1,
		Planar:          header.IntOr(tag.PlanarConfiguration, 0) == 1,
	}
	l.BitsStored = header.IntOr(tag.BitsStored, l.BitsAllocated)
	l.HighBit = header.IntOr(tag.HighBit, l.BitsStored-1)
	return l, l.validate()
}

func (l Layout) validate() error {
	switch {
	case l.Rows < 1 || l.Columns < 1 || l.Rows > 1<<16 || l.Columns > 1<<16:
		return dicomweb.Errorf(dicomweb.BadRequest, "Rows and Columns are missing or out of range: %d x %d", l.Rows, l.Columns)
	case l.SamplesPerPixel < 1 || l.SamplesPerPixel > 4:
		return dicomweb.Errorf(dicomweb.UnsupportedMedia, "Samples per Pixel is %d", l.SamplesPerPixel)
	case l.BitsAllocated != 8 && l.BitsAllocated != 16 && l.BitsAllocated != 32:
		return dicomweb.Errorf(dicomweb.UnsupportedMedia, "Bits Allocated is %d; 8, 16 and 32 are decoded", l.BitsAllocated)
	case l.BitsStored < 1 || l.BitsStored > l.BitsAllocated || l.HighBit < l.BitsStored-1 || l.HighBit >= l.BitsAllocated:
		return dicomweb.Errorf(dicomweb.BadRequest, "Bits Stored %d and High Bit %d do not go with Bits Allocated %d", l.BitsStored, l.HighBit, l.BitsAllocated)
	case l.BitsStored == 32 && !l.Signed:
		return dicomweb.Errorf(dicomweb.UnsupportedMedia, "unsigned samples of 32 bits are not decoded")
	case l.Rows*l.Columns > maxFrameBytes/(l.SamplesPerPixel*l.BitsAllocated/8):
		return dicomweb.Errorf(dicomweb.TooLarge, "a frame of %d x %d is too large to decode", l.Rows, l.Columns)
	}
	return nil
}

// Samples returns the number of samples of a frame: rows x columns x samples per pixel.
func (l Layout) Samples() int { return l.Rows * l.Columns * l.SamplesPerPixel }

// Bytes returns the length of a native frame, without padding.
func (l Layout) Bytes() int { return l.Samples() * l.BitsAllocated / 8 }

// unsupported names a transfer syntax without a decoder, and what to do about it.
func unsupported(transferSyntax, advice string) error {
	name := transferSyntax
	if e, ok := uid.Lookup(transferSyntax); ok {
		name = fmt.Sprintf("%s (%s)", e.Name, transferSyntax)
	}
	return dicomweb.Errorf(dicomweb.UnsupportedMedia, "pixel data in transfer syntax %s is not decoded%s", name, advice)
}

// unpack moves each sample's bits to bit 0, drops what lies beside them (old overlays) and extends the sign.
func (l Layout) unpack(native []byte, dst []int32) {
	up := 31 - l.HighBit // brings the high bit to bit 31
	down := 32 - l.BitsStored
	value := func(word uint32) int32 {
		if l.Signed {
			return int32(word<<up) >> down
		}
		return int32(word << up >> down)
	}
	put := func(i int, v int32) { dst[i] = v }
	if area := l.Rows * l.Columns; l.Planar && l.SamplesPerPixel > 1 {
		put = func(i int, v int32) { dst[i%area*l.SamplesPerPixel+i/area] = v }
	}
	switch l.BitsAllocated {
	case 8:
		for i, b := range native {
			put(i, value(uint32(b)))
		}
	case 16:
		if l.SamplesPerPixel == 1 { // the way of every MR image
			for i := range dst {
				dst[i] = value(uint32(binary.LittleEndian.Uint16(native[2*i:])))
			}
			return
		}
		for i := range dst {
			put(i, value(uint32(binary.LittleEndian.Uint16(native[2*i:]))))
		}
	case 32:
		for i := range dst {
			put(i, value(binary.LittleEndian.Uint32(native[4*i:])))
		}
	}
}
