// Package csvrows reads the records of a delimited file as raw bytes, in order
// and in bounded memory, and hands them on unchanged.
package csvrows

import "errors"

// Options tell Open what the user knows better than detection does. The zero
// value detects everything.
type Options struct {
	Comma   byte   // 0: detect
	Column  string // header name or 1-based number of the address column; "": detect
	TempDir string // where a stream that can be read only once is spooled; "": os.TempDir
}

// List is one list opened for reading, from a file or from a stream spooled to
// a private temporary file, so that Scan can be called more than once.
type List struct {
	Name    string   // as the user named it
	Header  []string // decoded header cells; nil when the list has none
	Column  int      // the address column, from 0
	Why     string   // how the column was chosen, for a person
	Status  []Status // columns that carry suppressions of the exporting ESP
	Comma   byte
	Charset string // "UTF-8", "UTF-16LE", "UTF-16BE" or "8-bit" (opaque)
	Newline string // "\n", "\r\n" or "\r"
}

// Status is a column by which an ESP's export says that a contact must not be mailed.
type Status struct {
	Column int
	Name   string // header as given
	Kind   string // "unsubscribe", "complaint", "bounce", "blocked": what a hit means
}

// Open detects the dialect of the list at path ("-" is standard input) and its
// address column. Its errors are for people: what, where, what to do next.
func Open(path string, opt Options) (*List, error) { return nil, errors.New("csvrows: not yet") }

// Preamble returns the input's bytes before the first data record: byte order
// mark, sep= line, header.
func (l *List) Preamble() []byte { return nil }

// AppendPreamble appends the preamble with further header cells to dst.
func (l *List) AppendPreamble(dst []byte, cells ...string) []byte { return dst }

// Append appends the record raw with further cells, in the list's dialect and
// encoding, to dst. The bytes of raw before its line end stay as they are.
func (l *List) Append(dst, raw []byte, cells ...string) []byte { return dst }

// Scan starts a pass over the data records. Passes may overlap.
func (l *List) Scan() (*Scanner, error) { return nil, errors.New("csvrows: not yet") }

// Close removes what was spooled.
func (l *List) Close() error { return nil }

// Size returns the number of bytes a pass reads, for progress; -1 when not known.
func (l *List) Size() int64 { return -1 }

// Scanner reads the records of one pass in order.
type Scanner struct{}

// Next fills c with the next whole records, about 1 MiB of them, reusing c's
// memory. It returns io.EOF after the last.
func (s *Scanner) Next(c *Chunk) error { return nil }

// Read returns how many bytes of Size the scanner has read. It may be called
// from another goroutine.
func (s *Scanner) Read() int64 { return 0 }

// Close ends the pass.
func (s *Scanner) Close() error { return nil }

// Chunk is a run of whole records. Its methods may be called from several
// goroutines at once, but not during Next.
type Chunk struct {
	First int64 // number of the first record, data records counted from 1
}

// Len returns the number of records.
func (c *Chunk) Len() int { return 0 }

// Raw returns the bytes of record i as they came, line end included.
func (c *Chunk) Raw(i int) []byte { return nil }

// Line returns the line on which record i starts, from 1.
func (c *Chunk) Line(i int) int64 { return 0 }

// Problem returns why record i could not be read (a code for rejected.csv), or "".
func (c *Chunk) Problem(i int) string { return "" }

// Cell returns the value of a cell of record i, unquoted and in UTF-8 where the
// charset is known. It returns a part of the chunk where it can and appends to
// buf where it cannot. A missing cell is empty.
func (c *Chunk) Cell(i, column int, buf []byte) []byte { return nil }
