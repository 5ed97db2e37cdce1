package report

import (
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/winnow-email/winnow/export"
	"github.com/winnow-email/winnow/export/summary"
	"github.com/winnow-email/winnow/internal/shown"
)

//go:embed page.html
var pageSource string

// PageOptions say what the page shows beside the run itself.
type PageOptions struct {
	Previous *summary.Summary  // the run before, to show what changed; nil: none
	Examples []summary.Example // addresses to show for a reason, masked by the caller unless the user asked to reveal them
}

// Page writes report.html: one file that asks nothing of any network, is read
// without script, and prints. Every chart stands beside its table.
func Page(w io.Writer, s *summary.Summary, opt PageOptions) error {
	t, err := template.New("page").Funcs(template.FuncMap{
		"number": shown.Number, "percent": percent, "rate": rate, "duration": duration, "plural": plural,
		"base":  func(path string) string { return shown.Name(filepath.Base(path)) },
		"short": func(sum string) string { return sum[:min(12, len(sum))] },
		"words": func(code string) string { return strings.ReplaceAll(code, "_", " ") },
		"utc":   utc, "size": size, "limit": limit, "gates": gateCount,
		"state": func(s string) string { return stateWords[s] },
	}).Parse(pageSource)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	b.WriteString(PageMark) // not in the template, which leaves comments out
	if err := t.Execute(&b, newPage(s, opt)); err != nil {
		return err
	}
	// Names of files, of domains and of columns come from strangers: what a terminal
	// would obey, and what turns the direction of a line, is not in the page.
	_, err = io.WriteString(w, strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || unicode.IsGraphic(r) {
			return r
		}
		return utf8.RuneError
	}, b.String()))
	return err
}

// stateWords are the states of a gate as the page says them.
var stateWords = map[string]string{summary.Pass: "pass", summary.Fail: "FAIL", summary.Inform: "for information", summary.Unknown: "not known"}

// page is what the template shows.
type page struct {
	*summary.Summary
	Answer      summary.Answer
	Word        string // of the answer
	Sender      string // what is known of the sending side
	Changes     []change
	Fixes       []summary.BounceFix
	ListRows    []listRow
	VerdictRows []share
	ReasonRows  []reasonRow
	Heat        *heat
	SenderHeat  *heat
	Line        *timeline
	Failing     []summary.Gate
	Examples    []exampleRow
	Sum         int64
	Lists       []summary.InputFile
	Onset       string
	Unknown     int64
	SaysNo      []saysNo // columns of the lists
	SaysHeld    []string // about columns that may
}

type listRow struct {
	Name, File, Meaning string
	N                   int64
	X, W                float64 // of the bar, in percent
}

type share struct {
	Name string
	N    int64
	W    float64
}

type reasonRow struct {
	List, Reason string
	N            int64
	W            float64
}

type change struct {
	Name     string
	Was, Now int64
	Diff     string
}

type exampleRow struct {
	List, Reason string
	Addresses    []summary.Example
}

// heat is a table of counts whose cells are shaded by their size.
type heat struct {
	Columns []string
	Rows    []heatRow
	Total   int64
}

type heatRow struct {
	Category, Bucket string
	Cells            []heatCell
	Total            int64
}

type heatCell struct {
	N     int64
	Shade int // 0 to 5
}

const (
	heatProviders = 8 // further ones are added up as "others"
	heatRows      = 16
	topRows       = 20
)

