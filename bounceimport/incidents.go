package bounceimport

import (
	"cmp"
	_ "embed"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/winnow-email/winnow/validate"
)

// An Incident is a window in which a provider's "no such user" is not believed:
// it answered so for mailboxes that are alive. Addresses that have nothing else
// against them are for review.
type Incident struct {
	Provider string    `json:"provider"` // as Providers names it
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	N        int64     `json:"n"` // events in the window; 0 for a known incident
	Why      string    `json:"why"`
}

// incidentCategory is what lies in an incident. Other answers are either about
// the sender, or believed only when they come again on other days.
const incidentCategory = "user_unknown"

//go:embed incidents.tsv
var incidentsTSV string

// KnownIncidents returns the incidents that are public knowledge, oldest first.
func KnownIncidents() []Incident { return slices.Clone(knownIncidents()) }

var knownIncidents = sync.OnceValue(func() []Incident {
	var list []Incident
	for line := range strings.Lines(incidentsTSV) {
		line = strings.TrimRight(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		f := strings.Split(line, "\t")
		from, err1 := time.Parse(time.RFC3339, f[1])
		to, err2 := time.Parse(time.RFC3339, f[2])
		if len(f) != 5 || err1 != nil || err2 != nil {
			panic("incidents.tsv: " + line) // the test of this file reads it
		}
		list = append(list, Incident{Provider: f[0], From: from, To: to, Why: f[3]})
	}
	return list
})

// Concerns tells whether the incident is about a provider's answers of a category.
func (in *Incident) Concerns(provider, category string) bool {
	return provider == in.Provider && category == incidentCategory
}

// Holds tells whether an event of the category from first to last (both the
// same for a single event) is in the incident. A source that gives only the
// day gives midnight: then the whole day is meant.
func (in *Incident) Holds(provider, category string, first, last time.Time) bool {
	if !in.Concerns(provider, category) || first.IsZero() || last.IsZero() {
		return false
	}
	if first.Equal(last) && first.Equal(first.Truncate(day)) {
		return first.Add(day).After(in.From) && first.Before(in.To)
	}
	return !first.Before(in.From) && !last.After(in.To)
}

// FoldIncidents is Fold for evidence of which some may lie in an incident. What
// is left without it decides; where only an incident would suppress, the record
// says so in Held.
func FoldIncidents(events []DayEvent, incidents []Incident, now time.Time) Record {
	var held *Incident
	var rest []DayEvent
	for i := range events {
		e := &events[i]
		k := -1
		if e.Category == incidentCategory {
			k = slices.IndexFunc(incidents, func(in Incident) bool { return in.Holds(e.Provider, e.Category, e.First, e.Last) })
		}
		switch {
		case k >= 0 && held == nil:
			held = &incidents[k]
			rest = append(make([]DayEvent, 0, len(events)), events[:i]...)
		case k >= 0:
		case held != nil:
			rest = append(rest, *e)
		}
	}
	if held == nil {
		return Fold(events, now)
	}
	r := Fold(rest, now)
	if r.Action == SuppressNow || r.Action == Count {
		return r
	}
	all := Fold(events, now)
	if all.Action != SuppressNow && all.Action != Count {
		return r
	}
	all.Held = held.String()
	return all
}

// String says in one line what happened.
func (in *Incident) String() string {
	return fmt.Sprintf("%s, %s to %s UTC: %s", in.Provider, in.From.UTC().Format("2006-01-02 15:04"), in.To.UTC().Format("2006-01-02 15:04"), in.Why)
}

// Providers names the mailbox providers behind events in a way that all sources
// share. The zero value is ready to use; it remembers domains, and is for one
// goroutine.
type Providers struct {
	domains map[string]string // by domain as written
	check   validate.Validator
}

// Of returns the provider of an event: by the domain of the recipient where it
// is a provider's own, else by the wording of the reply. It is "" when it cannot
// be told.
func (p *Providers) Of(e *Event) string {
	if i := strings.LastIndexByte(e.Recipient, '@'); i >= 0 {
		name, ok := p.domains[e.Recipient[i+1:]]
		if !ok {
			domain := strings.Clone(e.Recipient[i+1:])
			name = ProviderFamily(p.check.CheckDomain(strings.ToLower(domain)).Provider)
			if p.domains == nil || len(p.domains) >= maxProviderDomains {
				p.domains = make(map[string]string)
			}
			p.domains[domain] = name
		}
		if name != "" {
			return name
		}
	}
	return ProviderFamily(e.Provider)
}

const maxProviderDomains = 1 << 16

// ProviderFamily puts the brands of one mail system under one name, by which events
// are counted: what breaks for one of them breaks for all. It takes a provider as
// validate and replies name it.
func ProviderFamily(p string) string {
	switch p {
	case "gmail", "googlemail", "google-workspace":
		return "google"
	case "outlook", "hotmail", "office365", "microsoft-365", "outlook-consumer":
		return "microsoft"
	case "aol", "yahoo-aol":
		return "yahoo"
	case "icloud":
		return "apple"
	}
	return p
}

// The thresholds of an incident.
const (
	incidentHours   = 6  // length of the window that slides over the hours
	incidentMin     = 20 // events in the window, at least
	incidentRise    = 8  // times the provider's median window
	incidentOdds    = 3  // odds ratio of the window against other times, provider against the others: surely this much
	incidentAround  = 24 // hours around the window that are no baseline: the same mailing goes on there
	incidentOddsDay = 1.5
	incidentBase    = 20 // events of the others at other times, at least, and no less than around the window: no baseline, no verdict
	incidentDays    = 3  // days outside with any record, at least
)

// An IncidentFinder looks for unknown incidents in the times of events. A
// window of six hours is one when a provider's "no such user" count is at least
// 20, at least 8 times its own median, and its odds ratio against all other
// providers, that window against other times, is at least 3 (with 95%
// certainty): a bad import raises all providers alike and is none. The window together with the day
// before and after it must lean the same way, so that a provider that merely
// answers faster than others is none either. It needs a few days of other
// records to compare with. Its memory is one number an hour and provider. The
// zero value is ready to use; the order of events does not matter.
type IncidentFinder struct {
	unknown map[providerHour]int64
	active  map[int64]struct{} // hours in which anything was recorded
}

type providerHour struct {
	provider string
	hour     int64
}

// Add counts an event. A zero time is not counted.
func (f *IncidentFinder) Add(provider, category string, t time.Time) {
	if t.IsZero() {
		return
	}
	f.AddHour(provider, category, floorDiv(t.Unix(), 3600), 1)
}

// Credible tells whether mail can have been sent at a time: from 1990 to 2099.
// Anything else is a broken clock.
func Credible(t time.Time) bool {
	h := floorDiv(t.Unix(), 3600)
	return h >= firstHour && h < endHour
}

// The hours since 1970 that are credible; without the limit a file of random
// dates could fill the memory.
const (
	firstHour = 20 * 8766
	endHour   = 130 * 8766
)

// AddHour counts n events in an hour since 1970.
func (f *IncidentFinder) AddHour(provider, category string, hour, n int64) {
	if hour < firstHour || hour >= endHour {
		return
	}
	if f.active == nil {
		f.unknown, f.active = make(map[providerHour]int64), make(map[int64]struct{})
	}
	f.active[hour] = struct{}{}
	if category == incidentCategory {
		f.unknown[providerHour{provider, hour}] += n
	}
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// series holds counts by hour, with running totals.
type series struct {
	hours []int64
	upto  []int64 // upto[i]: sum of the counts before hours[i]; one longer than hours
}

func newSeries(counts map[int64]int64) *series {
	s := &series{hours: make([]int64, 0, len(counts)), upto: make([]int64, 1, len(counts)+1)}
	for h := range counts {
		s.hours = append(s.hours, h)
	}
	slices.Sort(s.hours)
	for i, h := range s.hours {
		s.upto = append(s.upto, s.upto[i]+counts[h])
	}
	return s
}

// sum returns the count of the hours from (included) to to (not included).
func (s *series) sum(from, to int64) int64 {
	i, _ := slices.BinarySearch(s.hours, from)
	j, _ := slices.BinarySearch(s.hours, to)
	return s.upto[j] - s.upto[i]
}

func (s *series) total() int64 { return s.upto[len(s.upto)-1] }

// Find returns the incidents, by time and provider. An outage is also in the
// baseline of all other windows, so the most striking one is found first, taken
// out of the counts, and what is left is looked at again.
func (f *IncidentFinder) Find() []Incident {
	byProvider := make(map[string]map[int64]int64)
	for k, n := range f.unknown {
		m := byProvider[k.provider]
		if m == nil {
			m = make(map[int64]int64)
			byProvider[k.provider] = m
		}
		m[k.hour] += n
	}
	names := slices.Sorted(maps.Keys(byProvider))
	hours := make(map[int64]int64, len(f.active))
	for h := range f.active {
		hours[h] = 1
	}
	active := newSeries(hours)
	all := make([]provider, len(names))
	for i, name := range names {
		all[i] = provider{name: name, series: newSeries(byProvider[name])}
	}
	var list []Incident
	for len(list) < maxIncidents {
		var worst window
		for i := range all {
			if all[i].name == "" { // a mixture of everyone else has no outage of its own
				continue
			}
			if w := worstWindow(&all[i], all, active); w.odds > worst.odds {
				worst = w
			}
		}
		if worst.odds == 0 {
			break
		}
		p := worst.provider
		counts := byProvider[p.name]
		in := worst.incident(counts)
		for h := in.From.Unix() / 3600; h < in.To.Unix()/3600; h++ {
			delete(counts, h)
		}
		p.series = newSeries(counts)
		p.incidents = append(p.incidents, in)
		list = append(list, in)
	}
	slices.SortFunc(list, func(a, b Incident) int { return cmp.Or(a.From.Compare(b.From), cmp.Compare(a.Provider, b.Provider)) })
	return list
}

// maxIncidents bounds the work of Find. Who has more has no baseline.
const maxIncidents = 100

// provider is one in the search, without its incidents so far.
type provider struct {
	name string
	*series
	incidents []Incident
}

// broken says whether the provider has an incident in the hours from lo to hi,
// so that it can be no measure for others.
func (p *provider) broken(lo, hi int64) bool {
	return slices.ContainsFunc(p.incidents, func(in Incident) bool {
		return in.From.Unix()/3600 < hi && in.To.Unix()/3600 > lo
	})
}

// window is six hours of one provider that look like an incident.
type window struct {
	provider *provider
	from, to int64 // hours since 1970
	n        int64
	median   int64
	odds     float64 // 0: none
}

// worstWindow returns the window of a provider that stands out most among those
// that pass all conditions; active holds the hours in which anything was
// recorded.
func worstWindow(p *provider, all []provider, active *series) (worst window) {
	if p.total() < incidentMin {
		return worst
	}
	counts := make([]int64, 0, len(active.hours))
	for _, h := range active.hours {
		counts = append(counts, p.sum(h-incidentHours+1, h+1))
	}
	slices.Sort(counts)
	median := counts[len(counts)/2]
	for _, h := range p.hours {
		w := window{provider: p, from: h - incidentHours + 1, to: h + 1, median: median}
		w.n = p.sum(w.from, w.to)
		if w.n < incidentMin || w.n < incidentRise*median {
			continue
		}
		w.odds = w.stands(all, active)
		if w.odds > worst.odds || w.odds == worst.odds && w.n > worst.n {
			worst = w
		}
	}
	return worst
}

// stands returns the odds ratio of the window when it and its surroundings pass,
// else 0.
func (w *window) stands(all []provider, active *series) float64 {
	lo, hi := w.from-incidentAround, w.to+incidentAround
	around := w.provider.sum(lo, hi)
	out := w.provider.total() - around
	var others, othersAround, othersOut int64
	for i := range all {
		if q := &all[i]; q != w.provider && !q.broken(lo, hi) {
			others += q.sum(w.from, w.to)
			n := q.sum(lo, hi)
			othersAround += n
			othersOut += q.total() - n
		}
	}
	if othersOut < max(incidentBase, othersAround) || daysOutside(active, lo, hi) < incidentDays {
		return 0
	}
	r := odds(w.n, out, others, othersOut)
	if r < incidentOdds || odds(around, out, othersAround, othersOut) < incidentOddsDay {
		return 0
	}
	return r
}

// odds returns the lower end of the 95% interval of the odds ratio of a 2x2
// table (Woolf), with half an event added to each cell (Haldane) so that an
// empty one is no infinity. A ratio of three among a handful of events is chance.
func odds(a, b, c, d int64) float64 {
	w, x, y, z := float64(a)+0.5, float64(b)+0.5, float64(c)+0.5, float64(d)+0.5
	return w * z / (x * y) * math.Exp(-1.96*math.Sqrt(1/w+1/x+1/y+1/z))
}

// daysOutside counts, up to what is needed, the days with any record outside
// the hours from lo to hi.
func daysOutside(active *series, lo, hi int64) int {
	n, last := 0, int64(-1)<<62
	for _, h := range active.hours {
		if h >= lo && h < hi {
			continue
		}
		if d := floorDiv(h, 24); d != last {
			last = d
			if n++; n >= incidentDays {
				break
			}
		}
	}
	return n
}

// incident makes an incident of the window: it grows over the hours beside it
// that are as bad, and loses quiet ones at its ends. counts are the provider's.
func (w *window) incident(counts map[int64]int64) Incident {
	quiet := max(2, incidentRise*w.median/incidentHours)
	from, to := w.from, w.to
	for counts[from-1] > quiet {
		from--
	}
	for counts[to] > quiet {
		to++
	}
	for counts[from] <= quiet {
		from++
	}
	for counts[to-1] <= quiet {
		to--
	}
	n := int64(0)
	for h := from; h < to; h++ {
		n += counts[h]
	}
	return Incident{Provider: w.provider.name, From: time.Unix(from*3600, 0).UTC(), To: time.Unix(to*3600, 0).UTC(), N: n,
		Why: fmt.Sprintf("looks like an outage: %d in %d hours are usual, and other providers did not rise with it", w.median, incidentHours)}
}
