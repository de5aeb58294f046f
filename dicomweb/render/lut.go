package render

import (
	"encoding/binary"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
)

// lut is a lookup table of the standard: entry i belongs to the value first+i, the last one to all above, the first one to
// all below (PS3.3 C.11.1.1 and C.11.2.1.1).
type lut struct {
	first   int
	entries []uint16
	most    float64 // the largest value that an entry of its bits can have
}

func (l *lut) at(v float64) float64 {
	switch i := v - float64(l.first); {
	case !(i > 0): // NaN too
		return float64(l.entries[0])
	case i >= float64(len(l.entries)-1):
		return float64(l.entries[len(l.entries)-1])
	default:
		return float64(l.entries[int(i)])
	}
}

// readLUT reads a table from its descriptor (entries, first value mapped, bits of an entry) and data. signed says that the
// values to be mapped can be negative: implicit VR cannot tell US from SS.
func readLUT(f *dicom.File, in *dicom.Dataset, descriptor, data tag.Tag, signed bool) (*lut, error) {
	order := byteOrder(f)
	d := in.Bytes(descriptor)
	e := in.Get(data)
	if len(d) < 6 || e == nil {
		return nil, dicomweb.Errorf(dicomweb.NotAcceptable, "a lookup table lacks its descriptor or data")
	}
	l := &lut{first: int(order.Uint16(d[2:]))}
	count, bits := int(order.Uint16(d)), int(order.Uint16(d[4:]))
	if count == 0 {
		count = 1 << 16
	}
	if signed || in.Get(descriptor).VR == dicom.SS {
		l.first = int(int16(l.first))
	}
	raw, err := f.Value(e)
	if err != nil {
		return nil, err
	}
	if len(raw) < count || bits < 1 || bits > 16 {
		return nil, dicomweb.Errorf(dicomweb.NotAcceptable, "a lookup table of %d entries of %d bits has %d bytes", count, bits, len(raw))
	}
	l.entries = make([]uint16, count)
	largest := uint16(0)
	wide := len(raw) >= 2*count
	for i := range l.entries {
		if wide {
			l.entries[i] = order.Uint16(raw[2*i:])
		} else {
			l.entries[i] = uint16(raw[i]) // two entries of 8 bits in each word
		}
		largest = max(largest, l.entries[i])
	}
	l.most = float64(int(1)<<bits - 1)
	if float64(largest) > l.most { // descriptors that tell fewer bits than the data have are common
		l.most = 65535
	}
	return l, nil
}

func byteOrder(f *dicom.File) binary.ByteOrder {
	if f.TransferSyntax == explicitBig {
		return binary.BigEndian
	}
	return binary.LittleEndian
}
