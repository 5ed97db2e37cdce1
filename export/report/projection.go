package report

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/export"
	"github.com/winnow-email/winnow/export/summary"
	"github.com/winnow-email/winnow/internal/shown"
)

const (
	basisHistory = "history"
	basisPrior   = "prior"
)

// A share of few says little: below these counts a gate is unknown, and what was
// measured stays visible.
const (
	minRecords  = 100
	minProvider = 500
	minEvents   = 100
	minJump     = 20 // suppressed records
)

// isHard reports whether a category is a hard bounce: the address or its domain is
// dead. It is what a provider counts against a sender.
func isHard(category string) bool {
	c, _ := bounceimport.LookupCategory(strings.TrimPrefix(category, "bounce_")) // as a reason has it
	return c.Hard
}

// prior is a hard-bounce rate taken from general experience, with the range it
// is believed to lie in. The ranges are wide on purpose, and the page says
// that they are assumptions: own deliveries and bounces replace them.
type prior struct{ low, mid, high float64 }

var (
	priorKept      = prior{0.002, 0.006, 0.015} // well-formed, the domain takes mail, no evidence against it
	priorNoDNS     = prior{0.008, 0.020, 0.050} // the same, but the domain was not asked
	priorUnknown   = prior{0.010, 0.040, 0.100} // the domain could not be judged
	priorDead      = prior{0.950, 0.980, 1.000} // proved: no such mailbox, no such domain, not an address
	priorTypo      = prior{0.300, 0.600, 0.900}
	priorThrowaway = prior{0.050, 0.150, 0.400}
	priorOther     = prior{0.010, 0.040, 0.120} // role, soft, by the user's wish
)

// priorOf returns the prior of the records that are on a list for a reason.
func priorOf(r summary.ReasonCount, asked bool) prior {
	switch reason := r.Reason; {
	case reason == "dns_not_asked":
		return priorNoDNS
	case strings.HasPrefix(reason, "dns_"):
		return priorUnknown
	case r.List == export.Cleaned || r.List == export.Duplicates:
		if !asked {
			return priorNoDNS
		}
		return priorKept
	case strings.HasPrefix(reason, "syntax_"), strings.HasPrefix(reason, "mx_"),
		isHard(reason):
		return priorDead
	case reason == "domain_typo":
		return priorTypo
	case strings.HasPrefix(reason, "domain_"):
		return priorDead
	case strings.HasPrefix(reason, "disposable"):
		return priorThrowaway
	}
	return priorOther
}

// project estimates the share of messages that bounce hard, sent to the list
// as it came and to what is kept. With enough deliveries among the bounce
// events the rate of what is kept is the sender's own (Wilson, 95%); without,
// it rests on priors.
func project(s *summary.Summary) *summary.Projection {
	if s.Records == 0 {
		return nil
	}
	asked := s.DNS != nil && s.DNS.Unusable == ""
	p := &summary.Projection{Basis: basisPrior + ": general experience, not your own figures"}
	own := summary.Rate{}
	if b := s.Bounces; b != nil {
		if sent := sentOf(b, ""); sent >= minProvider {
			own = wilson(hardOf(b, ""), sent)
			p.Basis = fmt.Sprintf("%s: %s deliveries and bounces", basisHistory, shown.Number(sent))
			p.By = map[string]summary.Rate{}
			kept := map[string]int64{} // rows and events are counted under different names
			for _, provider := range s.Providers {
				kept[bounceimport.ProviderFamily(provider.Provider)] += provider.Lists[export.Cleaned]
			}
			for name, rows := range kept {
				if n := sentOf(b, name); n >= minProvider {
					r := wilson(hardOf(b, name), n)
					r.N = rows
					p.By[name] = r
				}
			}
		}
	}
	var before, after mixture
	for _, r := range s.Reasons {
		q := priorOf(r, asked)
		if own.N > 0 && r.List == export.Cleaned {
			q = prior{own.Low, own.Rate, own.High}
		}
		before.add(r.N, q)
		if r.List == export.Cleaned {
			after.add(r.N, q)
		}
	}
	p.Before, p.After = before.rate(), after.rate()
	return p
}

// mixture is the mean of rates by the records they hold for.
type mixture struct {
	n              int64
	low, mid, high float64
}

func (m *mixture) add(n int64, p prior) {
	m.n += n
	m.low += float64(n) * p.low
	m.mid += float64(n) * p.mid
	m.high += float64(n) * p.high
}

func (m *mixture) rate() summary.Rate {
	if m.n == 0 {
		return summary.Rate{}
	}
	n := float64(m.n)
	return summary.Rate{Rate: m.mid / n, Low: m.low / n, High: m.high / n, N: m.n}
}

// wilson returns the 95% score interval of k in n (E. B. Wilson, 1927).
func wilson(k, n int64) summary.Rate {
	if n <= 0 {
		return summary.Rate{}
	}
	const z = 1.959963984540054
	p, m := float64(k)/float64(n), float64(n)
	center := (p + z*z/(2*m)) / (1 + z*z/m)
	half := z / (1 + z*z/m) * math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	return summary.Rate{Rate: p, Low: max(0, center-half), High: min(1, center+half), N: n}
}

func hardOf(b *summary.BounceSummary, provider string) int64 {
	return countOf(b, provider, func(c summary.BounceCount) bool { return isHard(c.Category) })
}

// sentOf returns how many messages the events account for, 0 when deliveries
// are not among them: bounces alone have no rate.
func sentOf(b *summary.BounceSummary, provider string) int64 {
	delivered := countOf(b, provider, func(c summary.BounceCount) bool { return c.Category == "delivered" })
	if delivered == 0 {
		return 0
	}
	return delivered + countOf(b, provider, func(c summary.BounceCount) bool {
		return c.Action == "suppress_now" && c.Bucket == "recipient" || c.Action == "count" || c.Action == "report"
	})
}

// lastForecast compares the projection of the last run with what the events
// since then show.
func lastForecast(s, previous *summary.Summary) string {
	if previous == nil || previous.Projection == nil || s.Bounces == nil || previous.Finished.IsZero() || sentOf(s.Bounces, "") == 0 {
		return ""
	}
	var hard, sent int64
	for _, d := range s.Bounces.Timeline {
		if day, err := time.Parse(time.DateOnly, d.Day); err == nil && day.After(previous.Finished) {
			hard += d.Hard
			sent += d.Sent
		}
	}
	if sent < minEvents {
		return ""
	}
	seen := wilson(hard, sent)
	was := previous.Projection.After
	verdict := "inside the forecast"
	switch {
	case seen.Low > was.High:
		verdict = "worse than the forecast"
	case seen.High < was.Low:
		verdict = "better than the forecast"
	}
	return fmt.Sprintf("The last run forecast %s hard bounces (%s to %s); since then %s of %s messages bounced hard (%s): %s.",
		rate(was.Rate), rate(was.Low), rate(was.High), shown.Number(hard), shown.Number(sent), rate(seen.Rate), verdict)
}
