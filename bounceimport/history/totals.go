package history

import (
	"encoding/binary"
	"hash/crc32"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// totals are what tells that nothing of a history was lost: how many events there
// are and the sum of their checksums, kept up to date by every transaction, so that
// whoever has read all of them knows whether they were all. SQLite notices damage to
// its own structure only.
type totals struct {
	rows int64
	sum  uint64

	small bool   // the transaction changed another table than event
	buf   []byte // scratch
}

// smallSum is the checksum over the tables beside event. A bit that turns in the
// hash of a forgotten address, or in the key of the hashes, would release people.
func (s *Store) smallSum() (sum uint64, err error) {
	for _, query := range [...]string{
		"SELECT 'forgotten', hash, category, since FROM forgotten",
		"SELECT 'incident', provider, first, last, n, why FROM incident",
		"SELECT 'file', name, sha256, format, records FROM file",
		"SELECT 'meta', name, value FROM meta WHERE name <> 'totals'",
	} {
		var buf, b []byte
		err := sqlitex.Execute(s.conn, query, &sqlitex.ExecOptions{ResultFunc: func(st *sqlite.Stmt) error {
			b = b[:0]
			for i := range st.ColumnCount() {
				v := readColumn(st, i, &buf)
				b = append(binary.AppendUvarint(b, uint64(len(v))), v...)
			}
			sum += uint64(crc32.Checksum(b, castagnoli))<<16 + 1
			return nil
		}})
		if err != nil {
			return 0, err
		}
	}
	return sum, nil
}

// loadTotals reads the totals, and the checksum over the other tables.
func (s *Store) loadTotals() (t totals, small uint64, err error) {
	var b []byte
	err = sqlitex.Execute(s.conn, "SELECT value FROM meta WHERE name = 'totals'", &sqlitex.ExecOptions{ResultFunc: func(st *sqlite.Stmt) error {
		b = make([]byte, st.ColumnLen(0))
		st.ColumnBytes(0, b)
		return nil
	}})
	if err == nil && (len(b) != 28 || crc32.Checksum(b[:24], castagnoli) != binary.BigEndian.Uint32(b[24:])) {
		err = s.damaged("its checksums are lost")
	}
	if err != nil {
		return t, 0, err
	}
	return totals{rows: int64(binary.BigEndian.Uint64(b)), sum: binary.BigEndian.Uint64(b[8:])}, binary.BigEndian.Uint64(b[16:]), nil
}

// saveTotals is the inverse of loadTotals; it looks at the other tables itself.
func (s *Store) saveTotals(t *totals) error {
	small, err := s.smallSum()
	if err != nil {
		return err
	}
	return s.writeTotals(t, small)
}

func (s *Store) writeTotals(t *totals, small uint64) error {
	b := binary.BigEndian.AppendUint64(nil, uint64(t.rows))
	b = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, t.sum), small)
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	return sqlitex.Execute(s.conn, "INSERT INTO meta (name, value) VALUES ('totals', ?) ON CONFLICT DO UPDATE SET value = excluded.value", &sqlitex.ExecOptions{Args: []any{b}})
}

// change runs f, which changes the history, in a transaction of its own.
func (s *Store) change(f func(*totals) error) error {
	return s.write(func() error {
		t, small, err := s.loadTotals()
		if err != nil {
			return err
		}
		before := t
		if err := f(&t); err != nil {
			return err
		}
		switch {
		case t.small:
			return s.saveTotals(&t)
		case t.rows == before.rows && t.sum == before.sum:
			return nil
		}
		return s.writeTotals(&t, small)
	})
}
