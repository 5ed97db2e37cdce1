package dnsmx

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/winnow-email/winnow/validate"
	"github.com/winnow-email/winnow/validate/dnsmx/dnstest"
)

// lyingModes are the ways in which resolvers lie about domains that are alive.
var lyingModes = strings.Split("deny|selfdeny|selfempty|adguard|adguardempty|zonedeny|rpz|referral|nxdomain|nxdomain ede=15|"+
	"empty|nosoa|nora|servfail|refused|formerr|notimp|timeout|garbage|truncated|tcpdead|lying|echo|wrongid|wrongname|wrongowner|"+
	"zero|host=0.0.0.0|host=127.0.0.1 ttl=0|host=127.0.0.1 ttl=2|host=10.0.0.1|a=0.0.0.0|a=127.0.0.1 ttl=2|a=198.41.0.4|alias=blocked.invalid", "|")

// flawless lies cannot be told from the truth but by the canaries, or by a
// resolver that says otherwise.
var flawless = strings.Split("gone|nothing|host=127.0.0.1|nullmx|mx=localhost|mx=mx.invalid|mx=gone.net|alias=gone.net", "|")

// living returns n domains that are alive, in a zone text.
func living(n int) (domains []string, zone string) {
	var b strings.Builder
	tlds := strings.Fields("com net org de co.uk")
	for i := range n {
		d := fmt.Sprintf("living%d.%s", i, tlds[i%len(tlds)])
		domains = append(domains, d)
		switch i % 4 {
		case 0, 1:
			fmt.Fprintf(&b, "%s. MX 10 mx.%s.\nmx.%s. A 198.41.0.4\n", d, d, d)
		case 2:
			fmt.Fprintf(&b, "%s. MX 10 mx.shared.net.\n", d)
		case 3:
			fmt.Fprintf(&b, "%s. A 198.41.0.4\n", d)
		}
	}
	return domains, b.String() + "mx.shared.net. A 198.41.0.4\n"
}

// TestLyingResolvers: whatever a resolver says of domains that are alive, none of
// them is condemned, neither by it alone nor beside an honest one. To the canaries
// it lies like to the rest, or it tells them the truth, as a filter does.
func TestLyingResolvers(t *testing.T) {
	t.Parallel()
	domains, truth := living(20)
	for _, mode := range append(lyingModes, flawless...) {
		var listed strings.Builder
		for _, d := range append(domains, "mx.shared.net") {
			fmt.Fprintf(&listed, "! *.%s * %s\n", d, mode)
		}
		for about, lie := range map[string]string{"everything": "! * * " + mode + "\n" + truth, "the list": listed.String() + truth} {
			for _, zones := range [][]string{{lie}, {lie, truth}, {truth, lie}, {lie, lie}} {
				if about == "the list" && slices.Contains(flawless, mode) && !slices.Contains(zones, truth) {
					continue
				}
				bubble(t, func(t *testing.T) {
					got, _ := resolve(t, offline(t, new(Resolver), zones...), domains...)
					for _, d := range domains {
						if a := got[d]; a.Verdict == validate.DoesNotAccept {
							t.Errorf("%s about %s, %d resolvers: %s is condemned: %s %v", mode, about, len(zones), d, a.Reason, a.Evidence)
						}
					}
				})
			}
		}
	}
}

