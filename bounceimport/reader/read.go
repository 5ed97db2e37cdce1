package reader

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/bounceimport/reply"
	"github.com/winnow-email/winnow/internal/anytime"
	"github.com/winnow-email/winnow/internal/shown"
	"golang.org/x/text/encoding/charmap"
)

// Options tell the readers what the files cannot. The zero value is useful.
type Options struct {
	Now      time.Time      // for log lines without a year; zero: time.Now
	Location *time.Location // zone of times that name none; nil: UTC

	// Anyone can send a forged bounce to the address that collects them. With
	// either of these set, bounces and complaints that came by mail count only
	// when the message they return is one of ours.
	Senders   []string             // domains that the returned message may be from
	MessageID func(id string) bool // whether a message with this Message-ID was sent

	Classifier *reply.Classifier // nil: the embedded rules only
}

// Account says what became of the records of a source: every record that was
// read is used, ignored, unmapped or malformed.
type Account struct {
	Name      string           `json:"name"`
	Format    string           `json:"format"`             // name of the reader, "mixed" when there were several
	Read      int64            `json:"read"`               // records: rows, mails, log lines, JSON objects
	Used      int64            `json:"used"`               // gave at least one event
	Ignored   int64            `json:"ignored"`            // understood, and says nothing of an address
	Unmapped  int64            `json:"unmapped"`           // readable, but not understood
	Malformed int64            `json:"malformed"`          // not readable
	Events    int64            `json:"events"`             // one record may give several
	Why       map[string]int64 `json:"why,omitempty"`      // counts by reason for the records that were not used
	Problems  []string         `json:"problems,omitempty"` // the first malformed and unmapped records, as "file:line: why"
}

// What an account remembers is bounded: reasons may quote the source.
const (
	maxProblems = 20
	maxWhys     = 40
)

// Add adds the figures of b to a.
func (a *Account) Add(b *Account) {
	switch {
	case a.Format == "" || a.Read == 0 && b.Read > 0:
		a.Format = b.Format
	case b.Read > 0 && a.Format != b.Format:
		a.Format = "mixed"
	}
	a.Read += b.Read
	a.Used += b.Used
	a.Ignored += b.Ignored
	a.Unmapped += b.Unmapped
	a.Malformed += b.Malformed
	a.Events += b.Events
	for k, n := range b.Why {
		a.count(k, n)
	}
	a.Problems = append(a.Problems, b.Problems[:min(len(b.Problems), maxProblems-min(len(a.Problems), maxProblems))]...)
}

func (a *Account) count(why string, n int64) {
	if a.Why == nil {
		a.Why = make(map[string]int64)
	}
	if why = shown.Cut(why, 80); a.Why[why] == 0 && len(a.Why) >= maxWhys {
		why = "other reasons"
	}
	a.Why[why] += n
}

// skip counts a file of a directory, or a member of an archive, that is nothing
// we know.
func (a *Account) skip(e *formError) {
	a.Read++
	a.Unmapped++
	a.count(e.why, 1)
	if len(a.Problems) < maxProblems {
		a.Problems = append(a.Problems, e.Error())
	}
}

// formError is about a file whose content is nothing we know.
type formError struct{ name, why string }

func (e *formError) Error() string { return e.name + ": " + e.why }

// String returns the account in one line.
func (a *Account) String() string {
	var b strings.Builder
	format := a.Format
	if format == "" {
		format = "no files"
	}
	fmt.Fprintf(&b, "%s: %s, %d read, %d used (%d events)", a.Name, format, a.Read, a.Used, a.Events)
	for _, n := range []struct {
		n    int64
		what string
	}{{a.Ignored, "ignored"}, {a.Unmapped, "unmapped"}, {a.Malformed, "malformed"}} {
		if n.n > 0 {
			fmt.Fprintf(&b, ", %d %s", n.n, n.what)
		}
	}
	if len(a.Why) > 0 {
		whys := slices.Sorted(maps.Keys(a.Why))
		slices.SortStableFunc(whys, func(x, y string) int { return int(a.Why[y] - a.Why[x]) })
		for i, w := range whys {
			sep := "; "
			if i == 0 {
				sep = " ("
			}
			fmt.Fprintf(&b, "%s%s: %d", sep, w, a.Why[w])
		}
		b.WriteByte(')')
	}
	return b.String()
}

