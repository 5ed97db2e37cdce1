package report

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/winnow-email/winnow/export"
	"github.com/winnow-email/winnow/export/summary"
	"github.com/winnow-email/winnow/internal/shown"
)

// Limits are the thresholds of the gates. A limit below zero turns its gate off.
type Limits struct {
	HardBounce      float64       // upper end of the projected hard-bounce rate, overall and per provider
	SuppressedShare float64       // share of the records that may be suppressed
	ReviewShare     float64       // share of the records that may wait for a person
	DuplicateShare  float64       // share of the records that may be further copies
	Records         float64       // share of the last run's records that must be there
	Jump            float64       // how many times the last run's suppressed share
	FeedAge         time.Duration // age of the newest bounce event
	BounceFiles     float64       // how many of a job's patterns may match no bounce file
	Unclassified    float64       // share of bounce events that no rule knows
	Complaint       float64       // complaints per delivered message
	Sending         float64       // share of the recent bounces that may be about the sender
}

// Preset returns a named set of limits.
//
//   - default: for a list cleaned by hand; the age of the bounce file is not judged.
//   - nightly: default, and the bounce feed must be alive.
//   - ses: Amazon SES puts an account under review at 5% bounces or 0.1%
//     complaints and may pause it at 10% (docs.aws.amazon.com, "reputation
//     dashboard"); the limits stay below the first.
//   - strict: half of the default, or nearly.
//
// A list of which half is gone or half are copies was not exported as a whole, or
// twice: what grows and shrinks by itself stays well within these limits.
func Preset(name string) (l Limits, ok bool) {
	l = Limits{HardBounce: 0.02, SuppressedShare: 0.30, ReviewShare: -1, DuplicateShare: 0.50, Records: 0.50, Jump: 3, FeedAge: -1, Unclassified: 0.10, Complaint: -1, Sending: 0.25}
	switch name {
	case "default":
	case "nightly":
		l.FeedAge = 48 * time.Hour
	case "ses":
		l.HardBounce, l.Complaint = 0.05, 0.001
	case "strict":
		l = Limits{HardBounce: 0.01, SuppressedShare: 0.15, ReviewShare: 0.05, DuplicateShare: 0.25, Records: 0.80, Jump: 2, FeedAge: 24 * time.Hour, Unclassified: 0.05, Complaint: 0.001, Sending: 0.10}
	default:
		return l, false
	}
	return l, true
}

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
		"duplicate_share": &l.DuplicateShare, "records": &l.Records, "jump": &l.Jump, "bounce_files": &l.BounceFiles, "unclassified": &l.Unclassified, "complaint": &l.Complaint, "sending": &l.Sending}
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
	if name != "jump" && name != "bounce_files" && v > 1 {
		return fmt.Errorf("gate %s: %s is more than 100%%", name, value)
	}
	*field = v
	return nil
}

// Judge fills the projection, the gates and the answer of s. previous is the last
// run of the same job, nil when there is none; of nil limits no gate is judged; now
// is the time against which the age of the bounces is measured.
func Judge(s, previous *summary.Summary, l *Limits, now time.Time) {
	s.Projection = project(s)
	s.Gates = nil
	if l != nil {
		j := judge{s: s, previous: previous, l: l, now: now}
		j.records()
		j.shares()
		j.jump()
		j.dns()
		if s.Bounces != nil {
			j.feed()
			j.complaints()
			j.sending()
		}
		j.hardBounce()
	}
	if s.Bounces != nil && len(s.Bounces.Missing) > 0 {
		s.Notes = append(s.Notes, noFiles(s.Bounces.Missing)+".")
	}
	if note := lastForecast(s, previous); note != "" && !slices.Contains(s.Notes, note) {
		s.Notes = append(s.Notes, note)
	}
	a := answer(s)
	s.Answer = &a
}

