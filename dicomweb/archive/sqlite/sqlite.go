// Package sqlite is the archive's index in an SQLite database: one file beside the objects, in WAL mode, every commit
// flushed. It keeps what package index describes and answers package query's questions; the truth is elsewhere, so a
// damaged or outdated database is set aside or rebuilt. It does not know files or HTTP.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// readers is how many searches run at once. Each keeps a page cache of its own.
const readers = 4

// Index is the database. All methods may be called concurrently.
type Index struct {
	read, write *sql.DB
	ops         chan *op
	closing     chan struct{}
	ended       chan struct{} // the writer's goroutine is done
	once        sync.Once
	blank       bool                 // the live tables were made anew and do not know the instances that state counts
	rebuilding  bool                 // Add fills the shadow tables too; only the writer touches it
	prepared    map[string]*sql.Stmt // by text; this and wanted are the writer's
	wanted      []string
	rebuild     sync.Mutex
	statements  statements // for reading
}

// Open opens or makes the database at path. Fresh tells that it knows nothing, or was made by another attribute table,
// and has to be rebuilt before use; a damaged file is set aside with the suffix ".damaged" and replaced by a fresh one.
func Open(ctx context.Context, path string) (x *Index, fresh bool, err error) {
	x, fresh, err = open(ctx, path)
	if !damaged(err) {
		return x, fresh, err
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Rename(path+suffix, path+".damaged"+suffix); err != nil && !os.IsNotExist(err) {
			return nil, false, err
		}
	}
	return open(ctx, path)
}

// damaged reports whether err says that the file is no sound database.
func damaged(err error) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	code := e.Code() & 0xFF
	return code == sqlite3.SQLITE_CORRUPT || code == sqlite3.SQLITE_NOTADB
}

func open(ctx context.Context, path string) (*Index, bool, error) {
	x := &Index{ops: make(chan *op), closing: make(chan struct{}), ended: make(chan struct{}), prepared: map[string]*sql.Stmt{}}
	var err error
	if x.write, err = connect(path, "_txlock=immediate&_pragma=synchronous(FULL)", 1); err != nil {
		return nil, false, err
	}
	if x.read, err = connect(path, "_txlock=deferred&_pragma=query_only(1)", readers); err != nil {
		return nil, false, errors.Join(err, x.write.Close())
	}
	fresh, err := x.prepare(ctx)
	if err != nil {
		return nil, false, errors.Join(err, x.read.Close(), x.write.Close())
	}
	go x.writer()
	return x, fresh, nil
}

// connect opens a pool of at most n connections.
func connect(path, options string, n int) (*sql.DB, error) {
	dsn := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: options +
		"&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=cache_size(-16000)&_pragma=temp_store(2)"}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	return db, nil
}

// prepare makes the tables that are missing and reports whether the index has to be rebuilt.
func (x *Index) prepare(ctx context.Context) (fresh bool, err error) {
	tx, err := x.write.BeginTx(ctx, nil)
	if err != nil {
		return false, err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, base); err != nil {
		return false, err
	}
	var have string
	err = tx.QueryRowContext(ctx, `SELECT value FROM meta WHERE key = 'version'`).Scan(&have)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return false, err
	}
	if fresh = have != version(); fresh {
		if err := drop(ctx, tx, live()); err != nil {
			return false, err
		}
		for _, text := range append([]string{create(live())}, reindex(live())...) {
			if _, err := tx.ExecContext(ctx, text); err != nil {
				return false, err
			}
		}
		if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) > 0 FROM state`).Scan(&x.blank); err != nil {
			return false, err
		}
	}
	if err := drop(ctx, tx, shadow()); err != nil { // of a rebuild that was cut short
		return false, err
	}
	return fresh, tx.Commit()
}

func drop(ctx context.Context, tx *sql.Tx, t tables) error {
	for _, name := range t.all() {
		if _, err := tx.ExecContext(ctx, "DROP TABLE IF EXISTS "+name); err != nil {
			return err
		}
	}
	return nil
}

// Close waits for what is being written and closes the database.
func (x *Index) Close() error {
	x.once.Do(func() { close(x.closing) })
	<-x.ended
	return errors.Join(x.read.Close(), x.write.Close())
}

// explain adds what callers decide on to an error of the database.
func explain(err error) error {
	var e *sqlite.Error
	if errors.As(err, &e) && e.Code()&0xFF == sqlite3.SQLITE_FULL {
		return fmt.Errorf("sqlite: %w: %w", err, syscall.ENOSPC)
	}
	return err
}
