package dnsmx

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/winnow-email/winnow/validate"
	"github.com/winnow-email/winnow/validate/dnsmx/dnstest"
)

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

const (
	testTimeout  = 60 * time.Millisecond  // where only what must not be is looked at
	exactTimeout = 200 * time.Millisecond // where a busy machine must not make a difference
)

// TestScenarios asks for all scenarios on real sockets.
func TestScenarios(t *testing.T) {
	all, zone, domains := scenarios(t)
	for _, tcpOnly := range []bool{false, true} {
		for n := 1; n <= 2; n++ {
			t.Run(fmt.Sprintf("tcp=%v/resolvers=%d", tcpOnly, n), func(t *testing.T) {
				t.Parallel()
				r := &Resolver{Timeout: exactTimeout}
				for range n {
					s, err := dnstest.New(zone)
					if err != nil {
						t.Fatal(err)
					}
					if tcpOnly {
						s.TCPOnly()
					}
					t.Cleanup(s.Close)
					r.Servers = append(r.Servers, s.Addr)
				}
				got, err := resolve(t, r, domains...)
				if err != nil {
					t.Error(err)
				}
				if tcpOnly { // what does not come over TCP either was cut
					for d, a := range got {
						if a.Reason == "dns_truncated" {
							a.Reason = "dns_timeout"
							got[d] = a
						}
					}
					all := slices.Clone(all)
					i := slices.IndexFunc(all, func(s scenario) bool { return s.reason == "dns_truncated" })
					all[i].reason = "dns_timeout"
					judged(t, all, got, true)
					return
				}
				judged(t, all, got, true)
			})
		}
	}
}

// TestScenariosAlone asks for each scenario in a run of its own, at several
// settings of concurrency, and in reverse order (property P3).
func TestScenariosAlone(t *testing.T) {
	all, zone, domains := scenarios(t)
	s := dnstest.Start(t, zone)
	if !testing.Short() {
		t.Run("alone", func(t *testing.T) {
			for _, sc := range all {
				t.Run(sc.domain, func(t *testing.T) {
					t.Parallel()
					// A server of its own, for what it does once it does for each.
					s := dnstest.Start(t, zone)
					got, err := resolve(t, &Resolver{Servers: []string{s.Addr}, Timeout: exactTimeout}, sc.domain)
					if err != nil {
						t.Error(err)
					}
					judged(t, []scenario{sc}, got, true)
				})
			}
		})
	}
	for _, c := range []int{1, 20000} {
		if c == 1 && testing.Short() {
			continue
		}
		slices.Reverse(domains)
		if err := s.Load(zone); err != nil { // what happens once happens again
			t.Fatal(err)
		}
		got, err := resolve(t, &Resolver{Servers: []string{s.Addr}, Timeout: exactTimeout, Concurrency: c}, domains...)
		if err != nil {
			t.Error(err)
		}
		judged(t, all, got, true)
	}
}

// together runs many waiting tests at once: they wait more than they work.
func together(t *testing.T, n int, run func(i int)) {
	t.Helper()
	var wg sync.WaitGroup
	slots := make(chan struct{}, 16)
	for i := range n {
		wg.Add(1)
		slots <- struct{}{}
		go func() {
			defer func() { <-slots; wg.Done() }()
			run(i)
		}()
	}
	wg.Wait()
}

// TestBrokenResolver is property P2: whatever a resolver does to every query,
// nothing is condemned by what it says.
func TestBrokenResolver(t *testing.T) {
	all, zone, domains := scenarios(t)
	asked := slices.DeleteFunc(slices.Clone(domains), func(d string) bool { return precheck(d) != "" })
	modes := []string{"servfail", "refused", "formerr", "notimp", "timeout", "garbage", "echo", "empty", "nosoa", "lying", "wrongid", "wrongname",
		"nora", "nxdomain", "deny", "tcpdead", "nxdomain ede=15", "truth ede=16", "a=0.0.0.0", "a=198.41.0.4", "nx=198.41.0.4", "nx=10.0.0.1"}
	setups := []string{"broken", "broken broken", "broken sound", "sound broken"}
	together(t, len(modes)*len(setups), func(i int) {
		mode, setup := modes[i/len(setups)], setups[i%len(setups)]
		r := &Resolver{Timeout: testTimeout}
		for _, w := range strings.Fields(setup) {
			z := zone
			if w == "broken" {
				z = "! * * " + mode + "\n" + zone
			}
			r.Servers = append(r.Servers, dnstest.Start(t, z).Addr)
		}
		start := time.Now()
		got, err := resolve(t, r, asked...)
		if d := time.Since(start); d > 3*time.Second {
			t.Logf("%s/%s took %v %+v", mode, setup, d, r.Stats().Resolvers)
		}
		sound := strings.Contains(setup, "sound")
		if !sound && err == nil {
			t.Errorf("%s/%s: no error; %+v", mode, setup, r.Stats())
		}
		for _, s := range all {
			if a, ok := got[s.domain]; ok && a.Verdict == validate.DoesNotAccept && (!sound || s.verdict != validate.DoesNotAccept) {
				t.Errorf("%s/%s: %s: wrongly condemned: %+v", mode, setup, s.domain, a)
			}
		}
	})
}

// TestFlapping lets a resolver fail more and more of its queries: verdicts may
// become unknown, never wrong.
func TestFlapping(t *testing.T) {
	all, zone, domains := scenarios(t)
	modes := []string{"servfail", "timeout", "empty", "nxdomain"}
	together(t, len(modes)*11, func(i int) {
		mode, percent := modes[i/11], i%11*10
		s := dnstest.Start(t, fmt.Sprintf("! * * %s flaky=%d\n%s", mode, percent, zone))
		got, _ := resolve(t, &Resolver{Servers: []string{s.Addr}, Timeout: testTimeout}, domains...)
		for _, sc := range all {
			a := got[sc.domain]
			if a.Verdict != validate.Unknown && a.Verdict != sc.verdict && sc.verdict != validate.Unknown ||
				a.Verdict == validate.DoesNotAccept && sc.verdict == validate.Unknown {
				t.Errorf("%s/%d: %s: got %s %s, want %s or unknown", mode, percent, sc.domain, a.Verdict, a.Reason, sc.verdict)
			}
		}
	})
}

// TestReasonsGolden freezes the codes and their verdicts.
func TestReasonsGolden(t *testing.T) {
	want, err := os.ReadFile("testdata/reasons.golden")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	seen := map[string]bool{}
	for _, r := range reasons {
		fmt.Fprintf(&b, "%s %s\n", r.code, r.verdict)
		if seen[r.code] || r.detail == "" {
			t.Errorf("%s: twice, or without a sentence", r.code)
		}
		seen[r.code] = true
	}
	for _, r := range warnings {
		fmt.Fprintf(&b, "%s (warning)\n", r.code)
	}
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile("testdata/reasons.golden", []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if b.String() != string(want) {
		t.Errorf("testdata/reasons.golden differs; codes are frozen, new ones go there too:\n%s", b.String())
	}
	all, _, _ := scenarios(t)
	for _, s := range all {
		delete(seen, s.reason)
	}
	t.Logf("codes without a scenario: %v", slices.Sorted(maps.Keys(seen)))
}
