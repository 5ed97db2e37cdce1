package dnsmx

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/winnow-email/winnow/validate/dnsmx/dnstest"
)

// exactTimeout is for tests on sockets: a busy machine must not make a difference.
const exactTimeout = 200 * time.Millisecond

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
	t.Parallel()
	all, zone, domains := scenarios(t)
	for _, sc := range all {
		bubble(t, func(t *testing.T) {
			got, err := resolve(t, offline(t, new(Resolver), zone), sc.domain)
			if err != nil {
				t.Errorf("%s: %v", sc.domain, err)
			}
			judged(t, []scenario{sc}, got, true)
		})
	}
	for _, c := range []int{1, 7, 20000} {
		slices.Reverse(domains)
		bubble(t, func(t *testing.T) {
			got, err := resolve(t, offline(t, &Resolver{Concurrency: c}, zone), domains...)
			if err != nil {
				t.Error(err)
			}
			judged(t, all, got, true)
		})
	}
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
