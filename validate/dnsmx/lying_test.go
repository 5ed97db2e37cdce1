package dnsmx

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/winnow-email/winnow/validate"
	"github.com/winnow-email/winnow/validate/dnsmx/dnstest"
)

// lyingModes are the ways in which resolvers lie about domains that are alive.
var lyingModes = strings.Split("deny|selfdeny|selfempty|adguard|adguardempty|zonedeny|rpz|referral|nxdomain|nxdomain ede=15|"+
	"empty|nosoa|nora|servfail|refused|formerr|notimp|timeout|garbage|truncated|tcpdead|lying|echo|wrongid|wrongname|wrongowner|"+
	"zero|host=0.0.0.0|host=127.0.0.1 ttl=0|host=127.0.0.1 ttl=2|host=10.0.0.1|a=0.0.0.0|a=127.0.0.1 ttl=2|a=198.41.0.4", "|")

// flawless lies cannot be told from the truth but by the canaries, or by a
// resolver that says otherwise.
var flawless = strings.Split("gone|nothing|host=127.0.0.1|nullmx|mx=localhost|mx=mx.invalid|mx=gone.net", "|")

// TestLyingResolvers: whatever a resolver says of domains that are alive, none of
// them is condemned, neither by it alone nor beside an honest one.
func TestLyingResolvers(t *testing.T) {
	var zone strings.Builder
	var domains []string
	for i, tld := range strings.Fields(strings.Repeat("com net org de co.uk ", 4)) {
		d := fmt.Sprintf("living%d.%s", i, tld)
		domains = append(domains, d)
		switch i % 4 {
		case 0, 1:
			fmt.Fprintf(&zone, "%s. MX 10 mx.%s.\nmx.%s. A 198.41.0.4\n", d, d, d)
		case 2:
			fmt.Fprintf(&zone, "%s. MX 10 mx.shared.net.\nmx.shared.net. A 198.41.0.4\n", d)
		case 3:
			fmt.Fprintf(&zone, "%s. A 198.41.0.4\n", d)
		}
	}
	for _, mode := range append(lyingModes, flawless...) {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			var listed strings.Builder
			for _, d := range append(domains, "mx.shared.net") {
				fmt.Fprintf(&listed, "! *.%s * %s\n", d, mode)
			}
			// To the canaries it lies like to the rest, or it tells them the truth, as a filter does.
			for about, rules := range map[string]string{"everything": "! * * " + mode + "\n", "the list": listed.String()} {
				liar := dnstest.Start(t, rules+zone.String())
				honest := dnstest.Start(t, zone.String())
				setups := [][]string{{liar.Addr, honest.Addr}, {honest.Addr, liar.Addr}, {liar.Addr}}
				if about == "the list" && slices.Contains(flawless, mode) {
					setups = setups[:2]
				}
				for _, servers := range setups {
					got, _ := resolve(t, &Resolver{Servers: servers, Timeout: testTimeout}, domains...)
					for _, d := range domains {
						if a := got[d]; a.Verdict == validate.DoesNotAccept {
							t.Errorf("lies about %s, %d resolvers: %s is condemned: %s %v", about, len(servers), d, a.Reason, a.Evidence)
						}
					}
				}
			}
		})
	}
}
