package dnsmx

import (
	"bufio"
	"context"
	"hash/maphash"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/winnow-email/winnow/validate"
)

// engine is one call of Resolve. All its state is guarded by mu; sockets are
// written and answers handed out while it is not held.
//
// Every domain is a job that waits for questions; every question is an ask that
// waits for replies. Nothing that waits holds a goroutine. A question that
// fails goes to a later pass, when all others are answered: so a resolver that
// is merely busy is not taken for one that does not know.
type engine struct {
	ctx    context.Context
	cancel context.CancelFunc
	r      *Resolver
	each   func(validate.Answer)
	start  time.Time
	seed   maphash.Seed

	mu       sync.Mutex
	wake     chan struct{} // tells control that something may have ended
	room     *sync.Cond    // tells the feeder that the queue has room
	ups      []*upstream
	turn     int // of the upstream to try first
	queue    []*ask
	head     int       // of queue
	later    [4][]*ask // by pass
	pass     int
	asks     map[question]*ask   // of mail hosts and probes
	cuts     map[string]*heldJob // second-level domains that their registry denies
	live     int                 // jobs without a verdict
	active   int                 // asks queued or in flight
	retrying int                 // of them, those in their second pass
	flights  [4][]*flight        // in the order they were sent, by timeout class
	begun    bool                // something had to be asked
	closed   bool                // the input has ended
	down     string              // not "": no more asking, and the reason code
	held     []*heldJob          // verdicts that wait for the end
	doubt    []*heldJob          // failures that wait for the end, to be told from those of the resolvers
	unconf   []*job              // denials that wait for the first canaries, to be confirmed elsewhere
	out      []*flight           // to be sent when mu is free
	again    []*flight           // to be sent once more
	done     []validate.Answer   // to be handed out when mu is free
	calls    sync.WaitGroup
	lost     distrust
	phase    phase
	patience int  // rounds started at the end because the last one had failed
	samples  int  // domains that are asked for once more, still out
	anomaly  bool // one of them contradicted
	tape     *bufio.Writer
	old      *cacheFile   // of the last run; nil: none is used
	fresh    *cacheWriter // for the next one
	today    int64        // of the start, in days from 1970
	tapeErr  error
}

// ask is one question on its way through its attempts.
type ask struct {
	q       question
	hash    uint32
	replies []reply
	waiters []*job
	settled bool
	failed  time.Time  // when the last attempt did
	pass    int        // 1, 2, 3
	want    *upstream  // nil: any
	tcp     bool       // the next attempt goes over TCP
	noEDNS  *upstream  // the one that did not understand the question with EDNS
	confirm bool       // asked again elsewhere because a condemning verdict rests on it
	canary  func(*ask) // not nil: called when settled
}

// job is a domain on its way to its verdict.
type job struct {
	domain  string
	mx      *ask
	waits   int
	verdict judgement
}

const (
	passes         = 3
	slowAfter      = 600 * time.Millisecond // a query this old no longer holds a place in the window
	laterWindow    = 250                    // in flight in the later passes: fixed, for these names all look like loss
	retryAfter     = 5 * time.Second        // RFC 9520 section 3.2: a failure is remembered for some seconds
	retryWindow    = 64                     // second attempts in flight beside the first ones
	burst          = 128                    // queries sent in the last moment: more would overflow a usual socket buffer
	queueRoom      = 2000
	tick           = 20 * time.Millisecond
	defaultTimeout = 2 * time.Second
)

func newEngine(ctx context.Context, r *Resolver, servers []server, each func(validate.Answer)) *engine {
	e := &engine{r: r, each: each, start: time.Now(), seed: maphash.MakeSeed(), wake: make(chan struct{}, 1), pass: 1,
		asks: map[question]*ask{}, cuts: map[string]*heldJob{}, lost: distrust{}}
	e.ctx, e.cancel = context.WithCancel(ctx)
	e.room = sync.NewCond(&e.mu)
	if r.Record != nil {
		e.tape = bufio.NewWriter(r.Record)
		io.WriteString(e.tape, tapeHeader)
	}
	r.mu.Lock()
	r.stats = Stats{Verdicts: map[string]int64{}, Reasons: map[string]int64{}}
	r.mu.Unlock()
	for _, s := range servers {
		e.ups = append(e.ups, newUpstream(newTransport(s, r.TLS, e.deliver), r))
		e.count(func(st *Stats) { st.Resolvers = append(st.Resolvers, ServerStats{Name: s.name}) })
	}
	e.today = e.now().Unix() / secondsPerDay
	e.openCache(servers)
	return e
}

