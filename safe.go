package winnow

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"

	"github.com/winnow-email/winnow/internal/csvrows"
	"github.com/winnow-email/winnow/internal/shown"
)

// writeSafe writes a copy of each list that can be opened in a spreadsheet
// without running what strangers wrote into it: UTF-8 with commas, and an
// apostrophe in front of every cell that would be a formula. An address that
// begins with such a character is another address then, so a copy is for
// looking at and not for importing.
func (r *run) writeSafe(l *list) error {
	for f, file := range l.files {
		if file == nil || fate(f) == rejected || file.Records == 0 && l.Header == nil {
			continue // none, no list, or nothing in it
		}
		if err := r.safeCopy(l.folder+fateNames[f], l.Charset); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) safeCopy(name, charset string) error {
	in, err := r.out.Open(name + ".csv")
	if err != nil {
		return err
	}
	defer in.Close() // only read
	rd, err := csvrows.NewRowReader(in, name+".csv")
	if err != nil {
		return err
	}
	out, err := r.out.File(name + ".spreadsheet.csv")
	if err != nil {
		return err
	}
	w := csv.NewWriter(out)
	if charset != "8-bit" {
		// Excel takes a file for the local 8-bit encoding unless this stands in front.
		if _, err := out.Write([]byte("\uFEFF")); err != nil {
			return err
		}
	}
	guard := func(cells []string) []string {
		for i, c := range cells {
			if shown.Formula(c) {
				cells[i] = "'" + c
			}
		}
		return cells
	}
	if h := rd.Header(); h != nil {
		if err := w.Write(guard(h)); err != nil {
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
		if err := w.Write(guard(row)); err != nil {
			return err
		}
		out.Records++
	}
	w.Flush()
	return w.Error()
}
