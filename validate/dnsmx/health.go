package dnsmx

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/winnow-email/winnow/validate"
)

// upstream is a resolver with what is known of its health.
type upstream struct {
	t *transport

	// How much it is given. The window is the number of queries on their way; it
	// grows while replies come and halves when they fail.
	window   float64
	limit    float64 // of the window
	ceiling  float64 // where slow start ends
	inflight int
	young    int // of them, those just sent
	late     int // of them, those in a later pass
	slow     int // on their way for so long that they no longer count
	acks     int // since the window was last looked at
	losses   int
	rate     float64 // queries per second; 0: no bound
	most     float64 // of rate
	tokens   float64
	filled   time.Time
	epoch    time.Time
	sent     int // in this epoch
	missed   int

	// The breaker.
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
	udpWorks bool // a reply came over UDP, once

	// The canaries.
	closed bool // all rounds: it proves that none of the canaries exists
	round  *round
	rounds int
	ok     bool   // the last round passed
	wasOK  bool   // one did
	lied   bool   // it invented an answer, once is enough
	why    string // it is not ok
	asked  time.Time
	since  int64 // queries at the last round

	queries  int64
	timeouts int64
	errors   int64
}

func newUpstream(t *transport, r *Resolver) *upstream {
	u := &upstream{t: t, trip: 10, filled: time.Now(), epoch: time.Now()}
	limit := r.Concurrency
	if limit <= 0 {
		limit = maxConcurrency
		if t.server.public {
			limit = 64
		}
	}
	u.limit = float64(min(limit, maxConcurrency))
	if t.server.via == dot {
		u.limit = min(u.limit, 16) // connections
	}
	u.ceiling = u.limit
	u.window = min(u.limit, leastWindow)
	u.rate = r.Rate
	if u.rate <= 0 && t.server.public {
		u.rate = 300
	}
	u.most = u.rate
	u.tokens = 1
	return u
}

// hasRoom says whether the question may be sent now.
func (u *upstream) hasRoom(a *ask, now time.Time) bool {
	if u.probing {
		return false
	}
	w := u.window
	if a.pass > 1 {
		if w = u.limit; u.late >= laterWindow {
			return false
		}
	}
	if float64(u.inflight) >= w || u.young >= burst {
		return false
	}
	if u.rate > 0 {
		// A bucket of a twentieth of a second: never more than 5% above the rate.
		u.tokens = min(u.tokens+now.Sub(u.filled).Seconds()*u.rate, max(u.rate/20, 1))
		u.filled = now
		if u.tokens < 1 {
			return false
		}
	}
	return true
}

// leastWindow is what the window does not fall below, for a list may hold that
// many dead domains that it looks like loss.
const leastWindow = 64

// saw takes note of what became of a query.
func (u *upstream) saw(s state, code string, r *reply, late bool) {
	if s == soft {
		u.errors++
	}
	noReply := r.fail != failNone && r.fail != failTruncated
	if noReply {
		u.errors--
		u.timeouts++
	}
	bad := noReply || s == soft && code != "dns_negative_unproven" && code != "dns_filtered" && code != "dns_cname_loop" && r.fail != failTruncated

	u.udpWorks = u.udpWorks || !noReply && r.via == udp
	if late {
		// Second attempts are made of failures: they say nothing of the resolver.
		if !noReply {
			u.row = 0
		}
		return
	}

	// The window: slow start, then one more for each window of replies; halved when
	// more than a twentieth of the last hundred or more was lost.
	u.acks++
	if bad {
		u.losses++
	} else if u.window < u.ceiling {
		u.window++
	} else if u.window < u.limit {
		u.window += 1 / u.window
	}
	u.window = min(u.window, u.limit)
	if u.acks >= max(100, int(u.window)) {
		if u.losses*20 > u.acks {
			u.window = max(u.window/2, min(u.limit, leastWindow))
			u.ceiling = u.window
		}
		u.acks, u.losses = 0, 0
	}

	// The rate: halved when more than 2% of five seconds were lost or refused.
	if u.rate > 0 {
		u.sent++
		if noReply || code == "dns_refused" {
			u.missed++
		}
		if now := time.Now(); now.Sub(u.epoch) > 5*time.Second {
			if u.missed*50 > u.sent {
				u.rate = max(u.rate/2, min(10, u.most))
			} else {
				u.rate = min(u.rate*1.6, u.most) // 10% a second
			}
			u.epoch, u.sent, u.missed = now, 0, 0
		}
	}

	// The breaker.
	if noReply {
		u.row++
	} else {
		u.row = 0
	}
	i := u.seen % len(u.ring)
	if u.ring[i] {
		u.soft--
	}
	u.ring[i] = bad
	if bad {
		u.soft++
	}
	u.seen++
	if u.row >= u.trip || u.seen >= max(len(u.ring), 5*u.trip) && u.soft*2 >= len(u.ring) {
		u.probing = true
	}
}

