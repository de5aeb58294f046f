// Package iod holds the modules that several information objects share (PS3.3 annex C): patient and study as the
// source has them, series, equipment, SOP common, frame of reference, contributing equipment, references. Each
// function fills one module of a data set. It makes no object on its own.
package iod

import (
	"fmt"
	"strings"
	"time"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/iod/code"
)

// patientStudy lists what a result takes over from the study that it belongs to, so that both are the same study to
// every archive.
var patientStudy = []tag.Tag{
	// Patient, C.7.1.1
	tag.PatientName, tag.PatientID, tag.IssuerOfPatientID, tag.TypeOfPatientID, tag.IssuerOfPatientIDQualifiersSequence,
	tag.PatientBirthDate, tag.PatientSex, tag.QualityControlSubject, tag.PatientBirthTime,
	tag.OtherPatientIDsSequence, tag.OtherPatientNames, tag.EthnicGroup, tag.PatientComments,
	tag.PatientSpeciesDescription, tag.PatientSpeciesCodeSequence, tag.PatientBreedDescription,
	tag.PatientBreedCodeSequence, tag.BreedRegistrationSequence, tag.ResponsiblePerson, tag.ResponsiblePersonRole,
	tag.ResponsibleOrganization, tag.PatientIdentityRemoved, tag.DeidentificationMethod,
	tag.DeidentificationMethodCodeSequence,
	// Clinical Trial Subject and Study, C.7.1.3 and C.7.2.3
	tag.ClinicalTrialSponsorName, tag.ClinicalTrialProtocolID, tag.ClinicalTrialProtocolName, tag.ClinicalTrialSiteID,
	tag.ClinicalTrialSiteName, tag.ClinicalTrialSubjectID, tag.ClinicalTrialSubjectReadingID,
	tag.ClinicalTrialTimePointID, tag.ClinicalTrialTimePointDescription,
	// General Study, C.7.2.1
	tag.StudyInstanceUID, tag.StudyDate, tag.StudyTime, tag.ReferringPhysicianName, tag.StudyID, tag.AccessionNumber,
	tag.IssuerOfAccessionNumberSequence, tag.StudyDescription, tag.ProcedureCodeSequence, tag.PhysiciansOfRecord,
	// Patient Study, C.7.2.2
	tag.AdmittingDiagnosesDescription, tag.PatientAge, tag.PatientSize, tag.PatientWeight, tag.PregnancyStatus,
	tag.PatientSexNeutered,
	// The zone that the dates and times above are in, C.12.1.
	tag.TimezoneOffsetFromUTC,
}

// PatientStudy copies the Patient, General Study and Patient Study modules from an instance of the study, as UTF-8
// whatever its character set, and adds what is of type 2 and missing, without a value.
func PatientStudy(d, source *dicom.Dataset) {
	for _, t := range patientStudy {
		if e := source.Get(t); e != nil && !e.Deferred() {
			d.Copy(source, t)
			oneCharacterSet(d.Items(t))
		}
	}
	for _, t := range []tag.Tag{
		tag.PatientName, tag.PatientID, tag.PatientBirthDate, tag.PatientSex,
		tag.StudyDate, tag.StudyTime, tag.ReferringPhysicianName, tag.StudyID, tag.AccessionNumber,
	} {
		if !d.Has(t) {
			d.Set(t)
		}
	}
}

// oneCharacterSet removes the Specific Character Set that items of the source may have of their own: what was copied
// is UTF-8 as the whole object is.
func oneCharacterSet(items []*dicom.Dataset) {
	for _, item := range items {
		item.Delete(tag.SpecificCharacterSet)
		for e := range item.All() {
			oneCharacterSet(e.Items)
		}
	}
}

// Zone returns now in the zone that a data set's dates and times are in: its Timezone Offset From UTC, or now's own
// where it states none.
func Zone(d *dicom.Dataset, now time.Time) time.Time {
	if t, err := time.Parse("-0700", d.String(tag.TimezoneOffsetFromUTC)); err == nil {
		return now.In(t.Location())
	}
	return now
}

// Date and Time write t as DA and TM, to the second.
func Date(t time.Time) string { return t.Format("20060102") }

// Time is Date's twin for TM.
func Time(t time.Time) string { return t.Format("150405") }

// SOPCommon fills the SOP Common module, C.12.1. All text is UTF-8.
func SOPCommon(d *dicom.Dataset, class, instance string, now time.Time) {
	d.Set(tag.SpecificCharacterSet, "ISO_IR 192")
	d.Set(tag.SOPClassUID, class)
	d.Set(tag.SOPInstanceUID, instance)
	d.Set(tag.InstanceCreationDate, Date(now))
	d.Set(tag.InstanceCreationTime, Time(now))
}

// Series is a series of results.
type Series struct {
	Modality    string // "SR", "SEG"
	UID         string
	Number      int
	Description string    // at most 64 characters
	Code        code.Code // of the description; may be zero
}

// General fills the General Series module, C.7.3.1.
func (s Series) General(d *dicom.Dataset, now time.Time) {
	d.Set(tag.Modality, s.Modality)
	d.Set(tag.SeriesInstanceUID, s.UID)
	d.Set(tag.SeriesNumber, s.Number)
	d.Set(tag.SeriesDate, Date(now))
	d.Set(tag.SeriesTime, Time(now))
	d.Set(tag.SeriesDescription, s.Description)
	if !s.Code.Zero() {
		d.SetItems(tag.SeriesDescriptionCodeSequence, s.Code.Item())
	}
}

// Equipment is the machine that made an object: the node, not the algorithm that ran on it.
type Equipment struct {
	Manufacturer, Model, Serial, SoftwareVersion string
}

// Validate returns an error that names the first field that an LO value cannot hold.
func (e Equipment) Validate() error {
	for _, f := range []struct{ name, value string }{
		{"manufacturer", e.Manufacturer}, {"model", e.Model}, {"serial", e.Serial}, {"software version", e.SoftwareVersion},
	} {
		if err := LO(f.name, f.value); err != nil {
			return err
		}
	}
	return nil
}

// Enhanced fills the Enhanced General Equipment module, C.7.5.2, whose attributes all need a value.
func (e Equipment) Enhanced(d *dicom.Dataset) {
	d.Set(tag.Manufacturer, e.Manufacturer)
	d.Set(tag.ManufacturerModelName, e.Model)
	d.Set(tag.DeviceSerialNumber, e.Serial)
	d.Set(tag.SoftwareVersions, e.SoftwareVersion)
}

// LO returns an error that names the field when value is empty or no Long String, PS3.5 section 6.2.
func LO(name, value string) error {
	switch {
	case strings.TrimSpace(value) == "":
		return fmt.Errorf("%s is empty", name)
	case len([]rune(value)) > 64:
		return fmt.Errorf("%s has more than 64 characters", name)
	case strings.ContainsFunc(value, func(r rune) bool { return r == '\\' || r < ' ' || r == 0x7f }):
		return fmt.Errorf("%s has a backslash or a control character", name)
	}
	return nil
}

// FrameOfReference fills the Frame of Reference module, C.7.4.1; an empty UID leaves it out.
func FrameOfReference(d *dicom.Dataset, frameOfReferenceUID, positionReference string) {
	if frameOfReferenceUID == "" {
		return
	}
	d.Set(tag.FrameOfReferenceUID, frameOfReferenceUID)
	if positionReference == "" {
		d.Set(tag.PositionReferenceIndicator)
		return
	}
	d.Set(tag.PositionReferenceIndicator, positionReference)
}
