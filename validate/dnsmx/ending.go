package dnsmx

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/winnow-email/winnow/validate"
)

// phase is how far a run has come.
type phase uint8

const (
	asking   phase = iota
	checking       // the last canaries are out
	again          // what condemnations rest on is asked for once more
	over
)

// ending brings a run to its end: the resolvers are tested once more, what they
// deny is asked for once more, and what was held back is judged with all that is
// known then.
type ending struct {
	*desk
	probe *prober

	phase    phase
	patience int     // rounds started at the end because the last one had failed
	gate     bool    // so many are condemned that one error more would be one too many
	look2    []*held // condemned, and still to be looked at once more
	looked   int     // how many times all of them were taken up
	need     int     // how often what condemns is to be told
	believed int     // resolvers, when they were
	late     bool    // the time for asking was over before all was asked
}

// The anomaly gate: so many condemned domains are either a bad list or a bad
// resolver, and a second look tells which.
const (
	gateDomains = 200
	gateShare   = 0.15
	gateSample  = 50
	gateGrowth  = 3 // times the share of the run before
)

// maxPatience bounds the rounds that a resolver is given at the end.
const maxPatience = 5

// lookBatch is how many domains are asked for once more at a time.
const lookBatch = 2000

// How often what condemns is to be told: the fewer domains there are, the less the
// others tell of the resolver; and where one resolver was caught, the next may stand
// behind the same liar.
const (
	tellTwice = 2
	tellFew   = 5
	tellOften = 8
	fewAsked  = 8
)

// advance takes the run to its next phase when it is due; closed says that no more
// domains come.
func (e *ending) advance(closed bool, now time.Time) {
	switch e.phase {
	case asking:
		if !closed || e.live > 0 {
			return
		}
		e.phase = checking
		if len(e.held)+len(e.doubt) > 0 {
			e.probe.startLast(e.condemned() > 0, now)
		}
		fallthrough
	case checking:
		if !e.recovered(now) {
			return
		}
		e.believeClosed()
		e.gate = e.suspicious()
		if e.asker.down == "dns_budget" {
			e.late, e.asker.down = true, "" // a part of the time was kept for what follows
		}
		e.phase = again
		fallthrough
	case again:
		for e.live == 0 {
			e.distrust()
			if !e.lookAgain() {
				e.release()
				e.phase = over
				return
			}
		}
	}
}

// condemned returns how many domains are, so far.
func (e *ending) condemned() (n int) {
	for _, h := range e.held {
		if h.proved {
			n++
		}
	}
	return n
}

// recovered says whether the last canaries are back. A resolver that was sound is
// given time to recover: all denials rest on it.
func (e *ending) recovered(now time.Time) bool {
	if len(e.held)+len(e.doubt) == 0 && e.tally.unknown() == 0 {
		return true
	}
	for _, u := range e.asker.ups {
		if u.probed {
			return false
		}
		if u.wasOK && !u.ok && !u.lied && !u.gone() && e.patience < maxPatience && e.asker.down == "" {
			if now.Sub(u.asked) > e.asker.timeout/2<<e.patience {
				e.patience++
				e.probe.start(u, now)
			}
			return false
		}
	}
	return true
}

// believeClosed lets resolvers pass that see a world of their own: on this
// machine, named by the user, and always proving, without errors, that none of
// the canaries exists, while it knows some of the domains of the run. That is
// not how a resolver breaks. Beside one that sees the Internet it is not believed.
func (e *ending) believeClosed() {
	if !e.probe.mayBeClosed {
		return
	}
	knows := slices.ContainsFunc(e.held, func(h *held) bool { return !h.proved })
	e.tally.count(func(s *Stats) { knows = knows || s.Verdicts[string(validate.Accepts)] > 0 })
	for _, u := range e.asker.ups {
		if !knows || u.ok || u.lied || !u.closed || !u.t.server.loopback() {
			return
		}
	}
	for _, u := range e.asker.ups {
		u.ok = true
	}
}

