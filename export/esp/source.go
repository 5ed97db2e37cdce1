package esp

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/export"
	"github.com/winnow-email/winnow/export/rundir"
	"github.com/winnow-email/winnow/export/summary"
	"github.com/winnow-email/winnow/internal/csvrows"
	"github.com/winnow-email/winnow/validate"
)

// Source is a set of suppressions that can be read more than once: a run
// directory, a suppressed.csv, or a history.
type Source struct {
	Name string
	// Each calls yield for every row, in order. An Entry without a Reason is one
	// whose Word says nothing to a provider.
	Each func(ctx context.Context, yield func(*Entry) error) error
	// Also says of a key that Each does not yield whether it is suppressed all the
	// same, as an address that was forgotten on request; nil: none is.
	Also func(key string) bool
	// Kept calls yield with the key of every address that is delivered; nil when
	// the source does not know.
	Kept func(ctx context.Context, yield func(key string) error) error
}

// OpenRun returns the suppressions of a run directory, or of a file in the form
// of its suppressed.csv.
func OpenRun(path string) (*Source, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !fi.IsDir() {
		return &Source{Name: path, Each: func(ctx context.Context, yield func(*Entry) error) error {
			return readSuppressed(ctx, path, yield)
		}}, nil
	}
	run, err := rundir.Open(path)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(run.Summary.Inputs, func(in summary.InputFile) bool { return in.Role == "list" }) {
		return nil, fmt.Errorf("%s: the run's summary names no list", path)
	}
	return &Source{
		Name: path,
		Each: func(ctx context.Context, yield func(*Entry) error) error {
			return run.Each(ctx, export.Suppressed, func(r *rundir.Row) error {
				return eachEntry(r.Address, r.Where(), r.Added, yield)
			})
		},
		Kept: func(ctx context.Context, yield func(key string) error) error {
			var cells []validate.CellAddress
			return run.Each(ctx, export.Cleaned, func(r *rundir.Row) error {
				cells = validate.ParseCell(cells[:0], r.Address)
				for _, c := range cells {
					if a, err := validate.ParseAddress(c.Address); err == nil {
						if err := yield(a.Key()); err != nil {
							return err
						}
					}
				}
				return nil
			})
		},
	}, nil
}

// FromHistory returns what a history of bounces says must not be mailed at the
// time now. Hashed, when it is not nil, says of a key whether it is suppressed
// under its hash only.
func FromHistory(name string, h bounceimport.Source, now time.Time, hashed func(key string) bool) *Source {
	return &Source{Name: name, Also: hashed, Each: func(ctx context.Context, yield func(*Entry) error) error {
		return h.Records(ctx, now, nil, func(key string, r bounceimport.Record) error {
			if r.Held != "" || r.Action != bounceimport.SuppressNow && r.Action != bounceimport.Count || !r.Until.IsZero() && !now.Before(r.Until) {
				return nil
			}
			e := Entry{Address: key, Key: key, Word: "bounce_" + r.Category, At: r.Last, Source: r.Source}
			e.Reason, _ = ReasonOf(e.Word)
			e.setReply(r.Reply)
			return yield(&e)
		})
	}}
}

