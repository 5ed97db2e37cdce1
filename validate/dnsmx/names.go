package dnsmx

import (
	"net/netip"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// specialTLDs never name a mail domain on the public Internet: RFC 6761,
// RFC 6762 (local), RFC 7686 (onion must not even be asked for), RFC 9476 (alt),
// ICANN's internal, and arpa, whose names are not mail domains (RFC 3172).
var specialTLDs = map[string]bool{
	"invalid": true, "test": true, "localhost": true, "local": true, "onion": true,
	"example": true, "internal": true, "alt": true, "arpa": true,
}

// specialDomains are reserved below TLDs that are not (RFC 6761 section 6.5).
var specialDomains = []string{"example.com", "example.net", "example.org"}

// precheck returns the reason for which a domain is not asked for at all, or "".
func precheck(domain string) string {
	if domain == "" || len(domain) > 253 { // RFC 1035 section 2.3.4, in presentation form
		return "domain_syntax"
	}
	if domain[0] == '[' {
		return "domain_ip_literal"
	}
	if _, err := netip.ParseAddr(domain); err == nil {
		return "domain_ip_literal"
	}
	labels, start := 0, 0
	for i := 0; i <= len(domain); i++ {
		if i < len(domain) && domain[i] != '.' {
			c := domain[i]
			if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-') {
				return "domain_syntax" // RFC 5321 section 2.3.5: letters, digits, hyphens
			}
			continue
		}
		if n := i - start; n == 0 || n > 63 || domain[start] == '-' || domain[i-1] == '-' {
			return "domain_syntax"
		}
		labels++
		start = i + 1
	}
	if specialName(domain) {
		return "domain_special_use"
	}
	if labels < 2 {
		return "domain_not_fqdn"
	}
	return ""
}

// specialName says whether a name is a special-use name or below one.
func specialName(name string) bool {
	if specialTLDs[name[strings.LastIndexByte(name, '.')+1:]] {
		return true
	}
	for _, s := range specialDomains {
		if name == s || strings.HasSuffix(name, s) && name[len(name)-len(s)-1] == '.' {
			return true
		}
	}
	return false
}

// ownMachine says whether a name is that of the sender's own machine (RFC 6761
// section 6.3).
func ownMachine(name string) bool {
	return name == "localhost" || strings.HasSuffix(name, ".localhost")
}

// isTopLevel says whether a label is a top-level domain that is known to exist.
func isTopLevel(label string) bool {
	_, icann := publicsuffix.PublicSuffix(label)
	return icann
}

// isRegistry says whether names below a zone are registered by anybody: a top-level
// domain, or another public suffix of a registry.
func isRegistry(zone string) bool {
	suffix, icann := publicsuffix.PublicSuffix(zone)
	return strings.IndexByte(zone, '.') < 0 || icann && suffix == zone
}

// registered returns the domain below a registry that a name is in, "" for a registry.
func registered(name string) string {
	d, _ := publicsuffix.EffectiveTLDPlusOne(name)
	return d
}

// labelBelow returns the name one label below zone that name is, or is below.
func labelBelow(name, zone string) string {
	if name == zone {
		return name
	}
	rest := strings.TrimSuffix(name, "."+zone)
	return name[strings.LastIndexByte(rest, '.')+1:]
}

// secondLevel returns where in domain its last two labels start.
func secondLevel(domain string) int {
	i := strings.LastIndexByte(domain, '.')
	return strings.LastIndexByte(domain[:max(i, 0)], '.') + 1
}

// below says whether name is zone or below it; "." is above everything.
func below(name, zone string) bool {
	return zone == "." || name == zone || len(name) > len(zone) && name[len(name)-len(zone)-1] == '.' && strings.HasSuffix(name, zone)
}

// reach says from where an address can be reached.
type reach uint8

const (
	global   reach = iota
	private        // not from the public Internet
	loopback       // the sender's own machine, or no machine
)

// notGlobal lists the blocks that the IANA special-purpose registries (RFC
// 6890) mark as not globally reachable, and multicast.
var notGlobal = func() []netip.Prefix {
	var out []netip.Prefix
	for _, s := range []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
		"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
		"100::/64", "2001::/32", "2001:2::/48", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
	} {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}()

func reachOf(a netip.Addr) reach {
	a = a.Unmap() // ::ffff:10.0.0.1 is 10.0.0.1
	if a.IsLoopback() || a.IsUnspecified() {
		return loopback
	}
	for _, p := range notGlobal {
		if p.Contains(a) {
			return private
		}
	}
	return global
}

func isGlobal(a netip.Addr) bool { return reachOf(a) == global }
