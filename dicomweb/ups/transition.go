package ups

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"errors"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/iod/code"
)

// discontinued is the reason of a cancellation for which nobody gave one (PS3.16 CID 9300).
var discontinued = code.Code{Value: "110513", Scheme: "DCM", Meaning: "Discontinued for unspecified reason"}

// Create adds a workitem in state SCHEDULED (PS3.4 CC.2.5.3, PS3.18 11.4). It completes ds, which it keeps; modified tells
// that it did not take it just as it was. It is an error of kind Conflict when there is or was one of the UID, BadRequest
// when the data set is not as table CC.2.5-3 wants it, Unavailable when there are too many.
func (w *Worklist) Create(ctx context.Context, id string, ds *dicom.Dataset) (modified bool, err error) {
	if !uid.Valid(id) || id == GlobalSubscription || id == FilteredSubscription {
		return false, dicomweb.Errorf(dicomweb.BadRequest, "the workitem's UID is malformed or one that stands for the whole worklist")
	}
	if modified, err = w.admit(id, ds); err != nil {
		return false, err
	}
	return modified, w.change(ctx, func(t *change) error {
		switch _, err := get(ctx, t.Tx, id); dicomweb.KindOf(err) {
		case dicomweb.NotFound:
		case dicomweb.Gone:
			return dicomweb.Errorf(dicomweb.Conflict, "there was a workitem of this UID; a new one needs a new UID")
		default:
			if err != nil {
				return err
			}
			return dicomweb.Errorf(dicomweb.Conflict, "there is a workitem of this UID already")
		}
		if err := t.expire(); err != nil {
			return err
		}
		var open int
		if err := t.QueryRow(`SELECT COUNT(*) FROM ups_workitem WHERE state IN (?, ?)`, string(Scheduled), string(InProgress)).Scan(&open); err != nil {
			return err
		}
		if open >= w.cfg.Open {
			return dicomweb.Errorf(dicomweb.Unavailable, "the worklist is full: %d workitems are not final; complete or cancel some", open)
		}
		if err := t.subscribeGlobally(id, ds); err != nil {
			return err
		}
		i := &Workitem{UID: id, State: Scheduled, Dataset: ds, Created: w.now()}
		if err := t.save(i); err != nil {
			return err
		}
		t.changed = append(t.changed, id)
		if err := t.reportState(i); err != nil {
			return err
		}
		return t.reportAssigned(nil, i)
	})
}

// Get returns a workitem with all its data set, an error of kind NotFound or Gone when it is not there.
func (w *Worklist) Get(ctx context.Context, id string) (found *Workitem, err error) {
	err = w.cfg.Database.View(ctx, func(tx *sql.Tx) error {
		if found, err = get(ctx, tx, id); err != nil {
			return err
		}
		return complete(ctx, tx, found)
	})
	return found, err
}

// Update sets attributes (PS3.4 CC.2.6.3, PS3.18 11.6). The transaction is empty for a SCHEDULED workitem, and that of the claim for
// one IN PROGRESS.
func (w *Worklist) Update(ctx context.Context, id, transaction string, ds *dicom.Dataset) error {
	if err := checkSet(ds); err != nil {
		return err
	}
	return w.change(ctx, func(t *change) error {
		i, err := get(ctx, t.Tx, id)
		if err != nil {
			return err
		}
		switch {
		case i.State.Final():
			return refuse(dicomweb.BadRequest, warnWorkitem, "the workitem is %s and cannot be changed any more", i.State)
		case i.State == Scheduled && transaction != "":
			return refuse(dicomweb.Conflict, warnUnclaimed, "the workitem is SCHEDULED: claim it before it is updated with a Transaction UID, or update it without one")
		case i.State == InProgress && transaction == "":
			return refuse(dicomweb.BadRequest, warnWorkitem, "the workitem is IN PROGRESS: the Transaction UID is missing that it was claimed with")
		case i.State == InProgress && !i.unlockedBy(transaction):
			return refuse(dicomweb.BadRequest, warnWorkitem, "the workitem is IN PROGRESS: the Transaction UID is not the one that it was claimed with")
		}
		return t.revise(i, func(to *dicom.Dataset) {
			for e := range ds.All() {
				to.Copy(ds, e.Tag)
			}
		})
	})
}

// revise changes a workitem that is not final and reports what changed.
func (t *change) revise(i *Workitem, edit func(*dicom.Dataset)) error {
	before := i.Dataset.Clone()
	edit(i.Dataset)
	if err := t.save(i); err != nil {
		return err
	}
	if i.State == Scheduled {
		t.changed = append(t.changed, i.UID)
	}
	return errors.Join(t.reportChanges(before, i), t.reportAssigned(before, i))
}

