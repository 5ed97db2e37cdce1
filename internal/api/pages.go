package api

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"
)

// The ends of a list that has none.
const (
	maxPages = 100_000
	maxStale = 20 // pages one after the other with nothing new on them
)

// Pages reads a list page by page. Page reads the one at path and returns the link
// to the next, "" after the last, and how many entries were new. A link may be
// given as the provider has it, but leads nowhere else than to the API. A list
// that leads back to where it was, or on and on without anything new, is an error.
func (c *Client) Pages(ctx context.Context, path string, page func(path string) (next string, fresh int, err error)) error {
	seen := map[[sha256.Size]byte]bool{}
	for n, stale := 0, 0; ; n++ {
		link := sha256.Sum256([]byte(path))
		if seen[link] {
			return c.endless("has no end: it leads back to a page that was read")
		}
		if n == maxPages {
			return c.endless(fmt.Sprintf("has no end: %d pages were read", n))
		}
		seen[link] = true
		next, fresh, err := page(path)
		if err != nil || next == "" {
			return err
		}
		if stale++; fresh > 0 {
			stale = 0
		}
		if stale == maxStale {
			return c.endless(fmt.Sprintf("has no end: there was nothing new on the last %d pages", stale))
		}
		if path, err = pathOf(c.base, path, next); err != nil {
			return &Error{Verdict: Stopped, Why: c.Name + " gave " + err.Error()}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

func (c *Client) endless(what string) error {
	return &Error{Verdict: Stopped, Why: c.Name + ": its list " + what}
}

// Poll calls look until it says that a job has ended, for at most an hour.
func (c *Client) Poll(ctx context.Context, look func() (ended bool, err error)) error {
	var waited time.Duration
	for d := time.Second; ; d = min(d*2, 30*time.Second) {
		if ended, err := look(); ended || err != nil {
			return err
		}
		if waited > time.Hour {
			return &Error{Verdict: Maybe, Why: c.Name + ": the job still runs after an hour"}
		}
		if err := c.clock.Sleep(ctx, d); err != nil {
			return err
		}
		waited += d
	}
}