// ReadPath reads a file, a directory with everything below it (a maildir, a
// folder of mails or of webhook bodies), or standard input ("-"), as Read does.
func ReadPath(ctx context.Context, path string, opt Options, yield func(*bounceimport.Event) error) (Account, error) {
	if path == "-" {
		return Read(ctx, os.Stdin, "stdin", opt, yield)
	}
	total := Account{Name: path}
	info, err := os.Stat(path)
	if err != nil {
		return total, plainPathError(err)
	}
	if !info.IsDir() {
		return readFile(ctx, path, opt, yield)
	}
	err = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return plainPathError(err)
		case d.IsDir() && d.Name() == "tmp" && p != path && isMaildir(filepath.Dir(p)):
			return fs.SkipDir // mails that are still being delivered
		case d.IsDir() || strings.HasPrefix(d.Name(), ".") || !d.Type().IsRegular():
			return nil
		}
		a, err := readFile(ctx, p, opt, yield)
		total.Add(&a)
		if fe := (*formError)(nil); errors.As(err, &fe) {
			total.skip(fe) // one strange file among many costs no other
			return nil
		}
		return err
	})
	return total, err
}

func isMaildir(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "new"))
	_, err2 := os.Stat(filepath.Join(dir, "cur"))
	return err == nil && err2 == nil
}

func readFile(ctx context.Context, path string, opt Options, yield func(*bounceimport.Event) error) (Account, error) {
	f, err := os.Open(path)
	if err != nil {
		return Account{Name: path}, plainPathError(err)
	}
	defer f.Close()
	return Read(ctx, f, path, opt, yield)
}

// plainPathError says "name: what" where os says "open name: what".
func plainPathError(err error) error {
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		return fmt.Errorf("%s: %w", pe.Path, pe.Err)
	}
	return err
}

// Read reads bounces, complaints, unsubscribes and deliveries from r, whose
// form it finds out from the content alone, and calls yield for each event. The
// event is reused: yield must copy what it keeps. An error of yield ends the
// reading and is returned. Records that cannot be read are counted in the
// account and never end it; an error means that r failed, or that nothing in it
// looks like anything Read knows. name is used in Event.Source and in messages.
func Read(ctx context.Context, r io.Reader, name string, opt Options, yield func(*bounceimport.Event) error) (Account, error) {
	if opt.Location == nil {
		opt.Location = time.UTC
	}
	if opt.Now.IsZero() {
		opt.Now = time.Now()
	}
	d := &reading{ctx: ctx, opt: opt, yield: yield, name: name}
	d.acct.Name = name
	err := d.stream(r, name, 0)
	return d.acct, err
}

// reading is the state that the readers of one source share.
type reading struct {
	ctx   context.Context
	opt   Options
	yield func(*bounceimport.Event) error
	acct  Account
	name  string // of the source or member that is being read
	ev    bounceimport.Event
	src   []byte
}

// record counts a record that starts; it returns the context's error now and then.
func (d *reading) record() error {
	d.acct.Read++
	if d.acct.Read&255 == 0 {
		return d.ctx.Err()
	}
	return nil
}

// event clears and returns the event that the reader is to fill.
func (d *reading) event(format string) *bounceimport.Event {
	d.ev = bounceimport.Event{Format: format}
	return &d.ev
}

func (d *reading) ignored(why string) { d.acct.Ignored++; d.acct.count(why, 1) }
func (d *reading) unmapped(line int64, why string) {
	d.acct.Unmapped++
	d.acct.count(why, 1)
	d.problem(line, why)
}
func (d *reading) malformed(line int64, why string) {
	d.acct.Malformed++
	d.acct.count(why, 1)
	d.problem(line, why)
}

