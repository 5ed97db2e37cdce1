package csvrows

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const small = "Email,Name\na@x.org,Ann\nb@x.org,Bob\n"

func gzipped1(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zstd1(t testing.TB, data []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(data, nil)
}

func zip1(t testing.TB, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		f, err := w.Create(files[i])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, files[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// However the bytes come, the records are the same, in every pass, and passes may overlap.
func TestSources(t *testing.T) {
	two := append(gzipped1(t, []byte(small[:20])), gzipped1(t, []byte(small[20:]))...)
	for name, data := range map[string][]byte{
		"plain": []byte(small), "gzip": gzipped1(t, []byte(small)), "gzip in two members": two, "zstd": zstd1(t, []byte(small)),
		"zip": zip1(t, "a/list.csv", small, "readme.txt", "hello"),
	} {
		for _, from := range []string{"file", "stdin", "redirected"} {
			t.Run(name+" "+from, func(t *testing.T) {
				dir := t.TempDir()
				opt := Options{TempDir: dir, Stdin: bytes.NewReader(data)}
				path := "-"
				switch from {
				case "file":
					path = write(t, data)
				case "redirected":
					f, err := os.Open(write(t, data))
					if err != nil {
						t.Fatal(err)
					}
					defer f.Close()
					opt.Stdin = f
				}
				l, err := Open(path, opt)
				if err != nil {
					t.Fatal(err)
				}
				first, err := l.Scan()
				if err != nil {
					t.Fatal(err)
				}
				for range 2 {
					got := readAll(t, l)
					if string(got.all) != small {
						t.Errorf("got %q", got.all)
					}
				}
				var c Chunk
				if err := first.Next(&c); err != nil || c.Len() != 2 {
					t.Errorf("the first pass: %d records, %v", c.Len(), err)
				}
				if err := first.Next(&c); err != io.EOF {
					t.Errorf("at the end: %v", err)
				}
				if from == "file" && name != "zip" && first.Read() != l.Size() {
					t.Errorf("read %d of %d bytes", first.Read(), l.Size())
				}
				if err := first.Close(); err != nil {
					t.Error(err)
				}
				if err := l.Close(); err != nil {
					t.Error(err)
				}
				if left, _ := os.ReadDir(dir); len(left) > 0 {
					t.Errorf("left behind: %v", left)
				}
			})
		}
	}
}

func TestMailchimpZip(t *testing.T) {
	const header = "Email Address,First Name\n"
	path := write(t, zip1(t,
		"subscribed_email_audience_export_1.csv", header+"a@x.org,A\n",
		"unsubscribed_email_audience_export_1.csv", header+"b@x.org,B\n",
		"nonsubscribed_email_audience_export_1.csv", header,
		"cleaned_email_audience_export_1.csv", header+"c@x.org,C\n",
		"__MACOSX/._cleaned_email_audience_export_1.csv", "\x00\x05",
		"empty.csv", ""))
	lists, note, err := OpenAll(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if want := "1 file of list.csv is no list and was not read: __MACOSX/._cleaned_email_audience_export_1.csv. In list.csv these are empty: empty.csv."; note != want {
		t.Errorf("note %q", note)
	}
	var got []string
	for _, l := range lists {
		got = append(got, filepath.Base(l.Name)+" "+string(l.Whole)+" "+strings.Join(readAll(t, l).addresses, " "))
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	want := []string{
		"subscribed_email_audience_export_1.csv  a@x.org",
		"unsubscribed_email_audience_export_1.csv unsubscribe b@x.org",
		"nonsubscribed_email_audience_export_1.csv unsubscribe ",
		"cleaned_email_audience_export_1.csv bounce c@x.org",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if _, err := Open(path, Options{}); err == nil || !strings.Contains(err.Error(), "holds 4 lists") {
		t.Errorf("Open: %v", err)
	}
}

// No list in an archive is dropped without a word.
func TestZipLeavesNothingOut(t *testing.T) {
	const text = "Email,Name\nann@x.org,A\n"
	for name, c := range map[string]struct {
		members []string // name, content …
		lists   int
		note    string
		err     string
	}{
		"pictures":      {[]string{"a.csv", text, "logo.png", "\x89PNG\r\n\x1a\n", "README", "Exported on Monday.\nAsk support@x.org.\n"}, 1, "2 files of list.csv are no lists and were not read: logo.png, README.", ""},
		"text":          {[]string{"a.csv", text, "b.txt", text}, 0, "", "look like lists: b.txt"},
		"text only":     {[]string{"a.txt", text, "b.TXT", text}, 2, "", ""},
		"no ending":     {[]string{"a.csv", text, "members", text}, 0, "", "look like lists: members"},
		"hidden":        {[]string{"a.csv", text, "x/.b.csv", text}, 0, "", "look like lists: x/.b.csv"},
		"packed":        {[]string{"a.csv", text, "b.csv.gz", "?", "c.xlsx", "PK.."}, 0, "", "look like lists: b.csv.gz, c.xlsx"},
		"nothing else":  {[]string{"members", text, "b.pdf", "%PDF-"}, 0, "", "these in it look like lists: members"},
		"ugly":          {[]string{"a.csv", text, "b\x1b[2J\n.png", "\x89PNG"}, 1, `1 file of list.csv is no list and was not read: b\x1b[2J\n.png.`, ""},
		"folders":       {[]string{"x/", "", "x/a.csv", text}, 1, "", ""},
		"windows":       {[]string{"a.CSV", text, `sub\h.tsv`, strings.ReplaceAll(text, ",", "\t")}, 2, "", ""},
		"hidden folder": {[]string{"a.csv", text, "__MACOSX/j.csv", text}, 0, "", "look like lists: __MACOSX/j.csv"},
	} {
		lists, note, err := OpenAll(write(t, zip1(t, c.members...)), Options{})
		var e *Error
		if len(lists) != c.lists || note != c.note || (err != nil) != (c.err != "") || err != nil && (!strings.Contains(err.Error(), c.err) || !errors.As(err, &e) || e.Hint() == "") {
			t.Errorf("%s: %d lists, %q, %v", name, len(lists), note, err)
		}
		for _, l := range lists {
			l.Close()
		}
	}
	var many []string
	for i := range 30 {
		many = append(many, fmt.Sprintf("%d.png", i), "x")
	}
	if _, note, err := OpenAll(write(t, zip1(t, append(many, "a.csv", text)...)), Options{}); err != nil || !strings.HasSuffix(note, "19.png and 10 more.") {
		t.Errorf("%q %v", note, err)
	}
}

// Every refusal is one line that says what and where, and has a hint.
func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	for _, tc := range []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "is empty"},
		{"only a BOM and line ends", []byte("\xef\xbb\xbf\r\n\r\n"), "is empty"},
		{"nothing but an open quote", []byte("\"abc"), "no record that can be read"},
		{"workbook", zip1(t, "[Content_Types].xml", "<x/>", "xl/workbook.xml", "<x/>"), "is a workbook"},
		{"old workbook", []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 and more"), "Excel workbook"},
		{"zip without lists", zip1(t, "a.pdf", "x"), "without a CSV file"},
		{"PDF", []byte("%PDF-1.7 ..."), "PDF"},
		{"web page", []byte("<!doctype html><html>"), "web page"},
		{"twice compressed", gzipped1(t, gzipped1(t, []byte(small))), "compressed twice"},
		{"cut gzip", gzipped1(t, bytes.Repeat([]byte(small), 9))[:40], "damaged or cut off"},
		{"cut zip", zip1(t, "a.csv", small)[:60], "damaged"},
		{"cut zstd", zstd1(t, []byte(small))[:20], "damaged or cut off"},
		{"zstd with a window of 128 MiB", append([]byte("\x28\xb5\x2f\xfd\x00\x88"), 1, 0, 0), "a window of more than 32 MiB"},
		{"no addresses", []byte("Name,City\nAnn,Bonn\n"), "the columns are: 1 \"Name\", 2 \"City\""},
		{"Meetup", []byte("Name\tUser ID\tTitle\nAnn\tuser 1\tMember\n"), "no column holds"},
		{"somebody else's", []byte("Name,Contact owner\nAnn,rep@x.org\nBob,rep@x.org\n"), "are not the contacts' own"},
		{"too many columns", []byte("email" + strings.Repeat(",c", 3000) + "\na@x.org\n"), "more than 2000 columns"},
		{"ISO-2022-JP", []byte("email;\x1b$B;aL>\x1b(B\na@x.org;\x1b$B;3ED\x1b(B\n"), "ISO-2022"},
		{"UTF-32", []byte("\xff\xfe\x00\x00E\x00\x00\x00"), "UTF-32"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Open(write(t, tc.data), Options{})
			if err == nil {
				t.Fatal("no error")
			}
			msg := err.Error()
			if !strings.Contains(msg, tc.want) || strings.Contains(msg, "\n") || !strings.Contains(msg, "list.csv") {
				t.Errorf("error %q", msg)
			}
			var e *Error
			if !errors.As(err, &e) || e.Hint() == "" {
				t.Errorf("no hint for %q", msg)
			}
		})
	}
	if _, err := Open(filepath.Join(dir, "none.csv"), Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), "is a folder") {
		t.Errorf("directory: %v", err)
	}
	if _, err := Open(write(t, []byte(small)), Options{Column: "Mail"}); err == nil || !strings.Contains(err.Error(), `1 "Email", 2 "Name"`) {
		t.Errorf("unknown column: %v", err)
	}
}

func TestChangedFile(t *testing.T) {
	path := write(t, []byte(small))
	l, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("c@x.org,C\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Scan(); err == nil || !strings.Contains(err.Error(), "was changed") {
		t.Errorf("second pass over a changed file: %v", err)
	}
}

// A file that is cut or written to during a pass gives an error, not fewer rows.
func TestFileChangedDuringAPass(t *testing.T) {
	data := append([]byte(small), bytes.Repeat([]byte("c@x.org,Carl\n"), 400_000)...)
	path := write(t, data)
	l, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s, err := l.Scan()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var c Chunk
	if err := s.Next(&c); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, int64(len(data)/2)); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		err = s.Next(&c)
	}
	if err == io.EOF || !strings.Contains(err.Error(), "was changed") {
		t.Errorf("got %v", err)
	}
}

