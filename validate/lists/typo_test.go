package lists

import (
	"os"
	"strings"
	"testing"
)

// vectors returns the fields of the lines of a file in testdata.
func vectors(t *testing.T, name string) (rows [][]string) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 0 && f[0] != "#" {
			rows = append(rows, f)
		}
	}
	return rows
}

// suggestion is what a validator would suggest.
func suggestion(domain string) string {
	if _, known := Embedded().Domain(domain); known {
		return ""
	}
	return Embedded().Typo(domain)
}

func TestSlips(t *testing.T) {
	for _, v := range vectors(t, "slips.txt") {
		if got := suggestion(v[0]); got != v[1] {
			t.Errorf("%s: %q, want %s", v[0], got, v[1])
		}
		if got := suggestion(v[1]); got != "" {
			t.Errorf("%s is corrected to %s", v[1], got)
		}
	}
}

func TestRealDomains(t *testing.T) {
	for _, v := range vectors(t, "real.txt") {
		if got := suggestion(v[0]); got != "" {
			t.Errorf("%s: corrected to %s", v[0], got)
		}
	}
}

// The rule alone, without the lists that shield real domains from it, must leave
// nearly all of them in peace: what it would do to domains on no list is not
// known, but here it can be counted.
func TestRuleAlone(t *testing.T) {
	n, hits := 0, []string{}
	for _, l := range Embedded().domains.lists {
		l.each(func(_ int, key string) {
			n++
			if s := Embedded().Typo(key); s != "" {
				hits = append(hits, key+" "+s)
			}
		})
	}
	if len(hits)*500 > n {
		t.Errorf("%d of %d listed domains look like slips: %s", len(hits), n, strings.Join(hits, ", "))
	}
	t.Logf("%d of %d", len(hits), n)
}
