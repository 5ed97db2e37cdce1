package esp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/winnow-email/winnow/internal/shown"
)

// verdict is what a provider's answer to one call means.
type verdict uint8

const (
	fine    verdict = iota
	again           // throttled: nothing was done, call again later
	maybe           // failed on the way or there: perhaps a part was done; calling again is safe, as all calls add
	refused         // the body as a whole: too big, or something in it is wrong
	stopped         // credentials, rights, quota, a wrong address: no other call will do better
)

// judgement is a verdict with what is known about it.
type judgement struct {
	verdict
	after time.Duration // again: when, as the provider says; 0: it does not say
	why   string        // for a person, masked
}

// judge reads a provider's answer. It knows that provider's manners.
type judge func(status int, h http.Header, body []byte, now time.Time) judgement

// callError is a call that did not succeed.
type callError struct {
	verdict
	status int
	why    string
}

func (e *callError) Error() string { return e.why }

// limits of one client
const (
	maxAttempts  = 8                // of a call that fails
	maxThrottled = 60               // of a call that is throttled
	maxWait      = 15 * time.Minute // that a provider may ask for; beyond, the push stops and can go on later
	maxBody      = 64 << 20         // of an answer
)

// client calls one provider's API: one call at a time, at its pace.
type client struct {
	name    string
	base    *url.URL
	http    *http.Client
	sign    func(r *http.Request, body []byte) error // puts the credentials on a request
	judge   judge
	pace    time.Duration // between the starts of two calls
	timeout time.Duration // of one attempt, body included
	last    time.Time
	sleep   func(context.Context, time.Duration) error
	note    func(string)
	secrets []string // that must not stand in a message
}

// newClient checks the address of the API. Plain HTTP is for loopback only: the
// key would travel in the open.
func newClient(name, base string, c *Config, j judge, pace time.Duration, sign func(*http.Request, []byte) error) (*client, error) {
	own := c.BaseURL != ""
	if own {
		base = c.BaseURL
	}
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%q is not the address of an API; it looks like https://api.example.com", base)
	}
	switch u.Scheme {
	case "https":
	case "http":
		ip := net.ParseIP(u.Hostname())
		if u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return nil, fmt.Errorf("%s would carry the key in the open; use https (http only to this machine itself)", u.Redacted())
		}
	default:
		return nil, fmt.Errorf("%q is not an address with https", base)
	}
	cl := &client{
		name: name, base: u, sign: sign, judge: j, pace: pace, timeout: 2 * time.Minute, sleep: sleep, note: c.Note, secrets: c.secrets,
		http: &http.Client{
			Transport: &http.Transport{
				Proxy:               http.ProxyFromEnvironment,
				ForceAttemptHTTP2:   true,
				MaxIdleConns:        4,
				IdleConnTimeout:     90 * time.Second,
				TLSHandshakeTimeout: 15 * time.Second,
			},
			// A redirect would take the key somewhere else.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	if cl.note == nil {
		cl.note = func(string) {}
	}
	if c.timeout > 0 {
		cl.timeout = c.timeout
	}
	if c.sleep != nil {
		cl.sleep = c.sleep
	}
	return cl, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// call sends one request, again while that makes sense, and returns the body of
// the good answer. The path may carry a query. An error is a *callError, or the
// context's.
func (c *client) call(ctx context.Context, method, path, contentType string, body []byte) ([]byte, error) {
	failed, throttled := 0, 0
	for {
		if wait := c.pace - time.Since(c.last); wait > 0 && !c.last.IsZero() {
			if err := c.sleep(ctx, wait); err != nil {
				return nil, err
			}
		}
		c.last = time.Now()
		status, h, answer, err := c.once(ctx, method, path, contentType, body)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var j judgement
		if err != nil {
			var ce *callError
			if errors.As(err, &ce) {
				return nil, ce
			}
			j = judgement{verdict: maybe, why: "no answer: " + oneLine(err.Error(), 200)}
		} else {
			j = c.judge(status, h, answer, time.Now())
		}
		for _, s := range c.secrets { // a provider may repeat the key in its complaint
			j.why = strings.ReplaceAll(j.why, s, "***")
		}
		fail := func(v verdict, format string, args ...any) error {
			return &callError{verdict: v, status: status, why: fmt.Sprintf(format, args...)}
		}
		wait := backoff(failed + throttled)
		switch j.verdict {
		case fine:
			return answer, nil
		case again:
			throttled++
			if j.after > maxWait {
				return nil, fail(stopped, "%s asks to wait until %s (%s)", c.name, time.Now().Add(j.after).UTC().Format("2006-01-02 15:04 UTC"), j.why)
			}
			if throttled >= maxThrottled {
				return nil, fail(stopped, "%s still throttles after %d tries (%s)", c.name, throttled, j.why)
			}
			if j.after > 0 {
				wait = j.after
			}
		case maybe:
			if failed++; failed >= maxAttempts {
				return nil, fail(maybe, "%s did not answer well after %d tries: %s", c.name, failed, j.why)
			}
		case refused:
			return nil, fail(refused, "%s", j.why)
		default:
			return nil, fail(stopped, "%s: %s", c.name, j.why)
		}
		if wait > 10*time.Second {
			c.note(fmt.Sprintf("%s: %s; waiting %s", c.name, j.why, wait.Round(time.Second)))
		}
		if err := c.sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// backoff returns how long to wait before try n+1: about 1 s, doubled up to a
// minute, less up to a half by chance so that clients do not march in step.
func backoff(n int) time.Duration {
	d := min(time.Second<<min(n, 6), time.Minute)
	return d/2 + rand.N(d/2)
}

func (c *client) once(ctx context.Context, method, path, contentType string, body []byte) (int, http.Header, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var rd io.Reader
	if body != nil {
		rd = bytes.NewReader(body)
	}
	r, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.base.String(), "/")+path, rd)
	if err != nil {
		return 0, nil, nil, &callError{verdict: stopped, why: "the request cannot be made: the scope has characters that do not fit into an address"}
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "winnow")
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	if err := c.sign(r, body); err != nil {
		return 0, nil, nil, &callError{verdict: stopped, why: err.Error()}
	}
	resp, err := c.http.Do(r)
	if err != nil {
		// A *url.Error repeats the address of the call, which may name a person.
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err
		}
		return 0, nil, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return 0, nil, nil, err
	}
	if len(answer) > maxBody {
		return 0, nil, nil, &callError{verdict: stopped, why: "the answer is larger than 64 MiB"}
	}
	return resp.StatusCode, resp.Header, answer, nil
}

