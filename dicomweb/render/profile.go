package render

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"math"
)

// srgb returns an ICC profile (ISO 15076-1) of IEC 61966-2-1: of its colours, or of its grey levels for images of one
// channel. Parametric curves tell the transfer function exactly.
func srgb(grey bool) []byte {
	type element struct {
		name string
		data []byte
	}
	curve := binary.BigEndian.AppendUint32([]byte("para\x00\x00\x00\x00"), 3<<16) // function 3: (aX+b)^g from d on, cX below
	curve = fixed(curve, 2.4, 1/1.055, 0.055/1.055, 1/12.92, 0.04045)
	elements := []element{
		{"desc", text("sRGB IEC 61966-2-1")}, {"cprt", text("No copyright, use freely")},
		{"wtpt", xyz(0.9642, 1, 0.8249)}, // D50, the white of the connection space
		{"chad", fixed([]byte("sf32\x00\x00\x00\x00"), 1.0478112, 0.0228866, -0.0501270, 0.0295424, 0.9904844, -0.0170491, -0.0092345, 0.0150436, 0.7521316)},
	}
	space := "GRAY"
	if grey {
		elements = append(elements, element{"kTRC", curve})
	} else {
		space = "RGB "
		elements = append(elements,
			element{"rXYZ", xyz(0.4360747, 0.2225045, 0.0139322)}, element{"gXYZ", xyz(0.3850649, 0.7168786, 0.0971045)},
			element{"bXYZ", xyz(0.1430804, 0.0606169, 0.7141733)}, element{"rTRC", curve}, element{"gTRC", curve}, element{"bTRC", curve})
	}
	const header = 128
	p := make([]byte, header, 1024)
	binary.BigEndian.PutUint32(p[8:], 0x04300000) // version 4.3
	copy(p[12:], "mntr"+space+"XYZ ")
	copy(p[24:], []byte{0x07, 0xE8, 0, 1, 0, 1}) // 2024-01-01
	copy(p[36:], "acsp")
	copy(p[68:], fixed(nil, 0.9642, 1, 0.8249))
	p = binary.BigEndian.AppendUint32(p, uint32(len(elements)))
	at := header + 4 + 12*len(elements)
	for _, e := range elements {
		p = append(p, e.name...)
		p = binary.BigEndian.AppendUint32(p, uint32(at))
		p = binary.BigEndian.AppendUint32(p, uint32(len(e.data)))
		at += (len(e.data) + 3) &^ 3
	}
	for _, e := range elements {
		p = append(p, e.data...)
		p = append(p, make([]byte, -len(e.data)&3)...)
	}
	binary.BigEndian.PutUint32(p, uint32(len(p)))
	return p
}

// fixed appends numbers as s15Fixed16.
func fixed(dst []byte, values ...float64) []byte {
	for _, v := range values {
		dst = binary.BigEndian.AppendUint32(dst, uint32(int32(math.Round(v*65536))))
	}
	return dst
}

func xyz(x, y, z float64) []byte { return fixed([]byte("XYZ \x00\x00\x00\x00"), x, y, z) }

// text is an English multiLocalizedUnicode of ASCII.
func text(s string) []byte {
	b := append([]byte("mluc\x00\x00\x00\x00"), 0, 0, 0, 1, 0, 0, 0, 12)
	b = append(b, "enUS"...)
	b = binary.BigEndian.AppendUint32(b, uint32(2*len(s)))
	b = binary.BigEndian.AppendUint32(b, 28)
	for i := range len(s) {
		b = append(b, 0, s[i])
	}
	return b
}

// withProfile returns a JPEG or PNG stream with an ICC profile in it: in APP2 segments after SOI (ISO 15076-1 annex B.4), in an
// iCCP chunk after IHDR (PNG section 11.3.3.3).
func withProfile(stream []byte, media string, profile []byte) []byte {
	at, insert := 2, []byte(nil)
	if media == mediaPNG {
		at = 8 + 25 // signature and IHDR
		insert = chunk("iCCP", profile)
	} else {
		insert = segmentsOf(profile)
	}
	out := make([]byte, 0, len(stream)+len(insert))
	return append(append(append(out, stream[:at]...), insert...), stream[at:]...)
}

func chunk(name string, profile []byte) []byte {
	var body bytes.Buffer
	body.WriteString(name + "ICC profile\x00\x00")
	z := zlib.NewWriter(&body)
	z.Write(profile) // into memory: no error
	z.Close()
	b := binary.BigEndian.AppendUint32(nil, uint32(body.Len()-len(name)))
	b = append(b, body.Bytes()...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(body.Bytes()))
}

// segmentsOf cuts a profile into the APP2 segments that it needs; their number is a byte.
func segmentsOf(profile []byte) (b []byte) {
	const most = 65535 - 2 - 14
	n := (len(profile) + most - 1) / most
	for i := range n {
		part := profile[i*most : min((i+1)*most, len(profile))]
		b = append(b, 0xFF, 0xE2)
		b = binary.BigEndian.AppendUint16(b, uint16(len(part)+16))
		b = append(append(b, "ICC_PROFILE\x00"...), byte(i+1), byte(n))
		b = append(b, part...)
	}
	return b
}
