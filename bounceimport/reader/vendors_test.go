package reader

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/winnow-email/winnow/bounceimport"
)

// TestVendors reads what each service, mail server and kind of export writes, from
// the files of testdata/vendors, and compares what comes out. A file holds cases:
// "== what it is", the input, "--", and a line for each event (recipient, category,
// action, day, status, verdict, reply), then what became of the records. The cases
// are our own; where a service documents its form, the reader says where.
func TestVendors(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "vendors", "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	formats := map[string]bool{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var all strings.Builder
		for _, c := range strings.Split("\n"+string(raw), "\n== ")[1:] {
			title, c, _ := strings.Cut(c, "\n")
			input, want, _ := strings.Cut(c, "\n--\n")
			input = strings.TrimRight(input, "\n") + "\n"
			want = strings.TrimRight(want, "\n")
			got := events(t, input, formats)
			if got != want && !*update {
				t.Errorf("%s, %s: got\n%s\nwant\n%s", filepath.Base(file), title, got, want)
			}
			fmt.Fprintf(&all, "== %s\n%s--\n%s\n", title, input, got)
		}
		if *update {
			if err := os.WriteFile(file, []byte(all.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, l := range jsonLayouts {
		if !formats[l.name] {
			t.Errorf("no case for %s", l.name)
		}
	}
	for _, l := range slices.Concat(csvLayouts[:]...) {
		if !formats[l.name] {
			t.Errorf("no case for %s", l.name)
		}
	}
}

// events reads input and describes what came out, noting the formats that were met.
func events(t *testing.T, input string, formats map[string]bool) string {
	t.Helper()
	var b strings.Builder
	a, err := Read(t.Context(), strings.NewReader(input), "in", Options{Now: testNow}, func(e *bounceimport.Event) error {
		formats[e.Format] = true
		day := "-"
		if !e.Time.IsZero() {
			day = e.Time.UTC().Format(time.DateOnly)
		}
		fmt.Fprintf(&b, "%s  %s  %s  %s  %s  (%s)  %q\n", e.Recipient, e.Category, e.Action, day, e.Status, e.Verdict, e.Reply)
		return nil
	})
	if err != nil {
		fmt.Fprintf(&b, "error: %v\n", err)
	}
	if n := a.Used + a.Ignored + a.Unmapped + a.Malformed; n != a.Read {
		t.Errorf("%d records read, %d accounted for: %s", a.Read, n, a.String())
	}
	fmt.Fprintf(&b, "%s", a.String())
	return b.String()
}
