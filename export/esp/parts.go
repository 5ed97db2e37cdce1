package esp

import (
	"bufio"
	"bytes"
	"fmt"
	"strings"

	"github.com/winnow-email/winnow/export"
)

// parts writes one kind of file in as many parts as its limits ask for.
type parts struct {
	w        *dirWriter
	f        *file
	maxRows  int
	maxBytes int64
	enc      encoder
	out      *outFile
	head     []byte
	n        int // parts so far
}

func (p *parts) add(e *Entry, word string) error {
	line, err := p.enc.lines(e, word)
	if err != nil {
		return err
	}
	rows := int64(bytes.Count(line, []byte("\n")))
	if p.out != nil {
		most := int64(p.maxRows)
		if len(p.head) > 0 {
			most--
		}
		if p.maxRows > 0 && p.out.f.Records+rows > most || p.maxBytes > 0 && p.out.bytes+int64(len(line)) > p.maxBytes {
			if err := p.close(); err != nil {
				return err
			}
			p.out = nil
		}
	}
	if p.out == nil {
		if err := p.open(); err != nil {
			return err
		}
		// The encoder's memory was used for the header meanwhile.
		if line, err = p.enc.lines(e, word); err != nil {
			return err
		}
	}
	return p.out.add(line, rows)
}

// open starts the next part: name.csv, then name-2.csv …
func (p *parts) open() (err error) {
	p.n++
	name, ext := p.f.name, p.f.ext
	if ext == "" {
		ext = "csv"
	}
	if p.n > 1 {
		name = fmt.Sprintf("%s-%d", name, p.n)
	}
	if p.out, err = p.w.create(name+"."+ext, p.f.what); err != nil {
		return err
	}
	if p.head, err = p.enc.header(); err != nil {
		return err
	}
	return p.out.write(p.head)
}

func (p *parts) close() error {
	if p.out == nil {
		return nil
	}
	return p.out.buf.Flush()
}

// dirWriter creates the files of an export.
type dirWriter struct {
	dir   *export.Dir
	files []*outFile
}

type outFile struct {
	f         *export.File
	buf       *bufio.Writer
	name      string
	what      string
	bytes     int64
	addresses int64
}

func (w *dirWriter) create(name, what string) (*outFile, error) {
	f, err := w.dir.File(name)
	if err != nil {
		return nil, err
	}
	o := &outFile{f: f, buf: bufio.NewWriterSize(f, 1<<16), name: name, what: what}
	w.files = append(w.files, o)
	return o, nil
}

func (o *outFile) write(b []byte) error {
	o.bytes += int64(len(b))
	_, err := o.buf.Write(b)
	return err
}

// add writes the lines of one address.
func (o *outFile) add(lines []byte, rows int64) error {
	o.addresses++
	o.f.Records += rows
	return o.write(lines)
}

// list is a small CSV file for people, made when its first row comes.
type list struct {
	w    *dirWriter
	name string
	head []string
	out  *outFile
}

func (w *dirWriter) list(name string, head ...string) *list {
	return &list{w: w, name: name, head: head}
}

func (l *list) add(cells ...string) (err error) {
	if l.out == nil {
		if l.out, err = l.w.create(l.name, ""); err != nil {
			return err
		}
		if err := l.out.write(appendRow(nil, l.head)); err != nil {
			return err
		}
	}
	return l.out.add(appendRow(nil, cells), 1)
}

func (l *list) close() error {
	if l.out == nil {
		return nil
	}
	return l.out.buf.Flush()
}

// appendRow appends a CSV record (RFC 4180, with a bare line feed).
func appendRow(b []byte, cells []string) []byte {
	for i, c := range cells {
		if i > 0 {
			b = append(b, ',')
		}
		if strings.ContainsAny(c, "\",\r\n") {
			b = append(append(append(b, '"'), strings.ReplaceAll(c, `"`, `""`)...), '"')
		} else {
			b = append(b, c...)
		}
	}
	return append(b, '\n')
}
