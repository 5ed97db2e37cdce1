// Package diagnosis says what bounces mean for the sender: whose side the trouble
// is on, at which providers, since when, right after what, and what to check
// first.
package diagnosis

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/bounceimport/reply"
)

// A Diagnosis collects what events say of the sender's whole set-up: which
// categories, at which providers, for how many recipients, since when. Its
// memory does not grow with the number of events. The zero value is ready to
// use; the order of events does not matter.
type Diagnosis struct {
	// Changes are what the user did and when, to be set beside the onset of problems.
	Changes []Change
	// Incidents are those that are known from more than these events; what the
	// events show themselves is found.
	Incidents []bounceimport.Incident

	events    int64
	known     int64
	oldest    time.Time
	newest    time.Time
	sides     map[bounceimport.Side]int64
	on554     map[bounceimport.Side]int64
	cells     map[cellKey]*tally
	hours     map[hourKey]int64 // when, for onset and timeline
	daily     bool              // hours holds days: there were too many hours
	clusters  map[clusterKey]*cluster
	buf       []byte
	finder    bounceimport.IncidentFinder
	providers bounceimport.Providers
}

// Change is something the sender did: a new IP address, a new template.
type Change struct {
	Time time.Time `json:"time"`
	What string    `json:"what"`
}

type cellKey struct {
	category string
	action   bounceimport.Action // weak evidence of a category is only counted
	provider string
}

// tally is one category at one provider.
type tally struct {
	cellKey
	bucket      string
	side        bounceimport.Side
	n           int64
	first, last time.Time
	recipients  sketch
	domains     sketch
	senders     sketch
	aDomain     string // the domain, while there is only one
	aSender     string
}

type hourKey struct {
	cell *tally
	hour int64
}

type clusterKey struct{ category, provider, template string }

type cluster struct {
	n           int64
	first, last time.Time
	bucket      string
	sample      string // the first of its kind, masked
	rule, fix   string // of the sample
}

// The bounds of a diagnosis.
const (
	maxHours    = 1 << 19 // hours times cells; beyond, days are enough
	maxClusters = 5000    // templates kept when there are more than twice as many
	maxTimeline = 20000
)

// Add counts an event; it keeps no reference to e. Its error is always nil: the
// signature is that of Read's yield.
func (d *Diagnosis) Add(e *bounceimport.Event) error {
	if d.cells == nil {
		d.sides, d.on554 = make(map[bounceimport.Side]int64), make(map[bounceimport.Side]int64)
		d.cells, d.hours, d.clusters = make(map[cellKey]*tally), make(map[hourKey]int64), make(map[clusterKey]*cluster)
	}
	d.events++
	if e.Category != "unknown" {
		d.known++
	}
	side := e.Side
	if e.Category == "unknown" {
		side = "unknown"
	}
	d.sides[side]++
	code := e.Code
	if code == 0 { // a history keeps only the reply
		code, _ = reply.Codes(e.Reply)
	}
	if code == 554 {
		d.on554[side]++
	}
	provider := d.providers.Of(e)
	k := cellKey{e.Category, e.Action, provider}
	c := d.cells[k]
	if c == nil {
		k = cellKey{strings.Clone(e.Category), bounceimport.Action(strings.Clone(string(e.Action))), strings.Clone(provider)}
		c = &tally{cellKey: k, bucket: strings.Clone(e.Bucket), side: bounceimport.Side(strings.Clone(string(e.Side)))}
		d.cells[k] = c
	}
	c.n++
	t := e.Time
	if !bounceimport.Credible(t) {
		t = time.Time{} // a broken clock is no time
	}
	widen(&c.first, &c.last, t)
	widen(&d.oldest, &d.newest, t)
	at := strings.LastIndexByte(e.Recipient, '@')
	c.recipients.add(e.Recipient)
	if at >= 0 {
		c.domains.add(e.Recipient[at+1:])
		setOnly(&c.aDomain, e.Recipient[at+1:], c.domains.n() == 1)
	}
	if i := strings.LastIndexByte(e.Sender, '@'); i >= 0 {
		c.senders.add(e.Sender[i+1:])
		setOnly(&c.aSender, strings.TrimRight(e.Sender[i+1:], ">"), c.senders.n() == 1)
	}
	if !t.IsZero() {
		h := hourKey{c, t.Unix() / 3600}
		if d.daily {
			h.hour -= h.hour % 24
		}
		d.hours[h]++
		if len(d.hours) > maxHours && !d.daily {
			d.coarsen()
		}
		d.finder.Add(provider, e.Category, t)
	}
	if side == bounceimport.Sender || side == "unknown" {
		d.cluster(e, provider, t)
	}
	return nil
}

