package dnsmx

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"

	"github.com/winnow-email/winnow/validate"
	"github.com/winnow-email/winnow/validate/dnsmx/dnstest"
)

// TestFreshSockets asks for the scenarios the way a resolver across the
// Internet is asked: a socket for each query.
func TestFreshSockets(t *testing.T) {
	t.Parallel()
	all, zone, domains := scenarios(t)
	srv := dnstest.Start(t, zone)
	s, err := parseServer(srv.Addr)
	if err != nil {
		t.Fatal(err)
	}
	s.public = true
	got, err := resolve(t, resolverFunc(func(in <-chan string, each func(validate.Answer)) error {
		return (&Resolver{Timeout: exactTimeout, Rate: 2000}).ask(t.Context(), []server{s}, in, each)
	}), domains...)
	if err != nil {
		t.Error(err)
	}
	judged(t, all, got, true)
}

// TestEncrypted asks over TLS and HTTPS, and does not when the certificate is
// not the resolver's.
func TestEncrypted(t *testing.T) {
	t.Parallel()
	srv := dnstest.Start(t, "acme.com. MX 10 mx.acme.com.\nmx.acme.com. A 198.41.0.4\n")
	var h2 atomic.Int64
	web := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 2 {
			h2.Add(1)
		}
		b, err := io.ReadAll(r.Body)
		q := new(dns.Msg)
		if err != nil || q.Unpack(b) != nil || r.Method != http.MethodPost || r.URL.Path != "/dns-query" || q.Id != 0 {
			http.Error(w, "not a query", http.StatusBadRequest)
			return
		}
		m, _, err := (&dns.Client{Net: "tcp"}).Exchange(q, srv.Addr)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		b, _ = m.Pack()
		w.Header().Set("Content-Type", "application/dns-message")
		w.Write(b)
	}))
	web.EnableHTTP2 = true
	web.Config.ErrorLog = log.New(io.Discard, "", 0)
	web.StartTLS()
	t.Cleanup(web.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	over := &dns.Server{Listener: tls.NewListener(l, &tls.Config{Certificates: web.TLS.Certificates}), Handler: srv}
	go over.ActivateAndServe()
	t.Cleanup(func() { over.Shutdown() })
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	_, webPort, _ := net.SplitHostPort(web.Listener.Addr().String())

	// The certificate of httptest is for example.com and 127.0.0.1.
	for _, tt := range []struct {
		server string
		roots  *x509.CertPool
		ok     bool
	}{
		{"tls://" + l.Addr().String() + "#example.com", roots, true},
		{"tls://" + l.Addr().String(), roots, true},
		{"tls://" + l.Addr().String() + "#evil.net", roots, false},
		{"tls://" + l.Addr().String() + "#example.com", nil, false},
		{"https://example.com:" + webPort + "/dns-query#127.0.0.1", roots, true},
		{"https://example.com:" + webPort + "#127.0.0.1", roots, true},
		{"https://evil.net:" + webPort + "/dns-query#127.0.0.1", roots, false},
		{"https://example.com:" + webPort + "/dns-query#127.0.0.1", nil, false},
	} {
		r := &Resolver{Servers: []string{tt.server}, Timeout: exactTimeout * 5, TLS: &tls.Config{RootCAs: tt.roots, InsecureSkipVerify: true}}
		got, err := resolve(t, r, "acme.com", "gone.com")
		if tt.ok {
			if err != nil || got["acme.com"].Reason != "mx_ok" || got["gone.com"].Reason != "domain_not_found" {
				t.Errorf("%s: %v %+v", tt.server, err, got)
			}
			if from := got["acme.com"].Evidence[0].From; !strings.HasPrefix(from, strings.SplitN(tt.server, "#", 2)[0]) {
				t.Errorf("evidence from %s, want %s", from, tt.server)
			}
			continue
		}
		if !errors.Is(err, ErrUnusable) || got["acme.com"].Verdict != validate.Unknown {
			t.Errorf("%s: a certificate that is not verified was believed: %v %+v", tt.server, err, got)
		}
		if c := got["acme.com"].Reason; c != "dns_tls_error" && c != "dns_resolver_down" {
			t.Errorf("%s: reason %s", tt.server, c)
		}
	}
	if h2.Load() == 0 {
		t.Error("HTTP/2 was not used")
	}
	if n := srv.Count("acme.com", "MX"); n == 0 {
		t.Error("nobody was asked")
	}
}

// TestNoRoute: a resolver that cannot be reached at all does not keep the others
// from being asked, and alone it leaves all unknown.
func TestNoRoute(t *testing.T) {
	t.Parallel()
	srv := dnstest.Start(t, "acme.com. MX 10 mx.acme.com.\nmx.acme.com. A 198.41.0.4\n")
	for _, far := range []string{"[fd00::dead]:53", "127.0.0.1:1"} {
		got, err := resolve(t, &Resolver{Servers: []string{far, srv.Addr}, Timeout: exactTimeout}, "acme.com", "gone.com")
		if err != nil || got["acme.com"].Reason != "mx_ok" || got["gone.com"].Reason != "domain_not_found" {
			t.Errorf("%s: %v %+v", far, err, got)
		}
		got, err = resolve(t, &Resolver{Servers: []string{far}, Timeout: exactTimeout}, "acme.com", "gone.com")
		if !errors.Is(err, ErrUnusable) || got["acme.com"].Verdict != validate.Unknown {
			t.Errorf("%s: %v %+v", far, err, got)
		}
	}
}
