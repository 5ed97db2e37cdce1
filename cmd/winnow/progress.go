package main

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/winnow-email/winnow"
)

// progress shows on standard error how far a run is. The run itself only
// counts; what is shown is read from the counters a few times a second.
type progress struct {
	done  chan struct{}
	wg    sync.WaitGroup
	once  sync.Once
	doing atomic.Pointer[string] // what is done before the run starts
}

// now says what is being done before the run starts.
func (b *progress) now(what string) { b.doing.Store(&what) }

// startProgress shows p until stop is called, when standard error is a
// terminal and quiet is not set.
func (e *env) startProgress(p *winnow.Progress, quiet bool) *progress {
	b := &progress{done: make(chan struct{})}
	if quiet || !isTerminal(e.stderr) {
		return b
	}
	b.wg.Go(func() { b.show(e.stderr, p) })
	return b
}

func (b *progress) stop() {
	b.once.Do(func() { close(b.done) })
	b.wg.Wait()
}

func (b *progress) show(w io.Writer, p *winnow.Progress) {
	const every = 200 * time.Millisecond
	bar, asking := newBar(w, 1), false
	started := time.Now()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-b.done:
			_ = bar.Clear() // what a terminal does not show cannot be helped
			return
		case <-tick.C:
		}
		rows, domains, answered := p.Rows.Load(), p.Domains.Load(), p.Answered.Load()
		at, total := p.Bytes.Load(), p.Total.Load()
		// When all rows are read and only the DNS is waited for, the bar counts domains.
		if waiting := p.Phase() == "asking the DNS"; waiting != asking {
			_ = bar.Clear()
			bar, asking = newBar(w, 1), waiting
		}
		phase := p.Phase()
		if doing := b.doing.Load(); doing != nil && phase == "starting" {
			phase = *doing
		}
		text := phase
		if rows > 0 {
			text += fmt.Sprintf("  %s rows", count(rows))
		}
		if domains > 0 {
			text += fmt.Sprintf(", %s of %s domains", count(answered), count(domains))
		}
		if asking {
			at, total = answered, domains
		} else if s := time.Since(started).Seconds(); s > 1 && rows > 0 {
			text += fmt.Sprintf(", %s/s", count(int64(float64(rows)/s)))
		}
		if unknown := p.Unknown.Load(); unknown > 0 {
			text += fmt.Sprintf(", %s unknown", count(unknown))
		}
		total = max(total, at+1) // the bar ends with the run, not before
		bar.ChangeMax64(total)
		bar.Describe(text)
		_ = bar.Set64(at)
	}
}

// newBar returns a bar that ends at total.
func newBar(w io.Writer, total int64, more ...progressbar.Option) *progressbar.ProgressBar {
	return progressbar.NewOptions64(total, append(more, progressbar.OptionSetWriter(w), progressbar.OptionSetWidth(20),
		progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish(),
		progressbar.OptionSetTheme(progressbar.Theme{Saucer: "#", SaucerPadding: ".", BarStart: "[", BarEnd: "]"}))...)
}

// count prints n in a few columns: 999, 12.3k, 4.56M.
func count(n int64) string {
	switch {
	case n < 10_000:
		return fmt.Sprint(n)
	case n < 1_000_000:
		return fmt.Sprintf("%.1fk", float64(n)/1e3)
	}
	return fmt.Sprintf("%.2fM", float64(n)/1e6)
}
