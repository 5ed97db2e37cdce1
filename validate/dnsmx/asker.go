package dnsmx

import (
	"slices"
	"time"

	"github.com/miekg/dns"
)

// ask is one question on its way through its attempts.
type ask struct {
	q       question
	replies []reply
	settled bool
	waiters []*job
	failed  time.Time  // when the last attempt did
	pass    int        // 1, 2, 3
	tries   int        // queries sent for it
	want    *upstream  // nil: any
	tcp     bool       // the next attempt goes over TCP
	noEDNS  *upstream  // the one that did not understand the question with EDNS
	spare   bool       // one more try was made, over UDP
	confirm bool       // asked again because a condemning verdict rests on it
	again   int        // replies before that
	turned  bool       // which did not stand
	more    int        // times to be asked again after this one
	done    func(*ask) // not nil, of a canary: called when settled, in the place of all else
}

// job is a domain on its way to its verdict.
type job struct {
	domain  string
	mx      *ask
	waits   int // questions without an answer yet
	verdict judgement
	again   bool // judged once, and held: what it rests on is asked for once more
}

// flight is a query with whose it is.
type flight struct {
	query
	ask     *ask
	up      *upstream
	started time.Time
	slot    bool // counts against the window
	young   bool // just sent
	late    bool // in a later pass
	resent  bool
	done    bool
}

// asker puts questions to resolvers: it chooses one, waits, tries again, and
// gives up. One goroutine owns it; replies come back to it by landed.
//
// Nothing that waits holds a goroutine. A question that fails goes to a later
// pass, when all others are answered: so a resolver that is merely busy is not
// taken for one that does not know.
type asker struct {
	ups     []*upstream
	timeout time.Duration // of a first attempt

	heard   func(*ask) // a reply came
	settled func(*ask) // the last one did

	turn     int    // of the upstream to try first
	first    []*ask // canaries, which wait for the rate only
	queue    []*ask
	head     int       // of queue
	later    [4][]*ask // by pass
	active   int       // asks queued or in flight, canaries apart
	retrying int       // of them, those in their second pass
	flights  [4][]*flight
	down     string // not "": no more asking, and the reason code
}

// arrival is a reply on its way to the asker.
type arrival struct {
	f *flight
	r reply
}

const (
	passes         = 3
	maxTries       = 12              // whatever happens, a question comes to its end
	retryAfter     = 5 * time.Second // RFC 9520 section 3.2: a failure is remembered for some seconds
	retryWindow    = 64              // second attempts in flight beside the first ones
	tick           = 20 * time.Millisecond
	defaultTimeout = 2 * time.Second
)

// wait is how long an attempt of a pass waits for its reply.
func (k *asker) wait(pass int) time.Duration {
	if pass > 1 {
		return k.timeout * 3 / 2
	}
	return k.timeout
}

// queued returns how many questions wait for a resolver.
func (k *asker) queued() int { return len(k.queue) - k.head }

// put queues a question.
func (k *asker) put(a *ask) {
	k.active++
	if k.down != "" {
		k.giveUp(a)
		return
	}
	k.queue = append(k.queue, a)
}

// giveUp settles a queued question that will not be asked.
func (k *asker) giveUp(a *ask) {
	r := reply{fail: failDown, ede: -1, when: time.Now().Unix()}
	if k.down == "dns_budget" {
		r.fail = failBudget
	}
	k.settle(a, r)
}

// settle ends the way of a question with its last reply.
func (k *asker) settle(a *ask, r reply) {
	a.replies = append(a.replies, r)
	if a.done != nil {
		a.settled = true
		a.done(a)
		return
	}
	k.heard(a)
	if a.pass == 2 {
		k.retrying--
	}
	if s, _ := r.classify(a.q); s != soft && a.more > 0 && k.down == "" {
		a.more--
		k.queue = append(k.queue, a)
		return
	}
	a.settled = true
	k.active--
	k.settled(a)
}

