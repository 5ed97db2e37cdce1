package esp

import (
	"bytes"
	"encoding/csv"
	"encoding/json"

	"github.com/gocarina/gocsv"
)

// file is one kind of file that a target takes. Files whose reasons differ are
// kept apart because the provider asks for the meaning at import time.
type file struct {
	name    string   // without the part's number and extension
	ext     string   // "csv" when empty
	reasons []Reason // nil: all that the target can hold
	what    string   // what an entry of this file becomes
	enc     func() encoder
}

// encoder turns entries into the lines of a file.
type encoder interface {
	header() ([]byte, error)
	// lines returns the lines of an entry; they are valid until the next call.
	lines(e *Entry, word string) ([]byte, error)
}

// rows makes an encoder of rows of T, whose csv tags name the columns.
func rows[T any](row func(e *Entry, word string) []T) func() encoder {
	return func() encoder { return &table[T]{row: row} }
}

// bareRows is rows without a header line.
func bareRows[T any](row func(e *Entry, word string) []T) func() encoder {
	return func() encoder { return &table[T]{row: row, bare: true} }
}

// oneColumn makes an encoder of one address a line, below the header line when
// it is not "".
func oneColumn(head string) func() encoder {
	return func() encoder { return &column{head: head} }
}

// table encodes entries through gocsv, which keeps columns and struct together.
type table[T any] struct {
	bare bool // no header line
	row  func(e *Entry, word string) []T
	buf  bytes.Buffer
	w    *gocsv.SafeCSVWriter // writes into buf
}

func (t *table[T]) header() ([]byte, error) {
	if t.bare {
		return nil, nil
	}
	return t.write(func(w *gocsv.SafeCSVWriter) error { return gocsv.MarshalCSV([]T{}, w) })
}

func (t *table[T]) lines(e *Entry, word string) ([]byte, error) {
	rows := t.row(e, word)
	return t.write(func(w *gocsv.SafeCSVWriter) error { return gocsv.MarshalCSVWithoutHeaders(rows, w) })
}

func (t *table[T]) write(f func(*gocsv.SafeCSVWriter) error) ([]byte, error) {
	if t.w == nil {
		t.w = gocsv.NewSafeCSVWriter(csv.NewWriter(&t.buf))
	}
	t.buf.Reset()
	if err := f(t.w); err != nil {
		return nil, err
	}
	t.w.Flush()
	return t.buf.Bytes(), t.w.Error()
}

// column encodes entries as one column without a header: one address a line.
type column struct {
	head string // header line, "": none
	buf  []byte
	cell func(e *Entry) string // nil: the address
}

func (c *column) header() ([]byte, error) {
	if c.head == "" {
		return nil, nil
	}
	return []byte(c.head + "\n"), nil
}

func (c *column) lines(e *Entry, _ string) ([]byte, error) {
	s := e.Address
	if c.cell != nil {
		s = c.cell(e)
	}
	c.buf = append(append(c.buf[:0], s...), '\n')
	return c.buf, nil
}

// objects encodes entries as one JSON object a line.
type objects[T any] struct {
	row func(e *Entry, word string) T
}

func (o *objects[T]) header() ([]byte, error) { return nil, nil }

func (o *objects[T]) lines(e *Entry, word string) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(o.row(e, word))
	return b.Bytes(), err
}
