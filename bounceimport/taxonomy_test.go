package bounceimport

import (
	"encoding/csv"
	"os"
	"testing"
)

func TestTaxonomy(t *testing.T) {
	f, err := os.Open("../../shared/data/bounces/taxonomy.tsv")
	if err != nil {
		t.Skip("skipped: no taxonomy.tsv")
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
		if !ok || c.Bucket != row[1] || string(c.Action) != row[3] {
			t.Errorf("%s: got %+v, want bucket %s, action %s", row[0], c, row[1], row[3])
		}
		if (row[2] == "sender") != (c.Side == Sender) {
			t.Errorf("%s: side %s, but kind %s", row[0], c.Side, row[2])
		}
	}
	for _, c := range Categories() {
		if c.Side == Sender && (c.Action != Report || c.Fix == "") {
			t.Errorf("%s is sender-side: want action report and a fix, got %+v", c.Name, c)
		}
		if c.Meaning == "" {
			t.Errorf("%s has no meaning", c.Name)
		}
	}
}
