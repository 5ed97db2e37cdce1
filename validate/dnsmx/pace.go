package dnsmx

import "time"

// pace is how much a resolver is given: a window of queries on their way, which
// grows while replies come and shrinks when they fail, and a rate.
type pace struct {
	limiter

	window   float64
	limit    float64 // of the window
	ceiling  float64 // where slow start ends
	inflight int
	young    int // of them, those just sent: perhaps not read yet
	late     int // of them, those in a later pass
	slow     int // on their way for so long that they no longer count
	acks     int // since the window was last looked at
	losses   int

	epoch  time.Time // of the rate
	sent   int       // in this epoch
	missed int
}

const (
	laterWindow = 250                    // in flight in the later passes: fixed, for these names all look like loss
	burst       = 128                    // queries sent in the last moment: more would overflow a usual socket buffer
	slowAfter   = 600 * time.Millisecond // a query this old no longer holds a place in the window

	// leastWindow is what the window does not fall below, for a list may hold that
	// many dead domains that it looks like loss.
	leastWindow = 64
)

func newPace(limit int, rate float64, now time.Time) pace {
	p := pace{limit: float64(limit), epoch: now, limiter: newLimiter(rate, now)}
	p.ceiling = p.limit
	p.window = min(p.limit, leastWindow)
	return p
}

// hasRoom says whether a query may be sent now; later says that it is not the
// first attempt.
func (p *pace) hasRoom(later bool, now time.Time) bool {
	w := p.window
	if later {
		if w = p.limit; p.late >= laterWindow {
			return false
		}
	}
	return float64(p.inflight) < w && p.young < burst && p.may(now)
}

// heard takes note of how a first attempt ended: bad is any failure, missed one
// that a lower rate may help against.
func (p *pace) heard(bad, missed bool, now time.Time) {
	// Slow start, then one more for each window of replies; halved when more than a
	// twentieth of the last hundred or more was lost.
	p.acks++
	if bad {
		p.losses++
	} else if p.window < p.ceiling {
		p.window++
	} else if p.window < p.limit {
		p.window += 1 / p.window
	}
	p.window = min(p.window, p.limit)
	if p.acks >= max(100, int(p.window)) {
		if p.losses*20 > p.acks {
			p.window = max(p.window/2, min(p.limit, leastWindow))
			p.ceiling = p.window
		}
		p.acks, p.losses = 0, 0
	}

	// The rate is halved when more than 2% of five seconds were lost or refused.
	if p.rate == 0 {
		return
	}
	p.sent++
	if missed {
		p.missed++
	}
	if now.Sub(p.epoch) > 5*time.Second {
		if p.missed*50 > p.sent {
			p.rate = max(p.rate/2, min(10, p.most))
		} else {
			p.rate = min(p.rate*1.6, p.most) // 10% a second
		}
		p.epoch, p.sent, p.missed = now, 0, 0
	}
}

// limiter keeps queries below a rate, in any one second that one may look at.
type limiter struct {
	rate, most float64 // queries a second; 0: no bound
	tokens     float64
	filled     time.Time
	times      []time.Time // of the last queries, a ring
	next       int
}

// second is what a limiter takes for one: whoever counts may see two queries a
// little closer to each other than they were sent.
const second = 1020 * time.Millisecond

func newLimiter(rate float64, now time.Time) limiter {
	return limiter{rate: rate, most: rate, tokens: 1, filled: now, times: make([]time.Time, min(max(int(rate), 1), 1<<16))}
}

// may says whether a query may be sent now.
func (l *limiter) may(now time.Time) bool {
	if l.rate == 0 {
		return true
	}
	// As many as are allowed in a second must be older than a second.
	n, span := int(l.rate), second
	if n < 1 {
		n, span = 1, time.Duration(float64(second)/l.rate)
	}
	n = min(n, len(l.times))
	if t := l.times[(l.next+len(l.times)-n)%len(l.times)]; !t.IsZero() && now.Sub(t) < span {
		return false
	}
	// And no more than the queries of a twentieth of a second at once.
	l.tokens = min(l.tokens+now.Sub(l.filled).Seconds()*l.rate, max(l.rate/20, 1))
	l.filled = now
	return l.tokens >= 1
}

// took says that a query was sent.
func (l *limiter) took(now time.Time) {
	if l.rate == 0 {
		return
	}
	l.tokens--
	l.times[l.next] = now
	l.next = (l.next + 1) % len(l.times)
}
