package iod

import (
	"fmt"
	"strings"
	"time"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/iod/code"
)

// Algorithm identifies what made a result. IHE AI Results 6.5.3.1 wants the same values wherever an object says it:
// Contributing Equipment, the device observer and TID 4019 of an SR, the segments of a SEG. All four are written from
// this one.
type Algorithm struct {
	Name, Version, Manufacturer string
	DeviceUID                   string   // changes with every retraining
	Parameters                  []string // "name=value"
}

// Validate returns an error that names the first field that cannot be written.
func (a Algorithm) Validate() error {
	for _, f := range []struct{ name, value string }{
		{"algorithm name", a.Name}, {"algorithm version", a.Version}, {"algorithm manufacturer", a.Manufacturer},
	} {
		if err := LO(f.name, f.value); err != nil {
			return err
		}
	}
	if !uid.Valid(a.DeviceUID) {
		return fmt.Errorf("algorithm device UID is malformed")
	}
	return nil
}

// Contributing adds a to the Contributing Equipment Sequence, C.12.1. Description says what it contributed.
func (a Algorithm) Contributing(d *dicom.Dataset, description string, now time.Time) {
	item := dicom.New()
	item.SetItems(tag.PurposeOfReferenceCodeSequence, code.Processing.Item())
	item.Set(tag.Manufacturer, a.Manufacturer)
	item.Set(tag.ManufacturerModelName, a.Name)
	item.Set(tag.SoftwareVersions, a.Version)
	item.Set(tag.DeviceUID, a.DeviceUID)
	item.Set(tag.ContributionDateTime, Date(now)+Time(now)+now.Format("-0700")) // DT can say its zone, DA and TM cannot
	item.Set(tag.ContributionDescription, description)
	d.SetItems(tag.ContributingEquipmentSequence, append(d.Items(tag.ContributingEquipmentSequence), item)...)
}

// Identification returns a as an item of an Algorithm Identification macro, table 10-19.
func (a Algorithm) Identification() *dicom.Dataset {
	d := dicom.New()
	d.SetItems(tag.AlgorithmFamilyCodeSequence, code.AI.Item())
	d.Set(tag.AlgorithmName, a.Name)
	d.Set(tag.AlgorithmVersion, a.Version)
	d.Set(tag.AlgorithmSource, a.Manufacturer)
	if len(a.Parameters) > 0 {
		d.Set(tag.AlgorithmParameters, strings.Join(a.Parameters, "; "))
	}
	return d
}

// ReadIdentification is the inverse of Identification; the Device UID is not in that macro.
func ReadIdentification(item *dicom.Dataset) Algorithm {
	a := Algorithm{
		Name:         item.String(tag.AlgorithmName),
		Version:      item.String(tag.AlgorithmVersion),
		Manufacturer: item.String(tag.AlgorithmSource),
	}
	if p := item.String(tag.AlgorithmParameters); p != "" {
		a.Parameters = strings.Split(p, "; ")
	}
	return a
}

// CodingScheme returns the item of Coding Scheme Identification Sequence (C.12.1) that declares the local scheme.
func CodingScheme(organisation string) *dicom.Dataset {
	d := dicom.New()
	d.Set(tag.CodingSchemeDesignator, code.LocalScheme)
	d.Set(tag.CodingSchemeUID, code.LocalSchemeUID)
	d.Set(tag.CodingSchemeName, code.LocalSchemeName)
	d.Set(tag.CodingSchemeResponsibleOrganization, organisation)
	return d
}
