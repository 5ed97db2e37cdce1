package winnow

import (
	"context"
	"encoding/csv"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/winnow-email/winnow/export/summary"
)

// export is one block of testdata/status/exports.txt.
type statusExport struct {
	name  string
	rows  [][]string // the header first
	want  []string   // of each row but the header
	email int        // column
}

func readStatusExports(t testing.TB) []statusExport {
	text, err := os.ReadFile("testdata/status/exports.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []statusExport
	for _, block := range strings.Split(string(text), "\n## ")[1:] {
		name, body, _ := strings.Cut(block, "\n")
		x := statusExport{name: name, email: -1}
		var b strings.Builder
		for i, line := range strings.Split(strings.TrimSpace(body), "\n") {
			line, want, _ := strings.Cut(line, " => ")
			b.WriteString(line + "\n")
			if i > 0 {
				x.want = append(x.want, want)
			}
		}
		r := csv.NewReader(strings.NewReader(b.String()))
		if r.FieldsPerRecord = -1; strings.Count(b.String(), ";") > strings.Count(b.String(), ",") {
			r.Comma = ';'
		}
		if x.rows, err = r.ReadAll(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		x.email = slices.IndexFunc(x.rows[1], func(c string) bool { return strings.Contains(c, "@") })
		if x.email < 0 || len(x.want) != len(x.rows)-1 {
			t.Fatalf("%s: %d rows, %d verdicts, addresses in column %d", name, len(x.rows)-1, len(x.want), x.email)
		}
		all = append(all, x)
	}
	return all
}

// variant changes what must not matter: it returns a header and rows, each with its
// place in the export or -1.
type variant func(x statusExport) []variantFile

type variantFile struct {
	comma rune
	rows  [][]string
	place []int // of each row but the header
}

func plainFile(x statusExport) variantFile {
	f := variantFile{comma: ',', rows: [][]string{x.rows[0]}}
	for i, r := range x.rows[1:] {
		f.rows, f.place = append(f.rows, slices.Clone(r)), append(f.place, i)
	}
	return f
}

// oddRow is a person with a word that nobody knows in every column.
func oddRow(x statusExport) []string {
	r := make([]string, len(x.rows[0]))
	for i := range r {
		r[i] = "Quorvex 7"
	}
	r[x.email] = "odd@posteo.de"
	return r
}

var statusVariants = map[string]variant{
	"as it is": func(x statusExport) []variantFile { return []variantFile{plainFile(x)} },
	"rows reversed": func(x statusExport) []variantFile {
		f := plainFile(x)
		slices.Reverse(f.rows[1:])
		slices.Reverse(f.place)
		return []variantFile{f}
	},
	"columns reversed, tabs": func(x statusExport) []variantFile {
		f := plainFile(x)
		f.comma = '\t'
		for i := range f.rows {
			f.rows[i] = slices.Clone(f.rows[i])
			for len(f.rows[i]) < len(x.rows[0]) {
				f.rows[i] = append(f.rows[i], "")
			}
			slices.Reverse(f.rows[i])
		}
		return []variantFile{f}
	},
	"capitals": func(x statusExport) []variantFile {
		f := plainFile(x)
		for i := range f.rows {
			f.rows[i] = slices.Clone(f.rows[i])
			for k, c := range f.rows[i] {
				if !strings.Contains(c, "@") && !strings.HasPrefix(x.rows[0][k], "winnow_") {
					f.rows[i][k] = strings.ToUpper(c)
				}
			}
		}
		return []variantFile{f}
	},
	"an odd one first": func(x statusExport) []variantFile {
		f := plainFile(x)
		f.rows, f.place = slices.Insert(f.rows, 1, oddRow(x)), slices.Insert(f.place, 0, -1)
		return []variantFile{f}
	},
	"an odd one last": func(x statusExport) []variantFile {
		f := plainFile(x)
		f.rows, f.place = append(f.rows, oddRow(x)), append(f.place, -1)
		return []variantFile{f}
	},
	"split in two": func(x statusExport) []variantFile {
		f := plainFile(x)
		n := (len(f.place) + 1) / 2
		return []variantFile{
			{comma: ',', rows: f.rows[:n+1], place: f.place[:n]},
			{comma: ',', rows: append([][]string{f.rows[0]}, f.rows[n+1:]...), place: f.place[n:]},
		}
	},
}

// Each export is cleaned as a list of its own, all of them in one run; every row must
// end where its block says, whatever the order of rows and columns, quotes, capitals,
// one person more or a file cut in two.
func TestStatusOfExports(t *testing.T) {
	exports := readStatusExports(t)
	if len(exports) < 60 {
		t.Fatalf("only %d exports", len(exports))
	}
	for name, make := range statusVariants {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := cleanVariants(t, exports, make)
			for i, x := range exports {
				for k, want := range x.want {
					g := got[i][k]
					if g != want && !(want == "keep" && g == "note" && name != "as it is") {
						t.Errorf("%s: %s: %s, want %s", x.name, strings.Join(x.rows[k+1], " | "), g, want)
					}
				}
			}
		})
	}
}