func widen(first, last *time.Time, t time.Time) {
	if t.IsZero() {
		return
	}
	if first.IsZero() || t.Before(*first) {
		*first = t.UTC()
	}
	if t.After(*last) {
		*last = t.UTC()
	}
}

func setOnly(s *string, v string, only bool) {
	if only && *s != v {
		*s = strings.Clone(v)
	}
}

// coarsen puts the hours of each day together.
func (d *Diagnosis) coarsen() {
	d.daily = true
	days := make(map[hourKey]int64)
	for k, n := range d.hours {
		k.hour -= k.hour % 24
		days[k] += n
	}
	d.hours = days
}

// cluster puts replies together that are alike but for names and numbers.
func (d *Diagnosis) cluster(e *bounceimport.Event, provider string, t time.Time) {
	text := e.Reply
	if text == "" {
		text = e.Verdict
	}
	if e.Category == "unknown" {
		provider = "" // a wording that no rule knows is one thing to find out, wherever it came from
	}
	// A history masks local parts; they are the same template all the same.
	k := clusterKey{e.Category, provider, reply.Template(strings.ReplaceAll(text, "***@", "x@"))}
	c := d.clusters[k]
	if c == nil {
		c = &cluster{bucket: strings.Clone(e.Bucket)}
		d.clusters[clusterKey{strings.Clone(k.category), strings.Clone(provider), strings.Clone(k.template)}] = c
	}
	c.n++
	local := e.Recipient
	if i := strings.LastIndexByte(local, '@'); i >= 0 {
		local = local[:i]
	}
	// The sample is the first in time, then in the alphabet: no matter which came first.
	if c.sample == "" || t.Equal(c.first) || !t.IsZero() && (c.first.IsZero() || t.Before(c.first)) {
		d.buf = reply.AppendMasked(d.buf[:0], text, local)
		if c.sample == "" || !t.Equal(c.first) || string(d.buf) < c.sample {
			c.sample, c.rule, c.fix = string(d.buf), strings.Clone(e.Rule), strings.Clone(e.Fix)
		}
	}
	widen(&c.first, &c.last, t)
	if len(d.clusters) > 2*maxClusters {
		d.prune()
	}
}

// prune keeps the largest clusters.
func (d *Diagnosis) prune() {
	keys := slices.Collect(maps.Keys(d.clusters))
	slices.SortFunc(keys, func(a, b clusterKey) int {
		return cmp.Or(cmp.Compare(d.clusters[b].n, d.clusters[a].n), a.compare(b))
	})
	for _, k := range keys[maxClusters:] {
		delete(d.clusters, k)
	}
}

func (k clusterKey) compare(o clusterKey) int {
	return cmp.Or(cmp.Compare(k.category, o.category), cmp.Compare(k.provider, o.provider), cmp.Compare(k.template, o.template))
}

// A sketch counts different strings: exactly up to sketchSize, beyond that by
// the smallest hashes (k minimum values), within some 6%.
type sketch struct {
	min []uint64 // ascending
}

const sketchSize = 256

func (s *sketch) add(v string) {
	h := fnv.New64a()
	h.Write([]byte(strings.ToLower(v)))
	x := h.Sum64()
	// FNV spreads short strings badly in its upper bits; finish as splitmix64 does.
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	x ^= x >> 31
	if len(s.min) == sketchSize && x >= s.min[sketchSize-1] {
		return
	}
	i, found := slices.BinarySearch(s.min, x)
	if found {
		return
	}
	if len(s.min) == sketchSize {
		s.min = s.min[:sketchSize-1]
	}
	s.min = slices.Insert(s.min, i, x)
}

func (s *sketch) merge(o *sketch) {
	all := slices.Concat(s.min, o.min)
	slices.Sort(all)
	all = slices.Compact(all)
	s.min = all[:min(len(all), sketchSize)]
}

func (s *sketch) n() int64 {
	if len(s.min) < sketchSize {
		return int64(len(s.min))
	}
	return int64(float64(sketchSize-1) / (float64(s.min[sketchSize-1]) / math.MaxUint64))
}