// pump moves queued questions to the resolvers that have room.
func (k *asker) pump(now time.Time) {
	k.first = slices.DeleteFunc(k.first, func(a *ask) bool {
		if !a.want.may(now) {
			return false
		}
		k.launch(a, a.want, now) // whatever the window and the breaker say
		return true
	})
	for k.head < len(k.queue) {
		a := k.queue[k.head]
		u := k.pick(a, now)
		if u == nil {
			break
		}
		k.queue[k.head] = nil
		k.head++
		k.launch(a, u, now)
	}
	if k.head == len(k.queue) {
		k.queue, k.head = k.queue[:0], 0
	} else if k.head > 4096 {
		k.queue = append(k.queue[:0], k.queue[k.head:]...)
		k.head = 0
	}
}

// pick chooses the resolver for a question; nil when it has to wait.
func (k *asker) pick(a *ask, now time.Time) *upstream {
	ready := func(u *upstream) bool { return !u.open && !u.probing && u.hasRoom(a.pass > 1, now) }
	if a.want != nil && !a.want.open {
		if ready(a.want) {
			return a.want
		}
		return nil
	}
	for i := range k.ups {
		u := k.ups[(k.turn+i)%len(k.ups)]
		if ready(u) {
			k.turn = (k.turn + i + 1) % len(k.ups)
			return u
		}
	}
	return nil
}

// launch sends a question to a resolver.
func (k *asker) launch(a *ask, u *upstream, now time.Time) {
	f := &flight{ask: a, up: u, started: now, slot: true, young: true, late: a.pass > 1}
	f.query = query{q: a.q, via: u.t.server.via, edns: a.noEDNS != u, timeout: k.wait(a.pass), owner: f}
	if a.tcp && f.via == udp {
		f.via = tcp
	}
	u.young++
	if f.late {
		u.late++
	}
	a.tries++
	u.inflight++
	u.queries++
	u.took(now)
	k.flights[a.pass] = append(k.flights[a.pass], f)
	u.t.send(&f.query)
}

// end takes a query out of the account of its resolver.
func (f *flight) end() {
	f.done = true
	if f.young {
		f.up.young--
	}
	if f.late {
		f.up.late--
	}
	if f.slot {
		f.up.inflight--
	} else {
		f.up.slow--
	}
}

// landed takes the reply to a query and decides on what follows.
func (k *asker) landed(f *flight, r reply, now time.Time) {
	if f.done {
		return
	}
	a, u := f.ask, f.up
	f.end()
	r.server, r.via, r.when = u.t.server.name, f.via, now.Unix()
	s, code := r.classify(a.q)
	if a.done == nil {
		u.saw(s, code, &r, f.late, now)
	}
	if s != soft || k.down != "" || a.tries >= maxTries {
		k.settle(a, r)
		return
	}
	again := func(want *upstream, overTCP bool) {
		a.replies = append(a.replies, r)
		a.want, a.tcp = want, overTCP
		if a.done != nil {
			k.first = append(k.first, a)
			return
		}
		k.heard(a)
		k.queue = append(k.queue, a)
	}
	switch {
	case r.fail == failTruncated && f.via == udp && !a.spare:
		again(u, true)
	case f.edns && (r.rcode == dns.RcodeFormatError || r.rcode == dns.RcodeNotImplemented || r.rcode == dns.RcodeBadVers):
		// RFC 6891 section 7: perhaps it does not know EDNS.
		a.noEDNS = u
		again(u, a.tcp)
	case a.done != nil && a.pass < passes:
		a.pass++
		again(u, a.pass == passes)
	case a.done != nil:
		k.settle(a, r)
	case code == "dns_negative_unproven" || code == "dns_filtered" || code == "dns_cname_loop":
		// Another resolver may do better; the same one over TCP, where nobody interferes.
		switch o := k.other(a); {
		case o != nil && !a.confirm:
			again(o, false)
		case code == "dns_negative_unproven" && f.via == udp:
			again(u, true)
		default:
			k.settle(a, r)
		}
	case a.pass < passes:
		k.putOff(a, u, r, now)
	case a.confirm && !a.spare:
		a.spare = true // TCP may not be spoken
		again(u, false)
	default:
		k.settle(a, r)
	}
}

