// Package history keeps what happened to addresses over time in one SQLite
// file: every bounce, complaint, unsubscribe and proof of life that was
// imported, one row an address, category and day. It is a
// [bounceimport.Source], so a job can ask it what to do with a list.
//
// # What a history is
//
// An import is a set union: the same file twice changes nothing, and the order
// of imports does not show in the content. Everything that depends on the
// clock (thresholds, windows, expiry) is computed when the history is asked,
// by [bounceimport.Fold], never stored. A history that was lost can be made
// again from the bounce files.
//
// Several processes may use a history at once (SQLite in WAL mode): readers see
// the state of one moment, writers take turns transaction by transaction. An
// import that is killed leaves whole transactions or nothing; importing the file
// again completes it. Rules change: the replies are kept, and Reclassify judges
// them again.
//
// # What it holds of a person
//
// The address, what was said of it (the reply, with the address in it masked),
// when, and in which file and line; no names and no other column of the file.
// Forget removes that and leaves a keyed hash (HMAC-SHA-256) that goes on
// suppressing. The key of the hashes is in the same file, so that they cannot
// come apart: whoever holds the file can still ask it whether it knows a given
// address. That is pseudonymous, not anonymous. The files are created 0600.
//
// # Events without a time
//
// Some sources give no time. Such events of one address and category are
// together one event on a day of its own: they suppress where one event is
// enough, then without expiry, and they are one day towards a threshold that
// needs several. A delivery without a time disproves nothing.
package history

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// applicationID marks the file as ours in the SQLite header ("wnnw").
const applicationID = 0x776e6e77

// migrations bring a history from schema version i to i+1. A step that was
// released is never changed.
var migrations = []string{
	`CREATE TABLE event (
	key      TEXT NOT NULL,    -- address key, or "@domain" for what is said of all its addresses
	category TEXT NOT NULL,
	action   TEXT NOT NULL,    -- suppress_now, count, report, clear
	day      INTEGER NOT NULL, -- days since 1970-01-01 UTC; -1: the source gave no time, 0 for proof of life: all days
	first    INTEGER NOT NULL, -- first and last event of the day, seconds since 1970; 0: not known
	last     INTEGER NOT NULL,
	soft     INTEGER NOT NULL, -- 1: every reply of the day was temporary
	provider TEXT NOT NULL,    -- of the last event, like the rest
	reply    TEXT NOT NULL,    -- masked, at most 512 bytes
	rule     TEXT NOT NULL,
	source   TEXT NOT NULL,    -- file:line
	code     INTEGER NOT NULL, -- what the classifier was given beside the reply, to judge it again by better rules
	status   TEXT NOT NULL,
	phase    TEXT NOT NULL,
	remote   TEXT NOT NULL,
	hint     TEXT NOT NULL,
	whole    INTEGER NOT NULL, -- 1: reply is all that the server said; 0: it was cut, or is the verdict of the source
	PRIMARY KEY (key, category, action, day)
) STRICT, WITHOUT ROWID;
CREATE TABLE incident (
	provider TEXT NOT NULL,
	first    INTEGER NOT NULL,
	last     INTEGER NOT NULL,
	n        INTEGER NOT NULL,
	why      TEXT NOT NULL,
	PRIMARY KEY (provider, first)
) STRICT, WITHOUT ROWID;
CREATE TABLE forgotten (
	hash     BLOB PRIMARY KEY, -- HMAC-SHA-256 of the address key
	category TEXT NOT NULL,
	since    INTEGER NOT NULL  -- when it was forgotten, seconds since 1970
) STRICT, WITHOUT ROWID;
CREATE TABLE file (
	name     TEXT NOT NULL,
	sha256   TEXT NOT NULL,
	format   TEXT NOT NULL,
	records  INTEGER NOT NULL,
	PRIMARY KEY (sha256, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;`,
}

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

func (e *Error) Error() string { return "history " + e.Path + " " + e.What }
func (e *Error) Unwrap() error { return e.Err }

// Hint returns what to do about the error.
func (e *Error) Hint() string { return e.Next }

// Open opens the history in an existing file, for reading and writing where
// the file system allows it, else for reading. The error is an *Error.
func Open(path string) (*Store, error) { return open(path, false, migrations) }

// Create opens the history in a file, which is made (0600) when it is missing
// or empty. The error is an *Error.
func Create(path string) (*Store, error) { return open(path, true, migrations) }

func open(path string, create bool, migrations []string) (_ *Store, err error) {
	s := &Store{path: path}
	fresh, writable, err := look(path, create)
	if err != nil {
		return nil, err
	}
	if s.conn, err = connect(path, writable); err != nil {
		return nil, s.explain(err)
	}
	defer func() {
		if err != nil {
			s.conn.Close()
		}
	}()
	s.conn.SetBusyTimeout(busyTimeout)
	if err := s.admit(fresh, writable, migrations); err != nil {
		return nil, s.explain(err)
	}
	return s, nil
}

// connect opens the database. WAL needs to write beside it even to read; where
// that is impossible and nobody left a log behind, the file alone is the
// database.
func connect(path string, writable bool) (*sqlite.Conn, error) {
	if path[0] == ':' {
		path = "./" + path // ":memory:" is a file like any other
	}
	if writable {
		return sqlite.OpenConn(path, sqlite.OpenReadWrite)
	}
	if _, err := os.Stat(path + "-wal"); errors.Is(err, fs.ErrNotExist) {
		u := url.URL{Scheme: "file", Opaque: url.PathEscape(path), RawQuery: "immutable=1"}
		return sqlite.OpenConn(u.String(), sqlite.OpenReadOnly|sqlite.OpenURI)
	}
	return sqlite.OpenConn(path, sqlite.OpenReadOnly)
}

