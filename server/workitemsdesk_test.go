package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/ups"
	"mome/server/jobs"
)

// desk is a performer over an archive and a queue whose runs the test ends.
type desk struct {
	t    *testing.T
	a    *archive.Archive
	p    *performer
	q    *jobs.Queue
	runs chan *deskRun
}

type deskRun struct {
	jobs.Job
	ctx context.Context
	end chan error
}

// openDesk starts it over dir; stop or the test's end ends it.
func openDesk(t *testing.T, dir string, edit ...func(*jobs.Config)) *desk {
	t.Helper()
	d := &desk{t: t, runs: make(chan *deskRun, 8)}
	var err error
	f := nodeFlags{Data: dir, MaxInstance: 64, Attempts: 2, Workitems: true}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	if d.a, err = openArchive(t.Context(), f, log, func(study string) { d.q.Changed(study) }); err != nil {
		t.Fatal(err)
	}
	queue := jobs.Config{Archive: d.a, Settle: time.Millisecond, Attempts: 2, Log: log, Backoff: func(int) time.Duration { return time.Hour },
		Run: func(ctx context.Context, job jobs.Job, _ func(string, float64)) (jobs.Result, error) {
			r := &deskRun{job, ctx, make(chan error)}
			d.runs <- r
			select {
			case err := <-r.end:
				return jobs.Result{Summary: "read"}, err
			case <-ctx.Done():
				return jobs.Result{}, ctx.Err()
			}
		}}
	for _, e := range edit {
		e(&queue)
	}
	if d.p, err = openWorklist(t.Context(), d.a, f, &queue); err != nil {
		t.Fatal(err)
	}
	if d.q, err = jobs.New(queue); err != nil {
		t.Fatal(err)
	}
	if err = d.p.start(d.q); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.stop)
	return d
}

// stop ends it at once, as far as it has not ended.
func (d *desk) stop() {
	if d.a == nil {
		return
	}
	now, cancel := context.WithCancel(context.Background())
	cancel()
	d.q.Stop(now)
	d.p.stop()
	d.p.worklist.Close(context.Background())
	d.a.Close()
	d.a = nil
}

// put stores one MR instance of a study.
func (d *desk) put(study, number string) {
	d.t.Helper()
	ds := dicom.New()
	ds.Set(tag.SOPClassUID, uid.MRImageStorage)
	ds.Set(tag.SOPInstanceUID, study+".1."+number)
	ds.Set(tag.SeriesInstanceUID, study+".1")
	ds.Set(tag.StudyInstanceUID, study)
	ds.Set(tag.PatientID, "P")
	ds.Set(tag.Modality, "MR")
	var b bytes.Buffer
	if err := dicom.Write(&b, ds, uid.ExplicitVRLittleEndian); err != nil {
		d.t.Fatal(err)
	}
	if _, err := d.a.Put(d.t.Context(), &b, archive.PutOptions{}); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) next() *deskRun {
	d.t.Helper()
	select {
	case r := <-d.runs:
		return r
	case <-time.After(20 * time.Second):
		d.t.Fatal("no run began")
		return nil
	}
}

// ask creates a workitem for a study.
func (d *desk) ask(id, study string, edit ...func(*dicom.Dataset)) {
	d.t.Helper()
	ds, input := dicom.New(), dicom.New()
	input.Set(tag.StudyInstanceUID, study)
	ds.Set(tag.ProcedureStepState, "SCHEDULED")
	ds.Set(tag.ScheduledProcedureStepPriority, "LOW")
	ds.Set(tag.ProcedureStepLabel, "read")
	ds.Set(tag.ScheduledProcedureStepStartDateTime, "2026")
	ds.Set(tag.InputReadinessState, "READY")
	ds.SetItems(tag.InputInformationSequence, input)
	ds.SetItems(tag.ScheduledWorkitemCodeSequence, tasks[0].Item())
	for _, e := range edit {
		e(ds)
	}
	if _, err := d.p.worklist.Create(d.t.Context(), id, ds); err != nil {
		d.t.Fatal(err)
	}
}