func newPage(s *summary.Summary, opt PageOptions) *page {
	p := &page{Summary: s, SaysNo: obeyedColumns(s), SaysHeld: heldColumns(s)}
	for _, in := range s.Inputs {
		if in.Role == "list" {
			p.Lists = append(p.Lists, in)
		}
	}
	folder := ""
	if len(p.Lists) > 1 { // each has a folder of its own
		folder = "*/"
	}
	x := 0.0
	for _, m := range listMeanings {
		n := s.Lists[m.list]
		p.Sum += n
		if n == 0 && m.list != export.Cleaned && m.list != export.Suppressed {
			continue
		}
		w := portion(n, s.Records)
		p.ListRows = append(p.ListRows, listRow{Name: m.name, File: folder + m.list + ".csv", Meaning: m.meaning, N: n, X: x, W: w})
		x += w
	}
	for _, v := range []string{"deliverable", "risky", "undeliverable", "unknown"} {
		n := s.Verdicts[v]
		p.VerdictRows = append(p.VerdictRows, share{v, n, portion(n, s.Records)})
	}
	p.Unknown = s.Verdicts["unknown"]
	var most int64
	for _, r := range s.Reasons {
		if r.List != export.Cleaned {
			most = max(most, r.N)
		}
	}
	for _, r := range s.Reasons {
		if r.List != export.Cleaned && len(p.ReasonRows) < topRows {
			p.ReasonRows = append(p.ReasonRows, reasonRow{r.List, r.Reason, r.N, portion(r.N, most)})
		}
	}
	for _, g := range s.Gates {
		if g.State == summary.Fail {
			p.Failing = append(p.Failing, g)
		}
	}
	if b := s.Bounces; b != nil {
		recipient := func(c summary.BounceCount) bool { return c.Side != "sender" }
		p.Heat = newHeat(b.Categories, recipient)
		p.SenderHeat = newHeat(b.Categories, func(c summary.BounceCount) bool { return !recipient(c) })
		p.Line = newTimeline(b.Timeline)
		p.Fixes = slices.Clone(b.Clusters)
		// The order of a diagnosis: reputation, then authentication, then content.
		slices.SortStableFunc(p.Fixes, func(a, b summary.BounceFix) int {
			return cmp.Or(cmp.Compare(bucketOrder(a.Bucket), bucketOrder(b.Bucket)), cmp.Compare(b.N, a.N))
		})
		if c, ok := largest(b.Clusters); ok && !c.First.IsZero() {
			p.Onset = fmt.Sprintf("Most: %s, since %s.", strings.Join(nonEmpty(c.Provider, c.Bucket+" ("+c.Category+")"), ", "), utc(c.First))
		}
	}
	p.Changes = changes(opt.Previous, s)
	p.Examples = groupExamples(opt.Examples)
	p.Answer = answer(s)
	if s.Answer != nil {
		p.Answer = *s.Answer
	}
	p.Word = answerWords[p.Answer.State]
	p.Sender = sendingSide(s.Bounces)
	return p
}

func bucketOrder(bucket string) int {
	return slices.Index([]string{"recipient", "complaint", "reputation", "authentication", "content", "policy", "relay", "routing"}, bucket) & 15
}

func portion(n, all int64) float64 {
	if all == 0 {
		return 0
	}
	return math.Round(float64(n)/float64(all)*10000) / 100
}

// newHeat adds the counts that pass keep up by category and provider, the
// largest first; nil when there are none.
func newHeat(counts []summary.BounceCount, keep func(summary.BounceCount) bool) *heat {
	byProvider, byCategory := map[string]int64{}, map[string]int64{}
	buckets := map[string]string{}
	cells := map[[2]string]int64{}
	h := &heat{}
	for _, c := range counts {
		if !keep(c) || c.N == 0 {
			continue
		}
		c.Provider = cmp.Or(c.Provider, "other")
		byProvider[c.Provider] += c.N
		byCategory[c.Category] += c.N
		buckets[c.Category] = c.Bucket
		cells[[2]string{c.Category, c.Provider}] += c.N
		h.Total += c.N
	}
	if h.Total == 0 {
		return nil
	}
	providers := byCount(byProvider)
	shown := providers[:min(len(providers), heatProviders)]
	h.Columns = slices.Clone(shown)
	if len(providers) > len(shown) {
		h.Columns = append(h.Columns, fmt.Sprintf("%d more", len(providers)-len(shown)))
	}
	var most int64
	for _, category := range byCount(byCategory) {
		if len(h.Rows) == heatRows {
			break
		}
		row := heatRow{Category: category, Bucket: buckets[category], Total: byCategory[category]}
		rest := row.Total
		for _, provider := range shown {
			n := cells[[2]string{category, provider}]
			rest -= n
			row.Cells = append(row.Cells, heatCell{N: n})
		}
		if len(providers) > len(shown) {
			row.Cells = append(row.Cells, heatCell{N: rest})
		}
		for _, c := range row.Cells {
			most = max(most, c.N)
		}
		h.Rows = append(h.Rows, row)
	}
	for _, row := range h.Rows {
		for i := range row.Cells {
			if n := row.Cells[i].N; n > 0 {
				// By order of magnitude: a hundred stays visible beside a hundred thousand.
				row.Cells[i].Shade = 1 + int(math.Round(4*math.Log1p(float64(n))/math.Log1p(float64(most))))
			}
		}
	}
	return h
}

// byCount returns the names with the largest counts first, then by name.
func byCount(m map[string]int64) []string {
	return slices.SortedFunc(maps.Keys(m), func(a, b string) int { return cmp.Or(cmp.Compare(m[b], m[a]), cmp.Compare(a, b)) })
}

