package dnsmx

import "time"

// prober tests the resolvers by canaries: at the start, now and then, when one
// seems to be down, and at the end.
type prober struct {
	asker       *asker
	domains     []string // that take mail
	mayBeClosed bool     // a resolver on this machine may see a world of its own
	blind       map[string]bool
}

// start starts a round.
func (p *prober) start(u *upstream, now time.Time) {
	cs := newRound(p.domains)
	found := make([]finding, len(cs))
	pending := len(cs)
	u.probed, u.asked = true, now
	for i, c := range cs {
		p.asker.first = append(p.asker.first, &ask{q: c.q, pass: 1, want: u, done: func(a *ask) {
			found[i] = merge(a.q, a.replies, nil)
			if pending--; pending == 0 {
				p.end(u, cs, found)
			}
		}})
	}
}

// end takes in a round.
func (p *prober) end(u *upstream, cs []canary, found []finding) {
	u.probed, u.since = false, u.queries
	told := u.credit.judge(cs, found, p.domains)
	p.blind[u.t.server.name] = !u.zones
	u.breaker.tested(told, p.asker.timeout, time.Now())
}

// startAll starts the first rounds.
func (p *prober) startAll(now time.Time) {
	for _, u := range p.asker.ups {
		p.start(u, now)
	}
}

// startLast starts the last rounds, but for resolvers that were tested just now;
// condemned says that somebody is: then all are tested.
func (p *prober) startLast(condemned bool, now time.Time) {
	for _, u := range p.asker.ups {
		fresh := u.rounds > 0 && u.queries-u.since < 100 && now.Sub(u.asked) < 5*time.Second
		if !u.probed && (condemned || !fresh) && !u.lied && !u.gone() {
			p.start(u, now)
		}
	}
}

// check starts the rounds that are due, and ends asking when all resolvers are
// given up; asking says that the run is not at its end.
func (p *prober) check(now time.Time, asking bool) {
	gone := 0
	for _, u := range p.asker.ups {
		switch {
		case u.gone():
			gone++
		case u.probed:
		case u.open:
			if now.After(u.reopen) {
				p.start(u, now)
			}
		case u.probing:
			p.start(u, now)
		case asking && p.asker.down == "":
			if n, age := u.queries-u.since, now.Sub(u.asked); n >= 2000 && age > 2*time.Second || n > 50 && age > 30*time.Second {
				p.start(u, now)
			}
		}
	}
	if gone == len(p.asker.ups) && p.asker.down == "" {
		p.asker.stop("dns_resolver_down")
	}
}
