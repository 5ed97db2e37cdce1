package rundir_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/winnow-email/winnow"
	"github.com/winnow-email/winnow/export/rundir"
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
	run := filepath.Join(base, "run")
	job := &winnow.Job{Lists: []string{input}, Out: run, Page: true}
	if _, err := winnow.Run(context.Background(), job); err != nil {
		t.Fatal(err)
	}
	clean := func() { // as after a run: its files once more
		t.Helper()
		if err := errors.Join(os.RemoveAll(out), os.CopyFS(out, os.DirFS(run))); err != nil {
			t.Fatal(err)
		}
	}
	verify := func() []string {
		t.Helper()
		proof, err := rundir.Verify(context.Background(), out)
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

// What judged the list is known by its hash, also when it is not where it was.
func TestVerifyEvidence(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	job := &winnow.Job{Lists: []string{file("list.csv", "email\nann@example.de\nbob@example.de\n")}, Out: filepath.Join(dir, "out"),
		Suppress: []string{file("never.txt", "ann@example.de\n"), file("more.txt", "x@example.de\n")}, Allow: []string{file("friends.txt", "@example.de\n")}}
	if _, err := winnow.Run(context.Background(), job); err != nil {
		t.Fatal(err)
	}
	verify := func() string {
		t.Helper()
		proof, err := rundir.Verify(context.Background(), job.Out)
		if err != nil || len(proof.Problems) > 0 {
			t.Fatal(err, proof.Problems)
		}
		return strings.ReplaceAll(strings.Join(append(proof.Checked, proof.Skipped...), "\n"), dir, "")
	}
	if got := verify(); !strings.Contains(got, "3 further files that the run read are unchanged") {
		t.Error(got)
	}
	file("never.txt", "bob@example.de\n")
	if err := os.Remove(filepath.Join(dir, "more.txt")); err != nil {
		t.Fatal(err)
	}
	got := verify()
	for _, want := range []string{"1 further file that the run read is unchanged", "/never.txt (suppress) was changed since the run", "/more.txt (suppress) is not where it was"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in %s", want, got)
		}
	}
}

