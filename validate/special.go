package validate

import "strings"

// specialUse says why no mail can go to a domain whatever the DNS says: names
// that RFC 6761 and its successors take out of it.
func specialUse(d string) (code, detail string) {
	i := strings.LastIndexByte(d, '.')
	sld := d[strings.LastIndexByte(d[:max(i, 0)], '.')+1:]
	switch d[i+1:] {
	case "com", "net", "org":
		if sld == "example.com" || sld == "example.net" || sld == "example.org" {
			return "domain_example", "example.com, example.net and example.org are reserved for documentation (RFC 6761 6.5)"
		}
	case "example":
		return "domain_special_use", ".example is reserved for documentation (RFC 6761 6.5)"
	case "test":
		return "domain_special_use", ".test is reserved for testing (RFC 6761 6.2)"
	case "invalid":
		return "domain_special_use", ".invalid never exists (RFC 6761 6.4)"
	case "localhost":
		return "domain_special_use", ".localhost is the machine itself (RFC 6761 6.3)"
	case "local":
		return "domain_special_use", ".local is for one's own network (RFC 6762)"
	case "onion":
		return "domain_special_use", ".onion is no DNS name (RFC 7686)"
	case "internal":
		return "domain_special_use", ".internal is for private use (ICANN, 2024)"
	case "alt":
		return "domain_special_use", ".alt is outside of the DNS (RFC 9476)"
	case "arpa":
		return "domain_special_use", ".arpa is for the DNS itself (RFC 3172, RFC 8375)"
	}
	return "", ""
}
