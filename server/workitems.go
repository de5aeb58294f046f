package main

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/iod/code"
	"mome/dicomweb/ups"
	"mome/server/jobs"
)

// performer is the node as one who performs workitems (PS3.4 annex CC; IHE AI Workflow for Imaging, Task Performer): each
// run of an analysis is a workitem, whether it was a new study or a workitem that asked for it. A workitem asks for it by one
// of the codes in tasks, names a study as its input, and names this node or nobody as its station.
type performer struct {
	worklist *ups.Worklist
	archive  *archive.Archive
	read     func(ctx context.Context, job jobs.Job, progress func(stage string, fraction float64)) (jobs.Result, error)
	attempts int
	now      func() time.Time
	log      *slog.Logger

	queue  *jobs.Queue // from start on
	cancel context.CancelFunc
	done   sync.WaitGroup
	wake   chan struct{}

	mu        sync.Mutex
	changed   map[string]bool             // workitems to look at
	ended     map[string]bool             // studies whose way has ended
	cancelled map[string]ups.Cancellation // workitems that somebody wants canceled
	reasons   map[string]ups.Cancellation // of those that are being canceled
	unfit     map[string]bool             // workitems that could not be taken, and are left alone until the next start
}

// openWorklist opens the worklist and puts a performer between the queue and what it runs. Start it with the queue.
func openWorklist(ctx context.Context, a *archive.Archive, f nodeFlags, queue *jobs.Config) (*performer, error) {
	p := &performer{
		archive: a, read: queue.Run, attempts: f.Attempts, now: time.Now, log: queue.Log, wake: make(chan struct{}, 1),
		changed: map[string]bool{}, ended: map[string]bool{}, cancelled: map[string]ups.Cancellation{}, reasons: map[string]ups.Cancellation{}, unfit: map[string]bool{},
	}
	var err error
	if p.worklist, err = ups.Open(ctx, ups.Config{Database: a, AETitle: f.AETitle, Changed: p.Changed, Cancel: p.Cancel, Log: p.log}); err != nil {
		return nil, err
	}
	queue.Run, queue.Ended = p.run, p.Ended
	return p, nil
}

// Changed is for ups.Config.Changed, Cancel for ups.Config.Cancel, Ended for jobs.Config.Ended: they note and return.
func (p *performer) Changed(id string) { p.note(func() { p.changed[id] = true }) }

// Cancel notes a request to cancel.
func (p *performer) Cancel(id string, c ups.Cancellation) { p.note(func() { p.cancelled[id] = c }) }

// Ended notes that a study's way has ended.
func (p *performer) Ended(study string) { p.note(func() { p.ended[study] = true }) }

func (p *performer) note(what func()) {
	p.mu.Lock()
	what()
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// start looks at all that a node that was away may have missed, and serves what comes until stop.
func (p *performer) start(queue *jobs.Queue) error {
	p.queue = queue
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	waiting, err := p.worklist.Waiting(ctx, "")
	if err != nil {
		return err
	}
	for _, i := range waiting {
		p.Changed(i.UID)
	}
	performing, err := p.worklist.Performing(ctx)
	if err != nil {
		return err
	}
	for _, i := range performing {
		p.Ended(i.Study)
	}
	p.done.Go(func() { p.serve(ctx) })
	return nil
}

// stop ends it; runs have ended before.
func (p *performer) stop() {
	if p.cancel != nil {
		p.cancel()
	}
	p.done.Wait()
}

func (p *performer) serve(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
		}
		p.mu.Lock()
		changed, ended, cancelled := p.changed, p.ended, p.cancelled
		p.changed, p.ended, p.cancelled = map[string]bool{}, map[string]bool{}, map[string]ups.Cancellation{}
		p.mu.Unlock()
		for id, c := range cancelled {
			p.report(id, p.cancelRun(ctx, id, c))
		}
		for study := range ended {
			p.report(study, p.settle(ctx, study))
		}
		for id := range changed {
			p.report(id, p.consider(ctx, id))
		}
	}
}

// report logs what the worklist could not be told; the next start looks again.
func (p *performer) report(what string, err error) {
	if kind := dicomweb.KindOf(err); err != nil && kind != dicomweb.NotFound && kind != dicomweb.Gone {
		p.log.Error("the worklist could not be served", "workitem", what, "err", err)
	}
}

// consider asks the queue for a run if a SCHEDULED workitem wants one and can have it; else the workitem says what it waits for.
func (p *performer) consider(ctx context.Context, id string) error {
	i, err := p.worklist.Get(ctx, id)
	if err != nil || i.State != ups.Scheduled || !p.mine(i) {
		return err
	}
	waitsFor := ""
	switch {
	case i.Study == "":
		waitsFor = "waiting: the Input Information Sequence names no study"
	case !ready(i.Dataset):
		waitsFor = "waiting for the Input Readiness State to be READY"
	default:
		if waitsFor, err = p.request(ctx, i.Study); err != nil {
			return err
		}
	}
	if err := p.worklist.Revise(ctx, id, ups.Scheduled, func(ds *dicom.Dataset) { setProgress(ds, 0, waitsFor) }); dicomweb.KindOf(err) != dicomweb.Conflict {
		return err
	}
	return nil // a run has taken it
}

