package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/winnow-email/winnow/export/summary"
	"github.com/winnow-email/winnow/internal/shown"
)

// What the sending is judged by. Some refusals always are about the sender (a
// greylist of content, a limit at one provider), in good months up to one in ten; a
// broken authentication or a listed address makes more than half. A quarter lies
// between, and below 20 bounces a quarter is chance. A month is what still explains
// the next send; after two months the trouble may be gone, or another.
const (
	minSending    = 20
	sendingWindow = 30 // days before the newest bounce
	sendingStale  = 60 // days
)

// trouble is how many of the recent bounces are about the sender.
type trouble struct {
	bounces, sender int64
	since, newest   time.Time // the first and the last day of them; zero: the events carry no time
	old             bool      // the newest is too old to judge by
}

// senderSide counts the bounces of the last days in which there were any. Deliveries,
// delays, automatic replies and complaints are no bounces.
func senderSide(b *summary.BounceSummary, now time.Time) trouble {
	var t trouble
	if b.Newest.IsZero() || len(b.Timeline) == 0 {
		t.bounces = countOf(b, "", func(c summary.BounceCount) bool { return isBounce(c.Bucket) })
		t.sender = countOf(b, "", func(c summary.BounceCount) bool { return c.Side == "sender" })
		return t
	}
	newest := ""
	for _, d := range b.Timeline {
		if isBounce(d.Bucket) {
			newest = max(newest, d.Day)
		}
	}
	last, err := time.Parse(time.DateOnly, newest)
	if err != nil {
		return t // no bounce at all
	}
	t.since = last.AddDate(0, 0, -sendingWindow)
	first := newest
	for _, d := range b.Timeline {
		if isBounce(d.Bucket) && d.Day >= t.since.Format(time.DateOnly) {
			t.bounces += d.N
			t.sender += d.SenderSide
			first = min(first, d.Day)
		}
	}
	t.since, _ = time.Parse(time.DateOnly, first)
	t.newest, t.old = last, now.Sub(last) > (sendingStale+1)*24*time.Hour
	return t
}

func isBounce(bucket string) bool { return bucket != "none" && bucket != "complaint" }

func (t trouble) words() string {
	text := fmt.Sprintf("%s of %s %s", shown.Number(t.sender), shown.Number(t.bounces), plural(t.bounces, "bounce"))
	if !t.since.IsZero() {
		text += " since " + t.since.Format("2 Jan 2006")
	}
	return text + " " + pick(t.sender, "refuses", "refuse") + " you, not the address"
}

func (t trouble) tooOld() string {
	return "the newest bounce is from " + t.newest.Format("2 Jan 2006") + ", too old to judge your sending"
}

// sendingSide says in a sentence that no bounce is about the sender, and from how
// many that is known; "" when some are.
func sendingSide(b *summary.BounceSummary) string {
	if b == nil {
		return "No bounces were given, so the sending side cannot be judged."
	}
	n := countOf(b, "", func(c summary.BounceCount) bool { return isBounce(c.Bucket) })
	switch {
	case b.SenderSide > 0:
		return ""
	case n == 0:
		return "No recent bounce was found, so the sending side cannot be judged."
	}
	return fmt.Sprintf("None of %s %s points to your sending side.", shown.Number(n), plural(n, "bounce"))
}

// largest returns the group with the most events.
func largest(groups []summary.BounceFix) (summary.BounceFix, bool) {
	if len(groups) == 0 {
		return summary.BounceFix{}, false
	}
	return slices.MaxFunc(groups, func(a, b summary.BounceFix) int { return cmp.Compare(a.N, b.N) }), true
}

// topSender returns the most frequent sender-side category, with its provider
// when all of it comes from one.
func topSender(cells []summary.BounceCount) (summary.BounceCount, bool) {
	sums := map[string]summary.BounceCount{}
	for _, c := range cells {
		if c.Side != "sender" {
			continue
		}
		sum, seen := sums[c.Category]
		if seen && sum.Provider != c.Provider {
			c.Provider = ""
		}
		c.N += sum.N
		sums[c.Category] = c
	}
	if len(sums) == 0 {
		return summary.BounceCount{}, false
	}
	return slices.MaxFunc(slices.Collect(maps.Values(sums)), func(a, b summary.BounceCount) int {
		return cmp.Or(cmp.Compare(a.N, b.N), cmp.Compare(b.Category, a.Category))
	}), true
}

func where(provider, category string) string {
	if provider == "" {
		return category
	}
	return category + " at " + provider
}

func countOf(b *summary.BounceSummary, provider string, keep func(summary.BounceCount) bool) (n int64) {
	for _, c := range b.Categories {
		if (provider == "" || c.Provider == provider) && keep(c) {
			n += c.N
		}
	}
	return n
}
