package winnow

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/winnow-email/winnow/export/summary"
	"github.com/winnow-email/winnow/internal/columns"
	"github.com/winnow-email/winnow/internal/csvrows"
	"github.com/winnow-email/winnow/internal/files"
	"github.com/winnow-email/winnow/internal/known"
	"github.com/winnow-email/winnow/internal/shown"
)

// list is one list of the job.
type list struct {
	*csvrows.List
	path    string // as the user named it
	index   int
	folder  string // of its files in the run directory, "" or with a final slash
	by      int    // the column of Job.By, from 1; 0: none
	sources uint32 // number of the first of its status columns as a source
	records int64  // counted in the first reading
	closed  bool
	stat    os.FileInfo
	sum     string    // SHA-256 of the file
	text    hash.Hash // of a list that is not a file: of the text that was read
}

// inputs are all files that a job reads.
type inputs struct {
	lists  []*list
	own    []*known.List
	behind []summary.InputFile // what the evidence and the like were made from
	notes  []string
}

// evidence returns the files behind the judgement that are no lists of addresses.
func (j *Job) evidence() []summary.InputFile {
	all := slices.Clone(j.Behind)
	if j.ApplyFixes != "" {
		all = append(all, summary.InputFile{Name: j.ApplyFixes, Role: "fixes"})
	}
	if j.Validator.Lists != nil {
		for _, l := range j.Validator.Lists.All() {
			if l.Path != "" {
				all = append(all, summary.InputFile{Name: l.Path, Role: "facts"})
			}
		}
	}
	return all
}

// paths returns the files that a job reads, as the user named them.
func (j *Job) paths() []string {
	all := slices.Concat(j.Lists, j.Suppress, j.Allow)
	for _, f := range j.evidence() {
		all = append(all, f.Name)
	}
	return all
}

// checkFiles refuses files that are not there, and those that are named twice.
func (j *Job) checkFiles() error {
	stats := map[string]os.FileInfo{}
	for _, path := range j.paths() {
		if path == "-" {
			continue
		}
		st, err := os.Stat(path)
		if err != nil {
			return fmt.Errorf("cannot read %s: %w", path, files.Plain(err))
		}
		stats[path] = st
	}
	// What one file may be at once: a file of the sending service can be read for
	// its bounces and as a suppression list, but nothing comes twice, and nothing
	// speaks against or for the list it is.
	var seen []summary.InputFile
	for _, f := range slices.Concat(named("list", j.Lists), named("suppress", j.Suppress), named("allow", j.Allow), j.Behind) {
		for _, other := range seen {
			if a, b := stats[f.Name], stats[other.Name]; a == nil || b == nil || !os.SameFile(a, b) {
				continue
			}
			switch {
			case f.Role == other.Role:
				return fmt.Errorf("%s and %s are the same file (%s): name it once", other.Name, f.Name, f.Role)
			case other.Role == "list" && f.Role == "allow":
				return fmt.Errorf("%s is the list and an allow list (%s) too: that would keep everybody on it", other.Name, f.Name)
			case other.Role == "list" && f.Role == "suppress":
				return fmt.Errorf("%s is the list and a suppression list (%s) too: that would suppress everybody on it", other.Name, f.Name)
			case other.Role == "list":
				return fmt.Errorf("%s is the list and %s (%s) too: name another file", other.Name, f.Role, f.Name)
			case other.Role == "suppress" && f.Role == "allow":
				return fmt.Errorf("%s is a suppression list and an allow list (%s) too: it cannot be both", other.Name, f.Name)
			}
		}
		seen = append(seen, f)
	}
	return nil
}

func named(role string, paths []string) (all []summary.InputFile) {
	for _, path := range paths {
		all = append(all, summary.InputFile{Name: path, Role: role})
	}
	return all
}

// openInputs opens the lists, gives each its folder, and opens the user's own. A
// zip archive holds several. What it returns with an error is to be closed too.
func openInputs(ctx context.Context, j *Job, temp string, p *Progress) (*inputs, error) {
	in := &inputs{behind: j.evidence()}
	for _, path := range j.Lists {
		if err := in.open(ctx, j, path, temp); err != nil {
			return in, err
		}
	}
	for _, l := range in.lists {
		p.Total.Add(2 * max(0, l.Size()))
		if j.By != "" {
			if l.by = 1 + csvrows.ColumnOf(l.Header, j.By); l.by == 0 {
				return in, csvrows.NoColumn(l.Name, l.Header, j.By)
			}
		}
	}
	if len(in.lists) > 1 {
		names := map[string]bool{}
		for _, l := range in.lists {
			l.folder = folderName(l, names) + "/"
		}
	}
	o := known.Opening{Temp: temp, Stdin: j.Stdin}
	for i, path := range slices.Concat(j.Suppress, j.Allow) {
		l, err := o.Open(ctx, path, i >= len(j.Suppress))
		if err != nil {
			return in, err
		}
		in.own = append(in.own, l)
		p.Total.Add(l.Size())
	}
	return in, ctx.Err()
}

