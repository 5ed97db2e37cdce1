package report

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/winnow-email/winnow/export"
	"github.com/winnow-email/winnow/export/summary"
	"github.com/winnow-email/winnow/internal/shown"
)

// Limits are the thresholds of the gates. A limit below zero turns its gate off.
type Limits struct {
	HardBounce      float64       // upper end of the projected hard-bounce rate, overall and per provider
	SuppressedShare float64       // share of the records that may be suppressed
	ReviewShare     float64       // share of the records that may wait for a person
	Jump            float64       // how many times the last run's suppressed share
	FeedAge         time.Duration // age of the newest bounce event
	Unclassified    float64       // share of bounce events that no rule knows
	Complaint       float64       // complaints per delivered message
}

// Presets are the named sets of limits.
//
//   - default: for a list cleaned by hand; the age of the bounce file is not judged.
//   - nightly: default, and the bounce feed must be alive.
//   - ses: Amazon SES puts an account under review at 5% bounces or 0.1%
//     complaints and may pause it at 10% (docs.aws.amazon.com, "reputation
//     dashboard"); the limits stay below the first.
//   - strict: half of the default.
var Presets = map[string]Limits{
	"default": {HardBounce: 0.02, SuppressedShare: 0.30, ReviewShare: -1, Jump: 3, FeedAge: -1, Unclassified: 0.10, Complaint: -1},
	"nightly": {HardBounce: 0.02, SuppressedShare: 0.30, ReviewShare: -1, Jump: 3, FeedAge: 48 * time.Hour, Unclassified: 0.10, Complaint: -1},
	"ses":     {HardBounce: 0.05, SuppressedShare: 0.30, ReviewShare: -1, Jump: 3, FeedAge: -1, Unclassified: 0.10, Complaint: 0.001},
	"strict":  {HardBounce: 0.01, SuppressedShare: 0.15, ReviewShare: 0.05, Jump: 2, FeedAge: 24 * time.Hour, Unclassified: 0.05, Complaint: 0.001},
}

// A share of few records says little: below these counts a gate passes and says so.
const (
	minRecords  = 100
	minProvider = 500
	minEvents   = 100
	minJump     = 20 // suppressed records
)

// Set changes one limit by the name of its gate: a share ("2%" or "0.02"), a
// number of times, a duration ("48h"), or "off".
func (l *Limits) Set(name, value string) error {
	if name == "feed_age" {
		if value == "off" {
			l.FeedAge = -1
			return nil
		}
		d, err := time.ParseDuration(value)
		if err != nil || d < 0 {
			return fmt.Errorf("gate feed_age: %q is not a duration like 48h", value)
		}
		l.FeedAge = d
		return nil
	}
	fields := map[string]*float64{"hard_bounce": &l.HardBounce, "suppressed_share": &l.SuppressedShare, "review_share": &l.ReviewShare,
		"jump": &l.Jump, "unclassified": &l.Unclassified, "complaint": &l.Complaint}
	field := fields[name]
	if field == nil {
		return fmt.Errorf("no gate %q; there are %s", name, strings.Join(append(slices.Sorted(maps.Keys(fields)), "feed_age"), ", "))
	}
	if value == "off" {
		*field = -1
		return nil
	}
	var v float64
	number, isPercent := strings.CutSuffix(value, "%")
	if _, err := fmt.Sscanf(number+"\n", "%g\n", &v); err != nil || v < 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return fmt.Errorf("gate %s: %q is not a number or a share like 2%%", name, value)
	}
	if isPercent {
		v /= 100
	}
	if name != "jump" && v > 1 {
		return fmt.Errorf("gate %s: %s is more than 100%%", name, value)
	}
	*field = v
	return nil
}

