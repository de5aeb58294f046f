package ups

import (
	"context"
	"errors"
	"strings"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/query"
)

// Subscribe lets an AE title have the events of a workitem, or of all there are and will be where id is GlobalSubscription,
// or of those that match the filter where it is FilteredSubscription (PS3.4 table CC.2.3-2, PS3.18 11.10). The filter is a
// query string of matching keys. With a lock, workitems stay when they are final until the lock is taken back. It is an
// error of kind NotFound or Gone when the workitem is not there, Unavailable when there are too many subscribers.
func (w *Worklist) Subscribe(ctx context.Context, id, ae string, lock bool, filter string) error {
	if !validAE(ae) {
		return errAE()
	}
	if _, err := parseFilter(id, filter); err != nil {
		return err
	}
	return w.change(ctx, func(t *change) error {
		if err := t.room(ae); err != nil {
			return err
		}
		if id == GlobalSubscription || id == FilteredSubscription {
			return t.subscribeAll(id, ae, lock, filter)
		}
		i, err := get(ctx, t.Tx, id)
		if err != nil {
			return err
		}
		if err := t.subscribe(ae, id, lock, true); err != nil {
			return err
		}
		return t.send(ae, id, stateReport, stateOf(i))
	})
}

func errAE() error {
	return dicomweb.Errorf(dicomweb.BadRequest, "the AE title is malformed: 1 to 16 characters of ASCII without backslash are expected")
}

// parseFilter reads the matching keys of a filtered subscription.
func parseFilter(id, filter string) ([]query.Condition, error) {
	q, warnings, err := query.Parse(filter, query.Instance, dicomweb.Ref{})
	switch {
	case id != FilteredSubscription:
		return nil, nil
	case err != nil:
		return nil, err
	case len(warnings) > 0: // an ignored key would widen the subscription
		return nil, dicomweb.Errorf(dicomweb.BadRequest, "the filter: %s", strings.Join(warnings, "; "))
	case len(q.Match) == 0:
		return nil, dicomweb.Errorf(dicomweb.BadRequest, "a filtered subscription needs a filter: ?filter=WorklistLabel=X,ProcedureStepState=SCHEDULED")
	}
	return q.Match, askable(q)
}

// room refuses a further AE title where there are too many.
func (t *change) room(ae string) error {
	aes, err := t.titles(`SELECT ae FROM ups_subscription UNION SELECT ae FROM ups_global`)
	if err != nil {
		return err
	}
	for _, have := range aes {
		if have == ae {
			return nil
		}
	}
	if len(aes) >= t.w.cfg.Watchers {
		return dicomweb.Errorf(dicomweb.Unavailable, "%d AE titles subscribe already, and no more can", len(aes))
	}
	return nil
}

// subscribeAll makes a global subscription and subscribes to all workitems that there are. With a lock, each is reported.
func (t *change) subscribeAll(scope, ae string, lock bool, filter string) error {
	conditions, err := parseFilter(scope, filter)
	if err != nil {
		return err
	}
	if _, err := t.Exec(`INSERT INTO ups_global (ae, scope, locked, filter) VALUES (?, ?, ?, ?)
		ON CONFLICT (ae, scope) DO UPDATE SET locked = excluded.locked, filter = excluded.filter`, ae, scope, lock, filter); err != nil {
		return err
	}
	all, err := matching(t.ctx, t.Tx, `WHERE state <> ? AND NOT EXISTS (SELECT 1 FROM ups_subscription s WHERE s.ae = ? AND s.workitem = ups_workitem.uid) ORDER BY created, uid`,
		[]any{string(gone), ae}, conditions)
	if err != nil {
		return err
	}
	for _, h := range all {
		if err := t.subscribe(ae, h.uid, lock, false); err != nil {
			return err
		}
		if !lock {
			continue
		}
		i, err := get(t.ctx, t.Tx, h.uid)
		if err != nil {
			return err
		}
		if err := t.send(ae, i.UID, stateReport, stateOf(i)); err != nil {
			return err
		}
	}
	return nil
}