func (d *reading) problem(line int64, why string) {
	if len(d.acct.Problems) < maxProblems {
		d.acct.Problems = append(d.acct.Problems, d.name+":"+strconv.FormatInt(line, 10)+": "+shown.Cut(why, 80))
	}
}

// format notes which reader is at work.
func (d *reading) format(name string) {
	if d.acct.Format == "" || d.acct.Used+d.acct.Ignored+d.acct.Unmapped+d.acct.Malformed == 0 {
		d.acct.Format = name
	} else if d.acct.Format != name {
		d.acct.Format = "mixed"
	}
}

// emit completes the event, classifies it and hands it on.
func (d *reading) emit(line int64) error {
	e := &d.ev
	d.src = append(append(d.src[:0], d.name...), ':')
	d.src = strconv.AppendInt(d.src, line, 10)
	e.Source = string(d.src)
	e.Reply = utf8Text(e.Reply)
	e.Recipient = cleanRecipient(e.Recipient)
	if e.Code == 0 || e.Status == "" {
		code, status := reply.Codes(e.Reply)
		if e.Code == 0 {
			e.Code = code
		}
		if e.Status == "" {
			e.Status = status
		}
	}
	d.classify(e)
	d.acct.Events++
	return d.yield(e)
}

// utf8Text returns s trimmed and as UTF-8.
func utf8Text(s string) string {
	s = strings.TrimSpace(s)
	if !utf8.ValidString(s) {
		if t, err := charmap.Windows1252.NewDecoder().String(s); err == nil {
			return t
		}
	}
	return s
}

// cleanRecipient takes an address out of what sources wrap it in: "<a@b>",
// "rfc822;a@b", "Name <a@b>", "mailto:a@b".
func cleanRecipient(s string) string {
	s = utf8Text(s)
	if i := strings.IndexByte(s, ';'); i >= 0 && strings.IndexByte(s[:i], '@') < 0 {
		s = strings.TrimSpace(s[i+1:]) // RFC 3464 2.3.1: address-type ";" generic-address
	}
	if i := strings.LastIndexByte(s, '<'); i >= 0 {
		if j := strings.IndexByte(s[i:], '>'); j > 0 {
			s = s[i+1 : i+j]
		} else {
			s = s[i+1:]
		}
	}
	s = strings.Trim(s, " \t\r\n<>,;")
	if len(s) > 7 && strings.EqualFold(s[:7], "mailto:") {
		s = s[7:]
	}
	return s
}

// time reads a time of the source.
func (d *reading) time(s string) time.Time { return anytime.Parse(s, d.opt.Location) }

// classify sets the class of an event, with its codes and its phase.
func (d *reading) classify(e *bounceimport.Event) {
	is := reply.Evidence{Reply: e.Reply, Code: e.Code, Status: e.Status, Phase: e.Phase, Remote: e.Remote, Recipient: e.Recipient, Hint: e.Hint}
	v := d.verdict(is)
	e.Class, e.Code, e.Status, e.Phase = v.Class, v.Code, v.Status, v.Phase
}

// verdict classifies evidence in the light of what the source says of it.
func (d *reading) verdict(is reply.Evidence) reply.Verdict {
	c := d.opt.Classifier
	if is.Hint != "delayed" || is.Reply == "" {
		v := c.Classify(is)
		if v.Category == "delivered" && is.Hint != "delivered" && is.Hint != "" {
			// The source reports a failure; the 2yz in its text is something else.
			v.Class = c.Classify(reply.Evidence{Phase: v.Phase, Remote: is.Remote, Recipient: is.Recipient, Hint: is.Hint}).Class
		}
		return v
	}
	// The server is still trying, which says nothing of the address, unless the
	// reply names a cause that will not go away by trying.
	cause := is
	cause.Hint = ""
	v := c.Classify(cause)
	switch {
	case v.Action == bounceimport.Report:
	case v.Category == "mailbox_full", v.Category == "greylisted", v.Category == "recipient_rate":
	case v.Action == bounceimport.SuppressNow && v.Code >= 500 && v.Confidence != "low":
	default:
		return c.Classify(is)
	}
	return v
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
