// Package csvrows reads the records of a delimited file as raw bytes, in order
// and in bounded memory, and hands them on unchanged: the preamble and the raw
// records of a list, one after the other, are the bytes of its (decompressed) file.
//
// Open detects what is in front of it: the delimiter (comma, semicolon, tab, "|",
// an Excel sep= line), UTF-8 and UTF-16 with or without a byte order mark, line
// ends of every kind, a header or none, titles above the header, lines that were
// quoted as a whole, the address column, and the columns by which sending services
// mark people who must not be mailed. Other encodings are passed through as bytes.
//
// What is bounded: a record to 1 MiB and 2,000 cells, a quoted cell to 64 KiB and
// 50 lines (else only its record is given up, and reading goes on with the next
// line), decompression to 200 times the input. A pass holds about 3 MiB.
package csvrows

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"github.com/winnow-email/winnow/internal/columns"
	"github.com/winnow-email/winnow/internal/shown"
)

// Options tell Open what the user knows better than detection does. The zero
// value detects everything.
type Options struct {
	Comma   byte             // 0: detect
	Column  string           // header name or 1-based number of the address column; "": detect
	Status  []columns.Choice // what the user says of status columns
	TempDir string           // where a stream that can be read only once is spooled; "": os.TempDir
	Stdin   io.Reader        // what "-" means; nil: os.Stdin
	Done    <-chan struct{}  // closed to give up waiting for a stream; nil: never
}

// The values of List.Charset.
const (
	utf8Charset = "UTF-8"
	utf16LE     = "UTF-16LE"
	utf16BE     = "UTF-16BE"
	eightBit    = "8-bit"
	unitBytes   = 2 // of UTF-16
)

// List is one list opened for reading, from a file or from a stream spooled to
// a private temporary file, so that Scan can be called more than once.
type List struct {
	Name    string           // as the user named it
	Header  []string         // decoded header cells; nil when the list has none
	Column  int              // the address column, from 0
	Why     string           // how the column was chosen, for a person
	Status  []columns.Status // columns that say, or may say, who must not be mailed
	Whole   columns.Kind     // that holds for every record: a file of unsubscribed or cleaned contacts; "" for none
	Comma   byte
	Charset string // "UTF-8", "UTF-16LE", "UTF-16BE" or "8-bit" (opaque)
	Newline string // "\n", "\r\n" or "\r"

	format
	preamble []byte // raw
	bom      int    // bytes of the byte order mark in preamble
	lines    int64  // lines of the preamble
	src      *source
}

// Error is a list that cannot be read. Its text is one line: what and where.
type Error struct {
	Name string
	Line int64 // from 1; 0 when it is not about one line
	What string
	Next string // what the user can do about it
	Err  error  // what the system said; may be nil
}

func (e *Error) Unwrap() error { return e.Err }

func (e *Error) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("%s:%d: %s", e.Name, e.Line, e.What)
	}
	return e.Name + ": " + e.What
}

// Hint returns what the user can do about the error, or "".
func (e *Error) Hint() string { return e.Next }

// Open detects the dialect of the list at path ("-" is standard input) and its
// address column. Its errors are for people: what, where, what to do next. A zip
// archive must hold one list; OpenAll takes more.
func Open(path string, opt Options) (*List, error) {
	lists, _, err := OpenAll(path, opt)
	if err != nil {
		return nil, err
	}
	if len(lists) == 1 {
		return lists[0], nil
	}
	names := make([]string, len(lists))
	for i, l := range lists {
		names[i] = l.Name
		l.Close() // only read
	}
	return nil, &Error{
		Name: path, What: fmt.Sprintf("holds %d lists where one is wanted: %s", len(names), strings.Join(names, ", ")),
		Next: "unpack it and name the file",
	}
}

// OpenAll opens the lists at path: one, or every CSV file of a zip archive, as
// Mailchimp exports an audience by status. Each must be closed. The note, one
// sentence or "", names what of an archive was not read.
func OpenAll(path string, opt Options) (lists []*List, note string, err error) {
	src, err := openSource(path, opt)
	if err != nil {
		return nil, "", err
	}
	members := []*source{src}
	if src.packing == zipped {
		a, err := openArchive(src)
		if err == nil {
			note, err = a.leftOut(src.name)
		}
		if err != nil {
			src.Close() // only read
			return nil, "", err
		}
		members = a.lists
		src.file.uses = len(members)
	}
	var empty error
	var empties []string
	for i, m := range members {
		l, err := open(m, opt)
		if errors.Is(err, errEmpty) && len(members) > 1 {
			empty = err
			empties = append(empties, shown.Name(m.member.Name))
			m.Close() // only read
			continue
		}
		if err != nil {
			for _, l := range lists {
				l.Close() // only read
			}
			for _, m := range members[i:] {
				m.Close() // only read
			}
			return nil, "", err
		}
		lists = append(lists, l)
	}
	if len(lists) == 0 {
		return nil, "", empty
	}
	if len(empties) > 0 {
		note = strings.TrimSpace(note + " In " + shown.Name(filepath.Base(path)) + " these are empty: " + someNames(empties) + ".")
	}
	return lists, note, nil
}

