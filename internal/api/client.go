// Package api speaks to the HTTP APIs of mail providers: at their pace, again
// where that makes sense, never to another host than the one that the key is
// for, and with keys and addresses in nothing that it says.
package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/winnow-email/winnow/internal/shown"
)

// Error is a call that did not succeed.
type Error struct {
	Verdict
	Status int    // of HTTP; 0: there was no answer
	Why    string // for a person
}

func (e *Error) Error() string { return e.Why }

// Is says whether err is an answer with that status.
func Is(err error, status int) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == status
}

// limits of one client
const (
	maxAttempts  = 8                // of a call that fails
	maxThrottled = 60               // of a call that is throttled
	maxWait      = 15 * time.Minute // that a provider may ask for; beyond, the work stops and can go on later
	maxBody      = 64 << 20         // of an answer
)

// Provider is how one provider wants to be spoken to.
type Provider struct {
	Name   string // as it writes itself
	Base   string // the address of its API
	Pace   time.Duration
	Judge  Judge       // what its answers mean; nil: Common
	Sign   Signer      // puts the credentials on a request
	Header http.Header // of every request, beside User-Agent and Accept
}

// Config is what the user says of an account.
type Config struct {
	BaseURL string // in place of the provider's own; "": that
	Keys    *Keys
	Note    func(string) // remarks while it runs; nil: none
	Timeout time.Duration
	Clock   *Clock // nil: the real one
}

