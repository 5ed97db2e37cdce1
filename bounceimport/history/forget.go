package history

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"time"

	"winnow/bounceimport"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// secret returns the key of the hashes of forgotten addresses; it makes one
// when asked to.
func (s *Store) secret(create bool) ([]byte, error) {
	var key []byte
	err := sqlitex.Execute(s.conn, "SELECT value FROM meta WHERE name = 'hash_key'", &sqlitex.ExecOptions{ResultFunc: func(st *sqlite.Stmt) error {
		key = make([]byte, st.ColumnLen(0))
		st.ColumnBytes(0, key)
		return nil
	}})
	if err != nil || key != nil || !create {
		return key, err
	}
	key = make([]byte, sha256.Size)
	rand.Read(key)
	return key, sqlitex.Execute(s.conn, "INSERT INTO meta (name, value) VALUES ('hash_key', ?)", &sqlitex.ExecOptions{Args: []any{key}})
}

func hash(secret []byte, key string) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(key))
	return mac.Sum(nil)
}

// Forget removes all that is known of an address (its key) from the file,
// free pages and log included. Unless entirely is set it leaves a keyed hash,
// so that the address stays suppressed and later imports do not bring it back:
// who asks to be forgotten does not ask for mail. It returns how many rows went.
func (s *Store) Forget(ctx context.Context, key string, now time.Time, entirely bool) (removed int, err error) {
	err = s.during(ctx, func() error {
		err := s.write(func() error {
			incidents, err := s.incidents()
			if err != nil {
				return err
			}
			category := "unsubscribe"
			err = s.records(incidents, selectEvents+" WHERE key = ? ORDER BY key, category, action, day", []any{key}, now, nil, func(_ string, r bounceimport.Record) error {
				if r.Action == bounceimport.SuppressNow && r.Held == "" && r.Until.IsZero() {
					category = r.Category
				}
				return nil
			})
			if err != nil {
				return err
			}
			if err := sqlitex.Execute(s.conn, "DELETE FROM event WHERE key = ?", &sqlitex.ExecOptions{Args: []any{key}}); err != nil {
				return err
			}
			removed = s.conn.Changes()
			secret, err := s.secret(!entirely)
			if err != nil || secret == nil {
				return err
			}
			h := hash(secret, key)
			if entirely {
				if err := sqlitex.Execute(s.conn, "DELETE FROM forgotten WHERE hash = ?", &sqlitex.ExecOptions{Args: []any{h}}); err != nil {
					return err
				}
				removed += s.conn.Changes()
				return nil
			}
			return sqlitex.Execute(s.conn, "INSERT INTO forgotten (hash, category, since) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
				&sqlitex.ExecOptions{Args: []any{h, category, now.Unix()}})
		})
		if err != nil {
			return err
		}
		// secure_delete has overwritten the row in the file's pages; the log still
		// holds older versions of them until it is folded in and cut off.
		return sqlitex.ExecuteTransient(s.conn, "PRAGMA wal_checkpoint(TRUNCATE)", nil)
	})
	return removed, err
}

// forgottenRecord returns the record of a forgotten address, and since when;
// its Category is "" when the address was not forgotten.
func (s *Store) forgottenRecord(key string) (r bounceimport.Record, since time.Time, err error) {
	secret, err := s.secret(false)
	if err != nil || secret == nil {
		return r, since, err
	}
	err = sqlitex.Execute(s.conn, "SELECT category, since FROM forgotten WHERE hash = ?", &sqlitex.ExecOptions{Args: []any{hash(secret, key)}, ResultFunc: func(st *sqlite.Stmt) error {
		since = unix(st.ColumnInt64(1))
		r = forgottenAs(st.ColumnText(0))
		return nil
	}})
	return r, since, err
}

func forgottenAs(category string) bounceimport.Record {
	return bounceimport.Record{Category: category, Action: bounceimport.SuppressNow, Events: 1, Rule: "forgotten",
		Reply: "the address was forgotten on request and stays suppressed"}
}

// Hashed returns a function that looks a key up among the addresses that are
// known by their keyed hash alone; it is nil when there are none. The hashes are
// read once, 32 bytes each; the function may be used by several goroutines.
func (s *Store) Hashed(ctx context.Context) (func(key string) (bounceimport.Record, bool), error) {
	var secret []byte
	known := make(map[[sha256.Size]byte]string)
	err := s.snapshot(ctx, func() (err error) {
		if secret, err = s.secret(false); err != nil || secret == nil {
			return err
		}
		var w words
		return sqlitex.Execute(s.conn, "SELECT hash, category FROM forgotten", &sqlitex.ExecOptions{ResultFunc: func(st *sqlite.Stmt) error {
			var h [sha256.Size]byte
			st.ColumnBytes(0, h[:])
			known[h] = w.column(st, 1)
			return nil
		}})
	})
	if err != nil || len(known) == 0 {
		return nil, err
	}
	return func(key string) (bounceimport.Record, bool) {
		category, ok := known[[sha256.Size]byte(hash(secret, key))]
		if !ok {
			return bounceimport.Record{}, false
		}
		return forgottenAs(category), true
	}, nil
}
