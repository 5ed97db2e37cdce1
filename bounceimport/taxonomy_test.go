package bounceimport

import (
	"encoding/csv"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// What a category is called, where it is counted and what it does to an address is
// written into the files, reports and histories of others: it changes on purpose or
// not at all. (What must hold of every category, parseTaxonomy checks.)
func TestTaxonomyIsStable(t *testing.T) {
	var b strings.Builder
	for _, c := range Categories() {
		about := "address"
		if c.AboutDomain {
			about = "domain"
		}
		fmt.Fprintf(&b, "%-24s %-14s %-9s %-12s %-7s told %s\n", c.Name, c.Bucket, c.Side, c.Action, about, c.Told)
	}
	golden := filepath.Join("testdata", "categories.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("the taxonomy says\n%s\n%s says\n%s", b.String(), golden, want)
	}
}

// The same against the taxonomy that the labelled replies were made with.
func TestTaxonomyOfTheLabels(t *testing.T) {
	f, err := os.Open("../../shared/data/bounces/taxonomy.tsv")
	if err != nil {
		t.Skip("skipped: no ../shared/data/bounces/taxonomy.tsv")
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma, r.LazyQuotes, r.FieldsPerRecord = '\t', true, -1
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows)-1 != len(Categories()) {
		t.Errorf("%d categories, want %d", len(Categories()), len(rows)-1)
	}
	for _, row := range rows[1:] {
		c, ok := LookupCategory(row[0])
		if !ok || c.Bucket != row[1] || string(c.Action) != row[3] || (row[2] == "sender") != (c.Side == Sender) {
			t.Errorf("%s: got %+v, want bucket %s, action %s, kind %s", row[0], c, row[1], row[3], row[2])
		}
	}
}

// A stanza that nobody can rely on is refused, with its place.
func TestParseTaxonomy(t *testing.T) {
	good := "category: x\nbucket: recipient\nside: recipient\naction: count\ncounts: 2 days over 3 within 30\nexpiry: 90\nabout: address\nanswered: yes\nesp: soft\nweight: 5\nwords: w\nmeaning: m\nfix: f\n"
	list, err := parseTaxonomy("t", good)
	if err != nil || list[0].Counts != (Threshold{2, 3 * day, 30 * day}) || list[0].Expiry != 90*day || !list[0].Revivable {
		t.Fatalf("%+v %v", list, err)
	}
	for _, tc := range [][3]string{
		{"esp: soft", "esp: hard", "what is counted is soft"},
		{"action: count", "action: suppress_now", "action count and counts go together"},
		{"side: recipient", "side: sender", "about the sender is reported"},
		{"counts: 2 days over 3 within 30", "counts: 2 weeks", "t:5: want"},
		{"counts: 2 days over 3 within 30", "counts: 2 days beside 3", "unknown word"},
		{"expiry: 90", "expiry: soon", "t:6: want a number of days"},
		{"about: address", "about: moon", "t:7: want one of"},
		{"answered: yes", "answered: maybe", "t:8: want one of"},
		{"about: address", "about: domain", "what counts against a domain"},
		{"fix: f", "fixes: f", "unknown field"},
		{"words: w\n", "", "lacks a field"},
	} {
		if _, err := parseTaxonomy("t", strings.Replace(good, tc[0], tc[1], 1)); err == nil || !strings.Contains(err.Error(), tc[2]) {
			t.Errorf("%s: got %v, want %q", tc[1], err, tc[2])
		}
	}
}
