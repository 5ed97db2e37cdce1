package dnsmx

import (
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/winnow-email/winnow/validate"
)

// desk takes domains to their verdicts: every domain is a job that waits for
// questions. Verdicts that may still turn out wrong are held until the end.
type desk struct {
	asker *asker
	tape  *recorder
	kept  *cache
	tally *tally
	each  func(validate.Answer)
	trust trust

	asks   map[question]*ask // of mail hosts, zones and probes
	cuts   map[string]*held  // second-level domains that their registry denies
	live   int               // jobs without a verdict
	held   []*held           // verdicts that wait for the end
	doubt  []*held           // failures that wait for the end, to be told from those of the resolvers
	turned int               // denials that did not stand a second asking
	unconf []*job            // condemnations that wait for the first canaries, to be confirmed elsewhere
}

// held is a verdict that waits for the end: the replies it is drawn from, as
// lines of a recording, which take a tenth of the memory.
type held struct {
	domain  string
	text    string
	proved  bool // condemned, by what the DNS says
	sampled bool // to be asked for once more in any case
}

// add starts the job of a domain.
func (d *desk) add(domain string) {
	d.tally.count(func(s *Stats) { s.Domains++ })
	j := &job{domain: domain}
	d.live++
	if precheck(domain) == "" {
		j.mx = &ask{q: question{domain, dns.TypeMX}, pass: 1}
		i := secondLevel(domain)
		if i == 0 || d.cuts[domain[i:]] == nil {
			d.await(j, j.mx)
			d.asker.put(j.mx)
			return
		}
		// RFC 8020: nothing exists below a name that does not.
		j.mx.replies, j.mx.settled = d.cuts[domain[i:]].replies()[question{domain[i:], dns.TypeMX}], true
	}
	d.judge(j)
}

func (d *desk) await(j *job, a *ask) {
	a.waiters = append(a.waiters, j)
	j.waits++
}

// settled wakes the jobs that waited for a question.
func (d *desk) settled(a *ask) {
	if a.confirm {
		d.compare(a)
	}
	w := a.waiters
	a.waiters = nil
	for _, j := range w {
		if j.waits--; j.waits == 0 {
			d.judge(j)
		}
	}
}

// heard records the last reply to a question.
func (d *desk) heard(a *ask) {
	d.tape.add(a.q, len(a.replies), &a.replies[len(a.replies)-1])
}

// ask returns the question of a job, nil when it was not asked.
func (d *desk) ask(j *job, q question) *ask {
	if j.mx != nil && q == j.mx.q {
		return j.mx
	}
	return d.asks[q]
}

// look returns the function by which judge sees the replies for a job.
func (d *desk) look(j *job) func(question) []reply {
	return func(q question) []reply {
		if a := d.ask(j, q); a != nil && a.settled {
			return a.replies
		}
		return nil
	}
}

// judge takes a job as far as it can go: to further questions, to a verdict.
func (d *desk) judge(j *job) {
	if j.again {
		d.hold(j) // judged in the end, with all that is known then
		return
	}
	look := d.look(j)
	v := judge(j.domain, look, d.trust)
	for len(v.need) > 0 {
		if d.waits(j, func() {
			for _, q := range v.need {
				if a := d.asks[q]; a != nil {
					d.await(j, a)
					continue
				}
				a := &ask{q: q, pass: 1}
				d.asks[q] = a
				d.await(j, a)
				d.asker.put(a)
			}
		}) {
			return
		}
		v = judge(j.domain, look, d.trust)
	}
	j.verdict = v
	switch {
	case verdictOf(v.code) == validate.DoesNotAccept && len(v.used) > 0:
		d.confirm(j)
	case v.itself, v.doubted, d.tape.on():
		d.hold(j) // resolvers may come to light that invent, or that show no zones
	case d.kept.on() && failing[v.code]:
		d.live--
		d.doubt = append(d.doubt, d.pack(j))
	default:
		d.live--
		d.emit(j.domain, &j.verdict, look)
	}
}

// waits puts questions for a job, and says whether it has to wait for them: when
// nobody is asked any more they are settled at once.
func (d *desk) waits(j *job, put func()) bool {
	j.waits++ // so that settling does not judge it
	put()
	j.waits--
	return j.waits > 0
}

