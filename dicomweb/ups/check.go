package ups

import (
	"fmt"
	"slices"
	"strings"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
)

// faults collects what is wrong with a data set, so that a client learns all at once. It never holds a value.
type faults []string

// mostFaults bounds the answer.
const mostFaults = 12

func (f *faults) add(t tag.Tag, format string, args ...any) {
	if len(*f) < mostFaults {
		*f = append(*f, fmt.Sprintf("%s %v ", t.Keyword(), t)+fmt.Sprintf(format, args...))
	}
}

func (f faults) err(what string) error {
	if len(f) == 0 {
		return nil
	}
	return dicomweb.Errorf(dicomweb.BadRequest, "%s: %s (PS3.4 table CC.2.5-3)", what, strings.Join(f, "; "))
}

// admit checks the data set of a new workitem and completes it. Modified tells that the client's word was not kept as it was.
func (w *Worklist) admit(id string, ds *dicom.Dataset) (modified bool, err error) {
	var f faults
	for _, r := range requirements {
		e := ds.Get(r.tag)
		switch r.create {
		case value:
			if empty(e) {
				f.add(r.tag, "needs a value")
			}
		case present:
			if e == nil {
				ds.Put(&dicom.Element{Tag: r.tag, VR: dicom.VR(tag.Lookup(r.tag).VRs[0])})
				modified = true
			}
		case forbidden:
			if !empty(e) {
				f.add(r.tag, "must be empty")
			}
			if r.tag == tag.TransactionUID {
				ds.Delete(r.tag)
			} else if e == nil {
				ds.Put(&dicom.Element{Tag: r.tag, VR: dicom.SQ})
			}
		}
	}
	if state := ds.String(tag.ProcedureStepState); state != "" && state != string(Scheduled) {
		f.add(tag.ProcedureStepState, "must be SCHEDULED")
	}
	if own := ds.String(tag.SOPInstanceUID); own != "" && own != id {
		f.add(tag.SOPInstanceUID, "is another UID than the request's")
	}
	f.values(ds)
	if err := f.err("the workitem is not as it must be"); err != nil {
		return false, err
	}
	if ds.String(tag.WorklistLabel) == "" {
		ds.Set(tag.WorklistLabel, w.cfg.Label)
		modified = true
	}
	ds.Set(tag.SOPClassUID, uid.UnifiedProcedureStepPush)
	ds.Set(tag.SOPInstanceUID, id)
	return modified, nil
}

// values checks values wherever they are given.
func (f *faults) values(ds *dicom.Dataset) {
	for _, t := range terms {
		if v := ds.String(t.tag); v != "" && !slices.Contains(t.values, v) {
			f.add(t.tag, "must be one of %s", strings.Join(t.values, ", "))
		}
	}
	for _, t := range moments {
		if v := ds.String(t); v != "" {
			if _, ok := ds.DateTime(t); !ok {
				f.add(t, "is no date and time")
			}
		}
	}
	f.within(ds)
}

// within checks all levels: values that are elsewhere, sequences that are none, bytes in place of values, malformed UIDs, codes
// without value or meaning, groups that are no part of a data set.
func (f *faults) within(ds *dicom.Dataset) {
	for e := range ds.All() {
		vrs := tag.Lookup(e.Tag).VRs
		sequence := slices.Contains(vrs, string(dicom.SQ))
		switch {
		case e.Tag.Group() <= 2 || e.Tag.Group()%2 == 0 && len(vrs) == 0:
			f.add(e.Tag, "does not belong in a workitem")
		case sequence && e.VR != dicom.SQ:
			f.add(e.Tag, "must be a sequence")
		case !sequence && len(vrs) > 0 && e.VR == dicom.SQ:
			f.add(e.Tag, "must not be a sequence")
		case len(vrs) > 0 && e.VR.Opaque() && !dicom.VR(vrs[0]).Opaque():
			f.add(e.Tag, "must not be binary")
		case e.BulkDataURI != "" || e.Deferred():
			f.add(e.Tag, "must be given in place, not as bulk data")
		case e.VR == dicom.UI:
			for _, v := range ds.ElementStrings(e) {
				if v != "" && !uid.Valid(v) {
					f.add(e.Tag, "is no UID")
				}
			}
		}
		for _, item := range e.Items {
			if strings.HasSuffix(e.Tag.Keyword(), "CodeSequence") && !coded(item) {
				f.add(e.Tag, "has an item without Code Value and Code Meaning")
			}
			f.within(item)
		}
	}
}

// coded reports whether an item is a code, PS3.3 table 8.8-1a.
func coded(item *dicom.Dataset) bool {
	if item.String(tag.CodeMeaning) == "" {
		return false
	}
	if item.String(tag.URNCodeValue) != "" {
		return true
	}
	return item.String(tag.CodingSchemeDesignator) != "" && item.String(tag.CodeValue)+item.String(tag.LongCodeValue) != ""
}

// checkSet checks the data set of an update.
func checkSet(ds *dicom.Dataset) error {
	var f faults
	for _, r := range requirements {
		e := ds.Get(r.tag)
		switch {
		case e == nil:
		case r.set == forbidden:
			f.add(r.tag, "cannot be set")
		case r.set == value && empty(e):
			f.add(r.tag, "needs a value")
		}
	}
	f.values(ds)
	return f.err("the update is not as it must be")
}

// checkFinal returns what a workitem lacks to be final (PS3.4 CC.2.5.1.1), nothing where it lacks nothing.
func checkFinal(ds *dicom.Dataset, s State) faults {
	var f faults
	for _, r := range requirements {
		if needed := r.final == always || r.final == completed && s == Completed || r.final == canceled && s == Canceled; needed && empty(ds.Get(r.tag)) {
			f.add(r.tag, "needs a value")
		}
	}
	if s != Completed {
		return f
	}
	for _, item := range ds.Items(tag.UnifiedProcedureStepPerformedProcedureSequence) {
		for _, t := range performedFinally {
			e := item.Get(t)
			if e == nil || t != tag.OutputInformationSequence && empty(e) {
				f.add(t, "needs a value in the Performed Procedure Sequence")
			}
		}
	}
	return f
}

// empty reports whether an attribute is absent or without value.
func empty(e *dicom.Element) bool {
	return e == nil || len(strings.Trim(string(e.Value), " \x00")) == 0 && len(e.Items) == 0
}
