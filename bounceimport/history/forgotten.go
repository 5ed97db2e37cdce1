package history

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	hashes "hash"
	"sync"
	"time"
	"unsafe"

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

// forgotten returns a function that tells whether an address was forgotten;
// nil when none was.
func (s *Store) forgotten() (func(key string) (bool, error), error) {
	n, err := s.int("SELECT EXISTS (SELECT 1 FROM forgotten)")
	if err != nil || n == 0 {
		return nil, err
	}
	secret, err := s.secret(false)
	if err != nil {
		return nil, err
	}
	st, err := s.conn.Prepare("SELECT 1 FROM forgotten WHERE hash = ?")
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, secret)
	var sum [sha256.Size]byte
	return func(key string) (bool, error) {
		mac.Reset()
		mac.Write(unsafe.Slice(unsafe.StringData(key), len(key)))
		st.BindBytes(1, mac.Sum(sum[:0]))
		found, err := st.Step()
		if e := st.Reset(); err == nil {
			err = e
		}
		return found, err
	}, nil
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
