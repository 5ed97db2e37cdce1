package dnsmx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/winnow-email/winnow/validate"
)

// cache is what a run takes over from the ones before, and leaves for the next.
// Answers that condemn or accept are kept for as long as the DNS allows (keepFor);
// of what is unknown only the days on which it failed are (streak).
type cache struct {
	old     *cacheFile   // of the last run; nil: none is used
	fresh   *cacheWriter // for the next one; nil: none is written
	now     func() time.Time
	today   int64 // in days from 1970
	condemn bool  // domains that failed for days (Resolver.SuppressPersistent)
	note    func(string)
}

// open reads the cache file at path and starts a new one. A cache that cannot be
// used is no reason not to ask: the run goes on without it and says so.
func (c *cache) open(path string, servers []server) {
	c.today = c.now().Unix() / secondsPerDay
	if path == "" {
		return
	}
	print := fingerprint(servers)
	old, err := readCache(path, print)
	damaged := errors.Is(err, errDamaged)
	if err != nil {
		c.note(cacheError(path, err).Error())
		if !damaged {
			return
		}
		old = &cacheFile{}
	}
	c.old = old
	w, err := newCacheWriter(path, print, damaged)
	if err != nil {
		c.note("answers are not kept for the next run: " + err.Error())
		return
	}
	w.share = old.share
	c.fresh = w
}

// on says whether a cache is used.
func (c *cache) on() bool { return c.old != nil }

// get returns the answer for a domain if there is one that is still good at a time
// (Unix seconds).
func (c *cache) get(domain string, now int64) (validate.Answer, bool) {
	if c.old == nil || c.old.end == 0 {
		return validate.Answer{}, false
	}
	return c.old.get(domain, now)
}

// keep writes an answer to the new cache. An answer ends a streak, also one that
// may not be kept.
func (c *cache) keep(a validate.Answer, ttl uint32) {
	if c.fresh == nil || a.ObservedAt.IsZero() {
		return
	}
	if d := keepFor(a.Verdict, ttl); d > 0 {
		c.fresh.add(appendRecord(nil, a, a.ObservedAt.Add(d)))
	} else if answered(a.Reason) && c.old.streak(a.Domain, 0).days > 0 {
		c.fresh.gone[hashName(a.Domain)] = true
	}
}

// failed counts a day on which the servers of a domain failed, and returns the
// answer with the days in it.
func (c *cache) failed(a validate.Answer) validate.Answer {
	s := c.old.streak(a.Domain, c.now().Unix()).next(c.today, a.Reason)
	if c.fresh != nil {
		c.fresh.add(appendStreak(nil, a.Domain, s))
	}
	a.Evidence = append(a.Evidence, validate.Evidence{What: s.String(), From: "cache", When: a.ObservedAt})
	if c.condemn && s.days >= persistentDays {
		a.Reason = "dns_persistent_failure"
		a.Verdict, a.Detail = verdictOf(a.Reason), Explain(a.Reason)
	}
	return a
}

// setShare keeps the share of condemned domains as a measure for the next run.
func (c *cache) setShare(s share) {
	if c.fresh != nil {
		c.fresh.share = s
	}
}

// close puts the new cache in the place of the old one. When nothing is new the
// old one stays.
func (c *cache) close() {
	w := c.fresh
	if w == nil {
		return
	}
	c.fresh = nil
	if len(w.entries)+len(w.gone) == 0 && c.old.end > 0 {
		w.f.Abandon()
		return
	}
	w.keep(c.old, c.now().Unix(), func(string) bool { return false })
	if err := w.commit(); err != nil {
		c.note("answers are not kept for the next run: " + err.Error())
	}
}

// keepFor returns how long an answer may be kept, given the TTL of the records
// it rests on. Denials are not kept beyond what their zone allows (RFC 2308
// section 5) nor a day; mail hosts for at least an hour and at most a week.
func keepFor(v validate.DomainVerdict, ttl uint32) time.Duration {
	d := time.Duration(ttl) * time.Second
	switch v {
	case validate.Accepts:
		return min(max(d, time.Hour), 7*24*time.Hour)
	case validate.DoesNotAccept:
		return min(d, 24*time.Hour)
	}
	return 0
}

// fingerprint says which resolvers and which decision table answers come from.
func fingerprint(servers []server) uint64 {
	names := []string{fmt.Sprint(tableVersion)}
	for _, s := range servers {
		names = append(names, s.name)
	}
	slices.Sort(names[1:])
	return hashName(strings.Join(names, "\n")) | 1
}

// ReadCache calls each for every answer in the cache file at path that is still
// good, with the time until which it is, in the order of the file. A missing
// file has none.
func ReadCache(path string, each func(a validate.Answer, until time.Time) error) error {
	c, err := readCache(path, 0)
	if err != nil {
		return cacheError(path, err)
	}
	now := time.Now().Unix()
	for off := cacheHeader; off < c.end; {
		r, next, ok := c.at(off)
		if !ok {
			return cacheError(path, errDamaged)
		}
		off = next
		if a, ok := r.answer(); ok && r.expires > now {
			if err := each(a, time.Unix(r.expires, 0).UTC()); err != nil {
				return err
			}
		}
	}
	return nil
}

// ForgetCache removes the answers from the cache file at path for which drop is
// true, and returns how many they were.
func ForgetCache(path string, drop func(domain string) bool) (n int, err error) {
	c, err := readCache(path, 0)
	if err != nil {
		return 0, cacheError(path, err)
	}
	if c.end == 0 {
		return 0, nil
	}
	w, err := newCacheWriter(path, binary.LittleEndian.Uint64(c.data[32:]), false)
	if err != nil {
		return 0, err
	}
	w.keep(c, time.Now().Unix(), func(d string) bool {
		if drop(d) {
			n++
			return true
		}
		return false
	})
	if len(w.entries) > 0 {
		w.share = c.share
	}
	return n, w.commit()
}

func cacheError(path string, err error) error {
	if errors.Is(err, errDamaged) {
		return fmt.Errorf("%s: the cache of the DNS is damaged; the next run writes it anew", path)
	}
	if errors.Is(err, errNotCache) {
		return fmt.Errorf("%s is not a cache of the DNS and stays as it is: name another file with --dns-cache", path)
	}
	return err
}
