package known

import (
	"context"
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/validate"
)

// Domain is what is known of one domain of the list.
type Domain struct {
	Name   string
	Facts  *validate.Domain     // without its name: most domains share one
	Answer *validate.Answer     // nil: not asked. That of a domain that accepts is shared, without name
	record *bounceimport.Record // what earlier mail says of all its addresses
	said   fact                 // from @domain lines
	Number uint16               // the caller's
	host   uint64               // hash of the mail host by which it has company, 0: none
}

// Asked reports whether the DNS is asked about the domain: not about names to
// which no mail can go in any case, nor about address literals.
func (d *Domain) Asked() bool { return d.Facts.Code == "" && d.Name[0] != '[' }

// Domains holds the distinct domains of the list. Nearly every look-up is of a
// domain that is there, from all workers at once: those take no lock.
type Domains struct {
	validator *validate.Validator
	asker     *Asker // nil: the DNS is not asked
	seed      maphash.Seed
	slots     atomic.Pointer[[]domainSlot] // a power of two of them
	saidMu    sync.Mutex                   // of Domain.said

	mu      sync.Mutex // of what follows, and of all writing
	n       int
	facts   map[validate.Domain]*validate.Domain
	answers map[string]*validate.Answer
}

// domainSlot is written once: first the domain, then the hash.
type domainSlot struct {
	hash atomic.Uint64 // 0: free
	dom  atomic.Pointer[Domain]
}

// NewDomains returns an empty table. Every domain that is met is judged by its
// name by v, and asked about by ask, unless that is nil.
func NewDomains(v *validate.Validator, ask *Asker) *Domains {
	t := &Domains{validator: v, asker: ask, seed: maphash.MakeSeed(), facts: map[validate.Domain]*validate.Domain{}, answers: map[string]*validate.Answer{}}
	slots := make([]domainSlot, 1024)
	t.slots.Store(&slots)
	return t
}

// Meet notes a domain of the list. It may be called from several goroutines.
func (t *Domains) Meet(name string) {
	d, fresh := t.add(name)
	if !fresh {
		return
	}
	d.Facts = t.shareFacts(t.validator.CheckDomain(d.Name))
	if t.asker != nil && d.Asked() {
		t.asker.add(d.Name)
	}
}

// Ref is a look-up of a domain by name; the zero value is of none.
type Ref struct {
	Name   string
	Domain *Domain // nil: not met before
	hash   uint64
	slot   *domainSlot
}

// Ref returns a look-up of a domain, to be made by Fetch.
func (t *Domains) Ref(name string) Ref {
	return Ref{Name: name, hash: maphash.String(t.seed, name) | 1}
}

// Fetch looks up a block of domains. What costs most are the places of the table
// that are not in the processor's cache: first all slots are asked for, then all
// domains, so that each loop has many loads that do not wait for each other. The
// value that is returned means nothing; use it, so that the loads are made.
func (t *Domains) Fetch(refs []Ref) (sink uint64) {
	slots := *t.slots.Load()
	mask := uint64(len(slots) - 1)
	for k := range refs {
		r := &refs[k]
		if r.Name == "" {
			continue
		}
		r.slot = &slots[r.hash>>1&mask]
		sink += r.slot.hash.Load()
	}
	for k := range refs {
		r := &refs[k]
		if r.Name == "" {
			continue
		}
		if r.Domain = r.slot.dom.Load(); r.Domain != nil {
			sink += uint64(len(r.Domain.Name))
		}
	}
	for k := range refs {
		r := &refs[k]
		if r.Name != "" && (r.Domain == nil || r.Domain.Name != r.Name) {
			r.Domain, _ = t.look(r.Name, r.hash)
		}
	}
	return sink
}

// Find returns the domain, or nil when it is not on the list.
func (t *Domains) Find(name string) *Domain {
	d, _ := t.look(name, maphash.String(t.seed, name)|1)
	return d
}

