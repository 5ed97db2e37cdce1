package report

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/winnow-email/winnow/export/summary"
)

// healthy is a run that passes every gate of every preset.
func healthy() *summary.Summary {
	return &summary.Summary{
		Records: 10_000, Lists: map[string]int64{"cleaned": 9_600, "suppressed": 400},
		Reasons: []summary.ReasonCount{{List: "cleaned", Reason: "ok", N: 9_600}, {List: "suppressed", Reason: "bounce_user_unknown", N: 400}},
		DNS:     &summary.DNSSummary{Domains: 500},
		Bounces: &summary.BounceSummary{Events: 5_000, Classified: 4_950, Newest: now.Add(-time.Hour), Categories: []summary.BounceCount{
			{Category: "delivered", Bucket: "none", Side: "none", Action: "clear", Provider: "google", N: 100_000},
			{Category: "user_unknown", Bucket: "recipient", Side: "recipient", Action: "suppress_now", Provider: "google", N: 300}}},
		Providers:   []summary.ProviderCount{{Provider: "gmail", Records: 9_000, Lists: map[string]int64{"cleaned": 8_700}}},
		AgainstWish: new(int64),
		Finished:    now,
	}
}

func preset(name string) *Limits {
	l, ok := Preset(name)
	if !ok {
		panic(name)
	}
	return &l
}

var now = time.Date(2026, 11, 20, 6, 0, 0, 0, time.UTC)

func TestGatesPass(t *testing.T) {
	for _, name := range []string{"default", "nightly", "ses", "strict"} {
		s := healthy()
		Judge(s, healthy(), preset(name), now)
		if failed := Failed(s); len(failed) > 0 {
			t.Errorf("%s: %v", name, failed)
		}
	}
}

// Each gate fails on the run it is for, and only that one.
func TestGatesFail(t *testing.T) {
	for name, harm := range map[string]func(s *summary.Summary){
		"records_add_up":        func(s *summary.Summary) { s.Records++ },
		"complaints_in_cleaned": func(s *summary.Summary) { *s.AgainstWish = 1 },
		"suppressed_share":      func(s *summary.Summary) { s.Lists["suppressed"], s.Lists["cleaned"] = 3_001, 6_999 },
		"review_share":          func(s *summary.Summary) { s.Lists["review"], s.Lists["cleaned"] = 600, 9_000 },
		"duplicate_share":       func(s *summary.Summary) { s.Lists["duplicates"], s.Lists["cleaned"] = 5_001, 4_599 },
		"sending": func(s *summary.Summary) {
			s.Bounces.Categories = append(s.Bounces.Categories, summary.BounceCount{Category: "auth_failure", Bucket: "authentication", Side: "sender", Action: "report", N: 101})
		},
		"dns":          func(s *summary.Summary) { s.DNS.Unusable = "no resolver answered" },
		"feed_age":     func(s *summary.Summary) { s.Bounces.Newest = now.Add(-49 * time.Hour) },
		"unclassified": func(s *summary.Summary) { s.Bounces.Classified = 4_400 },
		"complaint": func(s *summary.Summary) {
			s.Bounces.Categories = append(s.Bounces.Categories, summary.BounceCount{Category: "complaint", Bucket: "complaint", Action: "suppress_now", N: 200})
		},
		"hard_bounce": func(s *summary.Summary) { s.Bounces.Categories[1].N = 2_100; s.Providers = nil },
	} {
		limits := *preset("nightly")
		limits.ReviewShare, limits.Complaint = 0.05, 0.001
		s := healthy()
		harm(s)
		Judge(s, nil, &limits, now)
		if got := Failed(s); !slices.Equal(got, []string{name}) {
			t.Errorf("%s: failed %v", name, got)
		}
	}
	s, was := healthy(), healthy()
	was.Lists = map[string]int64{"suppressed": 130, "cleaned": 9_870}
	Judge(s, was, preset("default"), now)
	if got := Failed(s); !slices.Equal(got, []string{"jump"}) {
		t.Errorf("jump: failed %v", got)
	}
	// A jump that nobody accepted stays one, and one from nothing is one too.
	again := healthy()
	Judge(again, s, preset("default"), now)
	if got := Failed(again); !slices.Equal(got, []string{"jump"}) || !strings.Contains(again.Gates[5].Detail, "was 1.3%") {
		t.Errorf("jump again: failed %v, %v", got, again.Gates)
	}
	again.Gates = nil // the gate was off
	s = healthy()
	Judge(s, again, preset("default"), now)
	if got := Failed(s); len(got) > 0 {
		t.Errorf("an accepted jump: failed %v", got)
	}
	was.Lists = map[string]int64{"cleaned": 10_000}
	Judge(s, was, preset("default"), now)
	if got := Failed(s); !slices.Equal(got, []string{"jump"}) {
		t.Errorf("jump from nothing: failed %v", got)
	}
	was.Lists, s.Lists = map[string]int64{"suppressed": 2, "cleaned": 9_998}, map[string]int64{"suppressed": 12, "cleaned": 9_988}
	Judge(s, was, preset("default"), now)
	if got := Failed(s); len(got) > 0 {
		t.Errorf("a jump of a handful: failed %v", got)
	}
	s, was = healthy(), healthy()
	was.Lists, was.Bounces = map[string]int64{"suppressed": 130, "cleaned": 9_870}, nil
	if Judge(s, was, preset("default"), now); len(Failed(s)) > 0 {
		t.Errorf("the first bounces are no jump: failed %v", Failed(s))
	}
	s = healthy()
	s.Bounces.Categories = append(s.Bounces.Categories, summary.BounceCount{Category: "user_unknown", Bucket: "recipient", Side: "recipient", Action: "suppress_now", Provider: "yahoo", N: 40},
		summary.BounceCount{Category: "delivered", Bucket: "none", Side: "none", Action: "clear", Provider: "yahoo", N: 900})
	s.Providers = append(s.Providers, summary.ProviderCount{Provider: "yahoo", Records: 900, Lists: map[string]int64{"cleaned": 800}})
	Judge(s, nil, preset("default"), now)
	if got := Failed(s); !slices.Equal(got, []string{"hard_bounce_provider"}) {
		t.Errorf("provider: failed %v", got)
	}
}