// timeline is a chart of days: bars of recipient-side and sender-side events.
type timeline struct {
	Days          []day
	Most          int64
	First, Last   string
	Width, Height int
}

type day struct {
	Day                  string
	Recipient, Sender    int64
	X, W, RY, RH, SY, SH float64
}

const (
	timelineWidth  = 720
	timelineHeight = 120
	timelineDays   = 92
)

func newTimeline(counts []summary.DayCount) *timeline {
	byDay := map[string]*day{}
	for _, c := range counts {
		d := byDay[c.Day]
		if d == nil {
			d = &day{Day: c.Day}
			byDay[c.Day] = d
		}
		d.Sender += c.SenderSide
		if c.Bucket != "none" { // deliveries, delays and auto-replies are no bounces
			d.Recipient += c.N - c.SenderSide
		}
	}
	days := slices.Sorted(maps.Keys(byDay))
	if len(days) < 2 {
		return nil // a single day has no course
	}
	first, err1 := time.Parse(time.DateOnly, days[0])
	last, err2 := time.Parse(time.DateOnly, days[len(days)-1])
	if err1 != nil || err2 != nil {
		return nil
	}
	if earliest := last.AddDate(0, 0, 1-timelineDays); first.Before(earliest) {
		first = earliest
	}
	t := &timeline{Width: timelineWidth, Height: timelineHeight, First: first.Format(time.DateOnly), Last: days[len(days)-1]}
	n := int(last.Sub(first).Hours()/24+0.5) + 1
	for i := range n {
		key := first.AddDate(0, 0, i).Format(time.DateOnly)
		d := day{Day: key}
		if have := byDay[key]; have != nil {
			d = *have
		}
		t.Most = max(t.Most, d.Recipient+d.Sender)
		t.Days = append(t.Days, d)
	}
	step := float64(timelineWidth) / float64(n)
	for i := range t.Days {
		d := &t.Days[i]
		d.X, d.W = round(float64(i)*step), round(max(1, step-1))
		height := func(n int64) float64 { return round(float64(n) / float64(max(t.Most, 1)) * timelineHeight) }
		d.RH, d.SH = height(d.Recipient), height(d.Sender)
		d.RY = round(timelineHeight - d.RH)
		d.SY = round(timelineHeight - d.RH - d.SH)
	}
	return t
}

func round(f float64) float64 { return math.Round(f*100) / 100 }

// changes compares the lists and reasons of two runs.
func changes(was, now *summary.Summary) []change {
	if was == nil {
		return nil
	}
	var rows []change
	add := func(name string, a, b int64) {
		if a != b {
			rows = append(rows, change{name, a, b, signed(b - a)})
		}
	}
	add("records", was.Records, now.Records)
	for _, m := range listMeanings {
		add(m.name, was.Lists[m.list], now.Lists[m.list])
	}
	reasons := map[string][2]int64{}
	for i, s := range []*summary.Summary{was, now} {
		for _, r := range s.Reasons {
			if r.List == export.Cleaned {
				continue
			}
			c := reasons[r.Reason]
			c[i] += r.N
			reasons[r.Reason] = c
		}
	}
	names := slices.SortedFunc(maps.Keys(reasons), func(a, b string) int {
		x, y := reasons[a], reasons[b]
		return cmp.Or(cmp.Compare(abs(y[1]-y[0]), abs(x[1]-x[0])), cmp.Compare(a, b))
	})
	for _, name := range names[:min(len(names), 8)] {
		add(name, reasons[name][0], reasons[name][1])
	}
	return rows
}

func groupExamples(all []summary.Example) []exampleRow {
	var rows []exampleRow
	for _, e := range all {
		i := slices.IndexFunc(rows, func(r exampleRow) bool { return r.List == e.List && r.Reason == e.Reason })
		if i < 0 {
			rows = append(rows, exampleRow{List: e.List, Reason: e.Reason})
			i = len(rows) - 1
		}
		rows[i].Addresses = append(rows[i].Addresses, e)
	}
	return rows
}

func abs(n int64) int64 { return max(n, -n) }

func signed(n int64) string {
	if n > 0 {
		return "+" + shown.Number(n)
	}
	return shown.Number(n)
}

func size(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d B", n)
}

// limit prints a gate's value or limit in its own unit: shares as percent, the rest as a number.
func limit(g summary.Gate, v float64) string {
	switch g.Unit {
	case "share":
		return rate(v)
	case "hours":
		return fmt.Sprintf("%.0f h", v)
	case "times":
		return fmt.Sprintf("%.1fx", v)
	}
	return shown.Number(int64(v))
}
