package winnow

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"

	"github.com/winnow-email/winnow/decide"
	"github.com/winnow-email/winnow/export"
	"github.com/winnow-email/winnow/internal/csvrows"
	"github.com/winnow-email/winnow/internal/files"
	"github.com/winnow-email/winnow/internal/shown"
	"github.com/winnow-email/winnow/validate"
)

// fixTable holds the fixes that a person has accepted: by key, and those of
// what is no address by its text.
type fixTable struct {
	m map[string]*validate.Address
}

// of returns what is accepted for text, which parses as a or not, or nil.
func (t *fixTable) of(text string, a validate.Address, err error) *validate.Address {
	if err != nil {
		return t.m["\x00"+text]
	}
	return t.m[a.Key()]
}

// addresses yields the addresses that are replaced, with what replaces them.
func (t *fixTable) addresses() iter.Seq2[validate.Address, *validate.Address] {
	return func(yield func(validate.Address, *validate.Address) bool) {
		for key, to := range t.m {
			if from, err := validate.ParseAddress(key); err == nil && !yield(from, to) {
				return
			}
		}
	}
}

// loadFixes reads a fixes.csv, unless path is "". Only rows whose column accept
// says yes count, and only fixes that change nothing but the domain: a local part
// is never guessed.
func loadFixes(ctx context.Context, path string) (*fixTable, error) {
	t := &fixTable{}
	if path == "" {
		return t, nil
	}
	f, err := files.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read
	rd, err := csvrows.NewRowReader(f, path)
	if err != nil {
		return nil, err
	}
	col := map[string]int{}
	for i, h := range rd.Header() {
		col[strings.ToLower(strings.TrimSpace(h))] = i
	}
	for _, need := range []string{"address", "suggestion", "accept"} {
		if _, ok := col[need]; !ok {
			return nil, fmt.Errorf("%s has no column %q: take the fixes.csv of a run and put yes into its column accept", path, need)
		}
	}
	t.m = map[string]*validate.Address{}
	for {
		row, line, err := rd.Next()
		if err == io.EOF {
			break
		}
		if err == nil {
			err = t.add(func(name string) string {
				if i := col[name]; i < len(row) {
					return strings.TrimSpace(row[i])
				}
				return ""
			})
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, line, err)
		}
	}
	if len(t.m) == 0 {
		return nil, fmt.Errorf("no fix is accepted in %s: put yes into the column accept of those you want", path)
	}
	return t, nil
}

// add takes a row of a fixes.csv, if it is accepted.
func (t *fixTable) add(cell func(name string) string) error {
	switch strings.ToLower(cell("accept")) {
	case "yes", "y", "true", "1", "x", "ok":
	case "", "no", "n", "false", "0":
		return nil
	default:
		return fmt.Errorf("accept is %q: write yes or no", cell("accept"))
	}
	text := cell("address")
	key := "\x00" + text
	if from, err := validate.ParseAddress(text); err == nil {
		text, key = from.String(), from.Key()
	}
	to, err := validate.ParseAddress(cell("suggestion"))
	if err != nil {
		return fmt.Errorf("the suggestion is not an address: %w", err)
	}
	if !strings.HasPrefix(text, to.Local+"@") || strings.ContainsAny(to.String(), "\"',;|\t\r\n") {
		return errors.New("a fix may change the domain and nothing else")
	}
	if old := t.m[key]; old != nil && *old != to {
		return errors.New("two different fixes are accepted for this address")
	}
	t.m[key] = &to
	return nil
}

// applyFix makes an accepted fix in a record that is kept, or says that it cannot
// be made. text is the address cell of record i.
func (rw *row) applyFix(c *csvrows.Chunk, i int, text []byte, cell []validate.CellAddress, fix *validate.Address, d *decide.Decision) {
	if len(cell) != 1 || len(cell[0].Repairs) > 0 || cell[0].Address != string(text) || bytes.Count(c.Raw(i), text) != 1 {
		// It cannot be found in the record as it stands (another charset, a repaired
		// cell, twice in it): a person has to change it.
		if d.Action != decide.Suppress {
			*d = decide.Decision{Action: decide.Review, Verdict: decide.Risky, Reason: decide.ReasonFixNotApplied, Suggestion: fix.String(),
				Detail: "The accepted fix cannot be made in this record without touching more than the address."}
			rw.fate, rw.reason = review, d.Reason
		}
		return
	}
	if rw.fate == kept {
		rw.fix = fix
		return
	}
	d.Detail = "With the accepted fix: " + strings.ToLower(d.Detail[:1]) + d.Detail[1:]
	d.Suggestion = fix.String()
}

// appendFixed writes a line of fixed.csv. The addresses are plain: load and
// fixed see to that.
func appendFixed(dst []byte, record int64, from []byte, to *validate.Address) []byte {
	dst = append(strconv.AppendInt(dst, record, 10), ',')
	dst = append(append(dst, from...), ',')
	return append(append(dst, to.String()...), '\n')
}

// fixList collects suggestions in the order of the records, as many as memory
// holds.
type fixList struct {
	limit int64 // bytes
	held  int64
	at    map[[2]string]int
	list  []foundFix
	left  int64 // records whose suggestion had no room
}

// fixBytes is about what a suggestion takes beside its texts.
const fixBytes = 256

// addAll adds the fixes of a chunk. It is called for one chunk after the other.
func (l *fixList) addAll(fixes []foundFix) {
	for i := range fixes {
		l.add(&fixes[i])
	}
}

func (l *fixList) add(f *foundFix) {
	if l.at == nil {
		l.at = map[[2]string]int{}
	}
	k := [2]string{f.address, f.suggestion}
	i, ok := l.at[k]
	if !ok {
		if l.held >= l.limit {
			l.left++
			return
		}
		l.held += fixBytes + int64(len(f.address)+len(f.suggestion)+len(f.why))
		i = len(l.list)
		l.list = append(l.list, *f)
		l.at[k] = i
	}
	l.list[i].rows++
}

// note says what did not fit, "" when everything did.
func (l *fixList) note() string {
	if l.left == 0 {
		return ""
	}
	return fmt.Sprintf("fixes.csv holds the first %d suggestions; those for %d further records did not fit into memory: raise --memory, or accept these and clean again.", len(l.list), l.left)
}

// write writes fixes.csv for a person: who puts yes into the column accept and
// gives the file to the next run changes these addresses.
func (l *fixList) write(out *export.Dir) error {
	if len(l.list) == 0 {
		return nil
	}
	f, err := out.File(export.Fixes + ".csv")
	if err != nil {
		return err
	}
	w := csv.NewWriter(f)
	err = w.Write([]string{"address", "suggestion", "why", "rows", "accept"})
	for i := range l.list {
		x := &l.list[i]
		err = errors.Join(err, w.Write([]string{x.address, x.suggestion, shown.Cell(x.why), strconv.FormatInt(x.rows, 10), ""}))
		f.Records++
	}
	w.Flush()
	return errors.Join(err, w.Error())
}
