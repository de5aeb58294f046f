package query

import (
	"strconv"
	"strings"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
)

// Op is how a term compares.
type Op int

// Comparisons.
const (
	Equal   Op = iota // the value is Lo
	Wild              // the value fits the pattern Lo with * and ?
	Between           // the value lies between Lo and Hi, both inclusive; "" leaves an end open
	Empty             // there is no value (PS3.4 C.2.2.2.7)
)

// Term is one alternative of a condition. Lo and Hi are canonical (see Canonical), so that they compare with canonical
// values byte by byte; those of DT are kept as asked, for their meaning depends on time zones.
type Term struct {
	Op     Op
	Lo, Hi string
}

// terms reads the value of a key whose attribute has VR vr. No terms and no error is universal matching. Where
// emptyMatching is set, two quotation marks ask for attributes without a value.
func terms(vr dicom.VR, raw string, emptyMatching bool) ([]Term, error) {
	raw = strings.Trim(raw, " \x00")
	if raw == "" {
		return nil, nil
	}
	switch vr {
	case dicom.SQ:
		return nil, dicomweb.Errorf(dicomweb.BadRequest, "a sequence has no value: name an attribute of its items, as in RequestAttributesSequence.RequestedProcedureID")
	case dicom.OB, dicom.OD, dicom.OF, dicom.OL, dicom.OV, dicom.OW, dicom.UN:
		return nil, dicomweb.Errorf(dicomweb.BadRequest, "attributes of VR %s cannot be matched", vr)
	}
	var out []Term
	for _, v := range alternatives(vr, raw) {
		v = strings.Trim(v, " \x00")
		switch {
		case v == "": // an empty alternative says nothing
			continue
		case strings.Trim(v, "*") == "": // PS3.4 C.2.2.2.4: like universal matching
			return nil, nil
		case v == `""` && emptyMatching:
			out = append(out, Term{Op: Empty})
			continue
		}
		t, err := term(vr, v)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

// alternatives splits a list of values. The backslash is the value delimiter wherever a VR has several values (PS3.5
// section 6.4). A comma separates UIDs (PS3.18 8.3.4.1), and the words and numbers in which it cannot stand; in names
// and descriptions it is a character.
func alternatives(vr dicom.VR, raw string) []string {
	switch vr {
	case dicom.ST, dicom.LT, dicom.UT, dicom.UR:
		return []string{raw}
	case dicom.UI, dicom.CS, dicom.IS, dicom.DS, dicom.AT, dicom.FL, dicom.FD,
		dicom.US, dicom.SS, dicom.UL, dicom.SL, dicom.UV, dicom.SV:
		raw = strings.ReplaceAll(raw, ",", `\`)
	}
	return strings.Split(raw, `\`)
}

func term(vr dicom.VR, v string) (Term, error) {
	switch vr {
	case dicom.DA:
		return dateTerm(v)
	case dicom.TM:
		return timeTerm(v)
	case dicom.DT:
		return dateTimeTerm(v)
	case dicom.UI:
		if len(v) > 64 || strings.Trim(v, "0123456789.") != "" {
			return Term{}, dicomweb.Errorf(dicomweb.BadRequest, "a UID has digits and dots, at most 64 characters, and no wildcards")
		}
		return Term{Op: Equal, Lo: v}, nil
	case dicom.IS, dicom.DS, dicom.FL, dicom.FD, dicom.US, dicom.SS, dicom.UL, dicom.SL, dicom.UV, dicom.SV:
		c, ok := canonicalNumber(v)
		if !ok {
			return Term{}, dicomweb.Errorf(dicomweb.BadRequest, "a number is expected for an attribute of VR %s", vr)
		}
		return Term{Op: Equal, Lo: c}, nil
	case dicom.AT:
		if _, err := strconv.ParseUint(v, 16, 32); err != nil || len(v) != 8 {
			return Term{}, dicomweb.Errorf(dicomweb.BadRequest, "a tag is eight hexadecimal digits")
		}
		return Term{Op: Equal, Lo: strings.ToUpper(v)}, nil
	}
	v = Canonical(vr, v)
	if vr == dicom.UR || !strings.ContainsAny(v, "*?") {
		return Term{Op: Equal, Lo: v}, nil
	}
	return Term{Op: Wild, Lo: v}, nil
}

// Canonical returns the form in which a single value of VR vr is compared and indexed: names without case, accents
// and trailing delimiters; dates as YYYYMMDD; times as HHMMSSFFFFFF; numbers in their shortest form; other text as it
// is but for surrounding spaces. A value that is none of its VR stays as it is.
func Canonical(vr dicom.VR, v string) string {
	v = strings.Trim(v, " \x00")
	switch vr {
	case dicom.PN:
		return canonicalName(v)
	case dicom.DA:
		if d, ok := canonicalDate(v); ok {
			return d
		}
	case dicom.TM:
		if lo, _, ok := timeBounds(v); ok {
			return lo
		}
	case dicom.IS, dicom.DS, dicom.FL, dicom.FD, dicom.US, dicom.SS, dicom.UL, dicom.SL, dicom.UV, dicom.SV:
		if n, ok := canonicalNumber(v); ok {
			return n
		}
	}
	return v
}

// canonicalNumber gives equal numbers the same text: "+01" and "1", "1.50" and "1.5".
func canonicalNumber(v string) (string, bool) {
	if n, err := strconv.ParseInt(v, 10, 64); err == nil {
		return strconv.FormatInt(n, 10), true
	}
	if n, err := strconv.ParseUint(v, 10, 64); err == nil {
		return strconv.FormatUint(n, 10), true
	}
	if strings.Trim(v, "0123456789+-.eE") != "" { // ParseFloat takes words and hexadecimal too
		return "", false
	}
	f, err := strconv.ParseFloat(v, 64)
	if err != nil {
		return "", false
	}
	if f == 0 {
		return "0", true // -0 is 0
	}
	if f == float64(int64(f)) && f > -1e15 && f < 1e15 {
		return strconv.FormatInt(int64(f), 10), true
	}
	return strconv.FormatFloat(f, 'g', -1, 64), true
}