func TestStdinIsGivenUp(t *testing.T) {
	r, w := io.Pipe()
	defer w.Close()
	ctx, cancel := context.WithCancel(context.Background())
	go cancel()
	if _, err := Open("-", Options{Stdin: r, Done: ctx.Done(), TempDir: t.TempDir()}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// zeros reads n bytes of one value.
type filler struct {
	b byte
	n int64
}

func (f *filler) Read(p []byte) (int, error) {
	if f.n == 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), f.n))
	for i := range p[:n] {
		p[i] = f.b
	}
	f.n -= int64(n)
	return n, nil
}

// Bombs are refused early, whatever their size, and in little memory.
func TestBombs(t *testing.T) {
	const gib = 1 << 30
	sparse := func(t *testing.T, head string, size int64) string {
		path := write(t, []byte(head))
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
		return path
	}
	filled := func(t *testing.T, head string, b byte, size int64) string {
		if os.Getenv("WINNOW_LONG") == "" {
			size /= 8
		}
		path := filepath.Join(t.TempDir(), "list.csv")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := io.Copy(f, io.MultiReader(strings.NewReader(head), &filler{b, size})); err != nil {
			t.Fatal(err)
		}
		return path
	}
	members := 16
	if os.Getenv("WINNOW_LONG") != "" {
		members = 160
	}
	// Members of 64 MiB, one after the other, are what gzip makes of 10 GiB.
	gz := func(t *testing.T, head string, fill byte) string {
		var member bytes.Buffer
		w := gzip.NewWriter(&member)
		if _, err := io.Copy(w, &filler{fill, 64 << 20}); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		data := append(gzipped1(t, []byte(head)), bytes.Repeat(member.Bytes(), members)...)
		return write(t, data)
	}
	const head = "email,note\na@x.org,x\n"
	for _, tc := range []struct {
		name string
		path func(*testing.T) string
		want string
	}{
		{"one line of 1 GiB", func(t *testing.T) string { return sparse(t, "", gib) }, ":1: the record"},
		{"a line of 1 GiB behind a good one", func(t *testing.T) string { return sparse(t, head, gib) }, ":3: the record"},
		{"an open quote over 1 GiB", func(t *testing.T) string { return sparse(t, head+"b@x.org,\"open", gib) }, ":3: the record"},
		{"200 million commas", func(t *testing.T) string { return filled(t, head, ',', 200e6) }, ":3: the record"},
		{"200 million commas at once", func(t *testing.T) string { return filled(t, "", ',', 200e6) }, ":1: the record"},
		{"200 million line ends", func(t *testing.T) string { return filled(t, head, '\n', 200e6) }, ":2: the record"},
		{"200 million quotes", func(t *testing.T) string { return filled(t, head, '"', 200e6) }, ":3: the record"},
		{"gzip of 10 GiB of zeros", func(t *testing.T) string { return gz(t, "", 0) }, ":1: the record"},
		{"gzip of 10 GiB of zeros behind a list", func(t *testing.T) string { return gz(t, head, 0) }, ":3: the record"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := tc.path(t)
			runtime.GC()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			read, err := drain(path)
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want %q", err, tc.want)
			}
			if read > 16<<20 {
				t.Errorf("%d bytes were read", read)
			}
			if grown := int64(after.Sys) - int64(before.Sys); grown > 64<<20 {
				t.Errorf("%d MiB of memory", grown>>20)
			}
		})
	}
	// A stream is refused before it is copied.
	endless := &filler{'x', gib}
	_, err := Open("-", Options{Stdin: io.MultiReader(strings.NewReader(head+"b@x.org,\"open"), endless), TempDir: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "standard input:3: the record") {
		t.Errorf("an open quote on standard input: %v", err)
	}
	if read := gib - endless.n; read > 16<<20 {
		t.Errorf("an open quote on standard input: %d bytes were read", read)
	}
	// As many columns as are allowed, in all rows, are read in bounded memory.
	wide := "email" + strings.Repeat(",", 1999) + "\n"
	path := write(t, append([]byte(wide), bytes.Repeat([]byte("a@x.org"+wide[5:]), 8<<20/len(wide))...))
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := drain(path); err != nil {
		t.Errorf("2,000 columns: %v", err)
	}
	runtime.ReadMemStats(&after)
	if grown := int64(after.Sys) - int64(before.Sys); grown > 64<<20 {
		t.Errorf("2,000 columns: %d MiB of memory", grown>>20)
	}
	// Lines are no protection: what grows a thousandfold is refused all the same.
	_, err = drain(write(t, gzipped1(t, append([]byte(head), bytes.Repeat([]byte("a@x.org,x\n"), 8<<20)...))))
	if err == nil || !strings.Contains(err.Error(), "grows more than 200 times") {
		t.Errorf("gzip of one row again and again: %v", err)
	}
}