// cleanVariants returns what became of every row of every export.
func cleanVariants(t *testing.T, exports []statusExport, make variant) [][]string {
	t.Helper()
	dir := t.TempDir()
	job := &Job{Out: filepath.Join(dir, "out")}
	at := map[string][2]int{} // address: export, row
	got := [][]string{}
	fileOf := map[string]int{}
	for i, x := range exports {
		got = append(got, slices.Repeat([]string{"nowhere"}, len(x.want)))
		for part, f := range make(x) {
			if len(f.place) == 0 {
				continue
			}
			name := strconv.Itoa(i) + "-" + strconv.Itoa(part) + ".csv"
			for k, r := range f.rows[1:] {
				for c, cell := range r {
					if strings.Contains(cell, "@posteo.de") {
						address := "row" + strconv.Itoa(i) + "x" + strconv.Itoa(part) + "x" + strconv.Itoa(k) + "@posteo.de"
						f.rows[k+1] = slices.Clone(r)
						f.rows[k+1][c] = address
						at[address] = [2]int{i, f.place[k]}
					}
				}
			}
			file, err := os.Create(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			w := csv.NewWriter(file)
			w.Comma = f.comma
			if err := w.WriteAll(f.rows); err != nil {
				t.Fatal(err)
			}
			if err := file.Close(); err != nil {
				t.Fatal(err)
			}
			job.Lists = append(job.Lists, file.Name())
			fileOf[file.Name()] = i
		}
	}
	s, err := Run(context.Background(), job)
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range s.Inputs {
		folder := filepath.Join(job.Out, in.Folder)
		for _, list := range []string{"cleaned", "suppressed", "review", "duplicates"} {
			for address, reason := range rowsOf(t, filepath.Join(folder, list+".csv"), in.Delimiter) {
				place, ok := at[address]
				if !ok || place[1] < 0 {
					continue
				}
				word := map[string]string{"user_unsubscribed": "unsubscribe", "user_complained": "complaint", "user_bounced": "bounce", "user_blocked": "blocked"}[reason]
				if list == "cleaned" {
					word = "keep"
					if held(in.StatusCols) {
						word = "note"
					}
				}
				got[place[0]][place[1]] = word
			}
		}
	}
	// A note is about a column; which rows it means is seen in the values only. Rows
	// that are wanted as kept count as such where the export has rows for a note too.
	for i, x := range exports {
		for k := range got[i] {
			if got[i][k] == "note" && x.want[k] == "keep" && slices.Contains(x.want, "note") {
				got[i][k] = "keep"
			}
		}
	}
	return got
}

func held(columns []summary.StatusColumn) bool {
	return slices.ContainsFunc(columns, func(c summary.StatusColumn) bool { return c.HeldRows > 0 })
}

// rowsOf returns the addresses of a file and the reason of each, if it has one.
func rowsOf(t *testing.T, path, comma string) map[string]string {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma, r.FieldsPerRecord, r.LazyQuotes = []rune(comma)[0], -1, true
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	all := map[string]string{}
	for _, row := range rows[1:] {
		for _, cell := range row {
			if strings.HasSuffix(cell, "@posteo.de") {
				all[cell] = ""
				if n := len(row); n > 5 && strings.HasPrefix(rows[0][len(rows[0])-1], "winnow_") {
					all[cell] = row[n-5]
				}
			}
		}
	}
	return all
}
