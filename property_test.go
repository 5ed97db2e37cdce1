package winnow

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/winnow-email/winnow/export"
)

// genRecord is a record of a generated list and what must become of it.
type genRecord struct {
	raw   string // without line end
	want  fate
	first int // record number of the first, of a duplicate
}

// genList is a list in some dialect, and what must become of it.
type genList struct {
	comma, newline, charset string
	header                  string
	bom, noLastNewline      bool
	recs                    []genRecord
	suppress                string // a suppression list
	allow                   string
}

// generate makes a list of n records. A model of ten lines says what must
// become of each: the first of the same key is kept, a copy follows it, what
// is broken or suppressed is suppressed.
func generate(r *rand.Rand, n int) *genList {
	pick := func(s ...string) string { return s[r.IntN(len(s))] }
	g := &genList{comma: pick(",", ";", "\t", "|"), newline: pick("\n", "\r\n", "\r"), charset: pick("UTF-8", "UTF-8", "UTF-8", "UTF-16LE", "UTF-16BE")}
	g.bom = g.charset != "UTF-8" || r.IntN(3) == 0
	g.noLastNewline = r.IntN(3) == 0
	g.header = strings.Join([]string{"No", "Name", "E-Mail", "Note"}, g.comma)
	first := map[string]int{}
	suppressed, allowed := map[string]bool{}, map[string]bool{}
	for i := range n / 4 {
		a := fmt.Sprintf("person%d@firm%d.org", r.IntN(n), i%7)
		switch i % 4 {
		case 0:
			suppressed[a] = true
			g.suppress += strings.ToUpper(a) + "\n"
		case 1:
			allowed[a] = true
			g.allow += a + "\n"
		}
	}
	g.suppress += "@blocked.org\n"
	for i := range n {
		addr := fmt.Sprintf("person%d@firm%d.org", r.IntN(n), r.IntN(7))
		rec := genRecord{}
		key := addr
		switch r.IntN(12) {
		case 0:
			addr, key = pick("no at", "two@@at.org", "dot..dot@firm1.org", "a b@firm1.org", "@firm1.org"), ""
			rec.want = gone
		case 1:
			addr, key = "x"+strconv.Itoa(i)+"@blocked.org", ""
			rec.want = gone
		case 2:
			addr = strings.ToUpper(addr)
		case 3:
			addr = `"` + addr + `"`
		case 4:
			addr = " " + addr + " "
		case 5:
			addr = "<" + addr + ">"
		}
		if key != "" {
			switch f, again := first[key]; {
			case suppressed[key]:
				rec.want = gone
			case again:
				rec.want, rec.first = duplicate, f
			default:
				first[key] = i + 1
			}
		}
		note := pick("plain", "", "\"with "+g.comma+" inside\"", "\"two"+g.newline+"lines\"", "\"she said \"\"yes\"\"\"", "=1+1", "Zo\u00eb \u4e2d")
		rec.raw = strings.Join([]string{"#" + strconv.Itoa(i+1), pick("Ann", "\"B, ob\"", "O'Neil"), addr, note}, g.comma)
		g.recs = append(g.recs, rec)
	}
	return g
}

// gone is suppressed, which a variable of generate hides.
const gone = suppressed

func (g *genList) encode(text string) []byte {
	var order binary.AppendByteOrder
	switch g.charset {
	case "UTF-16LE":
		order = binary.LittleEndian
	case "UTF-16BE":
		order = binary.BigEndian
	default:
		return []byte(text)
	}
	var b []byte
	for _, u := range utf16.Encode([]rune(text)) {
		b = order.AppendUint16(b, u)
	}
	return b
}

func (g *genList) bytes() []byte {
	var b strings.Builder
	if g.bom {
		b.WriteString("\uFEFF")
	}
	b.WriteString(g.header + g.newline)
	for i, rec := range g.recs {
		b.WriteString(rec.raw)
		if i < len(g.recs)-1 || !g.noLastNewline {
			b.WriteString(g.newline)
		}
	}
	return g.encode(b.String())
}