// The records of a list collapse until somebody accepts it.
func TestRecordsCollapse(t *testing.T) {
	was, s := healthy(), healthy()
	was.Records = 20_001
	was.Inputs = []summary.InputFile{{Role: "list", Name: "a/export-0510.csv"}, {Role: "list", Name: "more.csv"}, {Role: "suppress", Name: "never.csv"}}
	s.Inputs = []summary.InputFile{{Role: "list", Name: "never.csv"}}
	if Judge(s, was, preset("default"), now); len(Failed(s)) > 0 {
		t.Errorf("another list: failed %v", Failed(s))
	}
	s.Inputs = []summary.InputFile{{Role: "list", Name: "b/export-0511.csv"}}
	Judge(s, was, preset("default"), now)
	if got := Failed(s); !slices.Equal(got, []string{"records"}) {
		t.Errorf("failed %v", got)
	}
	again := healthy()
	again.Inputs = s.Inputs
	Judge(again, s, preset("default"), now)
	if got := Failed(again); !slices.Equal(got, []string{"records"}) || !strings.Contains(again.Gates[2].Detail, "10,000 records came, and 20,001 before they collapsed") {
		t.Errorf("again: failed %v, %+v", got, again.Gates[2])
	}
	again.Gates = nil // the gate was off
	s = healthy()
	s.Inputs = again.Inputs
	Judge(s, again, preset("default"), now)
	if got := Failed(s); len(got) > 0 {
		t.Errorf("accepted: failed %v", got)
	}
	was.Records, s.Records, s.Inputs, s.Lists = 40, 1, was.Inputs, map[string]int64{"cleaned": 1}
	Judge(s, was, preset("default"), now)
	if got := Failed(s); len(got) > 0 || s.Gates[2].State != summary.Unknown {
		t.Errorf("a handful: failed %v, %+v", got, s.Gates[2])
	}
}

