package esp

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/winnow-email/winnow/export"
	"github.com/winnow-email/winnow/export/summary"
	"github.com/winnow-email/winnow/internal/shown"
)

// Options are what the user wants of an export. The zero value writes all that
// the target can hold.
type Options struct {
	Include []Reason // of the reasons that leave only when asked for
	HMACKey []byte   // for the target hmac
	Since   string   // an earlier run directory, export directory or file of addresses; "": none
	Against string   // the provider's present list, its own export; "": none
	Column  string   // the address column of Since and Against, by name or number; "": found
	Version string   // of winnow, for the manifest
}

// Report is the account of an export: what was written, and where the rest is.
// It is also the manifest of the directory.
type Report struct {
	SchemaVersion int    `json:"schema_version"`
	Kind          string `json:"kind"` // "winnow-export"
	Version       string `json:"winnow_version,omitempty"`
	Target        string `json:"target"`
	Scope         string `json:"scope"`
	Source        string `json:"source"`

	// Every entry of the source is in exactly one of these.
	Entries    int64            `json:"entries"`
	Written    int64            `json:"written"`
	Repeated   int64            `json:"repeated,omitempty"`        // further rows of an address
	Held       map[Reason]int64 `json:"held,omitempty"`            // leave only with --include
	CannotHold map[string]int64 `json:"not_expressible,omitempty"` // the target has no place for them, by reason
	NoGround   map[string]int64 `json:"no_ground,omitempty"`       // winnow reasons that say nothing to a provider
	There      int64            `json:"already_there,omitempty"`   // --against
	Unchanged  int64            `json:"unchanged,omitempty"`       // --since

	Released  int64 `json:"released,omitempty"`  // --since: suppressed then, not now
	Gone      int64 `json:"gone,omitempty"`      // --since: suppressed then, no longer on the list, or forgotten on request
	Conflicts int64 `json:"conflicts,omitempty"` // --against: suppressed there, delivered here
	Formulas  int64 `json:"formulas,omitempty"`  // written addresses that a spreadsheet would take for a formula

	Reasons map[Reason]int64 `json:"written_by_reason,omitempty"`
	Files   []FileInfo       `json:"outputs"`
}

// FileInfo is one file of an export. Its records are lines, the header not counted.
type FileInfo struct {
	summary.OutputFile
	What      string `json:"what,omitempty"` // what an entry becomes; "" for the files beside the provider's own
	Addresses int64  `json:"addresses"`
}

// The files beside the provider's own.
const (
	manifestName = "manifest.json"
	stateName    = "state.csv"         // the whole set, for the next --since
	leftName     = "not-expressed.csv" // what the target cannot hold
	releasedName = "released.csv"
	conflictName = "conflicts.csv"
)

// balance adds up where the entries went.
func (r *Report) balance() int64 {
	return r.Written + r.Repeated + total(r.Held) + total(r.CannotHold) + total(r.NoGround) + r.There + r.Unchanged
}

func total[K comparable](m map[K]int64) (n int64) {
	for _, v := range m {
		n += v
	}
	return n
}

func count[K comparable](m *map[K]int64, k K) {
	if *m == nil {
		*m = map[K]int64{}
	}
	(*m)[k]++
}

// mark is what an address or a digest is remembered by: 16 bytes, so that a
// million of them cost some 40 MB and two different ones never meet.
type mark [16]byte

func markOf(s string) mark {
	d := sha256.Sum256([]byte(s))
	return mark(d[:16])
}

type set map[mark]struct{}

func (s set) has(p mark) bool { _, ok := s[p]; return ok }

// picker decides which entries leave for a target, each address once.
type picker struct {
	t      *Target
	in     map[Reason]bool
	key    []byte
	column string
	seen   set
	rep    *Report
}

