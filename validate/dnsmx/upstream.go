package dnsmx

import "time"

// upstream is a resolver with what is known of it.
type upstream struct {
	t *transport
	pace
	breaker
	credit

	probed bool      // a round of canaries is on its way
	asked  time.Time // the last round
	since  int64     // queries at the last round

	udpWorks     bool // a reply came over UDP, once
	finds        int64
	turns        int64 // what it told against domains and what did not stand a second asking
	inBadCompany bool  // another one was caught
	queries      int64
	timeouts     int64
	errors       int64
}

// maxConcurrency is the most queries on their way that a recursive resolver
// takes without inventing errors (measured: unbound with 1,000 and more in
// flight drops what it could have answered).
const maxConcurrency = 500

// newUpstream makes one; concurrency and rate 0 stand for what is fit for it.
func newUpstream(t *transport, concurrency int, rate float64, now time.Time) *upstream {
	if concurrency <= 0 {
		concurrency = maxConcurrency
		if t.server.public {
			concurrency = 64
		}
	}
	if rate <= 0 && t.server.public {
		rate = 300
	}
	return &upstream{t: t, pace: newPace(min(concurrency, maxConcurrency), rate, now), breaker: breaker{trip: firstTrip}}
}

// saw takes note of what became of a query; late says that it was not the first
// attempt.
func (u *upstream) saw(s state, code string, r *reply, late bool, now time.Time) {
	noReply := r.fail != failNone && r.fail != failTruncated
	switch {
	case noReply:
		u.timeouts++
	case s == soft:
		u.errors++
	case s == found:
		u.finds++
	}
	u.udpWorks = u.udpWorks || !noReply && r.via == udp
	if late {
		// Second attempts are made of failures: they say nothing of the resolver.
		if !noReply {
			u.row = 0
		}
		return
	}
	bad := noReply || s == soft && code != "dns_negative_unproven" && code != "dns_filtered" && code != "dns_cname_loop" && r.fail != failTruncated
	u.pace.heard(bad, noReply || code == "dns_refused", now)
	u.breaker.heard(bad, noReply)
}

// trusted says whether it may condemn.
func (u *upstream) trusted() bool { return !u.open && !u.probing && u.ok && !u.lied && !u.flaps() }

// chance is how many wrong condemnations are put up with, as an expectation: one in
// fifty runs, or of a million domains that are alive.
func chance(alive int64) float64 { return 0.02 + float64(alive)/1e6 }

// flaps says whether so much that it told against domains did not stand a second
// asking that some which did is likely to be wrong too: when it denies what there is
// with a probability p, it does so twice with p². Its answers for what there is are
// the measure of p; one more is added to what was seen, for luck.
func (u *upstream) flaps() bool {
	if u.turns == 0 {
		return false
	}
	wrong := float64(u.turns + 1)
	return u.inBadCompany || wrong*wrong/float64(u.finds+u.turns+2) > chance(u.finds)
}

// closedWorld is what Stats says of a resolver that passes without the canaries.
const closedWorld = "ok: does not know the domains by which it is tested, and is believed because it is on this machine and was named"

// word says what is known of its credit.
func (u *upstream) word() string {
	switch {
	case u.ok && u.closed:
		return closedWorld
	case u.why != "":
		return u.why
	case u.flaps():
		return "denies at one time what it gives at another"
	case u.rounds > 0:
		return "ok"
	}
	return ""
}

// breaker stops asking a resolver that does not reply.
type breaker struct {
	open     bool      // not asked until a round of canaries comes back
	probing  bool      // suspected: a round decides
	row      int       // failures to reply, in a row
	ring     [100]bool // of the last replies: was it an error?
	seen     int
	soft     int // of ring
	trip     int // failures in a row that make suspicious; doubles with each suspicion that was wrong
	reopen   time.Time
	failures int  // rounds in a row without an answer
	spoke    bool // a round got answers, once
}

const (
	firstTrip = 10
	// maxFailures is after how many failed rounds in a row a resolver is given up;
	// one that never spoke is given up after the first.
	maxFailures = 3
)

func (b *breaker) heard(bad, noReply bool) {
	if noReply {
		b.row++
	} else {
		b.row = 0
	}
	i := b.seen % len(b.ring)
	if b.ring[i] {
		b.soft--
	}
	b.ring[i] = bad
	if bad {
		b.soft++
	}
	b.seen++
	if b.row >= b.trip || b.seen >= max(len(b.ring), 5*b.trip) && b.soft*2 >= len(b.ring) {
		b.probing = true
	}
}

// tested takes in a round: whether it got an answer, and how long a first query
// may take.
func (b *breaker) tested(told bool, timeout time.Duration, now time.Time) {
	switch {
	case told:
		b.spoke = true
		if b.probing || b.open {
			b.trip *= 2
			b.row, b.seen, b.soft, b.ring = 0, 0, 0, [100]bool{}
		}
		b.open, b.probing, b.failures = false, false, 0
	case b.probing || b.open:
		b.open, b.probing = true, false
		b.reopen = now.Add(timeout / 2 << min(b.failures, 6)) // 1, 2, 4 … 64 s
		b.failures++
	}
}

// gone says whether the resolver is given up.
func (b *breaker) gone() bool { return b.open && (b.failures >= maxFailures || !b.spoke) }
