package waves

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Every row is in exactly one wave, with its bytes; the waves double up to the daily
// limit, keep the limits of the providers, and have the mixture of the list.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	var list strings.Builder
	list.WriteString("name;email;seen\r\n")
	for i := range 1000 {
		domain := []string{"gmail.com", "gmail.com", "gmail.com", "yahoo.com", "firm.example"}[i%5]
		fmt.Fprintf(&list, "\"P; %d\";person%d@%s;%s\r\n", i, i, domain, time.Date(2026, 1, 1+i%300, 0, 0, 0, 0, time.UTC).Format(time.DateOnly))
	}
	path := filepath.Join(dir, "list.csv")
	if err := os.WriteFile(path, []byte(list.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	job := &Job{List: path, Out: filepath.Join(dir, "out"), Test: 50, First: 100, Daily: 300, Hourly: 90, LastEngaged: "seen",
		Sunset: 270 * 24 * time.Hour, PerProvider: map[string]int{"gmail": 120, "nosuch": 5}, Start: now, Now: now}
	plan, err := Run(context.Background(), job)
	if err != nil {
		t.Fatal(err)
	}
	header, body, _ := strings.Cut(list.String(), "\n")
	left := map[string]bool{}
	for line := range strings.Lines(body) {
		left[line] = true
	}
	entries, err := os.ReadDir(job.Out)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(job.Out, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if e.Name() == "summary.json" {
			continue
		}
		head, rows, _ := strings.Cut(string(b), "\n")
		if head != header {
			t.Errorf("%s begins with %q", e.Name(), head)
		}
		for line := range strings.Lines(rows) {
			if !left[line] {
				t.Errorf("%s: %q is twice, or not in the list", e.Name(), line)
			}
			delete(left, line)
		}
	}
	if len(left) > 0 {
		t.Errorf("%d rows are in no wave", len(left))
	}
	if plan.Records != 1000 || plan.Stale == 0 || plan.Undated != 0 || !slices.Equal(plan.NoRows, []string{"nosuch"}) {
		t.Errorf("%+v", plan)
	}
	limit, sum := 50, plan.Stale
	for i, w := range plan.Waves {
		sum += w.Rows
		if w.Rows > int64(limit) || !w.Day.Equal(now.AddDate(0, 0, i)) || w.Hours != int(math.Ceil(float64(w.Rows)/90)) {
			t.Errorf("wave %d: %+v, limit %d", i, w, limit)
		}
		for _, p := range w.Providers {
			if i > 0 && p.Provider == "gmail" && p.Rows > 120 {
				t.Errorf("wave %d: %d rows of gmail", i, p.Rows)
			}
		}
		if g := w.Providers[0]; i == 1 && (g.Provider != "gmail" || g.Rows < 55 || g.Rows > 65) {
			t.Errorf("the first wave has another mixture: %+v", w.Providers)
		}
		limit = min(300, max(100, limit*2))
		if i == 0 {
			limit = 100
		}
	}
	if sum != plan.Records {
		t.Errorf("%d rows in the waves, %d in the list", sum, plan.Records)
	}
}

func TestRuleOfThree(t *testing.T) {
	for n, want := range map[int]float64{150: 0.0198, 1: 0.95, 300: 0.0099} {
		if got := RuleOfThree(n); math.Abs(got-want) > 1e-4 {
			t.Errorf("%d: %.4f, want %.4f", n, got, want)
		}
	}
}

func TestSlashDate(t *testing.T) {
	for s, ok := range map[string]bool{"3/4/2026": true, "31/12/2026": true, "32/1/2026": false, "2026-01-02": false, "": false, "a/b/c": false} {
		if _, _, got := slashDate(s); got != ok {
			t.Errorf("%q: %v", s, got)
		}
	}
}