// Failed returns the names of the gates that fail.
func Failed(s *summary.Summary) []string {
	var names []string
	for _, g := range s.Gates {
		if g.State == summary.Fail {
			names = append(names, g.Name)
		}
	}
	return names
}

// judge measures the gates of a run.
type judge struct {
	s, previous *summary.Summary
	l           *Limits
	now         time.Time
}

// gate adds a gate that passes when pass is true.
func (j *judge) gate(g summary.Gate, pass bool) {
	if g.State == "" {
		g.State = summary.Fail
		if pass {
			g.State = summary.Pass
		}
	}
	j.s.Gates = append(j.s.Gates, g)
}

// upTo adds a gate that passes up to its limit, when what it measures rests on at
// least so many.
func (j *judge) upTo(g summary.Gate, least int64) {
	if g.N < least {
		g.State = summary.Unknown
		g.Detail = "too few to judge; " + g.Detail
	}
	j.gate(g, g.Value <= g.Limit)
}

// records judges what holds of every run, and whether as many came as before.
func (j *judge) records() {
	s := j.s
	var sum int64
	for _, m := range listMeanings {
		sum += s.Lists[m.list]
	}
	j.gate(summary.Gate{Name: "records_add_up", Value: float64(sum), Limit: float64(s.Records), Unit: "count", N: s.Records,
		Detail: fmt.Sprintf("%s records in, %s in the lists", shown.Number(s.Records), shown.Number(sum))}, sum == s.Records)

	wish := summary.Gate{Name: "complaints_in_cleaned", Unit: "count", N: s.Lists[export.Cleaned], State: summary.Unknown,
		Detail: "whether somebody was kept who complained or unsubscribed was not measured"}
	if n := s.AgainstWish; n != nil {
		wish.State, wish.Value = "", float64(*n)
		wish.Detail = fmt.Sprintf("%s kept %s complained or unsubscribed", shown.Number(*n), pick(*n, "address has", "addresses have"))
	}
	j.gate(wish, wish.Value == 0)

	if j.previous == nil || j.l.Records < 0 || !sameList(j.previous, s) {
		return
	}
	was, when := float64(j.previous.Records), "in the last run"
	if g := failedBefore(j.previous, "records"); g != nil {
		was /= g.Value // nobody has accepted that yet: the run before it counts
		when = "before they collapsed"
	}
	if was < 1 {
		return
	}
	g := summary.Gate{Name: "records", Value: float64(s.Records) / was, Limit: j.l.Records, Unit: "share", N: int64(math.Round(was)),
		Detail: fmt.Sprintf("%s records came, and %s %s; at least %s of them are expected. Was the list exported as a whole? If it is right, run once with this gate off",
			shown.Number(s.Records), shown.Number(int64(math.Round(was))), when, rate(j.l.Records))}
	if g.N < minRecords {
		g.State = summary.Unknown
		g.Detail = "too few to judge; " + g.Detail
	}
	j.gate(g, g.Value >= g.Limit)
}

// failedBefore returns a gate that failed in the last run and was measured there.
func failedBefore(previous *summary.Summary, name string) *summary.Gate {
	for i := range previous.Gates {
		if g := &previous.Gates[i]; g.Name == name && g.State == summary.Fail && g.Value > 0 {
			return g
		}
	}
	return nil
}

// shares judges how large the lists may be that are not sent.
func (j *judge) shares() {
	for _, c := range []struct {
		name, list, what string
		limit            float64
	}{
		{"suppressed_share", export.Suppressed, "%s of %s records are suppressed (%s); the limit is %s. Is it the right column, and is the bounce file of this list?", j.l.SuppressedShare},
		{"review_share", export.Review, "%s of %s records wait for a person (%s); the limit is %s", j.l.ReviewShare},
		{"duplicate_share", export.Duplicates, "%s of %s records are further copies (%s); the limit is %s. Was the list exported twice, and is it the right column?", j.l.DuplicateShare},
	} {
		if c.limit < 0 {
			continue
		}
		n, share := j.s.Lists[c.list], ratio(j.s.Lists[c.list], j.s.Records)
		j.upTo(summary.Gate{Name: c.name, Value: share, Limit: c.limit, Unit: "share", N: j.s.Records,
			Detail: fmt.Sprintf(c.what, shown.Number(n), shown.Number(j.s.Records), rate(share), rate(c.limit))}, minRecords)
	}
}