// distrust notes which resolvers are not believed.
func (e *ending) distrust() {
	for n := -1; n < len(e.trust.lost); { // who is caught makes the others suspect
		n = len(e.trust.lost)
		for _, u := range e.asker.ups {
			u.inBadCompany = e.caught()
			switch {
			case u.lied:
				e.trust.lost[u.t.server.name] = "dns_resolver_hijack"
			case !u.ok:
				e.trust.lost[u.t.server.name] = "dns_negative_unproven"
			case u.flaps():
				e.trust.lost[u.t.server.name] = "dns_anomaly"
			}
		}
	}
	if e.gate && e.turned > 0 {
		e.trust.anomaly = true
	}
	if e.asker.down != "" {
		e.trust.once = e.asker.down // and cannot be asked again
	}
}

// caught says whether a resolver was found to lie, or to turn.
func (e *ending) caught() bool {
	for _, why := range e.trust.lost {
		if why != "dns_negative_unproven" {
			return true
		}
	}
	return false
}

// suspicious says whether the share of condemned domains is that of a bad list or
// of a bad resolver.
func (e *ending) suspicious() bool {
	n, total := e.condemned(), e.tally.domains()
	if total < gateDomains || n == 0 {
		return false
	}
	return float64(n) > gateShare*float64(total) || e.kept.on() && jumped(e.share(), e.kept.old.share)
}

// lookAgain asks once more for what condemnations rest on that was told only once
// by resolvers that are believed, and, when there are suspiciously many, for a
// sample of the others. It says whether anything is asked.
func (e *ending) lookAgain() bool {
	trusted := 0
	for _, u := range e.asker.ups {
		if u.trusted() {
			trusted++
		}
	}
	if e.asker.down != "" || e.trust.anomaly || trusted == 0 {
		return false
	}
	if len(e.look2) == 0 && (e.looked == 0 || trusted < e.believed) { // with one less some will have been told once
		for _, h := range e.held {
			if h.proved {
				e.look2 = append(e.look2, h)
			}
		}
		e.looked++
		e.believed = trusted
		e.plan()
	}
	asked := map[*held]bool{}
	for len(e.look2) > 0 && len(asked) < lookBatch {
		h := e.look2[0]
		e.look2 = e.look2[1:]
		if e.relook(h) {
			asked[h] = true
		}
	}
	if len(asked) > 0 {
		e.held = slices.DeleteFunc(e.held, func(h *held) bool { return asked[h] })
	}
	return len(asked) > 0
}

// plan says how often what condemns is to be told.
func (e *ending) plan() {
	n := len(e.look2)
	e.need = tellTwice
	if n > 0 && n < fewAsked {
		e.need = min(1+(fewAsked+n-1)/n, tellFew)
	}
	if e.caught() {
		e.need = tellOften
	}
	if e.gate && e.looked == 1 {
		e.turned = 0 // what resolvers say of each other is another matter
		for i := range min(gateSample, n) {
			e.look2[i*n/min(gateSample, n)].sampled = true
		}
	}
}

// relook asks once more for what a held verdict rests on, and says whether it has to.
func (e *ending) relook(h *held) bool {
	replies := h.replies()
	j := &job{domain: h.domain, again: true}
	j.mx = &ask{q: question{h.domain, dns.TypeMX}, settled: true}
	j.mx.replies = replies[j.mx.q]
	look := e.lookIn(j, replies)
	j.verdict = judgeRecorded(h.domain, look, e.trust)
	if verdictOf(j.verdict.code) != validate.DoesNotAccept {
		return false
	}
	var due []*ask
	for _, q := range j.verdict.rests {
		a := e.ask(j, q)
		if a == nil {
			a = &ask{q: q, settled: true, replies: replies[q]}
			e.asks[q] = a
		}
		if !a.settled || h.sampled || told(q, a.replies, e.trust.lost) < e.need {
			due = append(due, a)
		}
	}
	if len(due) == 0 {
		return false
	}
	e.live++
	if !e.waits(j, func() {
		for _, a := range due {
			if !a.settled {
				e.await(j, a)
				continue
			}
			e.askAgain(j, a, e.witness(a))
			a.more = max(e.need-told(a.q, a.replies, e.trust.lost)-1, 0)
			e.asker.put(a)
		}
	}) {
		e.hold(j)
	}
	return true
}

// lookIn sees the replies for a held job: those to shared questions as they are
// now, the rest as they were.
func (e *ending) lookIn(j *job, replies map[question][]reply) func(question) []reply {
	return func(q question) []reply {
		if a := e.ask(j, q); a != nil {
			return a.replies
		}
		return replies[q]
	}
}

