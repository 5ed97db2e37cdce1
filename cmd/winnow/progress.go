package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

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
	newBar := func() *progressbar.ProgressBar {
		return progressbar.NewOptions64(1, progressbar.OptionSetWriter(w), progressbar.OptionSetWidth(20),
			progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(every/2), progressbar.OptionClearOnFinish(),
			progressbar.OptionSetTheme(progressbar.Theme{Saucer: "#", SaucerPadding: ".", BarStart: "[", BarEnd: "]"}))
	}
	bar, asking := newBar(), false
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
			bar, asking = newBar(), waiting
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

// terminalOf returns the width of a terminal and whether it takes colours: 80
// and false for anything else.
func terminalOf(w io.Writer) (width int, color bool) {
	width = 80
	if !isTerminal(w) {
		return width, false
	}
	if n, _, err := term.GetSize(int(w.(*os.File).Fd())); err == nil && n > 0 {
		width = min(max(n, 60), 120)
	}
	return width, os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