// TestFlappingDenial: a resolver that denies some of its questions, with all the
// proof there is, and answers them at another time. Beside the living there are dead
// domains: where it is sound again they are condemned.
func TestFlappingDenial(t *testing.T) {
	t.Parallel()
	rounds := 3
	if longRounds {
		rounds = 30
	}
	seed := uint64(0)
	for _, n := range []int{1, 5, 90} {
		domains, truth := living(n)
		most := 50
		if n < 90 {
			most = 20 // the fewer domains, the less is known of the resolver: in one of a thousand runs of one domain at 50% it is not caught
		}
		for _, mode := range []string{"gone", "nothing", "nullmx", "host=127.0.0.1"} {
			for percent := 10; percent <= most; percent += 10 {
				lie := fmt.Sprintf("! * * %s flaky=%d\n", mode, percent) + truth
				for _, zones := range [][]string{{lie}, {lie, truth}, {truth, lie}, {lie, lie}} {
					for range rounds {
						seed++
						bubble(t, func(t *testing.T) {
							var servers []*dnstest.Server
							for i, z := range zones {
								s, err := dnstest.Offline(z)
								if err != nil {
									t.Fatal(err)
								}
								s.Seed(seed, uint64(i))
								servers = append(servers, s)
							}
							got, _ := resolve(t, at(new(Resolver), servers...), domains...)
							for _, d := range domains {
								if a := got[d]; a.Verdict == validate.DoesNotAccept {
									t.Errorf("%s %d%% of %d domains, %d resolvers, seed %d: %s is condemned: %s %v", mode, percent, n, len(zones), seed, d, a.Reason, a.Evidence)
								}
							}
						})
					}
				}
			}
		}
	}
}

// TestDeniedTwice: a denial of the only resolver is asked for once more, over TCP,
// and stands when it is told again; so does a null MX.
func TestDeniedTwice(t *testing.T) {
	for zone, want := range map[string]string{
		"": "domain_not_found", "gone.com. MX 0 .\n": "domain_null_mx",
		"! gone.com MX once=gone\ngone.com. MX 1 mx.gone.com.\nmx.gone.com. A 198.41.0.4\n":   "dns_disagree",
		"! gone.com MX once=nullmx\ngone.com. MX 1 mx.gone.com.\nmx.gone.com. A 198.41.0.4\n": "dns_disagree",
		"! gone.com MX once=gone\n! gone.com MX servfail\n":                                   "dns_servfail",
	} {
		bubble(t, func(t *testing.T) {
			s, err := dnstest.Offline(zone)
			if err != nil {
				t.Fatal(err)
			}
			got, _ := resolve(t, at(new(Resolver), s), "gone.com")
			if got["gone.com"].Reason != want {
				t.Errorf("%q: %s, want %s", zone, got["gone.com"].Reason, want)
			}
			if n := strings.Count(strings.Join(s.Queries(), "\n"), "gone.com MX/tcp"); n == 0 {
				t.Errorf("%q: not asked over TCP", zone)
			}
		})
	}
	// A resolver that does not speak TCP is asked over UDP.
	bubble(t, func(t *testing.T) {
		s, err := dnstest.Offline("")
		if err != nil {
			t.Fatal(err)
		}
		s.Fixed("! * * timeout\n")
		got, err := resolve(t, at(new(Resolver), s), "gone.com")
		if got["gone.com"].Reason != "domain_not_found" {
			t.Errorf("%+v, %v", got["gone.com"], err)
		}
	})
}

// TestShowsNoZones: a resolver that has no SOA records to show, as small servers of
// a world of their own are, still proves what it denies.
func TestShowsNoZones(t *testing.T) {
	for _, rule := range []string{"! * SOA gone\n", "! * SOA selfempty\n", "! * SOA selfdeny\n", "! * SOA refused\n", "! * SOA timeout\n"} {
		bubble(t, func(t *testing.T) {
			got, _ := resolve(t, offline(t, new(Resolver), rule+"none.com. TXT here\nnohost.com. MX 1 mx.nohost.com.\nmx.nohost.com. TXT here\n"), "none.com", "nohost.com", "gone.com")
			for d, want := range map[string]string{"none.com": "domain_no_mail_host", "nohost.com": "mx_unresolvable", "gone.com": "domain_not_found"} {
				if got[d].Reason != want {
					t.Errorf("%q: %s is %s, want %s: %v", rule, d, got[d].Reason, want, got[d].Evidence)
				}
			}
		})
	}
}