// Clock is what time it is and how to wait.
type Clock struct {
	Now   func() time.Time
	Sleep func(context.Context, time.Duration) error
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

// Client calls one provider's API: one call at a time, at its pace.
type Client struct {
	Provider
	base    *url.URL
	http    *http.Client
	keys    *Keys
	timeout time.Duration // of one attempt, body included
	clock   Clock
	last    time.Time // of the start of a call
	sent    masker    // of what only the last request carried
	note    func(string)
}

// New makes a client. It fails when the address of the API is not one to which a
// key may be sent.
func New(p Provider, c *Config) (*Client, error) {
	base := p.Base
	if c.BaseURL != "" {
		base = c.BaseURL
	}
	u, err := parseBase(base)
	if err != nil {
		return nil, err
	}
	if p.Judge == nil {
		p.Judge = Common
	}
	cl := &Client{
		Provider: p, base: u, keys: c.Keys, timeout: 2 * time.Minute, clock: Clock{time.Now, sleep}, note: c.Note,
		http: &http.Client{
			Transport: &http.Transport{
				Proxy:               http.ProxyFromEnvironment,
				ForceAttemptHTTP2:   true,
				MaxIdleConns:        4,
				IdleConnTimeout:     90 * time.Second,
				TLSHandshakeTimeout: 15 * time.Second,
			},
			// net/http takes Authorization off when a redirect leads to another host, and
			// leaves every other header on, so that a key in a header of the provider's own
			// would go along: no redirect is followed.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	if c.Timeout > 0 {
		cl.timeout = c.Timeout
	}
	if c.Clock != nil {
		cl.clock = *c.Clock
	}
	return cl, nil
}

// Note passes a remark to the user.
func (c *Client) Note(s string) {
	if c.note != nil {
		c.note(s)
	}
}

// Sleep waits, at most until ctx is done.
func (c *Client) Sleep(ctx context.Context, d time.Duration) error { return c.clock.Sleep(ctx, d) }

// Plain makes words of the provider fit to be shown and kept: without keys,
// without the local parts of addresses, in one line. It is the only way out for
// them.
func (c *Client) Plain(s string) string {
	s = c.sent.mask(c.keys.mask.mask(s))
	return shown.Prefix(shown.Line(anyAddress.ReplaceAllStringFunc(s, shown.Mask)), maxWords)
}

// Odd returns the error for a good answer that is not what it should be: it is not
// known what was done.
func (c *Client) Odd(what string, answer []byte) *Error {
	if m := Message(answer); m != "" {
		what += ": " + m
	}
	return &Error{Verdict: Maybe, Why: c.Name + " " + c.Plain(what)}
}

// Call sends one request, again while that makes sense, and returns the body of
// the good answer. The path may carry a query. An error is an *Error, or the
// context's.
func (c *Client) Call(ctx context.Context, method, path, contentType string, body []byte) ([]byte, error) {
	failed, throttled := 0, 0
	for {
		status, answer, j, err := c.attempt(ctx, method, path, contentType, body)
		if err != nil {
			return nil, err
		}
		fail := func(v Verdict, format string, args ...any) error {
			return &Error{Verdict: v, Status: status, Why: fmt.Sprintf(format, args...)}
		}
		wait := backoff(failed + throttled)
		switch j.Verdict {
		case Fine:
			return answer, nil
		case Again:
			throttled++
			if j.After > maxWait {
				return nil, fail(Stopped, "%s asks to wait until %s (%s)", c.Name, c.clock.Now().Add(j.After).UTC().Format("2006-01-02 15:04 UTC"), j.Why)
			}
			if throttled >= maxThrottled {
				return nil, fail(Stopped, "%s still throttles after %d tries (%s)", c.Name, throttled, j.Why)
			}
			if j.After > 0 {
				wait = j.After
			}
		case Maybe:
			if failed++; failed >= maxAttempts {
				return nil, fail(Maybe, "%s did not answer well after %d tries: %s", c.Name, failed, j.Why)
			}
		case Refused:
			return nil, fail(Refused, "%s", j.Why)
		default:
			return nil, fail(Stopped, "%s: %s", c.Name, j.Why)
		}
		if wait > 10*time.Second {
			c.Note(fmt.Sprintf("%s: %s; waiting %s", c.Name, j.Why, wait.Round(time.Second)))
		}
		if err := c.clock.Sleep(ctx, wait); err != nil {
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

// attempt makes a call once, when its time has come, and judges the answer.
func (c *Client) attempt(ctx context.Context, method, path, contentType string, body []byte) (status int, answer []byte, j Judgement, err error) {
	if !c.last.IsZero() {
		if wait := c.Pace - c.clock.Now().Sub(c.last); wait > 0 {
			if err := c.clock.Sleep(ctx, wait); err != nil {
				return 0, nil, j, err
			}
		}
	}
	c.last = c.clock.Now()
	r, err := c.request(method, path, contentType, body)
	if err != nil {
		return 0, nil, j, err
	}
	c.sent = masker{} // a signature is made anew for every request
	c.sent.add(c.Sign(r, body, c.last))
	resp, answer, err := c.once(ctx, r)
	if ctx.Err() != nil {
		return 0, nil, j, ctx.Err()
	}
	var ce *Error
	switch {
	case errors.As(err, &ce):
		return 0, nil, j, ce
	case err != nil:
		j = Judgement{Verdict: Maybe, Why: "no answer: " + err.Error()}
	default:
		status = resp.StatusCode
		j = c.Judge(status, resp.Header, answer, c.clock.Now())
	}
	if j.Why = c.Plain(j.Why); j.Hint != "" {
		j.Why += " (" + j.Hint + ")"
	}
	return status, answer, j, nil
}

// request makes the request without the credentials.
func (c *Client) request(method, path, contentType string, body []byte) (*http.Request, error) {
	var rd io.Reader
	if body != nil {
		rd = bytes.NewReader(body)
	}
	r, err := http.NewRequest(method, c.base.String()+path, rd)
	// The path may hold what a user typed and what a provider answered: before a key
	// is put on the request, it must be one to the API.
	if err != nil || !strings.HasPrefix(path, "/") || !sameOrigin(r.URL, c.base) || r.URL.User != nil {
		return nil, &Error{Verdict: Stopped, Why: "the request cannot be made: the scope has characters that do not fit into an address"}
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "winnow")
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	for name, v := range c.Header {
		r.Header[name] = v
	}
	return r, nil
}

func (c *Client) once(ctx context.Context, r *http.Request) (*http.Response, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	resp, err := c.http.Do(r.WithContext(ctx))
	if err != nil {
		// A *url.Error repeats the address of the call, which may name a person.
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err
		}
		return nil, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return nil, nil, err
	}
	if len(answer) > maxBody {
		return nil, nil, &Error{Verdict: Stopped, Why: c.Name + ": the answer is larger than 64 MiB"}
	}
	return resp, answer, nil
}

// Send sends in as JSON, when it is not nil, and returns the good answer.
func (c *Client) Send(ctx context.Context, method, path string, in any) ([]byte, error) {
	if in == nil {
		return c.Call(ctx, method, path, "", nil)
	}
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	return c.Call(ctx, method, path, "application/json", body)
}

// Get decodes the answer to a GET into out, when that is not nil.
func (c *Client) Get(ctx context.Context, path string, out any) error {
	answer, err := c.Send(ctx, http.MethodGet, path, nil)
	if err != nil || out == nil {
		return err
	}
	return c.Decode(answer, out)
}

// Decode reads an answer that was good: if it cannot be read, what was done is
// not known.
func (c *Client) Decode(answer []byte, out any) error {
	if err := json.Unmarshal(answer, out); err != nil {
		return c.Odd("answered something that is not the documented JSON", answer)
	}
	return nil
}
