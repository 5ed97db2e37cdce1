// Package update fetches lists of disposable domains: conditionally, within
// bounds, and so that what was there stays when anything is wrong.
package update

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/winnow-email/winnow/internal/files"
	"github.com/winnow-email/winnow/internal/shown"
	"github.com/winnow-email/winnow/validate/lists"
)

// upstream are the lists that are fetched when none is named: those behind the
// embedded list.
var upstream = []struct {
	name, licence, url string
	confirms           bool // see lists.Source
}{
	{"disposable-email-domains", "CC0-1.0", "https://raw.githubusercontent.com/disposable-email-domains/disposable-email-domains/main/disposable_email_blocklist.conf", false},
	{"fakefilter", "BSD-3-Clause, Copyright (c) 2022, 7c", "https://raw.githubusercontent.com/7c/fakefilter/main/json/data_version2.json", false},
	{"mailchecker", "MIT, Copyright (c) 2013 Francois-Guillaume Ribreau", "https://raw.githubusercontent.com/FGRibreau/mailchecker/master/list.txt", true},
	{"ivolo", "MIT", "https://raw.githubusercontent.com/ivolo/disposable-email-domains/master/index.json", true},
}

// Bounds of what is believed.
const (
	maxSize   = 16 << 20 // octets of a list
	maxRefuse = 10       // hundredths of the entries that the lint may refuse
	shrink    = 2        // a new list has at least one part in shrink of the old one's entries
	grow      = 10       // and at most grow times as many
)

// An Updater fetches lists into the folder of a user's lists.
type Updater struct {
	Dir    string           // of the user's lists; made when it is not there
	Client *http.Client     // nil: one that follows few redirects and gives up after a minute
	Now    func() time.Time // nil: time.Now
	Force  bool             // believe a list that is much smaller or larger than the old one
}

// Report says what an update did.
type Report struct {
	Path            string   // of the list
	Entries, Before int      // in the new list and in the one it replaces
	Added, Removed  int      // domains
	Unchanged       bool     // nothing new; nothing was written
	Refused         []string // what the lint left out, one line each
}

// Update fetches the list of disposable domains from a file or URL, or, when from
// is empty, from the lists behind the embedded one, and puts it in place of that.
// When anything is wrong the list that was there stays.
func (u *Updater) Update(ctx context.Context, from string) (*Report, error) {
	if err := os.MkdirAll(filepath.Join(u.Dir, lists.Updated), 0o700); err != nil {
		return nil, err
	}
	now := time.Now
	if u.Now != nil {
		now = u.Now
	}
	current, err := lists.Load(os.DirFS(u.Dir), u.Dir)
	if err != nil {
		return nil, err
	}
	st := u.readState()
	var sources []lists.Source
	if from != "" {
		s, err := u.source(ctx, st, from, now())
		if err != nil {
			return nil, err
		}
		s.Name = "own source"
		if strings.Contains(from, "://") {
			s.Name = hostOf(from)
		}
		keepTiers(&s, current)
		sources = append(sources, s)
	} else {
		for _, up := range upstream {
			s, err := u.source(ctx, st, up.url, now())
			if err != nil {
				return nil, err
			}
			s.Name, s.Licence, s.Confirms = up.name, up.licence, up.confirms
			sources = append(sources, s)
		}
	}
	rep := &Report{Path: filepath.Join(u.Dir, lists.Updated, "disposable.txt")}
	old := current.Disposable()
	rep.Before = len(old)
	text, refused := lists.MergeDisposable(current, sources...)
	for _, line := range refused {
		if strings.Contains(line, "@") { // a list of people, named by mistake
			line = shown.Mask(line)
		}
		rep.Refused = append(rep.Refused, line)
	}
	entries := map[string]bool{}
	for line := range strings.Lines(text) {
		if line[0] != '#' {
			d, _, _ := strings.Cut(line, "\t")
			entries[d] = true
			if !old[d] {
				rep.Added++
			}
		}
	}
	for d := range old {
		if !entries[d] {
			rep.Removed++
		}
	}
	rep.Entries = len(entries)
	if err := u.sane(rep); err != nil {
		return nil, err
	}
	if b, err := os.ReadFile(rep.Path); err == nil && string(b) == text {
		rep.Unchanged = true
	} else if err := writeFile(rep.Path, []byte(text)); err != nil {
		return nil, err
	}
	return rep, u.writeState(st)
}

// keepTiers confirms the domains that are confirmed now: a plain list of names
// has no tiers.
func keepTiers(s *lists.Source, current *lists.Set) {
	for d, what := range s.Domains {
		if e, ok := current.Domain(d); ok && what == "" && e.Kind == lists.Disposable && e.Class == "confirmed" {
			s.Domains[d] = "confirmed"
		}
	}
}

// sane says what is wrong with a new list, going by its size and its lint.
func (u *Updater) sane(r *Report) error {
	total := r.Entries + len(r.Refused)
	switch {
	case total == 0:
		return errors.New("the list has no entries")
	case len(r.Refused)*100 > total*maxRefuse:
		return fmt.Errorf("%d of %d entries are no domains of throw-away mailboxes, like %s", len(r.Refused), total, r.Refused[0])
	case u.Force:
		return nil
	case r.Entries*shrink < r.Before:
		return fmt.Errorf("the list has %d entries and the one in use %d: too few to be believed (--force takes it)", r.Entries, r.Before)
	case r.Before > 0 && r.Entries > r.Before*grow:
		return fmt.Errorf("the list has %d entries and the one in use %d: too many to be believed (--force takes it)", r.Entries, r.Before)
	}
	return nil
}

