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

// Open opens the history in an existing file, for reading and writing where
// the file system allows it, else for reading. The error is an *Error.
func Open(path string) (*Store, error) { return open(path, false, migrations) }

// Create opens the history in a file, which is made (0600) when it is missing
// or empty. The error is an *Error.
func Create(path string) (*Store, error) { return open(path, true, migrations) }

func open(path string, create bool, migrations []migration) (_ *Store, err error) {
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
func (s *Store) admit(fresh, writable bool, migrations []migration) error {
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
	if app == applicationID && version == 0 && tables > 0 {
		return s.damaged("it does not know its own schema")
	}
	if !writable {
		if version < int64(len(migrations)) {
			return &Error{s.path, "was written by an older winnow and cannot be updated in a read-only place", "copy it to where you may write", nil}
		}
		return s.check()
	}
	if err := sqlitex.ExecuteTransient(s.conn, "PRAGMA journal_mode=WAL", nil); err != nil {
		return err
	}
	if version == int64(len(migrations)) {
		return s.check()
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
		return s.migrate(version, migrations)
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
