package history

import (
	"context"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// checkedAtOpen is how many events are looked at whenever a history is opened:
// that takes some hundredths of a second. A larger one is checked by whoever reads
// all of it (Records, Standings, Stats) and by Verify.
const checkedAtOpen = 50_000

// check is what is done whenever a history is opened.
func (s *Store) check() error {
	return s.snapshot(context.Background(), func() error {
		t, small, err := s.loadTotals()
		if err != nil {
			return err
		}
		if now, err := s.smallSum(); err != nil {
			return err
		} else if now != small {
			return s.damaged("what was forgotten, the incidents or the list of files do not match their checksum")
		}
		if t.rows > checkedAtOpen {
			return nil
		}
		read, err := s.rows(selectEvents, nil, nil, func(string) bool { return false }, nil)
		if err != nil {
			return err
		}
		return s.whole(read)
	})
}

// whole tells whether what was read is all that there is, within the transaction
// in which it was read.
func (s *Store) whole(read totals) error {
	t, _, err := s.loadTotals()
	if err == nil && (read.rows != t.rows || read.sum != t.sum) {
		err = s.damaged("events are missing or changed")
	}
	return err
}

// Verify looks at every byte of a history that means something: the structure of
// the file, every row, and whether all rows are there. The error is an *Error that
// says what to do.
func (s *Store) Verify(ctx context.Context) error {
	return s.snapshot(ctx, func() error {
		err := sqlitex.ExecuteTransient(s.conn, "PRAGMA integrity_check(1)", &sqlitex.ExecOptions{ResultFunc: func(st *sqlite.Stmt) error {
			if said := st.ColumnText(0); said != "ok" {
				return s.damaged(said)
			}
			return nil
		}})
		if err != nil {
			return err
		}
		var read totals
		var r row
		err = sqlitex.Execute(s.conn, "SELECT "+allColumns+", sum, rest FROM event", &sqlitex.ExecOptions{ResultFunc: func(st *sqlite.Stmt) error {
			r.scan(st)
			var sum, rest int64
			if sum, rest, read.buf = r.sums(read.buf); sum != st.ColumnInt64(17) || rest != st.ColumnInt64(18) {
				return s.damaged("an event does not match its checksum")
			}
			read.rows++
			read.sum += uint64(sum)
			return nil
		}})
		if err != nil {
			return err
		}
		return s.whole(read)
	})
}
