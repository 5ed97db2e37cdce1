package dnsmx

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/winnow-email/winnow/validate"
	"github.com/winnow-email/winnow/validate/dnsmx/dnstest"
)

// longRounds is set for what takes long and finds little that is new.
var longRounds = os.Getenv("WINNOW_LONG") != ""

// offline makes r ask resolvers that hold the zone texts and have no sockets. In a
// bubble, where time passes as soon as all wait, none of it takes any.
func offline(tb testing.TB, r *Resolver, zones ...string) *Resolver {
	tb.Helper()
	var servers []*dnstest.Server
	for _, zone := range zones {
		s, err := dnstest.Offline(zone)
		if err != nil {
			tb.Fatal(err)
		}
		servers = append(servers, s)
	}
	return at(r, servers...)
}

// at makes r ask servers without sockets.
func at(r *Resolver, servers ...*dnstest.Server) *Resolver {
	byName := map[string]*dnstest.Server{}
	r.Servers = nil
	for i, s := range servers {
		name := fmt.Sprintf("127.0.0.%d:53", i+1)
		byName[name] = s
		r.Servers = append(r.Servers, name)
	}
	r.test = func(ctx context.Context, server string, way via, msg []byte) ([]byte, error) {
		q := new(dns.Msg)
		if err := q.Unpack(msg); err != nil {
			return nil, err
		}
		reply, hangUp := byName[server].Exchange(q, way == udp)
		if hangUp {
			return nil, io.ErrUnexpectedEOF
		}
		if reply == nil {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return reply, nil
	}
	return r
}

// bubble runs f where nobody waits for the time to pass.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// resolve asks r for the domains and returns the answers by domain.
func resolve(tb testing.TB, r validate.Resolver, domains ...string) (map[string]validate.Answer, error) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), time.Hour) // in a bubble it is not long
	defer cancel()
	in := make(chan string)
	go func() {
		defer close(in)
		for _, d := range domains {
			select {
			case in <- d:
			case <-ctx.Done():
				return
			}
		}
	}()
	out := make(chan validate.Answer, len(domains)+1)
	err := r.Resolve(ctx, in, func(a validate.Answer) { out <- a })
	close(out)
	m := map[string]validate.Answer{}
	for a := range out {
		if _, ok := m[a.Domain]; ok {
			tb.Errorf("%s: answered twice", a.Domain)
		}
		m[a.Domain] = a
	}
	for _, d := range domains {
		if _, ok := m[d]; !ok {
			tb.Errorf("%s: not answered", d)
		}
	}
	return m, err
}

// scenario is one stanza of testdata/scenarios.txt.
type scenario struct {
	domain   string
	verdict  validate.DomainVerdict
	reason   string
	warnings []string
	zone     string
}

func scenarios(tb testing.TB) (all []scenario, zone string, domains []string) {
	tb.Helper()
	f, err := os.Open("testdata/scenarios.txt")
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		line := sc.Text()
		switch {
		case strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "= "):
			w := strings.Fields(line)
			all = append(all, scenario{domain: w[1], verdict: validate.DomainVerdict(w[2]), reason: w[3], warnings: w[4:]})
			domains = append(domains, w[1])
		case len(all) > 0:
			all[len(all)-1].zone += line + "\n"
			zone += line + "\n"
		}
	}
	return all, zone, domains
}

// judged counts answers that are wrong in a way that costs something.
func judged(t *testing.T, all []scenario, got map[string]validate.Answer, exact bool) {
	t.Helper()
	condemned, passed := 0, 0
	for _, s := range all {
		a := got[s.domain]
		if a.Verdict == validate.DoesNotAccept && s.verdict != validate.DoesNotAccept {
			condemned++
			t.Errorf("%s: wrongly condemned: %+v", s.domain, a)
		}
		if a.Verdict == validate.Accepts && s.verdict != validate.Accepts {
			passed++
			t.Errorf("%s: wrongly passed: %+v", s.domain, a)
		}
		if exact && (a.Verdict != s.verdict || a.Reason != s.reason || !slices.Equal(a.Warnings, s.warnings)) {
			t.Errorf("%s: got %s %s %v, want %s %s %v\n%+v", s.domain, a.Verdict, a.Reason, a.Warnings, s.verdict, s.reason, s.warnings, a.Evidence)
		}
	}
	if condemned+passed > 0 {
		t.Errorf("wrong-condemn %d, wrong-pass %d; want 0, 0", condemned, passed)
	}
}

func writeFile(tb testing.TB, path, text string) {
	tb.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
}

// resolverFunc is a Resolver from a function.
type resolverFunc func(<-chan string, func(validate.Answer)) error

func (f resolverFunc) Resolve(_ context.Context, in <-chan string, each func(validate.Answer)) error {
	return f(in, each)
}
