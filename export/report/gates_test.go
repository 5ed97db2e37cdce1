package report

import (
	"maps"
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
			{Category: "delivered", Bucket: "none", Side: "none", Action: "clear", Provider: "gmail", N: 100_000},
			{Category: "user_unknown", Bucket: "recipient", Side: "recipient", Action: "suppress_now", Provider: "gmail", N: 300}}},
		Providers: []summary.ProviderCount{{Provider: "gmail", Records: 9_000, Lists: map[string]int64{"cleaned": 8_700}}},
		Flags:     map[string]int64{},
	}
}

var now = time.Date(2026, 11, 20, 6, 0, 0, 0, time.UTC)

func TestGatesPass(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(Presets)) {
		s := healthy()
		Judge(s, healthy(), Presets[name], now)
		if failed := Failed(s); len(failed) > 0 {
			t.Errorf("%s: %v", name, failed)
		}
	}
}

// Each gate fails on the run it is for, and only that one.
func TestGatesFail(t *testing.T) {
	for name, harm := range map[string]func(s *summary.Summary){
		"records_add_up":        func(s *summary.Summary) { s.Records++ },
		"complaints_in_cleaned": func(s *summary.Summary) { s.Flags["complaint_in_cleaned"] = 1 },
		"suppressed_share":      func(s *summary.Summary) { s.Lists["suppressed"], s.Lists["cleaned"] = 3_001, 6_999 },
		"review_share":          func(s *summary.Summary) { s.Lists["review"], s.Lists["cleaned"] = 600, 9_000 },
		"dns":                   func(s *summary.Summary) { s.DNS.Unusable = "no resolver answered" },
		"feed_age":              func(s *summary.Summary) { s.Bounces.Newest = now.Add(-49 * time.Hour) },
		"unclassified":          func(s *summary.Summary) { s.Bounces.Classified = 4_400 },
		"complaint": func(s *summary.Summary) {
			s.Bounces.Categories = append(s.Bounces.Categories, summary.BounceCount{Category: "complaint", Bucket: "complaint", Action: "suppress_now", N: 200})
		},
		"hard_bounce": func(s *summary.Summary) { s.Bounces.Categories[1].N = 2_100; s.Providers = nil },
	} {
		limits := Presets["nightly"]
		limits.ReviewShare, limits.Complaint = 0.05, 0.001
		s := healthy()
		harm(s)
		Judge(s, nil, limits, now)
		if got := Failed(s); !slices.Equal(got, []string{name}) {
			t.Errorf("%s: failed %v", name, got)
		}
	}
	s, was := healthy(), healthy()
	was.Lists = map[string]int64{"suppressed": 130, "cleaned": 9_870}
	Judge(s, was, Presets["default"], now)
	if got := Failed(s); !slices.Equal(got, []string{"jump"}) {
		t.Errorf("jump: failed %v", got)
	}
	// A jump that nobody accepted stays one, and one from nothing is one too.
	again := healthy()
	Judge(again, s, Presets["default"], now)
	if got := Failed(again); !slices.Equal(got, []string{"jump"}) || !strings.Contains(again.Gates[3].Detail, "was 1.3%") {
		t.Errorf("jump again: failed %v, %v", got, again.Gates)
	}
	again.Gates = nil // the gate was off
	s = healthy()
	Judge(s, again, Presets["default"], now)
	if got := Failed(s); len(got) > 0 {
		t.Errorf("an accepted jump: failed %v", got)
	}
	was.Lists = map[string]int64{"cleaned": 10_000}
	Judge(s, was, Presets["default"], now)
	if got := Failed(s); !slices.Equal(got, []string{"jump"}) {
		t.Errorf("jump from nothing: failed %v", got)
	}
	was.Lists, s.Lists = map[string]int64{"suppressed": 2, "cleaned": 9_998}, map[string]int64{"suppressed": 12, "cleaned": 9_988}
	Judge(s, was, Presets["default"], now)
	if got := Failed(s); len(got) > 0 {
		t.Errorf("a jump of a handful: failed %v", got)
	}
	s, was = healthy(), healthy()
	was.Lists, was.Bounces = map[string]int64{"suppressed": 130, "cleaned": 9_870}, nil
	if Judge(s, was, Presets["default"], now); len(Failed(s)) > 0 {
		t.Errorf("the first bounces are no jump: failed %v", Failed(s))
	}
	s = healthy()
	s.Bounces.Categories = append(s.Bounces.Categories, summary.BounceCount{Category: "user_unknown", Bucket: "recipient", Side: "recipient", Action: "suppress_now", Provider: "yahoo", N: 40},
		summary.BounceCount{Category: "delivered", Bucket: "none", Side: "none", Action: "clear", Provider: "yahoo", N: 900})
	s.Providers = append(s.Providers, summary.ProviderCount{Provider: "yahoo", Records: 900, Lists: map[string]int64{"cleaned": 800}})
	Judge(s, nil, Presets["default"], now)
	if got := Failed(s); !slices.Equal(got, []string{"hard_bounce_provider"}) {
		t.Errorf("provider: failed %v", got)
	}
}

// A handful of rows proves nothing, and an assumption refuses nobody.
func TestGatesDoNotJudgeOnLittle(t *testing.T) {
	s := &summary.Summary{Records: 10, Lists: map[string]int64{"suppressed": 9, "cleaned": 1}, Reasons: []summary.ReasonCount{{List: "cleaned", Reason: "dns_timeout", N: 1}, {List: "suppressed", Reason: "syntax_no_at", N: 9}}}
	Judge(s, nil, Presets["strict"], now)
	if failed := Failed(s); len(failed) > 0 {
		t.Error(failed)
	}
	if s.Projection.Before.Rate < 0.8 || s.Projection.After.High < 0.05 || !strings.HasPrefix(s.Projection.Basis, "prior") {
		t.Errorf("projection %+v", s.Projection)
	}
}

func TestLimitsSet(t *testing.T) {
	l := Presets["default"]
	for _, c := range []struct{ name, value string }{{"hard_bounce", "3%"}, {"jump", "5"}, {"feed_age", "72h"}, {"unclassified", "off"}, {"suppressed_share", "0.5"}} {
		if err := l.Set(c.name, c.value); err != nil {
			t.Error(err)
		}
	}
	want := Presets["default"]
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
	s.Bounces.Timeline = []summary.DayCount{{Day: "2026-11-15", Hard: 50, Sent: 1000}, {Day: "2026-11-01", Hard: 900, Sent: 1000}}
	Judge(s, was, Presets["default"], now)
	if len(s.Notes) != 1 || !strings.Contains(s.Notes[0], "50 of 1,000 messages bounced hard (5.0%): worse than the forecast") {
		t.Errorf("notes %q", s.Notes)
	}
}