// check compares the files of a run with the model.
func (g *genList) check(t *testing.T, got map[string]string) bool {
	t.Helper()
	ok := true
	fail := func(format string, args ...any) {
		t.Helper()
		t.Errorf(format, args...)
		ok = false
	}
	var want [fates]strings.Builder
	bom := ""
	if g.bom {
		bom = "\uFEFF"
	}
	want[kept].WriteString(bom + g.header + g.newline)
	want[duplicate].WriteString(bom + g.header + g.comma + "winnow_first_record" + g.newline)
	any := [fates]bool{kept: true, suppressed: true}
	var supp []string
	for i, rec := range g.recs {
		any[rec.want] = true
		end := g.newline
		if i == len(g.recs)-1 && g.noLastNewline {
			end = ""
		}
		switch rec.want {
		case kept:
			want[kept].WriteString(rec.raw + end)
		case duplicate:
			want[duplicate].WriteString(rec.raw + g.comma + strconv.Itoa(rec.first) + g.newline)
		case suppressed:
			supp = append(supp, rec.raw+g.comma)
		}
	}
	for _, f := range []fate{kept, duplicate} {
		text, there := got[fateNames[f]+".csv"]
		if there != any[f] {
			fail("%s.csv is there: %v", fateNames[f], there)
		}
		if w := g.encode(want[f].String()); any[f] && text != string(w) {
			fail("%s.csv differs:\n%q\nwant\n%q", fateNames[f], text, w)
		}
	}
	// Of the suppressed the original columns stand in order, and nothing else is a record.
	rest := []byte(got["suppressed.csv"])
	for _, s := range supp {
		b := g.encode(s)
		at := bytes.Index(rest, b)
		if at < 0 {
			fail("suppressed.csv lacks %q, or has it in another place", s)
			break
		}
		rest = rest[at+len(b):]
	}
	for _, f := range []string{"review.csv", "rejected.csv"} {
		if text, there := got[f]; there {
			fail("%s: %q", f, text)
		}
	}
	return ok
}

// Every record is in exactly one list, kept bytes are unchanged, the order is
// kept, and the bytes do not depend on the number of processors.
func TestConservation(t *testing.T) {
	n := 40
	if testing.Short() {
		n = 15
	}
	if os.Getenv("WINNOW_LONG") != "" {
		n = 400
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	dir := memoryDir(t)
	for seed := range n {
		r := rand.New(rand.NewPCG(uint64(seed), 7))
		g := generate(r, 1+r.IntN(60))
		if !g.run(t, dir, Job{}, 1, 2, 8) {
			t.Fatalf("seed %d: charset %s, comma %q, newline %q\n%s", seed, g.charset, g.comma, g.newline, g.bytes())
		}
	}
}

// The same over several chunks, and with so little memory that everything that
// can be on disk is.
func TestConservationLarge(t *testing.T) {
	n := 30_000 // a few chunks
	if os.Getenv("WINNOW_LONG") != "" {
		n = 60_000
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	r := rand.New(rand.NewPCG(1, 2))
	g := generate(r, n)
	if !g.run(t, memoryDir(t), Job{}, 1, 8) {
		t.Fatalf("charset %s, comma %q, newline %q", g.charset, g.comma, g.newline)
	}
	if !g.run(t, memoryDir(t), Job{Memory: 100}, 1, 2) {
		t.Fatal("with little memory")
	}
}

// memoryDir returns a temporary folder, in memory where there is one: these tests
// are about bytes, and a disk takes its time to sync.
func memoryDir(t *testing.T) string {
	t.Helper()
	if st, err := os.Stat("/dev/shm"); err == nil && st.IsDir() {
		if f, err := os.CreateTemp("/dev/shm", "winnow-test"); err == nil {
			f.Close()
			os.Remove(f.Name())
			t.Setenv("TMPDIR", "/dev/shm")
		}
	}
	return t.TempDir()
}

func (g *genList) run(t *testing.T, dir string, j Job, procs ...int) bool {
	t.Helper()
	in := filepath.Join(dir, "in.csv")
	write(t, in, string(g.bytes()))
	j.Lists, j.Column = []string{in}, "3"
	j.Suppress = []string{write(t, filepath.Join(dir, "never.txt"), g.suppress)}
	if g.allow != "" {
		j.Allow = []string{write(t, filepath.Join(dir, "allow.txt"), g.allow)}
	}
	j.Out = filepath.Join(dir, "out")
	var before map[string]string
	for _, p := range procs {
		runtime.GOMAXPROCS(p)
		s, err := Run(context.Background(), &j)
		if err != nil {
			t.Error(err)
			return false
		}
		if s.Records != int64(len(g.recs)) {
			t.Errorf("%d records of %d", s.Records, len(g.recs))
			return false
		}
		sum := int64(0)
		for _, n := range s.Lists {
			sum += n
		}
		if sum != s.Records || s.Lists[export.Rejected] != 0 {
			t.Errorf("%d records in the lists %v", sum, s.Lists)
			return false
		}
		got := filesOf(t, j.Out)
		if before == nil {
			if !g.check(t, got) {
				return false
			}
			before = got
			continue
		}
		if len(got) != len(before) {
			t.Errorf("%d files, before %d", len(got), len(before))
		}
		for name, text := range got {
			if text != before[name] {
				t.Errorf("%s is not the same at GOMAXPROCS %d", name, p)
				return false
			}
		}
	}
	return true
}
