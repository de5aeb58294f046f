package page

import (
	"strings"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
)

// Patient is who was examined and what the examination is called, as the archive's search answers. Every field may be "".
type Patient struct {
	Name, ID, BirthDate, Sex     string
	Date, Accession, Description string
}

func patientOf(d *dicom.Dataset) (p Patient) {
	if d == nil {
		return p
	}
	return Patient{
		Name: nameOf(d.String(tag.PatientName)), ID: d.String(tag.PatientID), BirthDate: dateOf(d.String(tag.PatientBirthDate)),
		Sex: d.String(tag.PatientSex), Date: dateOf(d.String(tag.StudyDate)), Accession: d.String(tag.AccessionNumber),
		Description: d.String(tag.StudyDescription),
	}
}

// nameOf writes a name as people do, each of its representations: "Hong, Gildong (洪, 吉洞)".
func nameOf(pn string) string {
	n := dicom.ParsePN(pn)
	var groups []string
	for _, g := range [...]string{n.Alphabetic, n.Ideographic, n.Phonetic} {
		var parts []string
		for c := range strings.SplitSeq(g, "^") {
			if c = strings.TrimSpace(c); c != "" {
				parts = append(parts, c)
			}
		}
		if len(parts) > 0 {
			groups = append(groups, strings.Join(parts, ", "))
		}
	}
	if len(groups) < 2 {
		return strings.Join(groups, "")
	}
	return groups[0] + " (" + strings.Join(groups[1:], "; ") + ")"
}

// dateOf writes a value of VR DA as 2025-03-14; what is none stays as it is.
func dateOf(da string) string {
	if len(da) != 8 {
		return da
	}
	return da[:4] + "-" + da[4:6] + "-" + da[6:]
}