// Findings are what a Diagnosis comes to.
type Findings struct {
	Events     int64                       `json:"events"`
	Classified int64                       `json:"classified"` // category other than unknown
	Oldest     time.Time                   `json:"oldest,omitzero"`
	Newest     time.Time                   `json:"newest,omitzero"`
	Sides      map[bounceimport.Side]int64 `json:"sides"` // recipient, sender, transient, none, unknown
	On554      map[bounceimport.Side]int64 `json:"replies_554,omitempty"`
	Categories []CategoryCount             `json:"categories"` // category x provider, most frequent first
	Problems   []Problem                   `json:"problems"`   // of the sender, in the order in which to look at them
	Recipients []Problem                   `json:"recipients"` // of the list: what cleaning takes care of
	FixFirst   []Cluster                   `json:"fix_first"`  // sender-side replies, alike put together, in the order of Problems
	Unknown    []Cluster                   `json:"unclassified"`
	Incidents  []bounceimport.Incident     `json:"incidents"`
	Timeline   []TimelinePoint             `json:"timeline"`
	Changes    []Change                    `json:"changes,omitempty"`
}

// CategoryCount is a cell of the table category x provider.
type CategoryCount struct {
	Category string              `json:"category"`
	Bucket   string              `json:"bucket"`
	Side     bounceimport.Side   `json:"side"`
	Action   bounceimport.Action `json:"action"`
	Provider string              `json:"provider,omitempty"` // "" all that could not be told
	N        int64               `json:"n"`
}

// Cluster is a group of replies that are alike but for names and numbers.
type Cluster struct {
	Template string    `json:"template"`
	Category string    `json:"category"`
	Bucket   string    `json:"bucket"`
	Provider string    `json:"provider,omitempty"`
	N        int64     `json:"n"`
	First    time.Time `json:"first,omitzero"`
	Last     time.Time `json:"last,omitzero"`
	Sample   string    `json:"sample"` // masked
	Rule     string    `json:"rule,omitempty"`
	Fix      string    `json:"fix,omitempty"`
}

// TimelinePoint counts the events of a day (UTC), bucket and provider.
type TimelinePoint struct {
	Day      string `json:"day"` // YYYY-MM-DD
	Bucket   string `json:"bucket"`
	Provider string `json:"provider,omitempty"`
	N        int64  `json:"n"`
	Hard     int64  `json:"hard,omitempty"`        // of N: hard bounces
	Sender   int64  `json:"sender_side,omitempty"` // of N: about the sender
	Sent     int64  `json:"sent,omitempty"`        // of N: deliveries and bounces, a message each
}

// Problem is one category, with the questions of a diagnosis answered: what do
// the words say, where, since when, right after what, what to check.
type Problem struct {
	Category   string          `json:"category"`
	Bucket     string          `json:"bucket"`
	N          int64           `json:"n"`
	Providers  []ProviderCount `json:"providers"`  // most first
	Scope      string          `json:"scope"`      // one_provider, mostly_one_provider, everywhere, not_known
	Recipients int64           `json:"recipients"` // different mailboxes; about, beyond 256
	Domains    int64           `json:"domains"`
	Domain     string          `json:"domain,omitempty"`  // the only recipient domain
	Senders    int64           `json:"senders,omitempty"` // different sender domains, where the source names them
	Sender     string          `json:"sender,omitempty"`  // the only one
	First      time.Time       `json:"first,omitzero"`
	Last       time.Time       `json:"last,omitzero"`
	Since      *Onset          `json:"since,omitempty"` // nil: as long as the files go back
	Over       bool            `json:"over,omitempty"`  // later mail to the same providers did not meet it
	Meaning    string          `json:"meaning,omitempty"`
	Fix        string          `json:"check,omitempty"`
	Sample     string          `json:"sample,omitempty"`
}

// ProviderCount counts the events at a provider.
type ProviderCount struct {
	Provider string `json:"provider"` // "" all that could not be told
	N        int64  `json:"n"`
}

// Onset is when a problem began: its share of all events at the same providers
// before and after.
type Onset struct {
	Time   time.Time `json:"time"`
	Before Share     `json:"before"`
	From   Share     `json:"from_then"`
	After  *Change   `json:"right_after,omitempty"` // what the user did last before it
}

// Share is a number of events out of all.
type Share struct {
	N  int64 `json:"n"`
	Of int64 `json:"of"`
}

// The order of a diagnosis: recipients first (they are cleaned away), then
// reputation, authentication, content; then the path and the rest.
var bucketOrder = []string{"recipient", "complaint", "reputation", "authentication", "content", "policy", "relay", "routing", "unknown", "none"}