func open(src *source, opt Options) (*List, error) {
	var n atomic.Int64
	in, err := src.open(&n)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	sample := make([]byte, min(sampleSize, src.limit()+1))
	k, err := io.ReadFull(in, sample)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, readError(src.name, err)
	}
	d, err := detect(src.name, sample[:k], err != nil, opt)
	if err != nil {
		return nil, err
	}
	l := &List{
		Name: src.name, Header: d.header, Comma: d.comma, Charset: d.charset, Newline: d.newline,
		format: d.format, preamble: d.preamble, bom: d.bom, lines: d.lines, src: src,
	}
	if err := l.chooseColumn(d, opt.Column); err != nil {
		return nil, err
	}
	l.emails = 1 + l.Column
	l.Whole = columns.WholeFile(src.name)
	l.Status = columns.Statuses(l.Header, l.Column, l.width, d.rows, opt.Status)
	return l, nil
}

// Preamble returns the input's bytes before the first data record: byte order
// mark, sep= line, empty lines and titles above the header, header. It is what
// a file with rows of the list has to start with.
func (l *List) Preamble() []byte { return l.preamble }

// AppendPreamble appends the preamble with further header cells to dst. A list
// without a header gets none.
func (l *List) AppendPreamble(dst []byte, cells ...string) []byte {
	if l.Header == nil {
		return append(dst, l.preamble...)
	}
	// The header is the last record of the preamble.
	body := l.preamble[l.bom:]
	dst = append(dst, l.preamble[:l.bom]...)
	text := body
	if l.wide() {
		text, _ = appendUTF8(nil, body, l.Charset, true)
	}
	at := 0
	for {
		r, ok := l.read(text, at, true)
		if !ok || r.next >= len(text) {
			break
		}
		at = r.next
	}
	if l.wide() {
		at = unitBytes * units(text[:at])
	}
	dst = append(dst, body[:at]...)
	return l.Append(dst, body[at:], cells...)
}

// Text returns bytes of the list as UTF-8, where its charset is known, else as
// they are.
func (l *List) Text(raw []byte) []byte {
	if !l.wide() {
		return raw
	}
	text, _ := appendUTF8(nil, raw, l.Charset, true)
	return text
}

func (l *List) wide() bool { return l.Charset == utf16LE || l.Charset == utf16BE }

// Append appends the record raw with further cells, in the list's dialect and
// encoding, to dst. The bytes of raw before its line end stay as they are; a
// record with fewer cells than the header is filled up with empty ones first, so
// that the further cells stand under their names. In a list of unknown 8-bit
// encoding, what is not ASCII in cells becomes "?".
func (l *List) Append(dst, raw []byte, cells ...string) []byte {
	if !l.wide() {
		content, ending := cutEnding(raw)
		dst = append(dst, content...)
		dst = l.appendCells(dst, content, cells)
		if len(ending) == 0 {
			return append(dst, l.Newline...)
		}
		return append(dst, ending...)
	}
	text, _ := appendUTF8(nil, raw, l.Charset, true)
	content, ending := cutEnding(text)
	dst = append(dst, raw[:unitBytes*units(content)]...)
	further := l.appendCells(nil, content, cells)
	if len(ending) == 0 {
		ending = []byte(l.Newline)
	}
	return appendUTF16(dst, string(append(further, ending...)), l.Charset)
}

// cutEnding cuts a record before its line ends.
func cutEnding(record []byte) (content, ending []byte) {
	n := len(record)
	for n > 0 && (record[n-1] == '\n' || record[n-1] == '\r' || record[n-1] == '\x1a' && n == len(record)) {
		n--
	}
	if n == len(record)-1 && record[n] == '\x1a' {
		n++ // no end mark: a byte of the record
	}
	return record[:n], record[n:]
}

// appendCells appends what makes a record of content up to the full width, and
// cells.
func (l *List) appendCells(dst, content []byte, cells []string) []byte {
	for n := l.cells(content); n < l.width; n++ {
		dst = append(dst, l.comma)
	}
	for _, cell := range cells {
		dst = l.appendCell(append(dst, l.comma), cell)
	}
	return dst
}

// appendCell appends a cell in the list's dialect.
func (l *List) appendCell(dst []byte, cell string) []byte {
	if l.Charset == eightBit {
		cell = strings.Map(func(r rune) rune {
			if r >= utf8.RuneSelf {
				return '?'
			}
			return r
		}, cell)
	}
	if cell == "" || strings.IndexByte(cell, l.comma) < 0 && strings.IndexByte(cell, '"') < 0 && strings.IndexByte(cell, '\n') < 0 && strings.IndexByte(cell, '\r') < 0 &&
		cell[0] != ' ' && cell[len(cell)-1] != ' ' {
		return append(dst, cell...)
	}
	dst = append(dst, '"')
	for {
		n := strings.IndexByte(cell, '"')
		if n < 0 {
			break
		}
		dst = append(append(dst, cell[:n]...), '"', '"')
		cell = cell[n+1:]
	}
	return append(append(dst, cell...), '"')
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

// Close removes what was spooled.
func (l *List) Close() error { return l.src.Close() }

// Size returns the number of bytes a pass reads, for progress; -1 when not known.
func (l *List) Size() int64 { return l.src.size }