// json sends in as JSON, when it is not nil, and decodes the answer into out.
func (c *client) json(ctx context.Context, method, path string, in, out any) error {
	var body []byte
	contentType := ""
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
		contentType = "application/json"
	}
	answer, err := c.call(ctx, method, path, contentType, body)
	if err != nil || out == nil {
		return err
	}
	return decode(c.name, answer, out)
}

// decode reads an answer that was good: if it cannot be read, what was done is
// not known.
func decode(name string, answer []byte, out any) error {
	if err := json.Unmarshal(answer, out); err != nil {
		return &callError{verdict: maybe, why: name + " answered something that is not the documented JSON"}
	}
	return nil
}

// common reads an answer by what all providers share: the status codes of RFC
// 9110, and Retry-After.
func common(status int, h http.Header, body []byte, now time.Time) judgement {
	why := fmt.Sprintf("status %d", status)
	if m := vendorMessage(body); m != "" {
		why += ": " + m
	}
	switch {
	case status >= 200 && status < 300:
		return judgement{verdict: fine}
	case status == http.StatusTooManyRequests:
		return judgement{again, retryAfter(h, now), why}
	case status == http.StatusServiceUnavailable && h.Get("Retry-After") != "":
		return judgement{again, retryAfter(h, now), why}
	case status == http.StatusRequestTimeout, status >= 500:
		return judgement{verdict: maybe, why: why}
	case status == http.StatusBadRequest, status == http.StatusRequestEntityTooLarge, status == http.StatusUnprocessableEntity:
		return judgement{verdict: refused, why: why}
	case status == http.StatusUnauthorized:
		return judgement{verdict: stopped, why: why + " (the key is not accepted)"}
	case status == http.StatusForbidden:
		return judgement{verdict: stopped, why: why + " (the key may not do this)"}
	case status >= 300 && status < 400:
		return judgement{verdict: stopped, why: why + " (a redirect; set --base-url to the right address)"}
	}
	return judgement{verdict: stopped, why: why}
}

// retryAfter reads Retry-After: seconds or a date (RFC 9110 10.2.3).
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if s, err := strconv.ParseFloat(v, 64); err == nil && s >= 0 && s < 1e9 {
		return time.Duration(s * float64(time.Second))
	}
	if t, err := http.ParseTime(v); err == nil && t.After(now) {
		return t.Sub(now)
	}
	return 0
}

// resetSeconds returns a judge that also reads a header with the seconds until
// the limit is lifted.
func resetSeconds(header string) judge {
	return func(status int, h http.Header, body []byte, now time.Time) judgement {
		j := common(status, h, body, now)
		if s, err := strconv.Atoi(h.Get(header)); j.verdict == again && j.after == 0 && err == nil && s > 0 && s < 1e9 {
			j.after = time.Duration(s) * time.Second
		}
		return j
	}
}

