package known

import "bytes"

// pattern is all addresses of a domain, or of it and of its subdomains.
type pattern struct {
	domain string
	below  bool
}

// patternOf reads the ways in which lists write a domain: @domain and *@domain,
// and with its subdomains *.domain, *@*.domain, @*.domain and .domain.
func patternOf(text []byte) (p pattern, ok bool) {
	s := text
	if rest, cut := bytes.CutPrefix(s, []byte("*@")); cut {
		s, ok = rest, true
	} else if rest, cut := bytes.CutPrefix(s, []byte("@")); cut {
		s, ok = rest, true
	}
	top := false // it may be a top-level domain
	if rest, cut := bytes.CutPrefix(s, []byte("*.")); cut {
		s, ok, p.below, top = rest, true, true, true
	} else if rest, cut := bytes.CutPrefix(s, []byte(".")); cut {
		s, ok, p.below = rest, true, true
	}
	if !ok || len(s) < 2 || s[0] == '.' || !top && bytes.IndexByte(s, '.') < 0 || bytes.ContainsAny(s, "@*, \t;") {
		return pattern{}, false
	}
	p.domain = string(s)
	return p, true
}
