package report

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/winnow-email/winnow/export/summary"
	"golang.org/x/net/html"
)

// full is a run with something in every section of the page.
func full() *summary.Summary {
	s := example()
	s.Version = "1.0.0"
	s.Command = []string{"winnow", "clean", "spring-campaign.csv", "--bounces", "bounces.csv", "-o", "out/"}
	s.Started = time.Date(2026, 11, 20, 6, 0, 0, 0, time.UTC)
	s.Finished = s.Started.Add(52 * time.Second)
	s.Verdicts = map[string]int64{"deliverable": 45012, "risky": 3600, "undeliverable": 2500, "unknown": 892}
	s.Inputs[0].Bytes, s.Inputs[0].SHA256, s.Inputs[0].Records = 7_340_032, strings.Repeat("ab12", 16), 52004
	s.Outputs = []summary.OutputFile{{Name: "cleaned.csv", Bytes: 6_800_000, SHA256: strings.Repeat("cd34", 16), Records: 48112}}
	s.Providers = []summary.ProviderCount{
		{Provider: "gmail", Class: "free", Records: 21000, Lists: map[string]int64{"cleaned": 20100, "suppressed": 700, "review": 200}},
		{Provider: "microsoft-365", Class: "mailbox", Records: 9100, Lists: map[string]int64{"cleaned": 8600, "suppressed": 500}}}
	s.Domains = []summary.DomainCount{{Domain: "closed-bakery.com", Reason: "domain_not_found", N: 120}}
	s.Typos = []summary.TypoCount{{Domain: "gmial.com", Suggestion: "gmail.com", N: 31}}
	s.FactLists = []summary.FactList{{Name: "disposable", Source: "disposable-email-domains", Date: "2026-11-01", Entries: 4000}}
	s.Gates = []summary.Gate{{Name: "hard_bounce", Value: 0.012, Limit: 0.02, Unit: "share", N: 48112, State: summary.Pass, Detail: "upper end of the interval"},
		{Name: "suppressed_share", Value: 0.41, Limit: 0.3, Unit: "share", N: 52004, Detail: "41.0% of the list would be suppressed; the limit is 30%"}}
	s.Projection.Before.N, s.Projection.After.N = 52004, 48112
	s.Projection.By = map[string]summary.Rate{"gmail": {Rate: 0.008, Low: 0.006, High: 0.01, N: 20100}}
	b := s.Bounces
	b.Oldest, b.Newest, b.OnList = s.Started.AddDate(0, 0, -40), s.Started, 2400
	for i, c := range []struct{ category, bucket, side string }{{"user_unknown", "recipient", "recipient"}, {"mailbox_full", "recipient", "recipient"},
		{"auth_failure", "authentication", "sender"}, {"ip_reputation", "reputation", "sender"}, {"expired", "routing", "transient"}} {
		for j, provider := range []string{"gmail", "microsoft", "yahoo", "gmx", "apple", "mimecast", "yandex", "orange", "qq", "other-one"} {
			b.Categories = append(b.Categories, summary.BounceCount{Category: c.category, Bucket: c.bucket, Side: c.side, Provider: provider, N: int64((5 - i) * (97 >> j))})
		}
	}
	for d := range 40 {
		day := s.Started.AddDate(0, 0, d-40).Format(time.DateOnly)
		b.Timeline = append(b.Timeline, summary.DayCount{Day: day, Bucket: "recipient", N: int64(40 + d*7%23)})
		if d > 25 {
			b.Timeline = append(b.Timeline, summary.DayCount{Day: day, Bucket: "authentication", N: 80})
		}
	}
	b.Clusters[0].Sample = "550 5.7.515 Access denied, sending domain <domain> does not meet the required authentication level."
	b.Clusters[0].Fix = "Publish SPF, DKIM and DMARC for the From domain and align them."
	b.Clusters[0].Last = s.Started
	b.Clusters = append(b.Clusters, summary.BounceFix{Category: "ip_reputation", Bucket: "reputation", N: 104, Sample: "554 5.7.1 Client host [<ip>] blocked <script>alert(1)</script>", Fix: "Look the address up at the list that is named."})
	b.Unclassified = []summary.BounceFix{{Template: "550 <n> something new", N: 4}}
	s.Notes = []string{"a note"}
	return s
}

func render(t *testing.T, s *summary.Summary, opt PageOptions) string {
	t.Helper()
	var b bytes.Buffer
	if err := Page(&b, s, opt); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPageGolden(t *testing.T) {
	before := full()
	before.Lists = maps.Clone(before.Lists)
	before.Lists["suppressed"] = 2000
	got := render(t, full(), PageOptions{Previous: before, Examples: []summary.Example{{List: "suppressed", Reason: "domain_not_found", Address: "j***@closed-bakery.com"}}})
	golden := filepath.Join("testdata", "page.golden.html")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the page changed: run make golden and read the diff")
	}
}

