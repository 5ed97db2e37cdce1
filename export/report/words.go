package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/winnow-email/winnow/export"
)

var listMeanings = []struct{ list, name, meaning string }{
	{export.Cleaned, "keep", "may be sent"},
	{export.Review, "review", "a person should look first"},
	{export.Suppressed, "suppress", "must not be sent"},
	{export.Duplicates, "duplicate", "further copies of kept addresses"},
	{export.Rejected, "rejected", "records that could not be read"},
}

func nonEmpty(parts ...string) []string {
	return slices.DeleteFunc(parts, func(s string) bool { return s == "" })
}

func pick(n int64, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func plural(n int64, word string) string {
	if n != 1 && strings.HasSuffix(word, "y") {
		return strings.TrimSuffix(word, "y") + "ies"
	}
	return pick(n, word, word+"s")
}

// capital starts s with an upper-case letter.
func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// sentence makes a clause a sentence.
func sentence(s string) string {
	s = strings.TrimSpace(s)
	if s == "" || strings.HasSuffix(s, ".") || strings.HasSuffix(s, "?") {
		return capital(s)
	}
	return capital(s) + "."
}

// cut shortens s to n columns.
func cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n || n < 2 {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

// percent prints the share of n in all.
func percent(n, all int64) string {
	if all == 0 {
		return "-"
	}
	return rate(float64(n) / float64(all))
}

// rate prints a share. One that is not nothing is never printed as 0.0%, nor
// one that is not all as 100.0%.
func rate(r float64) string {
	p := r * 100
	switch {
	case p > 0 && p < 0.05:
		return "<0.1%"
	case p < 100 && p >= 99.95:
		return ">99.9%"
	}
	return strconv.FormatFloat(p, 'f', 1, 64) + "%"
}

func duration(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d < 10*time.Second:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
	case d < 2*time.Minute:
		return strconv.Itoa(int(d.Seconds()+0.5)) + " s"
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
}

func utc(t time.Time) string {
	if t.IsZero() {
		return "not known"
	}
	return t.UTC().Format("2 Jan 2006 15:04 UTC")
}

func ratio(n, all int64) float64 {
	if all == 0 {
		return 0
	}
	return float64(n) / float64(all)
}