// until waits for what a workitem is to say: the state, and a part of its progress or reason. The clock here is the computer's.
func (d *desk) until(id string, state ups.State, says string) *ups.Workitem {
	d.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		i, err := d.p.worklist.Get(d.t.Context(), id)
		if err != nil {
			d.t.Fatal(err)
		}
		progress := i.Dataset.Item(tag.ProcedureStepProgressInformationSequence)
		said := progress.String(tag.ProcedureStepProgressDescription) + progress.String(tag.ReasonForCancellation) +
			progress.Item(tag.ProcedureStepDiscontinuationReasonCodeSequence).String(tag.CodeValue)
		if i.State == state && strings.Contains(said, says) {
			return i
		}
		if time.Now().After(deadline) {
			d.t.Fatalf("%s is %s and says %q, want %s and %q", id, i.State, said, state, says)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// only returns the one workitem there is.
func (d *desk) only() *ups.Workitem {
	d.t.Helper()
	list, err := d.p.worklist.Performing(d.t.Context())
	if err != nil || len(list) != 1 {
		d.t.Fatalf("%d workitems are performed, %v, want one", len(list), err)
	}
	return list[0]
}

func TestWorkitemWaits(t *testing.T) {
	d := openDesk(t, t.TempDir())
	for _, c := range []struct {
		id, says string
		edit     func(*dicom.Dataset)
	}{
		{"2.25.1", "to be stored", func(*dicom.Dataset) {}},
		{"2.25.2", "READY", func(ds *dicom.Dataset) { ds.Set(tag.InputReadinessState, "INCOMPLETE") }},
		{"2.25.3", "names no study", func(ds *dicom.Dataset) { ds.SetItems(tag.InputInformationSequence) }},
		{"2.25.4", "", func(ds *dicom.Dataset) { ds.SetItems(tag.ScheduledWorkitemCodeSequence) }},
		{"2.25.5", "", func(ds *dicom.Dataset) {
			other := d.p.station()
			other.Value = "OTHER"
			ds.SetItems(tag.ScheduledStationNameCodeSequence, other.Item())
		}},
	} {
		d.ask(c.id, "1.2", c.edit)
		d.until(c.id, ups.Scheduled, c.says)
	}
	d.put("1.2", "1")
	d.next().end <- nil
	d.until("2.25.1", ups.Completed, "done")
	ready := dicom.New()
	ready.Set(tag.InputReadinessState, "READY")
	if err := d.p.worklist.Update(t.Context(), "2.25.2", "", ready); err != nil {
		t.Fatal(err)
	}
	d.next().end <- nil
	d.until("2.25.2", ups.Completed, "done")
	for _, id := range []string{"2.25.4", "2.25.5"} {
		if i := d.until(id, ups.Scheduled, ""); i.Dataset.Item(tag.ProcedureStepProgressInformationSequence) != nil {
			t.Errorf("%s is not the node's and was touched", id)
		}
	}
}

// TestWorkitemForEachRun asks for a study while it is read: each request has a run of its own.
func TestWorkitemForEachRun(t *testing.T) {
	d := openDesk(t, t.TempDir())
	d.put("1.2", "1")
	first := d.next()
	own := d.only()
	d.ask("2.25.1", "1.2")
	d.ask("2.25.2", "1.2")
	d.ask("2.25.3", "1.2", func(ds *dicom.Dataset) { ds.Set(tag.ScheduledProcedureStepPriority, "HIGH") })
	d.until("2.25.3", ups.Scheduled, "queued")
	first.end <- nil
	d.until(own.UID, ups.Completed, "done")
	for _, id := range []string{"2.25.3", "2.25.1", "2.25.2"} { // by priority, then age
		d.next().end <- nil
		d.until(id, ups.Completed, "done")
	}
}

func TestWorkitemFails(t *testing.T) {
	d := openDesk(t, t.TempDir())
	d.put("1.2", "1")
	r := d.next()
	id := d.only().UID
	r.end <- errors.New("device busy")
	d.until(id, ups.InProgress, "attempt 1 of 2 failed and is tried again: device busy")
	if err := d.q.Requeue(t.Context(), "1.2"); err != nil {
		t.Fatal(err)
	}
	d.next().end <- jobs.Permanent(errors.New("device broken"))
	d.until(id, ups.Canceled, "device broken110501")
}

func TestWorkitemIsCanceled(t *testing.T) {
	d := openDesk(t, t.TempDir())
	cancel := func(id string) {
		t.Helper()
		if warning, err := d.p.worklist.RequestCancel(t.Context(), id, ups.Cancellation{RequestingAE: "RIS", Reason: "ordered twice"}); err != nil || warning != "" {
			t.Fatal(warning, err)
		}
	}
	d.put("1.2", "1")
	r := d.next()
	id := d.only().UID
	d.put("1.3", "1")
	d.ask("2.25.1", "1.3")
	cancel("2.25.1") // while SCHEDULED: the study is new and read all the same
	d.until("2.25.1", ups.Canceled, "ordered twice110513")
	cancel(id)
	<-r.ctx.Done()
	d.until(id, ups.Canceled, "ordered twice110513")
	r = d.next()
	if r.Study != "1.3" {
		t.Fatalf("run of %s, want 1.3", r.Study)
	}
	id = d.only().UID
	r.end <- errors.New("device busy")
	d.until(id, ups.InProgress, "tried again")
	cancel(id) // between two attempts
	d.until(id, ups.Canceled, "ordered twice110513")

	d.put("1.4", "1")
	r = d.next()
	d.ask("2.25.2", "1.2") // 1.2 was read, or not, before: the request alone queues it
	d.until("2.25.2", ups.Scheduled, "queued")
	cancel("2.25.2")
	d.until("2.25.2", ups.Canceled, "ordered twice")
	for s, err := d.q.Status(t.Context(), "1.2"); s.State != jobs.Failed; s, err = d.q.Status(t.Context(), "1.2") {
		if err != nil {
			t.Fatal(err)
		}
		<-d.q.Watch()
	}
	r.end <- nil
}

// TestWorkitemIsCanceledWhileImagesCome asks for the end of a workitem between two attempts while the study is not quiet: nothing
// runs or is queued that could be ended, and the workitem is canceled all the same.
func TestWorkitemIsCanceledWhileImagesCome(t *testing.T) {
	d := openDesk(t, t.TempDir(), func(c *jobs.Config) { c.Settle = time.Hour })
	d.put("1.2", "1")
	if err := d.q.Requeue(t.Context(), "1.2"); err != nil { // without waiting
		t.Fatal(err)
	}
	r := d.next()
	id := d.only().UID
	r.end <- errors.New("device busy")
	d.until(id, ups.InProgress, "tried again")
	d.put("1.2", "2")
	for s, err := d.q.Status(t.Context(), "1.2"); s.State != jobs.Waiting; s, err = d.q.Status(t.Context(), "1.2") {
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(5 * time.Millisecond)
	}
	if _, err := d.p.worklist.RequestCancel(t.Context(), id, ups.Cancellation{RequestingAE: "RIS", Reason: "ordered twice"}); err != nil {
		t.Fatal(err)
	}
	d.until(id, ups.Canceled, "ordered twice110513")
	if err := d.q.Requeue(t.Context(), "1.2"); err != nil { // what came is read, for a workitem of its own
		t.Fatal(err)
	}
	d.next().end <- nil
	d.until(id, ups.Canceled, "ordered twice110513")
}

// TestWorkitemSurvivesRestart ends the node in the middle of a run, and once more when it is out of attempts.
func TestWorkitemSurvivesRestart(t *testing.T) {
	dir := t.TempDir()
	d := openDesk(t, dir)
	d.ask("2.25.1", "1.2")
	d.put("1.2", "1")
	d.next()
	d.until("2.25.1", ups.InProgress, "claimed")
	d.stop()

	d = openDesk(t, dir)
	d.next().end <- errors.New("device busy")
	d.until("2.25.1", ups.InProgress, "tried again")
	if _, err := d.q.Cancel(t.Context(), "1.2", "stopped by hand"); err != nil { // not by the worklist
		t.Fatal(err)
	}
	d.until("2.25.1", ups.Canceled, "stopped by hand110513")

	d.ask("2.25.2", "1.2")
	d.next()
	if err := d.q.Forget(t.Context(), "1.2"); err != nil {
		t.Fatal(err)
	}
	d.until("2.25.2", ups.Canceled, "deleted110523")
	if _, err := d.a.Delete(t.Context(), dicomweb.Ref{Study: "1.2"}); err != nil {
		t.Fatal(err)
	}
	d.ask("2.25.3", "1.2")
	d.until("2.25.3", ups.Scheduled, "to be stored")
}