// The one answer of a run: the first of four that holds, with its reason.
func TestAnswer(t *testing.T) {
	limits := preset("default")
	sick := func(s *summary.Summary, newest time.Time) {
		s.Bounces.Newest = newest
		s.Bounces.Timeline = []summary.DayCount{
			{Day: newest.AddDate(0, 0, -40).Format(time.DateOnly), Bucket: "recipient", N: 900},
			{Day: newest.AddDate(0, 0, -20).Format(time.DateOnly), Bucket: "none", N: 800},
			{Day: newest.AddDate(0, 0, -9).Format(time.DateOnly), Bucket: "recipient", N: 56},
			{Day: newest.Format(time.DateOnly), Bucket: "authentication", N: 97, SenderSide: 97}}
		s.Bounces.SenderSide = 97
		s.Bounces.Clusters = []summary.BounceFix{{Provider: "microsoft", Category: "auth_failure", N: 90, Fix: "SPF names the server you send from."}}
	}
	for _, c := range []struct {
		what, state, why, next string
		harm                   func(s *summary.Summary)
	}{
		{"nothing", summary.Send, "9 of 9 safety checks passed. 0.3% of the messages will bounce hard, as far as can be told (0.3% to 0.3%).", "Send cleaned.csv.", func(*summary.Summary) {}},
		{"a gate fails", summary.Stop, "4,000 of 10,000 records are suppressed (40.0%); the limit is 30.0%. Is it the right column, and is the bounce file of this list?", "--gate suppressed_share=SHARE",
			func(s *summary.Summary) { s.Lists = map[string]int64{"suppressed": 4_000, "cleaned": 6_000} }},
		{"nobody is left", summary.Stop, "None of 10 records was kept; 9 of them: syntax_no_at.", "the right address column", func(s *summary.Summary) {
			s.Records, s.Lists = 10, map[string]int64{"suppressed": 10}
			s.Reasons = []summary.ReasonCount{{List: "suppressed", Reason: "syntax_no_at", N: 9}, {List: "suppressed", Reason: "no_address", N: 1}}
		}},
		{"no DNS", summary.Look, "9,600 rows were kept on their form and on what you know alone: the domains were not checked. 0.3% to 0.3% of what was kept may bounce hard.", "without --no-dns", func(s *summary.Summary) { s.DNS = nil }},
		{"a DNS that is down", summary.Look, "No resolver answered. Nothing was suppressed because of it.", "--resolver", func(s *summary.Summary) { s.DNS.Unusable = "no resolver answered" }},
		{"much that is not known", summary.Look, "960 of 9,600 rows (10.0%) were kept without an answer of the DNS", "Run it again later", func(s *summary.Summary) {
			s.Reasons = append(s.Reasons, summary.ReasonCount{List: "cleaned", Reason: "dns_timeout", N: 960})
		}},
		{"an estimate above the limit", summary.Look, "2.2% expected after cleaning; the limit is 2.0%; an estimate from general experience", "winnow plan", func(s *summary.Summary) {
			s.Bounces = nil
			s.Reasons = []summary.ReasonCount{{List: "cleaned", Reason: "ok", N: 8_800}, {List: "cleaned", Reason: "dns_timeout", N: 800}}
		}},
		{"a sick sender", summary.Fix, "97 of 153 bounces since 11 Nov 2026 refuse you, not the address, most of them: auth_failure at microsoft.", "SPF names the server you send from.", func(s *summary.Summary) { sick(s, now) }},
		{"a sick sender, and no DNS", summary.Look, "the domains were not checked", "without --no-dns", func(s *summary.Summary) { sick(s, now); s.DNS = nil }},
		{"a sender who was sick once", summary.Send, "The newest bounce is from 19 Sep 2026, too old to judge your sending.", "Send cleaned.csv.", func(s *summary.Summary) { sick(s, now.AddDate(0, 0, -62)) }},
		{"a handful of bounces", summary.Send, "8 of 9 safety checks passed, 1 not known.", "Send cleaned.csv.", func(s *summary.Summary) {
			sick(s, now)
			s.Bounces.Timeline[2].N, s.Bounces.Timeline[3].N, s.Bounces.Timeline[3].SenderSide = 3, 16, 16
		}},
		{"a history without bounces", summary.Send, "5 of 8 safety checks passed, 1 for information, 2 not known.", "Send cleaned.csv.", func(s *summary.Summary) { s.Bounces = &summary.BounceSummary{} }},
	} {
		s := healthy()
		c.harm(s)
		Judge(s, nil, limits, now)
		a := s.Answer
		if a.State != c.state || !strings.Contains(a.Why, c.why) || !strings.Contains(a.Next, c.next) {
			t.Errorf("%s: %+v", c.what, a)
		}
		if strings.Contains(a.Also, "97 of 153") != (c.what == "a sick sender, and no DNS") {
			t.Errorf("%s: also %q", c.what, a.Also)
		}
	}
	s := healthy()
	Judge(s, nil, nil, now)
	if s.Answer.State != summary.Look || len(s.Gates) != 0 || s.Projection == nil {
		t.Errorf("without gates: %+v", s.Answer)
	}
	s = healthy()
	s.Dedupe = "key"
	if Judge(s, nil, limits, now); s.Answer.Headline != "You may send to 9,600 people." {
		t.Errorf("people: %+v", s.Answer)
	}
}

