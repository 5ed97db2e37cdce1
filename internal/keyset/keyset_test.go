package keyset

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"testing"
)

// The store finds the hashes that occur more than once, in memory and on disk.
func TestStore(t *testing.T) {
	n := 300_000
	if os.Getenv("WINNOW_LONG") != "" {
		n = 3_000_000
	}
	for _, limit := range []int64{1 << 30, 0, 100 << 10} {
		s := NewStore(limit, t.TempDir())
		batches := []*Batch{s.Batch(), s.Batch()}
		r := rand.New(rand.NewPCG(3, 4))
		count := map[uint64]int{}
		for i := range n {
			h := r.Uint64()>>uint(r.IntN(2)*44) | 1 // half of them small, and often equal
			if i > 400_000 && limit == 0 {
				break
			}
			count[h]++
			if err := batches[i%2].Add(h); err != nil {
				t.Fatal(err)
			}
		}
		for _, b := range batches {
			if err := b.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		if spilled := s.spill.size; (spilled > 0) != (limit < 1<<30) {
			t.Errorf("limit %d: %d bytes on disk", limit, spilled)
		}
		f := NewFilter(s.Count())
		d, err := s.Settle(context.Background(), f)
		if err != nil {
			t.Fatal(err)
		}
		var want []uint64
		for h, n := range count {
			if n > 1 {
				want = append(want, h)
			}
			if !f.Has(h) {
				t.Fatal("the filter forgot a hash")
			}
		}
		slices.Sort(want)
		if !slices.Equal(d.hashes, want) || len(want) == 0 {
			t.Errorf("limit %d: %d hashes occur twice, want %d", limit, len(d.hashes), len(want))
		}
		for i, h := range want {
			if d.Find(h) != i {
				t.Fatalf("Find(%x) = %d, want %d", h, d.Find(h), i)
			}
		}
		if d.Find(2) != -1 || d.Find(1<<63) != -1 {
			t.Error("found what is not there")
		}
		if s.spill.f != nil {
			t.Error("the file is still there")
		}
		d.Close()
	}
}

// One key that comes again and again takes no more memory than one that comes twice.
func TestStoreOfOneKey(t *testing.T) {
	const n = 4_000_000
	s := NewStore(1<<20, t.TempDir())
	b := s.Batch()
	for i := range n {
		if err := b.Add(uint64(i%3)<<60 | 77); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	d, err := s.Settle(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 8<<20 {
		t.Errorf("%d MiB were allocated for three keys", got>>20)
	}
	if d.Len() != 3 {
		t.Errorf("%d keys occur more than once", d.Len())
	}
}

// The filter lets about one in a hundred strangers pass.
func TestFilter(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, n := range []int{1, 1000, 200_000} {
		f := NewFilter(int64(n))
		for range n {
			f.Add(r.Uint64() | 1)
		}
		wrong := 0
		for range 200_000 {
			if f.Has(r.Uint64() | 1) {
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
	d := &Twice{hashes: []uint64{7, 9}}
	d.index()
	at := d.Find(7)
	keys := []string{"a@firm.org", "b@firm.org", "c@firm.org"}
	for _, key := range keys {
		if note, found, err := d.Get(at, []byte(key), new([]byte)); found || err != nil {
			t.Errorf("%s is known: %q %v", key, note, err)
		}
		if err := d.Put(at, []byte(key), []byte("of "+key)); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range keys {
		if note, found, err := d.Get(at, []byte(key), new([]byte)); err != nil || !found || string(note) != "of "+key {
			t.Errorf("%s: %q %v", key, note, err)
		}
	}
	var tab Table
	notes := func(key string) (all []string) {
		if err := tab.Each(7, []byte(key), new([]byte), func(b []byte) { all = append(all, string(b)) }); err != nil {
			t.Fatal(err)
		}
		return all
	}
	for _, p := range [][2]string{{"a", "1"}, {"b", "2"}, {"a", "3"}, {"a", "1"}} {
		if err := tab.Put(7, []byte(p[0]), []byte(p[1]), func(have []byte) bool { return string(have) == p[1] }); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(notes("a"), []string{"1", "3"}) || !slices.Equal(notes("b"), []string{"2"}) || notes("c") != nil || tab.Len() != 3 {
		t.Errorf("%q %q %q", notes("a"), notes("b"), notes("c"))
	}
}

// What an arena gives back is what was put, from memory and from disk.
func TestArena(t *testing.T) {
	for _, limit := range []int64{1, 1 << 19, 1 << 30} {
		var a arena
		a.bound(limit, t.TempDir())
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
		if onDisk := a.spill.size > 0 || len(a.wbuf) > 0; onDisk != (limit < 1<<30) {
			t.Errorf("limit %d: on disk: %v", limit, onDisk)
		}
		for i, ref := range refs {
			if b, err := a.get(ref, new([]byte)); err != nil || !bytes.Equal(b, want[i]) {
				t.Fatalf("%d: %q, %v", i, b, err)
			}
		}
		var all [][]byte
		err := a.each(func(b []byte) error { all = append(all, bytes.Clone(b)); return nil })
		slices.SortFunc(all, bytes.Compare)
		slices.SortFunc(want, bytes.Compare)
		if err != nil || !slices.EqualFunc(all, want, bytes.Equal) {
			t.Errorf("limit %d: %d of %d: %v", limit, len(all), len(want), err)
		}
		stop := errors.New("stop")
		if err := a.each(func([]byte) error { return stop }); err != stop {
			t.Error(err)
		}
		a.close()
	}
}

// A temporary file that somebody cut off is an error and no fault of memory.
func TestDamagedFile(t *testing.T) {
	var a arena
	a.bound(1, t.TempDir())
	var last int64
	for i := range 100_000 {
		ref, err := a.put(bytes.Repeat([]byte{'x'}, i%200))
		if err != nil {
			t.Fatal(err)
		}
		if off := ref &^ arenaOnDisk; ref&arenaOnDisk != 0 && off < a.wbase {
			last = ref
		}
	}
	if err := a.spill.f.Truncate(100); err != nil {
		t.Fatal(err)
	}
	if _, err := a.get(last, new([]byte)); err == nil {
		t.Error("read what is not there")
	}
	a.close()
}

// BenchmarkDuplicates finds the copies among a million hashes.
func BenchmarkDuplicates(b *testing.B) {
	const n = 1_000_000
	b.ReportAllocs()
	for b.Loop() {
		s := NewStore(1<<40, "")
		batch := s.Batch()
		r := rand.New(rand.NewPCG(1, 2))
		for i := range n {
			h := r.Uint64() | 1
			if i%20 == 0 {
				h = 7<<40*uint64(i%1000) | 1
			}
			if err := batch.Add(h); err != nil {
				b.Fatal(err)
			}
		}
		if err := batch.Flush(); err != nil {
			b.Fatal(err)
		}
		if _, err := s.Settle(context.Background(), nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/hash")
}