// TestBrokenResolver is property P2: whatever a resolver does to every query,
// nothing is condemned by what it says.
func TestBrokenResolver(t *testing.T) {
	t.Parallel()
	all, zone, domains := scenarios(t)
	asked := slices.DeleteFunc(slices.Clone(domains), func(d string) bool { return precheck(d) != "" })
	broken := slices.DeleteFunc(slices.Clone(lyingModes), func(mode string) bool { return mode == "truncated" }) // which it is not
	for _, mode := range append(broken, "truth ede=16", "nx=198.41.0.4", "nx=10.0.0.1", "truth ede=4") {
		lie := "! * * " + mode + "\n" + zone
		for _, zones := range [][]string{{lie}, {lie, lie}, {lie, zone}, {zone, lie}} {
			if !longRounds && len(mode)%2 == len(zones[0])%2 && slices.Contains(zones, zone) {
				continue // one order of the two
			}
			bubble(t, func(t *testing.T) {
				r := offline(t, new(Resolver), zones...)
				got, err := resolve(t, r, asked...)
				sound := slices.Contains(zones, zone)
				if !sound && err == nil {
					t.Errorf("%s: no error; %+v", mode, r.Stats())
				}
				for _, s := range all {
					if a, ok := got[s.domain]; ok && a.Verdict == validate.DoesNotAccept && (!sound || s.verdict != validate.DoesNotAccept) {
						t.Errorf("%s/%d: %s: wrongly condemned: %+v", mode, len(zones), s.domain, a)
					}
				}
			})
		}
	}
}

// TestFlapping lets a resolver fail more and more of its queries: verdicts may
// become unknown, never wrong.
func TestFlapping(t *testing.T) {
	t.Parallel()
	all, zone, domains := scenarios(t)
	for _, mode := range []string{"servfail", "refused", "timeout", "empty", "nxdomain", "wrongid", "wrongname", "referral"} {
		for percent := 10; percent <= 100; percent += 30 {
			bubble(t, func(t *testing.T) {
				got, _ := resolve(t, offline(t, new(Resolver), fmt.Sprintf("! * * %s flaky=%d\n%s", mode, percent, zone)), domains...)
				for _, sc := range all {
					a := got[sc.domain]
					if a.Verdict != validate.Unknown && a.Verdict != sc.verdict && sc.verdict != validate.Unknown ||
						a.Verdict == validate.DoesNotAccept && sc.verdict == validate.Unknown {
						t.Errorf("%s/%d: %s: got %s %s, want %s or unknown", mode, percent, sc.domain, a.Verdict, a.Reason, sc.verdict)
					}
				}
			})
		}
	}
}

// TestManyHosts: a domain with thousands of mail hosts costs a few questions and is
// told of in a few words, and sixty of them do not keep a run from ending.
func TestManyHosts(t *testing.T) {
	t.Parallel()
	var zone strings.Builder
	var domains []string
	for i := range 60 {
		d := fmt.Sprintf("many%d.com", i)
		domains = append(domains, d)
		fmt.Fprintf(&zone, "$GENERATE 1-2500 %s. MX 10 h$.%s.\n", d, d)
		if i%2 == 1 {
			fmt.Fprintf(&zone, "! *.%s A timeout\n! *.%s AAAA timeout\n", d, d)
		}
	}
	bubble(t, func(t *testing.T) {
		r := offline(t, new(Resolver), zone.String())
		start := time.Now()
		got, err := resolve(t, r, domains...)
		if err != nil {
			t.Error(err)
		}
		for _, d := range domains {
			a := got[d]
			if a.Verdict != validate.Unknown || len(AppendTable(nil, a)) > 4<<10 || len(a.MX) > maxHosts {
				t.Errorf("%s: %s %s, %d octets, %d hosts", d, a.Verdict, a.Reason, len(AppendTable(nil, a)), len(a.MX))
			}
		}
		if q := r.Stats().Queries; q > 60*3*maxHosts {
			t.Errorf("%d queries", q)
		}
		if d := time.Since(start); d > 3*time.Minute {
			t.Errorf("the run took %v", d)
		}
	})
}
