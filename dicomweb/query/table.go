package query

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"

	"mome/dicomweb/dicom/tag"
)

// Presence says when an attribute is part of an answer that did not ask for it.
type Presence int

// Presences.
const (
	OnRequest Presence = iota // by includefield, includefield=all or as a matching key
	IfKnown                   // when it has a value
	Always                    // without a value too (type 2)
)

// Attribute is one row of the table.
type Attribute struct {
	Tag      tag.Tag
	Level    Level
	Key      bool // a required matching key, PS3.18 table 10.6.1-5
	Answer   Presence
	Column   bool // has a column of its own in the index, so that it is found without reading each candidate
	Computed bool // counted or known by the archive, never read from an instance
}

// everywhere reports whether the attribute is part of every answer at its level and below: PS3.18 tables 10.6.3-4 and -5
// have the time zone too.
func (a Attribute) everywhere() bool {
	switch a.Tag {
	case tag.StudyInstanceUID, tag.SeriesInstanceUID, tag.SOPInstanceUID, tag.TimezoneOffsetFromUTC:
		return true
	}
	return false
}

// table is THE table: a row here is all that a new attribute needs; the index rebuilds when the table changes.
// The first rows of each level are those of PS3.18 tables 10.6.1-5 and 10.6.3-3 to -5 (RetrieveURL is made by the
// service that knows its own address); the others are what viewers ask for by includefield, what is constant within
// a study or series by PS3.3 C.7.1 to C.7.5, and what consumers of AI results look for (IHE RAD TF-2, RAD-129).
var table = []Attribute{
	{Tag: tag.StudyDate, Level: Study, Key: true, Answer: Always, Column: true},
	{Tag: tag.StudyTime, Level: Study, Key: true, Answer: Always, Column: true},
	{Tag: tag.AccessionNumber, Level: Study, Key: true, Answer: Always, Column: true},
	{Tag: tag.InstanceAvailability, Level: Study, Answer: IfKnown, Computed: true},
	{Tag: tag.ModalitiesInStudy, Level: Study, Key: true, Answer: Always, Computed: true},
	{Tag: tag.ReferringPhysicianName, Level: Study, Key: true, Answer: Always, Column: true},
	{Tag: tag.TimezoneOffsetFromUTC, Level: Study, Answer: IfKnown},
	{Tag: tag.PatientName, Level: Study, Key: true, Answer: Always, Column: true},
	{Tag: tag.PatientID, Level: Study, Key: true, Answer: Always, Column: true},
	{Tag: tag.PatientBirthDate, Level: Study, Answer: Always, Column: true},
	{Tag: tag.PatientSex, Level: Study, Answer: Always, Column: true},
	{Tag: tag.StudyInstanceUID, Level: Study, Key: true, Answer: Always, Column: true},
	{Tag: tag.StudyID, Level: Study, Key: true, Answer: Always, Column: true},
	{Tag: tag.NumberOfStudyRelatedSeries, Level: Study, Answer: Always, Computed: true},
	{Tag: tag.NumberOfStudyRelatedInstances, Level: Study, Answer: Always, Computed: true},
	{Tag: tag.StudyDescription, Level: Study, Answer: IfKnown, Column: true},
	{Tag: tag.SOPClassesInStudy, Level: Study, Computed: true},
	{Tag: tag.IssuerOfAccessionNumberSequence, Level: Study},
	{Tag: tag.ConsultingPhysicianName, Level: Study},
	{Tag: tag.ProcedureCodeSequence, Level: Study},
	{Tag: tag.PhysiciansOfRecord, Level: Study},
	{Tag: tag.NameOfPhysiciansReadingStudy, Level: Study},
	{Tag: tag.AdmittingDiagnosesDescription, Level: Study},
	{Tag: tag.IssuerOfPatientID, Level: Study},
	{Tag: tag.IssuerOfPatientIDQualifiersSequence, Level: Study},
	{Tag: tag.PatientBirthTime, Level: Study},
	{Tag: tag.OtherPatientIDs, Level: Study},
	{Tag: tag.OtherPatientNames, Level: Study},
	{Tag: tag.OtherPatientIDsSequence, Level: Study},
	{Tag: tag.PatientAge, Level: Study},
	{Tag: tag.PatientSize, Level: Study},
	{Tag: tag.PatientWeight, Level: Study},
	{Tag: tag.EthnicGroup, Level: Study},
	{Tag: tag.Occupation, Level: Study},
	{Tag: tag.AdditionalPatientHistory, Level: Study},
	{Tag: tag.PatientComments, Level: Study},
	{Tag: tag.PatientIdentityRemoved, Level: Study},
	{Tag: tag.DeidentificationMethod, Level: Study},
	{Tag: tag.ReasonForPerformedProcedureCodeSequence, Level: Study},

	{Tag: tag.Modality, Level: Series, Key: true, Answer: Always, Column: true},
	{Tag: tag.SeriesDescription, Level: Series, Answer: IfKnown, Column: true},
	{Tag: tag.SeriesInstanceUID, Level: Series, Key: true, Answer: Always, Column: true},
	{Tag: tag.SeriesNumber, Level: Series, Key: true, Answer: Always, Column: true},
	{Tag: tag.NumberOfSeriesRelatedInstances, Level: Series, Answer: Always, Computed: true},
	{Tag: tag.PerformedProcedureStepStartDate, Level: Series, Key: true, Answer: IfKnown, Column: true},
	{Tag: tag.PerformedProcedureStepStartTime, Level: Series, Key: true, Answer: IfKnown, Column: true},
	{Tag: tag.RequestAttributesSequence, Level: Series, Key: true, Answer: IfKnown},
	{Tag: tag.SeriesDate, Level: Series, Answer: IfKnown, Column: true},
	{Tag: tag.SeriesTime, Level: Series, Answer: IfKnown, Column: true},
	{Tag: tag.BodyPartExamined, Level: Series, Answer: IfKnown, Column: true},
	{Tag: tag.Laterality, Level: Series},
	{Tag: tag.Manufacturer, Level: Series},
	{Tag: tag.InstitutionName, Level: Series},
	{Tag: tag.StationName, Level: Series},
	{Tag: tag.SeriesDescriptionCodeSequence, Level: Series},
	{Tag: tag.InstitutionalDepartmentName, Level: Series},
	{Tag: tag.PerformingPhysicianName, Level: Series},
	{Tag: tag.OperatorsName, Level: Series},
	{Tag: tag.ManufacturerModelName, Level: Series},
	{Tag: tag.ReferencedPerformedProcedureStepSequence, Level: Series},
	{Tag: tag.MagneticFieldStrength, Level: Series},
	{Tag: tag.DeviceSerialNumber, Level: Series},
	{Tag: tag.SoftwareVersions, Level: Series},
	{Tag: tag.ProtocolName, Level: Series},
	{Tag: tag.PatientPosition, Level: Series},
	{Tag: tag.FrameOfReferenceUID, Level: Series},
	{Tag: tag.PositionReferenceIndicator, Level: Series},
	{Tag: tag.PerformedProcedureStepID, Level: Series},
	{Tag: tag.PerformedProcedureStepDescription, Level: Series},
	{Tag: tag.PerformedProtocolCodeSequence, Level: Series},
	{Tag: tag.CommentsOnThePerformedProcedureStep, Level: Series},
	{Tag: tag.ClinicalTrialSeriesID, Level: Series},

	{Tag: tag.SOPClassUID, Level: Instance, Key: true, Answer: Always, Column: true},
	{Tag: tag.SOPInstanceUID, Level: Instance, Key: true, Answer: Always, Column: true},
	{Tag: tag.InstanceNumber, Level: Instance, Key: true, Answer: Always, Column: true},
	{Tag: tag.AvailableTransferSyntaxUID, Level: Instance, Answer: IfKnown},
	{Tag: tag.NumberOfFrames, Level: Instance, Answer: IfKnown},
	{Tag: tag.Rows, Level: Instance, Answer: IfKnown},
	{Tag: tag.Columns, Level: Instance, Answer: IfKnown},
	{Tag: tag.BitsAllocated, Level: Instance, Answer: IfKnown},
	{Tag: tag.ContentDate, Level: Instance, Answer: OnRequest},
	{Tag: tag.ContentTime, Level: Instance, Answer: OnRequest},
	{Tag: tag.ImageLaterality, Level: Instance},
	{Tag: tag.ConceptNameCodeSequence, Level: Instance},
	{Tag: tag.ContentTemplateSequence, Level: Instance},
	{Tag: tag.ContributingEquipmentSequence, Level: Instance},
	{Tag: tag.SegmentSequence, Level: Instance},
	{Tag: tag.QuantityDefinitionSequence, Level: Instance},
}

// Attributes returns the table's rows, by level.
func Attributes() []Attribute { return slices.Clone(table) }

// rows finds a row by tag.
var rows = sync.OnceValue(func() map[tag.Tag]Attribute {
	m := make(map[tag.Tag]Attribute, len(table))
	for _, a := range table {
		m[a.Tag] = a
	}
	return m
})

// names finds a row by its keyword in lower case: keywords are compared without case for the table's own attributes.
var names = sync.OnceValue(func() map[string]tag.Tag {
	m := make(map[string]tag.Tag, len(table))
	for _, a := range table {
		m[strings.ToLower(a.Tag.Keyword())] = a.Tag
	}
	return m
})

// Lookup returns the table's row for t.
func Lookup(t tag.Tag) (Attribute, bool) {
	a, ok := rows()[t]
	return a, ok
}

// LevelOf returns the level that t belongs to, Instance for an attribute outside the table.
func LevelOf(t tag.Tag) Level {
	if a, ok := rows()[t]; ok {
		return a.Level
	}
	return Instance
}

// TableHash changes whenever the table does: an index that was built by another table is rebuilt.
func TableHash() string {
	sum := sha256.Sum256([]byte(fmt.Sprint(table)))
	return hex.EncodeToString(sum[:8])
}
