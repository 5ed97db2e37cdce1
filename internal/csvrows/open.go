package csvrows

import (
	"io"
	"sync/atomic"

	"github.com/winnow-email/winnow/internal/columns"
)

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
