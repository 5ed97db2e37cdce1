package history

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/winnow-email/winnow/bounceimport"
)

// answers is what a history says to a run: who is suppressed and why, and who was
// forgotten.
func answers(path string, forgotten []string) (string, error) {
	s, err := Open(path)
	if err != nil {
		return "", err
	}
	defer s.Close()
	var b bytes.Buffer
	err = s.Records(context.Background(), now, nil, func(key string, r bounceimport.Record) error {
		fmt.Fprintf(&b, "%s %+v\n", key, r)
		return nil
	})
	if err != nil {
		return "", err
	}
	look, err := s.Hashed(context.Background())
	if err != nil {
		return "", err
	}
	for _, key := range forgotten {
		r, ok := bounceimport.Record{}, false
		if look != nil {
			r, ok = look(key)
		}
		fmt.Fprintf(&b, "%s %v %+v\n", key, ok, r)
	}
	return b.String(), nil
}

// A damaged history is an error that says what to do, or answers as if it were
// whole. It never forgets why somebody must not be mailed.
func TestDamage(t *testing.T) {
	s := create(t)
	add(t, s, someEvents(rand.New(rand.NewPCG(8, 8)), 1500)...)
	var more []bounceimport.Event
	for i := range 300 {
		more = append(more, event(fmt.Sprintf("person.%03d@example.net", i), "complaint", bounceimport.SuppressNow, now, "abuse"))
	}
	add(t, s, more...)
	forgotten := []string{"person.007@example.net", "person.008@example.net", "person.299@example.net"}
	if _, err := s.Forget(context.Background(), now, false, forgotten...); err != nil {
		t.Fatal(err)
	}
	s.Close()
	whole, err := os.ReadFile(s.path)
	if err != nil {
		t.Fatal(err)
	}
	want, err := answers(s.path, forgotten)
	if err != nil {
		t.Fatal(err)
	}
	const page = 8192
	r := rand.New(rand.NewPCG(4, 7))
	kinds := map[string]func(b []byte) []byte{
		"a bit turns":    func(b []byte) []byte { b[r.IntN(len(b))] ^= 1 << r.IntN(8); return b },
		"a byte changes": func(b []byte) []byte { b[r.IntN(len(b))] = byte(r.Uint32()); return b },
		"a letter changes": func(b []byte) []byte {
			at := r.IntN(len(b))
			for i := at; i < len(b); i++ {
				if b[i] >= 'a' && b[i] < 'z' {
					b[i]++
					return b
				}
			}
			return b
		},
		"a page is empty": func(b []byte) []byte { at := page * (1 + r.IntN(len(b)/page-1)); clear(b[at : at+page]); return b },
		"a page is another": func(b []byte) []byte {
			from, to := page*(1+r.IntN(len(b)/page-1)), page*(1+r.IntN(len(b)/page-1))
			copy(b[to:to+page], b[from:from+page])
			return b
		},
		"a cell is gone": func(b []byte) []byte { // one event fewer on a page
			at := page * (1 + r.IntN(len(b)/page-1))
			if n := int(b[at+3])<<8 | int(b[at+4]); n > 1 && n < 1000 {
				b[at+3], b[at+4] = byte((n-1)>>8), byte(n-1)
			}
			return b
		},
		"the end is gone": func(b []byte) []byte { return b[:page*(1+r.IntN(len(b)/page-1))] },
	}
	path := filepath.Join(t.TempDir(), "damaged.db")
	for name, harm := range kinds {
		noticed := 0
		n := rounds(25, 2000)
		for range n {
			b := harm(bytes.Clone(whole))
			for _, end := range []string{"", "-wal", "-shm"} {
				os.Remove(path + end)
			}
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := answers(path, forgotten)
			var told *Error
			switch {
			case errors.As(err, &told) && told.Hint() != "":
				noticed++
			case err != nil:
				t.Errorf("%s: no word of what to do: %v", name, err)
			case got != want:
				t.Errorf("%s: answers otherwise, and says nothing: %s", name, firstDifference(got, want))
			}
		}
		t.Logf("%s: noticed %d of %d, the others do not matter", name, noticed, n)
	}
}

// What is not read in a run is looked at by Verify: a reply, the words kept to judge
// it again.
func TestVerify(t *testing.T) {
	s := create(t)
	e := event("jane@example.net", "user_unknown", bounceimport.SuppressNow, now, "550 5.1.1 no such user here")
	e.Remote = "mx.remote.example"
	add(t, s, e)
	if err := s.Verify(context.Background()); err != nil {
		t.Fatal(err)
	}
	s.Close()
	b, err := os.ReadFile(s.path)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(b, []byte("mx.remote"))
	if at < 0 {
		t.Fatal("the row is not in the file")
	}
	b[at] = 'n'
	if err := os.WriteFile(s.path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(s.path); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var told *Error
	if err := s.Verify(context.Background()); !errors.As(err, &told) || told.Hint() == "" {
		t.Errorf("got %v", err)
	}
}