// putOff takes a failed question to its later pass: at another resolver, at last
// over TCP.
func (k *asker) putOff(a *ask, u *upstream, r reply, now time.Time) {
	a.replies = append(a.replies, r)
	k.heard(a)
	if a.pass == 2 {
		k.retrying--
	}
	a.pass++
	a.failed = now
	a.noEDNS = nil
	// TCP may get through where UDP does not; a near resolver that replies over UDP
	// has few places for TCP.
	a.tcp = a.pass == passes && (u.t.server.public || !u.udpWorks)
	if !a.confirm {
		a.want = k.other(a)
	}
	k.active--
	k.later[a.pass] = append(k.later[a.pass], a)
}

// other returns a resolver that the question has not been put to, nil when
// there is none.
func (k *asker) other(a *ask) *upstream {
	for _, u := range k.ups {
		if !u.open && !asked(a.replies, u) {
			return u
		}
	}
	return nil
}

// asked says whether one of the replies is the resolver's.
func asked(replies []reply, u *upstream) bool {
	return slices.ContainsFunc(replies, func(r reply) bool { return r.server == u.t.server.name })
}

// check does what time brings: timeouts, and later passes.
func (k *asker) check(now time.Time) {
	for class := range k.flights {
		fs := k.flights[class]
		k.flights[class] = nil // what is launched meanwhile is younger
		kept := fs[:0]
		for _, f := range fs {
			switch age := now.Sub(f.started); {
			case f.done:
			case age >= f.timeout && f.wait != nil: // the others find out on their own
				k.landed(f, f.up.t.giveUp(&f.query), now)
			default:
				k.aged(f, age, now)
				kept = append(kept, f)
			}
		}
		clear(fs[len(kept):])
		k.flights[class] = append(kept, k.flights[class]...)
	}
	k.retry(now)
}

// aged takes note of how long a query has been on its way.
func (k *asker) aged(f *flight, age time.Duration, now time.Time) {
	if f.young && age >= tick {
		f.young = false
		f.up.young--
	}
	if age < slowAfter || f.ask.pass > 1 {
		return
	}
	if !f.resent && f.wait != nil && f.via == udp && f.up.may(now) {
		// A packet may be lost between two processes too, for want of buffer.
		f.resent = true
		f.up.queries++
		f.up.took(now)
		f.up.t.resend(&f.query)
	}
	if f.slot && f.up.inflight+f.up.slow < int(f.up.limit) {
		f.slot = false
		f.up.inflight--
		f.up.slow++
	}
}

// retry puts failed questions back into the queue: for their second attempt a
// few at a time, some seconds after the first; for their last one when nothing
// else is left to ask, so that no load but their own can make it fail.
func (k *asker) retry(now time.Time) {
	idle := k.active == 0
	if l := k.later[2]; len(l) > 0 {
		n := 0
		for n < len(l) && (idle || now.Sub(l[n].failed) >= retryAfter && k.retrying+n < retryWindow) {
			n++
		}
		k.later[2] = l[n:]
		for _, a := range l[:n] {
			k.retrying++
			k.put(a)
		}
		if n > 0 {
			return
		}
	}
	if l := k.later[passes]; idle && len(k.later[2]) == 0 && len(l) > 0 {
		k.later[passes] = nil
		for _, a := range l {
			k.put(a)
		}
	}
}

// stop leaves everything that is not answered unknown.
func (k *asker) stop(code string) {
	k.down = code
	q := k.queue[k.head:]
	k.queue, k.head = nil, 0
	for p, l := range k.later {
		q = append(q, l...)
		k.active += len(l)
		if p == 2 {
			k.retrying += len(l)
		}
		k.later[p] = nil
	}
	for _, a := range q {
		k.giveUp(a)
	}
	for _, fs := range k.flights {
		for _, f := range fs {
			if !f.done && f.ask.done == nil {
				f.end()
				k.giveUp(f.ask)
			}
		}
	}
}

// close ends all that is on its way.
func (k *asker) close() {
	for _, u := range k.ups {
		u.t.close()
	}
}
