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