// resetEpoch is resetSeconds for a header with the time itself, in seconds or
// milliseconds since 1970.
func resetEpoch(header string) judge {
	return func(status int, h http.Header, body []byte, now time.Time) judgement {
		j := common(status, h, body, now)
		if s, err := strconv.ParseInt(h.Get(header), 10, 64); j.verdict == again && j.after == 0 && err == nil {
			t := time.Unix(s, 0)
			if s > 1e11 {
				t = time.UnixMilli(s)
			}
			if d := t.Sub(now); d > 0 {
				j.after = d
			}
		}
		return j
	}
}

// anyAddress finds what looks like an address in a provider's words.
var anyAddress = regexp.MustCompile(`[^\s"'<>(),;:\[\]{}=]+@[^\s"'<>(),;:\[\]{}]+`)

// masked hides the local parts in a text.
func masked(s string) string { return anyAddress.ReplaceAllStringFunc(s, shown.Mask) }

// vendorMessage takes the words for a person out of an error body, masked.
func vendorMessage(body []byte) string {
	var v any
	if json.Unmarshal(body, &v) != nil {
		return ""
	}
	return oneLine(masked(messageIn(v, 0)), 200)
}

func messageIn(v any, depth int) string {
	if depth > 4 {
		return ""
	}
	switch v := v.(type) {
	case []any:
		if len(v) > 0 {
			return messageIn(v[0], depth+1)
		}
	case map[string]any:
		for _, k := range []string{"message", "Message", "detail", "error", "description", "title", "errors"} {
			switch m := v[k].(type) {
			case string:
				return m
			case []any, map[string]any:
				if s := messageIn(m, depth+1); s != "" {
					return s
				}
			}
		}
	case string:
		return v
	}
	return ""
}

// is says whether err is an answer with that status.
func is(err error, status int) bool {
	var ce *callError
	return errors.As(err, &ce) && ce.status == status
}

// bearer puts a key into Authorization.
func bearer(prefix string, key Secret) func(*http.Request, []byte) error {
	return func(r *http.Request, _ []byte) error {
		r.Header.Set("Authorization", prefix+key.s)
		return nil
	}
}

// pathOf takes path and query from a link that a provider gives to its next
// page. The host stays ours: a link never leads the key to another one.
func pathOf(link string) string {
	u, err := url.Parse(link)
	if err != nil || link == "" {
		return ""
	}
	p := u.EscapedPath()
	if u.RawQuery != "" {
		p += "?" + u.RawQuery
	}
	return p
}

// scope returns what --scope names, or says what it should name.
func (c *Config) scope(what string) (string, error) {
	if c.Scope == "" {
		return "", fmt.Errorf("--scope is missing: %s", what)
	}
	return c.Scope, nil
}

// keys returns the credentials of those names.
func (c *Config) keys(names ...string) ([]Secret, error) {
	ks := make([]Secret, len(names))
	var missing []string
	for i, n := range names {
		if c.Key != nil {
			ks[i] = c.Key(n)
		}
		if ks[i].s == "" {
			missing = append(missing, n)
		} else if strings.ContainsAny(ks[i].s, "\r\n\x00") {
			return nil, fmt.Errorf("%s holds more than one line", n)
		} else {
			c.secrets = append(c.secrets, ks[i].s)
			if _, token, ok := strings.Cut(ks[i].s, ":"); ok && len(token) > 3 { // user:token
				c.secrets = append(c.secrets, token)
			}
		}
	}
	if missing != nil {
		return nil, &NoKeyError{missing}
	}
	return ks, nil
}

func addresses(batch []item) []string {
	as := make([]string, len(batch))
	for i := range batch {
		as[i] = batch[i].Address
	}
	return as
}

// byAddress turns an answer that names addresses into an outcome. What it does
// not name is unknown.
func byAddress(batch []item, answers func(yield func(address, why string, ok bool)), silent string) outcome {
	at := map[string]int{}
	for i := range batch {
		at[strings.ToLower(batch[i].Address)] = i
	}
	var out outcome
	answers(func(address, why string, ok bool) {
		i, known := at[strings.ToLower(address)]
		if !known {
			return
		}
		delete(at, strings.ToLower(address))
		if !ok {
			out.rejected = append(out.rejected, rejection{At: i, N: 1, Why: oneLine(masked(why), 200)})
		}
	})
	if out.unknown = len(at); out.unknown > 0 {
		out.why = silent
	}
	return out
}