func orderOf(bucket string) int {
	if i := slices.Index(bucketOrder, bucket); i >= 0 {
		return i
	}
	return len(bucketOrder)
}

// Findings returns what the events come to so far.
func (d *Diagnosis) Findings() *Findings {
	f := &Findings{Events: d.events, Classified: d.known, Oldest: d.oldest, Newest: d.newest,
		Sides: maps.Clone(d.sides), On554: maps.Clone(d.on554), Categories: []CategoryCount{}, Problems: []Problem{}, Recipients: []Problem{},
		FixFirst: []Cluster{}, Unknown: []Cluster{}, Incidents: d.incidents(), Changes: slices.Clone(d.Changes)}
	slices.SortStableFunc(f.Changes, func(a, b Change) int { return a.Time.Compare(b.Time) })
	byCategory := make(map[string][]cellKey)
	for k, c := range d.cells {
		f.Categories = append(f.Categories, CategoryCount{k.category, c.bucket, c.side, k.action, k.provider, c.n})
		byCategory[k.category] = append(byCategory[k.category], k)
	}
	slices.SortFunc(f.Categories, func(a, b CategoryCount) int {
		return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Category, b.Category), cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Action, b.Action))
	})
	d.clusterList(f)
	for _, keys := range byCategory {
		c := d.cells[keys[0]]
		if c.side != bounceimport.Sender && c.side != bounceimport.Recipient || c.category == "unknown" {
			continue
		}
		p := d.problem(keys, f.Changes)
		if c.side == bounceimport.Recipient {
			f.Recipients = append(f.Recipients, p)
			continue
		}
		for _, cl := range f.FixFirst {
			if cl.Category == p.Category && cl.Sample != "" { // the largest comes first
				p.Sample, p.Fix = cl.Sample, cmp.Or(cl.Fix, p.Fix)
				break
			}
		}
		f.Problems = append(f.Problems, p)
	}
	for _, list := range [][]Problem{f.Problems, f.Recipients} {
		slices.SortFunc(list, func(a, b Problem) int {
			return cmp.Or(cmp.Compare(orderOf(a.Bucket), orderOf(b.Bucket)), cmp.Compare(b.N, a.N), cmp.Compare(a.Category, b.Category))
		})
	}
	f.Timeline = d.timeline()
	return f
}

// incidents returns those that were found before, those that the events show, and
// of those that are known to all the ones that the events touch.
func (d *Diagnosis) incidents() []bounceimport.Incident {
	list := append([]bounceimport.Incident{}, d.Incidents...)
	for _, in := range d.finder.Find() {
		again := slices.ContainsFunc(d.Incidents, func(o bounceimport.Incident) bool {
			return o.Provider == in.Provider && o.From.Before(in.To) && in.From.Before(o.To)
		})
		if !again {
			list = append(list, in)
		}
	}
	for _, in := range bounceimport.KnownIncidents() {
		for h, n := range d.hours {
			t := time.Unix(h.hour*3600, 0)
			if in.Concerns(h.cell.provider, h.cell.category) && !t.Before(in.From.Truncate(time.Hour)) && t.Before(in.To) {
				in.N += n
			}
		}
		if in.N > 0 {
			list = append(list, in)
		}
	}
	slices.SortStableFunc(list, func(a, b bounceimport.Incident) int {
		return cmp.Or(a.From.Compare(b.From), cmp.Compare(a.Provider, b.Provider))
	})
	return list
}

// clusterList adds the clusters to f, in the order in which to look at them.
func (d *Diagnosis) clusterList(f *Findings) {
	for k, c := range d.clusters {
		l := Cluster{k.template, k.category, c.bucket, k.provider, c.n, c.first, c.last, c.sample, c.rule, c.fix}
		if k.category == "unknown" {
			f.Unknown = append(f.Unknown, l)
		} else {
			f.FixFirst = append(f.FixFirst, l)
		}
	}
	for _, list := range [][]Cluster{f.FixFirst, f.Unknown} {
		slices.SortFunc(list, func(a, b Cluster) int {
			return cmp.Or(cmp.Compare(orderOf(a.Bucket), orderOf(b.Bucket)), cmp.Compare(b.N, a.N), cmp.Compare(a.Category, b.Category),
				cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Template, b.Template))
		})
	}
}

