package history

import (
	"errors"
	"fmt"

	"github.com/winnow-email/winnow/bounceimport"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// migration brings a history from one schema version to the next: its SQL, then
// what SQL cannot do.
type migration struct {
	sql  string
	then func(*Store) error
}

// migrations bring a history from schema version i to i+1. A step that was
// released is never changed.
var migrations = []migration{{sql: `CREATE TABLE event (
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
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;`},
	{sql: `ALTER TABLE event RENAME TO event_1;
CREATE TABLE event (
	key      TEXT NOT NULL,
	category TEXT NOT NULL,
	action   TEXT NOT NULL,
	day      INTEGER NOT NULL,
	first    INTEGER NOT NULL,
	last     INTEGER NOT NULL,
	soft     INTEGER NOT NULL,
	provider TEXT NOT NULL,
	reply    TEXT NOT NULL,
	rule     TEXT NOT NULL,
	source   TEXT NOT NULL,
	code     INTEGER NOT NULL,
	status   TEXT NOT NULL,
	phase    TEXT NOT NULL,
	remote   TEXT NOT NULL,
	hint     TEXT NOT NULL,
	whole    INTEGER NOT NULL,
	sum      INTEGER NOT NULL, -- checksums of the columns before it (see row.sums): a bit that turns releases nobody
	rest     INTEGER NOT NULL,
	PRIMARY KEY (key, category, action, day)
) STRICT, WITHOUT ROWID;`, then: fromSchema1},
}

// fromSchema1 moves the rows of schema 1, which had no checksums. What is held
// against a whole domain although a server of it answered (schema 1 counted such
// faults of servers for all their addresses) becomes what it is: a sign of life.
func fromSchema1(s *Store) error {
	var t totals
	t.small = true // the first sums of all tables
	var r row
	err := sqlitex.Execute(s.conn, "SELECT "+allColumns+" FROM event_1 ORDER BY key, category, action, day", &sqlitex.ExecOptions{ResultFunc: func(st *sqlite.Stmt) error {
		r.scan(st)
		if c, _ := bounceimport.LookupCategory(r.category); r.key[0] == '@' && !c.AboutDomain && r.category != "delivered" {
			if r.code == 0 {
				return nil
			}
			r = row{key: r.key, category: "delivered", action: bounceimport.Clear, day: singleDay, first: r.first, last: r.last}
		}
		_, err := s.merge(&t, &r)
		return err
	}})
	if err != nil {
		return err
	}
	if err := sqlitex.ExecuteTransient(s.conn, "DROP TABLE event_1", nil); err != nil {
		return err
	}
	return s.saveTotals(&t)
}

// migrate brings the schema from version up to date, within a write transaction.
func (s *Store) migrate(version int64, migrations []migration) error {
	for ; version < int64(len(migrations)); version++ {
		m := migrations[version]
		err := sqlitex.ExecuteScript(s.conn, m.sql, nil)
		if err == nil && m.then != nil {
			err = m.then(s)
		}
		var known *Error
		if err != nil && !errors.As(err, &known) {
			err = fmt.Errorf("bringing it to schema %d: %w", version+1, err)
		}
		if err != nil {
			return err
		}
	}
	if err := sqlitex.ExecuteTransient(s.conn, fmt.Sprintf("PRAGMA application_id=%d", applicationID), nil); err != nil {
		return err
	}
	return sqlitex.ExecuteTransient(s.conn, fmt.Sprintf("PRAGMA user_version=%d", len(migrations)), nil)
}
