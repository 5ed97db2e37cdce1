package dnsmx

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/winnow-email/winnow/validate"
	"github.com/winnow-email/winnow/validate/dnsmx/dnstest"
)

const alive = "alive.com. MX 10 mx.alive.com.\nmx.alive.com. A 198.41.0.4\n"

// days runs a resolver with a cache on days that the test chooses.
type days struct {
	t     *testing.T
	srv   *dnstest.Server
	r     *Resolver
	start time.Time
}

func newDays(t *testing.T, zone string) *days {
	srv, err := dnstest.Offline(alive + zone)
	if err != nil {
		t.Fatal(err)
	}
	d := &days{t: t, srv: srv, start: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)} // as a bubble has it
	d.r = at(&Resolver{Cache: filepath.Join(t.TempDir(), "dns"), SuppressPersistent: true}, srv)
	return d
}

// run asks on a day for domains in a zone, and returns the answers.
func (d *days) run(day int, zone string, domains ...string) map[string]validate.Answer {
	d.t.Helper()
	if err := d.srv.Load(alive + zone); err != nil {
		d.t.Fatal(err)
	}
	d.r.clock = func() time.Time { return d.start.AddDate(0, 0, day) }
	var got map[string]validate.Answer
	bubble(d.t, func(t *testing.T) { got, _ = resolve(t, d.r, domains...) })
	return got
}

// TestPersistentFailure: only the fifth day on which the domain's own servers
// fail condemns, and only with the flag.
func TestPersistentFailure(t *testing.T) {
	const dead = "dead.com. MX 10 mx.dead.com.\nmx.dead.com. A 198.41.0.4\n"
	const fails = dead + "! dead.com * servfail\n"
	type step struct {
		day    int
		zone   string
		domain string // also asked for
		want   string // reason for dead.com; with the number of days, if told
	}
	first4 := []step{{0, fails, "", "dns_servfail 1"}, {1, fails, "", "dns_servfail 2"}, {2, fails, "", "dns_servfail 3"}, {3, fails, "", "dns_servfail 4"}}
	after := func(more ...step) []step { return append(append([]step(nil), first4...), more...) }
	for name, steps := range map[string][]step{
		"five days":           after(step{4, fails, "", "dns_persistent_failure 5"}, step{5, fails, "", "dns_persistent_failure 6"}),
		"one day counts once": after(step{3, fails, "", "dns_servfail 4"}, step{3, fails, "", "dns_servfail 4"}, step{4, fails, "", "dns_persistent_failure 5"}),
		"gaps do not count":   {{0, fails, "", "dns_servfail 1"}, {2, fails, "", "dns_servfail 2"}, {9, fails, "", "dns_servfail 3"}, {10, fails, "", "dns_servfail 4"}, {40, fails, "", "dns_persistent_failure 5"}},
		"an answer resets":    after(step{4, dead, "", "mx_ok"}, step{20, fails, "", "dns_servfail 1"}),
		// A negative TTL of 0 lets nothing be kept, and resets all the same.
		"a denial resets":           after(step{4, "com. SOA a.com. b.com. 1 2 3 4 0\n", "", "domain_not_found"}, step{5, fails, "", "dns_servfail 1"}),
		"own words reset":           after(step{4, "dead.com. MX 10 192.0.2.1.\n", "", "mx_ip_literal"}, step{5, fails, "", "dns_servfail 1"}),
		"another reason goes on":    after(step{4, dead + "! dead.com * timeout\n", "", "dns_persistent_failure 5"}),
		"mail hosts count":          after(step{4, dead + "! mx.dead.com * servfail\n", "", "dns_persistent_failure 5"}),
		"no answer to anything":     after(step{4, "! * * servfail\n", "", "dns_servfail"}, step{5, fails, "", "dns_persistent_failure 5"}),
		"canaries fail":             after(step{4, fails + "! gmail.com * deny\n! outlook.com * deny\n! example.com * servfail\n", "", "dns_servfail"}, step{5, fails, "", "dns_persistent_failure 5"}),
		"refused is the resolver's": after(step{4, dead + "! dead.com * refused\n", "", "dns_refused"}, step{5, fails, "", "dns_persistent_failure 5"}),
		"filtered is the resolver's": after(step{4, dead + "! dead.com * servfail ede=15\n", "", "dns_filtered"},
			step{5, "! dead.com * nosoa\n", "", "dns_negative_unproven"}, step{6, fails, "", "dns_persistent_failure 5"}),
		"a clock set back": {{10, fails, "", "dns_servfail 1"}, {0, fails, "", "dns_servfail 1"}, {1, fails, "", "dns_servfail 2"}},
		"other domains run meanwhile": {{0, fails, "", "dns_servfail 1"}, {1, fails, "", "dns_servfail 2"}, {2, fails, "", "dns_servfail 3"}, {3, fails, "", "dns_servfail 4"},
			{4, fails, "alive.com", ""}, {5, fails, "", "dns_persistent_failure 5"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDays(t, "")
			for _, s := range steps {
				ask := s.domain
				if ask == "" {
					ask = "dead.com"
				}
				a := d.run(s.day, s.zone, ask)["dead.com"]
				if got := toldDays(a); got != s.want {
					t.Fatalf("day %d: %q, want %q: %s", s.day, got, s.want, asJSON(t, a))
				}
				if (a.Verdict == validate.DoesNotAccept) != (a.Reason == "dns_persistent_failure" || a.Reason == "domain_not_found") {
					t.Fatalf("day %d: %+v", s.day, a)
				}
			}
		})
	}
}

