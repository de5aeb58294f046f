package series

import (
	"regexp"
	"slices"
	"strings"

	"mome/dicomweb/dicom/tag"
)

// Kinds of images that one series can mix, or that are known by name. The usual image has none.
const (
	kindLocalizer   = "localizer"
	kindMosaic      = "mosaic"
	kindPhase       = "phase image"
	kindReal        = "real or imaginary part"
	kindSubtraction = "subtraction"
	kindProjection  = "projection"
	kindReformat    = "reformat"
	kindMap         = "computed map"
	kindCapture     = "screen capture"
	kindComputedB   = "computed b-value"
	kindADC         = "ADC map"
	kindWater       = "water image"
	kindFat         = "fat image"
	kindIn          = "in-phase image"
	kindOpposed     = "opposed-phase image"
	kindCorrected   = "motion-corrected copy"
)

// typeKinds maps values of Image Type from the third on (PS3.3 C.7.6.1.1.2, C.8.3.1.1.1 and vendors' habits) to kinds.
// An entry that ends in * is a prefix. The first that matches wins: a projection of a subtraction is a projection, a subtraction of water images a subtraction.
var typeKinds = [...]struct{ value, kind string }{
	{"LOCALIZER", kindLocalizer},
	{"MOSAIC", kindMosaic}, {"VFRAME", kindMosaic},
	{"SCREEN SAVE", kindCapture}, {"SCREEN*", kindCapture},
	{"MIP*", kindProjection}, {"MAX_IP", kindProjection}, {"MIN_IP", kindProjection}, {"MINIP", kindProjection}, {"PROJECTION*", kindProjection}, {"VRT", kindProjection},
	{"SUB*", kindSubtraction},
	{"MPR*", kindReformat}, {"REFORMAT*", kindReformat}, {"CURVED*", kindReformat}, {"CSAREFORMAT*", kindReformat},
	{"CALC_B*", kindComputedB}, {"SYNTHETIC*", kindComputedB},
	{"ADC*", kindADC}, {"APPARENT DIFF*", kindADC},
	{"EADC", kindMap}, {"EXP", kindMap}, {"FA", kindMap}, {"TENSOR*", kindMap}, {"COLFA", kindMap}, {"T1 MAP", kindMap}, {"T2 MAP", kindMap}, {"T1MAP", kindMap},
	{"T2MAP", kindMap}, {"R2*", kindMap}, {"T2_STAR*", kindMap}, {"FAT_FRACTION*", kindMap}, {"FF", kindMap}, {"PEI", kindMap}, {"TTP", kindMap}, {"WI", kindMap}, {"WO", kindMap},
	{"WASH*", kindMap}, {"AUC", kindMap}, {"IAUC", kindMap}, {"MITT", kindMap}, {"KTRANS", kindMap},
	{"P", kindPhase}, {"PHASE", kindPhase}, {"PHASE MAP", kindPhase},
	{"R", kindReal}, {"REAL", kindReal}, {"I", kindReal}, {"IMAGINARY", kindReal},
	{"MOCO*", kindCorrected}, {"MOTIONCORR*", kindCorrected},
	{"W", kindWater}, {"WATER", kindWater},
	{"F", kindFat}, {"FAT", kindFat},
	{"IP", kindIn}, {"IN_PHASE", kindIn},
	{"OP", kindOpposed}, {"OPP_PHASE", kindOpposed}, {"OUT_PHASE", kindOpposed},
}

// kindOf tells an image's kind by its attributes.
func kindOf(im *image, g groups) string {
	if len(im.types) > 2 {
		for _, k := range typeKinds {
			prefix, isPrefix := strings.CutSuffix(k.value, "*")
			if slices.ContainsFunc(im.types[2:], func(v string) bool {
				return v == k.value || isPrefix && strings.HasPrefix(v, prefix)
			}) {
				return k.kind
			}
		}
	}
	switch g.text(tag.MRImageFrameTypeSequence, tag.ComplexImageComponent) {
	case "PHASE":
		return kindPhase
	case "REAL", "IMAGINARY":
		return kindReal
	}
	switch g.text(tag.MRImageFrameTypeSequence, tag.VolumeBasedCalculationTechnique) {
	case "MAX_IP", "MIN_IP", "VOLUME_RENDER", "SURFACE_RENDER":
		return kindProjection
	case "MPR", "CURVED_MPR":
		return kindReformat
	}
	switch privateFloat(g.header, "GEMS_PARM_01", 0x0043, 0x2F, "SS") { // GE's Raw Data Type: magnitude is 0
	case 1:
		return kindPhase
	case 2, 3:
		return kindReal
	}
	return ""
}

// words splits a description into lower-case words of letters and digits.
func words(s string) []string {
	return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r >= 0x80)
	})
}

// has reports whether one of the words is, or with * at its end begins with, one of the patterns.
func has(words []string, patterns ...string) bool {
	return slices.ContainsFunc(words, func(w string) bool {
		return slices.ContainsFunc(patterns, func(p string) bool {
			prefix, isPrefix := strings.CutSuffix(p, "*")
			return w == p || isPrefix && strings.HasPrefix(w, prefix)
		})
	})
}

// difference matches GE's names of subtractions, such as "(101/2/1)-(101/1/1)".
var difference = regexp.MustCompile(`\(\s*\d+[\d/.\s]*\)\s*-\s*\(\s*\d+`)

// numberedSub matches SUB, SUB1, subs: not subcutaneous, subject or substance.
var numberedSub = regexp.MustCompile(`^subs?\d*$`)

// kindOfDescription is the kind that a Series Description names, "" if none: the word of a person or a protocol.
func kindOfDescription(description string) string {
	w := words(description)
	last := ""
	if len(w) > 0 {
		last = w[len(w)-1]
	}
	switch {
	case has(w, "loc", "locali*", "scout", "survey", "3plane", "3pl", "planning", "calibration", "prescan", "shim"):
		return kindLocalizer
	case has(w, "mip", "mips", "mip1*", "mip2*", "mip3*", "minip", "projection", "vrt"):
		return kindProjection
	case difference.MatchString(description), has(w, "subtr*", "minus"), slices.ContainsFunc(w, numberedSub.MatchString):
		return kindSubtraction
	case has(w, "mpr*", "reformat*", "rfmt", "refmt", "curved"):
		return kindReformat
	case has(w, "calc*", "synthetic", "computed", "cdwi", "sdwi"):
		return kindComputedB
	case has(w, "eadc", "exponential", "colfa", "ktrans", "kep", "iauc*", "washin", "washout", "t1map", "t2map", "ttp", "pei"),
		has(w, "map", "maps") && has(w, "t1", "t2", "fa", "colour", "color", "r2", "b1", "parametric", "perfusion"),
		last == "wi", last == "wo", last == "fa":
		return kindMap
	case has(w, "adc*", "dadc"), has(w, "apparent") && has(w, "diff*"):
		return kindADC
	case has(w, "screen", "screenshot", "screensave", "report", "cad"):
		return kindCapture
	case has(w, "moco*", "registered", "coreg*", "aligned"), has(w, "motion") && has(w, "corr*"):
		return kindCorrected
	}
	switch before, _, ok := strings.Cut(strings.ToLower(description), ":"); { // GE writes WATER:Ax Vibrant Flex
	case !ok:
	case before == "water":
		return kindWater
	case before == "fat":
		return kindFat
	case before == "inphase":
		return kindIn
	case before == "outphase":
		return kindOpposed
	}
	return ""
}
