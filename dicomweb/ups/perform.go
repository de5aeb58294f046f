package ups

import (
	"context"
	"database/sql"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
)

// What a node does that performs workitems itself: it is the provider, needs no Transaction UID, and nobody else can
// claim, update or finish what it took.

// Take claims a SCHEDULED workitem for the node itself and edits its data set in the same step. It is an error of kind
// Conflict when the workitem is in another state by now.
func (w *Worklist) Take(ctx context.Context, id string, edit func(*dicom.Dataset)) error {
	return w.change(ctx, func(t *change) error {
		i, err := get(ctx, t.Tx, id)
		if err != nil {
			return err
		}
		if i.State != Scheduled {
			return dicomweb.Errorf(dicomweb.Conflict, "the workitem is %s", i.State)
		}
		before := i.Dataset.Clone()
		i.Performed = true
		edit(i.Dataset)
		if err := t.move(i, InProgress); err != nil {
			return err
		}
		return t.reportChanges(before, i)
	})
}

// Revise edits the data set of a workitem that is in the state: SCHEDULED, or IN PROGRESS where the node performs it. It is
// an error of kind Conflict when it is not.
func (w *Worklist) Revise(ctx context.Context, id string, in State, edit func(*dicom.Dataset)) error {
	return w.change(ctx, func(t *change) error {
		i, err := get(ctx, t.Tx, id)
		if err != nil {
			return err
		}
		if i.State != in || i.State.Final() || i.State == InProgress && !i.Performed {
			return dicomweb.Errorf(dicomweb.Conflict, "the workitem is %s", i.State)
		}
		before := i.Dataset.Clone()
		edit(i.Dataset)
		if err := t.save(i); err != nil {
			return err
		}
		return t.reportChanges(before, i)
	})
}

// Finish ends a workitem that the node performs: it edits the data set, which must then be as a final one must be, and
// moves it to the state. That it is final already is no error: a node that was killed may do this again.
func (w *Worklist) Finish(ctx context.Context, id string, to State, c *Cancellation, edit func(*dicom.Dataset)) error {
	return w.change(ctx, func(t *change) error {
		i, err := get(ctx, t.Tx, id)
		if err != nil {
			return err
		}
		switch {
		case i.State.Final():
			return nil
		case !i.Performed || i.State != InProgress:
			return dicomweb.Errorf(dicomweb.Conflict, "the workitem is %s", i.State)
		}
		before := i.Dataset.Clone()
		edit(i.Dataset)
		if err := t.reportChanges(before, i); err != nil {
			return err
		}
		return t.finish(i, to, c)
	})
}

// Waiting returns the SCHEDULED workitems of a study, of all studies where it is empty, oldest first.
func (w *Worklist) Waiting(ctx context.Context, study string) ([]*Workitem, error) {
	if study == "" {
		return w.list(ctx, `WHERE state = ? ORDER BY created, uid`, string(Scheduled))
	}
	return w.list(ctx, `WHERE state = ? AND study = ? ORDER BY created, uid`, string(Scheduled), study)
}

// Performing returns the workitems IN PROGRESS that the node performs.
func (w *Worklist) Performing(ctx context.Context) ([]*Workitem, error) {
	return w.list(ctx, `WHERE state = ? AND performed = 1 ORDER BY created, uid`, string(InProgress))
}

func (w *Worklist) list(ctx context.Context, where string, args ...any) (out []*Workitem, err error) {
	err = w.cfg.Database.View(ctx, func(tx *sql.Tx) error {
		return load(ctx, tx, where, args, func(i *Workitem) error {
			out = append(out, i)
			return nil
		})
	})
	return out, err
}