// busyTimeout is how long one process waits for another to finish a batch.
const busyTimeout = time.Minute

// look examines the file before SQLite sees it, and makes it when asked to.
func look(path string, create bool) (fresh, writable bool, err error) {
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && create:
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) { // another process was faster
			return look(path, create)
		}
		if err != nil {
			return false, false, &Error{path, "cannot be created: " + reason(err), "name a file in a folder that exists and that you may write to", err}
		}
		return true, true, f.Close()
	case errors.Is(err, fs.ErrNotExist):
		return false, false, &Error{path, "does not exist", "make one with: winnow bounces import FILE --history " + path, err}
	case err != nil:
		return false, false, &Error{path, "cannot be opened: " + reason(err), "check the name and the permissions", err}
	case st.IsDir():
		return false, false, &Error{path, "is a folder", "name the file in it, for example " + filepath.Join(path, "winnow.db"), nil}
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	writable = err == nil
	if err != nil && !create {
		f, err = os.Open(path)
	}
	if err != nil {
		return false, false, &Error{path, "cannot be opened: " + reason(err), "check the permissions of the file", err}
	}
	defer f.Close()
	if writable { // SQLite makes its log beside the file
		if dir, e := os.CreateTemp(filepath.Dir(path), ".winnow-*"); e == nil {
			dir.Close()
			os.Remove(dir.Name())
		} else {
			writable = false
			if create {
				return false, false, &Error{path, "cannot be written: " + reason(e), "the folder of a history must be writable too", e}
			}
		}
	}
	var head [16]byte
	n, err := io.ReadFull(f, head[:])
	if n == 0 && create {
		return true, true, nil
	}
	if string(head[:n]) != "SQLite format 3\x00" {
		return false, false, &Error{path, "is not a winnow history", "name the file that `winnow bounces import --history` made", nil}
	}
	return false, writable, nil
}

// admit refuses what is not ours or too new, and brings what is old up to date.
func (s *Store) admit(fresh, writable bool, migrations []string) error {
	setup := []string{
		"PRAGMA page_size=8192", // of a new file
		"PRAGMA synchronous=NORMAL",
		"PRAGMA cache_size=-32768",
	}
	for _, p := range setup {
		if err := sqlitex.ExecuteTransient(s.conn, p, nil); err != nil {
			return err
		}
	}
	app, version, tables, err := s.header()
	if err != nil {
		return err
	}
	if app != applicationID && (!fresh && app != 0 || tables > 0) {
		return &Error{s.path, "is not a winnow history but another program's database", "name the file that `winnow bounces import --history` made", nil}
	}
	newer := func(version int64) error {
		return &Error{s.path, fmt.Sprintf("was written by a newer winnow (schema %d, this one knows up to %d)", version, len(migrations)), "update winnow", nil}
	}
	if version > int64(len(migrations)) {
		return newer(version)
	}
	if !writable {
		if version < int64(len(migrations)) {
			return &Error{s.path, "was written by an older winnow and cannot be updated in a read-only place", "copy it to where you may write", nil}
		}
		return nil
	}
	if err := sqlitex.ExecuteTransient(s.conn, "PRAGMA journal_mode=WAL", nil); err != nil {
		return err
	}
	if version == int64(len(migrations)) {
		return nil
	}
	return s.write(func() error {
		// Another process may have done it meanwhile.
		app, version, tables, err := s.header()
		switch {
		case err != nil:
			return err
		case app != applicationID && tables > 0, version > int64(len(migrations)):
			return newer(version)
		}
		for ; version < int64(len(migrations)); version++ {
			if err := sqlitex.ExecuteScript(s.conn, migrations[version], nil); err != nil {
				return fmt.Errorf("bringing it to schema %d: %w", version+1, err)
			}
		}
		if err := sqlitex.ExecuteTransient(s.conn, fmt.Sprintf("PRAGMA application_id=%d", applicationID), nil); err != nil {
			return err
		}
		return sqlitex.ExecuteTransient(s.conn, fmt.Sprintf("PRAGMA user_version=%d", len(migrations)), nil)
	})
}

// header returns what says whose file this is, all of the same moment.
func (s *Store) header() (app, version, tables int64, err error) {
	defer sqlitex.Save(s.conn)(&err)
	for _, q := range []struct {
		sql string
		dst *int64
	}{{"PRAGMA application_id", &app}, {"PRAGMA user_version", &version}, {"SELECT count(*) FROM sqlite_master", &tables}} {
		err = sqlitex.ExecuteTransient(s.conn, q.sql, &sqlitex.ExecOptions{ResultFunc: func(st *sqlite.Stmt) error {
			*q.dst = st.ColumnInt64(0)
			return nil
		}})
		if err != nil {
			return 0, 0, 0, err
		}
	}
	return app, version, tables, nil
}

// write runs f in a transaction that holds the one write lock from its start.
func (s *Store) write(f func() error) (err error) {
	end, err := sqlitex.ImmediateTransaction(s.conn)
	if err != nil {
		return err
	}
	defer end(&err)
	return f()
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
		return &Error{s.path, "is damaged (" + code.Message() + ")", "put back a copy, or move it away and import your bounce files again: that gives the same history", err}
	case sqlite.ResultBusy, sqlite.ResultLocked:
		return &Error{s.path, "is in use by another program", "try again when it is done", err}
	case sqlite.ResultFull, sqlite.ResultIOErr:
		return &Error{s.path, "cannot be written: " + code.Message(), "check the disk; what was there before is still there", err}
	case sqlite.ResultReadOnly, sqlite.ResultPerm, sqlite.ResultCantOpen, sqlite.ResultAuth:
		return &Error{s.path, "cannot be opened or written: " + code.Message(), "check the permissions of the file and of its folder", err}
	}
	return err
}

func reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}