// now is the time by which the cache goes.
func (e *engine) now() time.Time {
	if e.r.clock != nil {
		return e.r.clock()
	}
	return time.Now()
}

func (e *engine) close() {
	e.cancel()
	for _, u := range e.ups {
		u.t.close()
	}
}

func (e *engine) timeout(class int) time.Duration {
	t := e.r.Timeout
	if t <= 0 {
		t = defaultTimeout
	}
	switch class {
	case 2, 3:
		return t * 3 / 2
	}
	return t
}

// run asks for all domains and returns when all are answered.
func (e *engine) run(domains <-chan string) error {
	defer e.close()
	stop := context.AfterFunc(e.ctx, func() {
		e.mu.Lock()
		e.room.Broadcast()
		e.mu.Unlock()
		e.poke()
	})
	defer stop()

	go e.feed(domains)

	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		select {
		case <-e.ctx.Done():
			e.mu.Lock()
			e.flushTape()
			e.closeCache() // what is known is known
			e.mu.Unlock()
			return e.ctx.Err()
		case <-t.C:
		case <-e.wake:
		}
		e.mu.Lock()
		now := time.Now()
		e.control(now)
		e.advance(now)
		end := e.phase == over
		e.unlockQuietly()
		if end {
			e.calls.Wait()
			return e.result()
		}
	}
}

// feed takes the domains in. What the cache knows is answered at once.
func (e *engine) feed(domains <-chan string) {
	var hits cacheHits
	now := e.now().Unix()
	for {
		select {
		case <-e.ctx.Done():
			return
		case d, ok := <-domains:
			if ok && e.old != nil {
				if a, good := e.old.get(d, now); good {
					if hits.add(a) {
						e.count(hits.flush)
						now = e.now().Unix()
					}
					e.each(a)
					continue
				}
				now = e.now().Unix()
			}
			if hits.n > 0 {
				e.count(hits.flush)
			}
			e.mu.Lock()
			if !ok {
				e.closed = true
				e.unlock()
				e.poke()
				return
			}
			if !e.begun && precheck(d) == "" {
				e.begun = true
				e.startCanaries()
			}
			e.add(d)
			e.unlock()
			e.mu.Lock()
			for len(e.queue)-e.head > queueRoom && e.down == "" && e.ctx.Err() == nil {
				e.room.Wait()
			}
			e.mu.Unlock()
		}
	}
}

// cacheHits counts answers of the cache until it is worth a lock.
type cacheHits struct {
	n       int64
	reasons map[string]int64
}

// add counts an answer and says whether it is time to flush.
func (h *cacheHits) add(a validate.Answer) bool {
	if h.reasons == nil {
		h.reasons = map[string]int64{}
	}
	h.n++
	h.reasons[a.Reason]++
	return h.n == 1024
}

func (h *cacheHits) flush(s *Stats) {
	s.Domains += h.n
	s.Cached += h.n
	s.Answered += h.n
	for r, n := range h.reasons {
		s.Reasons[r] += n
		s.Verdicts[string(verdictOf(r))] += n
	}
	clear(h.reasons)
	h.n = 0
}

func (e *engine) poke() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// unlock sends what can be sent, releases mu and hands out what is ready.
func (e *engine) unlock() {
	if e.unlockQuietly() {
		e.poke()
	}
}

