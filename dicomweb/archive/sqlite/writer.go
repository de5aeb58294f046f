package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// batch is how many changes share one commit at most. A flush costs milliseconds, a change a fraction of one: what
// waits while one commit is flushed goes into the next together.
const batch = 64

var errClosed = errors.New("sqlite: the index is closed")

// op is one change that waits for the writer.
type op struct {
	ctx  context.Context
	fn   func(*sql.Tx) error
	done chan error
}

// Update runs fn in a transaction and returns when it is durable. There is one writer: fn must be short, must not call
// Update, and may share its commit with others; its error takes back only what it did itself.
func (x *Index) Update(ctx context.Context, fn func(*sql.Tx) error) error {
	o := &op{ctx: ctx, fn: fn, done: make(chan error, 1)}
	select {
	case x.ops <- o:
		return <-o.done
	case <-ctx.Done():
		return ctx.Err()
	case <-x.closing:
		return errClosed
	}
}

// View runs fn in a transaction that reads a snapshot.
func (x *Index) View(ctx context.Context, fn func(*sql.Tx) error) error {
	tx, err := x.read.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	return fn(tx)
}

// writer owns the writing connection until Close.
func (x *Index) writer() {
	defer close(x.ended)
	for {
		select {
		case <-x.closing:
			return
		case o := <-x.ops:
			x.commit(o)
		}
	}
}

// commit runs first and what waits behind it in one transaction.
func (x *Index) commit(first *op) {
	tx, err := x.write.BeginTx(context.Background(), nil)
	if err != nil {
		first.done <- explain(err)
		return
	}
	var ran []*op
	for o := first; o != nil; o = x.next(len(ran)) {
		ran = append(ran, o)
		var own error
		if own, err = run(tx, o); err != nil {
			break
		}
		if own != nil {
			o.done <- explain(own)
			ran = ran[:len(ran)-1]
		}
	}
	if err == nil {
		err = tx.Commit()
	} else {
		err = errors.Join(err, tx.Rollback())
	}
	for _, o := range ran {
		o.done <- explain(err)
	}
	x.prepareWanted()
}

// next returns a change that already waits, or nil.
func (x *Index) next(ran int) *op {
	if ran >= batch {
		return nil
	}
	select {
	case o := <-x.ops:
		return o
	default:
		return nil
	}
}

// run runs one change inside the transaction. Its own error is taken back; the other one means that the transaction
// is lost for all.
func run(tx *sql.Tx, o *op) (own, lost error) {
	if own = o.ctx.Err(); own != nil {
		return own, nil
	}
	if _, err := tx.Exec("SAVEPOINT op"); err != nil {
		return nil, err
	}
	if own = guarded(tx, o.fn); own != nil {
		if _, err := tx.Exec("ROLLBACK TO op"); err != nil {
			return own, errors.Join(own, err)
		}
	}
	if _, err := tx.Exec("RELEASE op"); err != nil {
		return own, errors.Join(own, err)
	}
	return own, nil
}

// guarded turns a panic of fn into an error: the writer serves others too.
func guarded(tx *sql.Tx, fn func(*sql.Tx) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("sqlite: a change panicked: %v", p)
		}
	}()
	return fn(tx)
}

// change is a transaction of the writer whose statements are prepared once: parsing them takes longer than running
// them. Statements are prepared between transactions, for there is one connection.
type change struct {
	*sql.Tx
	x *Index
}

// edit is Update with prepared statements.
func (x *Index) edit(ctx context.Context, fn func(change) error) error {
	return x.Update(ctx, func(tx *sql.Tx) error { return fn(change{tx, x}) })
}

// Exec runs a statement; its text must be one of few.
func (c change) Exec(text string, args ...any) (sql.Result, error) {
	if s := c.prepared(text); s != nil {
		return c.Stmt(s).Exec(args...)
	}
	return c.Tx.Exec(text, args...)
}

// QueryRow runs a query for one row; its text must be one of few.
func (c change) QueryRow(text string, args ...any) *sql.Row {
	if s := c.prepared(text); s != nil {
		return c.Stmt(s).QueryRow(args...)
	}
	return c.Tx.QueryRow(text, args...)
}

// prepared returns the statement, nil when it is yet to be prepared.
func (c change) prepared(text string) *sql.Stmt {
	s, ok := c.x.prepared[text]
	if !ok {
		c.x.prepared[text] = nil
		c.x.wanted = append(c.x.wanted, text)
	}
	return s
}

// prepareWanted prepares what the last transaction used first. What fails is run from its text again.
func (x *Index) prepareWanted() {
	for _, text := range x.wanted {
		if s, err := x.write.Prepare(text); err == nil {
			x.prepared[text] = s
		} else {
			delete(x.prepared, text)
		}
	}
	x.wanted = nil
}
