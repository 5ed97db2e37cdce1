package winnow

import (
	"context"
	"sync"
	"time"

	"github.com/winnow-email/winnow/export/summary"
	"github.com/winnow-email/winnow/validate"
)

// asker hands the domains to the resolver as they are found. It never makes the
// reading wait: the names are in memory anyway.
type asker struct {
	mu    sync.Mutex
	queue []string
	ended bool
	wake  chan struct{}
}

func (a *asker) add(name string) {
	a.mu.Lock()
	a.queue = append(a.queue, name)
	a.mu.Unlock()
	a.poke()
}

func (a *asker) end() {
	a.mu.Lock()
	a.ended = true
	a.mu.Unlock()
	a.poke()
}

func (a *asker) poke() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// feed sends every name once, and returns when there are no more or stop is closed.
func (a *asker) feed(out chan<- string, stop <-chan struct{}) {
	defer close(out)
	for {
		a.mu.Lock()
		names, ended := a.queue, a.ended
		a.queue = nil
		a.mu.Unlock()
		for _, n := range names {
			select {
			case out <- n:
			case <-stop:
				return
			}
		}
		if len(names) > 0 {
			continue
		}
		if ended {
			return
		}
		select {
		case <-a.wake:
		case <-stop:
			return
		}
	}
}

// ask runs the resolver. That it fails is not an error of the run.
func (r *run) ask(ctx context.Context) error {
	sub, stop := context.WithCancel(ctx)
	defer stop()
	names := make(chan string, 256)
	go r.asker.feed(names, sub.Done())
	start := time.Now()
	err := r.job.Resolver.Resolve(ctx, names, func(a validate.Answer) {
		if d := r.domains.find(a.Domain); d != nil {
			r.domains.judgeMX(&r.job.Validator, d, &a)
			r.domains.setAnswer(d, a)
			r.prog.Answered.Add(1)
			if a.Verdict == validate.Unknown {
				r.prog.Unknown.Add(1)
			}
		}
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	r.domains.suspectNeighbours()
	r.summary.DNS = &summary.DNSSummary{Seconds: time.Since(start).Seconds(), Verdicts: map[string]int64{}, Reasons: map[string]int64{}}
	if err != nil {
		r.summary.DNS.Unusable = err.Error()
	}
	return nil
}
