package dnsmx

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrUnusable is wrapped by the errors of Resolve that mean: the DNS could not
// be used, what was not answered is Unknown, and trying again later may help.
var ErrUnusable = errors.New("the DNS could not be used")

// run is one call of Resolve. All its state belongs to the goroutine of loop;
// others bring it replies and domains.
type run struct {
	ending
	asker    *asker
	arrivals chan arrival
	misses   chan string // domains that the cache does not know; closed at the end

	start    time.Time
	budget   time.Duration
	begun    bool // something had to be asked
	closed   bool // the input has ended
	lastTick time.Time
}

const (
	arrivalQueue = 1024
	queueRoom    = 2000 // questions that wait before no more domains are taken in
	atOnce       = 256  // replies or domains taken in before the rest is looked at
)

// loop asks for all domains and returns when all are answered.
func (e *run) loop(ctx context.Context, domains <-chan string) error {
	e.misses = make(chan string, atOnce)
	fed := make(chan struct{})
	go func() {
		defer close(fed)
		e.feed(ctx, domains)
	}()
	t := time.NewTicker(tick)
	defer t.Stop()
	for e.phase != over {
		misses := e.misses
		if e.closed || e.asker.queued() > queueRoom {
			misses = nil
		}
		select {
		case <-ctx.Done():
			<-fed
			e.tape.close(e.trust)
			e.kept.close() // what is known is known
			return ctx.Err()
		case a := <-e.arrivals:
			e.land(a)
		case d, ok := <-misses:
			e.take(d, ok)
		case <-t.C:
		}
		now := time.Now()
		if now.Sub(e.lastTick) >= tick || e.asker.active == 0 {
			e.lastTick = now
			e.control(now)
		}
		e.advance(e.closed, now)
		e.asker.pump(now)
	}
	<-fed
	return e.result()
}

// feed takes the domains in. What the cache knows is answered at once.
func (e *run) feed(ctx context.Context, domains <-chan string) {
	defer close(e.misses)
	var hits batch
	defer func() { e.tally.count(hits.flush) }()
	now := e.kept.now().Unix()
	for {
		select {
		case <-ctx.Done():
			return
		case d, ok := <-domains:
			if !ok {
				return
			}
			if a, good := e.kept.get(d, now); good {
				if hits.add(a) {
					e.tally.count(hits.flush)
					now = e.kept.now().Unix()
				}
				e.each(a)
				continue
			}
			select {
			case e.misses <- d:
			case <-ctx.Done():
				return
			}
			now = e.kept.now().Unix()
		}
	}
}

// land takes a reply in, and those that came with it.
func (e *run) land(a arrival) {
	now := time.Now()
	e.asker.landed(a.f, a.r, now)
	for range atOnce {
		select {
		case a := <-e.arrivals:
			e.asker.landed(a.f, a.r, now)
		default:
			return
		}
	}
}

// take takes a domain in, and those that came with it.
func (e *run) take(d string, ok bool) {
	for n := 1; ; n++ {
		if !ok {
			e.closed = true
			return
		}
		if !e.begun && precheck(d) == "" {
			e.begun = true
			e.probe.startAll(time.Now())
		}
		e.add(d)
		if n == atOnce {
			return
		}
		select {
		case d, ok = <-e.misses:
		default:
			return
		}
	}
}

// control does what time brings.
func (e *run) control(now time.Time) {
	if e.budget > 0 && e.asker.down == "" && e.left(now) <= 0 {
		e.asker.stop("dns_budget")
	}
	e.asker.check(now)
	e.probe.check(now, e.phase == asking)
	e.confirmAll()
	e.publish(now)
}

// left returns how much of the budget there is to ask. A part is kept, while there
// are domains to be asked for, to ask once more for what was denied.
func (e *run) left(now time.Time) time.Duration {
	used := now.Sub(e.start)
	left := e.budget - used
	if n := len(e.held); e.phase == asking && n > 0 {
		if done := n + int(e.answered()); done > 0 {
			left -= min(time.Duration(float64(used)*float64(n)/float64(done)), e.budget/2)
		}
	}
	return left
}

func (e *run) answered() (n int64) {
	e.tally.count(func(s *Stats) { n = s.Answered })
	return n
}

// publish brings the figures up to date.
func (e *run) publish(now time.Time) {
	e.tally.count(func(s *Stats) {
		s.Seconds = now.Sub(e.start).Seconds()
		s.Unknown = s.unknown() + int64(len(e.doubt))
		for _, l := range e.asker.later {
			s.Unknown += int64(len(l))
		}
		s.Answered = s.Verdicts["accepts"] + s.Verdicts["does_not_accept"] + s.Verdicts["unknown"] + int64(len(e.held)+len(e.doubt))
		s.Queries, s.Resolvers = 0, s.Resolvers[:0]
		for _, u := range e.asker.ups {
			s.Queries += u.queries
			s.Resolvers = append(s.Resolvers, ServerStats{Name: u.t.server.name, Queries: u.queries, Window: int(u.window),
				Timeouts: u.timeouts, Errors: u.errors, Canaries: u.word()})
		}
	})
}

// result says whether the DNS could be used.
func (e *run) result() error {
	e.publish(time.Now())
	e.kept.close()
	if err := e.tape.close(e.trust); err != nil {
		return err
	}
	unknown := e.tally.unknown()
	why := ""
	e.tally.count(func(s *Stats) {
		s.Done = true
		if e.late || e.asker.down == "dns_budget" {
			why = fmt.Sprintf("its time (%v) was over with %d of %d domains not asked", e.budget, s.Reasons["dns_budget"], s.Domains)
		}
	})
	switch {
	case why != "":
	case e.trust.anomaly:
		why = "condemned domains were alive at a second look, so none is condemned"
	case unknown > 0:
		if why = e.unusable(); why == "" && e.asker.down != "" {
			why = "no resolver answers"
		}
	}
	if why == "" {
		return nil
	}
	e.tally.count(func(s *Stats) { s.Unusable = why })
	return fmt.Errorf("%w: %s; %d of %d domains stay unknown", ErrUnusable, why, unknown, e.tally.domains())
}
