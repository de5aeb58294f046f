package dicom

import "strings"

// PersonName is a value of VR PN: up to three representations of one name, each of five components joined by "^"
// (family, given, middle name, prefix, suffix), PS3.5 section 6.2.1.
type PersonName struct {
	Alphabetic, Ideographic, Phonetic string
}

// ParsePN splits a value of VR PN into its component groups.
func ParsePN(s string) PersonName {
	alphabetic, rest, _ := strings.Cut(s, "=")
	ideographic, phonetic, _ := strings.Cut(rest, "=")
	return PersonName{
		Alphabetic:  strings.TrimRight(alphabetic, " "),
		Ideographic: strings.TrimRight(ideographic, " "),
		Phonetic:    strings.TrimRight(phonetic, " "),
	}
}

// String returns the name as a value of VR PN.
func (n PersonName) String() string {
	return strings.TrimRight(n.Alphabetic+"="+n.Ideographic+"="+n.Phonetic, "=")
}
