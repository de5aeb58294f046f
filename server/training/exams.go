package training

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/experts"
	"mome/experts/clinical"
	"mome/server/analysis"
)

// Exam is one stored examination that labels can name.
type Exam struct {
	StudyUID    string
	Patient     string // digest of the Patient ID, see PatientDigest; "" where there is none
	Facts       Facts  // vendor and age, as the headers have them
	Fingerprint string // another one when its instances are others
	Objects     []analysis.Object
}

// PatientDigest stands for a Patient ID within one run.
func PatientDigest(id string) string {
	if strings.TrimSpace(id) == "" {
		return ""
	}
	return digest(id)
}

// FactsOf reads vendor and age from a header: Patient's Age, else Patient's Birth Date and Study Date.
func FactsOf(h *dicom.Dataset) Facts {
	return Facts{Vendor: Vendor(h.String(tag.Manufacturer)), Context: clinical.Context{AgeYears: ageOf(h)}}
}

func ageOf(h *dicom.Dataset) experts.Quantity {
	return clinical.Age(h.String(tag.PatientAge), h.String(tag.PatientBirthDate), h.String(tag.StudyDate))
}

// FromFolder lists the studies among the DICOM files below dir, in order of their UIDs, and how many other files it
// passed over. Files that use refuses belong to no study. A fingerprint is made of the instances' UIDs and sizes.
func FromFolder(ctx context.Context, dir string, use func(*dicom.Dataset) bool) (exams []Exam, passedOver int, err error) {
	found := map[string]*Exam{}
	prints := map[string][]string{}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		f, c, err := dicom.ReadFile(path)
		if err != nil {
			passedOver++
			return nil
		}
		defer c.Close()
		study, _, instance, _, err := f.Ref()
		if err != nil || !use(f.Dataset) {
			passedOver++
			return nil
		}
		e := found[study]
		if e == nil {
			e = &Exam{StudyUID: study}
			found[study] = e
		}
		if e.Patient == "" {
			e.Patient = PatientDigest(f.Dataset.String(tag.PatientID))
		}
		if e.Facts == (Facts{}) && f.Dataset.String(tag.Modality) == "MR" {
			e.Facts = FactsOf(f.Dataset)
		}
		e.Objects = append(e.Objects, file(path))
		prints[study] = append(prints[study], fmt.Sprint(instance, " ", f.Size))
		return nil
	})
	if err != nil {
		return nil, passedOver, fmt.Errorf("list studies: %w", err)
	}
	for study, e := range found {
		slices.Sort(prints[study])
		e.Fingerprint = key(prints[study])
		exams = append(exams, *e)
	}
	slices.SortFunc(exams, func(a, b Exam) int { return strings.Compare(a.StudyUID, b.StudyUID) })
	return exams, passedOver, nil
}

// file is a DICOM file on disk.
type file string

func (p file) Open() (*dicom.File, io.Closer, error) { return dicom.ReadFile(string(p)) }
