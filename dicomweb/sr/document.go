package sr

import (
	"time"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/iod"
)

// Document is a content tree with what an SR says about itself.
type Document struct {
	Root         *Item
	Predecessors []iod.Instance // older documents that this one replaces
	Evidence     []iod.Instance // beside those that the tree points to
	Pertinent    []iod.Instance // other objects that belong to it, such as another report on the same findings
}

// Fill writes the SR Document Series, General and Content modules (PS3.3 C.17.1 to C.17.3) of a complete document
// that nobody has verified. Everything that the tree points to is in the evidence.
func (doc Document) Fill(d *dicom.Dataset, now time.Time) error {
	d.SetItems(tag.ReferencedPerformedProcedureStepSequence)
	d.Set(tag.InstanceNumber, 1)
	d.Set(tag.CompletionFlag, "COMPLETE")
	d.Set(tag.VerificationFlag, "UNVERIFIED")
	d.Set(tag.PreliminaryFlag, "PRELIMINARY")
	d.Set(tag.ContentDate, iod.Date(now))
	d.Set(tag.ContentTime, iod.Time(now))
	d.SetItems(tag.PerformedProcedureCodeSequence)
	if len(doc.Predecessors) > 0 {
		d.SetItems(tag.PredecessorDocumentsSequence, iod.Hierarchical(doc.Predecessors)...)
	}
	if evidence := append(doc.Root.Instances(), doc.Evidence...); len(evidence) > 0 {
		d.SetItems(tag.CurrentRequestedProcedureEvidenceSequence, iod.Hierarchical(evidence)...)
	}
	if len(doc.Pertinent) > 0 {
		d.SetItems(tag.PertinentOtherEvidenceSequence, iod.Hierarchical(doc.Pertinent)...)
	}
	return Encode(d, doc.Root)
}