func newPicker(t *Target, o *Options, rep *Report) *picker {
	p := &picker{t: t, in: map[Reason]bool{}, key: o.HMACKey, column: o.Column, seen: set{}, rep: rep}
	for _, r := range reasons {
		p.in[r] = !slices.Contains(optional, r) || slices.Contains(o.Include, r)
	}
	return p
}

// id returns what stands for an address at this target: its key, or its digest.
func (p *picker) id(key string) (string, error) {
	if p.t.hash == "" {
		return key, nil
	}
	return p.t.digest(key, p.key)
}

// pick counts e and says whether it leaves, as which word and under which id.
// When it does not because the target cannot hold it, left says why.
func (p *picker) pick(e *Entry) (word, id, left string, err error) {
	p.rep.Entries++
	if e.Reason == "" {
		count(&p.rep.NoGround, e.Word)
		return "", "", "", nil
	}
	id, err = p.id(e.key())
	if err != nil {
		return "", "", "", err
	}
	fp := markOf(id)
	if p.seen.has(fp) {
		p.rep.Repeated++
		return "", "", "", nil
	}
	p.seen[fp] = struct{}{}
	if !p.in[e.Reason] {
		count(&p.rep.Held, e.Reason)
		return "", "", "", nil
	}
	word, ok := p.t.Words[e.Reason]
	switch {
	case !ok:
		count(&p.rep.CannotHold, string(e.Reason))
		return "", "", "the target " + p.t.Name + " has no place for the reason " + string(e.Reason), nil
	case strings.HasPrefix(e.Address, "@") && e.Reason != Invalid && (!p.t.anyAddress || p.t.hash != ""):
		count(&p.rep.CannotHold, "whole domain")
		return "", "", "the entry is a whole domain; its addresses on a list leave with that list's run", nil
	case !p.t.anyAddress && !plain(e.Address):
		count(&p.rep.CannotHold, "unusual address")
		return "", "", "an address of this form is refused by most providers (quoted, not ASCII, or a domain literal)", nil
	}
	return word, id, "", nil
}

