package commitment

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"mome/dicomweb"
)

// schema has a request as zipped JSON; at is when it came, in seconds since 1970.
const schema = `CREATE TABLE IF NOT EXISTS commitment (
	transaction_uid TEXT PRIMARY KEY,
	at              INTEGER NOT NULL,
	request         BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS commitment_at ON commitment (at);`

// maxRemembered bounds the table; the oldest go first.
const maxRemembered = 100_000

// prepare makes the table where it is missing, when it is first needed.
func (s *Service) prepare(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.prepared {
		return nil
	}
	err := s.cfg.Archive.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, schema)
		return err
	})
	if err != nil {
		return fmt.Errorf("commitment: make the table of requests: %w", err)
	}
	s.prepared = true
	return nil
}

// remember keeps a request under its transaction UID. Another request under it is a conflict (PS3.18 table 13.4.3-1).
func (s *Service) remember(ctx context.Context, transaction string, q request) error {
	if err := s.prepare(ctx); err != nil {
		return err
	}
	packed, err := pack(q)
	if err != nil {
		return err
	}
	now := s.cfg.Now()
	err = s.cfg.Archive.Update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM commitment WHERE at < ?`, now.Add(-s.cfg.Keep).Unix()); err != nil {
			return err
		}
		var have []byte
		switch err := tx.QueryRowContext(ctx, `SELECT request FROM commitment WHERE transaction_uid = ?`, transaction).Scan(&have); {
		case err == nil && bytes.Equal(have, packed):
			return nil
		case err == nil:
			return dicomweb.Errorf(dicomweb.Conflict, "this transaction UID is in use for another request: choose a new one")
		case !errors.Is(err, sql.ErrNoRows):
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO commitment (transaction_uid, at, request) VALUES (?, ?, ?)`, transaction, now.Unix(), packed); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM commitment WHERE transaction_uid IN (SELECT transaction_uid FROM commitment ORDER BY at DESC LIMIT -1 OFFSET ?)`, maxRemembered)
		return err
	})
	if err != nil {
		return fmt.Errorf("commitment: remember a request: %w", err)
	}
	return nil
}

// recall returns what was asked under a transaction UID.
func (s *Service) recall(ctx context.Context, transaction string) (q request, err error) {
	if err := s.prepare(ctx); err != nil {
		return q, err
	}
	var packed []byte
	var at int64
	err = s.cfg.Archive.View(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `SELECT request, at FROM commitment WHERE transaction_uid = ?`, transaction).Scan(&packed, &at)
	})
	if errors.Is(err, sql.ErrNoRows) || err == nil && s.cfg.Now().Sub(time.Unix(at, 0)) > s.cfg.Keep {
		return q, dicomweb.Errorf(dicomweb.NotFound, "no request for storage commitment is known under this transaction UID: send it by POST")
	}
	if err == nil {
		q, err = unpack(packed)
	}
	if err != nil {
		return q, fmt.Errorf("commitment: recall a request: %w", err)
	}
	return q, nil
}

// pack writes a request; the same one gives the same bytes.
func pack(q request) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if err := json.NewEncoder(z).Encode(q); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// maxUnpacked bounds what a row may grow to: four UIDs of 64 characters for each reference, and their names.
const maxUnpacked = maxReferences * 300

func unpack(b []byte) (q request, err error) {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return q, err
	}
	return q, json.NewDecoder(io.LimitReader(z, maxUnpacked)).Decode(&q)
}
