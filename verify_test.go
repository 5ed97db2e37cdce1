package winnow_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"winnow"
	"winnow/export/report"
)

// Verify finds every one of 100 planted corruptions, of every file of a run,
// and nothing wrong with a run that nobody touched.
func TestVerifyFindsCorruption(t *testing.T) {
	base := t.TempDir()
	var list strings.Builder
	list.WriteString("id;e-mail;note\n")
	for i := range 300 {
		address := fmt.Sprintf("user%d@example%d.de", i%250, i%7)
		switch i % 23 {
		case 3:
			address = "broken@@x"
		case 5:
			address = "x@mailinator.com"
		}
		note := "plain"
		if i%11 == 0 {
			note = "\"two\nlines; and a \"\"quote\"\"\""
		}
		fmt.Fprintf(&list, "%d;%s;%s\n", i, address, note)
	}
	list.WriteString("\"open;quote@example.de;x\n")
	input := filepath.Join(base, "list.csv")
	if err := os.WriteFile(input, []byte(list.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(base, "out")
	clean := func() {
		t.Helper()
		job := &winnow.Job{Lists: []string{input}, Out: out, Finish: func(s *winnow.Summary, create func(string) (io.Writer, error)) error {
			w, err := create("report.html")
			if err != nil {
				return err
			}
			return report.Page(w, s, report.PageOptions{})
		}}
		if _, err := winnow.Run(context.Background(), job); err != nil {
			t.Fatal(err)
		}
	}
	verify := func() []string {
		t.Helper()
		proof, err := report.Verify(context.Background(), out)
		if err != nil {
			return []string{err.Error()}
		}
		return proof.Problems
	}
	clean()
	if problems := verify(); len(problems) > 0 {
		t.Fatalf("a run nobody touched: %q", problems)
	}

	r := rand.New(rand.NewPCG(1, 2))
	for n := range 100 {
		clean()
		entries, err := os.ReadDir(out)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(out, entries[r.IntN(len(entries))].Name())
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.SplitAfter(string(b), "\n")
		line := r.IntN(len(lines) - 1)
		var what string
		switch n % 7 {
		case 0:
			what = "a flipped bit"
			b[r.IntN(len(b))] ^= 1 << r.IntN(8)
		case 1:
			what = "a cut end"
			b = b[:r.IntN(len(b))]
		case 2:
			what = "a line gone"
			lines[line] = ""
			b = []byte(strings.Join(lines, ""))
		case 3:
			what = "a line twice"
			lines[line] += lines[line]
			b = []byte(strings.Join(lines, ""))
		case 4:
			what = "a file gone"
			b = nil
		case 5:
			what = "another digit"
			at := strings.IndexAny(string(b), "12345678")
			b[at]++
		case 6:
			what = "a file that does not belong"
			name = filepath.Join(out, "stranger.csv")
		}
		if what == "a file gone" {
			err = os.Remove(name)
		} else {
			err = os.WriteFile(name, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		if problems := verify(); len(problems) == 0 {
			t.Errorf("%d: %s in %s was not found", n, what, filepath.Base(name))
		}
		if err := os.RemoveAll(out); err != nil {
			t.Fatal(err)
		}
	}

	// A row that was changed together with every hash is still found: the lines
	// are compared with the input.
	clean()
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(out, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	sha := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return hex.EncodeToString(sum[:])
	}
	cleaned, summary := read("cleaned.csv"), read("summary.json")
	forged := strings.Replace(cleaned, "user1@", "user9@", 1)
	summary = strings.Replace(summary, sha(cleaned), sha(forged), 1)
	at := strings.Index(summary, `"checksum": "`) + len(`"checksum": "`)
	bare := summary[:at] + summary[at+64:]
	summary = bare[:at] + sha(bare) + bare[at:]
	for name, content := range map[string]string{"cleaned.csv": forged, "summary.json": summary} {
		if err := os.WriteFile(filepath.Join(out, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if problems := verify(); len(problems) != 1 || !strings.Contains(problems[0], "1 lines of the lists are not in the input") {
		t.Errorf("a forged row: %q", problems)
	}
}