// trusted says whether it may condemn.
func (u *upstream) trusted() bool { return !u.open && !u.probing && u.ok && !u.lied }

// closedWorld is what Stats says of a resolver that passes without the canaries.
const closedWorld = "ok: does not know the domains by which it is tested, and is believed because it is on this machine and was named"

// believeClosed lets resolvers pass that see a world of their own: on this
// machine, named by the user, and always proving, without errors, that none of
// the canaries exists, while it knows some of the domains of the run. That is
// not how a resolver breaks. Beside one that sees the Internet it is not believed.
func (e *engine) believeClosed() {
	if e.r.Canaries != nil || len(e.r.Servers) == 0 {
		return
	}
	knows := slices.ContainsFunc(e.held, func(h *heldJob) bool { return !h.condemned })
	e.r.mu.Lock()
	knows = knows || e.r.stats.Verdicts[string(validate.Accepts)] > 0
	e.r.mu.Unlock()
	for _, u := range e.ups {
		if !knows || u.ok || u.lied || !u.closed || !u.t.server.loopback() {
			return
		}
	}
	for _, u := range e.ups {
		u.ok = true
	}
}

func (u *upstream) canaryWord() string {
	switch {
	case u.ok && u.closed:
		return closedWorld
	case u.why != "":
		return u.why
	case u.rounds > 0:
		return "ok"
	}
	return ""
}

// A round asks a resolver for names of which the answer is known. It shows
// whether the resolver sees the Internet, and whether it proves what it denies.
type round struct {
	pending int
	told    int // answers that say something
	replied int // replies, errors included
	big     int // canaries that have mail hosts
	denied  []string
	null    bool // example.com has its null MX
	proved  bool // a random name below example.com was denied, with proof
	root    bool // or denied by the root
	lie     string
	bare    bool // a random name was denied without proof
}

// defaultCanaries take mail as long as there is any.
var defaultCanaries = []string{"gmail.com", "outlook.com", "yahoo.com"}

func (e *engine) canaries() []string {
	if e.r.Canaries != nil {
		return e.r.Canaries
	}
	return defaultCanaries
}

// ownRoot says whether the root denies a name below a top-level domain that the
// root of the Internet has: so does a resolver with a root of its own.
func (r *reply) ownRoot() bool {
	return r.fail == failNone && r.ra && r.rcode == dns.RcodeNameError && r.soa == "."
}

func randomLabel() string {
	b := make([]byte, 26)
	rand.Read(b)
	for i := range b {
		b[i] = 'a' + b[i]%26
	}
	return string(b)
}

func (e *engine) startCanaries() {
	for _, u := range e.ups {
		e.startRound(u)
	}
}

func (e *engine) startRound(u *upstream) {
	ro := &round{}
	u.round, u.asked = ro, time.Now()
	ask1 := func(name string, typ uint16, judge func(state, *reply)) {
		ro.pending++
		a := &ask{q: question{name, typ}, pass: 1, want: u}
		a.canary = func(a *ask) {
			f := merge(a.q, a.replies, nil)
			if f.state != soft {
				ro.told++
			}
			if f.r.fail == failNone {
				ro.replied++
			}
			judge(f.state, f.r)
			if ro.pending--; ro.pending == 0 {
				e.endRound(u, ro)
			}
		}
		e.launch(a, u, u.asked)
	}
	for _, name := range e.canaries() {
		ask1(name, dns.TypeMX, func(s state, r *reply) {
			switch s {
			case found:
				ro.big++
				if !slices.ContainsFunc(r.mx, func(m mx) bool { return m.host != "localhost" && !specialName(m.host) }) {
					ro.lie = "gives no mail host for " + name + " that could be one"
				}
			case null:
				ro.lie = "says that " + name + " takes no mail, which it does"
			case nodata, nxdomain:
				ro.denied = append(ro.denied, name)
			case soft:
				if r.ownRoot() {
					ro.denied = append(ro.denied, name)
				}
			}
		})
	}
	ask1("example.com", dns.TypeMX, func(s state, r *reply) {
		switch s {
		case found:
			ro.lie = "gives mail hosts for example.com, which has none"
		case null:
			ro.null = true
		}
	})
	// Names that do not exist: where nobody has to answer (RFC 6761 section 6.4), and
	// in a zone that is there for the like and in no one's way (section 6.5).
	for _, q := range []question{{".example.com", dns.TypeA}, {".example.com", dns.TypeMX}, {".invalid", dns.TypeA}} {
		ask1(randomLabel()+q.name, q.typ, func(s state, r *reply) {
			switch {
			case s == found && q.typ == dns.TypeA:
				ro.lie = "gives addresses for names that do not exist"
			case s == found, s == null:
				ro.lie = "gives MX records for names that do not exist"
			case s != soft && q.name != ".invalid": // that one is answered without asking anybody
				ro.proved = true
			case s == soft && q.name != ".invalid" && r.ownRoot():
				ro.root = true
			case s == soft && r.fail == failNone && (r.rcode == dns.RcodeNameError || r.rcode == dns.RcodeSuccess):
				ro.bare = true
			}
		})
	}
}