// unlockQuietly is unlock for the loop itself, which is awake: it says whether
// nothing is on its way.
func (e *engine) unlockQuietly() (idle bool) {
	e.pump()
	out, again, done := e.out, e.again, e.done
	e.out, e.again, e.done = nil, nil, nil
	if len(done) > 0 {
		e.calls.Add(1)
	}
	if len(e.queue)-e.head < queueRoom/2 {
		e.room.Signal()
	}
	idle = e.active == 0
	e.mu.Unlock()
	for _, f := range out {
		f.up.t.send(e.ctx, f)
	}
	for _, f := range again {
		f.sock.resend(f)
	}
	for _, a := range done {
		e.each(a)
	}
	if len(done) > 0 {
		e.calls.Done()
	}
	return idle
}

// add starts the job of a domain.
func (e *engine) add(domain string) {
	e.count(func(s *Stats) { s.Domains++ })
	j := &job{domain: domain}
	e.live++
	if precheck(domain) == "" {
		if i := secondLevel(domain); i > 0 && e.cuts[domain[i:]] != nil {
			// RFC 8020: nothing exists below a name that does not.
			up := domain[i:]
			j.mx = &ask{settled: true, replies: e.cuts[up].replies()[question{up, dns.TypeMX}]}
		} else {
			j.mx = e.newAsk(question{domain, dns.TypeMX}, j)
			e.enqueue(j.mx)
			return
		}
	}
	e.judge(j)
}

// secondLevel returns where in domain its last two labels start.
func secondLevel(domain string) int {
	i := strings.LastIndexByte(domain, '.')
	return strings.LastIndexByte(domain[:max(i, 0)], '.') + 1
}

// newAsk makes a question that a job waits for.
func (e *engine) newAsk(q question, j *job) *ask {
	j.waits++
	return &ask{q: q, pass: 1, hash: uint32(maphash.String(e.seed, q.name)), waiters: []*job{j}}
}

func (e *engine) enqueue(a *ask) {
	e.active++
	if e.down != "" {
		e.giveUp(a)
		return
	}
	e.queue = append(e.queue, a)
}

// giveUp settles a queued question that will not be asked.
func (e *engine) giveUp(a *ask) {
	r := reply{fail: failDown, ede: -1, when: time.Now().Unix()}
	if e.down == "dns_budget" {
		r.fail = failBudget
	}
	e.settle(a, r)
}

// look returns the function by which judge sees the replies for a job.
func (e *engine) look(j *job) func(question) []reply {
	return func(q question) []reply {
		a := j.mx
		if q.typ != dns.TypeMX || q.name != j.domain {
			a = e.asks[q]
		}
		if a == nil || !a.settled {
			return nil
		}
		return a.replies
	}
}

// judge takes a job as far as it can go: to further questions, to a verdict.
func (e *engine) judge(j *job) {
	look := e.look(j)
	v := judge(j.domain, look, e.lost)
	if len(v.need) > 0 {
		for _, q := range v.need {
			if a := e.asks[q]; a == nil {
				a = e.newAsk(q, j)
				e.asks[q] = a
				e.enqueue(a)
			} else {
				a.waiters = append(a.waiters, j)
				j.waits++
			}
		}
		return
	}
	j.verdict = v
	if verdictOf(v.code) == validate.DoesNotAccept && len(v.used) > 0 {
		e.confirm(j)
		return
	}
	if v.itself || e.tape != nil {
		e.hold(j) // an inventor of addresses may come to light
		return
	}
	if e.old != nil && failing[v.code] {
		e.live--
		e.doubt = append(e.doubt, e.toHold(j))
		return
	}
	e.emit(j.domain, &j.verdict, look)
}

// emit hands out the answer on a domain.
func (e *engine) emit(domain string, v *judgement, look func(question) []reply) {
	a := v.answer(domain, look, e.lost)
	e.live--
	e.account(a)
	e.keep(a, v.ttl)
	e.done = append(e.done, a)
}

func (e *engine) account(a validate.Answer) {
	e.count(func(s *Stats) {
		s.Verdicts[string(a.Verdict)]++
		s.Reasons[a.Reason]++
		s.Answered++
	})
}

func (e *engine) count(f func(*Stats)) {
	e.r.mu.Lock()
	f(&e.r.stats)
	e.r.mu.Unlock()
}