// drain reads a list to its end and returns how much of the file that took.
func drain(path string) (int64, error) {
	l, err := Open(path, Options{})
	if err != nil {
		return 0, err
	}
	defer l.Close()
	s, err := l.Scan()
	if err != nil {
		return 0, err
	}
	defer s.Close()
	var c Chunk
	for {
		if err := s.Next(&c); err != nil {
			if err == io.EOF {
				err = nil
			}
			return s.Read(), err
		}
	}
}

// Nor does a bomb in an archive go off, whether it is read as a list or only
// looked at because it might be one.
func TestZipBombs(t *testing.T) {
	bomb := func(name, head, record string, size int) []byte {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		w, err := z.Create(name)
		if err == nil {
			_, err = io.WriteString(w, head)
		}
		piece := strings.Repeat(record, (1<<20)/len(record))
		for range size >> 20 {
			if err == nil {
				_, err = io.WriteString(w, piece)
			}
		}
		if err == nil {
			w, err = z.Create("a.csv")
		}
		if err == nil {
			_, err = io.WriteString(w, small)
		}
		if err = errors.Join(err, z.Close()); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	lists, note, err := OpenAll(write(t, bomb("rest", "", "\x00", 64<<20)), Options{})
	if err != nil || len(lists) != 1 || !strings.Contains(note, "rest") {
		t.Errorf("%d lists, %q, %v", len(lists), note, err)
	}
	for _, l := range lists {
		l.Close()
	}
	lists, _, err = OpenAll(write(t, bomb("b.csv", "Email\n", "a@b.de\n", 64<<20)), Options{})
	if err != nil || len(lists) != 2 {
		t.Fatalf("%d lists, %v", len(lists), err)
	}
	err = lists[0].Each(context.Background(), func(*Chunk, int, []byte) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "b.csv: grows more than 200 times") {
		t.Errorf("%v", err)
	}
	for _, l := range lists {
		l.Close()
	}
}