// request asks for a run of a study and says what the run waits for.
func (p *performer) request(ctx context.Context, study string) (string, error) {
	const away = "waiting for the study to be stored"
	if _, err := p.archive.Instances(ctx, dicomweb.Ref{Study: study}); dicomweb.KindOf(err) == dicomweb.NotFound {
		return away, nil
	} else if err != nil {
		return "", err
	}
	switch err := p.queue.Request(ctx, study); {
	case dicomweb.KindOf(err) == dicomweb.NotFound && err != nil:
		return "waiting: the study has no MR images", nil
	case err != nil:
		return "", err
	}
	if s, err := p.queue.Status(ctx, study); err == nil && s.State == jobs.Waiting {
		return "waiting for the study to be complete", nil
	}
	return "queued", nil
}

// mine reports whether a workitem asks this node for what it can do.
func (p *performer) mine(i *ups.Workitem) bool {
	p.mu.Lock()
	unfit := p.unfit[i.UID]
	p.mu.Unlock()
	stations := i.Dataset.Items(tag.ScheduledStationNameCodeSequence)
	return !unfit && slices.ContainsFunc(code.ReadAll(i.Dataset, tag.ScheduledWorkitemCodeSequence), isTask) &&
		(len(stations) == 0 || slices.ContainsFunc(stations, func(s *dicom.Dataset) bool { return code.Read(s).Value == p.worklist.AETitle() }))
}

func isTask(c code.Code) bool {
	return slices.ContainsFunc(tasks, func(t code.Code) bool { return t.Is(c) })
}

func ready(ds *dicom.Dataset) bool { return ds.String(tag.InputReadinessState) == "READY" }

// settle is for a study whose way has ended: a workitem that its run left IN PROGRESS, because the node was killed or it was
// canceled between two attempts, is canceled; those that wait for a run of their own get one.
func (p *performer) settle(ctx context.Context, study string) error {
	performing, err := p.worklist.Performing(ctx) // before the status: what a run takes later is not among them
	if err != nil {
		return err
	}
	status, err := p.queue.Status(ctx, study)
	switch {
	case dicomweb.KindOf(err) == dicomweb.NotFound && err != nil:
		status = jobs.Status{State: jobs.Failed, Reason: "the study was deleted"}
	case err != nil:
		return err
	case !status.State.Final():
		return nil
	}
	for _, i := range performing {
		if i.Study != study {
			continue
		}
		why := ups.Cancellation{Reason: status.Reason}
		if !status.Canceled {
			why.Code = reasonItem("ERROR")
		}
		c := p.reasonOf(i.UID, why)
		if err := p.worklist.Finish(ctx, i.UID, ups.Canceled, &c, func(*dicom.Dataset) {}); err != nil {
			return err
		}
	}
	waiting, err := p.worklist.Waiting(ctx, study)
	if err != nil {
		return err
	}
	for _, i := range waiting {
		if err := p.consider(ctx, i.UID); err != nil {
			return err
		}
	}
	return nil
}

// cancelRun ends what is done for a workitem: its run, or its place in the queue.
func (p *performer) cancelRun(ctx context.Context, id string, c ups.Cancellation) error {
	i, err := p.worklist.Get(ctx, id)
	if err != nil {
		return err
	}
	reason := "canceled by request of " + c.RequestingAE
	if i.State == ups.Canceled && p.mine(i) { // it was SCHEDULED: the queue may hold the study for its sake alone
		status, err := p.queue.Status(ctx, i.Study)
		if err != nil || status.State != jobs.Queued || !status.Asked {
			return nil
		}
		others, err := p.worklist.Waiting(ctx, i.Study)
		if err != nil || slices.ContainsFunc(others, p.mine) {
			return err
		}
		_, err = p.queue.Cancel(ctx, i.Study, reason)
		return err
	}
	if i.State != ups.InProgress || !i.Performed {
		return nil
	}
	p.mu.Lock()
	p.reasons[id] = c
	p.mu.Unlock()
	if _, err = p.queue.Cancel(ctx, i.Study, reason); dicomweb.KindOf(err) != dicomweb.NotFound {
		return err // when that has ended, the run or settle ends the workitem
	}
	// Images that came between two attempts have the study wait: what they lead to is a run of its own.
	c = p.reasonOf(id, c)
	return p.worklist.Finish(ctx, id, ups.Canceled, &c, func(*dicom.Dataset) {})
}

// reasonOf returns and forgets why a workitem is being canceled, otherwise where nobody asked for it.
func (p *performer) reasonOf(id string, otherwise ups.Cancellation) ups.Cancellation {
	p.mu.Lock()
	defer p.mu.Unlock()
	c, asked := p.reasons[id]
	delete(p.reasons, id)
	if !asked {
		return otherwise
	}
	return c
}
