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
	"slices"
	"strings"

	"github.com/winnow-email/winnow/internal/csvrows"
	"github.com/winnow-email/winnow/internal/shown"
	"github.com/winnow-email/winnow/validate"
)

// Sets of addresses that an export is compared with: an earlier run or export
// (--since), the provider's own list (--against).

// The files by which an export is known again.
const (
	manifestName = "manifest.json"
	stateName    = "state.csv" // the whole set
	exportKind   = "winnow-export"
)

func isExport(dir string) bool {
	b, err := os.ReadFile(filepath.Join(dir, manifestName))
	var m struct{ Kind string }
	return err == nil && json.Unmarshal(b, &m) == nil && m.Kind == exportKind
}

// readSet reads the ids of a file or directory of addresses.
func readSet(ctx context.Context, path, column string, pk *picker) (set, error) {
	s := set{}
	err := readIDs(ctx, path, column, pk, func(id, _, _ string) error {
		s.add(id)
		return nil
	})
	return s, err
}

// readIDs yields the id, the address as it stands and what is said of it, for
// every entry of path: a run directory, an export directory, a delimited file
// (usually the provider's own export), JSON lines with an address, or a file of
// digests where the target is one of digests. The address column is column; ""
// finds it.
func readIDs(ctx context.Context, path, column string, pk *picker, yield func(id, name, why string) error) error {
	fi, err := os.Stat(path)
	if err != nil {
		return err
	}
	r := idReader{pk, yield}
	switch {
	case !fi.IsDir():
		return r.file(ctx, path, column)
	case !isExport(path):
		return r.run(ctx, path)
	}
	if err := sameKind(path, pk.t); err != nil {
		return err
	}
	path = filepath.Join(path, stateName)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil // an export of nothing
	}
	return r.file(ctx, path, column)
}

type idReader struct {
	pk    *picker
	yield func(id, name, why string) error
}

// run reads of an earlier run what would have left then.
func (r *idReader) run(ctx context.Context, dir string) error {
	src, err := OpenRun(dir)
	if err != nil {
		return err
	}
	then := r.pk.fresh()
	return src.Each(ctx, func(e *Entry) error {
		_, id, _, err := then.pick(e)
		if err != nil || id == "" {
			return err
		}
		name := e.Address
		if r.pk.t.hash != "" { // a directory of digests holds no address
			name = id
		}
		return r.yield(id, name, e.Word)
	})
}

func (r *idReader) file(ctx context.Context, path, column string) error {
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
		return readLines(ctx, path, func(line string) error { return r.object(path, line) })
	case r.pk.t.hash != "" && (digests(head) || digests(second)):
		return readLines(ctx, path, func(line string) error {
			cell, why, _ := strings.Cut(line, ",")
			if !isDigest(cell) {
				return nil // the header
			}
			return r.one(cell, why)
		})
	}
	return r.list(ctx, path, column)
}

// one takes an address, or a digest of one.
func (r *idReader) one(cell, why string) error {
	if r.pk.t.hash != "" && isDigest(cell) {
		cell = strings.ToLower(cell)
		return r.yield(cell, cell, why)
	}
	key := strings.ToLower(cell)
	if a, err := validate.ParseAddress(cell); err == nil {
		key = a.Key()
	} else { // what is no address is words
		cell = shown.Cell(cell)
	}
	id, err := r.pk.id(key)
	if err != nil {
		return err
	}
	if r.pk.t.hash != "" { // a directory of digests holds no address
		cell = id
	}
	return r.yield(id, cell, why)
}

// object takes a line of JSON.
func (r *idReader) object(path, line string) error {
	var v map[string]any
	if err := json.Unmarshal([]byte(line), &v); err != nil {
		return fmt.Errorf("%s: not a line of JSON: %w", path, err)
	}
	for _, k := range []string{"address", "email", "email_address", "EmailAddress", "emailAddress", "recipient"} {
		if s, ok := v[k].(string); ok {
			why, _ := v["reason"].(string)
			return r.one(s, why)
		}
	}
	return fmt.Errorf("%s: an object without an address", path)
}

// whyColumns name what a provider's own export says about an entry.
var whyColumns = []string{"reason", "status", "type", "error", "code", "suppression reason", "suppressionreason", "clean_time", "unsub_time", "description"}

func (r *idReader) list(ctx context.Context, path, column string) (err error) {
	l, err := csvrows.Open(path, csvrows.Options{Column: column})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	whyAt := slices.IndexFunc(l.Header, func(h string) bool {
		return slices.Contains(whyColumns, strings.ToLower(strings.TrimSpace(h)))
	})
	var cells []validate.CellAddress
	return l.Each(ctx, func(c *csvrows.Chunk, i int, buf []byte) error {
		if why := c.Problem(i); why != "" {
			return fmt.Errorf("%s:%d: the record cannot be read (%s)", path, c.Line(i), why)
		}
		why := ""
		if whyAt >= 0 {
			why = string(c.Cell(i, whyAt, buf))
		}
		cells = validate.ParseCell(cells[:0], string(c.Cell(i, l.Column, buf)))
		for _, cell := range cells {
			if err := r.one(cell.Address, why); err != nil {
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
