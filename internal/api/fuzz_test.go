package api

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzAnswer gives any answer to every judge: the verdict is one of the five, and
// what is said of it shows no address.
func FuzzAnswer(f *testing.F) {
	f.Add(400, `{"errors":[{"message":"bad jane.doe@example.com"}]}`, "7", "1700000000")
	f.Add(429, ``, "Wed, 21 Oct 2026 07:28:00 GMT", "99999999999999")
	f.Add(429, "", "", "9223372036854775807")
	f.Add(403, `<html>jane.doe@example.com`, "-1", "x")
	c := Client{keys: NewKeys(func(string) string { return canary })}
	c.keys.Optional("KEY")
	f.Fuzz(func(t *testing.T, status int, body, retry, reset string) {
		h := http.Header{"Retry-After": {retry}, "X-Ratelimit-Reset": {reset}, "X-Sib-Ratelimit-Reset": {reset}}
		for _, judge := range []Judge{Common, ResetSeconds("x-sib-ratelimit-reset"), ResetEpoch("X-RateLimit-Reset")} {
			got := judge(status, h, []byte(body), time.Unix(1_700_000_000, 0))
			if got.Verdict > Stopped || got.After < 0 {
				t.Fatalf("%+v", got)
			}
			why := c.Plain(got.Why)
			if strings.Contains(why, "jane.doe@") || len(why) > maxWords || !utf8.ValidString(why) {
				t.Fatalf("%q", why)
			}
			if status >= 200 && status < 300 != (got.Verdict == Fine) {
				t.Fatalf("status %d is %d", status, got.Verdict)
			}
		}
	})
}

// FuzzLink follows any link: the call that comes of it goes to the API.
func FuzzLink(f *testing.F) {
	for _, link := range []string{"@evil.example/x", "//evil.example", `\\evil.example`, "https://evil.example/", "/x?y#z", "..//evil.example", "https:///evil.example", "%2f%2fevil.example"} {
		f.Add("/v3/list?limit=1", link)
	}
	base := &url.URL{Scheme: "https", Host: "api.example.com", Path: "/mail"}
	c := Client{base: base}
	f.Fuzz(func(t *testing.T, path, link string) {
		if !strings.HasPrefix(path, "/") {
			return
		}
		got, err := pathOf(base, path, link)
		if err != nil {
			return
		}
		r, err := c.request("GET", got, "", nil)
		if err != nil {
			return
		}
		if r.URL.Scheme != "https" || r.URL.Host != "api.example.com" || r.Host != "api.example.com" || r.URL.User != nil || !strings.HasPrefix(r.URL.EscapedPath(), "/mail/") {
			t.Fatalf("%q leads to %s", link, r.URL)
		}
	})
}

// FuzzMask hides a key in any text: nothing of it is left, and hiding twice is
// hiding once.
func FuzzMask(f *testing.F) {
	f.Add("the key ", " is not good")
	f.Add("Basic YXBpOk", "=")
	f.Add("%43%41", "&b=c")
	var m masker
	m.add(canary)
	forms := encoded(canary)
	f.Fuzz(func(t *testing.T, before, after string) {
		for name, form := range forms {
			got := m.mask(before + form + after)
			if holds(got, strings.TrimPrefix(strings.TrimPrefix(form, "Basic "), "Bearer ")) {
				t.Fatalf("%s is shown: %q", name, got)
			}
			if again := m.mask(got); again != got {
				t.Fatalf("%q became %q", got, again)
			}
		}
	})
}
