// Package rundir reads a run folder back: row by row (Open), two runs compared
// (Diff), and proved from what lies in it (Verify).
package rundir

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/winnow-email/winnow/export"
	"github.com/winnow-email/winnow/export/summary"
	"github.com/winnow-email/winnow/internal/csvrows"
)

// Run is a run folder.
type Run struct {
	Summary *summary.Summary
	dir     string
	records map[string]int64 // of each file
}

// Open opens a run folder. Nothing but its summary is read.
func Open(dir string) (*Run, error) {
	s, err := summary.Read(dir)
	if err != nil {
		return nil, err
	}
	if s.Kind != "" {
		return nil, fmt.Errorf("%s is a %s, and holds no lists of a cleaning", dir, s.Kind)
	}
	r := &Run{Summary: s, dir: dir, records: map[string]int64{}}
	for _, o := range s.Outputs {
		r.records[o.Name] = o.Records
	}
	return r, nil
}

// Row is a record of a list of a run. It is good until the next one.
type Row struct {
	List    string // export.Cleaned and so on
	Address string // the address cell as it stands in the list
	file    string
	line    int64
	cells   int // how many winnow added
	chunk   *csvrows.Chunk
	record  int
	buf     []byte
	head    []string // in place of the record: a first row that looks like a header
}

// Added returns the value of cell i of those that winnow added to the row
// (export.ReasonColumns, export.DuplicateColumns), "" where it added none.
func (r *Row) Added(i int) string {
	switch {
	case i >= r.cells:
		return ""
	case r.head != nil:
		return r.head[len(r.head)-r.cells+i]
	}
	// Winnow's cells are the last of a row: in one that is longer than the header
	// they do not stand under their names.
	return string(r.chunk.Cell(r.record, r.chunk.Cells(r.record)-r.cells+i, r.buf[:0]))
}

// Reason returns why the row is where it is: "" in cleaned and duplicates.
func (r *Row) Reason() string {
	if r.List == export.Duplicates {
		return ""
	}
	return r.Added(0)
}

// Where names the file and line on which the row starts.
func (r *Row) Where() string { return r.file + ":" + strconv.FormatInt(r.line, 10) }

// Each calls f for every row of a list of the run, in the order of the inputs. A
// run without such a file has no such row.
func (r *Run) Each(ctx context.Context, list string, f func(*Row) error) error {
	for i := range r.Summary.Inputs {
		in := &r.Summary.Inputs[i]
		name := in.Folder + list + ".csv"
		if in.Role != "list" || r.records[name] == 0 {
			continue
		}
		if err := r.each(ctx, in, name, list, f); err != nil {
			return err
		}
	}
	return nil
}

func (r *Run) each(ctx context.Context, in *summary.InputFile, name, list string, f func(*Row) error) (err error) {
	if !filepath.IsLocal(filepath.FromSlash(name)) {
		return fmt.Errorf("%s: its summary names a list outside the folder", r.dir)
	}
	path := filepath.Join(r.dir, filepath.FromSlash(name))
	opt := csvrows.Options{Column: strconv.Itoa(in.ColumnNo), Done: ctx.Done()}
	if len(in.Delimiter) == 1 {
		opt.Comma = in.Delimiter[0] // a short list could be taken for one with another
	}
	l, err := csvrows.Open(path, opt)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	row := Row{List: list, file: path, cells: added(list)}
	left := r.records[name]
	err = l.Each(ctx, func(c *csvrows.Chunk, i int, buf []byte) error {
		left--
		row.line, row.chunk, row.record, row.buf = c.Line(i), c, i, buf
		if why := c.Problem(i); why != "" {
			return fmt.Errorf("%s: the record cannot be read (%s)", row.Where(), why)
		}
		row.Address = string(c.Cell(i, l.Column, buf[:0]))
		return f(&row)
	})
	// Without a header, a first row whose address is broken was taken for one.
	if h := l.Header; err == nil && left == 1 && row.cells > 0 && len(h) > max(row.cells, l.Column) {
		row.line, row.Address, row.head = 1, h[l.Column], h
		return f(&row)
	}
	return err
}

// added returns how many cells winnow adds to each row of a list.
func added(list string) int {
	switch list {
	case export.Suppressed, export.Review:
		return len(export.ReasonColumns())
	case export.Duplicates:
		return len(export.DuplicateColumns())
	}
	return 0
}