// Judge fills the projection and the gates of s. previous is the last run of
// the same job, nil when there is none; now is the time against which the age
// of the bounce feed is measured.
func Judge(s, previous *summary.Summary, l Limits, now time.Time) {
	s.Projection = project(s)
	s.Gates = nil
	gate := func(g summary.Gate) {
		if g.N < 0 { // too few: what was measured stays visible
			g.N, g.Pass = -g.N, true
			g.Detail = "too few to judge; " + g.Detail
		}
		s.Gates = append(s.Gates, g)
	}
	enough := func(n, least int64) int64 {
		if n < least {
			return -n
		}
		return n
	}

	var sum int64
	for _, list := range []string{export.Cleaned, export.Suppressed, export.Review, export.Duplicates, export.Rejected} {
		sum += s.Lists[list]
	}
	gate(summary.Gate{Name: "records_add_up", Value: float64(sum), Limit: float64(s.Records), Unit: "count", N: s.Records, Pass: sum == s.Records,
		Detail: fmt.Sprintf("%s records in, %s in the lists", shown.Number(s.Records), shown.Number(sum))})

	kept := s.Flags["complaint_in_cleaned"]
	gate(summary.Gate{Name: "complaints_in_cleaned", Value: float64(kept), Unit: "count", N: s.Lists[export.Cleaned], Pass: kept == 0,
		Detail: fmt.Sprintf("%s kept %s complained or unsubscribed", shown.Number(kept), pick(kept, "address has", "addresses have"))})

	if l.SuppressedShare >= 0 {
		n := s.Lists[export.Suppressed]
		share := ratio(n, s.Records)
		gate(summary.Gate{Name: "suppressed_share", Value: share, Limit: l.SuppressedShare, Unit: "share", N: enough(s.Records, minRecords), Pass: share <= l.SuppressedShare,
			Detail: fmt.Sprintf("%s of %s records are suppressed (%s); the limit is %s. Is it the right column, and is the bounce file of this list?", shown.Number(n), shown.Number(s.Records), rate(share), rate(l.SuppressedShare))})
	}
	if l.ReviewShare >= 0 {
		n := s.Lists[export.Review]
		share := ratio(n, s.Records)
		gate(summary.Gate{Name: "review_share", Value: share, Limit: l.ReviewShare, Unit: "share", N: enough(s.Records, minRecords), Pass: share <= l.ReviewShare,
			Detail: fmt.Sprintf("%s of %s records wait for a person (%s); the limit is %s", shown.Number(n), shown.Number(s.Records), rate(share), rate(l.ReviewShare))})
	}
	if l.Jump >= 0 && previous != nil && sameEvidence(previous, s) {
		n := s.Lists[export.Suppressed]
		was, is := ratio(previous.Lists[export.Suppressed], previous.Records), ratio(n, s.Records)
		when := "in the last run"
		for _, g := range previous.Gates {
			if g.Name == "jump" && !g.Pass && g.Value > 0 {
				was /= g.Value // nobody has accepted that jump yet: the run before it counts
				when = "before it jumped"
			}
		}
		// Nothing suppressed is not less than one record.
		base := max(was, ratio(1, max(s.Records, previous.Records)))
		times := is / base
		few := enough(min(s.Records, previous.Records), minRecords)
		if n < minJump {
			few = -max(few, -few)
		}
		gate(summary.Gate{Name: "jump", Value: times, Limit: l.Jump, Unit: "times", N: few, Pass: times <= l.Jump,
			Detail: fmt.Sprintf("the suppressed share was %s %s and is %s (%.1f times; the limit is %.1f). If it is right, run once with this gate off", rate(was), when, rate(is), times, l.Jump)})
	}
	if d := s.DNS; d != nil {
		detail := "the resolvers answered their checks"
		if d.Unusable != "" {
			detail = d.Unusable
		}
		gate(summary.Gate{Name: "dns", Value: boolNumber(d.Unusable == ""), Limit: 1, Unit: "count", N: d.Domains, Pass: d.Unusable == "", Detail: detail})
	}
	if b := s.Bounces; b != nil {
		switch {
		case l.FeedAge < 0:
		case b.Events == 0:
			gate(summary.Gate{Name: "feed_age", Limit: l.FeedAge.Hours(), Unit: "hours", Detail: "the bounce sources hold no recent event at all: is the feed alive?"})
		case b.Newest.IsZero():
			gate(summary.Gate{Name: "feed_age", Limit: l.FeedAge.Hours(), Unit: "hours", N: b.Events, Pass: true, Detail: "the bounce events carry no time, so their age is not known"})
		default:
			age := now.Sub(b.Newest)
			gate(summary.Gate{Name: "feed_age", Value: age.Hours(), Limit: l.FeedAge.Hours(), Unit: "hours", N: b.Events, Pass: age <= l.FeedAge,
				Detail: fmt.Sprintf("the newest bounce is from %s, %.0f hours ago; the limit is %.0f", utc(b.Newest), age.Hours(), l.FeedAge.Hours())})
		}
		if l.Unclassified >= 0 {
			n := b.Events - b.Classified
			share := ratio(n, b.Events)
			gate(summary.Gate{Name: "unclassified", Value: share, Limit: l.Unclassified, Unit: "share", N: enough(b.Events, minEvents), Pass: share <= l.Unclassified,
				Detail: fmt.Sprintf("%s of %s bounce events have a wording that no rule knows (%s); the limit is %s", shown.Number(n), shown.Number(b.Events), rate(share), rate(l.Unclassified))})
		}
		if sent := sentOf(b, ""); l.Complaint >= 0 && sent > 0 {
			n := countOf(b, "", func(c summary.BounceCount) bool { return c.Category == "complaint" })
			r := wilson(n, sent)
			gate(summary.Gate{Name: "complaint", Value: r.Rate, Limit: l.Complaint, Unit: "share", N: enough(sent, minProvider), Pass: r.Rate <= l.Complaint,
				Detail: fmt.Sprintf("%s complaints on %s deliveries; the limit is %s", shown.Number(n), shown.Number(sent), rate(l.Complaint))})
		}
	}
	if p := s.Projection; l.HardBounce >= 0 && p != nil {
		// A prior is an assumption, and no list is refused on an assumption: only the
		// sender's own deliveries and bounces can fail this gate.
		measured := strings.HasPrefix(p.Basis, basisHistory)
		detail := fmt.Sprintf("%s to %s expected after cleaning; the limit is %s", rate(p.After.Low), rate(p.After.High), rate(l.HardBounce))
		if !measured {
			detail += "; an estimate from general experience, for information"
		}
		gate(summary.Gate{Name: "hard_bounce", Value: p.After.High, Limit: l.HardBounce, Unit: "share", N: p.After.N, Pass: !measured || p.After.High <= l.HardBounce, Detail: detail})
		if worst, r, ok := worstProvider(p); ok && measured {
			gate(summary.Gate{Name: "hard_bounce_provider", Value: r.High, Limit: l.HardBounce, Unit: "share", N: r.N, Pass: r.High <= l.HardBounce,
				Detail: fmt.Sprintf("%s: %s to %s expected after cleaning; the limit is %s", worst, rate(r.Low), rate(r.High), rate(l.HardBounce))})
		}
	}
	if note := lastForecast(s, previous); note != "" && !slices.Contains(s.Notes, note) {
		s.Notes = append(s.Notes, note)
	}
}

