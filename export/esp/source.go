package esp

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/winnow-email/winnow/export"
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
			return readSuppressed(ctx, path, csvrows.Options{}, yield)
		}}, nil
	}
	lists, err := listsOf(path)
	if err != nil {
		return nil, err
	}
	return &Source{
		Name: path,
		Each: func(ctx context.Context, yield func(*Entry) error) error {
			for _, l := range lists {
				if !l.holds(export.Suppressed) {
					continue
				}
				if err := readSuppressed(ctx, l.path(export.Suppressed), l.opt, yield); err != nil {
					return err
				}
			}
			return nil
		},
		Kept: func(ctx context.Context, yield func(key string) error) error {
			for _, l := range lists {
				if !l.holds(export.Cleaned) {
					continue
				}
				if err := readKeys(ctx, l.path(export.Cleaned), l.opt, yield); err != nil {
					return err
				}
			}
			return nil
		},
	}, nil
}

// runList is one list of a run, and how its files are read.
type runList struct {
	dir string
	opt csvrows.Options
}

func (l *runList) path(name string) string { return filepath.Join(l.dir, name+".csv") }

// holds says whether there is anything in a file: of a list without a header it
// may be empty.
func (l *runList) holds(name string) bool {
	fi, err := os.Stat(l.path(name))
	return err != nil || fi.Size() > 0
}

// listsOf finds the lists of a run directory through its summary.
func listsOf(dir string) ([]runList, error) {
	s, err := summary.Read(dir)
	if err != nil {
		return nil, err
	}
	var ls []runList
	for _, in := range s.Inputs {
		if in.Role != "list" || in.ColumnNo == 0 {
			continue
		}
		l := runList{dir: filepath.Join(dir, filepath.FromSlash(in.Folder)), opt: csvrows.Options{Column: strconv.Itoa(in.ColumnNo)}}
		if len(in.Delimiter) == 1 {
			l.opt.Comma = in.Delimiter[0]
		}
		ls = append(ls, l)
	}
	if ls == nil {
		return nil, fmt.Errorf("%s: the run's summary names no list", dir)
	}
	return ls, nil
}

