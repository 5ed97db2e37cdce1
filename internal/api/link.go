package api

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
)

// parseBase reads the address of an API. Plain HTTP is for loopback only: the key
// would travel in the open. What is wrong is said without the user and password
// that somebody may have put into it.
func parseBase(base string) (*url.URL, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, errors.New("the address of the API cannot be read; it looks like https://api.example.com")
	}
	if u.User != nil {
		return nil, fmt.Errorf("%q holds a user or a password, which do not belong there: keys come from the environment or --key-file", strip(u))
	}
	if u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%q is not the address of an API; it looks like https://api.example.com", strip(u))
	}
	switch u.Scheme {
	case "https":
	case "http":
		ip := net.ParseIP(u.Hostname())
		if u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return nil, fmt.Errorf("%s would carry the key in the open; use https (http only to this machine itself)", strip(u))
		}
	default:
		return nil, fmt.Errorf("%q is not an address with https", strip(u))
	}
	u.Path = strings.TrimSuffix(u.Path, "/")
	u.RawPath = ""
	return u, nil
}

// strip returns an address without what may be secret in it.
func strip(u *url.URL) string {
	bare := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	if u.Opaque != "" {
		bare.Opaque = "…"
	}
	return bare.String()
}

// sameOrigin says whether two addresses have scheme, host and port in common:
// only there may a key go.
func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && portOf(a) == portOf(b)
}

func portOf(u *url.URL) string {
	if p := u.Port(); p != "" || u.Scheme != "https" {
		return p
	}
	return "443"
}

// pathOf resolves a link that stands in the answer to a call of path (RFC 3986,
// 5.2), and returns the path and query to call. A link that leads away from the
// API's own scheme, host and port is an error.
func pathOf(base *url.URL, path, link string) (string, error) {
	from, err := base.Parse(base.EscapedPath() + path)
	if err != nil {
		return "", err
	}
	// Backslashes are slashes to some readers of addresses and not to others.
	if strings.ContainsFunc(link, func(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f }) {
		return "", errors.New("a link to the next page that is no address")
	}
	to, err := from.Parse(link)
	if err != nil {
		return "", errors.New("a link to the next page that is no address")
	}
	if to.User != nil || to.Opaque != "" || !sameOrigin(to, base) {
		return "", fmt.Errorf("a link to the next page that leads to %s; the key goes to %s only", strip(&url.URL{Scheme: to.Scheme, Host: to.Host}), strip(&url.URL{Scheme: base.Scheme, Host: base.Host}))
	}
	p := to.EscapedPath()
	if rest, ok := strings.CutPrefix(p, base.EscapedPath()); ok && strings.HasPrefix(rest, "/") {
		p = rest
	}
	if to.RawQuery != "" {
		p += "?" + to.RawQuery
	}
	return p, nil
}

// Escape encodes all but the unreserved characters of RFC 3986 2.3, and slashes
// in a path.
func Escape(s string, path bool) string {
	const hexdigits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0 || path && c == '/' {
			b.WriteByte(c)
		} else {
			b.WriteByte('%')
			b.WriteByte(hexdigits[c>>4])
			b.WriteByte(hexdigits[c&15])
		}
	}
	return b.String()
}
