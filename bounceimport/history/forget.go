package history

import (
	"context"
	"time"

	"github.com/winnow-email/winnow/bounceimport"

	"zombiezen.com/go/sqlite/sqlitex"
)

// Forget removes all that is known of addresses (their keys) and makes the file
// anew without them: a B-tree keeps copies of keys in the free parts of its
// pages. Unless entirely is set it leaves keyed hashes, so that the addresses
// stay suppressed and later imports do not bring them back: who asks to be
// forgotten does not ask for mail. It returns how many rows went.
func (s *Store) Forget(ctx context.Context, now time.Time, entirely bool, keys ...string) (removed int, err error) {
	err = s.during(ctx, func() error {
		err := s.change(func(t *totals) error {
			t.small = true
			incidents, err := s.incidents()
			if err != nil {
				return err
			}
			for _, key := range keys {
				n, err := s.forget(t, incidents, key, now, entirely)
				if err != nil {
					return err
				}
				removed += n
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := sqlitex.ExecuteTransient(s.conn, "VACUUM", nil); err != nil {
			return err
		}
		busy, err := s.int("PRAGMA wal_checkpoint(TRUNCATE)")
		if err == nil && busy != 0 {
			err = &Error{s.path, "is being read by another program: the addresses are forgotten, but traces of them are still in the file", "do it again when the other program is done", nil}
		}
		return err
	})
	return removed, err
}

// forget is Forget for one key, within a write transaction.
func (s *Store) forget(t *totals, incidents []bounceimport.Incident, key string, now time.Time, entirely bool) (removed int, err error) {
	category := "unsubscribe"
	_, err = s.records(selectEvents+" WHERE key = ? ORDER BY key, category, action, day", []any{key}, incidents, now, nil, func(_ string, r bounceimport.Record) error {
		if r.Action == bounceimport.SuppressNow && r.Held == "" && r.Until.IsZero() {
			category = r.Category
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	if removed, err = s.remove(t, "key = ?", key); err != nil {
		return 0, err
	}
	secret, err := s.secret(!entirely)
	if err != nil || secret == nil {
		return removed, err
	}
	h := hash(secret, key)
	if !entirely {
		return removed, sqlitex.Execute(s.conn, "INSERT INTO forgotten (hash, category, since) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
			&sqlitex.ExecOptions{Args: []any{h, category, now.Unix()}})
	}
	if err := sqlitex.Execute(s.conn, "DELETE FROM forgotten WHERE hash = ?", &sqlitex.ExecOptions{Args: []any{h}}); err != nil {
		return removed, err
	}
	return removed + s.conn.Changes(), nil
}
