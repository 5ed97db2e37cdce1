package winnow

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/winnow-email/winnow/decide"
	"github.com/winnow-email/winnow/export"
	"github.com/winnow-email/winnow/internal/csvrows"
	"github.com/winnow-email/winnow/internal/shown"
)

// writer writes the records of the lists into the files of the run.
type writer struct {
	dir   *export.Dir
	lists []*list
	files []listFiles // of lists
}

// listFiles are the files of one list.
type listFiles struct {
	of    [fates]*export.File // nil: there is none
	fixed *export.File
}

func newWriter(dir *export.Dir, lists []*list) *writer {
	return &writer{dir: dir, lists: lists, files: make([]listFiles, len(lists))}
}

// begin creates the two files that every list has.
func (w *writer) begin(l *list) error {
	if err := w.create(l, kept); err != nil {
		return err
	}
	return w.create(l, suppressed)
}

// end closes the files of a list.
func (w *writer) end(l *list) error {
	files := &w.files[l.index]
	for _, f := range append(files.of[:], files.fixed) {
		if f != nil {
			if err := f.Close(); err != nil {
				return err
			}
		}
	}
	return nil
}

// written returns how many records of a list are in each file.
func (w *writer) written(l *list) (n [fates]int64) {
	for f, file := range w.files[l.index].of {
		if file != nil {
			n[f] = file.Records
		}
	}
	return n
}

// create starts a file of a list, with its header.
func (w *writer) create(l *list, f fate) error {
	file, err := w.dir.File(l.folder + fateNames[f] + ".csv")
	if err != nil {
		return err
	}
	w.files[l.index].of[f] = file
	var head []byte
	switch f {
	case kept:
		head = l.Preamble()
	case duplicate:
		head = l.AppendPreamble(nil, export.DuplicateColumns()...)
	case rejected:
		head = []byte("line,reason,record\n")
	default:
		head = l.AppendPreamble(nil, export.ReasonColumns()...)
	}
	_, err = file.Write(head)
	return err
}

// page is what is to be written of a chunk, for one goroutine.
type page struct {
	w     *writer
	list  *list
	out   [fates][]byte
	n     [fates]int64 // records in out
	fixed []byte       // for fixed.csv
	cell  []byte
}

// page returns one goroutine's page for the records of a list.
func (w *writer) page(l *list) *page {
	return &page{w: w, list: l, cell: make([]byte, 0, 512)}
}

// format puts the records of a chunk into the page.
func (p *page) format(c *csvrows.Chunk, rs *rows) {
	for f := range p.out {
		p.out[f], p.n[f] = p.out[f][:0], 0
	}
	p.fixed = p.fixed[:0]
	l := p.list
	var run []byte // of kept records that follow each other in memory
	for i := range rs.all {
		rw := &rs.all[i]
		p.n[rw.fate]++
		raw := c.Raw(i)
		switch rw.fate {
		case kept:
			if rw.fix != nil {
				old := c.Cell(i, l.Column, p.cell)
				p.fixed = appendFixed(p.fixed, c.First+int64(i), old, rw.fix)
				raw = bytes.Replace(raw, old, []byte(rw.fix.String()), 1)
			}
			if n := len(run); n > 0 && len(raw) > 0 && cap(run) > n && &run[:n+1][n] == &raw[0] {
				run = run[:n+len(raw)]
				continue
			}
			p.out[kept] = append(p.out[kept], run...)
			run = raw
		case duplicate:
			p.out[duplicate] = l.Append(p.out[duplicate], raw, p.w.firstName(rw))
		case rejected:
			p.out[rejected] = appendRejected(p.out[rejected], c.Line(i), rw.reason, l.Text(raw))
		default:
			cells := reasonCells(&rs.decs[rw.dec])
			p.out[rw.fate] = l.Append(p.out[rw.fate], raw, cells[:]...)
		}
	}
	p.out[kept] = append(p.out[kept], run...)
}

// firstName names the first record of a duplicate: its number, and the list
// where there are several.
func (w *writer) firstName(rw *row) string {
	n := strconv.FormatInt(rw.first, 10)
	if len(w.lists) > 1 {
		n = strings.TrimSuffix(w.lists[rw.firstIn].folder, "/") + ":" + n
	}
	return shown.Cell(n)
}