// Write writes the suppressions of src for t into the directory dir, which
// appears whole or not at all. A directory there is replaced only when it is an
// earlier export.
func Write(ctx context.Context, dir string, t *Target, src *Source, o Options) (*Report, error) {
	if t.hash == "hmac" && len(o.HMACKey) < 16 {
		return nil, errors.New("the target hmac needs a key of at least 16 bytes (--hmac-key-file)")
	}
	rep := &Report{SchemaVersion: 1, Kind: "winnow-export", Version: o.Version, Target: t.Name, Scope: t.Scope, Source: src.Name}
	pk := newPicker(t, &o, rep)

	var there, last set
	var err error
	if o.Against != "" {
		if there, err = readSet(ctx, o.Against, pk); err != nil {
			return nil, err
		}
	}
	if o.Since != "" {
		if last, err = readSet(ctx, o.Since, pk); err != nil {
			return nil, err
		}
	}

	d, err := export.CreateAs(dir, manifestName, o.Since, o.Against, src.Name)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	w := &dirWriter{dir: d}

	outs := make([]*parts, len(t.files))
	byReason := map[Reason]*parts{}
	for i := range t.files {
		f := &t.files[i]
		outs[i] = &parts{w: w, f: f, maxRows: t.MaxRows, maxBytes: t.MaxBytes, enc: f.enc()}
		for _, r := range reasons {
			if f.reasons == nil || slices.Contains(f.reasons, r) {
				byReason[r] = outs[i]
			}
		}
	}
	state := w.list(stateName, "address", "reason")
	left := w.list(leftName, "address", "reason", "why")

	err = src.Each(ctx, func(e *Entry) error {
		word, id, why, err := pk.pick(e)
		if err != nil {
			return err
		}
		if why != "" {
			plain := e.Address
			if t.hash != "" { // the directory of digests is handed on
				plain = shown.Mask(plain)
			}
			return left.add(plain, string(e.Reason), shown.Cell(why))
		}
		if id == "" {
			return nil
		}
		plain := *e
		if t.hash != "" {
			plain.Address = id
		}
		if err := state.add(plain.Address, string(e.Reason)); err != nil {
			return err
		}
		fp := markOf(id)
		switch {
		case there.has(fp):
			rep.There++
			return nil
		case last.has(fp):
			rep.Unchanged++
			return nil
		}
		rep.Written++
		if shown.Formula(plain.Address) {
			rep.Formulas++
		}
		count(&rep.Reasons, e.Reason)
		return byReason[e.Reason].add(&plain, word)
	})
	if err != nil {
		return nil, err
	}
	if got := rep.balance(); got != rep.Entries {
		return nil, fmt.Errorf("%d entries were read and %d are accounted for; nothing was written (please report this)", rep.Entries, got)
	}
	for _, p := range outs {
		if err := p.close(); err != nil {
			return nil, err
		}
	}
	if o.Since != "" {
		if err := released(ctx, w, src, o.Since, pk, last, rep); err != nil {
			return nil, err
		}
	}
	if o.Against != "" {
		if err := conflicts(ctx, w, src, o.Against, pk, there, rep); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(state.close(), left.close()); err != nil {
		return nil, err
	}
	done, err := d.Outputs()
	if err != nil {
		return nil, err
	}
	for _, f := range w.files { // in the order of their making: parts one after the other
		i := slices.IndexFunc(done, func(o summary.OutputFile) bool { return o.Name == f.name })
		rep.Files = append(rep.Files, FileInfo{done[i], f.what, f.addresses})
	}
	m, err := json.MarshalIndent(rep, "", "  ")
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return rep, d.CommitAs(append(m, '\n'))
}

// released lists the addresses that were suppressed at --since and are no
// longer. Where the run tells which addresses it delivers, an address that has
// left the list is not released: nobody vouches for it.
func released(ctx context.Context, w *dirWriter, src *Source, since string, pk *picker, last set, rep *Report) error {
	var kept set
	if src.Kept != nil {
		kept = set{}
		err := src.Kept(ctx, func(key string) error {
			id, err := pk.id(key)
			if err != nil {
				return err
			}
			if fp := markOf(id); last.has(fp) && !pk.seen.has(fp) {
				kept[fp] = struct{}{}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	out := w.list(releasedName, "address", "why")
	done := set{}
	err := readIDs(ctx, since, pk, func(id, name, _ string) error {
		fp := markOf(id)
		if pk.seen.has(fp) || done.has(fp) {
			return nil
		}
		done[fp] = struct{}{}
		// Of a digest it cannot be told whether a forgotten address is behind it.
		if kept != nil && !kept.has(fp) || src.Also != nil && (pk.t.hash != "" || src.Also(id)) {
			rep.Gone++
			return nil
		}
		rep.Released++
		return out.add(name, "suppressed before, not any more")
	})
	return errors.Join(err, out.close())
}

// conflicts lists the addresses that the provider suppresses and this run
// delivers: the provider may know something that winnow does not.
func conflicts(ctx context.Context, w *dirWriter, src *Source, against string, pk *picker, there set, rep *Report) error {
	if src.Kept == nil {
		return nil
	}
	hit := set{}
	err := src.Kept(ctx, func(key string) error {
		id, err := pk.id(key)
		if err != nil {
			return err
		}
		if fp := markOf(id); there.has(fp) {
			hit[fp] = struct{}{}
		}
		return nil
	})
	if err != nil || len(hit) == 0 {
		return err
	}
	out := w.list(conflictName, "address", "there", "here")
	err = readIDs(ctx, against, pk, func(id, name, why string) error {
		fp := markOf(id)
		if !hit.has(fp) {
			return nil
		}
		delete(hit, fp)
		rep.Conflicts++
		if why == "" {
			why = "suppressed"
		}
		return out.add(name, shown.Cell(why), "delivered")
	})
	return errors.Join(err, out.close())
}

// parts writes one kind of file in as many parts as its limits ask for.
type parts struct {
	w        *dirWriter
	f        *file
	maxRows  int
	maxBytes int64
	enc      encoder
	out      *outFile
	head     []byte
	n        int // parts so far
}

func (p *parts) add(e *Entry, word string) error {
	line, err := p.enc.lines(e, word)
	if err != nil {
		return err
	}
	rows := int64(bytes.Count(line, []byte("\n")))
	if p.out != nil {
		most := int64(p.maxRows)
		if len(p.head) > 0 {
			most--
		}
		if p.maxRows > 0 && p.out.f.Records+rows > most || p.maxBytes > 0 && p.out.bytes+int64(len(line)) > p.maxBytes {
			if err := p.close(); err != nil {
				return err
			}
			p.out = nil
		}
	}
	if p.out == nil {
		if err := p.open(); err != nil {
			return err
		}
		// The encoder's memory was used for the header meanwhile.
		if line, err = p.enc.lines(e, word); err != nil {
			return err
		}
	}
	return p.out.add(line, rows)
}

// open starts the next part: name.csv, then name-2.csv …
func (p *parts) open() (err error) {
	p.n++
	name, ext := p.f.name, p.f.ext
	if ext == "" {
		ext = "csv"
	}
	if p.n > 1 {
		name = fmt.Sprintf("%s-%d", name, p.n)
	}
	if p.out, err = p.w.create(name+"."+ext, p.f.what); err != nil {
		return err
	}
	if p.head, err = p.enc.header(); err != nil {
		return err
	}
	return p.out.write(p.head)
}

func (p *parts) close() error {
	if p.out == nil {
		return nil
	}
	return p.out.buf.Flush()
}

// dirWriter creates the files of an export.
type dirWriter struct {
	dir   *export.Dir
	files []*outFile
}

type outFile struct {
	f         *export.File
	buf       *bufio.Writer
	name      string
	what      string
	bytes     int64
	addresses int64
}

func (w *dirWriter) create(name, what string) (*outFile, error) {
	f, err := w.dir.File(name)
	if err != nil {
		return nil, err
	}
	o := &outFile{f: f, buf: bufio.NewWriterSize(f, 1<<16), name: name, what: what}
	w.files = append(w.files, o)
	return o, nil
}

func (o *outFile) write(b []byte) error {
	o.bytes += int64(len(b))
	_, err := o.buf.Write(b)
	return err
}

// add writes the lines of one address.
func (o *outFile) add(lines []byte, rows int64) error {
	o.addresses++
	o.f.Records += rows
	return o.write(lines)
}

// list is a small CSV file for people, made when its first row comes.
type list struct {
	w    *dirWriter
	name string
	head []string
	out  *outFile
}

func (w *dirWriter) list(name string, head ...string) *list {
	return &list{w: w, name: name, head: head}
}

func (l *list) add(cells ...string) (err error) {
	if l.out == nil {
		if l.out, err = l.w.create(l.name, ""); err != nil {
			return err
		}
		if err := l.out.write(appendRow(nil, l.head)); err != nil {
			return err
		}
	}
	return l.out.add(appendRow(nil, cells), 1)
}

func (l *list) close() error {
	if l.out == nil {
		return nil
	}
	return l.out.buf.Flush()
}

// appendRow appends a CSV record (RFC 4180, with a bare line feed).
func appendRow(b []byte, cells []string) []byte {
	for i, c := range cells {
		if i > 0 {
			b = append(b, ',')
		}
		if strings.ContainsAny(c, "\",\r\n") {
			b = append(append(append(b, '"'), strings.ReplaceAll(c, `"`, `""`)...), '"')
		} else {
			b = append(b, c...)
		}
	}
	return append(b, '\n')
}

func isExport(dir string) bool {
	b, err := os.ReadFile(filepath.Join(dir, manifestName))
	var m struct{ Kind string }
	return err == nil && json.Unmarshal(b, &m) == nil && m.Kind == "winnow-export"
}
