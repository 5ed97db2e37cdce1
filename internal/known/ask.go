package known

import (
	"sync"
	"sync/atomic"

	"github.com/winnow-email/winnow/validate"
)

// Asker hands the domains to the resolver as they are met. It never makes the
// reading wait: the names are in memory anyway.
type Asker struct {
	Resolver validate.Resolver

	// How far asking is. They may be read while it lasts.
	Domains, Answered, Unknown *atomic.Int64

	mu    sync.Mutex
	queue []string
	ended bool
	wake  chan struct{}
}

// Asked says how the domains were asked.
type Asked struct {
	Seconds   float64
	Unusable  string // not "": why the DNS could not be used
	Queries   int64
	Cached    int64
	Resolvers []string
}

// NewAsker returns an asker for a resolver that counts in these counters.
func NewAsker(r validate.Resolver, domains, answered, unknown *atomic.Int64) *Asker {
	return &Asker{Resolver: r, Domains: domains, Answered: answered, Unknown: unknown, wake: make(chan struct{}, 1)}
}

func (a *Asker) add(name string) {
	a.Domains.Add(1)
	a.mu.Lock()
	a.queue = append(a.queue, name)
	a.mu.Unlock()
	a.poke()
}

// End says that all domains have been met.
func (a *Asker) End() {
	a.mu.Lock()
	a.ended = true
	a.mu.Unlock()
	a.poke()
}

func (a *Asker) poke() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// feed sends every name once, and returns when there are no more or stop is closed.
func (a *Asker) feed(out chan<- string, stop <-chan struct{}) {
	defer close(out)
	for {
		a.mu.Lock()
		names, ended := a.queue, a.ended
		a.queue = nil
		a.mu.Unlock()
		for _, n := range names {
			select {
			case out <- n:
			case <-stop:
				return
			}
		}
		if len(names) > 0 {
			continue
		}
		if ended {
			return
		}
		select {
		case <-a.wake:
		case <-stop:
			return
		}
	}
}
