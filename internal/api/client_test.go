package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

const canary = `CANARY/key+7f3a"9c=-us21`

// fakeClock is a clock on which nobody waits.
func fakeClock() (*Clock, *[]time.Duration) {
	now, slept := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), &[]time.Duration{}
	return &Clock{
		Now: func() time.Time { return now },
		Sleep: func(ctx context.Context, d time.Duration) error {
			now, *slept = now.Add(d), append(*slept, d)
			return ctx.Err()
		},
	}, slept
}

// client speaks to h with a key in a header of the provider's own.
func client(t *testing.T, h http.HandlerFunc, p Provider) (*Client, *[]time.Duration) {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	clock, slept := fakeClock()
	keys := NewKeys(func(string) string { return canary })
	need, err := keys.Need("KEY")
	if err != nil {
		t.Fatal(err)
	}
	p.Name, p.Base, p.Sign = "Fake", srv.URL+p.Base, Header("X-Api-Key", "", need[0])
	c, err := New(p, &Config{Keys: keys, Clock: clock, Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return c, slept
}

func TestBase(t *testing.T) {
	keys := NewKeys(func(string) string { return canary })
	for _, bad := range []string{"http://api.example.com", "ftp://x", "api.example.com", "https://user:hunter2hunter2@api.example.com", "https://hunter2hunter2@x", "https://", "http://127.0.0.1.example.com", "https://x?key=hunter2hunter2", "https://x/#hunter2hunter2", "https://x y:hunter2hunter2", "mailto:hunter2hunter2@x", "\x00hunter2hunter2"} {
		if _, err := New(Provider{Base: "https://api.example.com"}, &Config{BaseURL: bad, Keys: keys}); err == nil {
			t.Errorf("%s was taken", bad)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("what may be a password is shown: %v", err)
		}
	}
	for _, good := range []string{"https://api.eu.mailgun.net", "http://127.0.0.1:1", "http://[::1]:1", "http://localhost:1/prefix", "https://x/"} {
		if _, err := New(Provider{}, &Config{BaseURL: good, Keys: keys}); err != nil {
			t.Error(err)
		}
	}
}

func TestLinks(t *testing.T) {
	for _, c := range []struct{ base, path, link, want string }{
		{"https://api.example.com", "/v3/d/bounces?limit=9", "https://api.example.com/v3/d/bounces?page=next&address=a%40b", "/v3/d/bounces?page=next&address=a%40b"},
		{"https://api.example.com", "/v3/d/bounces", "HTTPS://API.example.com:443/x", "/x"},
		{"https://api.example.com", "/v3/d/bounces", "/x?y=1", "/x?y=1"},
		{"https://api.example.com", "/v3/d/bounces", "?page=2", "/v3/d/bounces?page=2"},
		{"https://api.example.com", "/v3/d/bounces", "complaints?page=2", "/v3/d/complaints?page=2"},
		{"https://api.example.com", "/v3/d/bounces", "//api.example.com/x", "/x"},
		{"http://localhost:8080/mail", "/v3/list", "/mail/v3/list?2", "/v3/list?2"},
		{"http://localhost:8080/mail", "/v3/list", "/v3/list?2", "/v3/list?2"},
		{"http://localhost:8080/mail", "/v3/list", "http://localhost:8080/mail/v3/list?2", "/v3/list?2"},
		// The name is taken for a path of the API itself.
		{"https://api.example.com", "/v3/d/bounces", "@evil.example/x", "/v3/d/@evil.example/x"},
		{"https://api.example.com", "/v3/d/bounces", "%5C%5Cevil.example/x", "/v3/d/%5C%5Cevil.example/x"},

		{"https://api.example.com", "/v3/d/bounces", "https://evil.example/x", ""},
		{"https://api.example.com", "/v3/d/bounces", "//evil.example/x", ""},
		{"https://api.example.com", "/v3/d/bounces", `\\evil.example/x`, ""},
		{"https://api.example.com", "/v3/d/bounces", `/\evil.example/x`, ""},
		{"https://api.example.com", "/v3/d/bounces", "http://api.example.com/x", ""},
		{"https://api.example.com", "/v3/d/bounces", "https://api.example.com:8443/x", ""},
		{"https://api.example.com", "/v3/d/bounces", "https://api.example.com@evil.example/x", ""},
		{"https://api.example.com", "/v3/d/bounces", "https://user:pw@api.example.com/x", ""},
		{"https://api.example.com", "/v3/d/bounces", "https://api.example.com.evil.example/x", ""},
		{"https://api.example.com", "/v3/d/bounces", "https:evil.example", ""},
		{"https://api.example.com", "/v3/d/bounces", "javascript:alert(1)", ""},
		{"https://api.example.com", "/v3/d/bounces", "/x\r\nX-Evil: 1", ""},
		{"https://api.example.com", "/v3/d/bounces", " https://evil.example", ""},
		{"https://api.example.com", "/v3/d/bounces", "https://[::1", ""},
		{"http://localhost:8080", "/x", "http://localhost:8081/x", ""},
	} {
		base, err := parseBase(c.base)
		if err != nil {
			t.Fatal(err)
		}
		got, err := pathOf(base, c.path, c.link)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%q on %s%s: %q, %v; want %q", c.link, c.base, c.path, got, err, c.want)
		}
	}
}

// TestRedirects: no redirect is followed, and so no header goes along with it,
// neither Authorization nor one of the provider's own.
func TestRedirects(t *testing.T) {
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s arrived at the other host with the key %q", r.Method, r.Header.Get("X-Api-Key"))
	}))
	defer thief.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		c, _ := client(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", thief.URL+"/x")
			w.WriteHeader(status)
		}, Provider{})
		for _, method := range []string{"GET", "POST", "PUT"} {
			_, err := c.Call(t.Context(), method, "/x", "", nil)
			if err == nil || !strings.Contains(err.Error(), "a redirect") || !Is(err, status) {
				t.Errorf("%s answered with %d: %v", method, status, err)
			}
		}
	}
}

