package dnsmx

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/winnow-email/winnow/validate"
	"github.com/winnow-email/winnow/validate/dnsmx/dnstest"
)

func asJSON(tb testing.TB, v any) string {
	tb.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

func TestCache(t *testing.T) { bubble(t, testCache) }

func testCache(t *testing.T) {
	_, zone, _ := scenarios(t)
	srv, err := dnstest.Offline(zone)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "sub", "dns")
	r := at(&Resolver{Cache: path}, srv)
	domains := []string{"s01.com", "s02.com", "s06.com", "s09.com", "s17.com", "s18.com", "s27.com", "acme.onion"}
	first, err := resolve(t, r, domains...)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, filepath.Dir(path)} {
		fi, err := os.Stat(p)
		if err != nil {
			t.Fatal(err)
		}
		if fi.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: mode %v, want private", p, fi.Mode())
		}
	}

	// A second run asks for nothing but what is unknown.
	before := len(srv.Queries())
	second, err := resolve(t, r, domains...)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range domains {
		if d == "s18.com" { // unknown is never kept
			continue
		}
		if a, b := asJSON(t, first[d]), asJSON(t, second[d]); a != b {
			t.Errorf("the cache changes an answer:\n%s\n%s", a, b)
		}
		for _, q := range srv.Queries()[before:] {
			if strings.HasPrefix(q, d+" ") {
				t.Errorf("asked again: %s", q)
			}
		}
	}
	if s := r.Stats(); s.Cached != 6 || s.Domains != 8 || s.Answered != 8 {
		t.Errorf("got %+v", s)
	}
	before = len(srv.Queries())
	if _, err := resolve(t, r, domains[:4]...); err != nil {
		t.Fatal(err)
	}
	if n := len(srv.Queries()) - before; n != 0 {
		t.Errorf("%d queries for domains that are all cached, want none", n)
	}

	// Other resolvers may see another Internet.
	r2 := offline(t, &Resolver{Cache: path}, zone, zone)
	if _, err := resolve(t, r2, domains[0]); err != nil || r2.Stats().Cached != 0 {
		t.Errorf("the cache of another resolver was used: %v %+v", err, r2.Stats())
	}

	// Forgetting.
	synctest.Wait()
	if n, err := ForgetCache(path, func(d string) bool { return d == "s01.com" }); n != 1 || err != nil {
		t.Errorf("ForgetCache: %d, %v", n, err)
	}
	if err := ReadCache(path, func(a validate.Answer, _ time.Time) error { return fmt.Errorf("still there: %s", a.Domain) }); err != nil {
		t.Error(err)
	}
}

// TestCacheDamaged mutates a cache file everywhere: either it is found damaged,
// or it says the same.
func TestCacheDamaged(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "dns")
	w, err := newCacheWriter(path, 7, false)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC().Truncate(time.Second)
	want := map[string]string{}
	for i := range 40 {
		a := validate.Answer{Domain: fmt.Sprintf("d%d.com", i), Verdict: validate.Accepts, Reason: "mx_ok", MX: []string{"a.com", "b.com"}, ObservedAt: now,
			Evidence: []validate.Evidence{{What: "x", From: "y", When: now}}}
		w.add(appendRecord(nil, a, now.Add(time.Hour)))
		want[a.Domain] = asJSON(t, a)
	}
	if err := w.commit(); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	same := func(c *cacheFile) {
		for d, w := range want {
			if a, ok := c.get(d, now.Unix()); ok && asJSON(t, a) != w {
				t.Fatalf("%s: a damaged cache gives %s", d, asJSON(t, a))
			}
		}
	}
	c, err := readCache(path, 7)
	if err != nil {
		t.Fatal(err)
	}
	for d := range want {
		if _, ok := c.get(d, now.Unix()); !ok {
			t.Fatalf("%s is lost", d)
		}
		if _, ok := c.get(d, now.Add(2*time.Hour).Unix()); ok {
			t.Fatalf("%s lives too long", d)
		}
	}
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range 1000 {
		b := append([]byte(nil), good...)
		switch i % 3 {
		case 0:
			b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
		case 1:
			b = b[:rng.IntN(len(b))]
		case 2:
			at := rng.IntN(len(b))
			for j := at; j < min(at+64, len(b)); j++ {
				b[j] = byte(rng.Uint32())
			}
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if c, err := readCache(path, 7); err == nil {
			same(c)
		}
	}

	// A damaged cache is written anew, and the run does not mind.
	r := offline(t, &Resolver{Cache: path}, "acme.com. MX 10 mx.acme.com.\nmx.acme.com. A 198.41.0.4\n")
	got, err := resolve(t, r, "acme.com")
	if err != nil || got["acme.com"].Reason != "mx_ok" || r.Stats().CacheNote == "" {
		t.Errorf("%v %+v %+v", err, got, r.Stats())
	}
	if _, err := resolve(t, r, "acme.com"); err != nil || r.Stats().Cached != 1 || r.Stats().CacheNote != "" {
		t.Errorf("not written anew: %v %+v", err, r.Stats())
	}
}

func TestKeepFor(t *testing.T) {
	for _, tt := range []struct {
		v    validate.DomainVerdict
		ttl  uint32
		want time.Duration
	}{
		{validate.Accepts, 60, time.Hour},
		{validate.Accepts, 7200, 2 * time.Hour},
		{validate.Accepts, 1 << 31, 7 * 24 * time.Hour},
		{validate.DoesNotAccept, 60, time.Minute},
		{validate.DoesNotAccept, 1 << 31, 24 * time.Hour},
		{validate.Unknown, 3600, 0},
	} {
		if got := keepFor(tt.v, tt.ttl); got != tt.want {
			t.Errorf("keepFor(%s, %d) = %v, want %v", tt.v, tt.ttl, got, tt.want)
		}
	}
}

func BenchmarkCached(b *testing.B) {
	path := filepath.Join(b.TempDir(), "dns")
	r := &Resolver{Servers: []string{"127.0.0.1:1"}, Cache: path}
	servers, err := r.servers()
	if err != nil {
		b.Fatal(err)
	}
	w, err := newCacheWriter(path, fingerprint(servers), false)
	if err != nil {
		b.Fatal(err)
	}
	now := time.Now()
	const n = 200000
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("domain-%d.com", i)
		a := validate.Answer{Domain: names[i], Verdict: validate.Accepts, Reason: "mx_ok", MX: []string{"mx1.provider.com", "mx2.provider.com"}, ObservedAt: now,
			Evidence: []validate.Evidence{{What: names[i] + " MX: 10 mx1.provider.com, 20 mx2.provider.com", From: "127.0.0.1:53/udp"}, {What: "mx1.provider.com A: 198.41.0.4", From: "127.0.0.1:53/udp"}}}
		w.add(appendRecord(nil, a, now.Add(time.Hour)))
	}
	if err := w.commit(); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for b.Loop() {
		in := make(chan string, 1000)
		go func() {
			defer close(in)
			for _, d := range names {
				in <- d
			}
		}()
		got := 0
		if err := r.Resolve(b.Context(), in, func(validate.Answer) { got++ }); err != nil || got != n {
			b.Fatal(got, err)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "domains/s")
}