// The page is one file: nothing in it points anywhere else, and text from
// strangers stays text.
func TestPageAsksForNothing(t *testing.T) {
	page := render(t, full(), PageOptions{})
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	ids, refs := map[string]bool{}, []string{}
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		switch n.Data {
		case "script", "link", "iframe", "img", "object", "embed", "base", "form", "video", "audio":
			t.Errorf("<%s> in the page", n.Data)
		}
		for _, a := range n.Attr {
			switch {
			case a.Key == "id":
				if ids[a.Val] {
					t.Errorf("id %q twice", a.Val)
				}
				ids[a.Val] = true
			case a.Key == "aria-labelledby":
				refs = append(refs, a.Val)
			case a.Key == "href":
				if !strings.HasPrefix(a.Val, "#") {
					t.Errorf("link to %s", a.Val)
				}
				refs = append(refs, strings.TrimPrefix(a.Val, "#"))
			case a.Key == "src" || strings.HasPrefix(a.Key, "on"):
				t.Errorf("attribute %s=%q", a.Key, a.Val)
			}
		}
	}
	for _, r := range refs {
		if !ids[r] {
			t.Errorf("#%s leads nowhere", r)
		}
	}
	if m := regexp.MustCompile(`(?i)https?://|url\(|@import`).FindString(page); m != "" {
		t.Errorf("%q in the page", m)
	}
	if !strings.Contains(page, "&lt;script&gt;alert(1)") {
		t.Error("the sample was not shown as text")
	}
}

// A percentage never stands without the number it is of, and the sections of an
// empty run are honest about having nothing.
func TestPageOfLittleRuns(t *testing.T) {
	empty := render(t, &summary.Summary{Lists: map[string]int64{}}, PageOptions{})
	for _, want := range []string{"0 records read", "No bounces were given", "No gates were judged", "no DNS query was sent", "Nobody is left to send to"} {
		if !strings.Contains(empty, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if !strings.HasPrefix(empty, PageMark) {
		t.Error("the page is not known again as one")
	}
	if strings.Contains(empty, "NaN") || strings.Contains(empty, "ZgotmplZ") {
		t.Error("a number or style that is none")
	}
	several := full()
	several.Inputs = append(several.Inputs, several.Inputs[0])
	several.Inputs[0].Folder, several.Inputs[1].Folder = "a/", "b/"
	if page := render(t, several, PageOptions{}); !strings.Contains(page, "*/cleaned.csv") {
		t.Error("of several lists each has a folder of its own")
	}
	wrong := render(t, &summary.Summary{Records: 5, Lists: map[string]int64{"cleaned": 4}}, PageOptions{})
	if !strings.Contains(wrong, "DO NOT SEND") || !strings.Contains(wrong, "do not add up") {
		t.Error("a run that lost a record may not be sent")
	}
}

// The page is rendered by a real browser at the widths of a desk and a phone,
// and printed; nothing may overflow the phone.
func TestPageInBrowser(t *testing.T) {
	if os.Getenv("WINNOW_LONG") == "" {
		t.Skip("skipped: starts a browser (make test-long)")
	}
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("skipped: no chromium (Debian package chromium)")
	}
	dir := t.TempDir()
	page := filepath.Join(dir, "report.html")
	if err := os.WriteFile(page, []byte(render(t, full(), PageOptions{})), 0o600); err != nil {
		t.Fatal(err)
	}
	shoot := func(args ...string) ([]byte, error) {
		common := []string{"--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
			"--disable-component-update", "--disable-sync", "--hide-scrollbars", "--user-data-dir=" + filepath.Join(dir, "profile")}
		return exec.Command(browser, slices.Concat(common, args, []string{"file://" + page})...).CombinedOutput()
	}
	for _, width := range []int{1280, 390} {
		shot := filepath.Join(dir, fmt.Sprintf("%d.png", width))
		if out, err := shoot("--screenshot="+shot, fmt.Sprintf("--window-size=%d,2400", width)); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if info, err := os.Stat(shot); err != nil || info.Size() < 20_000 {
			t.Errorf("width %d: no picture (%v)", width, err)
		}
	}
	pdf := filepath.Join(dir, "report.pdf")
	if out, err := shoot("--no-pdf-header-footer", "--print-to-pdf="+pdf); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	printed, err := os.ReadFile(pdf)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(regexp.MustCompile(`/Type\s*/Page\b`).FindAll(printed, -1)); n == 0 || n > 3 {
		t.Errorf("printed on %d pages, want at most 3", n)
	}
}