// TestScope: what a user types into a path leads nowhere else.
func TestScope(t *testing.T) {
	c, _ := client(t, func(w http.ResponseWriter, _ *http.Request) { t.Error("a request was made") }, Provider{})
	for _, path := range []string{"@evil.example/x", "x", "", ":80@evil.example/", "/a\nb", "/%zz"} {
		if _, err := c.Call(t.Context(), "GET", path, "", nil); err == nil {
			t.Errorf("%q was called", path)
		}
	}
}

func TestPages(t *testing.T) {
	c, _ := client(t, func(http.ResponseWriter, *http.Request) {}, Provider{})
	for name, x := range map[string]struct {
		next  func(n int) string
		fresh func(n int) int
		pages int
		want  string
	}{
		"an end":            {func(n int) string { return []string{"/2", "/3", ""}[n] }, func(int) int { return 1 }, 3, ""},
		"the same link":     {func(int) string { return "/1" }, func(int) int { return 1 }, 1, "leads back to a page that was read"},
		"a circle":          {func(n int) string { return []string{"/2", "https://evil.example", "/1"}[n%2*2] }, func(int) int { return 1 }, 2, "leads back"},
		"nothing new":       {func(n int) string { return fmt.Sprint("/", n+2) }, func(int) int { return 0 }, maxStale, "nothing new on the last 20 pages"},
		"pages without end": {func(n int) string { return fmt.Sprint("/", n+2) }, func(int) int { return 1 }, maxPages, "100000 pages were read"},
		"another host":      {func(int) string { return "https://evil.example/2" }, func(int) int { return 1 }, 1, "leads to https://evil.example; the key goes to http://127.0.0.1"},
	} {
		n := 0
		err := c.Pages(t.Context(), "/1", func(string) (string, int, error) {
			n++
			return x.next(n - 1), x.fresh(n - 1), nil
		})
		if (err == nil) != (x.want == "") || err != nil && !strings.Contains(err.Error(), x.want) || n != x.pages {
			t.Errorf("%s: %v after %d pages", name, err, n)
		}
	}
}

// TestPace: calls start at the provider's pace, and a throttled one when the
// provider says so.
func TestPace(t *testing.T) {
	var starts []time.Time
	n := 0
	var c *Client
	c, slept := client(t, func(w http.ResponseWriter, _ *http.Request) {
		starts = append(starts, c.clock.Now())
		if n++; n == 2 {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(429)
		}
	}, Provider{Pace: 2 * time.Second})
	for range 3 {
		if _, err := c.Call(t.Context(), "GET", "/", "", nil); err != nil {
			t.Fatal(err)
		}
	}
	var gaps []time.Duration
	for i := 1; i < len(starts); i++ {
		gaps = append(gaps, starts[i].Sub(starts[i-1]))
	}
	if !slices.Equal(gaps, []time.Duration{2 * time.Second, 7 * time.Second, 2 * time.Second}) {
		t.Errorf("between the calls: %v, waits %v", gaps, *slept)
	}
}

func TestGivesUp(t *testing.T) {
	for name, x := range map[string]struct {
		answer  http.HandlerFunc
		verdict Verdict
		calls   int
		want    string
	}{
		"down": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }, Maybe, maxAttempts, "did not answer well after 8 tries"},
		"throttled for ever": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(429) }, Stopped, maxThrottled,
			"still throttles after 60 tries"},
		"tomorrow": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7200")
			w.WriteHeader(429)
		}, Stopped, 1,
			"asks to wait until 2026-03-01 14:00 UTC"},
		"too large": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(413) }, Refused, 1, "status 413"},
		"forbidden": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }, Stopped, 1, "Fake: status 403 (the key may not do this)"},
	} {
		calls := 0
		c, _ := client(t, func(w http.ResponseWriter, r *http.Request) { calls++; x.answer(w, r) }, Provider{})
		_, err := c.Call(t.Context(), "GET", "/", "", nil)
		var e *Error
		if !errors.As(err, &e) || e.Verdict != x.verdict || calls != x.calls || !strings.Contains(e.Why, x.want) {
			t.Errorf("%s: %v after %d calls", name, err, calls)
		}
	}
}