// worstProvider returns the provider with the highest projection among those
// with enough rows.
func worstProvider(p *summary.Projection) (string, summary.Rate, bool) {
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(p.By)), func(name string) bool { return p.By[name].N < minProvider })
	if len(names) == 0 {
		return "", summary.Rate{}, false
	}
	worst := slices.MaxFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(p.By[a].High, p.By[b].High), cmp.Compare(b, a)) })
	return worst, p.By[worst], true
}

// Failed returns the names of the gates that do not pass.
func Failed(s *summary.Summary) []string {
	var names []string
	for _, g := range s.Gates {
		if !g.Pass {
			names = append(names, g.Name)
		}
	}
	return names
}

// sameEvidence says whether two runs judged by the same kinds of evidence. A
// list that is cleaned with bounces for the first time has not jumped.
func sameEvidence(a, b *summary.Summary) bool {
	roles := func(s *summary.Summary) map[string]bool {
		m := map[string]bool{"dns": s.DNS != nil, "bounces": s.Bounces != nil}
		for _, in := range s.Inputs {
			m[in.Role] = true
		}
		return m
	}
	return maps.Equal(roles(a), roles(b))
}

func ratio(n, all int64) float64 {
	if all == 0 {
		return 0
	}
	return float64(n) / float64(all)
}

func boolNumber(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