// look returns the domain or the slot where the search for it ended.
func (t *Domains) look(name string, h uint64) (*Domain, *domainSlot) {
	slots := *t.slots.Load()
	mask := uint64(len(slots) - 1)
	for i := h >> 1 & mask; ; i = (i + 1) & mask {
		s := &slots[i]
		switch s.hash.Load() {
		case h:
			if d := s.dom.Load(); d.Name == name {
				return d, s
			}
		case 0:
			return nil, s
		}
	}
}

// add returns the domain and whether it is new.
func (t *Domains) add(name string) (*Domain, bool) {
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
func newDomain(name string) *Domain {
	var d *Domain
	var b []byte
	switch n := len(name); {
	case n <= 24:
		x := new(struct {
			Domain
			b [24]byte
		})
		d, b = &x.Domain, x.b[:n]
	case n <= 40:
		x := new(struct {
			Domain
			b [40]byte
		})
		d, b = &x.Domain, x.b[:n]
	default:
		d, b = new(Domain), make([]byte, n)
	}
	copy(b, name)
	d.Name = stringOf(b)
	return d
}

// Each calls f with every domain, in no order.
func (t *Domains) Each(f func(*Domain)) {
	slots := *t.slots.Load()
	for i := range slots {
		if d := slots[i].dom.Load(); d != nil {
			f(d)
		}
	}
}

func (t *Domains) shareFacts(d validate.Domain) *validate.Domain {
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
func (t *Domains) setAnswer(d *Domain, a validate.Answer) {
	if a.Verdict != validate.Accepts {
		d.Answer = &a
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
	d.Answer = s
}

// judgeMX notes what the mail hosts of an answer say of its domain.
func (t *Domains) judgeMX(d *Domain, a *validate.Answer) {
	if h := validate.MailHost(a); h != "" {
		d.host = maphash.String(t.seed, h) | 1
	}
	facts := *d.Facts
	facts.Name = d.Name
	t.validator.CheckMX(&facts, a)
	if facts.Source != d.Facts.Source {
		d.Facts = t.shareFacts(facts)
	}
}

// suspectNeighbours marks the domains on no list whose mail host serves
// throw-away domains of this list and no other kind.
func (t *Domains) suspectNeighbours() {
	hosts := validate.SuspectHosts(func(yield func(*validate.Domain, uint64) bool) {
		var facts validate.Domain
		stopped := false
		t.Each(func(d *Domain) {
			if d.host == 0 || stopped {
				return
			}
			facts = *d.Facts
			facts.Name = d.Name
			stopped = !yield(&facts, d.host)
		})
	})
	if len(hosts) == 0 {
		return
	}
	t.Each(func(d *Domain) {
		if d.Facts.Source == "" && d.Facts.Code == "" && hosts[d.host] {
			facts := *d.Facts
			facts.Disposable, facts.Source = validate.Listed, "its mail host serves throw-away domains of this list"
			d.Facts = t.shareFacts(facts)
		}
	})
}

// Ask runs the resolver until Asker.End was called and all domains are asked. That
// the resolver fails is no error: Asked says so.
func (t *Domains) Ask(ctx context.Context) (*Asked, error) {
	a := t.asker
	sub, stop := context.WithCancel(ctx)
	defer stop()
	names := make(chan string, 256)
	go a.feed(names, sub.Done())
	start := time.Now()
	err := a.Resolver.Resolve(ctx, names, func(answer validate.Answer) {
		if d := t.Find(answer.Domain); d != nil {
			t.judgeMX(d, &answer)
			t.setAnswer(d, answer)
			a.Answered.Add(1)
			if answer.Verdict == validate.Unknown {
				a.Unknown.Add(1)
			}
		}
	})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	t.suspectNeighbours()
	asked := &Asked{Seconds: time.Since(start).Seconds()}
	if err != nil {
		asked.Unusable = err.Error()
	}
	// A resolver may say how much it asked, and whom.
	if c, ok := a.Resolver.(interface {
		Asked() (queries, cached int64, resolvers []string)
	}); ok {
		asked.Queries, asked.Cached, asked.Resolvers = c.Asked()
	}
	return asked, nil
}
