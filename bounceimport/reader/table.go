package reader

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/gocarina/gocsv"
	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/internal/csvrows"
	"github.com/winnow-email/winnow/internal/shown"
)

// table is a delimited file opened for reading.
type table struct {
	d      *reading
	r      *csvrows.RowReader
	header []string
	folded []string   // header names as columnOf wants them
	first  [][]string // rows that were read to find out about the columns
	lines  []int64
}

func newTable(d *reading, r io.Reader) (*table, error) {
	rows, err := csvrows.NewRowReader(r, d.name)
	if err != nil {
		return nil, err
	}
	t := &table{d: d, r: rows, header: rows.Header()}
	for _, h := range t.header {
		t.folded = append(t.folded, string(foldWord(nil, strings.ToLower(strings.Trim(h, " \ufeff\u200b")))))
	}
	return t, nil
}

// addressColumn finds the column whose cells are addresses, from the first rows.
func (t *table) addressColumn() int {
	for len(t.first) < 50 {
		cells, line, err := t.r.Next()
		if err != nil {
			break
		}
		t.first = append(t.first, append([]string(nil), cells...))
		t.lines = append(t.lines, line)
	}
	best, most := -1, 0
	for i := range t.folded {
		n := 0
		for _, row := range t.first {
			if i < len(row) && looksLikeAddress(row[i]) {
				n++
			}
		}
		if n > most && n*2 > len(t.first) {
			best, most = i, n
		}
	}
	return best
}

// each calls do for every row with its line.
func (t *table) each(do func(cells []string, line int64) error) error {
	for {
		cells, line, err := t.next()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = do(cells, line)
		}
		if err != nil {
			return err
		}
	}
}

// next returns the cells of the next row, which are valid until the one after
// it, and its line. Rows that cannot be read are counted on the way.
func (t *table) next() ([]string, int64, error) {
	if len(t.first) > 0 {
		cells, line := t.first[0], t.lines[0]
		t.first, t.lines = t.first[1:], t.lines[1:]
		return cells, line, t.d.record()
	}
	for {
		cells, line, err := t.r.Next()
		if bad := (*csvrows.RecordError)(nil); errors.As(err, &bad) {
			if err := t.d.record(); err != nil {
				return nil, line, err
			}
			t.d.malformed(bad.Line, "unreadable record ("+bad.Problem+")")
			continue
		}
		if err != nil {
			return nil, line, err
		}
		if len(cells) == 1 && strings.TrimSpace(cells[0]) == "" {
			continue
		}
		return cells, line, t.d.record()
	}
}

func cell(cells []string, i int) string {
	if i < 0 || i >= len(cells) {
		return ""
	}
	return strings.TrimSpace(cells[i])
}

// noColumn says that a file names no addresses.
func noColumn(name string, header []string) error {
	return &formError{name, "no column with addresses (columns: " + strings.Join(header, ", ") + ")", false}
}

// csvLayout is an export whose columns are known.
type csvLayout struct {
	name  string
	need  []string // folded header names that tell it
	exact bool     // and no others
	read  func(d *reading, t *table) error
}

// readLayout returns a reader of rows of type R: gocsv fills them a few hundred
// at a time, event turns each into the event.
func readLayout[R any](event func(*R, *reading, *bounceimport.Event) outcome) func(*reading, *table) error {
	return func(d *reading, t *table) error {
		b := &rowBatch{t: t}
		var rows []R
		for {
			// What was read before an error counts.
			failed := b.fill()
			if len(b.rows) == 1 {
				return failed
			}
			clear(rows)
			rows = rows[:0]
			if err := gocsv.UnmarshalCSV(b, &rows); err != nil {
				return fmt.Errorf("%s: %w", shown.Name(d.name), err)
			}
			for i := range rows {
				if err := d.row(b.lines[i], event(&rows[i], d, d.event(d.acct.Format))); err != nil {
					return err
				}
			}
			if failed != nil {
				return failed
			}
		}
	}
}

// rowBatch shows gocsv a header and a bounded number of rows as a whole file.
type rowBatch struct {
	t      *table
	header []string
	rows   [][]string
	lines  []int64 // of the rows after the header
}

const batchRows = 256

func (b *rowBatch) fill() error {
	if b.header == nil {
		b.header = append(b.header, b.t.folded...)
		seen := make(map[string]bool)
		for i, h := range b.header { // the first of two columns of one name counts
			if seen[h] {
				b.header[i] = ""
			}
			seen[h] = true
		}
	}
	b.rows, b.lines = append(b.rows[:0], b.header), b.lines[:0]
	for len(b.rows) <= batchRows {
		cells, line, err := b.t.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		row := make([]string, len(b.header))
		copy(row, cells)
		b.rows, b.lines = append(b.rows, row), append(b.lines, line)
	}
	return nil
}

// Read and ReadAll implement gocsv.CSVReader.
func (b *rowBatch) Read() ([]string, error) { return nil, io.EOF }

func (b *rowBatch) ReadAll() ([][]string, error) { return b.rows, nil }
