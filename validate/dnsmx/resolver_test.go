package dnsmx

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/winnow-email/winnow/validate"
	"github.com/winnow-email/winnow/validate/dnsmx/dnstest"
)

// TestPolite counts queries: one for each (name, type), none for special-use
// names, names that do not exist where they are in no one's way.
func TestPolite(t *testing.T) {
	var zone strings.Builder
	var domains []string
	zone.WriteString("mx.shared.com. A 198.41.0.4\n")
	for i := range 300 {
		d := fmt.Sprintf("d%d.com", i)
		domains = append(domains, d)
		fmt.Fprintf(&zone, "%s. MX 10 mx.shared.com.\n", d)
	}
	special := []string{"a.test", "b.invalid", "c.onion", "d.local", "example.com", "printer.home.arpa"}
	srv, err := dnstest.Offline(zone.String())
	if err != nil {
		t.Fatal(err)
	}
	bubble(t, func(t *testing.T) {
		if _, err := resolve(t, at(new(Resolver), srv), append(domains, special...)...); err != nil {
			t.Fatal(err)
		}
	})
	seen := map[string]int{}
	for _, q := range srv.Queries() {
		seen[q]++
		name, _, _ := strings.Cut(q, " ")
		if slices.Contains(special[:4], name) || strings.HasSuffix(name, ".arpa") {
			t.Errorf("asked for a special-use name: %s", q)
		}
		switch {
		case slices.Contains(domains, name), slices.Contains(defaultCanaries, name), name == "mx.shared.com", name == "example.com":
		case strings.HasSuffix(name, ".example.com"), strings.HasSuffix(name, ".invalid"), name == "zz--nobody.com":
		default:
			t.Errorf("asked for %s", q)
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

// TestRate: in no second are there more queries than the rate allows, with all that
// is sent: canaries, retries, and over TCP.
func TestRate(t *testing.T) {
	t.Parallel()
	for _, rate := range []float64{0.5, 1, 7, 50, 300} {
		for _, zone := range []string{"", "! * * flaky=20 timeout\n", "! * * flaky=30 truncated\n", "! * * flaky=50 formerr\n"} {
			domains, truth := living(min(200, int(rate)*8+3))
			for i := range domains {
				if i%3 == 0 {
					domains[i] = "gone-" + domains[i] // asked for twice
				}
			}
			srv, err := dnstest.Offline(zone + truth)
			if err != nil {
				t.Fatal(err)
			}
			bubble(t, func(t *testing.T) { resolve(t, at(&Resolver{Rate: rate}, srv), domains...) })
			times := srv.Times()
			if len(times) < len(domains) {
				t.Fatalf("%d queries for %d domains", len(times), len(domains))
			}
			most := 0
			for i, j := 0, 0; j < len(times); j++ {
				for times[j].Sub(times[i]) >= time.Second {
					i++
				}
				most = max(most, j-i+1)
			}
			if float64(most) > max(1, rate) {
				t.Errorf("%q: %d queries in a second, at a rate of %v", zone, most, rate)
			}
			// And the rate is made use of, where nothing is lost.
			if took := times[len(times)-1].Sub(times[0]).Seconds(); zone == "" && took > float64(len(times))/rate*1.2+1 {
				t.Errorf("%d queries took %.1f seconds, at a rate of %v", len(times), took, rate)
			}
		}
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
	srv, err := dnstest.Offline(lying.String() + host)
	if err != nil {
		t.Fatal(err)
	}
	srv.Fixed(truth.String() + host) // over TCP
	bubble(t, func(t *testing.T) {
		got, err := resolve(t, at(new(Resolver), srv), append(domains, "gone.com")...)
		if !errors.Is(err, ErrUnusable) {
			t.Errorf("error %v, want ErrUnusable", err)
		}
		for _, d := range domains {
			if a := got[d]; a.Verdict == validate.DoesNotAccept {
				t.Fatalf("condemned: %+v", a)
			}
		}
		if got["d1.com"].Reason != "dns_disagree" || got["gone.com"].Reason != "dns_anomaly" {
			t.Errorf("%+v, %+v", got["d1.com"], got["gone.com"])
		}
	})

	// Where the denials stand, a bad list is a bad list.
	bubble(t, func(t *testing.T) {
		if got, err := resolve(t, offline(t, new(Resolver), lying.String()+host), domains...); err != nil || got["d1.com"].Reason != "domain_not_found" {
			t.Errorf("%v %+v", err, got["d1.com"])
		}
	})
}

// TestBudget: when the time is over nobody is asked any more; what was denied
// before was asked for once more by then.
func TestBudget(t *testing.T) {
	var domains []string
	for i := range 50 {
		domains = append(domains, fmt.Sprintf("d%d.com", i))
	}
	bubble(t, func(t *testing.T) {
		start := time.Now()
		got, err := resolve(t, offline(t, &Resolver{Budget: time.Second}, "! * * timeout\n"), domains...)
		if d := time.Since(start); !errors.Is(err, ErrUnusable) || d > 12*time.Second {
			t.Errorf("%v after %v", err, d)
		}
		for _, a := range got {
			if a.Reason != "dns_budget" {
				t.Fatalf("%+v", a)
			}
		}
	})
	bubble(t, func(t *testing.T) {
		start := time.Now()
		r := offline(t, &Resolver{Budget: 4 * time.Second, Rate: 10}, "")
		got, err := resolve(t, r, domains...)
		if d := time.Since(start); !errors.Is(err, ErrUnusable) || !strings.Contains(err.Error(), "its time (4s) was over") || d > 6*time.Second {
			t.Errorf("%v after %v", err, d)
		}
		n := map[string]int{}
		for _, a := range got {
			n[a.Reason]++
		}
		if n["domain_not_found"] < 5 || n["dns_budget"] < 5 || len(n) != 2 {
			t.Errorf("%v", n)
		}
	})
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