// A run that nobody touched is never reported, whatever the lists look like.
func TestVerifyKeepsQuiet(t *testing.T) {
	rounds := 12
	if os.Getenv("WINNOW_LONG") != "" {
		rounds = 1000
	}
	for seed := range rounds {
		r := rand.New(rand.NewPCG(7, uint64(seed)))
		dir := t.TempDir()
		job := &winnow.Job{Out: filepath.Join(dir, "out"), SpreadsheetSafe: r.IntN(4) == 0}
		var texts []string
		for i := range 1 + r.IntN(3)/2 {
			path, text := oddList(t, r, filepath.Join(dir, fmt.Sprintf("list %d", i)))
			job.Lists, texts = append(job.Lists, path), append(texts, text)
		}
		if r.IntN(4) == 0 {
			job.Dedupe = "off"
		}
		_, err := winnow.Run(context.Background(), job)
		if err != nil {
			t.Logf("seed %d: %v", seed, err) // a list that is refused
			continue
		}
		check := func() {
			t.Helper()
			proof, err := rundir.Verify(context.Background(), job.Out)
			if err != nil || len(proof.Problems) > 0 || len(proof.Skipped) > 0 {
				t.Fatalf("seed %d: %q, skipped %q, %v\n%q", seed, proof.Problems, proof.Skipped, err, texts)
			}
		}
		check()
		// With the fixes accepted, cleaned.csv is not the input's bytes any more.
		fixes, err := os.ReadFile(filepath.Join(job.Out, "fixes.csv"))
		if err != nil {
			continue
		}
		job.ApplyFixes = filepath.Join(dir, "accepted.csv")
		if err := os.WriteFile(job.ApplyFixes, []byte(strings.ReplaceAll(string(fixes), ",\n", ",yes\n")), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := winnow.Run(context.Background(), job); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		check()
	}
}

// oddList writes a list in a dialect drawn from r, and returns its name
// and its text.
func oddList(t *testing.T, r *rand.Rand, path string) (name, text string) {
	t.Helper()
	comma := []string{",", ";", "\t", "|"}[r.IntN(4)]
	end := []string{"\n", "\r\n", "\r"}[r.IntN(3)]
	width := 1 + r.IntN(4)
	at := r.IntN(width)
	quote := func(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
	words := []string{"", "x", " ", "Ann", "12", "a b", quote("two" + end + "lines"), quote("Say " + `"hi"` + comma + " you"), quote(end), "Ü", "ok", "duplicate", quote("a" + comma + "b" + end + "c" + comma + "7")}
	var b strings.Builder
	if r.IntN(6) == 0 {
		b.WriteString("Contacts of the year" + end + end)
	} else if r.IntN(6) == 0 && comma != "\t" {
		b.WriteString("sep=" + comma + end)
	}
	if r.IntN(4) > 0 {
		for c := range width {
			name := []string{"name", "note", "city", "id"}[c]
			if c == at {
				name = "email"
			}
			if r.IntN(5) == 0 {
				name = quote(name + end + "again")
			}
			if c > 0 {
				b.WriteString(comma)
			}
			b.WriteString(name)
		}
		b.WriteString(end)
	}
	rows := 5 + r.IntN(60)
	for i := range rows {
		n := width
		if r.IntN(8) == 0 {
			n = max(1, width+r.IntN(5)-2)
		}
		for c := range n {
			if c > 0 {
				b.WriteString(comma)
			}
			if c != at {
				b.WriteString(words[r.IntN(len(words))])
				continue
			}
			switch r.IntN(14) {
			case 0:
				b.WriteString("broken@@x")
			case 1:
				b.WriteString("x@mailinator.com")
			case 2:
				fmt.Fprintf(&b, "p%d@gmial.com", r.IntN(40))
			case 3:
				b.WriteString(quote(fmt.Sprintf("p%d@hotmial.com", r.IntN(40))))
			case 4:
				b.WriteString(words[r.IntN(len(words))])
			case 5:
				b.WriteString(quote("a@example.de" + comma + "postmaster@example.de"))
			default:
				fmt.Fprintf(&b, "person%d@example%d.de", r.IntN(40), r.IntN(3))
			}
		}
		if i < rows-1 || r.IntN(3) > 0 {
			b.WriteString(end)
		}
	}
	if r.IntN(20) == 0 {
		b.WriteString(comma + `"open quote` + end)
	}
	if r.IntN(20) == 0 {
		b.WriteString("\x1a")
	}
	raw := []byte(b.String())
	switch r.IntN(6) {
	case 0:
		raw = append([]byte("\ufeff"), raw...)
	case 1, 2:
		order, bom := binary.AppendByteOrder(binary.LittleEndian), []byte{0xff, 0xfe}
		if r.IntN(2) == 0 {
			order, bom = binary.BigEndian, []byte{0xfe, 0xff}
		}
		wide := bom
		for _, u := range utf16.Encode([]rune(b.String())) {
			wide = order.AppendUint16(wide, u)
		}
		raw = wide
	case 3:
		raw = bytes.ReplaceAll(raw, []byte("Ü"), []byte{0xdc})
	}
	var packed bytes.Buffer
	pack := func(w io.WriteCloser) {
		_, err := w.Write(raw)
		if err = errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
		raw = packed.Bytes()
	}
	path += ".csv"
	switch r.IntN(8) {
	case 0:
		path += ".gz"
		pack(gzip.NewWriter(&packed))
	case 1:
		path = strings.TrimSuffix(path, ".csv") + ".zip"
		z := zip.NewWriter(&packed)
		for i := range 1 + r.IntN(2) {
			w, err := z.Create(fmt.Sprintf("in/members %d.csv", i))
			if err == nil {
				_, err = w.Write(raw)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		raw = packed.Bytes()
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, b.String()
}