// heldJob is a verdict that waits for the end: the replies it is drawn from, as
// lines of a recording, which take a tenth of the memory.
type heldJob struct {
	domain    string
	text      string
	condemned bool // by denials
	dead      bool // condemned, by whatever
}

// toHold packs a verdict for the end.
func (e *engine) toHold(j *job) *heldJob {
	look := e.look(j)
	var b []byte
	for _, q := range j.verdict.looked {
		for n, r := range look(q) {
			b = appendReply(b, q, n+1, &r)
		}
	}
	return &heldJob{domain: j.domain, text: string(b), condemned: len(j.verdict.rests) > 0, dead: verdictOf(j.verdict.code) == validate.DoesNotAccept}
}

// hold keeps a verdict until the end.
func (e *engine) hold(j *job) {
	e.live--
	h := e.toHold(j)
	e.held = append(e.held, h)
	if j.verdict.code == "domain_not_found" && secondLevel(j.domain) == 0 {
		// Only a registry's denial is taken as one for all below: servers that deny
		// a name and answer for one below it exist, registries among them do not.
		if r := merge(j.mx.q, j.mx.replies, e.lost).r; !strings.Contains(r.soa, ".") {
			e.cuts[j.domain] = h
		}
	}
}

// replies reads the lines back.
func (h *heldJob) replies() map[question][]reply {
	t := &Tape{replies: map[question][]reply{}}
	names := map[string]string{}
	for line := range strings.Lines(h.text) {
		if t.line(strings.TrimSuffix(line, "\n"), names) != nil {
			return nil // nothing is known then
		}
	}
	return t.replies
}

// confirm asks for the denials behind a condemning verdict once more, at another
// resolver, when there is one in health.
func (e *engine) confirm(j *job) {
	if !e.canariesDone() {
		e.unconf = append(e.unconf, j)
		return
	}
	for _, q := range j.verdict.rests {
		a := j.mx
		if q.typ != dns.TypeMX || q.name != j.domain {
			a = e.asks[q]
		}
		if a == nil || !a.settled || a.confirm {
			if a != nil && !a.settled {
				a.waiters = append(a.waiters, j)
				j.waits++
			}
			continue
		}
		var other *upstream
		for _, u := range e.ups {
			if u.trusted() && !slices.ContainsFunc(a.replies, func(r reply) bool { return r.server == u.t.server.name }) {
				other = u
				break
			}
		}
		if other == nil {
			continue
		}
		a.confirm, a.settled, a.want, a.pass, a.tcp, a.noEDNS = true, false, other, 1, false, nil
		a.waiters = append(a.waiters, j)
		j.waits++
		e.enqueue(a)
	}
	if j.waits == 0 {
		e.hold(j)
	}
}

// settle ends the way of a question with its last reply.
func (e *engine) settle(a *ask, r reply) {
	a.replies = append(a.replies, r)
	e.record(a, len(a.replies)-1)
	e.settled(a)
}

func (e *engine) settled(a *ask) {
	a.settled = true
	if a.canary != nil {
		a.canary(a)
		return
	}
	e.active--
	if a.pass == 2 {
		e.retrying--
	}
	w := a.waiters
	a.waiters = nil
	for _, j := range w {
		if j.waits--; j.waits == 0 {
			e.judge(j)
		}
	}
}

// pump moves queued questions to the resolvers that have room.
func (e *engine) pump() {
	if len(e.ups) == 0 {
		return
	}
	now := time.Time{}
	for e.head < len(e.queue) {
		a := e.queue[e.head]
		u := e.pick(a, &now)
		if u == nil {
			break
		}
		e.queue[e.head] = nil
		e.head++
		e.launch(a, u, now)
	}
	if e.head == len(e.queue) {
		e.queue, e.head = e.queue[:0], 0
	} else if e.head > 4096 {
		e.queue = append(e.queue[:0], e.queue[e.head:]...)
		e.head = 0
	}
}

