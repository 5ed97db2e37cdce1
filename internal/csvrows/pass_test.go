package csvrows

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func openText(t *testing.T, text string) *List {
	t.Helper()
	path := filepath.Join(t.TempDir(), "list.csv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// shortLists are of many records that take few bytes.
func shortLists() map[string]string {
	plain := "e-mail\n" + strings.Repeat("a@b.de\n", 40_000) + "\n\nz@b.de"
	return map[string]string{
		"LF": plain, "CRLF": strings.ReplaceAll(plain, "\n", "\r\n"), "CR": strings.ReplaceAll(plain, "\n", "\r"),
		"UTF-16": string(appendUTF16([]byte("\xff\xfe"), plain, utf16LE)),
		"mixed":  plain + "\n" + strings.Repeat("someone.with.a.name@a-long-domain-name.example.org\n", 30_000) + strings.Repeat("c@d.de\n", 50_000),
	}
}

// However short the records are, a chunk holds a bounded number of them, and the
// chunks are the list.
func TestChunksAreBounded(t *testing.T) {
	for name, text := range shortLists() {
		l := openText(t, text)
		sc, err := l.Scan()
		if err != nil {
			t.Fatal(err)
		}
		got := bytes.Clone(l.Preamble())
		var c Chunk
		first, line := int64(1), int64(2)
		for sc.Next(&c) == nil {
			if c.Len() > maxRecords || c.First != first {
				t.Fatalf("%s: %d records in a chunk, the first has number %d, want %d", name, c.Len(), c.First, first)
			}
			if c.Line(0) != line {
				t.Fatalf("%s: record %d is said to be on line %d, not %d", name, first, c.Line(0), line)
			}
			first += int64(c.Len())
			for i := range c.Len() {
				got = append(got, c.Raw(i)...)
			}
			line = 1 + int64(strings.Count(strings.ReplaceAll(string(l.Text(got)), "\r\n", "\n"), "\n")+strings.Count(strings.ReplaceAll(string(l.Text(got)), "\r\n", "\n"), "\r"))
		}
		if string(got) != text {
			t.Errorf("%s: the chunks are %d bytes and not the %d of the list", name, len(got), len(text))
		}
		sc.Close()
	}
}

// What is done in turn is done in the order of the list, however long the workers
// take, and every record comes once.
func TestPass(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, procs := range []int{1, 2, 8} {
		runtime.GOMAXPROCS(procs)
		var text strings.Builder
		text.WriteString("e-mail,n\n")
		n := int64(150_000)
		if testing.Short() {
			n = 40_000
		}
		for i := range n {
			fmt.Fprintf(&text, "a@b.de,%d\n", i)
		}
		l := openText(t, text.String())
		var seen [2]int64
		var bytesRead, told, ended atomic.Int64
		p := &Pass{
			Turns: 2,
			Read:  func(b, r int64) { bytesRead.Add(b); told.Add(r) },
			Worker: func() Worker {
				return Worker{
					Chunk: func(ctx context.Context, c *Chunk, turns *Turns) error {
						for k := range seen {
							time.Sleep(time.Duration(rand.IntN(300)) * time.Microsecond)
							err := turns.Take(ctx, k, func() error {
								if seen[k]+1 != c.First {
									t.Errorf("turn %d: record %d comes after %d", k, c.First, seen[k])
								}
								seen[k] += int64(c.Len())
								return nil
							})
							if err != nil {
								return err
							}
						}
						return nil
					},
					End: func() error { ended.Add(1); return nil },
				}
			},
		}
		got, err := p.Run(context.Background(), l)
		if err != nil || got != n || seen != [2]int64{n, n} || told.Load() != n || bytesRead.Load() != l.Size() || ended.Load() != int64(procs+1) {
			t.Errorf("%d records, %v in turn, %d told, %d of %d bytes, %d ended, %v", got, seen, told.Load(), bytesRead.Load(), l.Size(), ended.Load(), err)
		}
	}
}

// An error, and the end of the context, end all workers, also those that wait for
// their turn.
func TestPassEnds(t *testing.T) {
	const records = 60_000
	l := openText(t, "e-mail\n"+strings.Repeat("a@b.de\n", records))
	broken := errors.New("broken")
	ctx, cancel := context.WithCancel(context.Background())
	for _, c := range []struct {
		want error
		do   func(c *Chunk) error
	}{
		{broken, func(c *Chunk) error {
			if c.First > 1 {
				return broken
			}
			return nil
		}},
		{context.Canceled, func(c *Chunk) error {
			if c.First > 1 {
				cancel()
			}
			return nil
		}},
	} {
		var mu sync.Mutex
		p := &Pass{Turns: 1, Worker: func() Worker {
			return Worker{Chunk: func(ctx context.Context, chunk *Chunk, t *Turns) error {
				return t.Take(ctx, 0, func() error { mu.Lock(); defer mu.Unlock(); return c.do(chunk) })
			}}
		}}
		if _, err := p.Run(ctx, l); !errors.Is(err, c.want) {
			t.Errorf("%v, want %v", err, c.want)
		}
	}
	// A pass after one that ended is a pass like others.
	if n, err := (&Pass{Worker: func() Worker {
		return Worker{Chunk: func(context.Context, *Chunk, *Turns) error { return nil }}
	}}).Run(context.Background(), l); n != records || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

func TestSplit(t *testing.T) {
	l := openText(t, "e-mail,b,c\na@b.de,\"x, \"\"y\"\"\",\"\"\"z\"\"\"\nc@d.de\n\"e@f.de\" ,,\"1\",2\n")
	sc, err := l.Scan()
	if err != nil {
		t.Fatal(err)
	}
	defer sc.Close()
	var c Chunk
	if err := sc.Next(&c); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{`[a@b.de x, "y" "z"]`, `[c@d.de]`, `[e@f.de  1 2]`} {
		for _, buf := range [][]byte{nil, make([]byte, 0, 64), make([]byte, 0, 2)} {
			cells := c.Split(nil, i, buf)
			if got := fmt.Sprintf("%s", cells); got != want {
				t.Errorf("record %d: %s, want %s", i, got, want)
			}
			for k := range cells {
				if string(cells[k]) != string(c.Cell(i, k, nil)) {
					t.Errorf("cell %d of record %d: %q, Cell says %q", k, i, cells[k], c.Cell(i, k, nil))
				}
			}
		}
	}
}