// readKeys yields the key of every address of a list.
func readKeys(ctx context.Context, path string, opt csvrows.Options, yield func(key string) error) error {
	var cells []validate.CellAddress
	return scan(ctx, path, opt, func(l *csvrows.List, r row) error {
		cells = validate.ParseCell(cells[:0], string(r.cell(l.Column)))
		for _, c := range cells {
			if a, err := validate.ParseAddress(c.Address); err == nil {
				if err := yield(a.Key()); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// row is one record of a scanned list.
type row struct {
	l   *csvrows.List
	c   *csvrows.Chunk
	i   int
	buf []byte
}

func (r *row) cell(column int) []byte {
	r.buf = r.buf[:0]
	return r.c.Cell(r.i, column, r.buf)
}

func (r *row) text(column int) string {
	if column < 0 {
		return ""
	}
	return string(r.cell(column))
}

// scan calls yield for every readable record of a delimited file.
func scan(ctx context.Context, path string, opt csvrows.Options, yield func(*csvrows.List, row) error) error {
	l, err := csvrows.Open(path, opt)
	if err != nil {
		return err
	}
	defer l.Close()
	s, err := l.Scan()
	if err != nil {
		return err
	}
	defer s.Close()
	var c csvrows.Chunk
	buf := make([]byte, 0, 1024)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.Next(&c); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		for i := range c.Len() {
			if why := c.Problem(i); why != "" {
				return fmt.Errorf("%s:%d: the record cannot be read (%s)", path, c.Line(i), why)
			}
			if err := yield(l, row{l, &c, i, buf}); err != nil {
				return err
			}
		}
	}
}

// The columns that a run adds to suppressed.csv, in their order.
var runColumns = []string{"winnow_reason", "winnow_detail", "winnow_suggestion", "winnow_evidence", "winnow_date"}

// readSuppressed yields the rows of a suppressed.csv.
func readSuppressed(ctx context.Context, path string, opt csvrows.Options, yield func(*Entry) error) error {
	first := -2 // of runColumns: where a row as long as the header has it
	var cells []validate.CellAddress
	return scan(ctx, path, opt, func(l *csvrows.List, r row) error {
		if first == -2 {
			if first = slices.Index(l.Header, runColumns[0]); first < 0 && l.Header != nil {
				return fmt.Errorf("%s has no column %s: it was not written by 'winnow clean'", path, runColumns[0])
			}
		}
		at := reasonAt(&r, l.Column, max(first, 0))
		if at < 0 {
			if l.Header == nil {
				return fmt.Errorf("%s:%d: no reason of winnow in this row: it was not written by 'winnow clean'", path, r.c.Line(r.i))
			}
			at = first // a reason that a later winnow has, perhaps
		}
		e := Entry{Word: r.text(at), Source: path + ":" + strconv.FormatInt(r.c.Line(r.i), 10)}
		if e.Reason, _ = ReasonOf(e.Word); !machineWord(e.Word) {
			e.Word = "unreadable"
		}
		if category, ok := strings.CutPrefix(e.Word, "bounce_"); ok {
			e.SetReply(replyOf(category, r.text(at+3)))
		}
		if e.Text == "" {
			e.Text = r.text(at + 1)
		}
		e.At, _ = time.Parse(time.DateOnly, r.text(at+4))
		// Of several addresses in a cell the reason holds for each: a cell whose
		// addresses are not judged alike has a reason of its own, and for review.
		raw := r.text(l.Column)
		if cells = validate.ParseCell(cells[:0], raw); len(cells) == 0 {
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
	})
}

// reasonAt finds the cell with the reason in a row: at the column from, or, as
// a run appends its cells to the row as it is, further to the right in a row
// that is longer than the header or of a list without one. It returns -1 when
// there is none.
func reasonAt(r *row, address, from int) int {
	for c := from; c < from+maxColumns; c++ {
		if c == address {
			continue
		}
		if reasonWord(r.cell(c)) {
			if date := r.cell(c + len(runColumns) - 1); len(date) == 0 || len(date) == len(time.DateOnly) && date[4] == '-' && date[7] == '-' {
				return c
			}
		}
	}
	return -1
}

// maxColumns is how far the reason is looked for; csvrows takes no wider rows.
const maxColumns = 2000

// machineWord says whether s has the form of winnow's words.
func machineWord(s string) bool {
	for i := range len(s) {
		if c := s[i]; c != '_' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// reasonWord says whether a cell holds a reason of a run.
func reasonWord(cell []byte) bool {
	s := string(cell)
	if !machineWord(s) {
		return false
	}
	_, ok := ReasonOf(s)
	return ok || slices.Contains([]string{"no_address", "several_addresses", "fix_not_applied", "duplicate"}, s)
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

// SetReply sets Text to what a server said, and Code and Status to the codes in it.
func (e *Entry) SetReply(reply string) {
	e.Text, e.Code, e.Status = reply, 0, ""
	if m := replyCode.FindStringSubmatch(reply + " "); m != nil {
		e.Code, _ = strconv.Atoi(m[1])
	}
	if m := statusCode.FindStringSubmatch(reply); m != nil {
		e.Status = m[1]
	}
}

// readSet reads the ids of a file or directory of addresses.
func readSet(ctx context.Context, path string, pk *picker) (set, error) {
	s := set{}
	err := readIDs(ctx, path, pk, func(id, _, _ string) error {
		s[markOf(id)] = struct{}{}
		return nil
	})
	return s, err
}

// whyColumns name what a provider's own export says about an entry.
var whyColumns = []string{"reason", "status", "type", "error", "code", "suppression reason", "suppressionreason", "clean_time", "unsub_time", "description"}

// readIDs yields the id, the address as it stands and what is said of it, for
// every entry of path: a run directory, an export directory, a delimited file
// (usually the provider's own export), JSON lines with an address, or a file of
// digests where the target is one of digests.
func readIDs(ctx context.Context, path string, pk *picker, yield func(id, shown, why string) error) error {
	fi, err := os.Stat(path)
	if err != nil {
		return err
	}
	var ls []runList // of a run
	if fi.IsDir() && isExport(path) {
		if err := sameKind(path, pk.t); err != nil {
			return err
		}
		path = filepath.Join(path, stateName)
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil // an export of nothing
		}
	} else if fi.IsDir() {
		if ls, err = listsOf(path); err != nil {
			return err
		}
	}
	one := func(cell, why string) error {
		if pk.t.hash != "" && isDigest(cell) {
			cell = strings.ToLower(cell)
			return yield(cell, cell, why)
		}
		a, err := validate.ParseAddress(cell)
		key := strings.ToLower(cell)
		if err == nil {
			key = a.Key()
		}
		id, err := pk.id(key)
		if err != nil {
			return err
		}
		if pk.t.hash != "" {
			cell = id // a directory of digests holds no address
		}
		return yield(id, cell, why)
	}
	if ls != nil {
		// Of an earlier run, what would have left then.
		then := &picker{t: pk.t, in: pk.in, key: pk.key, column: pk.column, seen: set{}, rep: &Report{}}
		for _, l := range ls {
			if !l.holds(export.Suppressed) {
				continue
			}
			err := readSuppressed(ctx, l.path(export.Suppressed), l.opt, func(e *Entry) error {
				_, id, _, err := then.pick(e)
				if err != nil || id == "" {
					return err
				}
				shown := e.Address
				if pk.t.hash != "" {
					shown = id
				}
				return yield(id, shown, e.Word)
			})
			if err != nil {
				return err
			}
		}
		return nil
	}
	head, second, err := firstLines(path)
	if err != nil {
		return err
	}
	digests := func(line string) bool {
		cell, _, _ := strings.Cut(line, ",")
		return isDigest(cell)
	}
	switch {
	case head == "":
		return nil
	case strings.HasPrefix(head, "{"):
		return readLines(ctx, path, func(line string) error {
			var v map[string]any
			if err := json.Unmarshal([]byte(line), &v); err != nil {
				return fmt.Errorf("%s: not a line of JSON: %w", path, err)
			}
			for _, k := range []string{"address", "email", "email_address", "EmailAddress", "emailAddress", "recipient"} {
				if s, ok := v[k].(string); ok {
					why, _ := v["reason"].(string)
					return one(s, why)
				}
			}
			return fmt.Errorf("%s: an object without an address", path)
		})
	case pk.t.hash != "" && (digests(head) || digests(second)):
		return readLines(ctx, path, func(line string) error {
			cell, why, _ := strings.Cut(line, ",")
			if !isDigest(cell) {
				return nil // the header
			}
			return one(cell, why)
		})
	}
	why := -2
	var cells []validate.CellAddress
	return scan(ctx, path, csvrows.Options{Column: pk.column}, func(l *csvrows.List, r row) error {
		if why == -2 {
			why = slices.IndexFunc(l.Header, func(h string) bool {
				return slices.Contains(whyColumns, strings.ToLower(strings.TrimSpace(h)))
			})
		}
		cells = validate.ParseCell(cells[:0], r.text(l.Column))
		for _, c := range cells {
			if err := one(c.Address, r.text(why)); err != nil {
				return err
			}
		}
		return nil
	})
}

// sameKind says whether the set of an earlier export can be compared with
// what goes to t: digests only with digests of the same kind.
func sameKind(dir string, t *Target) error {
	b, err := os.ReadFile(filepath.Join(dir, manifestName))
	if err != nil {
		return err
	}
	var m Report
	if err := json.Unmarshal(b, &m); err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(dir, manifestName), err)
	}
	if then, err := Find(m.Target); err == nil && then.hash != "" && then.hash != t.hash {
		return fmt.Errorf("%s is an export for %s and cannot be compared with one for %s", dir, m.Target, t.Name)
	}
	return nil
}

func isDigest(s string) bool {
	if len(s) != 32 && len(s) != 64 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}

// firstLines returns the first two lines of a file that are not empty, as far
// as they stand in its first 4 KiB: enough to tell what kind of file it is.
func firstLines(path string) (first, second string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 4096))
	for line := range strings.Lines(strings.TrimPrefix(string(b), "\ufeff")) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if first != "" {
			return first, line, err
		}
		first = line
	}
	return first, "", err
}

// readLines yields the lines of a text file that are not empty, without a byte
// order mark, line ends and outer white space.
func readLines(ctx context.Context, path string, yield func(string) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for n := 1; sc.Scan(); n++ {
		if n%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		l := sc.Text()
		if n == 1 {
			l = strings.TrimPrefix(l, "\ufeff")
		}
		if l = strings.TrimSpace(l); l != "" {
			if err := yield(l); err != nil {
				return err
			}
		}
	}
	if err := sc.Err(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
