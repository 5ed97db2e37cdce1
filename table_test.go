package winnow

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/winnow-email/winnow/bounceimport"
)

// The store finds the hashes that occur more than once, in memory and on disk.
func TestHashStore(t *testing.T) {
	for _, limit := range []int64{1 << 30, 0, 100 << 10} {
		s := &hashStore{limit: limit}
		s.spill.dir = t.TempDir()
		batches := []*hashBatch{{store: s}, {store: s}}
		r := rand.New(rand.NewPCG(3, 4))
		count := map[uint64]int{}
		for i := range 3_000_000 {
			h := r.Uint64()>>uint(r.IntN(2)*40) | 1 // half of them small, and often equal
			if i > 400_000 && limit == 0 {
				break
			}
			count[h]++
			if err := batches[i%2].add(h); err != nil {
				t.Fatal(err)
			}
		}
		for _, b := range batches {
			if err := b.flush(); err != nil {
				t.Fatal(err)
			}
		}
		spilled := s.spill.size
		if (spilled > 0) != (limit < 1<<30) {
			t.Errorf("limit %d: %d bytes on disk", limit, spilled)
		}
		f := newFilter(s.count())
		d, err := s.settle(context.Background(), f)
		if err != nil {
			t.Fatal(err)
		}
		var want []uint64
		for h, n := range count {
			if n > 1 {
				want = append(want, h)
			}
			if !f.has(h) {
				t.Fatal("the filter forgot a hash")
			}
		}
		slices.Sort(want)
		if !slices.Equal(d.hashes, want) {
			t.Errorf("limit %d: %d hashes occur twice, want %d", limit, len(d.hashes), len(want))
		}
		for i, h := range want {
			if d.find(h) != i {
				t.Fatalf("find(%x) = %d, want %d", h, d.find(h), i)
			}
		}
		if d.find(2) != -1 || d.find(1<<63) != -1 {
			t.Error("found what is not there")
		}
		if err := s.spill.close(); err != nil {
			t.Error(err)
		}
		if testing.Short() {
			break
		}
	}
}

// The filter lets about one in a hundred strangers pass.
func TestFilter(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, n := range []int{1, 1000, 200_000} {
		f := newFilter(int64(n))
		for range n {
			f.add(r.Uint64() | 1)
		}
		wrong := 0
		for range 200_000 {
			if f.has(r.Uint64() | 1) {
				wrong++
			}
		}
		if n > 1 && wrong > 200_000/40 {
			t.Errorf("%d hashes: %d of 200000 strangers pass", n, wrong)
		}
	}
}

// Two keys of one hash are two keys.
func TestEqualHashes(t *testing.T) {
	d := &dups{hashes: []uint64{7, 9}}
	d.index()
	at := d.find(7)
	for i, key := range []string{"a@firm.org", "b@firm.org", "c@firm.org"} {
		if f, found, err := d.lookup(at, []byte(key), new([]byte)); found || err != nil {
			t.Errorf("%s is known: %v %v", key, f, err)
		}
		if err := d.put(at, []byte(key), firstSeen{record: int64(i + 1)}); err != nil {
			t.Fatal(err)
		}
	}
	for i, key := range []string{"a@firm.org", "b@firm.org", "c@firm.org"} {
		if f, found, err := d.lookup(at, []byte(key), new([]byte)); err != nil || !found || f.record != int64(i+1) {
			t.Errorf("%s: %+v %v", key, f, err)
		}
	}
	var ft factTable
	if err := ft.putUser(7, []byte("a@firm.org"), blockSuppressed, 1, false); err != nil {
		t.Fatal(err)
	}
	if err := ft.putRecord(7, []byte("b@firm.org"), &bounceimport.Record{Category: "user_unknown", Last: march}); err != nil {
		t.Fatal(err)
	}
	var u userFact
	var r bounceimport.Record
	if found, err := ft.get(7, []byte("c@firm.org"), &u, &r, nil); found || err != nil || u != (userFact{}) {
		t.Errorf("a stranger of the same hash: %v %v %v", found, u, err)
	}
	if found, _ := ft.get(7, []byte("b@firm.org"), &u, &r, nil); !found || u != (userFact{}) || !r.Last.Equal(march) || r.Category != "user_unknown" {
		t.Errorf("%v %+v %+v", found, u, r)
	}
}

// What an arena gives back is what was put, from memory and from disk.
func TestArena(t *testing.T) {
	a := &arena{limit: 1, spill: &spillFile{dir: t.TempDir()}}
	defer a.spill.close()
	r := rand.New(rand.NewPCG(1, 1))
	var refs []int64
	var want [][]byte
	for i := range 20_000 {
		b := bytes.Repeat([]byte{byte(i)}, r.IntN(60))
		if i%1000 == 0 {
			b = bytes.Repeat([]byte{byte(i)}, 5000)
		}
		ref, err := a.put(b)
		if err != nil {
			t.Fatal(err)
		}
		refs, want = append(refs, ref), append(want, b)
	}
	if a.spill.size == 0 || len(a.wbuf) == 0 {
		t.Error("nothing is on disk")
	}
	for i, ref := range refs {
		if b, err := a.get(ref, new([]byte)); err != nil || !bytes.Equal(b, want[i]) {
			t.Fatalf("%d: %q, %v", i, b, err)
		}
	}
}

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
	tab := newDomainTable()
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
	tab.each(func(*domain) { seen++ })
	if seen != n || tab.find("firm-7.org") == nil || tab.find("other.org") != nil {
		t.Errorf("%d domains", seen)
	}
}
