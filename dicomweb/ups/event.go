package ups

import (
	"bytes"
	"strconv"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
)

// Event Type IDs, PS3.4 table CC.2.4-1.
const (
	stateReport     = 1
	cancelRequested = 2
	progressReport  = 3
	statusChange    = 4
	assigned        = 5
)

// report sends an event to all who subscribe to a workitem and returns whether anybody does.
func (t *change) report(id string, kind int, info *dicom.Dataset) (watched bool, err error) {
	aes, err := t.titles(`SELECT ae FROM ups_subscription WHERE workitem = ? ORDER BY ae`, id)
	if err != nil {
		return false, err
	}
	for _, ae := range aes {
		if err := t.send(ae, id, kind, info); err != nil {
			return false, err
		}
	}
	return len(aes) > 0, nil
}

// send writes an event down for one subscriber, and takes its oldest away where there are too many.
func (t *change) send(ae, id string, kind int, info *dicom.Dataset) error {
	number := t.w.lastID.Add(1)
	body, err := eventBody(number, id, kind, info)
	if err != nil {
		return err
	}
	if _, err := t.Exec(`INSERT INTO ups_event (id, ae, body) VALUES (?, ?, ?)`, number, ae, string(body)); err != nil {
		return err
	}
	if _, err := t.Exec(`DELETE FROM ups_event WHERE ae = ? AND id <= (SELECT id FROM ups_event WHERE ae = ? ORDER BY id DESC LIMIT 1 OFFSET ?)`,
		ae, ae, t.w.cfg.Events); err != nil {
		return err
	}
	t.told[ae] = true
	return nil
}

// eventBody writes an Event Report as DICOM JSON: the attributes of the N-EVENT-REPORT request (PS3.7 table 10.3-1), then
// the event's own. The workitem's SOP Class is always UPS Push (PS3.4 CC.2.4.3).
func eventBody(number int64, id string, kind int, info *dicom.Dataset) ([]byte, error) {
	us := func(t string, n int64) string {
		return `"` + t + `":{"vr":"US","Value":[` + strconv.FormatInt(n, 10) + `]}`
	}
	b := []byte(`{"00000002":{"vr":"UI","Value":["` + uid.UnifiedProcedureStepPush + `"]},` +
		us("00000100", 0x0100) + `,` + // Command Field: N-EVENT-REPORT-RQ
		us("00000110", number&0xFFFF) + `,` + // Message ID
		us("00000800", 0) + `,` + // a data set is there
		`"00001000":{"vr":"UI","Value":["` + id + `"]},` +
		us("00001002", int64(kind)))
	info.Set(tag.SpecificCharacterSet, "ISO_IR 192")
	own, err := dicom.AppendJSON(nil, info, dicom.JSONOptions{})
	if err != nil {
		return nil, err
	}
	return append(append(b, ','), own[1:]...), nil
}

// reportState tells of the state that a workitem is in.
func (t *change) reportState(i *Workitem) error {
	_, err := t.report(i.UID, stateReport, stateOf(i))
	return err
}

// stateOf is what a UPS State Report says.
func stateOf(i *Workitem) *dicom.Dataset {
	info := dicom.New()
	info.Set(tag.ProcedureStepState, string(i.State))
	info.Copy(i.Dataset, tag.InputReadinessState)
	if i.State == Canceled {
		info.Copy(progressOf(i.Dataset), tag.ReasonForCancellation, tag.ProcedureStepDiscontinuationReasonCodeSequence)
	}
	return info
}

// reportChanges tells of an Input Readiness State and of progress that are other ones than before.
func (t *change) reportChanges(before *dicom.Dataset, i *Workitem) error {
	if before.String(tag.InputReadinessState) != i.Dataset.String(tag.InputReadinessState) {
		if err := t.reportState(i); err != nil {
			return err
		}
	}
	was, err := progressReportOf(before)
	if err != nil {
		return err
	}
	is, err := progressReportOf(i.Dataset)
	if err != nil || bytes.Equal(was.text, is.text) {
		return err
	}
	_, err = t.report(i.UID, progressReport, is.info)
	return err
}