// jump judges whether much more is suppressed than in the last run.
func (j *judge) jump() {
	s, previous := j.s, j.previous
	if j.l.Jump < 0 || previous == nil || !sameEvidence(previous, s) {
		return
	}
	n := s.Lists[export.Suppressed]
	was, is := ratio(previous.Lists[export.Suppressed], previous.Records), ratio(n, s.Records)
	when := "in the last run"
	if g := failedBefore(previous, "jump"); g != nil {
		was /= g.Value // nobody has accepted that jump yet: the run before it counts
		when = "before it jumped"
	}
	// Nothing suppressed is not less than one record.
	base := max(was, ratio(1, max(s.Records, previous.Records)))
	least := int64(minRecords)
	if n < minJump {
		least = math.MaxInt64
	}
	j.upTo(summary.Gate{Name: "jump", Value: is / base, Limit: j.l.Jump, Unit: "times", N: min(s.Records, previous.Records),
		Detail: fmt.Sprintf("the suppressed share was %s %s and is %s (%.1f times; the limit is %.1f). If it is right, run once with this gate off", rate(was), when, rate(is), is/base, j.l.Jump)}, least)
}

// dns judges whether the resolvers could be believed.
func (j *judge) dns() {
	g := summary.Gate{Name: "dns", Limit: 1, Unit: "count", State: summary.Unknown, Detail: "the domains were not checked"}
	if d := j.s.DNS; d != nil {
		g.N, g.State, g.Value, g.Detail = d.Domains, "", 1, "the resolvers answered their checks"
		if d.Unusable != "" {
			g.Value, g.Detail = 0, d.Unusable
		}
	}
	j.gate(g, g.Value == 1)
}

// feed judges whether the bounces are fresh and understood.
func (j *judge) feed() {
	b := j.s.Bounces
	if j.l.BounceFiles >= 0 && b.Patterns > 0 {
		n := int64(len(b.Missing))
		g := summary.Gate{Name: "bounce_files", Value: float64(n), Limit: j.l.BounceFiles, Unit: "count", N: b.Patterns,
			Detail: fmt.Sprintf("%s of the job %s a bounce file", shown.Plural(b.Patterns, "pattern", "patterns"), pick(b.Patterns, "matches", "match"))}
		if n > 0 {
			g.Detail = fmt.Sprintf("%s: is the path right, and does the feed still come? If nights without a file are normal, turn this gate off", noFiles(b.Missing))
		}
		j.gate(g, g.Value <= g.Limit)
	}
	if j.l.FeedAge >= 0 {
		g := summary.Gate{Name: "feed_age", Limit: j.l.FeedAge.Hours(), Unit: "hours", N: b.Events}
		pass := false
		switch {
		case b.Events == 0:
			g.Detail = "the bounce sources hold no recent event at all: is the feed alive?"
		case b.Newest.IsZero():
			g.State, g.Detail = summary.Unknown, "the bounce events carry no time, so their age is not known"
		default:
			age := j.now.Sub(b.Newest)
			g.Value, pass = age.Hours(), age <= j.l.FeedAge
			g.Detail = fmt.Sprintf("the newest bounce is from %s, %.0f hours ago; the limit is %.0f", utc(b.Newest), age.Hours(), j.l.FeedAge.Hours())
		}
		j.gate(g, pass)
	}
	if j.l.Unclassified >= 0 {
		n := b.Events - b.Classified
		share := ratio(n, b.Events)
		j.upTo(summary.Gate{Name: "unclassified", Value: share, Limit: j.l.Unclassified, Unit: "share", N: b.Events,
			Detail: fmt.Sprintf("%s of %s bounce events have a wording that no rule knows (%s); the limit is %s", shown.Number(n), shown.Number(b.Events), rate(share), rate(j.l.Unclassified))}, minEvents)
	}
}

