package csvrows

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/bits"
	"sync/atomic"
)

// A chunk is of about chunkSize bytes, and of maxRecords records at most: what is
// held for each record does not depend on how short they are.
const (
	chunkSize  = 1 << 20
	minChunk   = 1 << 16
	maxRecords = 1 << 14
)

// Scanner reads the records of one pass in order.
type Scanner struct {
	list    *List
	in      io.ReadCloser
	read    *atomic.Int64
	tail    []byte // text behind the last whole record
	rawTail []byte // the same, and what could not be decoded yet, as it came
	pending int    // bytes of rawTail that tail does not hold
	eof     bool
	line    int64 // of the next record
	records int64
	blank   int64 // empty lines met: their bytes are part of the line end of the record before them
	size    int   // of the first try at a chunk
	short   int   // the same while records are short, else 0
	err     error
}

// Next fills c with the next whole records, about 1 MiB of them, reusing c's
// memory. It returns io.EOF after the last.
func (s *Scanner) Next(c *Chunk) error {
	if s.err == nil {
		s.err = s.next(c)
	}
	if s.err != nil {
		c.recs = c.recs[:0]
	}
	return s.err
}

func (s *Scanner) next(c *Chunk) error {
	c.format, c.wide = &s.list.format, s.list.Charset == utf16LE || s.list.Charset == utf16BE
	c.buf = append(c.buf[:0], s.tail...)
	c.raw = append(c.raw[:0], s.rawTail...)
	c.recs = c.recs[:0]
	c.First, c.line = s.records+1, s.line
	end := 0
	target := s.size
	if s.short > 0 {
		target = s.short
	}
	for ; ; target *= 2 {
		if err := s.fill(c, target); err != nil {
			return err
		}
		var tooLong bool
		end, tooLong = c.scan(s.eof)
		if tooLong || len(c.recs) == 0 && !s.eof && target > maxRecord {
			if len(c.recs) > 0 {
				break // hand on what stands before it
			}
			return tooLongError(s.list.Name, s.line)
		}
		if len(c.recs) > 0 {
			break
		}
		if s.eof {
			return io.EOF
		}
	}
	s.fit(c, end)
	s.tail = append(s.tail[:0], c.buf[end:]...)
	s.line += int64(c.lines)
	s.blank += int64(c.blank)
	s.records += int64(len(c.recs))
	if c.wide {
		c.mapRaw(s.list.Charset, s.eof && end == len(c.buf))
		s.rawTail = append(s.rawTail[:0], c.raw[c.starts[len(c.recs)]:]...)
	}
	return nil
}

// fit chooses the size of the next chunk: of short records, so many bytes as hold
// maxRecords of them.
func (s *Scanner) fit(c *Chunk, end int) {
	if len(c.recs) < maxRecords {
		if s.short *= 2; s.short >= s.size {
			s.short = 0
		}
		return
	}
	if c.wide {
		end *= unitBytes
	}
	if s.short = max(end+end/8, minChunk); s.short >= s.size {
		s.short = 0
	}
}

// fill reads until c.buf holds target bytes or the input ends.
func (s *Scanner) fill(c *Chunk, target int) error {
	dst := &c.buf
	if c.wide {
		dst = &c.raw
	}
	if s.eof || len(*dst) >= target {
		return nil
	}
	have := len(*dst)
	if cap(*dst) < target {
		*dst = append(make([]byte, 0, target), *dst...)
	}
	n, err := io.ReadFull(s.in, (*dst)[have:target])
	*dst = (*dst)[:have+n]
	switch {
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		s.eof = true
	case err != nil:
		var e *Error
		if errors.As(err, &e) {
			return err
		}
		return readError(s.list.Name, err)
	}
	if c.wide {
		fresh := c.raw[have-s.pending:]
		var used int
		c.buf, used = appendUTF8(c.buf, fresh, s.list.Charset, s.eof)
		s.pending = len(fresh) - used
	}
	return nil
}