type report struct {
	info *dicom.Dataset
	text []byte // to be compared
}

// progressReportOf is what a UPS Progress Report says: the part of the Progress Information Sequence that tells progress.
func progressReportOf(ds *dicom.Dataset) (report, error) {
	from, item := progressOf(ds), dicom.New()
	item.Copy(from, tag.ProcedureStepProgress, tag.ProcedureStepProgressDescription, tag.ProcedureStepProgressParametersSequence,
		tag.ProcedureStepCommunicationsURISequence)
	info := dicom.New()
	info.SetItems(tag.ProcedureStepProgressInformationSequence, item)
	text, err := dicom.AppendJSON(nil, info, dicom.JSONOptions{})
	return report{info, text}, err
}

// reportAssigned tells to whom a workitem is assigned, where that is another one than before; nil before means a new one.
func (t *change) reportAssigned(before *dicom.Dataset, i *Workitem) error {
	was, err := assignment(before)
	if err != nil {
		return err
	}
	is, err := assignment(i.Dataset)
	if err != nil || bytes.Equal(was.text, is.text) {
		return err
	}
	_, err = t.report(i.UID, assigned, is.info)
	return err
}

// assignment is what a UPS Assigned event says.
func assignment(ds *dicom.Dataset) (report, error) {
	info := dicom.New()
	if ds == nil {
		ds = dicom.New()
	}
	if len(ds.Items(tag.ScheduledStationNameCodeSequence)) > 0 {
		info.Copy(ds, tag.ScheduledStationNameCodeSequence)
	}
	for _, human := range ds.Items(tag.ScheduledHumanPerformersSequence) {
		info.Copy(human, tag.HumanPerformerCodeSequence, tag.HumanPerformerOrganization)
		break
	}
	text, err := dicom.AppendJSON(nil, info, dicom.JSONOptions{})
	return report{info, text}, err
}

// reportCancelRequest tells that somebody wants a workitem canceled.
func (t *change) reportCancelRequest(i *Workitem, c Cancellation) (watched bool, err error) {
	info := dicom.New()
	info.Set(tag.RequestingAE, c.RequestingAE)
	for _, v := range []struct {
		tag  tag.Tag
		text string
	}{{tag.ReasonForCancellation, c.Reason}, {tag.ContactURI, c.ContactURI}, {tag.ContactDisplayName, c.ContactName}} {
		if v.text != "" {
			info.Set(v.tag, v.text)
		}
	}
	if c.Code != nil {
		info.SetItems(tag.ProcedureStepDiscontinuationReasonCodeSequence, c.Code)
	}
	return t.report(i.UID, cancelRequested, info)
}

// announce tells every subscriber that the node starts or ends. Subscriptions and workitems are always kept.
func (t *change) announce(status string) error {
	aes, err := t.titles(`SELECT ae FROM ups_subscription UNION SELECT ae FROM ups_global ORDER BY ae`)
	if err != nil {
		return err
	}
	info := dicom.New()
	info.Set(tag.SCPStatus, status)
	info.Set(tag.SubscriptionListStatus, "WARM START")
	info.Set(tag.UnifiedProcedureStepListStatus, "WARM START")
	for _, ae := range aes {
		if status == "GOING DOWN" && !t.w.channels.listening(ae) {
			continue // it will hear of the restart
		}
		if err := t.send(ae, GlobalSubscription, statusChange, info); err != nil {
			return err
		}
	}
	return nil
}

// titles reads AE titles.
func (t *change) titles(query string, args ...any) (aes []string, err error) {
	rows, err := t.QueryContext(t.ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var ae string
		if err := rows.Scan(&ae); err != nil {
			return nil, err
		}
		aes = append(aes, ae)
	}
	return aes, rows.Err()
}