// readSuppressed yields the rows of a suppressed.csv that is not in its run.
func readSuppressed(ctx context.Context, path string, yield func(*Entry) error) (err error) {
	l, err := csvrows.Open(path, csvrows.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	head := slices.Index(l.Header, export.ReasonColumns()[0])
	if head < 0 && l.Header != nil {
		return fmt.Errorf("%s has no column %s: it was not written by 'winnow clean'", path, export.ReasonColumns()[0])
	}
	return l.Each(ctx, func(c *csvrows.Chunk, i int, buf []byte) error {
		where := path + ":" + strconv.FormatInt(c.Line(i), 10)
		if why := c.Problem(i); why != "" {
			return fmt.Errorf("%s: the record cannot be read (%s)", where, why)
		}
		cell := func(n int) string { return string(c.Cell(i, n, buf)) }
		// A run adds its cells to the row as it is: in one that is longer than the
		// header they do not stand under their names.
		at := c.Cells(i) - len(export.ReasonColumns())
		if at < 0 || !isReason(cell(at), cell(at+4)) {
			at = head
		}
		if at < 0 {
			return fmt.Errorf("%s: no reason of winnow in this row: it was not written by 'winnow clean'", where)
		}
		return eachEntry(cell(l.Column), where, func(n int) string { return cell(at + n) }, yield)
	})
}

// eachEntry yields the entries of one suppressed row: its address cell, and the
// cells that a run adds (export.ReasonColumns).
func eachEntry(raw, where string, added func(int) string, yield func(*Entry) error) error {
	e := Entry{Word: added(0), Source: where}
	if e.Reason, _ = ReasonOf(e.Word); !machineWord(e.Word) {
		e.Word = "unreadable"
	}
	if category, ok := strings.CutPrefix(e.Word, "bounce_"); ok {
		e.setReply(replyOf(category, added(3)))
	}
	if e.Text == "" {
		e.Text = added(1)
	}
	e.At, _ = time.Parse(time.DateOnly, added(4))
	// Of several addresses in a cell the reason holds for each: a cell whose
	// addresses are not judged alike has a reason of its own, and for review.
	cells := validate.ParseCell(nil, raw)
	if len(cells) == 0 {
		cells = append(cells, validate.CellAddress{Address: raw})
	}
	for _, c := range cells {
		one := e
		if a, err := validate.ParseAddress(c.Address); err == nil {
			one.Address, one.Key = a.String(), a.Key()
		} else if one.Address = c.Address; one.Reason != "" {
			one.Reason = Invalid
		}
		if err := yield(&one); err != nil {
			return err
		}
	}
	return nil
}

// machineWord says whether s has the form of winnow's words.
func machineWord(s string) bool {
	for i := range len(s) {
		if c := s[i]; c != '_' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// isReason says whether two cells hold a reason of a run and its date.
func isReason(word, date string) bool {
	if !machineWord(word) || date != "" && (len(date) != len(time.DateOnly) || date[4] != '-' || date[7] != '-') {
		return false
	}
	_, ok := ReasonOf(word)
	return ok || slices.Contains([]string{"no_address", "several_addresses", "fix_not_applied", "duplicate"}, word)
}

var (
	replyCode   = regexp.MustCompile(`(?:^|[\s:;"'(])([45]\d\d)[ \-]`)
	statusCode  = regexp.MustCompile(`(?:^|[\s:;"'(#-])([45]\.\d{1,3}\.\d{1,3})\b`)
	evidenceEnd = regexp.MustCompile(` \([^()]*, \d{4}-\d\d-\d\d\)(?:; |$)`)
)

// replyOf takes what the server said out of a cell of evidence, which holds
// "category: reply (file:line, date)" and further observations after "; ". The
// file's name is the user's business and does not leave.
func replyOf(category, evidence string) string {
	i := strings.Index("; "+evidence, "; "+category+": ")
	if i < 0 {
		return ""
	}
	s := evidence[i+len(category)+2:]
	if m := evidenceEnd.FindStringIndex(s); m != nil {
		s = s[:m[0]]
	} else if i := strings.LastIndex(s, " ("); i > 0 { // cut off, or a name with brackets
		s = s[:i]
	}
	return oneLine(strings.TrimSuffix(s, "…"), 512)
}

// setReply sets Text to what a server said, and Code and Status to the codes in it.
func (e *Entry) setReply(reply string) {
	e.Text, e.Code, e.Status = reply, 0, ""
	if m := replyCode.FindStringSubmatch(reply + " "); m != nil {
		e.Code, _ = strconv.Atoi(m[1])
	}
	if m := statusCode.FindStringSubmatch(reply); m != nil {
		e.Status = m[1]
	}
}
