package winnow

import (
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/validate"
)

// domain is what the run knows of one domain of the list.
type domain struct {
	name  string
	facts *validate.Domain     // without its name: most domains share one
	ans   *validate.Answer     // nil: not asked. That of a domain that accepts is shared, without name
	rec   *bounceimport.Record // what the evidence says of all its addresses
	user  userFact             // from @domain lines
	host  uint64               // hash of the mail host by which it has company, 0: none

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

// domainTable holds the distinct domains of the list. Nearly every look-up is
// of a domain that is there, from all workers at once: those take no lock.
type domainTable struct {
	seed  maphash.Seed
	slots atomic.Pointer[[]domainSlot] // a power of two of them

	mu      sync.Mutex // of what follows, and of all writing
	n       int
	facts   map[validate.Domain]*validate.Domain
	answers map[string]*validate.Answer
}

// domainSlot is written once: first the domain, then the hash.
type domainSlot struct {
	hash atomic.Uint64 // 0: free
	dom  atomic.Pointer[domain]
}

func newDomainTable() *domainTable {
	t := &domainTable{seed: maphash.MakeSeed(), facts: map[validate.Domain]*validate.Domain{}, answers: map[string]*validate.Answer{}}
	slots := make([]domainSlot, 1024)
	t.slots.Store(&slots)
	return t
}

// find returns the domain, or nil when it is not on the list.
func (t *domainTable) find(name string) *domain {
	d, _ := t.look(name, maphash.String(t.seed, name)|1)
	return d
}

// look returns the domain or the slot where the search for it ended.
func (t *domainTable) look(name string, h uint64) (*domain, *domainSlot) {
	slots := *t.slots.Load()
	mask := uint64(len(slots) - 1)
	for i := h >> 1 & mask; ; i = (i + 1) & mask {
		s := &slots[i]
		switch s.hash.Load() {
		case h:
			if d := s.dom.Load(); d.name == name {
				return d, s
			}
		case 0:
			return nil, s
		}
	}
}

// add returns the domain and whether it is new.
func (t *domainTable) add(name string) (*domain, bool) {
	h := maphash.String(t.seed, name) | 1
	if d, _ := t.look(name, h); d != nil {
		return d, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if slots := *t.slots.Load(); 2*t.n >= len(slots) {
		bigger := make([]domainSlot, 2*len(slots))
		mask := uint64(len(bigger) - 1)
		for k := range slots {
			d := slots[k].dom.Load()
			if d == nil {
				continue
			}
			i := slots[k].hash.Load() >> 1 & mask
			for bigger[i].dom.Load() != nil {
				i = (i + 1) & mask
			}
			bigger[i].dom.Store(d)
			bigger[i].hash.Store(slots[k].hash.Load())
		}
		t.slots.Store(&bigger)
	}
	d, s := t.look(name, h)
	if d != nil {
		return d, false
	}
	d = newDomain(name)
	s.dom.Store(d)
	s.hash.Store(h)
	t.n++
	return d, true
}

// newDomain returns a domain whose name lies beside it in memory: a look-up
// compares the name, and the processor fetches both at once.
func newDomain(name string) *domain {
	var d *domain
	var b []byte
	switch n := len(name); {
	case n <= 24:
		x := new(struct {
			domain
			b [24]byte
		})
		d, b = &x.domain, x.b[:n]
	case n <= 40:
		x := new(struct {
			domain
			b [40]byte
		})
		d, b = &x.domain, x.b[:n]
	default:
		d, b = new(domain), make([]byte, n)
	}
	copy(b, name)
	d.name = stringOf(b)
	return d
}

// each calls f with every domain, in no order.
func (t *domainTable) each(f func(*domain)) {
	slots := *t.slots.Load()
	for i := range slots {
		if d := slots[i].dom.Load(); d != nil {
			f(d)
		}
	}
}

func (t *domainTable) shareFacts(d validate.Domain) *validate.Domain {
	d.Name = ""
	t.mu.Lock()
	defer t.mu.Unlock()
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
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.answers[k]
	if s == nil {
		s = &validate.Answer{Verdict: a.Verdict, Reason: a.Reason, Provider: a.Provider, Warnings: a.Warnings}
		t.answers[k] = s
	}
	d.ans = s
}

// judgeMX notes what the mail hosts of an answer say of its domain.
func (t *domainTable) judgeMX(v *validate.Validator, d *domain, a *validate.Answer) {
	if h := validate.MailHost(a); h != "" {
		d.host = maphash.String(t.seed, h) | 1
	}
	facts := *d.facts
	facts.Name = d.name
	v.CheckMX(&facts, a)
	if facts.Source != d.facts.Source {
		d.facts = t.shareFacts(facts)
	}
}

// suspectNeighbours marks the domains on no list whose mail host serves
// throw-away domains of this list and no other kind.
func (t *domainTable) suspectNeighbours() {
	hosts := validate.SuspectHosts(func(yield func(*validate.Domain, uint64) bool) {
		var facts validate.Domain
		stopped := false
		t.each(func(d *domain) {
			if d.host == 0 || stopped {
				return
			}
			facts = *d.facts
			facts.Name = d.name
			stopped = !yield(&facts, d.host)
		})
	})
	if len(hosts) == 0 {
		return
	}
	t.each(func(d *domain) {
		if d.facts.Source == "" && d.facts.Code == "" && hosts[d.host] {
			facts := *d.facts
			facts.Disposable, facts.Source = validate.Listed, "its mail host serves throw-away domains of this list"
			d.facts = t.shareFacts(facts)
		}
	})
}
