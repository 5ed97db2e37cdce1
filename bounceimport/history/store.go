package history

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/winnow-email/winnow/internal/shown"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// applicationID marks the file as ours in the SQLite header ("wnnw").
const applicationID = 0x776e6e77

// Store is an open history. It is for one goroutine at a time.
type Store struct {
	conn *sqlite.Conn
	path string
}

// Error says what is wrong with a history file, and what to do.
type Error struct {
	Path string
	What string // e.g. "is damaged: database disk image is malformed"
	Next string // what to do
	Err  error  // what SQLite said, where it did
}

func (e *Error) Error() string { return "history " + shown.Name(e.Path) + " " + e.What }

func (e *Error) Unwrap() error { return e.Err }

// Hint returns what to do about the error.
func (e *Error) Hint() string { return e.Next }

// write runs f in a transaction that holds the one write lock from its start.
func (s *Store) write(f func() error) (err error) {
	end, err := sqlitex.ImmediateTransaction(s.conn)
	if err != nil {
		return err
	}
	defer end(&err)
	return f()
}

// snapshot runs f on the state of one moment, whatever other processes write.
func (s *Store) snapshot(ctx context.Context, f func() error) error {
	return s.during(ctx, func() (err error) {
		end := sqlitex.Transaction(s.conn)
		defer end(&err)
		return f()
	})
}

// during runs f with ctx as the interrupt of the connection.
func (s *Store) during(ctx context.Context, f func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.conn.SetInterrupt(ctx.Done())
	err := f()
	s.conn.SetInterrupt(nil)
	if ctx.Err() != nil && sqlite.ErrCode(err).ToPrimary() == sqlite.ResultInterrupt {
		return ctx.Err()
	}
	return s.explain(err)
}

// int returns the one number that a query gives.
func (s *Store) int(query string) (n int64, err error) {
	err = sqlitex.Execute(s.conn, query, &sqlitex.ExecOptions{ResultFunc: func(st *sqlite.Stmt) error {
		n = st.ColumnInt64(0)
		return nil
	}})
	return n, err
}

// Close folds the log into the file and closes it. Closing again does nothing.
func (s *Store) Close() error {
	if s.conn == nil {
		return nil
	}
	err := s.conn.Close()
	s.conn = nil
	return s.explain(err)
}

// explain turns an error of SQLite into one that says what to do.
func (s *Store) explain(err error) error {
	var known *Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	switch code := sqlite.ErrCode(err); code.ToPrimary() {
	case sqlite.ResultCorrupt, sqlite.ResultNotADB:
		return s.damaged(code.Message())
	case sqlite.ResultBusy, sqlite.ResultLocked:
		return &Error{s.path, "is in use by another program", "try again when it is done", err}
	case sqlite.ResultFull, sqlite.ResultIOErr:
		return &Error{s.path, "cannot be written: " + code.Message(), "check the disk; what was there before is still there", err}
	case sqlite.ResultReadOnly, sqlite.ResultPerm, sqlite.ResultCantOpen, sqlite.ResultAuth:
		return &Error{s.path, "cannot be opened or written: " + code.Message(), "check the permissions of the file and of its folder", err}
	}
	return err
}

// damaged is the error about content that cannot be right. A damaged history
// answers nothing: what it lost might be the only reason not to mail somebody.
func (s *Store) damaged(what string) error {
	return &Error{s.path, "is damaged (" + what + ")", "put back a copy, or move it away and import your bounce files again: that gives the same history", nil}
}

func reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

// unix is the inverse of how times are stored.
func unix(t int64) time.Time {
	if t == 0 {
		return time.Time{}
	}
	return time.Unix(t, 0).UTC()
}
