package winnow

import (
	"hash/maphash"
	"strings"
	"sync"

	"winnow/bounceimport"
	"winnow/validate"
)

// domain is what the run knows of one domain of the list.
type domain struct {
	name  string
	facts *validate.Domain     // without its name: most domains share one
	ans   *validate.Answer     // nil: not asked. That of a domain that accepts is shared, without name
	rec   *bounceimport.Record // what the evidence says of all its addresses
	user  userFact             // from @domain lines

	provider uint16 // number in run.providers
}

// asked reports whether the DNS is asked about the domain: not about names to
// which no mail can go in any case, nor about address literals.
func (d *domain) asked() bool { return d.facts.Code == "" && d.name[0] != '[' }

// userFact is what the user's lists say; sources are numbered from 1 in the
// order in which they were named, 0: none.
type userFact struct {
	block  blockKind
	source uint16 // of block
	allow  uint16 // source
}

// domainTable holds the distinct domains of the list.
type domainTable struct {
	shards [64]struct {
		mu sync.RWMutex
		m  map[string]*domain
	}
	factsMu sync.Mutex
	facts   map[validate.Domain]*validate.Domain
	ansMu   sync.Mutex
	answers map[string]*validate.Answer
	seed    maphash.Seed
}

func newDomainTable() *domainTable {
	t := &domainTable{facts: map[validate.Domain]*validate.Domain{}, answers: map[string]*validate.Answer{}, seed: maphash.MakeSeed()}
	for i := range t.shards {
		t.shards[i].m = map[string]*domain{}
	}
	return t
}

// find returns the domain, or nil when it is not on the list.
func (t *domainTable) find(name string) *domain {
	s := &t.shards[maphash.String(t.seed, name)%uint64(len(t.shards))]
	s.mu.RLock()
	d := s.m[name]
	s.mu.RUnlock()
	return d
}

// add returns the domain and whether it is new.
func (t *domainTable) add(name string) (*domain, bool) {
	s := &t.shards[maphash.String(t.seed, name)%uint64(len(t.shards))]
	s.mu.RLock()
	d := s.m[name]
	s.mu.RUnlock()
	if d != nil {
		return d, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if d = s.m[name]; d != nil {
		return d, false
	}
	d = &domain{name: strings.Clone(name)}
	s.m[d.name] = d
	return d, true
}

// each calls f with every domain, in no order.
func (t *domainTable) each(f func(*domain)) {
	for i := range t.shards {
		for _, d := range t.shards[i].m {
			f(d)
		}
	}
}

func (t *domainTable) shareFacts(d validate.Domain) *validate.Domain {
	d.Name = ""
	t.factsMu.Lock()
	defer t.factsMu.Unlock()
	f := t.facts[d]
	if f == nil {
		f = &d
		t.facts[d] = f
	}
	return f
}

// setAnswer keeps an answer of the resolver. Of a domain that takes mail only
// what is the same for many domains is kept.
func (t *domainTable) setAnswer(d *domain, a validate.Answer) {
	if a.Verdict != validate.Accepts {
		d.ans = &a
		return
	}
	k := a.Reason + "\x00" + a.Provider + "\x00" + strings.Join(a.Warnings, "\x00")
	t.ansMu.Lock()
	defer t.ansMu.Unlock()
	s := t.answers[k]
	if s == nil {
		s = &validate.Answer{Verdict: a.Verdict, Reason: a.Reason, Provider: a.Provider, Warnings: a.Warnings}
		t.answers[k] = s
	}
	d.ans = s
}

// domainCache is one worker's short way to the domains that occur often.
type domainCache struct {
	table *domainTable
	slots [4096]*domain
}

func (c *domainCache) slot(name string) **domain {
	return &c.slots[maphash.String(c.table.seed, name)>>48%uint64(len(c.slots))]
}

// get returns the domain, which is on the list, or nil.
func (c *domainCache) get(name string) *domain {
	s := c.slot(name)
	if d := *s; d != nil && d.name == name {
		return d
	}
	d := c.table.find(name)
	if d != nil {
		*s = d
	}
	return d
}

// add returns the domain and whether it is new.
func (c *domainCache) add(name string) (*domain, bool) {
	s := c.slot(name)
	if d := *s; d != nil && d.name == name {
		return d, false
	}
	d, fresh := c.table.add(name)
	*s = d
	return d, fresh
}
