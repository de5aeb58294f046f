package dicom

import "mome/dicomweb/dicom/tag"

// parseVR returns the value representation that two bytes name; ok is false when PS3.5 section 6.2 has none such.
func parseVR(a, b byte) (vr VR, ok bool) {
	switch string([]byte{a, b}) {
	case "AE":
		return AE, true
	case "AS":
		return AS, true
	case "AT":
		return AT, true
	case "CS":
		return CS, true
	case "DA":
		return DA, true
	case "DS":
		return DS, true
	case "DT":
		return DT, true
	case "FD":
		return FD, true
	case "FL":
		return FL, true
	case "IS":
		return IS, true
	case "LO":
		return LO, true
	case "LT":
		return LT, true
	case "OB":
		return OB, true
	case "OD":
		return OD, true
	case "OF":
		return OF, true
	case "OL":
		return OL, true
	case "OV":
		return OV, true
	case "OW":
		return OW, true
	case "PN":
		return PN, true
	case "SH":
		return SH, true
	case "SL":
		return SL, true
	case "SQ":
		return SQ, true
	case "SS":
		return SS, true
	case "ST":
		return ST, true
	case "SV":
		return SV, true
	case "TM":
		return TM, true
	case "UC":
		return UC, true
	case "UI":
		return UI, true
	case "UL":
		return UL, true
	case "UN":
		return UN, true
	case "UR":
		return UR, true
	case "US":
		return US, true
	case "UT":
		return UT, true
	case "UV":
		return UV, true
	}
	return "", false
}

// long reports whether vr has a 32-bit length field in explicit VR, PS3.5 table 7.1-1.
func (vr VR) long() bool {
	switch vr {
	case OB, OD, OF, OL, OV, OW, SQ, SV, UC, UN, UR, UT, UV:
		return true
	}
	return false
}

// Opaque reports whether a value of vr is a string of bytes or words and not a list of values: what DICOM JSON
// writes as InlineBinary or BulkDataURI (PS3.18 section F.2.3).
func (vr VR) Opaque() bool {
	switch vr {
	case OB, OD, OF, OL, OV, OW, UN:
		return true
	}
	return false
}

// encoded reports whether text of vr is in the Specific Character Set, PS3.5 section 6.1.2.2.
func (vr VR) encoded() bool {
	switch vr {
	case LO, LT, PN, SH, ST, UC, UT:
		return true
	}
	return false
}

// word returns the size in bytes of the unit that changes with the byte order; 1 for text and bytes.
func (vr VR) word() int {
	switch vr {
	case AT, OW, SS, US:
		return 2
	case FL, OF, OL, SL, UL:
		return 4
	case FD, OD, OV, SV, UV:
		return 8
	}
	return 1
}

// isPixels reports whether t holds an image: such a value is always left in the file.
func isPixels(t tag.Tag) bool {
	return t == tag.PixelData || t == tag.FloatPixelData || t == tag.DoubleFloatPixelData
}

// implicitVR returns the VR that the dictionary gives t in implicit VR (PS3.5 section A.1): OW where there is a
// choice of OB or OW, US where it is US or SS until Pixel Representation decides, UN for an unknown tag.
func implicitVR(t tag.Tag) (vr VR, signed bool) {
	e := tag.Lookup(t)
	switch len(e.VRs) {
	case 0:
		return UN, false
	case 1:
		if e.VRs[0] == "NONE" {
			return UN, false
		}
		return VR(e.VRs[0]), false
	}
	last := VR(e.VRs[len(e.VRs)-1])
	if last == SS {
		return US, true
	}
	return last, false
}