// state remembers what was fetched, by URL, for conditional requests.
type state map[string]fetched

type fetched struct {
	ETag         string    `json:"etag,omitempty"`
	LastModified string    `json:"last_modified,omitempty"`
	SHA256       string    `json:"sha256"` // of the body, which lies in a file of that name
	Date         time.Time `json:"date"`
}

func (u *Updater) statePath() string { return filepath.Join(u.Dir, lists.Updated, "state.json") }

func (u *Updater) bodyPath(sum string) string {
	return filepath.Join(u.Dir, lists.Updated, sum[:min(16, len(sum))]+".body")
}

// readState returns what is remembered; a state that cannot be read is forgotten.
func (u *Updater) readState() state {
	st := state{}
	if b, err := os.ReadFile(u.statePath()); err == nil && json.Unmarshal(b, &st) != nil {
		st = state{}
	}
	return st
}

// writeState keeps st and removes the bodies that it no longer names.
func (u *Updater) writeState(st state) error {
	b, err := json.MarshalIndent(st, "", "  ")
	if err != nil {
		return err
	}
	if err := writeFile(u.statePath(), append(b, '\n')); err != nil {
		return err
	}
	used := map[string]bool{}
	for _, f := range st {
		used[u.bodyPath(f.SHA256)] = true
	}
	there, err := os.ReadDir(filepath.Join(u.Dir, lists.Updated))
	if err != nil {
		return err
	}
	for _, f := range there {
		p := filepath.Join(u.Dir, lists.Updated, f.Name())
		if filepath.Ext(p) == ".body" && !used[p] {
			os.Remove(p)
		}
	}
	return nil
}

// source reads one list.
func (u *Updater) source(ctx context.Context, st state, from string, now time.Time) (s lists.Source, err error) {
	s.From = from
	var body []byte
	if strings.Contains(from, "://") {
		body, s.Date, err = u.fetch(ctx, st, from, now)
	} else {
		body, s.Date, err = readFile(ctx, from)
	}
	if err != nil {
		return s, err
	}
	if err := s.Parse(body); err != nil {
		return s, fmt.Errorf("%s: %w", from, err)
	}
	return s, nil
}

func readFile(ctx context.Context, path string) ([]byte, time.Time, error) {
	info, err := files.Look(path)
	if err != nil {
		return nil, time.Time{}, err
	}
	f, err := files.Open(ctx, path)
	if err != nil {
		return nil, time.Time{}, err
	}
	defer f.Close() // only read
	b, err := limited(f, path)
	return b, info.ModTime(), err
}

func limited(r io.Reader, from string) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxSize+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", from, err)
	}
	if len(b) > maxSize {
		return nil, fmt.Errorf("%s: larger than %d MiB: not a list of domains", from, maxSize>>20)
	}
	return b, nil
}

// fetch gets a URL, or the body of the last time when it did not change
// (RFC 9110 13.1).
func (u *Updater) fetch(ctx context.Context, st state, from string, now time.Time) (body []byte, date time.Time, err error) {
	if err := allowed(from); err != nil {
		return nil, date, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, date, err
	}
	req.Header.Set("User-Agent", "winnow")
	last, have := st[from]
	var kept []byte
	if have {
		if kept, err = os.ReadFile(u.bodyPath(last.SHA256)); err != nil || sum(kept) != last.SHA256 {
			have = false
		}
	}
	if have && last.ETag != "" {
		req.Header.Set("If-None-Match", last.ETag)
	}
	if have && last.LastModified != "" {
		req.Header.Set("If-Modified-Since", last.LastModified)
	}
	client := u.Client
	if client == nil {
		client = &http.Client{Timeout: time.Minute}
	}
	c := *client
	c.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		if len(via) > 5 {
			return errors.New("too many redirects")
		}
		return allowed(r.URL.String())
	}
	resp, err := c.Do(req)
	if err != nil {
		return nil, date, err
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotModified && have:
		return kept, last.Date, nil
	case resp.StatusCode != http.StatusOK:
		return nil, date, fmt.Errorf("%s: the server answers %s", from, resp.Status)
	}
	if body, err = limited(resp.Body, from); err != nil {
		return nil, date, err
	}
	f := fetched{ETag: resp.Header.Get("ETag"), LastModified: resp.Header.Get("Last-Modified"), SHA256: sum(body), Date: now}
	if t, err := http.ParseTime(f.LastModified); err == nil {
		f.Date = t
	}
	if have && f.SHA256 == last.SHA256 {
		f.Date = last.Date
		st[from] = f
		return body, f.Date, nil
	}
	st[from] = f
	return body, f.Date, writeFile(u.bodyPath(f.SHA256), body)
}

// allowed refuses what could be changed on its way: anything but https, except
// from this machine itself.
func allowed(from string) error {
	p, err := url.Parse(from)
	if err != nil {
		return err
	}
	ip := net.ParseIP(p.Hostname())
	if p.Scheme == "https" || p.Scheme == "http" && (p.Hostname() == "localhost" || ip != nil && ip.IsLoopback()) {
		return nil
	}
	return fmt.Errorf("%s: only https is fetched", from)
}

func hostOf(from string) string {
	if p, err := url.Parse(from); err == nil && p.Hostname() != "" {
		return p.Hostname()
	}
	return from
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// writeFile writes a file of the folder in which updated facts are kept.
func writeFile(path string, b []byte) error {
	w, err := files.Replace(path)
	if err != nil {
		return err
	}
	return w.Finish(b)
}
