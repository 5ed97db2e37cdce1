package csvrows

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"sync/atomic"
	"testing"
)

// passOver reads data as a list in chunks of about size bytes, without a file.
func passOver(t *testing.T, d *dialect, data []byte, size int) (out seen) {
	t.Helper()
	l := &List{Name: "fuzz", Header: d.header, Comma: d.comma, Charset: d.charset, Newline: d.newline, format: d.format, preamble: d.preamble, bom: d.bom}
	s := &Scanner{list: l, in: io.NopCloser(bytes.NewReader(data[len(d.preamble):])), read: new(atomic.Int64), size: size, line: d.lines + 1}
	out.all = bytes.Clone(d.preamble)
	var c Chunk
	for {
		err := s.Next(&c)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if c.Len() == 0 {
			t.Fatal("a chunk without records")
		}
		for i := range c.Len() {
			out.all = append(out.all, c.Raw(i)...)
			out.problems = append(out.problems, c.Problem(i))
			out.lines = append(out.lines, c.Line(i))
			for column := range 3 {
				out.addresses = append(out.addresses, string(c.Cell(i, column, nil)))
			}
		}
	}
	out.blank = s.blank
	return out
}

// check asserts what holds for every input: the bytes come back, whatever the
// size of the chunks, and lines only grow.
func check(t *testing.T, d *dialect, data []byte) {
	t.Helper()
	whole := passOver(t, d, data, len(data)+1)
	if !bytes.Equal(whole.all, data) {
		t.Fatalf("bytes differ (%q %+v):\n got %q\nwant %q", d.preamble, d.format, whole.all, data)
	}
	last := d.lines
	for _, n := range whole.lines {
		if n <= last {
			t.Fatalf("line %d follows line %d in %q", n, last, data)
		}
		last = n
	}
	if parts := passOver(t, d, data, 16); !reflect.DeepEqual(parts, whole) {
		t.Fatalf("chunks of 16 bytes (%+v):\n got %+q\nwant %+q", d.format, fmt.Sprintf("%+v", parts), fmt.Sprintf("%+v", whole))
	}
}

// seeds are lists of all dialects and some broken ones.
func seeds(f *testing.F, add func([]byte)) {
	for seed := range 20 {
		add(generate(rand.New(rand.NewPCG(uint64(seed), 2))).data)
	}
	for _, s := range []string{
		"a@x.org\r\r\nb@x.org\rc\n\n\r\nd", "\"a\"\"b\",\"c\nd\n\"e\"\n", "\"a\" b,\"c\" \n", "\ufeffsep=|\r\na|b", "a,\"b\nc\"d\ne,f\r",
		"\xff\xfea\x00,\x00\n\x00\xd8", "\x83|\x83|a|b\n", "\"a,\"\"b\"\"\"\n\"c,d\"\n",
	} {
		add([]byte(s))
	}
}

// FuzzRecords reads any bytes in any format.
func FuzzRecords(f *testing.F) {
	seeds(f, func(b []byte) { f.Add(b, byte(','), byte(0)) })
	f.Add([]byte("\x83|\x83\"|\"a|b\n"), byte('|'), byte(6))
	f.Fuzz(func(t *testing.T, data []byte, comma, how byte) {
		if len(data) > 4<<10 || comma == '\n' || comma == '\r' || comma == '"' {
			return
		}
		d := &dialect{charset: utf8Charset, format: format{comma: comma, cr: how&1 != 0, folded: how&8 != 0, slash: how&64 != 0, blanks: how&128 != 0, width: 2, emails: int(how & 1)}}
		if comma == '|' {
			d.lead = leadBytes(how >> 1 % 3)
		}
		if how&16 != 0 {
			d.charset = []string{utf16LE, utf16BE}[how>>5&1]
			if len(data)%2 != 0 {
				data = data[1:]
			}
		}
		// Empty lines before the first record belong to the preamble.
		text := data
		if d.charset != utf8Charset {
			text, _ = appendUTF8(nil, data, d.charset, true)
		}
		for len(text) > 0 {
			r, ok := d.read(text, 0, true)
			if !ok {
				t.Fatal("no record at the end of the input")
			}
			if r.content > 0 {
				break
			}
			if d.charset != utf8Charset {
				data = data[unitBytes*units(text[:r.next]):]
			} else {
				data = data[r.next:]
			}
			text = text[r.next:]
		}
		check(t, d, data)
	})
}

// FuzzDialect detects the dialect of any bytes and reads them by it.
func FuzzDialect(f *testing.F) {
	seeds(f, func(b []byte) { f.Add(b) })
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 4<<10 {
			return
		}
		d, err := detect("fuzz", data, true, Options{})
		if err != nil {
			return
		}
		if !bytes.HasPrefix(data, d.preamble) {
			t.Fatalf("preamble %q of %q", d.preamble, data)
		}
		check(t, d, data)
	})
}
