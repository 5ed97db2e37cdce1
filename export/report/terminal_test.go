package report

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/winnow-email/winnow/export/summary"
	"github.com/winnow-email/winnow/internal/shown"
)

// example is a run in which everything happened that the summary can tell.
func example() *summary.Summary {
	return &summary.Summary{
		Seconds: 52, Records: 52004,
		Inputs: []summary.InputFile{{Name: "lists/spring-campaign.csv", Role: "list", Column: "E-mail Address", ColumnNo: 3}},
		Lists:  map[string]int64{"cleaned": 48112, "review": 592, "suppressed": 2689, "duplicates": 611},
		Reasons: []summary.ReasonCount{{List: "cleaned", Reason: "ok", N: 48112}, {List: "suppressed", Reason: "bounce_user_unknown", N: 1604},
			{List: "suppressed", Reason: "domain_not_found", N: 380}, {List: "suppressed", Reason: "disposable_domain", N: 291}},
		DNS: &summary.DNSSummary{Domains: 6118, Cached: 5733, Seconds: 41},
		Bounces: &summary.BounceSummary{Events: 18422, Classified: 17888, SenderSide: 1204,
			Clusters: []summary.BounceFix{{Provider: "Microsoft", Bucket: "authentication", Category: "auth_failure", N: 1100,
				First: time.Date(2026, 3, 12, 9, 0, 0, 0, time.UTC)}},
			Incidents: []summary.Incident{{Provider: "Gmail", N: 812, Why: "looks like an outage",
				From: time.Date(2026, 12, 14, 22, 0, 0, 0, time.UTC), To: time.Date(2026, 12, 15, 1, 0, 0, 0, time.UTC)}}},
		Projection: &summary.Projection{Before: summary.Rate{Rate: 0.068}, After: summary.Rate{Rate: 0.009, Low: 0.007, High: 0.012}, Basis: "history"},
		Gates:      []summary.Gate{{Name: "hard_bounce", State: summary.Pass}},
	}
}

const exampleText = `winnow  spring-campaign.csv  52,004 records
        address column: "E-mail Address" (3)
  read ok   dns ok 6,118 domains 41 s (5,733 cached)
            bounces ok 18,422 events, 97.1% classified
  keep          48,112  92.5%  ##########################
  review           592   1.1%  #
  suppress       2,689   5.2%  #  bounce_user_unknown 1,604
                                  · domain_not_found 380 · disposable_domain 291
  duplicate        611   1.2%  #
  projected hard bounce  6.8% -> 0.9% (0.7-1.2)   basis: history
  gates  1 of 1  PASS
  ! 1,204 bounces are YOUR side, not the list, most of them Microsoft,
    authentication (auth_failure), since Mar 12 09:00. Cleaning will not help.
  ! 812 Gmail "does not exist" held back: looks like an outage (Dec 14 22:00 to
    Dec 15 01:00 UTC)
  cleaned.csv 48,112 + review.csv 592 + suppressed.csv 2,689
    + duplicates.csv 611 = 52,004 ok   52 s
`

func TestTerminal(t *testing.T) {
	var b strings.Builder
	if err := Terminal(&b, example(), TerminalOptions{}); err != nil {
		t.Fatal(err)
	}
	if b.String() != exampleText {
		t.Errorf("got\n%s\nwant\n%s", b.String(), exampleText)
	}
}

// The summary fits the terminal whatever a run has to say.
func TestTerminalFits(t *testing.T) {
	s := example()
	s.Lists["rejected"] = 3
	s.DNS.Unusable = "no resolver answered the question for the root of the DNS"
	s.Notes = []string{"a column of the list was not obeyed because its values are not known", strings.Repeat("word ", 60), "c", "d", "e", "f"}
	s.Inputs[0].Name = strings.Repeat("very long name ", 9) + "\x1b[2J.csv"
	s.Inputs[0].Column = strings.Repeat("a long question of a form ", 9)
	s.Lists = map[string]int64{"cleaned": 4e12, "review": 3e12, "suppressed": 2e12, "duplicates": 1e12, "rejected": 1e12}
	s.Records = 11e12
	for _, list := range []string{"suppressed", "review", "rejected"} {
		for _, reason := range []string{"bounce_domain_not_hosted_long", "bounce_mailbox_disabled_long", "syntax_domain_label_too_long"} {
			s.Reasons = append(s.Reasons, summary.ReasonCount{List: list, Reason: reason, N: 5e11})
		}
	}
	s.Projection.Basis = "prior: general experience, not your own figures, and more words than that"
	for range 9 {
		s.Gates = append(s.Gates, summary.Gate{Name: "suppressed_share", Detail: "41.0% of the list would be suppressed; the limit is 30%"})
	}
	for _, width := range []int{64, 80, 132} {
		var b strings.Builder
		if err := Terminal(&b, s, TerminalOptions{Width: width, Dir: strings.Repeat("deep/", 40)}); err != nil {
			t.Fatal(err)
		}
		lines := 0
		for line := range strings.Lines(b.String()) {
			lines++
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
				t.Errorf("%d columns at width %d: %q", n, width, line)
			}
			if strings.Contains(line, "\x1b") {
				t.Errorf("a name reaches the terminal as a command: %q", line)
			}
		}
		if width >= 80 && lines > maxLines {
			t.Errorf("%d lines at width %d", lines, width)
		}
	}
}

func TestTerminalColorIsOnlyColor(t *testing.T) {
	var plain, color strings.Builder
	if err := Terminal(&plain, example(), TerminalOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := Terminal(&color, example(), TerminalOptions{Color: true}); err != nil {
		t.Fatal(err)
	}
	stripped := color.String()
	for _, c := range []string{red, green, yellow, blue, bold, "0"} {
		stripped = strings.ReplaceAll(stripped, "\x1b["+c+"m", "")
	}
	if stripped != plain.String() {
		t.Errorf("colour changes the text:\n%s", stripped)
	}
	if stripped == color.String() {
		t.Error("no colour at all")
	}
}

func TestNumbers(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{shown.Number(0), "0"}, {shown.Number(999), "999"}, {shown.Number(1000), "1,000"}, {shown.Number(-1234567), "-1,234,567"},
		{percent(0, 10), "0.0%"}, {percent(1, 100000), "<0.1%"}, {percent(99999, 100000), ">99.9%"}, {percent(10, 10), "100.0%"}, {percent(0, 0), "-"},
		{duration(0.04), "0.0 s"}, {duration(52), "52 s"}, {duration(185), "3 min 05 s"}, {duration(7300), "2 h 01 min"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}