// toldDays is the reason of an answer, and the number of days in its evidence.
func toldDays(a validate.Answer) string {
	for _, e := range a.Evidence {
		var n int
		if _, err := fmt.Sscanf(e.What, "unknown on %d day", &n); err == nil {
			return fmt.Sprintf("%s %d", a.Reason, n)
		}
	}
	return a.Reason
}

// Without the flag nobody is condemned, but the days are remembered and told.
func TestPersistentNeedsFlag(t *testing.T) {
	const fails = "! dead.com * servfail\n"
	d := newDays(t, "")
	d.r.SuppressPersistent = false
	var a validate.Answer
	for day := range 7 {
		a = d.run(day, fails, "dead.com", "alive.com")["dead.com"]
		if a.Verdict != validate.Unknown || a.Reason != "dns_servfail" {
			t.Fatalf("day %d: %+v", day, a)
		}
	}
	want := "unknown on 7 days since " + d.start.UTC().Format(time.DateOnly)
	if last := a.Evidence[len(a.Evidence)-1]; last.What != want || last.From != "cache" {
		t.Errorf("got %+v, want %s", last, want)
	}

	// The cache shows no verdict, also after a run with the flag.
	d.r.SuppressPersistent = true
	if a := d.run(7, fails, "dead.com")["dead.com"]; a.Reason != "dns_persistent_failure" {
		t.Fatalf("%+v", a)
	}
	if err := ReadCache(d.r.Cache, func(a validate.Answer, _ time.Time) error {
		if a.Domain == "dead.com" {
			t.Errorf("kept: %+v", a)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}

	// Forgotten is forgotten.
	bubble(t, func(t *testing.T) {
		if n, err := ForgetCache(d.r.Cache, func(s string) bool { return s == "dead.com" }); n != 1 || err != nil {
			t.Errorf("%d forgotten, %v", n, err)
		}
	})
	if a := d.run(8, fails, "dead.com")["dead.com"]; toldDays(a) != "dns_servfail 1" {
		t.Errorf("%+v", a)
	}

	// A recording has no days: it must say the same when it is replayed.
	var rec strings.Builder
	d.r.Record = &rec
	before, _ := os.ReadFile(d.r.Cache)
	if a := d.run(9, fails, "dead.com")["dead.com"]; toldDays(a) != "dns_servfail" {
		t.Errorf("%+v", a)
	}
	if after, _ := os.ReadFile(d.r.Cache); string(before) != string(after) {
		t.Error("a recording run wrote the cache")
	}
}

// When a large part of a list fails, it is hardly the fault of the domains.
func TestPersistentTooMany(t *testing.T) {
	var zone strings.Builder
	var domains []string
	for i := range gateDomains {
		domains = append(domains, fmt.Sprintf("d%d.com", i))
		fmt.Fprintf(&zone, "d%d.com. MX 10 mx.alive.com.\n", i)
		if i%5 == 0 {
			fmt.Fprintf(&zone, "! d%d.com * servfail\n", i)
		}
	}
	d := newDays(t, "")
	for day := range 6 {
		for n, a := range d.run(2*day, zone.String(), domains...) {
			if a.Verdict == validate.DoesNotAccept || strings.Contains(toldDays(a), " ") {
				t.Fatalf("day %d: %s: %+v", 2*day, n, a)
			}
		}
	}
}

// TestAnomalyJump: when three times as many domains are condemned as in the run
// before, long before they are a sixth of the list, one that is alive at a second look
// acquits them all.
func TestAnomalyJump(t *testing.T) {
	const host = "mx.shared.com. A 198.41.0.4\n"
	var domains []string
	for i := range 300 {
		domains = append(domains, fmt.Sprintf("d%d.com", i))
	}
	zone := func(dead int, but ...int) string {
		var b strings.Builder
		for i := range 300 {
			if i >= dead || slices.Contains(but, i) {
				fmt.Fprintf(&b, "d%d.com. MX 10 mx.shared.com.\n", i)
			}
		}
		return b.String() + host
	}
	for _, tt := range []struct {
		before, now int
		want        string
	}{
		{6, 18, "domain_not_found"}, // exactly three times
		{6, 19, "dns_anomaly"},
		{0, 1, "dns_disagree"},       // that one itself
		{-1, 40, "domain_not_found"}, // no run before
		{-1, 46, "dns_anomaly"},      // more than 15% of all
	} {
		d := newDays(t, "")
		if tt.before >= 0 {
			d.run(0, zone(tt.before), domains...)
		}
		last := fmt.Sprintf("d%d.com", tt.now-1)
		if err := d.srv.Fixed(alive + zone(tt.now, tt.now-1)); err != nil { // over TCP one is alive
			t.Fatal(err)
		}
		got := d.run(30, zone(tt.now), domains...)
		if a := got["d0.com"]; a.Reason != tt.want {
			t.Errorf("%d condemned after %d: %s, want %s", tt.now, tt.before, a.Reason, tt.want)
		}
		if a := got[last]; a.Reason != "dns_disagree" {
			t.Errorf("%d condemned after %d: %s, want dns_disagree", tt.now, tt.before, a.Reason)
		}
		// A run that was not believed, or that is small, is no measure for the next.
		d.run(60, zone(1), "d0.com", "d1.com")
		c, err := readCache(d.r.Cache, 0)
		if err != nil {
			t.Fatal(err)
		}
		want := share{300, uint32(tt.now - 1)}
		if tt.want != "domain_not_found" {
			want = share{300, uint32(tt.before)}
			if tt.before < 0 {
				want = share{}
			}
		}
		if c.share != want {
			t.Errorf("%d condemned after %d: the next run starts from %+v, want %+v", tt.now, tt.before, c.share, want)
		}
	}
}
