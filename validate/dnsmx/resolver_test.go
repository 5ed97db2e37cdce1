package dnsmx

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/winnow-email/winnow/validate"
	"github.com/winnow-email/winnow/validate/dnsmx/dnstest"
)

// resolve asks r for the domains and returns the answers by domain.
func resolve(tb testing.TB, r validate.Resolver, domains ...string) (map[string]validate.Answer, error) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 60*time.Second)
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

// TestTapeRepeats is property P4: a recording gives the answers of the run it
// was made in, to the byte, also when its lines are sorted.
func TestTapeRepeats(t *testing.T) {
	_, zone, domains := scenarios(t)
	for n := 1; n <= 2; n++ {
		for _, first := range []string{"", "! * * nx=198.41.0.4\n", "! * * servfail\n", "! * * flaky=30 servfail\n"} {
			var tape bytes.Buffer
			r := &Resolver{Timeout: testTimeout, Record: &tape}
			for i := range n {
				z := zone
				if i == 0 {
					z = first + zone
				}
				r.Servers = append(r.Servers, dnstest.Start(t, z).Addr)
			}
			got, _ := resolve(t, r, domains...)
			lines := strings.SplitAfter(tape.String(), "\n")
			slices.Sort(lines)
			for _, text := range []string{tape.String(), strings.Join(lines, "")} {
				tp, err := OpenTape(strings.NewReader(text), "tape")
				if err != nil {
					t.Fatal(err)
				}
				again, err := resolve(t, tp, domains...)
				if err != nil {
					t.Fatal(err)
				}
				for _, d := range domains {
					a, _ := json.Marshal(got[d])
					b, _ := json.Marshal(again[d])
					if !bytes.Equal(a, b) {
						t.Errorf("%d resolvers, %q: the recording differs:\n%s\n%s", n, first, a, b)
					}
				}
			}
		}
	}
}

func writeFile(tb testing.TB, path, text string) {
	tb.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
}

// TestPolite counts queries: one for each (name, type), none for special-use
// names, never above the rate.
func TestPolite(t *testing.T) {
	var zone strings.Builder
	var domains []string
	zone.WriteString("mx.shared.com. A 198.41.0.4\n")
	for i := range 300 {
		d := fmt.Sprintf("d%d.com", i)
		domains = append(domains, d)
		fmt.Fprintf(&zone, "%s. MX 10 mx.shared.com.\n", d)
	}
	srv := dnstest.Start(t, zone.String())
	special := []string{"a.test", "b.invalid", "c.onion", "d.local", "example.com", "printer.home.arpa"}
	start := time.Now()
	r := &Resolver{Servers: []string{srv.Addr}, Rate: 300}
	if _, err := resolve(t, r, append(domains, special...)...); err != nil {
		t.Fatal(err)
	}
	queries := srv.Queries()
	if most := time.Since(start).Seconds()*300*1.05 + 10; float64(len(queries)) > most {
		t.Errorf("%d queries in %v, at 300 a second", len(queries), time.Since(start))
	}
	seen := map[string]int{}
	for _, q := range queries {
		seen[q]++
		name, _, _ := strings.Cut(q, " ")
		if slices.Contains(special[:4], name) || strings.HasSuffix(name, ".arpa") {
			t.Errorf("asked for a special-use name: %s", q)
		}
	}
	again := 0
	for q, n := range seen {
		if n > 1 && !slices.Contains(defaultCanaries, strings.TrimSuffix(q, " MX")) && q != "example.com MX" {
			again += n - 1
		}
	}
	if float64(again) > 0.05*float64(len(seen)) {
		t.Errorf("%d of %d questions asked twice", again, len(seen))
	}
	if n := srv.Count("mx.shared.com", "A"); n != 1 {
		t.Errorf("the shared mail host was asked for %d times", n)
	}
}

// TestAnomaly: a resolver that suddenly denies half of the list, and does not
// stand by it over TCP, condemns nobody.
func TestAnomaly(t *testing.T) {
	var lying, truth strings.Builder
	var domains []string
	for i := range 300 {
		d := fmt.Sprintf("d%d.com", i)
		domains = append(domains, d)
		fmt.Fprintf(&truth, "%s. MX 10 mx.shared.com.\n", d)
		if i%2 == 0 {
			fmt.Fprintf(&lying, "%s. MX 10 mx.shared.com.\n", d)
		}
	}
	host := "mx.shared.com. A 198.41.0.4\n"
	srv := dnstest.Start(t, lying.String()+host)
	srv.Fixed(truth.String() + host) // over TCP
	r := &Resolver{Servers: []string{srv.Addr}}
	got, err := resolve(t, r, domains...)
	if !errors.Is(err, ErrUnusable) {
		t.Errorf("error %v, want ErrUnusable", err)
	}
	for _, d := range domains {
		if a := got[d]; a.Verdict == validate.DoesNotAccept {
			t.Fatalf("condemned: %+v", a)
		}
	}
	if got["d1.com"].Reason != "dns_anomaly" {
		t.Errorf("%+v", got["d1.com"])
	}

	// Where the denials stand, a bad list is a bad list.
	srv = dnstest.Start(t, lying.String()+host)
	if got, err = resolve(t, &Resolver{Servers: []string{srv.Addr}}, domains...); err != nil || got["d1.com"].Reason != "domain_not_found" {
		t.Errorf("%v %+v", err, got["d1.com"])
	}
}

func TestBudget(t *testing.T) {
	srv := dnstest.Start(t, "! * * timeout\n")
	var domains []string
	for i := range 50 {
		domains = append(domains, fmt.Sprintf("d%d.com", i))
	}
	start := time.Now()
	r := &Resolver{Servers: []string{srv.Addr}, Budget: 100 * time.Millisecond}
	got, err := resolve(t, r, domains...)
	if !errors.Is(err, ErrUnusable) || time.Since(start) > 12*time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
	for _, a := range got {
		if a.Reason != "dns_budget" {
			t.Fatalf("%+v", a)
		}
	}
}

func TestCancel(t *testing.T) {
	srv := dnstest.Start(t, "! * * timeout\n")
	ctx, cancel := context.WithCancel(t.Context())
	in := make(chan string, 1)
	in <- "acme.com"
	done := make(chan error)
	go func() {
		done <- (&Resolver{Servers: []string{srv.Addr}}).Resolve(ctx, in, func(validate.Answer) {})
	}()
	time.Sleep(20 * time.Millisecond)
	cancel()
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	case <-time.After(2 * time.Second):
		t.Error("does not end when cancelled")
	}
}

// resolverFunc is a Resolver from a function.
type resolverFunc func(<-chan string, func(validate.Answer)) error

func (f resolverFunc) Resolve(_ context.Context, in <-chan string, each func(validate.Answer)) error {
	return f(in, each)
}