// subscribe writes a subscription to one workitem down. One that is there changes its lock only where again is set: what was
// said of one workitem goes before what is said of all.
func (t *change) subscribe(ae, id string, lock, again bool) error {
	_, err := t.Exec(`INSERT INTO ups_subscription (ae, workitem, locked) VALUES (?, ?, ?)
		ON CONFLICT (ae, workitem) DO UPDATE SET locked = CASE WHEN ? THEN excluded.locked ELSE ups_subscription.locked END`, ae, id, lock, again)
	return err
}

// subscribeGlobally gives a new workitem the subscribers whose global subscription it falls under.
func (t *change) subscribeGlobally(id string, ds *dicom.Dataset) error {
	rows, err := t.QueryContext(t.ctx, `SELECT ae, scope, locked, filter FROM ups_global ORDER BY ae, scope`)
	if err != nil {
		return err
	}
	defer rows.Close()
	type global struct {
		ae, scope, filter string
		lock              bool
	}
	var all []global
	for rows.Next() {
		var g global
		if err := rows.Scan(&g.ae, &g.scope, &g.lock, &g.filter); err != nil {
			return err
		}
		all = append(all, g)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	for _, g := range all {
		conditions, err := parseFilter(g.scope, g.filter)
		if err != nil {
			return err // it was read before
		}
		if query.Meets(ds, conditions) != query.Yes {
			continue
		}
		if err := t.subscribe(g.ae, id, g.lock, g.lock); err != nil {
			return err
		}
	}
	return nil
}

// Unsubscribe ends a subscription. For one of the well-known UIDs it ends that global subscription, also one that was suspended,
// and all to single workitems too, with their locks (PS3.4 table CC.2.3-2, PS3.18 11.11). It is an error of kind NotFound when
// there is none.
func (w *Worklist) Unsubscribe(ctx context.Context, id, ae string) error {
	if !validAE(ae) {
		return errAE()
	}
	return w.change(ctx, func(t *change) error {
		if id != GlobalSubscription && id != FilteredSubscription {
			found, err := t.remove(`DELETE FROM ups_subscription WHERE ae = ? AND workitem = ?`, ae, id)
			return t.ended(ae, found, err)
		}
		found, err := t.remove(`DELETE FROM ups_global WHERE ae = ? AND scope = ?`, ae, id)
		if err != nil {
			return err
		}
		left, err := t.remove(`DELETE FROM ups_subscription WHERE ae = ? AND (? OR NOT EXISTS (SELECT 1 FROM ups_global g WHERE g.ae = ups_subscription.ae))`, ae, found)
		return t.ended(ae, found || left, err)
	})
}

// ended drops what is kept for nobody when a subscription ended, and is an error of kind NotFound where none was found.
func (t *change) ended(ae string, found bool, err error) error {
	switch {
	case err != nil:
		return err
	case !found:
		return dicomweb.Errorf(dicomweb.NotFound, "the AE title has no such subscription")
	}
	return t.forget(ae)
}

// forget drops the events of an AE title that subscribes to nothing and does not listen: nobody might ever fetch them.
func (t *change) forget(ae string) error {
	if t.w.channels.listening(ae) {
		return nil
	}
	_, err := t.Exec(`DELETE FROM ups_event WHERE ae = ? AND NOT EXISTS (SELECT 1 FROM ups_subscription s WHERE s.ae = ups_event.ae)
		AND NOT EXISTS (SELECT 1 FROM ups_global g WHERE g.ae = ups_event.ae)`, ae)
	return err
}

// Suspend ends a global subscription; those to single workitems stay (PS3.18 11.12). It is an error of kind NotFound when
// there is none, BadRequest when id is not one of the well-known UIDs.
func (w *Worklist) Suspend(ctx context.Context, id, ae string) error {
	if id != GlobalSubscription && id != FilteredSubscription {
		return dicomweb.Errorf(dicomweb.BadRequest, "only a subscription to the worklist can be suspended: %s or %s", GlobalSubscription, FilteredSubscription)
	}
	if !validAE(ae) {
		return errAE()
	}
	return w.change(ctx, func(t *change) error {
		found, err := t.remove(`DELETE FROM ups_global WHERE ae = ? AND scope = ?`, ae, id)
		return t.ended(ae, found, err)
	})
}

// remove deletes rows of subscriptions and returns whether there were any.
func (t *change) remove(statement string, args ...any) (bool, error) {
	done, err := t.Exec(statement, args...)
	if err != nil {
		return false, err
	}
	n, err := done.RowsAffected()
	return n > 0, err
}
