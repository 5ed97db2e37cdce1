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
	sampling       // condemned domains are asked for once more
	over
)

// The anomaly gate: so many condemned domains are either a bad list or a bad
// resolver, and a sample tells which.
const (
	gateDomains = 200
	gateShare   = 0.15
	gateSample  = 50
	gateGrowth  = 3 // times the share of the run before
)

// maxPatience bounds the rounds that a resolver is given at the end.
const maxPatience = 5

// advance takes the run to its next phase when it is due.
func (e *engine) advance(now time.Time) {
	switch e.phase {
	case asking:
		if !e.closed || e.live > 0 {
			return
		}
		e.phase = checking
		for _, u := range e.ups {
			fresh := u.rounds > 0 && u.queries-u.since < 100 && now.Sub(u.asked) < 5*time.Second
			if len(e.held)+len(e.doubt) > 0 && u.round == nil && !fresh && !u.lied && !u.dead() {
				e.startRound(u)
			}
		}
		fallthrough
	case checking:
		needed := len(e.held)+len(e.doubt) > 0 || e.anyUnknown()
		for _, u := range e.ups {
			if !needed {
				break
			}
			if u.round != nil {
				return
			}
			// One that was sound is given time to recover: all denials rest on it.
			if u.wasOK && !u.ok && !u.lied && !u.dead() && e.patience < maxPatience && e.down == "" {
				if now.Sub(u.asked) > e.timeout(1)/2<<e.patience {
					e.patience++
					e.startRound(u)
				}
				return
			}
		}
		e.believeClosed()
		for _, u := range e.ups {
			switch {
			case u.lied:
				e.lost[u.t.server.name] = "dns_resolver_hijack"
			case !u.ok:
				e.lost[u.t.server.name] = "dns_negative_unproven"
			}
		}
		if e.sample() {
			e.phase = sampling
			return
		}
		fallthrough
	case sampling:
		if e.phase == sampling && e.samples > 0 {
			return
		}
		e.release()
		e.phase = over
	}
}

func (e *engine) anyUnknown() bool {
	e.r.mu.Lock()
	defer e.r.mu.Unlock()
	return e.r.stats.Verdicts[string(validate.Unknown)] > 0
}

// sample asks once more for some of the condemned domains, over TCP and at
// another resolver when there is one, if there are suspiciously many.
func (e *engine) sample() bool {
	var condemned []*heldJob
	for _, h := range e.held {
		if h.condemned {
			condemned = append(condemned, h)
		}
	}
	e.r.mu.Lock()
	total := e.r.stats.Domains
	e.r.mu.Unlock()
	if total < gateDomains || len(condemned) == 0 || e.down != "" {
		return false
	}
	jumped := e.old != nil && e.share().jumped(e.old.share)
	if float64(len(condemned)) <= gateShare*float64(total) && !jumped {
		return false
	}
	n := min(gateSample, len(condemned))
	for i := range n {
		h := condemned[i*len(condemned)/n]
		q := question{h.domain, dns.TypeMX}
		replies := h.replies()[q]
		if len(replies) == 0 {
			continue
		}
		first := replies[len(replies)-1].server
		var u *upstream
		for _, o := range e.ups {
			if o.trusted() && (u == nil || u.t.server.name == first) {
				u = o
			}
		}
		if u == nil {
			return false // nothing is believed anyway
		}
		// The last pass: one attempt, over TCP.
		a := &ask{q: q, pass: passes, want: u, tcp: true}
		before := merge(q, replies, nil).state
		a.canary = func(a *ask) {
			e.samples--
			if s := merge(a.q, a.replies, nil).state; s != soft && (s == found) != (before == found) {
				e.anomaly = true
			}
		}
		e.samples++
		e.launch(a, u, time.Now())
	}
	return true
}

// release hands out what was held back, judged with all that is known now.
func (e *engine) release() {
	slices.SortFunc(e.held, func(a, b *heldJob) int { return strings.Compare(a.domain, b.domain) })
	for _, h := range e.held {
		replies := h.replies()
		look := func(q question) []reply {
			if a := e.asks[q]; a != nil && e.tape != nil {
				return a.replies // all of the tape, as its reader will see it
			}
			return replies[q]
		}
		v := judgeRecorded(h.domain, look, e.lost, e.anomaly)
		e.live++
		e.emit(h.domain, &v, look)
	}
	e.held = nil
	e.releaseDoubt()
	if s := e.share(); e.fresh != nil && s.domains >= gateDomains && e.countsToday() {
		e.fresh.share = s
	}
}

// judgeRecorded judges when nothing more can be asked.
func judgeRecorded(domain string, look func(question) []reply, d distrust, anomaly bool) judgement {
	v := judge(domain, func(q question) []reply {
		if r := look(q); len(r) > 0 {
			return r
		}
		return []reply{{fail: failUnrecorded, ede: -1}}
	}, d)
	if anomaly && len(v.rests) > 0 {
		v.code, v.rests = "dns_anomaly", nil
	}
	return v
}

// result says whether the DNS could be used.
func (e *engine) result() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.control(time.Now())
	e.closeCache()
	if err := e.flushTape(); err != nil {
		return err
	}
	e.count(func(s *Stats) { s.Done = true })
	s := e.r.Stats()
	unknown := s.Verdicts[string(validate.Unknown)]
	why := ""
	switch {
	case e.down == "dns_budget":
		why = fmt.Sprintf("its time (%v) was over with %d of %d domains not asked", e.r.Budget, s.Reasons["dns_budget"], s.Domains)
	case e.anomaly:
		why = "condemned domains were alive at a second look, so none is condemned"
	case unknown > 0:
		if why = e.unusable(); why == "" && e.down != "" {
			why = "no resolver answers"
		}
	}
	if why == "" {
		return nil
	}
	e.count(func(s *Stats) { s.Unusable = why })
	return fmt.Errorf("%w: %s; %d of %d domains stay unknown", ErrUnusable, why, unknown, s.Domains)
}
