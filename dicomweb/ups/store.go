package ups

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
)

// gone is the state of a row of which only the UID is kept: the workitem was there once (PS3.18 table 11.5.3-1, 410).
const gone State = "GONE"

// A workitem is its data set as DICOM JSON, without Transaction UID, and beside it what is asked for in SQL. Subscriptions
// are per workitem and AE title, as PS3.4 table CC.2.3-2 has them; ups_global makes those of workitems to come. Events wait
// here until they were sent.
const schema = `CREATE TABLE IF NOT EXISTS workitem (
	uid       TEXT PRIMARY KEY,
	state     TEXT NOT NULL,
	performed INTEGER NOT NULL, -- 1: by the node itself
	study     TEXT NOT NULL,    -- of the first input
	lock_uid  TEXT NOT NULL,    -- Transaction UID of who claimed it
	created   INTEGER NOT NULL, -- microseconds since 1970
	changed   INTEGER NOT NULL,
	dataset   TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS workitem_state ON workitem (state, changed);
CREATE INDEX IF NOT EXISTS workitem_study ON workitem (study, state);
CREATE TABLE IF NOT EXISTS ups_subscription (
	ae       TEXT NOT NULL,
	workitem TEXT NOT NULL,
	locked   INTEGER NOT NULL, -- 1: Deletion Lock
	PRIMARY KEY (ae, workitem)
);
CREATE INDEX IF NOT EXISTS ups_subscription_workitem ON ups_subscription (workitem);
CREATE TABLE IF NOT EXISTS ups_global (
	ae     TEXT NOT NULL,
	scope  TEXT NOT NULL, -- the well-known UID
	locked INTEGER NOT NULL,
	filter TEXT NOT NULL, -- query string
	PRIMARY KEY (ae, scope)
);
CREATE TABLE IF NOT EXISTS ups_event (
	id   INTEGER PRIMARY KEY,
	ae   TEXT NOT NULL,
	body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS ups_event_ae ON ups_event (ae, id);`

// Workitem is a UPS instance.
type Workitem struct {
	UID       string
	State     State
	Performed bool   // by the node itself
	Study     string // that the first input is from; "" where no input names one
	Dataset   *dicom.Dataset
	Created   time.Time
	lock      string
	changed   time.Time
}

const columns = `uid, state, performed, lock_uid, created, changed, dataset`

// bodyLimits bound one workitem.
var bodyLimits = dicom.Limits{HeaderBytes: 8 << 20, Elements: 50_000, Items: 20_000, Depth: 16}

// storedLimits are wider: what was taken must be read back.
var storedLimits = dicom.Limits{HeaderBytes: 64 << 20, Elements: 500_000, Items: 200_000, Depth: 20}

// load calls fn for workitems.
func load(ctx context.Context, tx *sql.Tx, where string, args []any, fn func(*Workitem) error) error {
	rows, err := tx.QueryContext(ctx, `SELECT `+columns+` FROM workitem `+where, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var i Workitem
		var state, text string
		var created, changed int64
		if err := rows.Scan(&i.UID, &state, &i.Performed, &i.lock, &created, &changed, &text); err != nil {
			return err
		}
		i.State, i.Created, i.changed = State(state), time.UnixMicro(created).UTC(), time.UnixMicro(changed).UTC()
		if i.State != gone {
			read, err := dicom.ParseJSON(strings.NewReader(text), storedLimits)
			if err != nil || len(read) != 1 {
				return fmt.Errorf("ups: workitem %s cannot be read: %w", i.UID, err)
			}
			i.Dataset, i.Study = read[0], studyOf(read[0])
		}
		if err := fn(&i); err != nil {
			return err
		}
	}
	return rows.Err()
}

// get returns one workitem, an error of kind NotFound or Gone where it is not there.
func get(ctx context.Context, tx *sql.Tx, uid string) (found *Workitem, err error) {
	if err = load(ctx, tx, `WHERE uid = ?`, []any{uid}, func(i *Workitem) error {
		found = i
		return nil
	}); err != nil {
		return nil, err
	}
	switch {
	case found == nil:
		return nil, dicomweb.Errorf(dicomweb.NotFound, "there is no workitem of this UID")
	case found.State == gone:
		return nil, dicomweb.Errorf(dicomweb.Gone, "the workitem was there, was final and was removed after its time")
	}
	return found, nil
}

// save writes a workitem; its state goes into the data set.
func (t *change) save(i *Workitem) error {
	i.changed = t.w.now()
	i.Study = studyOf(i.Dataset)
	i.Dataset.Set(tag.SpecificCharacterSet, "ISO_IR 192")
	i.Dataset.Set(tag.ProcedureStepState, string(i.State))
	i.Dataset.Set(tag.ScheduledProcedureStepModificationDateTime, FormatDT(i.changed))
	i.Dataset.Delete(tag.TransactionUID)
	text, err := dicom.AppendJSON(nil, i.Dataset, dicom.JSONOptions{})
	if err != nil {
		return err
	}
	_, err = t.Exec(`INSERT INTO workitem (uid, state, performed, study, lock_uid, created, changed, dataset) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (uid) DO UPDATE SET state = excluded.state, performed = excluded.performed, study = excluded.study,
		lock_uid = excluded.lock_uid, changed = excluded.changed, dataset = excluded.dataset`,
		i.UID, string(i.State), i.Performed, i.Study, i.lock, i.Created.UnixMicro(), i.changed.UnixMicro(), string(text))
	return err
}

// studyOf is the study that a workitem is about: that of its first input, else the one that results belong to.
func studyOf(ds *dicom.Dataset) string {
	for _, item := range ds.Items(tag.InputInformationSequence) {
		if study := item.String(tag.StudyInstanceUID); study != "" {
			return study
		}
	}
	return ds.String(tag.StudyInstanceUID)
}

// FormatDT writes a moment as DICOM's DT with its offset from UTC.
func FormatDT(at time.Time) string { return at.UTC().Format("20060102150405.000000") + "+0000" }

// most is how many workitems one transaction takes away: others wait for it.
const most = 200

// expire takes final workitems away whose time is over and that nobody locks; their UIDs stay known (PS3.4 CC.2.1.3).
func (t *change) expire() error {
	rows, err := t.QueryContext(t.ctx, `SELECT uid FROM workitem WHERE state IN (?, ?) AND changed < ?
		AND NOT EXISTS (SELECT 1 FROM ups_subscription s WHERE s.workitem = workitem.uid AND s.locked = 1) LIMIT ?`,
		string(Completed), string(Canceled), t.w.now().Add(-t.w.cfg.Keep).UnixMicro(), most)
	if err != nil {
		return err
	}
	defer rows.Close()
	var uids []string
	for rows.Next() {
		var uid string
		if err := rows.Scan(&uid); err != nil {
			return err
		}
		uids = append(uids, uid)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	for _, uid := range uids {
		if _, err := t.Exec(`UPDATE workitem SET state = ?, study = '', lock_uid = '', dataset = '' WHERE uid = ?`, string(gone), uid); err != nil {
			return err
		}
		if _, err := t.Exec(`DELETE FROM ups_subscription WHERE workitem = ?`, uid); err != nil {
			return err
		}
	}
	return nil
}