// reasonCells are the values of export.ReasonColumns. The date is that of the
// evidence that decided, which stands first.
func reasonCells(d *decide.Decision) [5]string {
	var ev strings.Builder
	when := ""
	for i := range d.Evidence {
		e := &d.Evidence[i]
		if i > 0 {
			ev.WriteString("; ")
		}
		ev.WriteString(e.What)
		date := ""
		if !e.When.IsZero() {
			date = e.When.UTC().Format(time.DateOnly)
		}
		switch {
		case e.From != "" && date != "":
			ev.WriteString(" (" + e.From + ", " + date + ")")
		case e.From != "" || date != "":
			ev.WriteString(" (" + e.From + date + ")")
		}
		if i == 0 {
			when = date
		}
	}
	return [5]string{shown.Cell(d.Reason), shown.Cell(d.Detail), shown.Cell(d.Suggestion), shown.Cell(ev.String()), when}
}

// appendRejected writes a record that could not be read: where it is, why, and
// its text as one quoted cell.
func appendRejected(dst []byte, line int64, reason string, text []byte) []byte {
	dst = strconv.AppendInt(dst, line, 10)
	dst = append(append(append(dst, ','), reason...), `,"`...)
	for _, b := range text {
		if b == '"' {
			dst = append(dst, '"')
		}
		dst = append(dst, b)
	}
	return append(dst, "\"\n"...)
}

// write appends the page to the files. It is called for one chunk after the other.
func (p *page) write(c *csvrows.Chunk) error {
	w, l := p.w, p.list
	files := &w.files[l.index]
	if l.text != nil {
		for i := range c.Len() {
			l.text.Write(c.Raw(i))
		}
	}
	for f := range p.out {
		if p.n[f] == 0 {
			continue
		}
		if files.of[f] == nil {
			if err := w.create(l, fate(f)); err != nil {
				return err
			}
		}
		file := files.of[f]
		file.Records += p.n[f]
		if _, err := file.Write(p.out[f]); err != nil {
			return err
		}
	}
	if len(p.fixed) == 0 {
		return nil
	}
	if files.fixed == nil {
		var err error
		if files.fixed, err = w.dir.File(l.folder + "fixed.csv"); err != nil {
			return err
		}
		p.fixed = append([]byte("record,address,fixed\n"), p.fixed...)
	}
	_, err := files.fixed.Write(p.fixed)
	return err
}

// safeCopies writes a copy of each list that can be opened in a spreadsheet
// without running what strangers wrote into it: UTF-8 with commas, and an
// apostrophe in front of every formula, also where only a spreadsheet that takes
// semicolons for separators would see one. An address that begins like a formula is
// another address then, so a copy is for looking at and not for importing.
func (w *writer) safeCopies() error {
	for _, l := range w.lists {
		for f, n := range w.written(l) {
			if w.files[l.index].of[f] == nil || fate(f) == rejected || n == 0 && l.Header == nil {
				continue // none, no list, or nothing in it
			}
			if err := w.safeCopy(l.folder+fateNames[f], l.Charset); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *writer) safeCopy(name, charset string) error {
	in, err := w.dir.Open(name + ".csv")
	if err != nil {
		return err
	}
	defer in.Close() // only read
	rd, err := csvrows.NewRowReader(in, name+".csv")
	if err != nil {
		return err
	}
	out, err := w.dir.File(name + ".spreadsheet.csv")
	if err != nil {
		return err
	}
	cells := csv.NewWriter(out)
	if charset != "8-bit" {
		// Excel takes a file for the local 8-bit encoding unless this stands in front.
		if _, err := out.Write([]byte("\uFEFF")); err != nil {
			return err
		}
	}
	if h := rd.Header(); h != nil {
		if err := cells.Write(guard(h)); err != nil {
			return err
		}
	}
	for {
		row, line, err := rd.Next()
		if err == io.EOF {
			break
		}
		var bad *csvrows.RecordError
		if errors.As(err, &bad) {
			return fmt.Errorf("%s.csv:%d was written so that it cannot be read: this is a fault of winnow; nothing was changed", name, line)
		}
		if err != nil {
			return err
		}
		if err := cells.Write(guard(row)); err != nil {
			return err
		}
		out.Records++
	}
	cells.Flush()
	return errors.Join(cells.Error(), out.Close())
}

// guard makes the cells of a row harmless.
func guard(cells []string) []string {
	for i, c := range cells {
		cells[i] = shown.Guard(c)
	}
	return cells
}
