package known

import (
	"fmt"
	"testing"
	"time"

	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/validate"
)

func TestFoldProvider(t *testing.T) {
	for in, want := range map[string]string{
		"a.b.c+x@gmail.com":  "abc@gmail.com",
		"abc@googlemail.com": "abc@gmail.com",
		"a.b+x@firm.org":     "a.b+x@firm.org",
		"+x@gmail.com":       "+x@gmail.com",
		"\"a.b\"@gmail.com":  "\"a.b\"@gmail.com",
		"a.b@mail.gmail.com": "a.b@mail.gmail.com",
		"a-b@gmail.com":      "a-b@gmail.com",
		"a.b+c+d@gmail.com":  "ab@gmail.com",
	} {
		if got := string(foldProvider([]byte(in))); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

func TestDomainTable(t *testing.T) {
	tab := NewDomains(&validate.Validator{}, nil)
	const n = 20_000
	done := make(chan int)
	for range 4 {
		go func() {
			fresh := 0
			for i := range n {
				if _, isNew := tab.add(fmt.Sprintf("firm-%d.org", i)); isNew {
					fresh++
				}
			}
			done <- fresh
		}()
	}
	sum := 0
	for range 4 {
		sum += <-done
	}
	if sum != n {
		t.Errorf("%d domains were new, want %d", sum, n)
	}
	seen := 0
	tab.Each(func(*Domain) { seen++ })
	if seen != n || tab.Find("firm-7.org") == nil || tab.Find("other.org") != nil {
		t.Errorf("%d domains", seen)
	}
}

// Two addresses of one hash are two addresses.
func TestEqualHashes(t *testing.T) {
	k := New(NewDomains(&validate.Validator{}, nil), Options{Memory: 1 << 20, Temp: t.TempDir()})
	defer k.Close()
	march := time.Date(2026, 3, 12, 9, 0, 0, 0, time.UTC)
	source := k.source("never.txt")
	if err := k.putBlock(7, []byte("a@firm.org"), Suppressed, source); err != nil {
		t.Fatal(err)
	}
	rec := bounceimport.Record{Category: "user_unknown", Last: march, Action: bounceimport.SuppressNow, Reply: "=550 no", Source: "b.csv:7", Events: 3}
	if err := k.facts.Put(7, []byte("b@firm.org"), k.texts.appendRecord([]byte{noteRecord}, &rec), nil); err != nil {
		t.Fatal(err)
	}
	var a validate.Address
	var d Domain
	for _, c := range []struct {
		key string
		Said
		rec *bounceimport.Record
	}{
		{"a@firm.org", Said{Block: Suppressed, Source: "never.txt"}, nil},
		{"b@firm.org", Said{}, &rec},
		{"c@firm.org", Said{}, nil},
	} {
		said, got, onList, err := k.Reader().Look(&a, &d, true, 7, []byte(c.key))
		if err != nil || said != c.Said || (got == nil) != (c.rec == nil) || got != nil && *got != *c.rec || onList != (c.rec != nil) {
			t.Errorf("%s: %+v %+v %v", c.key, said, got, err)
		}
	}
}