// witness chooses whom to ask once more: a resolver that was not asked yet, if there is one.
func (e *ending) witness(a *ask) *upstream {
	var best *upstream
	for _, u := range e.asker.ups {
		if u.trusted() && (best == nil || asked(a.replies, best) && !asked(a.replies, u)) {
			best = u
		}
	}
	return best
}

// release hands out what was held back, judged with all that is known now.
func (e *ending) release() {
	slices.SortFunc(e.held, func(a, b *held) int { return strings.Compare(a.domain, b.domain) })
	for _, h := range e.held {
		replies := h.replies()
		look := func(q question) []reply {
			if a := e.asks[q]; a != nil && e.tape.on() {
				return a.replies // all of the tape, as its reader will see it
			}
			return replies[q]
		}
		v := judgeRecorded(h.domain, look, e.trust)
		e.emit(h.domain, &v, look)
	}
	e.held = nil
	e.releaseDoubt()
	if s := e.share(); s.domains >= gateDomains && e.countsToday() {
		e.kept.setShare(s)
	}
}

// releaseDoubt hands out the domains that failed, with what earlier runs know
// of them.
func (e *ending) releaseDoubt() {
	slices.SortFunc(e.doubt, func(a, b *held) int { return strings.Compare(a.domain, b.domain) })
	counts := e.countsToday()
	for _, h := range e.doubt {
		replies := h.replies()
		look := func(q question) []reply { return replies[q] }
		v := judgeRecorded(h.domain, look, e.trust)
		if !counts || !e.ownFault(&v, look) {
			e.emit(h.domain, &v, look)
			continue
		}
		// And not into the cache as an answer: it is none of the DNS.
		e.hand(e.kept.failed(v.answer(h.domain, look, e.trust.lost)))
	}
	e.doubt = nil
}

// ownFault says whether a verdict is unknown by the fault of the domain's own
// servers: each question that failed did so for such a reason, and at a
// resolver that is in health.
func (e *ending) ownFault(v *judgement, look func(question) []reply) bool {
	if !failing[v.code] {
		return false
	}
	sound := false
	for _, q := range v.looked {
		replies := look(q)
		f := merge(q, replies, e.trust.lost)
		if f.state != soft {
			continue
		}
		if !failing[f.code] {
			return false
		}
		if !slices.ContainsFunc(replies, func(r reply) bool {
			_, code := r.classify(q)
			return failing[code] && slices.ContainsFunc(e.asker.ups, func(u *upstream) bool { return u.trusted() && u.t.server.name == r.server })
		}) {
			return false
		}
		sound = true
	}
	return sound
}

// countsToday says whether the failures of this run count: not when the
// resolvers as a whole could not be used, nor when so many domains fail that
// the cause is more likely on this side.
func (e *ending) countsToday() bool {
	if e.late || e.asker.down != "" || e.trust.anomaly || e.unusable() != "" {
		return false
	}
	total := e.tally.domains()
	return total < gateDomains || float64(len(e.doubt)) <= gateShare*float64(total)
}

// share counts the condemned domains of this run: answered by the DNS or the
// cache, or held.
func (e *ending) share() share {
	n := int64(0)
	for _, h := range e.held {
		if h.proved {
			n++
		}
	}
	var total int64
	e.tally.count(func(s *Stats) {
		total = s.Domains
		for code, k := range s.Reasons {
			switch code {
			case "domain_syntax", "domain_not_fqdn", "domain_ip_literal", "domain_special_use", "dns_persistent_failure":
				continue // not by what the DNS says
			}
			if verdictOf(code) == validate.DoesNotAccept {
				n += k
			}
		}
	})
	return share{uint32(min(total, 1<<32-1)), uint32(min(n, 1<<32-1))}
}

// jumped says whether far more are condemned than in the run before.
func jumped(now, before share) bool {
	return before.domains > 0 && float64(now.condemned)*float64(before.domains) > gateGrowth*float64(before.condemned)*float64(now.domains)
}

// unusable says why nothing that the resolvers deny is believed, or "".
func (e *ending) unusable() string {
	var why []string
	for _, u := range e.asker.ups {
		if u.rounds > 0 && u.ok && !u.lied && !u.open && !u.flaps() {
			return ""
		}
		if w := u.word(); w != "" && w != "ok" {
			why = append(why, fmt.Sprintf("resolver %s %s", u.t.server.name, w))
		}
	}
	return strings.Join(why, "; ")
}