// Read returns how many bytes of Size the scanner has read. It may be called
// from another goroutine.
func (s *Scanner) Read() int64 { return s.read.Load() }

// Close ends the pass.
func (s *Scanner) Close() error {
	s.err = errors.New("csvrows: the scanner is closed")
	return s.in.Close()
}

// Chunk is a run of whole records. Its methods may be called from several
// goroutines at once, but not during Next.
type Chunk struct {
	First int64 // number of the first record, data records counted from 1

	format *format
	buf    []byte // text
	recs   []rec
	end    int // of the last record in buf
	line   int64
	lines  int
	blank  int

	wide   bool     // UTF-16: Raw is not a part of buf
	raw    []byte   // the input as it came
	starts []uint32 // where each record starts in raw, and where the last ends
}

// rec is where a record lies in Chunk.buf. It ends where the next one starts.
type rec struct {
	start, content uint32
	line           uint32 // lines before it in the chunk
	quoted         bool   // a quote occurs in it
	problem        uint8
}

// scan finds the whole records of c.buf and returns where the last one ends.
func (c *Chunk) scan(eof bool) (end int, tooLong bool) {
	buf, f := c.buf, c.format
	c.recs, c.lines, c.blank = c.recs[:0], 0, 0
	pos := 0
	nl, quote, ret := -1, -1, -1 // the next of each from pos
	for pos < len(buf) && len(c.recs) < maxRecords {
		if !f.cr {
			// Nearly every record has no quote and one plain line end: three
			// searches, each of which looks at every byte once.
			if nl < pos {
				nl = indexFrom(buf, pos, '\n')
			}
			if quote < pos {
				quote = indexFrom(buf, pos, '"')
			}
			if ret < pos {
				ret = indexFrom(buf, pos, '\r')
			}
			if nl < quote && ret >= nl-1 && nl+1 < len(buf) && buf[nl+1] != '\n' && buf[nl+1] != '\r' && buf[nl+1] != '\x1a' {
				content := nl
				if ret == nl-1 {
					content = ret
				}
				r := rec{start: uint32(pos), content: uint32(content), line: uint32(c.lines)}
				if nl-pos >= maxColumns {
					if nl-pos >= maxRecord {
						return pos, true
					}
					if f.tooWide(buf[pos:content]) {
						r.problem = tooManyColumns
					}
				}
				c.recs = append(c.recs, r)
				c.lines++
				pos = nl + 1
				c.end = pos
				continue
			}
		}
		r, ok := f.read(buf, pos, eof)
		if !ok {
			return pos, len(buf)-pos > maxRecord+maxQuoted
		}
		if r.next-pos > maxRecord {
			return pos, true
		}
		c.recs = append(c.recs, rec{start: uint32(pos), content: uint32(r.content), line: uint32(c.lines), quoted: r.quoted, problem: r.problem})
		c.lines += r.lines
		c.blank += r.blank
		pos = r.next
		c.end = pos
	}
	return pos, false
}

func indexFrom(b []byte, from int, x byte) int {
	if n := bytes.IndexByte(b[from:], x); n >= 0 {
		return from + n
	}
	return len(b)
}

// mapRaw finds the UTF-16 bytes of each record. Every rune of the text stands
// for one unit or two, a lone surrogate (U+FFFD in the text) for one.
func (c *Chunk) mapRaw(charset string, last bool) {
	c.starts = c.starts[:0]
	at := 0
	for i := range c.recs {
		c.starts = append(c.starts, uint32(at))
		at += 2 * units(c.buf[c.recs[i].start:c.next(i)])
	}
	if last {
		at = len(c.raw) // half a unit at the end of the file
	}
	c.starts = append(c.starts, uint32(at))
}

// next returns where record i ends in c.buf.
func (c *Chunk) next(i int) int {
	if i+1 < len(c.recs) {
		return int(c.recs[i+1].start)
	}
	return c.end
}

