package dnsmx

import (
	"context"
	"crypto/tls"
	"io"
	"time"

	"github.com/winnow-email/winnow/validate"
)

// Resolver asks the DNS whether domains take mail. Its zero value asks the
// system's resolvers. It implements validate.Resolver; one Resolver may be
// used for several calls of Resolve, one after the other.
type Resolver struct {
	// Servers are the resolvers to ask: "192.0.2.1", "192.0.2.1:53",
	// "tls://192.0.2.1#dns.example" (DNS over TLS), "https://dns.example/dns-query"
	// (DNS over HTTPS). None: those of /etc/resolv.conf.
	Servers []string
	// Concurrency bounds the queries on their way to one resolver. 0 means 500
	// towards the own machine and private networks, 64 across the Internet. More
	// than 500 is taken as 500: more only makes resolvers drop queries. Within the
	// bound the number adapts to what the resolver can take.
	Concurrency int
	// Rate bounds the queries to one resolver in any one second, with all that is sent.
	// 0 means 300 across the Internet and no bound otherwise.
	Rate float64
	// Timeout is how long the first attempt waits for a reply; later ones wait
	// longer. 0 means 2 s.
	Timeout time.Duration
	// Budget ends asking after this time; domains without an answer are then
	// Unknown. A part of it is kept to ask once more for what was denied. 0 means no end.
	Budget time.Duration
	// Cache is the path of the file that keeps answers between runs, "" for none. It
	// is made when missing, with its directory, and written anew when damaged or when
	// it comes from other Servers.
	Cache string
	// SuppressPersistent condemns domains that stayed Unknown, by the fault of their
	// own name servers, on five days or more on which they were asked for, with no
	// other answer in between (dns_persistent_failure). The Cache remembers the days;
	// without one nobody is condemned. Days on which the resolvers as a whole could
	// not be used do not count.
	SuppressPersistent bool
	// Record, when not nil, receives all replies as text that OpenTape reads. The
	// cache is then not read, so that the recording is whole.
	Record io.Writer
	// Canaries are domains known to take mail on the Internet that the resolvers
	// see; a resolver that denies most of them is not believed when it denies
	// others. nil means three large mail providers; resolvers on the loopback
	// interface that stand in Servers and prove that none of the three exists,
	// and know some of the domains asked for, are then taken to know a world of
	// their own, and are believed.
	Canaries []string
	// TLS is the base of the configuration for tls:// and https:// servers, for
	// instance with roots of one's own. Certificates are always verified.
	TLS *tls.Config

	clock func() time.Time // of the cache; nil: time.Now
	test  exchanger        // in the place of a network; nil: none is

	tally tally
}

// Stats returns the figures of the call of Resolve that runs or ran last. It
// may be called at any time, from any goroutine.
func (r *Resolver) Stats() Stats { return r.tally.stats() }

// Asked says how much was asked, and whom, for the summary of a run.
func (r *Resolver) Asked() (queries, cached int64, resolvers []string) { return r.Stats().asked() }

func (r *Resolver) servers() ([]server, error) {
	if len(r.Servers) == 0 {
		return systemServers(resolvConf)
	}
	var out []server
	seen := map[string]bool{}
	for _, s := range r.Servers {
		srv, err := parseServer(s)
		if err != nil {
			return nil, err
		}
		if !seen[srv.name] {
			out = append(out, srv)
		}
		seen[srv.name] = true
	}
	return out, nil
}

// Check says what is wrong with the configuration, without asking anyone.
func (r *Resolver) Check() error {
	_, err := r.servers()
	return err
}

// Resolve implements validate.Resolver. Answers that a domain does not take
// mail are held back until all is asked and the resolvers have shown once more
// that they can be believed.
func (r *Resolver) Resolve(ctx context.Context, domains <-chan string, each func(validate.Answer)) error {
	servers, err := r.servers()
	if err != nil {
		return err
	}
	return r.ask(ctx, servers, domains, each)
}

// ask is Resolve at these servers.
func (r *Resolver) ask(ctx context.Context, servers []server, domains <-chan string, each func(validate.Answer)) error {
	r.tally.reset()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	e := r.run(ctx, servers, each)
	defer e.asker.close()
	return e.loop(ctx, domains)
}

// run makes the parts of a run.
func (r *Resolver) run(ctx context.Context, servers []server, each func(validate.Answer)) *run {
	now := time.Now()
	e := &run{arrivals: make(chan arrival, arrivalQueue), budget: r.Budget, start: now}
	e.asker = &asker{timeout: r.Timeout}
	if r.Timeout <= 0 {
		e.asker.timeout = defaultTimeout
	}
	deliver := func(q *query, rep reply) {
		select {
		case e.arrivals <- arrival{q.owner.(*flight), rep}:
		case <-ctx.Done():
		}
	}
	for _, s := range servers {
		t := newTransport(ctx, s, r.TLS, r.test, deliver)
		e.asker.ups = append(e.asker.ups, newUpstream(t, r.Concurrency, r.Rate, now))
	}
	kept := &cache{now: r.clock, condemn: r.SuppressPersistent, note: func(s string) { r.tally.count(func(st *Stats) { st.CacheNote = s }) }}
	if kept.now == nil {
		kept.now = time.Now
	}
	if r.Record == nil {
		kept.open(r.Cache, servers)
	}
	d := &desk{asker: e.asker, tape: newRecorder(r.Record), kept: kept, tally: &r.tally, each: each,
		trust: trust{lost: distrust{}, blind: map[string]bool{}}, asks: map[question]*ask{}, cuts: map[string]*held{}}
	e.asker.heard, e.asker.settled = d.heard, d.settled
	p := &prober{asker: e.asker, blind: d.trust.blind, domains: r.Canaries, mayBeClosed: r.Canaries == nil && len(r.Servers) > 0}
	if r.Canaries == nil {
		p.domains = defaultCanaries
	}
	e.ending = ending{desk: d, probe: p}
	return e
}
