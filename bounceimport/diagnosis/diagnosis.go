// Package diagnosis says what bounces mean for the sender: whose side the trouble
// is on, at which providers, since when, right after what, and what to check
// first.
package diagnosis

import (
	"cmp"
	"maps"
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
