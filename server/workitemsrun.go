package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/ups"
	"mome/server/jobs"
)

// run is what the queue runs where there is a worklist: the analysis, with a workitem beside it. A worklist that fails does not
// keep a study from being read.
func (p *performer) run(ctx context.Context, job jobs.Job, progress func(stage string, fraction float64)) (jobs.Result, error) {
	id, err := p.begin(ctx, job)
	if err != nil {
		p.log.Error("an analysis runs without a workitem", "study", job.Study, "err", err)
		return p.read(ctx, job, progress)
	}
	steps := &progressTeller{p: p, id: id}
	result, err := p.read(ctx, job, func(stage string, fraction float64) {
		progress(stage, fraction)
		steps.tell(ctx, stage, fraction)
	})
	ended := context.WithoutCancel(ctx) // what came of it is told also when the node ends
	p.report(id, p.end(ended, ctx, id, job, result, err))
	return result, err
}

// begin returns the workitem of a run: the one of the attempt before, one that asked for it, by priority and age, or a new one.
func (p *performer) begin(ctx context.Context, job jobs.Job) (string, error) {
	performing, err := p.worklist.Performing(ctx)
	if err != nil {
		return "", err
	}
	for _, i := range performing {
		if i.Study == job.Study {
			return i.UID, nil
		}
	}
	waiting, err := p.worklist.Waiting(ctx, job.Study)
	if err != nil {
		return "", err
	}
	slices.SortStableFunc(waiting, func(a, b *ups.Workitem) int { return cmp.Compare(urgency(a), urgency(b)) })
	for _, i := range waiting {
		if !p.mine(i) || !ready(i.Dataset) {
			continue
		}
		switch err := p.worklist.Take(ctx, i.UID, p.take); {
		case err == nil:
			return i.UID, nil
		case ctx.Err() != nil:
			return "", err
		case dicomweb.KindOf(err) != dicomweb.Conflict: // which means that somebody else was faster
			p.report(i.UID, err)
			p.mu.Lock()
			p.unfit[i.UID] = true // asking for a run again and again would not help
			p.mu.Unlock()
		}
	}
	ds, err := p.own(ctx, job.Study)
	if err != nil {
		return "", err
	}
	id := uid.From("workitem", job.Study, strconv.FormatInt(job.Revision, 10), p.now().UTC().Format(time.RFC3339Nano))
	if _, err := p.worklist.Create(ctx, id, ds); err != nil {
		return "", err
	}
	return id, p.worklist.Take(ctx, id, p.take)
}

// urgency orders workitems by Scheduled Procedure Step Priority.
func urgency(i *ups.Workitem) int {
	return slices.Index([]string{"HIGH", "MEDIUM", "LOW"}, i.Dataset.String(tag.ScheduledProcedureStepPriority))
}

// take is what the node writes into a workitem that it claims.
func (p *performer) take(ds *dicom.Dataset) {
	setProgress(ds, 0, "claimed")
	performed := dicom.New()
	performed.SetItems(tag.PerformedStationNameCodeSequence, p.station().Item())
	performed.Set(tag.PerformedProcedureStepStartDateTime, ups.FormatDT(p.now()))
	performed.SetItems(tag.PerformedWorkitemCodeSequence, ds.Items(tag.ScheduledWorkitemCodeSequence)...)
	performed.SetItems(tag.OutputInformationSequence)
	ds.SetItems(tag.UnifiedProcedureStepPerformedProcedureSequence, performed)
}

// end writes down what came of a run. A failure that is tried again leaves the workitem IN PROGRESS, and so does the end of the
// node, whose next start goes on.
func (p *performer) end(ctx, of context.Context, id string, job jobs.Job, result jobs.Result, failure error) error {
	outputs, err := p.outputs(ctx, result)
	if err != nil {
		return err
	}
	edit := func(ds *dicom.Dataset) { p.finished(ds, result.Summary, outputs) }
	switch {
	case failure == nil && result.NotDone == "":
		return p.worklist.Finish(ctx, id, ups.Completed, nil, func(ds *dicom.Dataset) {
			edit(ds)
			setProgress(ds, 100, "done")
		})
	case failure == nil:
		return p.worklist.Finish(ctx, id, ups.Canceled, &ups.Cancellation{Reason: result.Summary, Code: reasonItem(result.NotDone)}, edit)
	case errors.Is(context.Cause(of), jobs.ErrCanceled):
		c := p.reasonOf(id, ups.Cancellation{Reason: "the study was deleted", Code: reasonItem("NODCE")})
		return p.worklist.Finish(ctx, id, ups.Canceled, &c, edit)
	case of.Err() != nil:
		return nil
	case jobs.IsPermanent(failure), job.Attempt >= p.attempts:
		return p.worklist.Finish(ctx, id, ups.Canceled, &ups.Cancellation{Reason: failure.Error(), Code: reasonItem("ERROR")}, edit)
	}
	return p.worklist.Revise(ctx, id, ups.InProgress, func(ds *dicom.Dataset) {
		setProgress(ds, 0, fmt.Sprintf("attempt %d of %d failed and is tried again: %v", job.Attempt, p.attempts, failure))
	})
}

// progressTeller writes progress into a workitem: each stage, and within one not more often than readers can follow.
type progressTeller struct {
	p  *performer
	id string

	mu    sync.Mutex
	stage string
	last  time.Time
}

// progressPause is the least time between two words about one stage.
const progressPause = 2 * time.Second

func (t *progressTeller) tell(ctx context.Context, stage string, fraction float64) {
	if !t.mu.TryLock() { // another goroutine tells something just now
		return
	}
	defer t.mu.Unlock()
	now := t.p.now()
	if stage == t.stage && now.Sub(t.last) < progressPause {
		return
	}
	t.stage, t.last = stage, now
	if err := t.p.worklist.Revise(ctx, t.id, ups.InProgress, func(ds *dicom.Dataset) { setProgress(ds, fraction*100, stage) }); err != nil && ctx.Err() == nil {
		t.p.report(t.id, err)
	}
}
