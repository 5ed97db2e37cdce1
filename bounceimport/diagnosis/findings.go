package diagnosis

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/winnow-email/winnow/bounceimport"
)

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
