package stow

import (
	"encoding/binary"
	"io"

	"mome/dicomweb/dicom/uid"
)

// maxHead is how much of a compressed stream is looked at for its description: beyond the largest profiles and
// thumbnails that cameras put before the image.
const maxHead = 1 << 20

// describeStream reads the headers of a JPEG, JPEG-LS or JPEG 2000 stream, and returns nothing for another.
func describeStream(head []byte) description {
	switch {
	case len(head) < 4 || head[0] != 0xFF:
		return description{}
	case head[1] == 0xD8:
		return describeJPEG(head[2:])
	case head[1] == 0x4F && head[2] == 0xFF && head[3] == 0x51:
		return describeJPEG2000(head[2:])
	}
	return description{}
}

// segment takes the marker segment at the start of in (ISO/IEC 10918-1 section B.1.1): the marker, the segment without
// its length, and the rest. ok is false at the end of what can be read.
func segment(in []byte) (marker byte, body, rest []byte, ok bool) {
	for len(in) > 1 && in[0] == 0xFF && in[1] == 0xFF { // fill bytes
		in = in[1:]
	}
	if len(in) < 4 || in[0] != 0xFF {
		return 0, nil, nil, false
	}
	n := int(binary.BigEndian.Uint16(in[2:]))
	if n < 2 || n > len(in)-2 {
		return 0, nil, nil, false
	}
	return in[1], in[4 : 2+n], in[2+n:], true
}

// describeJPEG reads frame and scan header of ISO/IEC 10918-1 and 14495-1 streams.
func describeJPEG(in []byte) (d description) {
	var frame byte
	subsampled, rgb := false, false
	for {
		marker, body, rest, ok := segment(in)
		if !ok {
			return description{}
		}
		in = rest
		switch {
		case marker == 0xEE && len(body) >= 12 && string(body[:5]) == "Adobe":
			rgb = body[11] == 0 // no transform
		case marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC, marker == 0xF7:
			if len(body) < 6 || len(body) < 6+3*int(body[5]) {
				return description{}
			}
			frame = marker
			d.bits, d.samples = int(body[0]), int(body[5])
			d.rows, d.columns = int(binary.BigEndian.Uint16(body[1:])), int(binary.BigEndian.Uint16(body[3:]))
			for i := range d.samples {
				subsampled = subsampled || body[6+3*i+1] != 0x11
			}
		case marker == 0xDA:
			if frame == 0 || len(body) < 4 || len(body) < 4+2*int(body[0]) {
				return description{}
			}
			if d.scan(frame, body[1+2*int(body[0])]); d.transferSyntax == "" {
				return description{}
			}
			d.colour(frame, subsampled, rgb)
			return d
		}
	}
}

// scan decides on the transfer syntax: parameter is the first of those that the process defines, the predictor of lossless
// JPEG and NEAR of JPEG-LS.
func (d *description) scan(frame, parameter byte) {
	switch {
	case frame == 0xC0:
		d.transferSyntax, d.lossy = uid.JPEGBaseline8Bit, true
	case frame == 0xC1:
		d.transferSyntax, d.lossy = uid.JPEGExtended12Bit, true
	case frame == 0xC3 && parameter == 1:
		d.transferSyntax = uid.JPEGLosslessSV1
	case frame == 0xC3:
		d.transferSyntax = uid.JPEGLossless
	case frame == 0xF7 && parameter == 0:
		d.transferSyntax = uid.JPEGLSLossless
	case frame == 0xF7:
		d.transferSyntax, d.lossy = uid.JPEGLSNearLossless, true
	} // not progressive and arithmetic coding, which DICOM has retired
}

// colour decides on the Photometric Interpretation, PS3.5 section 8.2.1.
func (d *description) colour(frame byte, subsampled, rgb bool) {
	switch {
	case d.samples == 1:
		d.photometric = "MONOCHROME2"
	case rgb || frame == 0xC3 || frame == 0xF7:
		d.photometric = "RGB"
	case subsampled:
		d.photometric = "YBR_FULL_422"
	default:
		d.photometric = "YBR_FULL"
	}
}

// describeJPEG2000 reads the main header of an ISO/IEC 15444-1 or -15 codestream, behind SOC.
func describeJPEG2000(in []byte) (d description) {
	high, transform := false, false
	for {
		marker, body, rest, ok := segment(in)
		if !ok {
			return description{}
		}
		in = rest
		switch marker {
		case 0x51: // SIZ
			if len(body) < 39 {
				return description{}
			}
			u := func(at int) int { return int(binary.BigEndian.Uint32(body[at:])) }
			d.columns, d.rows = u(2)-u(10), u(6)-u(14)
			d.samples = int(binary.BigEndian.Uint16(body[34:]))
			d.bits, d.signed = int(body[36]&0x7F)+1, body[36]&0x80 != 0
			if d.columns <= 0 || d.columns > 0xFFFF || d.rows <= 0 || d.rows > 0xFFFF || d.samples > 4 {
				return description{}
			}
		case 0x50: // CAP: high throughput
			high = true
		case 0x52: // COD
			if len(body) < 10 || d.rows == 0 {
				return description{}
			}
			transform, d.lossy = body[4] == 1, body[9] == 0
			d.transferSyntax, d.photometric = uid.JPEG2000Lossless, "RGB"
			switch {
			case high && d.lossy:
				d.transferSyntax = uid.HTJ2K
			case high:
				d.transferSyntax = uid.HTJ2KLossless
			case d.lossy:
				d.transferSyntax = uid.JPEG2000
			}
			switch {
			case d.samples == 1:
				d.photometric = "MONOCHROME2"
			case transform && d.lossy:
				d.photometric = "YBR_ICT"
			case transform:
				d.photometric = "YBR_RCT"
			}
			return d
		}
	}
}

// withoutBoxes returns the codestream of a JP2 or JPH file (ISO/IEC 15444-1 annex I), and anything else as it is.
func withoutBoxes(r *io.SectionReader) *io.SectionReader {
	const signature = "\x00\x00\x00\x0CjP  \r\n\x87\n"
	var head [16]byte
	if n, _ := r.ReadAt(head[:len(signature)], 0); n < len(signature) || string(head[:n]) != signature {
		return r
	}
	for at := int64(0); at+8 <= r.Size(); {
		if _, err := r.ReadAt(head[:8], at); err != nil {
			return r
		}
		length, header := int64(binary.BigEndian.Uint32(head[:])), int64(8)
		switch {
		case length == 0: // to the end
			length = r.Size() - at
		case length == 1:
			if _, err := r.ReadAt(head[8:], at+8); err != nil {
				return r
			}
			length, header = int64(binary.BigEndian.Uint64(head[8:])), 16
		}
		if length < header || length > r.Size()-at {
			return r
		}
		if string(head[4:8]) == "jp2c" {
			return io.NewSectionReader(r, at+header, length-header)
		}
		at += length
	}
	return r
}
