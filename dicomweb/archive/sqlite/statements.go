package sqlite

import (
	"context"
	"database/sql"
	"sync"
)

// mostStatements bounds the reading statements that are kept prepared. Searches have as many texts as combinations of
// keys; the first ones that come are those of the node itself and of the viewers around it.
const mostStatements = 64

// statements are prepared reading statements by their text: parsing and planning one takes longer than reading a row.
type statements struct {
	mu     sync.RWMutex
	byText map[string]*sql.Stmt
}

// known returns the prepared statement, nil where there is none.
func (s *statements) known(text string) *sql.Stmt {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.byText[text]
}

// learn prepares a statement, nil where it stays a text. It waits for a connection: who holds one must not call it.
func (s *statements) learn(ctx context.Context, db *sql.DB, text string) *sql.Stmt {
	s.mu.RLock()
	p, full := s.byText[text], len(s.byText) >= mostStatements
	s.mu.RUnlock()
	if p != nil || full {
		return p
	}
	p, err := db.PrepareContext(ctx, text)
	if err != nil {
		return nil // running it tells
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if other := s.byText[text]; other != nil {
		p.Close()
		return other
	}
	if s.byText == nil {
		s.byText = map[string]*sql.Stmt{}
	}
	s.byText[text] = p
	return p
}

// queryRow reads one row outside of a transaction. That is too short for it to be worth watching ctx meanwhile.
func (x *Index) queryRow(ctx context.Context, text string, args ...any) *sql.Row {
	ctx = context.WithoutCancel(ctx)
	if p := x.statements.learn(ctx, x.read, text); p != nil {
		return p.QueryRowContext(ctx, args...)
	}
	return x.read.QueryRowContext(ctx, text, args...)
}

// query reads rows outside of a transaction.
func (x *Index) query(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	if p := x.statements.learn(ctx, x.read, text); p != nil {
		return p.QueryContext(ctx, args...)
	}
	return x.read.QueryContext(ctx, text, args...)
}

// queryIn reads rows inside a reading transaction.
func (x *Index) queryIn(ctx context.Context, tx *sql.Tx, text string, args ...any) (*sql.Rows, error) {
	if p := x.statements.known(text); p != nil {
		return tx.StmtContext(ctx, p).QueryContext(ctx, args...)
	}
	return tx.QueryContext(ctx, text, args...)
}