// Change moves a workitem to another state (PS3.4 table CC.1.1-2, PS3.18 11.7). The warning, if any, is what the header
// Warning of an answer with success is to say.
func (w *Worklist) Change(ctx context.Context, id, transaction string, to State) (warning string, err error) {
	switch {
	case to == Scheduled:
		return "", refuse(dicomweb.BadRequest, warnInstance, "a workitem becomes SCHEDULED by its creation only")
	case to != InProgress && !to.Final():
		return "", refuse(dicomweb.BadRequest, warnInstance, "%s %v must be IN PROGRESS, COMPLETED or CANCELED", tag.ProcedureStepState.Keyword(), tag.ProcedureStepState)
	case transaction == "":
		return "", refuse(dicomweb.BadRequest, warnNoLock, "%s %v is missing: a new UID claims, that of the claim completes or cancels", tag.TransactionUID.Keyword(), tag.TransactionUID)
	case !uid.Valid(transaction):
		return "", refuse(dicomweb.BadRequest, warnWrongLock, "%s %v is no UID", tag.TransactionUID.Keyword(), tag.TransactionUID)
	}
	err = w.change(ctx, func(t *change) error {
		warning = ""
		i, err := get(ctx, t.Tx, id)
		if err != nil {
			return err
		}
		switch {
		case to == InProgress && i.State == Scheduled:
			i.lock = transaction
			return t.move(i, InProgress)
		case to == InProgress && i.State == InProgress:
			return refuse(dicomweb.Conflict, warnInstance, "the workitem is already IN PROGRESS")
		case to == InProgress:
			return refuse(dicomweb.Conflict, warnInstance, "the workitem is %s and cannot be changed any more", i.State)
		case i.State == Scheduled:
			return refuse(dicomweb.Conflict, warnInstance, "the workitem is not IN PROGRESS yet: claim it first, or request its cancellation")
		case !i.unlockedBy(transaction):
			return refuse(dicomweb.BadRequest, warnWrongLock, "the Transaction UID is not the one that the workitem was claimed with")
		case i.State == to:
			warning = map[State]string{Canceled: warnIsCanceled, Completed: warnIsCompleted}[to]
			return nil
		case i.State.Final():
			return refuse(dicomweb.Conflict, warnInstance, "the workitem is %s and cannot be changed any more", i.State)
		}
		return t.finish(i, to, nil)
	})
	return warning, err
}

// unlockedBy compares in constant time. A workitem that nobody claimed over the network has no lock that fits.
func (i *Workitem) unlockedBy(transaction string) bool {
	return i.lock != "" && subtle.ConstantTimeCompare([]byte(i.lock), []byte(transaction)) == 1
}

// finish makes a workitem final if it holds what it must by then.
func (t *change) finish(i *Workitem, to State, cancellation *Cancellation) error {
	if to == Canceled {
		t.completeCancellation(i.Dataset, cancellation)
	}
	if lacking := checkFinal(i.Dataset, to); len(lacking) > 0 {
		return refuse(dicomweb.Conflict, warnInstance, "%s", lacking.err("the workitem cannot be "+string(to)+" yet").Error())
	}
	return t.move(i, to)
}

func (t *change) move(i *Workitem, to State) error {
	i.State = to
	if err := t.save(i); err != nil {
		return err
	}
	return t.reportState(i)
}

// completeCancellation fills in when and why, where the performer did not say it: PS3.4 table CC.2.5-3.
func (t *change) completeCancellation(ds *dicom.Dataset, c *Cancellation) {
	progress := progressOf(ds)
	if progress.String(tag.ProcedureStepCancellationDateTime) == "" {
		progress.Set(tag.ProcedureStepCancellationDateTime, FormatDT(t.w.now()))
	}
	if c != nil && c.Reason != "" {
		progress.Set(tag.ReasonForCancellation, c.Reason)
	}
	switch {
	case c != nil && c.Code != nil:
		progress.SetItems(tag.ProcedureStepDiscontinuationReasonCodeSequence, c.Code)
	case len(progress.Items(tag.ProcedureStepDiscontinuationReasonCodeSequence)) == 0:
		progress.SetItems(tag.ProcedureStepDiscontinuationReasonCodeSequence, discontinued.Item())
	}
	ds.SetItems(tag.ProcedureStepProgressInformationSequence, progress)
}

// progressOf returns a copy of the item of the Progress Information Sequence, an empty one where there is none.
func progressOf(ds *dicom.Dataset) *dicom.Dataset {
	if item := ds.Item(tag.ProcedureStepProgressInformationSequence); item != nil {
		return item.Clone()
	}
	return dicom.New()
}

// RequestCancel asks for a cancellation (PS3.4 CC.2.2.3, PS3.18 11.8): a SCHEDULED workitem is canceled at once; the
// performer of one IN PROGRESS is told by an event, or by Config.Cancel where it is the node itself.
func (w *Worklist) RequestCancel(ctx context.Context, id string, c Cancellation) (warning string, err error) {
	told := false
	err = w.change(ctx, func(t *change) error {
		warning, told = "", false
		i, err := get(ctx, t.Tx, id)
		if err != nil {
			return err
		}
		switch i.State {
		case Canceled:
			warning = warnIsCanceled
			return nil
		case Completed:
			return refuse(dicomweb.Conflict, warnCompleted, "the workitem is already COMPLETED")
		}
		watched, err := t.reportCancelRequest(i, c)
		if err != nil {
			return err
		}
		told = i.Performed || i.State == Scheduled
		if i.State == InProgress {
			if !i.Performed && !watched {
				return refuse(dicomweb.Conflict, warnOutOfContact, "nobody who could cancel the workitem watches it")
			}
			return nil
		}
		if err := t.move(i, InProgress); err != nil {
			return err
		}
		return t.finish(i, Canceled, &c)
	})
	if err == nil && told {
		w.cfg.Cancel(id, c)
	}
	return warning, err
}