// pick chooses the resolver for a question; nil when it has to wait.
func (e *engine) pick(a *ask, now *time.Time) *upstream {
	if now.IsZero() {
		*now = time.Now()
	}
	if a.want != nil && !a.want.open {
		if a.want.hasRoom(a, *now) {
			return a.want
		}
		return nil
	}
	for i := range e.ups {
		u := e.ups[(e.turn+i)%len(e.ups)]
		if !u.open && u.hasRoom(a, *now) {
			e.turn = (e.turn + i + 1) % len(e.ups)
			return u
		}
	}
	return nil
}

// launch sends a question to a resolver.
func (e *engine) launch(a *ask, u *upstream, now time.Time) {
	f := &flight{ask: a, up: u, via: u.t.server.via, edns: a.noEDNS != u, started: now, slot: true}
	if a.tcp && f.via == udp {
		f.via = tcp
	}
	if f.via == udp && len(u.t.socks) > 0 {
		f.sock = u.t.socks[a.hash%uint32(len(u.t.socks))]
	}
	f.timeout = e.timeout(a.pass)
	f.young = true
	u.young++
	if f.late = a.pass > 1; f.late {
		u.late++
	}
	u.inflight++
	u.queries++
	u.tokens--
	e.flights[a.pass] = append(e.flights[a.pass], f)
	e.out = append(e.out, f)
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

// deliver takes the reply to a query.
func (e *engine) deliver(f *flight, r reply) {
	e.mu.Lock()
	if f.done || e.ctx.Err() != nil {
		e.mu.Unlock()
		return
	}
	e.landed(f, r)
	e.unlock()
}

// landed ends a query and decides on what follows.
func (e *engine) landed(f *flight, r reply) {
	a, u := f.ask, f.up
	f.end()
	r.server, r.via, r.when = u.t.server.name, f.via, time.Now().Unix()
	s, code := r.classify(a.q)
	if a.canary == nil {
		u.saw(s, code, &r, f.late)
	}

	again := func() {
		if a.canary != nil {
			e.launch(a, u, time.Now()) // whatever the window and the breaker say
		} else {
			e.queue = append(e.queue, a)
		}
	}
	retry := func(change func()) {
		a.replies = append(a.replies, r)
		e.record(a, len(a.replies)-1)
		change()
		again()
	}
	if e.down != "" && s == soft {
		e.settle(a, r)
		return
	}
	switch {
	case s != soft:
		e.settle(a, r)
	case r.fail == failTruncated && f.via == udp:
		retry(func() { a.tcp, a.want = true, u })
	case f.edns && (r.rcode == dns.RcodeFormatError || r.rcode == dns.RcodeNotImplemented || r.rcode == dns.RcodeBadVers):
		// RFC 6891 section 7: perhaps it does not know EDNS.
		retry(func() { a.noEDNS, a.want = u, u })
	case a.canary != nil:
		if a.pass == passes {
			e.settle(a, r)
			return
		}
		retry(func() { a.pass++; a.tcp = a.pass == passes })
	case code == "dns_negative_unproven" && !a.tcp && f.via == udp:
		if o := e.other(a); o != nil && !a.confirm {
			retry(func() { a.want = o })
		} else {
			retry(func() { a.tcp, a.want = true, u })
		}
	case code == "dns_negative_unproven", code == "dns_filtered", code == "dns_cname_loop":
		if o := e.other(a); o != nil && !a.confirm {
			retry(func() { a.tcp, a.want = false, o })
		} else {
			e.settle(a, r)
		}
	case a.pass < passes:
		// In a later pass, at another resolver, at last over TCP.
		a.replies = append(a.replies, r)
		e.record(a, len(a.replies)-1)
		if a.pass == 2 {
			e.retrying--
		}
		a.pass++
		a.failed = time.Now()
		a.noEDNS = nil
		// TCP may get through where UDP does not; a near resolver that replies over UDP
		// has few places for TCP.
		a.tcp = a.pass == passes && (u.t.server.public || !u.udpWorks)
		if !a.confirm {
			a.want = e.other(a)
		}
		e.active--
		e.later[a.pass] = append(e.later[a.pass], a)
	default:
		e.settle(a, r)
	}
}

// other returns a resolver that the question has not been put to, nil when
// there is none.
func (e *engine) other(a *ask) *upstream {
	for _, u := range e.ups {
		if !u.open && !slices.ContainsFunc(a.replies, func(r reply) bool { return r.server == u.t.server.name }) {
			return u
		}
	}
	return nil
}

// control does what time brings: timeouts, later passes, health.
func (e *engine) control(now time.Time) {
	for class := range e.flights {
		fs := e.flights[class]
		e.flights[class] = nil // what is launched meanwhile is younger
		kept := fs[:0]
		for _, f := range fs {
			age := now.Sub(f.started)
			switch {
			case f.done:
			case age >= f.timeout && f.sock != nil: // the others find out on their own
				r := reply{fail: failTimeout, ede: -1}
				if f.sock.forget(f) {
					r.fail = failBad
				}
				e.landed(f, r)
			default:
				if f.young && age >= tick {
					f.young = false
					f.up.young--
				}
				if age >= slowAfter && !f.resent && f.sock != nil && f.ask.pass == 1 {
					// A packet may be lost between two processes too, for want of buffer.
					f.resent = true
					f.up.queries++
					e.again = append(e.again, f)
				}
				if age >= slowAfter && f.slot && f.ask.pass == 1 && f.up.inflight+f.up.slow < int(f.up.limit) {
					f.slot = false
					f.up.inflight--
					f.up.slow++
				}
				kept = append(kept, f)
			}
		}
		clear(fs[len(kept):])
		e.flights[class] = append(kept, e.flights[class]...)
	}
	if e.r.Budget > 0 && now.Sub(e.start) > e.r.Budget && e.down == "" {
		e.stopAsking("dns_budget")
	}
	e.checkHealth(now)
	e.retry(now)
	if e.canariesDone() && len(e.unconf) > 0 {
		l := e.unconf
		e.unconf = nil
		for _, j := range l {
			e.confirm(j)
		}
	}
	e.count(func(s *Stats) {
		s.Seconds = now.Sub(e.start).Seconds()
		s.Unknown = s.Verdicts[string(validate.Unknown)] + int64(len(e.doubt))
		for _, l := range e.later {
			s.Unknown += int64(len(l))
		}
		s.Answered = s.Verdicts["accepts"] + s.Verdicts["does_not_accept"] + s.Verdicts["unknown"] + int64(len(e.held)+len(e.doubt))
		s.Queries = 0
		for i, u := range e.ups {
			s.Queries += u.queries
			s.Resolvers[i] = ServerStats{Name: u.t.server.name, Queries: u.queries, Window: int(u.window), Timeouts: u.timeouts, Errors: u.errors, Canaries: u.canaryWord()}
		}
	})
}

// retry puts failed questions back into the queue: for their second attempt a
// few at a time, some seconds after the first; for their last one when nothing
// else is left to ask, so that no load but their own can make it fail.
func (e *engine) retry(now time.Time) {
	idle := e.active == 0
	if l := e.later[2]; len(l) > 0 {
		n := 0
		for n < len(l) && (idle || now.Sub(l[n].failed) >= retryAfter && e.retrying+n < retryWindow) {
			n++
		}
		e.later[2] = l[n:]
		for _, a := range l[:n] {
			e.retrying++
			e.enqueue(a)
		}
		if n > 0 {
			return
		}
	}
	if l := e.later[passes]; idle && len(e.later[2]) == 0 && len(l) > 0 {
		e.later[passes] = nil
		for _, a := range l {
			e.enqueue(a)
		}
	}
}

// stopAsking leaves everything that is not answered unknown.
func (e *engine) stopAsking(code string) {
	e.down = code
	q := e.queue[e.head:]
	e.queue, e.head = nil, 0
	for p, l := range e.later {
		q = append(q, l...)
		e.active += len(l)
		if p == 2 {
			e.retrying += len(l)
		}
		e.later[p] = nil
	}
	for _, a := range q {
		e.giveUp(a)
	}
	for _, fs := range e.flights {
		for _, f := range fs {
			if !f.done && f.ask.canary == nil {
				f.end()
				e.giveUp(f.ask)
			}
		}
	}
	e.room.Broadcast()
}