// noFiles says which patterns match no file.
func noFiles(patterns []string) string {
	return fmt.Sprintf("%s %s no bounce file", strings.Join(patterns, ", "), pick(int64(len(patterns)), "matches", "match"))
}

// complaints judges how many complain of what was delivered.
func (j *judge) complaints() {
	b := j.s.Bounces
	sent := sentOf(b, "")
	if j.l.Complaint < 0 || sent == 0 {
		return
	}
	n := countOf(b, "", func(c summary.BounceCount) bool { return c.Category == "complaint" })
	j.upTo(summary.Gate{Name: "complaint", Value: wilson(n, sent).Rate, Limit: j.l.Complaint, Unit: "share", N: sent,
		Detail: fmt.Sprintf("%s complaints on %s deliveries; the limit is %s", shown.Number(n), shown.Number(sent), rate(j.l.Complaint))}, minProvider)
}

// sending judges whether the sender is the trouble, and not the list.
func (j *judge) sending() {
	if j.l.Sending < 0 {
		return
	}
	t := senderSide(j.s.Bounces, j.now)
	g := summary.Gate{Name: "sending", Value: ratio(t.sender, t.bounces), Limit: j.l.Sending, Unit: "share", N: t.bounces}
	switch {
	case t.bounces == 0:
		g.State, g.Detail = summary.Unknown, "no bounce was read, so the sending side is not known"
	case t.old:
		g.State, g.Detail = summary.Unknown, t.tooOld()
	default:
		g.Detail = fmt.Sprintf("%s (%s); the limit is %s", t.words(), rate(g.Value), rate(g.Limit))
	}
	j.upTo(g, minSending)
}

// hardBounce judges how many will bounce.
func (j *judge) hardBounce() {
	p := j.s.Projection
	if j.l.HardBounce < 0 || p == nil {
		return
	}
	// A prior is an assumption, and no list is refused on an assumption: only the
	// sender's own deliveries and bounces can fail this gate, or pass it.
	measured := strings.HasPrefix(p.Basis, basisHistory)
	g := summary.Gate{Name: "hard_bounce", Value: p.After.High, Limit: j.l.HardBounce, Unit: "share", N: p.After.N,
		Detail: fmt.Sprintf("%s to %s expected after cleaning; the limit is %s", rate(p.After.Low), rate(p.After.High), rate(j.l.HardBounce))}
	if !measured {
		g.State = summary.Inform
		g.Detail += "; an estimate from general experience, for information"
	}
	j.gate(g, g.Value <= g.Limit)
	if worst, r, ok := worstProvider(p); ok && measured {
		j.gate(summary.Gate{Name: "hard_bounce_provider", Value: r.High, Limit: j.l.HardBounce, Unit: "share", N: r.N,
			Detail: fmt.Sprintf("%s: %s to %s expected after cleaning; the limit is %s", worst, rate(r.Low), rate(r.High), rate(j.l.HardBounce))}, r.High <= j.l.HardBounce)
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

// sameList says whether two runs have a list in common, by its name without the
// digits in it: exports are dated and numbered. Another list may well be shorter.
func sameList(a, b *summary.Summary) bool {
	names := func(s *summary.Summary) map[string]bool {
		m := map[string]bool{}
		for _, in := range s.Inputs {
			if in.Role == "list" {
				m[strings.Map(func(r rune) rune {
					if unicode.IsDigit(r) {
						return -1
					}
					return r
				}, filepath.Base(in.Name))] = true
			}
		}
		return m
	}
	was := names(a)
	for name := range names(b) {
		if was[name] {
			return true
		}
	}
	return len(was) == 0
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
