package csvrows

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// write puts data into a file of its own and returns its path.
func write(t testing.TB, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "list.csv")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func openBytes(t testing.TB, data []byte, opt Options) *List {
	t.Helper()
	l, err := Open(write(t, data), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// seen is what a pass over a list shows.
type seen struct {
	all       []byte // preamble and raw records, one after the other
	addresses []string
	problems  []string
	lines     []int64
	blank     int64
}

func readAll(t testing.TB, l *List) seen {
	t.Helper()
	s, err := l.Scan()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	out := seen{all: bytes.Clone(l.Preamble())}
	var c Chunk
	next := int64(1)
	for {
		err := s.Next(&c)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if c.First != next {
			t.Fatalf("chunk starts at record %d, want %d", c.First, next)
		}
		next += int64(c.Len())
		for i := range c.Len() {
			out.all = append(out.all, c.Raw(i)...)
			out.addresses = append(out.addresses, string(c.Cell(i, l.Column, nil)))
			out.problems = append(out.problems, c.Problem(i))
			out.lines = append(out.lines, c.Line(i))
		}
	}
	out.blank = s.blank
	return out
}

// utf16Bytes encodes text, which may hold a byte order mark as U+FEFF.
func utf16Bytes(text, charset string) []byte { return appendUTF16(nil, text, charset) }

func TestDialects(t *testing.T) {
	const bom = "\ufeff"
	for _, tc := range []struct {
		name, in  string
		charset   string // of the file; "" is as is
		comma     byte
		newline   string
		header    string // cells joined by /
		addresses string // joined by a space
		lines     string
		problems  string
	}{
		{name: "comma", in: "Email,Name\na@x.org,Ann\nb@x.org,Bob\n", comma: ',', newline: "\n", header: "Email/Name", addresses: "a@x.org b@x.org", lines: "2 3"},
		{name: "semicolon, comma in the header", in: "Name;E-mail, privat\r\nAnn;a@x.org\r\n", comma: ';', newline: "\r\n", header: "Name/E-mail, privat", addresses: "a@x.org"},
		{name: "tab", in: "Name\tEmail\nDoe, J\ta@x.org\n", comma: '\t', newline: "\n", header: "Name/Email", addresses: "a@x.org"},
		{name: "pipe", in: "Name|Email\nAnn|a@x.org", comma: '|', newline: "\n", header: "Name/Email", addresses: "a@x.org"},
		{name: "sep= line", in: "sep=;\r\nEmail;City\r\na@x.org;Bonn, DE\r\n", comma: ';', newline: "\r\n", header: "Email/City", addresses: "a@x.org", lines: "3"},
		{name: "BOM", in: bom + "Email,Name\na@x.org,Ann\n", comma: ',', newline: "\n", header: "Email/Name", addresses: "a@x.org"},
		{name: "UTF-16LE with BOM and tabs", charset: utf16LE, in: bom + "Name\tEmail\r\nZoë 😀\ta@x.org\r\n\"two\r\nlines\"\tb@x.org\r\n", comma: '\t', newline: "\r\n", header: "Name/Email", addresses: "a@x.org b@x.org", lines: "2 3"},
		{name: "UTF-16BE with BOM", charset: utf16BE, in: bom + "Email,Name\na@x.org,Ann\n", comma: ',', newline: "\n", header: "Email/Name", addresses: "a@x.org"},
		{name: "UTF-16LE without BOM", charset: utf16LE, in: "Email,Name\na@x.org,Ann\n", comma: ',', newline: "\n", header: "Email/Name", addresses: "a@x.org"},
		{name: "UTF-16BE without BOM", charset: utf16BE, in: "Email,Name\na@x.org,山田\n", comma: ',', newline: "\n", header: "Email/Name", addresses: "a@x.org"},
		{name: "CR only", in: "Email,Name\ra@x.org,Ann\rb@x.org,\"two\nlines\"\rc@x.org,C", comma: ',', newline: "\r", header: "Email/Name", addresses: "a@x.org b@x.org c@x.org", lines: "2 3 5"},
		{name: "mixed line ends", in: "Email,Name\r\na@x.org,Ann\nb@x.org,Bob\rc@x.org,C\r\r\nd@x.org,D\r\n", comma: ',', newline: "\r\n", header: "Email/Name", addresses: "a@x.org b@x.org c@x.org d@x.org", lines: "2 3 4 5"},
		{name: "CR only, with LF in cells that are not quoted", in: "Email;Note;N\ra@x.org;one;1\rb@x.org;x;two\nlines\rc@x.org;y;3\r", comma: ';', newline: "\n", header: "Email/Note/N", addresses: "a@x.org b@x.org lines\rc@x.org"},
		{name: "a CR within a cell", in: "Email,Note,N\na@x.org,one\rtwo,3\nb@x.org,x,4\n", comma: ',', newline: "\n", header: "Email/Note/N", addresses: "a@x.org b@x.org"},
		{name: "empty lines", in: "\n\nEmail,Name\n\na@x.org,Ann\n\r\n\nb@x.org,Bob\n\n", comma: ',', newline: "\n", header: "Email/Name", addresses: "a@x.org b@x.org", lines: "5 8"},
		{name: "no header", in: "a@x.org,Ann\nb@x.org,Bob\n", comma: ',', newline: "\n", addresses: "a@x.org b@x.org", lines: "1 2"},
		{name: "no header, a broken address first", in: "a@x,Ann\nb@x.org,Bob\n", comma: ',', newline: "\n", addresses: "a@x b@x.org"},
		{name: "no header, a cell that could be a name", in: "a@x.org,Email\nb@x.org,Email\n", comma: ',', newline: "\n", addresses: "a@x.org b@x.org"},
		{name: "a title above names that say nothing", in: "Members\nWho,Contact,Town\nAnn,a@x.org,Bonn\n", comma: ',', newline: "\n", header: "Who/Contact/Town", addresses: "a@x.org"},
		{name: "a row without an address first", in: "Who,Contact,\nAnn,,Bonn\nBob,b@x.org,Rome\n", comma: ',', newline: "\n", header: "Who/Contact/", addresses: " b@x.org"},
		{name: "no header, one column", in: "a@x.org\nb@x.org", comma: ',', newline: "\n", addresses: "a@x.org b@x.org"},
		{name: "header only", in: "Email,Name\n", comma: ',', newline: "\n", header: "Email/Name"},
		{name: "quoted", in: "\"Name\",\"Email\"\n\"Doe, \"\"J\"\"\",\"a@x.org\"\n\"two\nlines\",\"b@x.org\" \n", comma: ',', newline: "\n", header: "Name/Email", addresses: "a@x.org b@x.org", lines: "2 3"},
		{name: "whole lines quoted", in: "\"Email,Name\"\n\"a@x.org,\"\"Doe, J\"\"\"\n\"b@x.org,Bob\"\n", comma: ',', newline: "\n", header: "Email/Name", addresses: "a@x.org b@x.org"},
		{name: "ragged", in: "Name,Email,City\nAnn,a@x.org\nBob,b@x.org,Bonn,extra\nC\nD,d@x.org,Rome\n", comma: ',', newline: "\n", header: "Name/Email/City", addresses: "a@x.org b@x.org  d@x.org"},
		{name: "bare quotes", in: "Note,Email\n5\" disk,a@x.org\nsay \"hi\",b@x.org\n\"say \"hi\" now\",c@x.org\n\"Doe, J\" x,d@x.org\n", comma: ',', newline: "\n", header: "Note/Email", addresses: "a@x.org b@x.org c@x.org d@x.org"},
		{name: "open quote", in: "Email,Note\na@x.org,\"open\nb@x.org,x\n\"c@x.org\",\"y\"\nd@x.org,z\n", comma: ',', newline: "\n", header: "Email/Note", addresses: "a@x.org b@x.org c@x.org d@x.org", lines: "2 3 4 5", problems: ProblemQuote + "   "},
		{name: "open quote, 50 lines", in: "Email,Note\na@x.org,\"open\n" + strings.Repeat("b@x.org,x\n", 60), comma: ',', newline: "\n", header: "Email/Note", addresses: "a@x.org" + strings.Repeat(" b@x.org", 60), problems: ProblemQuote + strings.Repeat(" ", 60)},
		{name: "stray quotes around records", in: "Email,Note,N\na@x.org,\"open,1\nb@x.org,x,2\nc@x.org,5\",3\nd@x.org,z,4\n", comma: ',', newline: "\n", header: "Email/Note/N", addresses: "a@x.org b@x.org c@x.org d@x.org", problems: ProblemQuote + "   "},
		{name: "a note of several lines", in: "Email,Note,N\na@x.org,\"b@x.org said\nc@x.org, no, yes\nbut\",1\nd@x.org,z,4\n", comma: ',', newline: "\n", header: "Email/Note/N", addresses: "a@x.org d@x.org"},
		{name: "blanks before quotes", in: "\"Name\", \"Email\", \"N\"\n\"Doe, A\", \"a@x.org\", \"1, 2\"\n\"B\", \"b@x.org\", \"x, \"\"y\"\"\"\n", comma: ',', newline: "\n", header: "Name/Email/N", addresses: "a@x.org b@x.org"},
		{name: "backslash before quotes", in: "Name,Email\n\"say \\\"hi\\\", ok\",a@x.org\n\"C\",b@x.org\n\"x\\\\\",\"c@x.org\"\n", comma: ',', newline: "\n", header: "Name/Email", addresses: "a@x.org b@x.org c@x.org"},
		{name: "backslash at the end of a cell", in: "Path,Email\n\"C:\\\",a@x.org\n\"D:\\\",b@x.org\n", comma: ',', newline: "\n", header: "Path/Email", addresses: "a@x.org b@x.org"},
		{name: "end of a DOS file", in: "Email,N\r\na@x.org,1\r\n\x1a", comma: ',', newline: "\r\n", header: "Email/N", addresses: "a@x.org"},
		{name: "open quote at the end", in: "Email,Note\na@x.org,x\nb@x.org,\"open", comma: ',', newline: "\n", header: "Email/Note", addresses: "a@x.org b@x.org", problems: " " + ProblemQuote},
		{name: "NUL bytes", in: "Email,Note\na@x.org,x\x00y\n\x00,\nb@x.org,z\n", comma: ',', newline: "\n", header: "Email/Note", addresses: "a@x.org \x00 b@x.org"},
		{name: "Latin-1", in: "Name,Email\nJ\xfcrgen,a@x.org\n", comma: ',', newline: "\n", header: "Name/Email", addresses: "a@x.org"},
		{name: "Shift-JIS with |", in: "\x96\xbc\x91O|Email\n\x83|\x83\x93|a@x.org\n\x8eR\x93c|b@x.org\n\x83|\x83|\x83\x93|c@x.org\n\x83|\x83\x93|d@x.org\n", comma: '|', newline: "\n", header: "\x96\xbc\x91O/Email", addresses: "a@x.org b@x.org c@x.org d@x.org"},
		{name: "Latin-1 with |", in: "Name|Email\nRen\xe9|a@x.org\nJos\xe9|b@x.org\nBob|c@x.org\n", comma: '|', newline: "\n", header: "Name/Email", addresses: "a@x.org b@x.org c@x.org"},
		{name: "titles above the header", in: "Notes:\n\"When exporting, you may miss some.\"\n\nFirst Name,Email Address,Company\nAnn,a@x.org,X\n", comma: ',', newline: "\n", header: "First Name/Email Address/Company", addresses: "a@x.org", lines: "5"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			data := []byte(tc.in)
			if tc.charset != "" {
				data = utf16Bytes(tc.in, tc.charset)
			}
			l := openBytes(t, data, Options{})
			if tc.charset != "" && l.Charset != tc.charset {
				t.Errorf("charset %q, want %q", l.Charset, tc.charset)
			}
			if l.Comma != tc.comma || l.Newline != tc.newline {
				t.Errorf("comma %q, newline %q, want %q, %q", l.Comma, l.Newline, tc.comma, tc.newline)
			}
			if got := strings.Join(l.Header, "/"); got != tc.header {
				t.Errorf("header %q, want %q", got, tc.header)
			}
			got := readAll(t, l)
			if !bytes.Equal(got.all, data) {
				t.Errorf("bytes differ:\n got %q\nwant %q", got.all, data)
			}
			if a := strings.Join(got.addresses, " "); a != tc.addresses {
				t.Errorf("addresses %q, want %q", a, tc.addresses)
			}
			if p := strings.Join(got.problems, " "); strings.TrimSpace(p) != strings.TrimSpace(tc.problems) || tc.problems != "" && p != tc.problems {
				t.Errorf("problems %q, want %q", p, tc.problems)
			}
			if lines := strings.Trim(fmt.Sprint(got.lines), "[]"); tc.lines != "" && lines != tc.lines {
				t.Errorf("lines %s, want %s", lines, tc.lines)
			}
		})
	}
}

// generated is a list made by a known writer.
type generated struct {
	data      []byte
	addresses []string
	desc      string
}

// generate writes a list in a random dialect whose records are known.
func generate(r *rand.Rand) generated {
	pick := func(s ...string) string { return s[r.IntN(len(s))] }
	one := func(n int) bool { return r.IntN(n) == 0 }
	comma := pick(",", ";", "\t", "|")
	eol := pick("\n", "\r\n", "\r")
	charset := pick("", "", "", eightBit, utf16LE, utf16BE)
	quoteAll, folded, header, ragged, blank := one(4), one(8), !one(6), one(4), one(4)
	mixed := eol != "\r" && !folded && one(6) // line ends of two kinds
	columns := 2 + r.IntN(6)
	at := r.IntN(columns)
	text := []string{"Ann", "Zoë", "5\" disk", "Doe, J; x", "a|b\tc", "", " ", "say \"hi\"", "x\x00y", "\"", "\"\"", "a\\", "ç|ü"}
	if charset != eightBit {
		text = append(text, "山田", "😀")
	}
	if !folded && eol != "\r" {
		text = append(text, "two"+eol+"lines", "three\n\nlines", "\"\n\"")
	}
	quote := func(s string, always bool) string {
		if always || strings.ContainsAny(s, "\"\r\n"+comma) {
			return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
		}
		return s
	}
	var g generated
	var b strings.Builder
	if charset == utf16LE || charset == utf16BE || charset == "" && one(4) {
		b.WriteString("\ufeff")
	}
	if one(8) {
		b.WriteString("sep=" + comma + eol)
	}
	end := eol
	line := func(cells []string) {
		for i := range cells {
			cells[i] = quote(cells[i], quoteAll)
		}
		s := strings.Join(cells, comma)
		if folded {
			s = quote(s, true)
		}
		if mixed {
			end = pick("\n", "\r\n")
		}
		b.WriteString(s + end)
		if blank && one(5) {
			b.WriteString(end + end)
		}
	}
	if header {
		if columns > 3 && !folded && one(5) {
			line([]string{"Contacts of today"})
		}
		names := make([]string, columns)
		for i := range names {
			names[i] = fmt.Sprintf("Field %d", i)
		}
		names[at] = pick("Email Address", "E-Mail-Adresse", "Correo electr\u00f3nico")
		line(names)
	}
	records := 1 + r.IntN(40)
	if ragged {
		records += 10 // the usual width must be seen
	}
	for i := range records {
		n := columns
		if ragged && i > 0 && one(6) {
			n = at + 1 + r.IntN(columns-at+2)
		}
		cells := make([]string, n)
		for j := range cells {
			cells[j] = pick(text...)
		}
		cells[at] = fmt.Sprintf("user%d@example%d.org", i, r.IntN(5))
		g.addresses = append(g.addresses, cells[at])
		line(cells)
	}
	s := b.String()
	if one(3) {
		s = strings.TrimSuffix(s, end)
	}
	g.data = []byte(s)
	switch charset {
	case utf16LE, utf16BE:
		g.data = utf16Bytes(s, charset)
	case eightBit:
		g.data = g.data[:0]
		for _, r := range s {
			g.data = append(g.data, byte(r)) // Latin-1
		}
	}
	g.desc = fmt.Sprintf("comma %q eol %q charset %q quoteAll %v folded %v header %v ragged %v mixed %v blank %v", comma, eol, charset, quoteAll, folded, header, ragged, mixed, blank)
	return g
}

// Every list of a known writer comes back whole: all bytes, all records, all addresses.
func TestGenerated(t *testing.T) {
	n := 300
	if os.Getenv("WINNOW_LONG") != "" {
		n = 1000
	}
	dir := t.TempDir()
	for seed := range n {
		g := generate(rand.New(rand.NewPCG(uint64(seed), 1)))
		path := filepath.Join(dir, "list.csv")
		if err := os.WriteFile(path, g.data, 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := Open(path, Options{})
		if err != nil {
			t.Fatalf("seed %d (%s): %v\n%q", seed, g.desc, err, g.data)
		}
		got := readAll(t, l)
		if !bytes.Equal(got.all, g.data) {
			t.Fatalf("seed %d (%s): bytes differ\n got %q\nwant %q", seed, g.desc, got.all, g.data)
		}
		if !slices.Equal(got.addresses, g.addresses) {
			t.Fatalf("seed %d (%s): addresses\n got %q\nwant %q\n%q", seed, g.desc, got.addresses, g.addresses, g.data)
		}
		if i := slices.IndexFunc(got.problems, func(p string) bool { return p != "" }); i >= 0 {
			t.Fatalf("seed %d (%s): record %d: %s", seed, g.desc, i+1, got.problems[i])
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// The bounce exports of the development data are read whole.
func TestSamples(t *testing.T) {
	files, _ := filepath.Glob("../../../shared/data/bounces/samples/*.csv")
	if len(files) == 0 {
		t.Skip("skipped: no development data beside the project")
	}
	for _, path := range files {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		r, err := NewRowReader(f, path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		rows := 0
		for ; ; rows++ {
			row, line, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s:%d: %v", path, line, err)
			}
			if h := r.Header(); h != nil && len(h) != len(row) {
				t.Errorf("%s:%d: %d cells under %d names", path, line, len(row), len(h))
			}
		}
		if rows == 0 {
			t.Errorf("%s: no rows", path)
		}
	}
}

func TestRowReader(t *testing.T) {
	const in = "\ufeffE-Mail;Typ\r\na@x.org;hard\r\nb@x.org;\"open\r\nc@x.org;\"soft; \"\"full\"\"\"\r\nd@x.org\r\n"
	r, err := NewRowReader(strings.NewReader(in), "b.csv")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for {
		row, line, err := r.Next()
		if err == io.EOF {
			break
		}
		var re *RecordError
		if err != nil && !errors.As(err, &re) {
			t.Fatal(err)
		}
		if re != nil {
			row = []string{re.Problem}
		}
		got = append(got, fmt.Sprintf("%d %s", line, strings.Join(row, "/")))
	}
	want := []string{"2 a@x.org/hard", "3 " + ProblemQuote, "4 c@x.org/soft; \"full\"", "5 d@x.org"}
	if !slices.Equal(got, want) {
		t.Errorf("rows\n got %q\nwant %q", got, want)
	}
	if h := r.Header(); !slices.Equal(h, []string{"E-Mail", "Typ"}) {
		t.Errorf("header %q", h)
	}
}

// Cells are appended in the list's own dialect and encoding, in their columns,
// and nothing of the record changes but what follows it.
func TestAppend(t *testing.T) {
	for _, tc := range []struct {
		name, in, charset string
		cells             []string
		header, records   string
	}{
		{"comma", "Email,Name\na@x.org,Ann\n", "", []string{"r", "a, \"b\""}, "Email,Name,x,y\n", "a@x.org,Ann,r,\"a, \"\"b\"\"\"\n"},
		{"CRLF and blanks", "Email;Name\r\na@x.org;Ann\r\n", "", []string{" r", "s,t"}, "Email;Name;x;y\r\n", "a@x.org;Ann;\" r\";s,t\r\n"},
		{"no line end", "Email,Name\r\na@x.org,Ann", "", []string{"r", "s"}, "Email,Name,x,y\r\n", "a@x.org,Ann,r,s\r\n"},
		{"short record", "Email,Name,City\na@x.org\nb@x.org,B,C,extra\n", "", []string{"r", "s"}, "Email,Name,City,x,y\n", "a@x.org,,,r,s\nb@x.org,B,C,extra,r,s\n"},
		{"empty lines stay", "\n\nEmail,Name\n\na@x.org,Ann\n\n", "", []string{"r", "s"}, "\n\nEmail,Name,x,y\n\n", "a@x.org,Ann,r,s\n\n"},
		{"sep= line", "sep=;\r\nEmail;Name\r\na@x.org;A\r\n", "", []string{"r", "s"}, "sep=;\r\nEmail;Name;x;y\r\n", "a@x.org;A;r;s\r\n"},
		{"UTF-16", "\ufeffEmail\tName\r\na@x.org\tZoë 😀\r\n", utf16LE, []string{"r\t", "é"}, "\ufeffEmail\tName\tx\ty\r\n", "a@x.org\tZoë 😀\t\"r\t\"\té\r\n"},
		{"UTF-16 without BOM", "Email\tName\na@x.org", utf16BE, []string{"r", "s"}, "Email\tName\tx\ty\n", "a@x.org\t\tr\ts\n"},
		{"8-bit", "Email,Name\na@x.org,Zo\xeb\n", "", []string{"é", "s"}, "Email,Name,x,y\n", "a@x.org,Zo\xeb,?,s\n"},
		{"end of a DOS file", "Email,Name\na@x.org,Ann\n\x1a", "", []string{"r", "s"}, "Email,Name,x,y\n", "a@x.org,Ann,r,s\n\x1a"},
		{"no header", "a@x.org,Ann\n", "", []string{"r", "s"}, "", "a@x.org,Ann,r,s\n"},
		{"whole lines quoted", "\"Email,Name\"\n\"a@x.org,\"\"Doe, J\"\"\"\n", "", []string{"r", "s"}, "\"Email,Name\",x,y\n", "\"a@x.org,\"\"Doe, J\"\"\",r,s\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			enc := func(s string) string {
				if tc.charset == "" {
					return s
				}
				return string(utf16Bytes(s, tc.charset))
			}
			l := openBytes(t, []byte(enc(tc.in)), Options{})
			if got := string(l.AppendPreamble([]byte("."), "x", "y")); got != "."+enc(tc.header) {
				t.Errorf("preamble\n got %q\nwant %q", got, "."+enc(tc.header))
			}
			s, err := l.Scan()
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			var c Chunk
			if err := s.Next(&c); err != nil {
				t.Fatal(err)
			}
			var got []byte
			for i := range c.Len() {
				got = l.Append(got, c.Raw(i), tc.cells...)
			}
			if string(got) != enc(tc.records) {
				t.Errorf("records\n got %q\nwant %q", got, enc(tc.records))
			}
		})
	}
}

func TestColumn(t *testing.T) {
	rows := func(n int, row func(int) string) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(row(i) + "\n")
		}
		return b.String()
	}
	for _, tc := range []struct {
		name, in, column string
		want             int
		why              string
	}{
		{"by name", "Name,E-Mail\nAnn,a@x.org\n", "", 1, "by its name"},
		{"by content", "Name,Anschrift\nAnn,a@x.org\n", "", 1, "by its content"},
		{"by words not all known", "Name,Reunion e-mail\nAnn,a@x.org\n", "", 1, "by its name and content"},
		{"named, with a further one", "Email 2,Email\nb@x.org,a@x.org\n", "", 1, "by its name"},
		{"only a further one", "Name,Email 2\nAnn,b@x.org\n", "", 1, "as the only column of addresses"},
		{"best filled", "Work Email,Home Email,N\n" + rows(10, func(i int) string {
			if i < 2 {
				return fmt.Sprintf("w%d@x.org,h%d@x.org,", i, i)
			}
			return fmt.Sprintf(",h%d@x.org,", i)
		}), "", 1, "by its name: filled in 100% of the rows, \"Work Email\" in 20%"},
		{"the bare name of two well filled", "Work Email,Email,N\n" + rows(40, func(i int) string {
			if i == 0 {
				return "w0@x.org,,"
			}
			return fmt.Sprintf("w%d@x.org,e%d@x.org,", i, i)
		}), "", 1, "by its name: filled in 97% of the rows, \"Work Email\" in 100%"},
		{"not the owner's", "Owner Email,Person\n" + rows(20, func(i int) string { return fmt.Sprintf("rep@x.org,p%d@x.org", i) }), "", 1, "by its content"},
		{"not what repeats", "Betreut durch,Wer\n" + rows(20, func(i int) string { return fmt.Sprintf("rep%d@x.org,p%d@x.org", i%2, i) }), "", 1, "by its content"},
		{"named, but of yes and no", "Email,Login\n" + rows(20, func(i int) string { return fmt.Sprintf("yes,p%d@x.org", i) }), "", 1, "by its content"},
		{"named, all broken", "Name,Email\nAnn,a at x\nBob,b\n", "", 1, "by its name"},
		{"header only", "Name,Email\n", "", 1, "by its name"},
		{"the user's word", "Email,Email 2\na@x.org,b@x.org\n", "email 2", 1, "named by the user"},
		{"the user's number", "Email,Email 2\na@x.org,b@x.org\n", "2", 1, "named by the user"},
		{"the user's number, no header", "a@x.org,b@x.org\n", "2", 1, "named by the user"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := openBytes(t, []byte(tc.in), Options{Column: tc.column})
			if l.Column != tc.want || l.Why != tc.why {
				t.Errorf("column %d, %q; want %d, %q", l.Column, l.Why, tc.want, tc.why)
			}
		})
	}
}