// The prior of a row whose domain was not asked is the one made for it: between that
// of one that takes mail and one that gave no answer.
func TestPriorOf(t *testing.T) {
	for _, c := range []struct {
		list, reason string
		asked        bool
		want         prior
	}{
		{"cleaned", "ok", true, priorKept}, {"cleaned", "ok", false, priorNoDNS}, {"cleaned", "dns_not_asked", false, priorNoDNS},
		{"cleaned", "dns_timeout", true, priorUnknown}, {"duplicates", "duplicate", true, priorKept},
		{"suppressed", "bounce_user_unknown", true, priorDead}, {"suppressed", "bounce_mailbox_full", true, priorOther},
		{"suppressed", "domain_typo", true, priorTypo}, {"suppressed", "domain_not_found", true, priorDead},
	} {
		if got := priorOf(summary.ReasonCount{List: c.list, Reason: c.reason}, c.asked); got != c.want {
			t.Errorf("%s %s: %v, want %v", c.list, c.reason, got, c.want)
		}
	}
}

// The rows of Gmail and of Google Workspace meet the bounces of Google.
func TestProviderFamilies(t *testing.T) {
	s := healthy()
	s.Providers = append(s.Providers, summary.ProviderCount{Provider: "google-workspace", Records: 900, Lists: map[string]int64{"cleaned": 800}})
	Judge(s, nil, preset("default"), now)
	if r := s.Projection.By["google"]; r.N != 9_500 || r.Rate == 0 || len(s.Projection.By) != 1 {
		t.Errorf("%+v", s.Projection.By)
	}
}

// A handful of rows proves nothing, and an assumption refuses nobody.
func TestGatesDoNotJudgeOnLittle(t *testing.T) {
	s := &summary.Summary{Records: 10, Lists: map[string]int64{"suppressed": 9, "cleaned": 1}, Reasons: []summary.ReasonCount{{List: "cleaned", Reason: "dns_timeout", N: 1}, {List: "suppressed", Reason: "syntax_no_at", N: 9}}}
	Judge(s, nil, preset("strict"), now)
	if failed := Failed(s); len(failed) > 0 {
		t.Error(failed)
	}
	if s.Projection.Before.Rate < 0.8 || s.Projection.After.High < 0.05 || !strings.HasPrefix(s.Projection.Basis, "prior") {
		t.Errorf("projection %+v", s.Projection)
	}
}

func TestLimitsSet(t *testing.T) {
	l := *preset("default")
	for _, c := range []struct{ name, value string }{{"hard_bounce", "3%"}, {"jump", "5"}, {"feed_age", "72h"}, {"unclassified", "off"}, {"suppressed_share", "0.5"}} {
		if err := l.Set(c.name, c.value); err != nil {
			t.Error(err)
		}
	}
	want := *preset("default")
	want.HardBounce, want.Jump, want.FeedAge, want.Unclassified, want.SuppressedShare = 0.03, 5, 72*time.Hour, -1, 0.5
	if l != want {
		t.Errorf("got %+v, want %+v", l, want)
	}
	for _, c := range []struct{ name, value string }{{"hard_bounce", "much"}, {"hard_bounce", "-1"}, {"hard_bounce", "200%"}, {"nosuch", "1"}, {"feed_age", "2 days"}, {"jump", "NaN"}, {"jump", "3x"}} {
		if err := l.Set(c.name, c.value); err == nil {
			t.Errorf("%s=%s was taken", c.name, c.value)
		}
	}
}

// The score interval agrees with published values (Brown, Cai and DasGupta 2001; R's prop.test).
func TestWilson(t *testing.T) {
	for _, c := range []struct {
		k, n      int64
		low, high float64
	}{{0, 10, 0, 0.2775}, {5, 10, 0.2366, 0.7634}, {81, 263, 0.2553, 0.3662}, {10, 10, 0.7225, 1}} {
		r := wilson(c.k, c.n)
		if math.Abs(r.Low-c.low) > 5e-4 || math.Abs(r.High-c.high) > 5e-4 {
			t.Errorf("%d of %d: %.4f to %.4f, want %.4f to %.4f", c.k, c.n, r.Low, r.High, c.low, c.high)
		}
	}
}

func TestLastForecast(t *testing.T) {
	was := healthy()
	was.Finished = now.AddDate(0, 0, -10)
	was.Projection = &summary.Projection{After: summary.Rate{Rate: 0.01, Low: 0.008, High: 0.012}}
	s := healthy()
	s.Bounces.Timeline = []summary.DayCount{{Day: "2026-11-15", Bucket: "recipient", Hard: 50, Sent: 1000}, {Day: "2026-11-01", Hard: 900, Sent: 1000}}
	Judge(s, was, preset("default"), now)
	if len(s.Notes) != 1 || !strings.Contains(s.Notes[0], "50 of 1,000 messages bounced hard (5.0%): worse than the forecast") {
		t.Errorf("notes %q", s.Notes)
	}
}
