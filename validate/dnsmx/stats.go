package dnsmx

import (
	"maps"
	"sync"

	"github.com/winnow-email/winnow/validate"
)

// Stats says what Resolve did, or has done so far.
type Stats struct {
	Domains   int64 // received
	Answered  int64 // verdict known, of Domains; held denials included
	Unknown   int64 // so far without a verdict: answered Unknown, or put off for a second attempt
	Cached    int64 // answered by the cache
	Queries   int64 // sent, those of the canaries included
	Seconds   float64
	Verdicts  map[string]int64
	Reasons   map[string]int64
	Resolvers []ServerStats
	Done      bool   // the call has ended with every domain answered
	Unusable  string // not "": why the DNS could not be used
	CacheNote string // not "": why the cache was not used or not written
}

// ServerStats is about one resolver.
type ServerStats struct {
	Name     string
	Queries  int64
	Window   int // how many queries it may have on their way at present
	Timeouts int64
	Errors   int64  // SERVFAIL and other failures
	Canaries string // "ok", or what was wrong
}

func (s *Stats) answered(reason string, n int64) {
	s.Answered += n
	s.Reasons[reason] += n
	s.Verdicts[string(verdictOf(reason))] += n
}

// asked says how much was asked, and whom.
func (s Stats) asked() (queries, cached int64, resolvers []string) {
	for i := range s.Resolvers {
		resolvers = append(resolvers, s.Resolvers[i].Name)
	}
	return s.Queries, s.Cached, resolvers
}

func (s *Stats) unknown() int64 { return s.Verdicts[string(validate.Unknown)] }

// tally is Stats that several goroutines count in.
type tally struct {
	mu sync.Mutex
	s  Stats
}

// reset starts a new count.
func (t *tally) reset() {
	t.count(func(s *Stats) { *s = Stats{Verdicts: map[string]int64{}, Reasons: map[string]int64{}} })
}

func (t *tally) count(f func(*Stats)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(&t.s)
}

// stats returns a copy.
func (t *tally) stats() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.s
	s.Verdicts, s.Reasons = maps.Clone(s.Verdicts), maps.Clone(s.Reasons)
	s.Resolvers = append([]ServerStats(nil), s.Resolvers...)
	return s
}

// unknown returns how many domains were answered Unknown, domains how many came.
func (t *tally) unknown() (n int64) {
	t.count(func(s *Stats) { n = s.unknown() })
	return n
}

func (t *tally) domains() (n int64) {
	t.count(func(s *Stats) { n = s.Domains })
	return n
}

// batch counts answers of the cache until it is worth a lock.
type batch struct {
	n       int64
	reasons map[string]int64
}

// add counts an answer and says whether it is time to flush.
func (b *batch) add(a validate.Answer) bool {
	if b.reasons == nil {
		b.reasons = map[string]int64{}
	}
	b.n++
	b.reasons[a.Reason]++
	return b.n == 1024
}

func (b *batch) flush(s *Stats) {
	s.Domains += b.n
	s.Cached += b.n
	for r, n := range b.reasons {
		s.answered(r, n)
	}
	clear(b.reasons)
	b.n = 0
}
