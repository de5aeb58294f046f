package series

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
)

// diffusion is the weighting of one image.
type diffusion struct {
	b        float64 // s/mm2, NaN if unknown
	source   string  // the attribute that told b
	trace    bool    // isotropic: the mean over directions was made by the scanner
	computed bool    // extrapolated, not measured
}

// diffusionOf reads the b-value where it stands: in the standard's attribute, in the vendor's private one (found by
// its private creator), or in Siemens' sequence name, the only one that anonymisers leave.
func diffusionOf(g groups, types []string, sequenceName string) diffusion {
	h := g.header
	d := diffusion{b: math.NaN()}
	for _, s := range []struct {
		source string
		b      float64
	}{
		{"Diffusion b-value (0018,9087)", g.float(tag.MRDiffusionSequence, tag.DiffusionBValue)},
		{"Siemens B_value (0019,xx0C)", privateFloat(h, "SIEMENS MR HEADER", 0x0019, 0x0C, dicom.IS)},
		{"GE Slop_int_6 (0043,xx39)", geB(privateFloat(h, "GEMS_PARM_01", 0x0043, 0x39, dicom.IS))},
		{"Philips Diffusion B-Factor (2001,xx03)", privateFloat(h, "Philips Imaging DD 001", 0x2001, 0x03, dicom.FL)},
		{"UIH b-value (0065,xx09)", privateFloat(h, "Image Private Header", 0x0065, 0x09, dicom.FD)},
		{"Sequence Name", sequenceNameB(sequenceName)},
	} {
		if s.b >= 0 && s.b <= 20_000 {
			d.b, d.source = s.b, s.source
			break
		}
	}
	directionality := g.text(tag.MRDiffusionSequence, tag.DiffusionDirectionality)
	d.trace = directionality == "ISOTROPIC" || hasPrefix(types, "TRACE") || slices.Contains(types, "ISO") ||
		strings.HasSuffix(sequenceName, "t") && !math.IsNaN(sequenceNameB(sequenceName)) ||
		privateText(h, "Philips Imaging DD 001", 0x2001, 0x04) == "I" ||
		privateFloat(h, "GEMS_PARM_01", 0x0043, 0x30, dicom.SS) == geCombined && d.b > 0
	d.computed = hasPrefix(types, "CALC_B") || strings.Contains(sequenceName, "calc")
	return d
}

// geCombined is GE's image type (0043,1030) of the mean over directions.
const geCombined = 15

// geB takes off the 1e9 that newer software adds to the b-value.
func geB(b float64) float64 { return math.Mod(b, 1e5) }

// sequenceNameB returns the b-value in a name such as "*ep_b800t" or "*ep_b1000#12", NaN if there is none.
func sequenceNameB(name string) float64 {
	_, rest, ok := strings.Cut(name, "ep_b")
	if !ok {
		return math.NaN()
	}
	n := 0
	for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
		n++
	}
	b, err := strconv.ParseFloat(rest[:n], 64)
	if err != nil {
		return math.NaN()
	}
	return b
}

// privateFloat returns the first value of a private number, NaN if absent. An archive that did not know the element made
// it UN: vr is what its owner writes.
func privateFloat(h *dicom.Dataset, creator string, group uint16, element byte, vr dicom.VR) float64 {
	e := h.Private(creator, group, element)
	if e == nil || len(e.Value) == 0 {
		return math.NaN()
	}
	if e.VR == dicom.UN || e.VR == dicom.OB {
		e = &dicom.Element{Tag: e.Tag, VR: vr, Value: e.Value}
	}
	if v := h.ElementFloats(e); len(v) > 0 && !math.IsInf(v[0], 0) {
		return v[0]
	}
	return math.NaN()
}

// privateText returns a private code string without padding, in upper case.
func privateText(h *dicom.Dataset, creator string, group uint16, element byte) string {
	e := h.Private(creator, group, element)
	if e == nil {
		return ""
	}
	return strings.ToUpper(strings.Trim(string(e.Value), " \x00"))
}
