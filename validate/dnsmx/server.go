package dnsmx

import (
	"bufio"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"
)

// server is one resolver to ask.
type server struct {
	name    string // host:port, tls://host:port#name or https://…: how evidence and recordings name it
	via     via    // udp, dot or doh
	addr    string // host:port to connect to; for DoH "" when the URL's host is to be looked up
	tlsName string // the name that its certificate must have
	url     string // DoH
	public  bool   // across the public Internet
}

// parseServer reads one value of --resolver:
//
//	192.0.2.1  192.0.2.1:53  [2001:db8::1]:53  2001:db8::1   plain DNS
//	tls://192.0.2.1[:853]#dns.example                        DNS over TLS
//	https://dns.example/dns-query[#192.0.2.1]                DNS over HTTPS
func parseServer(s string) (server, error) {
	bad := func(why string) (server, error) {
		return server{}, fmt.Errorf("resolver %q: %s; write HOST, HOST:PORT, tls://HOST#NAME or https://NAME/PATH, HOST being an IP address", s, why)
	}
	if rest, ok := strings.CutPrefix(s, "https://"); ok {
		u, err := url.Parse("https://" + rest)
		if err != nil || u.Host == "" || u.User != nil {
			return bad("not a URL")
		}
		srv := server{name: s, via: doh, tlsName: u.Hostname(), public: true}
		port := u.Port()
		if port == "" {
			port = "443"
		}
		at := u.Fragment
		if at == "" {
			at = u.Hostname()
		}
		if ip, err := netip.ParseAddr(at); err == nil {
			srv.addr = net.JoinHostPort(at, port)
			srv.public = isGlobal(ip)
		} else if u.Fragment != "" {
			return bad("what stands behind # is not an IP address")
		}
		u.Fragment = ""
		if u.Path == "" {
			u.Path = "/dns-query"
		}
		srv.url = u.String()
		return srv, nil
	}
	srv := server{via: udp}
	port, host := "53", s
	if rest, ok := strings.CutPrefix(s, "tls://"); ok {
		srv.via, port = dot, "853"
		host, srv.tlsName, _ = strings.Cut(rest, "#")
	} else if strings.Contains(s, "://") {
		return bad("unknown scheme")
	}
	if h, p, err := net.SplitHostPort(host); err == nil {
		if p == "" || len(p) > 5 || strings.Trim(p, "0123456789") != "" {
			return bad("not a port: " + p)
		}
		host, port = h, p
	}
	host = strings.Trim(host, "[]")
	if host == "localhost" {
		host = "127.0.0.1"
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return bad("not an IP address")
	}
	srv.public = isGlobal(ip)
	srv.addr = net.JoinHostPort(host, port)
	srv.name = srv.addr
	if srv.via == dot {
		srv.name = "tls://" + srv.addr
		if srv.tlsName == "" {
			srv.tlsName = host // the certificate must then have the address
		} else {
			srv.name += "#" + srv.tlsName
		}
	}
	return srv, nil
}

// loopback says whether the resolver is on this machine.
func (s *server) loopback() bool {
	a, err := netip.ParseAddrPort(s.addr)
	return err == nil && a.Addr().IsLoopback()
}

// publicServer says whether the resolver of that name sees the public Internet
// from outside.
func publicServer(name string) bool {
	s, err := parseServer(name)
	return err == nil && s.public
}

// resolvConf is where the system's resolvers stand.
const resolvConf = "/etc/resolv.conf"

// systemServers reads the resolvers of resolv.conf(5) from path. A file without
// one means the local machine, as the C library takes it. Search lists and
// options are of no use here: names are always asked for as they are.
func systemServers(path string) ([]server, error) {
	f, err := os.Open(path)
	if err != nil {
		if os.IsNotExist(err) {
			return []server{{name: "127.0.0.1:53", addr: "127.0.0.1:53"}}, nil
		}
		return nil, fmt.Errorf("the system's resolvers: %w", err)
	}
	defer f.Close()
	var out []server
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		line := sc.Text()
		if i := strings.IndexAny(line, "#;"); i >= 0 {
			line = line[:i]
		}
		w := strings.Fields(line)
		if len(w) < 2 || w[0] != "nameserver" {
			continue
		}
		ip, err := netip.ParseAddr(w[1])
		if err != nil {
			continue // the C library ignores it too
		}
		s, err := parseServer(net.JoinHostPort(ip.String(), "53"))
		if err != nil {
			continue
		}
		if len(out) < 3 { // MAXNS
			out = append(out, s)
		}
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(out) == 0 {
		out = []server{{name: "127.0.0.1:53", addr: "127.0.0.1:53"}}
	}
	return out, nil
}
