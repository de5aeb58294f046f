package ups

import (
	"mome/dicomweb/dicom/tag"
)

// need is what a service wants of an attribute (PS3.4 section 5.4, PS3.7 table 7.5-1).
type need int

const (
	optional  need = iota // type 3
	value                 // type 1
	present               // type 2: may be empty; an absent one is made empty
	forbidden             // not allowed, or only empty
	provider              // the provider's own: what a client gives is replaced
)

// finality is a code of PS3.4 table CC.2.5-1.
type finality byte

const (
	free      finality = 'O'
	always    finality = 'R' // needed to be COMPLETED or CANCELED
	completed finality = 'P' // needed to be COMPLETED
	canceled  finality = 'X' // needed to be CANCELED
)

// requirement is a row of PS3.4 table CC.2.5-3, "UPS SOP Class N-CREATE/N-SET/N-GET/C-FIND Attributes".
type requirement struct {
	tag    tag.Tag
	create need
	set    need
	final  finality
	answer bool // Return Key Type 1 or 2: part of every answer to a search
}

// requirements are the rows of the top level that differ from "3, 3, O, 3", in the order of the table.
var requirements = []requirement{
	{tag.TransactionUID, forbidden, forbidden, free, false},
	{tag.SOPClassUID, provider, forbidden, always, true},
	{tag.SOPInstanceUID, provider, forbidden, always, true},

	// Unified Procedure Step Scheduled Procedure Information
	{tag.ScheduledProcedureStepPriority, value, value, always, true},
	{tag.ScheduledProcedureStepModificationDateTime, provider, provider, always, true},
	{tag.ProcedureStepLabel, value, value, free, true},
	{tag.WorklistLabel, present, value, free, true},
	{tag.ScheduledProcessingParametersSequence, present, optional, free, true},
	{tag.ScheduledStationNameCodeSequence, present, optional, free, true},
	{tag.ScheduledStationClassCodeSequence, present, optional, free, true},
	{tag.ScheduledStationGeographicLocationCodeSequence, present, optional, free, true},
	{tag.ScheduledHumanPerformersSequence, optional, optional, free, true},
	{tag.ScheduledProcedureStepStartDateTime, value, value, always, true},
	{tag.ExpectedCompletionDateTime, optional, value, free, false},
	{tag.ScheduledWorkitemCodeSequence, present, value, free, true},
	{tag.CommentsOnTheScheduledProcedureStep, present, value, free, false},
	{tag.InputReadinessState, value, value, always, true},
	{tag.InputInformationSequence, present, optional, free, true},
	{tag.StudyInstanceUID, optional, optional, free, true},

	// Unified Procedure Step Relationship
	{tag.PatientName, present, forbidden, free, true},
	{tag.PatientID, present, forbidden, free, true},
	{tag.IssuerOfPatientID, present, forbidden, free, true},
	{tag.IssuerOfPatientIDQualifiersSequence, present, forbidden, free, true},
	{tag.OtherPatientIDsSequence, present, optional, free, true},
	{tag.PatientBirthDate, present, forbidden, free, true},
	{tag.PatientSex, present, forbidden, free, true},
	{tag.AdmissionID, present, forbidden, free, true},
	{tag.IssuerOfAdmissionIDSequence, present, forbidden, free, true},
	{tag.AdmittingDiagnosesDescription, present, forbidden, free, true},
	{tag.AdmittingDiagnosesCodeSequence, present, forbidden, free, true},
	{tag.ReferencedRequestSequence, present, forbidden, free, true},
	{tag.ReplacedProcedureStepSequence, optional, forbidden, free, false},

	// Patient Medical: returned where present
	{tag.MedicalAlerts, optional, optional, free, true},
	{tag.PregnancyStatus, optional, optional, free, true},
	{tag.SpecialNeeds, optional, optional, free, true},

	// Unified Procedure Step Progress and Performed Procedure Information
	{tag.ProcedureStepState, value, forbidden, always, true},
	{tag.ProcedureStepProgressInformationSequence, forbidden, optional, canceled, true},
	{tag.UnifiedProcedureStepPerformedProcedureSequence, forbidden, optional, completed, false},
}

// performedFinally are the attributes of the Performed Procedure Sequence's item with final state code P. The output may be
// a sequence without items.
var performedFinally = []tag.Tag{
	tag.PerformedStationNameCodeSequence, tag.PerformedProcedureStepStartDateTime, tag.PerformedWorkitemCodeSequence,
	tag.PerformedProcedureStepEndDateTime, tag.OutputInformationSequence,
}

// terms are the values that attributes are limited to (PS3.3 C.30.1 and C.30.2).
var terms = []struct {
	tag    tag.Tag
	values []string
}{
	{tag.ScheduledProcedureStepPriority, []string{"HIGH", "MEDIUM", "LOW"}},
	{tag.InputReadinessState, []string{"INCOMPLETE", "UNAVAILABLE", "READY"}},
}

// moments are attributes that must be a date and time.
var moments = []tag.Tag{
	tag.ScheduledProcedureStepStartDateTime, tag.ExpectedCompletionDateTime, tag.ScheduledProcedureStepExpirationDateTime,
}
