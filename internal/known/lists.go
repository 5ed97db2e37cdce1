package known

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/winnow-email/winnow/internal/csvrows"
	"github.com/winnow-email/winnow/internal/files"
	"github.com/winnow-email/winnow/internal/shown"
)

// List is a list of the user's own: of whom never to mail, or of whom no list may
// condemn.
type List struct {
	Path    string // as the user named it
	Allow   bool
	Records int64  // read
	SHA256  string // of the file
	Bytes   int64

	list     *csvrows.List // nil: the file is empty
	file     string        // Path, or where a stream was kept
	source   uint32
	named    bool         // the header names a column of addresses
	skip     []bool       // columns that winnow itself wrote
	used     atomic.Int64 // records that say something
	unusable atomic.Int64 // records that do not
	first    atomic.Int64 // line of the first of them
	hashes   atomic.Int64
	matched  atomic.Int64 // addresses of the list with one of these hashes
}

// Opening says how to open the user's lists.
type Opening struct {
	Temp  string    // a private folder, for streams: a list may have to be read twice
	Stdin io.Reader // what "-" is; nil: os.Stdin
}

// Open opens a list of the user's.
func (o *Opening) Open(ctx context.Context, path string, allow bool) (*List, error) {
	l := &List{Path: path, Allow: allow, file: path}
	size, err := o.keep(ctx, l)
	var ie *files.InputError
	if errors.As(err, &ie) {
		return nil, err
	}
	if err != nil {
		if path == "-" {
			path = "standard input"
		}
		return nil, fmt.Errorf("cannot read %s: %w", path, files.Plain(err))
	}
	if size == 0 {
		return l, nil
	}
	if l.list, err = csvrows.Open(l.file, csvrows.Options{TempDir: o.Temp}); err == nil {
		l.named = l.list.Header != nil
	} else if l.list, err = csvrows.Open(l.file, csvrows.Options{TempDir: o.Temp, Column: "1"}); err == nil {
		// Hashes and domains do not look like an address column.
		err = l.chooseColumn()
	}
	var ce *csvrows.Error
	if errors.As(err, &ce) {
		ce.Name = path
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	for _, h := range l.list.Header {
		// What winnow says of a record speaks of other addresses too: of what was
		// probably meant.
		l.skip = append(l.skip, strings.HasPrefix(strings.TrimSpace(h), "winnow_"))
	}
	return l, nil
}

// keep makes sure that the file can be read more than once, and returns its size.
func (o *Opening) keep(ctx context.Context, l *List) (size int64, err error) {
	if l.Path == "-" {
		in := o.Stdin
		if in == nil {
			in = os.Stdin
		}
		l.file, size, err = o.spool(ctx, in)
		return size, err
	}
	st, err := files.Look(l.Path)
	switch {
	case err != nil:
		return 0, err
	case st.Mode().IsRegular():
		return st.Size(), nil
	}
	in, err := files.Open(ctx, l.Path)
	if err != nil {
		return 0, err
	}
	l.file, size, err = o.spool(ctx, in)
	in.Close() // only read; it also ends a spool that was given up
	return size, err
}

// spool copies a stream to a private file.
func (o *Opening) spool(ctx context.Context, in io.Reader) (path string, size int64, err error) {
	f, err := os.CreateTemp(o.Temp, "stream-*")
	if err != nil {
		return "", 0, err
	}
	type copied struct {
		size int64
		err  error
	}
	done := make(chan copied, 1)
	go func() {
		n, err := io.Copy(f, in)
		done <- copied{n, errors.Join(err, f.Close())}
	}()
	select {
	case c := <-done:
		return f.Name(), c.size, c.err
	case <-ctx.Done():
		return "", 0, ctx.Err()
	}
}

// chooseColumn takes the column that holds most hashes and domains at the
// beginning of the file.
func (l *List) chooseColumn() error {
	sc, err := l.list.Scan()
	if err != nil {
		return err
	}
	defer sc.Close() // only read
	var c csvrows.Chunk
	if err := sc.Next(&c); err != nil && err != io.EOF {
		return err
	}
	var sum [64]byte
	var buf []byte
	best := 0
	for column := range max(1, len(l.list.Header)) {
		n := 0
		for i := range min(c.Len(), 200) {
			cell := bytes.TrimSpace(c.Cell(i, column, buf))
			_, _, hash := digestOf(sum[:], cell)
			if _, pattern := patternOf(cell); hash || pattern {
				n++
			}
		}
		if n > best {
			best, l.list.Column = n, column
		}
	}
	return nil
}

// Close closes the list. It may be called twice.
func (l *List) Close() error {
	if l.list == nil {
		return nil
	}
	err := l.list.Close()
	l.list = nil
	return err
}

// Size returns how many bytes one reading takes.
func (l *List) Size() int64 {
	if l.list == nil {
		return 0
	}
	return max(0, l.list.Size())
}

// Hash takes the SHA-256 of the file.
func (l *List) Hash(ctx context.Context) (err error) {
	l.SHA256, l.Bytes, err = files.Hash(ctx, l.file)
	return err
}

// Notes says what a person should know of the list when the run is over.
func (l *List) Notes() (notes []string) {
	name := shown.Name(filepath.Base(l.Path))
	switch {
	case l.Bytes == 0:
		notes = append(notes, name+" is empty.")
	case l.Records == 0:
		notes = append(notes, name+" holds a header and no entries.")
	}
	if n := l.unusable.Load(); n > 0 {
		what := "an address, a domain or a hash"
		if l.Allow {
			what = "an address or a domain"
		}
		notes = append(notes, fmt.Sprintf("%d lines of %s are not %s; the first is line %d.", n, name, what, l.first.Load()))
	}
	if n := l.hashes.Load(); n > 0 && l.matched.Load() == 0 {
		notes = append(notes, fmt.Sprintf("0 of %d hashes of %s matched an address of the list: the hash is taken of the address in lower case, without blanks.", n, name))
	}
	return notes
}