// confirm asks for what a condemning verdict rests on once more, at another
// resolver, when there is one in health.
func (d *desk) confirm(j *job) {
	if !d.tested() {
		d.unconf = append(d.unconf, j)
		return
	}
	put := false
	if d.waits(j, func() {
		for _, q := range j.verdict.rests {
			switch a := d.ask(j, q); {
			case a == nil:
			case !a.settled:
				d.await(j, a)
				put = true
			case !a.confirm:
				i := slices.IndexFunc(d.asker.ups, func(u *upstream) bool { return u.trusted() && !asked(a.replies, u) })
				if i >= 0 {
					d.askAgain(j, a, d.asker.ups[i])
					a.pass, a.tcp, put = 1, false, true
					d.asker.put(a)
				}
			}
		}
	}) {
		return
	}
	if put {
		d.judge(j)
	} else {
		d.hold(j)
	}
}

// askAgain makes a settled question one that is asked once more: over TCP, where
// nobody interferes, and in one attempt.
func (d *desk) askAgain(j *job, a *ask, u *upstream) {
	a.again = len(a.replies)
	a.confirm, a.settled, a.want, a.pass, a.tries, a.tcp, a.spare, a.noEDNS = true, false, u, passes, 0, true, false, nil
	d.await(j, a)
}

// tested says whether every resolver has come through a round of canaries.
func (d *desk) tested() bool {
	return !slices.ContainsFunc(d.asker.ups, func(u *upstream) bool { return u.rounds == 0 })
}

// confirmAll goes on with the condemnations that waited for the canaries.
func (d *desk) confirmAll() {
	if len(d.unconf) == 0 || !d.tested() {
		return
	}
	l := d.unconf
	d.unconf = nil
	for _, j := range l {
		d.confirm(j)
	}
}

// compare counts what somebody was condemned by and what did not stand a second
// asking, at the resolvers that told it.
func (d *desk) compare(a *ask) {
	caught := map[string]bool{}
	for i := range a.replies[:a.again] {
		for j := a.again; j < len(a.replies); j++ {
			if a.replies[i].differs(&a.replies[j], a.q) {
				caught[a.replies[i].server] = true
			}
		}
	}
	if len(caught) == 0 || a.turned {
		return
	}
	a.turned = true
	d.turned++
	for _, u := range d.asker.ups {
		if caught[u.t.server.name] {
			u.turns++
		}
	}
}

// pack makes a held verdict of a job.
func (d *desk) pack(j *job) *held {
	look := d.look(j)
	var b []byte
	for _, q := range j.verdict.looked {
		for n, r := range look(q) {
			b = appendReply(b, q, n+1, &r)
		}
	}
	return &held{domain: j.domain, text: string(b),
		proved: verdictOf(j.verdict.code) == validate.DoesNotAccept && len(j.verdict.rests) > 0 || j.verdict.doubted}
}

// hold keeps a verdict until the end.
func (d *desk) hold(j *job) {
	d.live--
	h := d.pack(j)
	d.held = append(d.held, h)
	if j.verdict.code == "domain_not_found" && secondLevel(j.domain) == 0 {
		// Only a registry's denial is taken as one for all below: servers that deny
		// a name and answer for one below it exist, registries among them do not.
		if r := merge(j.mx.q, j.mx.replies, d.trust.lost).r; !strings.Contains(r.soa, ".") {
			d.cuts[j.domain] = h
		}
	}
}

// replies reads the lines back.
func (h *held) replies() map[question][]reply {
	t := &Tape{replies: map[question][]reply{}}
	names := interner{}
	for line := range strings.Lines(h.text) {
		if t.line(strings.TrimSuffix(line, "\n"), names) != nil {
			return nil // nothing is known then
		}
	}
	return t.replies
}

// emit hands out the answer on a domain.
func (d *desk) emit(domain string, v *judgement, look func(question) []reply) {
	a := v.answer(domain, look, d.trust.lost)
	d.kept.keep(a, v.ttl)
	d.hand(a)
}

// hand hands out an answer.
func (d *desk) hand(a validate.Answer) {
	d.tally.count(func(s *Stats) { s.answered(a.Reason, 1) })
	d.each(a)
}
