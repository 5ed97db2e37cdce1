package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Verdict is what a provider's answer to one call means.
type Verdict uint8

// The verdicts.
const (
	Fine    Verdict = iota
	Again           // throttled: nothing was done, call again later
	Maybe           // failed on the way or there: perhaps a part was done
	Refused         // the body as a whole: too big, or something in it is wrong
	Stopped         // credentials, rights, quota, a wrong address: no other call will do better
)

// Judgement is a verdict with what is known about it.
type Judgement struct {
	Verdict
	After time.Duration // of Again: when, as the provider says; 0: it does not say
	Why   string        // for a person; the provider's words as they came
	Hint  string        // what to do about it
}

// Judge reads a provider's answer. It knows that provider's manners.
type Judge func(status int, h http.Header, body []byte, now time.Time) Judgement

// Common reads an answer by what all providers share: the status codes of RFC
// 9110, and Retry-After.
func Common(status int, h http.Header, body []byte, now time.Time) Judgement {
	why := fmt.Sprintf("status %d", status)
	if m := Message(body); m != "" {
		why += ": " + m
	}
	switch {
	case status >= 200 && status < 300:
		return Judgement{Verdict: Fine}
	case status == http.StatusTooManyRequests:
		return Judgement{Verdict: Again, After: retryAfter(h, now), Why: why}
	case status == http.StatusServiceUnavailable && h.Get("Retry-After") != "":
		return Judgement{Verdict: Again, After: retryAfter(h, now), Why: why}
	case status == http.StatusRequestTimeout, status >= 500:
		return Judgement{Verdict: Maybe, Why: why}
	case status == http.StatusBadRequest, status == http.StatusRequestEntityTooLarge, status == http.StatusUnprocessableEntity:
		return Judgement{Verdict: Refused, Why: why}
	case status == http.StatusUnauthorized:
		return Judgement{Verdict: Stopped, Why: why, Hint: "the key is not accepted"}
	case status == http.StatusForbidden:
		return Judgement{Verdict: Stopped, Why: why, Hint: "the key may not do this"}
	case status >= 300 && status < 400:
		return Judgement{Verdict: Stopped, Why: why, Hint: "a redirect; set --base-url to the right address"}
	}
	return Judgement{Verdict: Stopped, Why: why}
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

// ResetSeconds returns a Judge that also reads a header with the seconds until
// the limit is lifted.
func ResetSeconds(header string) Judge {
	return func(status int, h http.Header, body []byte, now time.Time) Judgement {
		j := Common(status, h, body, now)
		if s, err := strconv.Atoi(h.Get(header)); j.Verdict == Again && j.After == 0 && err == nil && s > 0 && s < 1e9 {
			j.After = time.Duration(s) * time.Second
		}
		return j
	}
}

// ResetEpoch is ResetSeconds for a header with the time itself, in seconds or
// milliseconds since 1970.
func ResetEpoch(header string) Judge {
	return func(status int, h http.Header, body []byte, now time.Time) Judgement {
		j := Common(status, h, body, now)
		if s, err := strconv.ParseInt(h.Get(header), 10, 64); j.Verdict == Again && j.After == 0 && err == nil {
			t := time.Unix(s, 0)
			if s > 1e11 {
				t = time.UnixMilli(s)
			}
			if d := t.Sub(now); d > 0 {
				j.After = d
			}
		}
		return j
	}
}

// Message takes the words for a person out of a provider's answer, as they came:
// "" when there are none, as in the answer to a call that went well.
func Message(body []byte) string {
	var v any
	if json.Unmarshal(body, &v) != nil {
		return ""
	}
	return messageIn(v, 0)
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

// anyAddress finds what looks like an address in a provider's words.
var anyAddress = regexp.MustCompile(`[^\s"'<>(),;:\[\]{}=]+@[^\s"'<>(),;:\[\]{}]+`)

// maxWords is how much of a provider's words is said.
const maxWords = 300