func (d *Diagnosis) timeline() []TimelinePoint {
	type key struct {
		day              int64
		bucket, provider string
	}
	type point struct{ n, hard, sender, sent int64 }
	points := make(map[key]point)
	for h, n := range d.hours {
		k := key{h.hour / 24, h.cell.bucket, h.cell.provider}
		p := points[k]
		p.n += n
		c, _ := bounceimport.LookupCategory(h.cell.category)
		if c.Hard {
			p.hard += n
		}
		if h.cell.side == bounceimport.Sender {
			p.sender += n
		}
		if c.Name == "delivered" || h.cell.action == bounceimport.SuppressNow && h.cell.bucket == "recipient" || h.cell.action == bounceimport.Count || h.cell.action == bounceimport.Report {
			p.sent += n
		}
		points[k] = p
	}
	if len(points) > maxTimeline { // years at many providers: the providers are in Categories
		merged := make(map[key]point)
		for k, p := range points {
			k.provider = ""
			m := merged[k]
			merged[k] = point{m.n + p.n, m.hard + p.hard, m.sender + p.sender, m.sent + p.sent}
		}
		points = merged
	}
	list := make([]TimelinePoint, 0, len(points))
	for k, p := range points {
		list = append(list, TimelinePoint{time.Unix(k.day*86400, 0).UTC().Format(time.DateOnly), k.bucket, k.provider, p.n, p.hard, p.sender, p.sent})
	}
	slices.SortFunc(list, func(a, b TimelinePoint) int {
		return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(orderOf(a.Bucket), orderOf(b.Bucket)), cmp.Compare(a.Provider, b.Provider))
	})
	return list
}

// problem answers the questions for one category.
func (d *Diagnosis) problem(keys []cellKey, changes []Change) Problem {
	slices.SortFunc(keys, func(a, b cellKey) int {
		return cmp.Or(cmp.Compare(d.cells[b].n, d.cells[a].n), cmp.Compare(a.provider, b.provider), cmp.Compare(a.action, b.action))
	})
	top := d.cells[keys[0]]
	about, _ := bounceimport.LookupCategory(top.category)
	p := Problem{Category: top.category, Bucket: top.bucket, Meaning: about.Meaning, Fix: about.Fix}
	var recipients, domains, senders sketch
	for _, k := range keys {
		c := d.cells[k]
		p.N += c.n
		if i := slices.IndexFunc(p.Providers, func(o ProviderCount) bool { return o.Provider == k.provider }); i >= 0 {
			p.Providers[i].N += c.n
		} else {
			p.Providers = append(p.Providers, ProviderCount{k.provider, c.n})
		}
		widen(&p.First, &p.Last, c.first)
		widen(&p.First, &p.Last, c.last)
		recipients.merge(&c.recipients)
		domains.merge(&c.domains)
		senders.merge(&c.senders)
		p.Domain, p.Sender = cmp.Or(p.Domain, c.aDomain), cmp.Or(p.Sender, c.aSender)
	}
	slices.SortStableFunc(p.Providers, func(a, b ProviderCount) int { return cmp.Compare(b.N, a.N) })
	p.Recipients, p.Domains, p.Senders = recipients.n(), domains.n(), senders.n()
	if p.Domains != 1 {
		p.Domain = ""
	}
	if p.Senders != 1 {
		p.Sender = ""
	}
	p.Scope = d.scope(&p)
	// The providers that matter: a single stray at another one must not move the onset.
	var cells []cellKey
	for _, k := range keys {
		if d.cells[k].n*20 >= p.N {
			cells = append(cells, k)
		}
	}
	p.Since, p.Over = d.onset(cells, changes)
	return p
}

// scope says whether a category is met at one provider or everywhere.
func (d *Diagnosis) scope(p *Problem) string {
	top := p.Providers[0]
	var here, all int64 // events at that provider, and all
	for k, c := range d.cells {
		if c.side == bounceimport.None {
			continue
		}
		all += c.n
		if k.provider == top.Provider {
			here += c.n
		}
	}
	share := float64(top.N) / float64(p.N)
	switch {
	case top.Provider == "" && share > 0.5:
		return "not_known"
	case all-here < 5 && share == 1: // nothing to compare with
		return "not_known"
	case share >= 0.95:
		return "one_provider"
	case share >= 0.7 && share > 1.5*float64(here)/float64(all):
		return "mostly_one_provider"
	}
	return "everywhere"
}

