package ups

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
)

// gone is the state of a row of which only the UID is kept: the workitem was there once (PS3.18 table 11.5.3-1, 410).
const gone State = "GONE"

// A workitem is its data set as DICOM JSON, without Transaction UID, and beside it what is asked for in SQL. Its inputs, which
// may be the references of thousands of images, lie apart and compressed: most questions and changes do not need them.
// Subscriptions are per workitem and AE title, as PS3.4 table CC.2.3-2 has them; ups_global makes those of workitems to come. Events wait
// here until they were sent.
const schema = `CREATE TABLE IF NOT EXISTS ups_workitem (
	uid       TEXT PRIMARY KEY,
	state     TEXT NOT NULL,
	performed INTEGER NOT NULL, -- 1: by the node itself
	study     TEXT NOT NULL,    -- see studyOf
	studies   TEXT NOT NULL,    -- of all inputs, a space around each; one space where no input names a study
	lock_uid  TEXT NOT NULL,    -- Transaction UID of who claimed it
	created   INTEGER NOT NULL, -- microseconds since 1970
	changed   INTEGER NOT NULL,
	dataset   TEXT NOT NULL,
	inputs    BLOB              -- the Input Information Sequence, gzip; NULL where it has no items
);
CREATE INDEX IF NOT EXISTS ups_workitem_state ON ups_workitem (state, changed);
CREATE INDEX IF NOT EXISTS ups_workitem_study ON ups_workitem (study, state);
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
	Performed bool           // by the node itself
	Study     string         // that it is about: of the first input that names one, else of the results; "" where neither does
	Dataset   *dicom.Dataset // without the Input Information Sequence, but from Get
	Created   time.Time
	lock      string
	changed   time.Time
}

const columns = `uid, state, performed, study, lock_uid, created, changed, dataset`

// bodyLimits bound one workitem.
var bodyLimits = dicom.Limits{HeaderBytes: 8 << 20, Elements: 50_000, Items: 20_000, Depth: 16}

// storedLimits are wider: what was taken must be read back.
var storedLimits = dicom.Limits{HeaderBytes: 64 << 20, Elements: 500_000, Items: 200_000, Depth: 20}

// load calls fn for workitems.
func load(ctx context.Context, tx *sql.Tx, where string, args []any, fn func(*Workitem) error) error {
	rows, err := tx.QueryContext(ctx, `SELECT `+columns+` FROM ups_workitem `+where, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var i Workitem
		var state, text string
		var created, changed int64
		if err := rows.Scan(&i.UID, &state, &i.Performed, &i.Study, &i.lock, &created, &changed, &text); err != nil {
			return err
		}
		i.State, i.Created, i.changed = State(state), time.UnixMicro(created).UTC(), time.UnixMicro(changed).UTC()
		if i.State != gone {
			if i.Dataset, err = stored(strings.NewReader(text)); err != nil {
				return fmt.Errorf("ups: workitem %s cannot be read: %w", i.UID, err)
			}
		}
		if err := fn(&i); err != nil {
			return err
		}
	}
	return rows.Err()
}

// stored reads a data set back.
func stored(r io.Reader) (*dicom.Dataset, error) {
	read, err := dicom.ParseJSON(r, storedLimits)
	if err == nil && len(read) != 1 {
		err = fmt.Errorf("%d data sets", len(read))
	}
	if err != nil {
		return nil, err
	}
	return read[0], nil
}

// harmless is the length in bytes up to which a text cannot exceed storedLimits, whatever it holds.
const harmless = 256 << 10

// writable returns a data set as it is stored. Many small updates can make one that could not be read back: that is an error
// of kind TooLarge.
func writable(ds *dicom.Dataset) ([]byte, error) {
	text, err := dicom.AppendJSON(nil, ds, dicom.JSONOptions{})
	if err != nil || len(text) <= harmless {
		return text, err
	}
	if _, err := stored(bytes.NewReader(text)); err != nil {
		return nil, dicomweb.Errorf(dicomweb.TooLarge, "the workitem would be larger than one may be")
	}
	return text, nil
}

// complete adds the inputs to a workitem's data set.
func complete(ctx context.Context, tx *sql.Tx, i *Workitem) error {
	var packed []byte
	if err := tx.QueryRowContext(ctx, `SELECT inputs FROM ups_workitem WHERE uid = ?`, i.UID).Scan(&packed); err != nil {
		return err
	}
	i.Dataset.SetItems(tag.InputInformationSequence)
	if len(packed) == 0 {
		return nil
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return fmt.Errorf("ups: inputs of workitem %s: %w", i.UID, err)
	}
	inputs, err := stored(z)
	if err != nil {
		return fmt.Errorf("ups: inputs of workitem %s: %w", i.UID, err)
	}
	i.Dataset.SetItems(tag.InputInformationSequence, inputs.Items(tag.InputInformationSequence)...)
	return nil
}

// pack takes the inputs out of a data set.
func pack(ds *dicom.Dataset) ([]byte, error) {
	inputs := dicom.New()
	inputs.Copy(ds, tag.InputInformationSequence)
	ds.Delete(tag.InputInformationSequence)
	if len(inputs.Items(tag.InputInformationSequence)) == 0 {
		return nil, nil
	}
	text, err := writable(inputs)
	if err != nil {
		return nil, err
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write(text) // a buffer takes everything
	z.Close()
	return packed.Bytes(), nil
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
	i.Dataset.Set(tag.SpecificCharacterSet, "ISO_IR 192")
	i.Dataset.Set(tag.ProcedureStepState, string(i.State))
	i.Dataset.Set(tag.ScheduledProcedureStepModificationDateTime, FormatDT(i.changed))
	i.Dataset.Delete(tag.TransactionUID)
	var inputs []byte
	study, studies := studyOf(i.Dataset), studiesOf(i.Dataset)
	given := i.Dataset.Has(tag.InputInformationSequence) // new ones, or the first
	if given {
		var err error
		if inputs, err = pack(i.Dataset); err != nil {
			return err
		}
	}
	text, err := writable(i.Dataset)
	if err != nil {
		return err
	}
	_, err = t.Exec(`INSERT INTO ups_workitem (uid, state, performed, study, studies, lock_uid, created, changed, dataset, inputs) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (uid) DO UPDATE SET state = excluded.state, performed = excluded.performed,
		lock_uid = excluded.lock_uid, changed = excluded.changed, dataset = excluded.dataset,
		study = CASE WHEN ? OR ups_workitem.studies = ' ' THEN excluded.study ELSE ups_workitem.study END,
		studies = CASE WHEN ? THEN excluded.studies ELSE ups_workitem.studies END,
		inputs = CASE WHEN ? THEN excluded.inputs ELSE ups_workitem.inputs END`,
		i.UID, string(i.State), i.Performed, study, studies, i.lock, i.Created.UnixMicro(), i.changed.UnixMicro(), string(text), inputs, given, given, given)
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

// mostStudies bounds what studiesOf lists; every is in its place where there are more.
const (
	mostStudies = 100
	every       = "*"
)

// studiesOf lists the studies that a workitem's inputs are from, a space around each.
func studiesOf(ds *dicom.Dataset) string {
	list, n := " ", 0
	for _, item := range ds.Items(tag.InputInformationSequence) {
		study := item.String(tag.StudyInstanceUID)
		if study == "" || strings.Contains(list, " "+study+" ") {
			continue
		}
		if n++; n > mostStudies {
			return " " + every + " "
		}
		list += study + " "
	}
	return list
}

// FormatDT writes a moment as DICOM's DT with its offset from UTC.
func FormatDT(at time.Time) string { return at.UTC().Format("20060102150405.000000") + "+0000" }

// most is how many workitems one transaction takes away: others wait for it.
const most = 200

// expire takes final workitems away whose time is over and that nobody locks; their UIDs stay known (PS3.4 CC.2.1.3).
func (t *change) expire() error {
	rows, err := t.QueryContext(t.ctx, `SELECT uid FROM ups_workitem WHERE state IN (?, ?) AND changed < ?
		AND NOT EXISTS (SELECT 1 FROM ups_subscription s WHERE s.workitem = ups_workitem.uid AND s.locked = 1) LIMIT ?`,
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
		if _, err := t.Exec(`UPDATE ups_workitem SET state = ?, study = '', studies = '', lock_uid = '', dataset = '', inputs = NULL WHERE uid = ?`, string(gone), uid); err != nil {
			return err
		}
		if _, err := t.Exec(`DELETE FROM ups_subscription WHERE workitem = ?`, uid); err != nil {
			return err
		}
	}
	return nil
}