// open opens the lists in one file.
func (in *inputs) open(ctx context.Context, j *Job, path, temp string) (err error) {
	var stat os.FileInfo
	if path != "-" {
		if stat, err = os.Stat(path); err != nil {
			return fmt.Errorf("cannot read %s: %w", path, files.Plain(err))
		}
	}
	opened, note, err := csvrows.OpenAll(path, csvrows.Options{Column: j.Column, TempDir: temp, Stdin: j.Stdin, Done: ctx.Done()})
	if err != nil {
		return err
	}
	if note != "" {
		in.notes = append(in.notes, note)
	}
	for _, o := range opened {
		l := &list{List: o, index: len(in.lists), path: path, stat: stat}
		in.lists = append(in.lists, l)
		if stat == nil || !stat.Mode().IsRegular() || len(opened) > 1 {
			l.text = sha256.New()
			l.text.Write(l.Preamble())
		}
	}
	return nil
}

// folderName names the folder of one of several lists: the file's name without
// its endings, and a number where that is taken.
func folderName(l *list, taken map[string]bool) string {
	n := filepath.Base(l.Name)
	if l.path == "-" {
		n = "stdin"
	}
	for _, ext := range []string{".gz", ".zst", ".zip", ".csv", ".tsv", ".txt"} {
		if len(n) > len(ext) && strings.EqualFold(n[len(n)-len(ext):], ext) {
			n = n[:len(n)-len(ext)]
		}
	}
	n = plainName(n)
	if strings.HasPrefix(n, ".") {
		n = "list" + n
	}
	name := n
	for i := 2; taken[strings.ToLower(name)]; i++ {
		name = n + "-" + strconv.Itoa(i)
	}
	taken[strings.ToLower(name)] = true
	return name
}

// plainName makes a name of a folder that a terminal does not obey and every system
// takes: the lists of an archive are named by whoever packed it.
func plainName(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '_'
		}
		return r
	}, strings.ToValidUTF8(s, "_"))
	return shown.Prefix(s, 200) // a name has 255 bytes, and a number may come behind
}

// hash takes the SHA-256 of all files that are read.
func (in *inputs) hash(ctx context.Context) (err error) {
	for _, l := range in.lists {
		if l.text != nil {
			continue
		}
		if l.sum, _, err = files.Hash(ctx, l.path); err != nil {
			return err
		}
	}
	for _, l := range in.own {
		if err := l.Hash(ctx); err != nil {
			return err
		}
	}
	for i := range in.behind {
		f := &in.behind[i]
		if f.SHA256 != "" {
			continue
		}
		if f.Role == "history" {
			// Whoever closes a file of SQLite takes the locks of the process from it
			// (sqlite.org/howtocorrupt.html, 2.2).
			if st, err := os.Stat(f.Name); err == nil {
				f.Bytes = st.Size()
			}
			continue
		}
		if f.SHA256, f.Bytes, err = files.HashAll(ctx, f.Name); err != nil {
			return err
		}
	}
	return nil
}

// close closes the lists. It may be called twice.
func (in *inputs) close() error {
	var errs []error
	for _, l := range in.lists {
		if !l.closed {
			l.closed = true
			errs = append(errs, l.Close())
		}
	}
	for _, l := range in.own {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// changed returns an error when the file is not any more what it was when it was
// opened.
func (l *list) changed() error {
	if l.stat == nil || !l.stat.Mode().IsRegular() {
		return nil
	}
	if now, err := os.Stat(l.path); err != nil || now.Size() != l.stat.Size() || !now.ModTime().Equal(l.stat.ModTime()) {
		return l.changedError()
	}
	return nil
}

func (l *list) changedError() error {
	return fmt.Errorf("%s changed while it was read: run it again on a file that stands still; nothing was changed", l.Name)
}

// hasStatus reports whether blocked can say anything.
func (l *list) hasStatus() bool { return len(l.Status) > 0 || l.Whole != "" }

// blocked returns what the status columns of record i say, and the place in Status
// of the column that says it.
func (l *list) blocked(j *columns.Judge, c *csvrows.Chunk, i int, buf []byte) (known.Block, int) {
	for k := range l.Status {
		j.Cell(k, c.Cell(i, l.Status[k].Column, buf))
	}
	kind, at := j.Row()
	best := blockOf(kind)
	if l.Whole != "" { // a file of people who must not be mailed
		if whole := blockOf(l.Whole); best == known.NoBlock || whole < best {
			return whole, len(l.Status)
		}
	}
	return best, at
}

func blockOf(kind columns.Kind) known.Block {
	switch kind {
	case columns.KindComplaint:
		return known.Complained
	case columns.KindUnsubscribe:
		return known.Unsubscribed
	case columns.KindBounce:
		return known.Bounced
	case columns.KindBlocked:
		return known.Blocked
	}
	return known.NoBlock
}

// statusSources names what blocked says, by place.
func (l *list) statusSources() (names []string) {
	for i := range l.Status {
		names = append(names, fmt.Sprintf("column %q of %s", l.Status[i].Name, filepath.Base(l.Name)))
	}
	return append(names, filepath.Base(l.Name))
}
