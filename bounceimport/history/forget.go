package history

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	hashes "hash"
	"sync"
	"time"

	"github.com/winnow-email/winnow/bounceimport"

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

// Forget removes all that is known of addresses (their keys) and makes the file
// anew without them: a B-tree keeps copies of keys in the free parts of its
// pages. Unless entirely is set it leaves keyed hashes, so that the addresses
// stay suppressed and later imports do not bring them back: who asks to be
// forgotten does not ask for mail. It returns how many rows went.
func (s *Store) Forget(ctx context.Context, now time.Time, entirely bool, keys ...string) (removed int, err error) {
	err = s.during(ctx, func() error {
		err := s.write(func() error {
			incidents, err := s.incidents()
			if err != nil {
				return err
			}
			for _, key := range keys {
				n, err := s.forget(incidents, key, now, entirely)
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
func (s *Store) forget(incidents []bounceimport.Incident, key string, now time.Time, entirely bool) (removed int, err error) {
	category := "unsubscribe"
	err = s.records(incidents, selectEvents+" WHERE key = ? ORDER BY key, category, action, day", []any{key}, now, nil, func(_ string, r bounceimport.Record) error {
		if r.Action == bounceimport.SuppressNow && r.Held == "" && r.Until.IsZero() {
			category = r.Category
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	if err := sqlitex.Execute(s.conn, "DELETE FROM event WHERE key = ?", &sqlitex.ExecOptions{Args: []any{key}}); err != nil {
		return 0, err
	}
	removed = s.conn.Changes()
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
	macs := sync.Pool{New: func() any { return hmac.New(sha256.New, secret) }}
	return func(key string) (bounceimport.Record, bool) {
		var sum [sha256.Size]byte
		mac := macs.Get().(hashes.Hash)
		mac.Reset()
		mac.Write([]byte(key))
		mac.Sum(sum[:0])
		macs.Put(mac)
		category, ok := known[sum]
		if !ok {
			return bounceimport.Record{}, false
		}
		return forgottenAs(category), true
	}, nil
}
