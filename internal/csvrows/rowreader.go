package csvrows

import (
	"bufio"
	"io"
	"strings"
	"sync/atomic"
)

// RowReader reads a delimited stream once, as cells. It is for files whose
// columns are known, such as bounce exports, with the tolerance of List: any
// delimiter, encoding and line end, ragged rows, stray quotes.
type RowReader struct {
	name  string
	d     *dialect
	scan  *Scanner
	chunk Chunk
	i     int
	row   []string
	ends  []int
	text  []byte
	buf   []byte
}

// RecordError is one record that cannot be read. Reading can go on after it.
type RecordError struct {
	Line    int64  // on which it starts, from 1
	Problem string // a code: ProblemQuote, ProblemColumns
}

func (e *RecordError) Error() string { return e.Problem }

// NewRowReader detects the dialect of r from its first bytes. name stands for it
// in errors.
func NewRowReader(r io.Reader, name string) (*RowReader, error) {
	size, chunk := sampleSize, chunkSize
	if b, ok := r.(*bufio.Reader); ok { // a small file needs no large buffers
		if head, err := b.Peek(b.Size()); err == io.EOF {
			size, chunk = len(head)+1, len(head)+1
		}
	}
	in := bufio.NewReaderSize(r, size)
	sample, err := in.Peek(size)
	if err != nil && err != io.EOF {
		return nil, readError(name, err)
	}
	d, err := detect(name, sample, err == io.EOF, Options{})
	if err != nil {
		return nil, err
	}
	if _, err := in.Discard(len(d.preamble)); err != nil {
		return nil, readError(name, err)
	}
	l := &List{Name: name, Header: d.header, Charset: d.charset, format: d.format}
	if l.chooseColumn(d, "") == nil {
		l.emails = 1 + l.Column
	}
	d.format = l.format
	return &RowReader{
		name: name, d: d,
		scan: &Scanner{list: l, in: io.NopCloser(in), read: new(atomic.Int64), size: chunk, line: d.lines + 1},
	}, nil
}

// Header returns the cells of the header, blanks around them cut off, or nil
// when the first record already holds an address.
func (r *RowReader) Header() []string {
	var header []string
	for _, cell := range r.d.header {
		header = append(header, strings.TrimSpace(cell))
	}
	return header
}

// Comma returns the delimiter.
func (r *RowReader) Comma() byte { return r.d.comma }

// Next returns the cells of the next record and the line it starts on. The
// slice is reused by the next call, the strings stay. After the last record err
// is io.EOF; a *RecordError is about one record only.
func (r *RowReader) Next() (row []string, line int64, err error) {
	for r.i >= r.chunk.Len() {
		if err := r.scan.Next(&r.chunk); err != nil {
			return nil, r.scan.line, err
		}
		r.i = 0
	}
	i := r.i
	r.i++
	line = r.chunk.Line(i)
	if p := r.chunk.Problem(i); p != "" {
		return nil, line, &RecordError{Line: line, Problem: p}
	}
	f := &r.d.format
	rec := r.chunk.recs[i]
	content := r.chunk.buf[rec.start:rec.content]
	if f.folded {
		r.buf = append(r.buf[:0], f.unfold(content, r.buf)...)
		content = r.buf
	}
	// All cells of a row share one string.
	r.text, r.ends, r.row = r.text[:0], r.ends[:0], r.row[:0]
	for at := 0; ; at++ {
		end, st := f.cellEnd(content, at)
		cell := content[at:end]
		if st == quoteClosed {
			cell = f.unquote(cell, nil)
		}
		r.text = append(r.text, cell...)
		r.ends = append(r.ends, len(r.text))
		if at = end; at == len(content) {
			break
		}
	}
	all, at := string(r.text), 0
	for _, end := range r.ends {
		r.row = append(r.row, all[at:end])
		at = end
	}
	return r.row, line, nil
}