// onset looks for the hour since which the cells' events are a much larger part
// of all events at the same providers: the split with the greatest likelihood.
func (d *Diagnosis) onset(keys []cellKey, changes []Change) (since *Onset, over bool) {
	mine := make(map[*tally]bool)
	providers := make(map[string]bool)
	for _, k := range keys {
		mine[d.cells[k]] = true
		providers[k.provider] = true
	}
	exposed := make(map[*tally]bool) // all cells of the same providers
	for k, c := range d.cells {
		exposed[c] = providers[k.provider]
	}
	type point struct{ n, of int64 }
	points := make(map[int64]point)
	var total point
	for h, n := range d.hours {
		if !exposed[h.cell] {
			continue
		}
		p := points[h.hour]
		p.of += n
		total.of += n
		if mine[h.cell] {
			p.n += n
			total.n += n
		}
		points[h.hour] = p
	}
	if total.n == 0 {
		return nil, false
	}
	hours := slices.Sorted(maps.Keys(points))
	var before point
	var best Onset
	gain := 10.0 // log-likelihood that a split must win, far beyond chance
	lastHour := int64(0)
	for _, h := range hours {
		p := points[h]
		after := point{total.n - before.n, total.of - before.of}
		if p.n > 0 {
			lastHour = h
			if before.of > 0 && float64(after.n)*float64(before.of) > 5*float64(before.n)*float64(after.of) {
				g := likelihood(before.n, before.of) + likelihood(after.n, after.of) - likelihood(total.n, total.of)
				if g > gain {
					gain = g
					best = Onset{Time: time.Unix(h*3600, 0).UTC(), Before: Share{before.n, before.of}, From: Share{after.n, after.of}}
				}
			}
		}
		before.n += p.n
		before.of += p.of
	}
	// Over: what came after the last one would have met it, had it gone on.
	var later int64
	for _, h := range hours {
		if h > lastHour {
			later += points[h].of
		}
	}
	from := best.From
	if best.Time.IsZero() {
		from = Share{total.n, total.of}
	}
	over = later > 0 && float64(later)*float64(from.N)/float64(from.Of) >= 10
	if best.Time.IsZero() {
		return nil, over
	}
	if !d.daily { // the hour is known; so is the first event in it, when the cell began there
		end := best.Time.Add(time.Hour)
		first := end
		for c := range mine {
			if !c.first.Before(best.Time) && c.first.Before(first) {
				first = c.first
			}
		}
		if first.Before(end) {
			best.Time = first
		}
	}
	for _, c := range changes {
		// A change that is dated by its day counts for all of it.
		if t := c.Time; !t.After(best.Time) && best.Time.Sub(t) <= 14*24*time.Hour {
			c := c
			best.After = &c
		}
	}
	return &best, over
}

// likelihood is the log-likelihood of n out of of at their own rate.
func likelihood(n, of int64) float64 {
	if n == 0 || n == of {
		return 0
	}
	p := float64(n) / float64(of)
	return float64(n)*math.Log(p) + float64(of-n)*math.Log(1-p)
}

// Where says in words where a problem is met.
func (p *Problem) Where() string {
	top := p.Providers[0]
	name := title(top.Provider)
	switch p.Scope {
	case "one_provider":
		return name + " only"
	case "mostly_one_provider":
		return fmt.Sprintf("mostly %s (%d of %d)", name, top.N, p.N)
	case "everywhere":
		n := 0
		for _, c := range p.Providers {
			if c.Provider != "" {
				n++
			}
		}
		if n > 1 {
			return fmt.Sprintf("everywhere: %d providers", n)
		}
		return "everywhere"
	}
	if name != "" {
		return name + ", and there is nothing else to compare with"
	}
	return "providers that cannot be told apart"
}

// title writes a provider's name as a name.
func title(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// Extent says in words how much of the sending is met by a problem.
func (p *Problem) Extent() string {
	about := func(n int64, one, many string) string {
		switch {
		case n == 1:
			return "one " + one
		case n >= sketchSize:
			return fmt.Sprintf("about %d %s", n, many)
		}
		return fmt.Sprintf("%d %s", n, many)
	}
	s := about(p.Recipients, "mailbox", "mailboxes")
	switch {
	case p.Domain != "":
		s += " at " + p.Domain
	case p.Domains > 1:
		s += " in " + about(p.Domains, "domain", "domains")
	}
	switch {
	case p.Recipients > 1 && p.Sender != "":
		s += ", all mail from " + p.Sender
	case p.Senders > 1:
		s += ", mail from " + about(p.Senders, "domain", "domains")
	}
	return s
}