// Len returns the number of records.
func (c *Chunk) Len() int { return len(c.recs) }

// Raw returns the bytes of record i as they came, line end included.
func (c *Chunk) Raw(i int) []byte {
	if c.wide {
		return c.raw[c.starts[i]:c.starts[i+1]]
	}
	return c.buf[c.recs[i].start:c.next(i)]
}

// Line returns the line on which record i starts, from 1.
func (c *Chunk) Line(i int) int64 { return c.line + int64(c.recs[i].line) }

// Problem returns why record i could not be read (a code for rejected.csv), or "".
func (c *Chunk) Problem(i int) string { return problems[c.recs[i].problem] }

// Cell returns the value of a cell of record i, unquoted and in UTF-8 where the
// charset is known. It returns a part of the chunk where it can and uses buf's
// memory where it cannot. A missing cell is empty.
func (c *Chunk) Cell(i, column int, buf []byte) []byte {
	r, f := &c.recs[i], c.format
	content := c.buf[r.start:r.content]
	if r.quoted || f.lead != noLead {
		return f.cell(content, column, buf)
	}
	start := skipCommas(content, f.comma, column)
	if start < 0 {
		return nil
	}
	content = content[start:]
	if n := bytes.IndexByte(content, f.comma); n >= 0 {
		content = content[:n]
	}
	return content
}

// Split appends the values of all cells of record i to dst. They are as of Cell;
// buf is memory that they may lie in.
func (c *Chunk) Split(dst [][]byte, i int, buf []byte) [][]byte {
	r, f := &c.recs[i], c.format
	content := f.unfold(c.buf[r.start:r.content], nil)
	buf = buf[:0]
	for at := 0; ; at++ {
		end, st := f.cellEnd(content, at)
		cell := content[at:end]
		if st == quoteClosed {
			cell = f.unquote(cell, buf[len(buf):])
			if n := len(cell); n > 0 && n <= cap(buf)-len(buf) && &cell[0] == &buf[len(buf) : len(buf)+1][0] {
				buf = buf[:len(buf)+n]
			}
		}
		dst = append(dst, cell)
		if at = end; at == len(content) {
			return dst
		}
	}
}

// Cells returns how many cells record i has.
func (c *Chunk) Cells(i int) int {
	r := &c.recs[i]
	return c.format.cells(c.buf[r.start:r.content])
}

// skipCommas returns the index behind the n-th delimiter in b, or -1. Cells are
// short: eight bytes at once are faster than a search for each delimiter.
func skipCommas(b []byte, comma byte, n int) int {
	if n == 0 {
		return 0
	}
	const low, ones = 0x7f7f7f7f7f7f7f7f, 0x0101010101010101
	pattern := ones * uint64(comma)
	i := 0
	for ; i+8 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i:]) ^ pattern
		found := ^((x&low + low) | x | low) // the high bit of each byte that is a delimiter
		if k := bits.OnesCount64(found); k < n {
			n -= k
			continue
		}
		for ; n > 1; n-- {
			found &= found - 1
		}
		return i + bits.TrailingZeros64(found)/8 + 1
	}
	for ; i < len(b); i++ {
		if b[i] == comma {
			if n--; n == 0 {
				return i + 1
			}
		}
	}
	return -1
}

// Scan starts a pass over the data records. Passes may overlap.
func (l *List) Scan() (*Scanner, error) {
	s := &Scanner{list: l, read: new(atomic.Int64), size: int(min(chunkSize, l.src.limit()+1)), line: l.lines + 1}
	in, err := l.src.open(s.read)
	if err != nil {
		return nil, err
	}
	s.in = in
	if _, err := io.CopyN(io.Discard, in, int64(len(l.preamble))); err != nil {
		in.Close()
		return nil, readError(l.Name, err)
	}
	return s, nil
}