func (e *engine) endRound(u *upstream, ro *round) {
	u.round = nil
	u.rounds++
	u.since = u.queries
	big := e.canaries()
	sees := len(big) == 0 || 3*ro.big >= 2*len(big) || ro.null && ro.big > 0
	u.ok = sees && ro.proved && ro.lie == ""
	u.closed = (u.rounds == 1 || u.closed) && !sees && (ro.proved || ro.root) && ro.lie == "" && len(ro.denied) == len(big)
	u.wasOK = u.wasOK || u.ok
	switch {
	case ro.lie != "":
		u.lied, u.why = true, ro.lie
	case u.lied:
	case ro.told == 0 && ro.replied > 0:
		u.why = "answers with errors only"
	case ro.told == 0:
		u.why = "does not answer"
	case !sees && len(ro.denied) > 0:
		u.why = "denies that " + strings.Join(ro.denied, ", ") + " take mail"
	case !sees:
		u.why = "has no answer for " + strings.Join(big, ", ")
	case !ro.proved && ro.bare:
		u.why = "denies names without the proof that a denial needs (RFC 2308)"
	case !ro.proved:
		u.why = "has no answer for names that do not exist"
	default:
		u.why = ""
	}
	if u.lied {
		e.lost[u.t.server.name] = "dns_resolver_hijack"
	}
	if ro.told > 0 {
		u.spoke = true
		if u.probing || u.open {
			u.trip *= 2
			u.row, u.seen, u.soft, u.ring = 0, 0, 0, [100]bool{}
		}
		u.open, u.probing, u.failures = false, false, 0
		return
	}
	if u.probing || u.open {
		u.open, u.probing = true, false
		u.reopen = time.Now().Add(e.timeout(1) / 2 << min(u.failures, 6)) // 1, 2, 4 … 64 s
		u.failures++
	}
}

// canariesDone says whether every resolver has come through a round.
func (e *engine) canariesDone() bool {
	for _, u := range e.ups {
		if u.rounds == 0 {
			return false
		}
	}
	return true
}

// maxFailures is after how many failed rounds in a row a resolver is given up;
// one that never spoke is given up after the first.
const maxFailures = 3

// checkHealth starts the rounds that are due.
func (e *engine) checkHealth(now time.Time) {
	dead := 0
	for _, u := range e.ups {
		switch {
		case u.dead():
			dead++
		case u.round != nil:
		case u.open:
			if now.After(u.reopen) {
				e.startRound(u)
			}
		case u.probing:
			e.startRound(u)
		case e.phase == asking && e.down == "":
			if n, age := u.queries-u.since, now.Sub(u.asked); n >= 2000 && age > 2*time.Second || n > 50 && age > 30*time.Second {
				e.startRound(u)
			}
		}
	}
	if dead == len(e.ups) && e.down == "" {
		e.stopAsking("dns_resolver_down")
	}
}

// dead says whether the resolver is given up.
func (u *upstream) dead() bool { return u.open && (u.failures >= maxFailures || !u.spoke) }

// unusable says why nothing that the resolvers deny is believed, or "".
func (e *engine) unusable() string {
	var why []string
	for _, u := range e.ups {
		if u.rounds > 0 && u.ok && !u.lied && !u.open {
			return ""
		}
		if u.why != "" {
			why = append(why, fmt.Sprintf("resolver %s %s", u.t.server.name, u.why))
		}
	}
	return strings.Join(why, "; ")
}
