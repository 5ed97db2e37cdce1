package reader

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/bounceimport/reply"
	"github.com/winnow-email/winnow/internal/anytime"
	"golang.org/x/text/encoding/unicode"
)

var update = flag.Bool("update", false, "write the golden files anew")

var testNow = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

// readAll reads a file and returns its events as JSON lines, without the class
// (the classifier has tests of its own) and with the hint.
func readAll(t testing.TB, path string) (string, Account) {
	t.Helper()
	var out bytes.Buffer
	a, err := ReadPath(context.Background(), path, Options{Now: testNow}, func(e *bounceimport.Event) error {
		plain := *e
		plain.Class = bounceimport.Class{}
		b, err := json.Marshal(struct {
			bounceimport.Event
			Hint  string `json:"hint,omitempty"`
			Class string `json:"class,omitempty"`
		}{plain, e.Hint, ""})
		if err != nil {
			return err
		}
		b = bytes.Replace(b, []byte(`,"category":"","bucket":"","side":"","action":"","confidence":"","rule":""`), nil, 1)
		out.Write(bytes.ReplaceAll(b, []byte(filepath.ToSlash(filepath.Dir(path))+"/"), nil))
		out.WriteByte('\n')
		return nil
	})
	a.Name = filepath.Base(a.Name)
	for i, p := range a.Problems {
		a.Problems[i] = strings.ReplaceAll(p, filepath.Dir(path)+"/", "")
	}
	if err != nil {
		out.WriteString("error: " + strings.ReplaceAll(err.Error(), filepath.Dir(path)+"/", "") + "\n")
	}
	if n := a.Used + a.Ignored + a.Unmapped + a.Malformed; n != a.Read {
		t.Errorf("%s: %d records read, but %d accounted for: %s", path, a.Read, n, a.String())
	}
	return out.String(), a
}

// TestFormats compares the events of one file per format with golden files.
func TestFormats(t *testing.T) {
	dir := filepath.Join("..", "..", "testdata", "bounces", "formats")
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if strings.HasSuffix(f.Name(), ".golden") {
			continue
		}
		t.Run(f.Name(), func(t *testing.T) {
			path := filepath.Join(dir, f.Name())
			events, a := readAll(t, path)
			got := events + "# " + a.String() + "\n"
			for _, p := range a.Problems {
				got += "# " + p + "\n"
			}
			golden := path + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestReplyCodes(t *testing.T) {
	for _, c := range []struct {
		reply  string
		code   int
		status string
	}{
		{"550 5.1.1 User unknown", 550, "5.1.1"},
		{"550-5.1.1 The email account\n550 5.1.1 does not exist", 550, "5.1.1"},
		{"554 delivery error: dd This user doesn't have a yahoo.com account", 554, ""},
		{"host mx.example.org[192.0.2.4] said: 450 4.7.1 Try later (in reply to RCPT TO command)", 450, "4.7.1"},
		{"connect to mx.example.net[192.0.2.40]:25: Connection timed out", 0, ""},
		{"5.1.1 <a@b.example>... User unknown", 0, "5.1.1"},
		{"#5.1.0 Address rejected", 0, "5.1.0"},
		{"smtp; 550 #5.1.0 Address rejected", 550, "5.1.0"},
		{"RecipientError: 550 5.5.0 mailbox unavailable", 550, "5.5.0"},
		{"message of 550 bytes", 0, ""},
		{"blocked: 5.6.7.8 is listed", 0, ""},
		{"server 5.4.1.2 said no", 0, ""},
		{"Requested action not taken", 0, ""},
		{"[(0) example.com. [2606:2800:220:6d:26bf:1447:1097:aa7]:25: socket error]", 0, ""},
		{"", 0, ""},
	} {
		if code, status := reply.Codes(c.reply); code != c.code || status != c.status {
			t.Errorf("%q: got %d %q, want %d %q", c.reply, code, status, c.code, c.status)
		}
	}
}

func TestParseTime(t *testing.T) {
	utc := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for in, want := range map[string]time.Time{
		"1699000000":                            utc("2023-11-03T08:26:40Z"),
		"1699000000123":                         utc("2023-11-03T08:26:40.123Z"),
		"1377214260.049634":                     utc("2013-08-22T23:31:00.049634Z"),
		"2024-04-10T21:03:05+00:00":             utc("2024-04-10T21:03:05Z"),
		"2016-04-27T16:28:50.3963933-04:00":     utc("2016-04-27T20:28:50.3963933Z"),
		"2024-05-01 10:00:00+0000":              utc("2024-05-01T10:00:00Z"),
		"2024-02-03 10:11:12 UTC":               utc("2024-02-03T10:11:12Z"),
		"2024-02-03":                            utc("2024-02-03T00:00:00Z"),
		"Fri, 21 Oct 2011 11:02:55 GMT":         utc("2011-10-21T11:02:55Z"),
		"Thu, 29 Apr 2010 23:34:45 +0900 (JST)": utc("2010-04-29T14:34:45Z"),
		"Fri Oct 21 11:02:55 2011":              utc("2011-10-21T11:02:55Z"),
		"21 Oct 11 11:02 EST":                   utc("2011-10-21T16:02:00Z"),
		"22.11.2024 10:00":                      utc("2024-11-22T10:00:00Z"),
		"11/22/2024 3:24:01 AM":                 utc("2024-11-22T03:24:01Z"),
		"22/11/2024 15:24":                      utc("2024-11-22T15:24:00Z"),
		"12/31/2024 12:05:00 PM":                utc("2024-12-31T12:05:00Z"),
		"20240501":                              {},
		"yesterday":                             {},
		"":                                      {},
		"192.0.2.1":                             {},
		"99/99/9999":                            {},
	} {
		if got := anytime.Parse(in, time.UTC); !got.Equal(want) {
			t.Errorf("%q: got %v, want %v", in, got, want)
		}
	}
}

// TestLineEnds reads every mail with LF, CRLF and lone CR: nothing may differ.
func TestLineEnds(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join("..", "..", "testdata", "bounces", "formats", "mail_*.eml"))
	more, _ := filepath.Glob(filepath.Join(mailData, "*.eml"))
	events := func(b []byte) string {
		var out strings.Builder
		if _, err := Read(t.Context(), bytes.NewReader(b), "x", Options{Now: testNow}, func(e *bounceimport.Event) error {
			out.WriteString(e.Recipient + " " + e.Category + " " + e.Reply + "\n")
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	for _, f := range append(files, more...) {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(f, "shiftjis_unlabelled.eml") || bytes.HasPrefix(b, []byte("From ")) {
			continue
		}
		lf := unixLines(bytes.Clone(b))
		want := events(lf)
		for _, end := range []string{"\r\n", "\r"} {
			if got := events(bytes.ReplaceAll(lf, []byte("\n"), []byte(end))); got != want {
				t.Errorf("%s with %q: got\n%s\nwant\n%s", filepath.Base(f), end, got, want)
			}
		}
	}
}

// TestTruncated cuts every mail short at many places: no cut may invent a
// recipient that the whole mail does not name.
func TestTruncated(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join("..", "..", "testdata", "bounces", "formats", "mail_*.eml"))
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for n := len(b); n > 40; n -= 1 + n/40 {
			_, err := Read(t.Context(), bytes.NewReader(b[:n]), "x", Options{Now: testNow}, func(e *bounceimport.Event) error {
				if !bytes.Contains(bytes.ToLower(b), []byte(strings.ToLower(e.Recipient))) && !strings.HasSuffix(f, "verp.eml") {
					t.Errorf("%s cut at %d: %q stands nowhere in it", filepath.Base(f), n, e.Recipient)
				}
				return nil
			})
			if fe := (*formError)(nil); err != nil && !errors.As(err, &fe) {
				t.Errorf("%s cut at %d: %v", filepath.Base(f), n, err)
			}
		}
	}
}

func TestDecompressionBomb(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	line := bytes.Repeat([]byte{'a'}, 1<<20)
	for range 64 {
		z.Write(line)
	}
	z.Close()
	_, err := Read(t.Context(), &packed, "bomb.gz", Options{}, func(*bounceimport.Event) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "bomb.gz") {
		t.Errorf("got %v", err)
	}
}

// An error of the caller, and the end of the context, stop the reading.
func TestReadStops(t *testing.T) {
	stop := errors.New("enough")
	data := "email,reason\n" + strings.Repeat("a@example.com,550 5.1.1 gone\n", 5000)
	n := 0
	_, err := Read(t.Context(), strings.NewReader(data), "x", Options{}, func(*bounceimport.Event) error {
		if n++; n == 3 {
			return stop
		}
		return nil
	})
	if err != stop || n != 3 {
		t.Errorf("got %v after %d events", err, n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	n = 0
	_, err = Read(ctx, strings.NewReader(data), "x", Options{}, func(*bounceimport.Event) error {
		if n++; n == 3 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || n > 1000 {
		t.Errorf("got %v after %d events", err, n)
	}
}

// A forged bounce is no evidence once the caller says what its own mail looks like.
func TestForeignMail(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "..", "testdata", "bounces", "formats", "mail_apachejames.eml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		opt  Options
		want int64
	}{
		{Options{}, 1},
		{Options{Senders: []string{"example.com"}}, 1},
		{Options{Senders: []string{"com"}}, 1},
		{Options{Senders: []string{"ample.com"}}, 0},
		{Options{MessageID: func(id string) bool { return id == "june-1@example.com" }}, 1},
		{Options{MessageID: func(id string) bool { return false }}, 0},
	} {
		a, err := Read(t.Context(), bytes.NewReader(raw), "x", c.opt, func(*bounceimport.Event) error { return nil })
		if err != nil || a.Events != c.want || a.Events+a.Ignored != 1 {
			t.Errorf("%v: %s, %v", c.opt.Senders, a.String(), err)
		}
	}
}

// TestPacked reads the same file compressed in each way, and as UTF-16.
func TestPacked(t *testing.T) {
	plain := []byte("{\"email\":\"gone@example.org\",\"event\":\"bounce\",\"reason\":\"550 5.1.1 no such user\",\"sg_event_id\":\"1\",\"timestamp\":1772697600}\n")
	var gz, zip bytes.Buffer
	w := gzip.NewWriter(&gz)
	w.Write(plain)
	w.Close()
	enc, err := zstd.NewWriter(&zip)
	if err != nil {
		t.Fatal(err)
	}
	enc.Write(plain)
	enc.Close()
	wide, err := unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewEncoder().Bytes(plain)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"plain": plain, "gzip": gz.Bytes(), "zstd": zip.Bytes(), "utf-16": wide, "bom": append([]byte("\xef\xbb\xbf"), plain...)} {
		n := 0
		a, err := Read(t.Context(), bytes.NewReader(data), name, Options{}, func(e *bounceimport.Event) error {
			n++
			if e.Recipient != "gone@example.org" || e.Category != "user_unknown" || e.Source != name+":1" {
				t.Errorf("%s: %+v", name, e)
			}
			return nil
		})
		if err != nil || n != 1 || a.Format != "sendgrid_webhook" {
			t.Errorf("%s: %d events, %s, %v", name, n, a.String(), err)
		}
	}
}

// TestAccountBounded reads records that each give another reason.
func TestAccountBounded(t *testing.T) {
	var b bytes.Buffer
	for i := range 1000 {
		fmt.Fprintf(&b, "{\"email\":\"a@example.org\",\"event\":\"new%d%s\",\"sg_event_id\":\"1\"}\n", i, strings.Repeat("x", 200))
	}
	a, err := Read(t.Context(), &b, "x", Options{}, func(*bounceimport.Event) error { return nil })
	if err != nil || a.Unmapped != 1000 || len(a.Why) > maxWhys+1 || len(a.Problems) != maxProblems {
		t.Errorf("%v, %d reasons, %d problems, %d unmapped", err, len(a.Why), len(a.Problems), a.Unmapped)
	}
}

// Columns of a contact list are no evidence.
func TestContactList(t *testing.T) {
	data := "email,name,status\na@example.org,Ann,active\nb@example.org,Bob,subscribed\n"
	a, err := Read(t.Context(), strings.NewReader(data), "x", Options{}, func(e *bounceimport.Event) error {
		t.Errorf("event %+v", e)
		return nil
	})
	if err != nil || a.Unmapped != 2 {
		t.Errorf("%s, %v", a.String(), err)
	}
}

// A server's refusal beside a word for something else is a refusal.
func TestVerdictAgainstReply(t *testing.T) {
	data := "email,type,reason\na@example.org,sent,550 5.1.1 no such user\nb@example.org,spam,554 5.7.1 rejected as spam\nc@example.org,spam,\n"
	want := map[string]string{"a@example.org": "user_unknown", "b@example.org": "spam_content", "c@example.org": "complaint"}
	if _, err := Read(t.Context(), strings.NewReader(data), "x", Options{}, func(e *bounceimport.Event) error {
		if e.Category != want[e.Recipient] {
			t.Errorf("%s: got %s, want %s", e.Recipient, e.Category, want[e.Recipient])
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// TestHostileMails reads mails that are made to take long. None may take more
// than a moment; what is checked is that the work is bounded at all.
func TestHostileMails(t *testing.T) {
	head := "From: MAILER-DAEMON@example.com\nSubject: failure notice\n"
	line := func(f string, n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, f, i)
		}
		return b.String()
	}
	for name, data := range map[string]string{
		"recipients": head + "\n" + line("<user%d@example.org>:\n550 no such user\n", 20_000),
		"sentences":  head + "\n" + line("delivery to user%d@example.org failed because of what it is\n", 15_000),
		"transcript": head + "\n" + line(">>> RCPT To:<user%d@example.org>\n<<< 550 no\n", 15_000),
		"blocks":     head + "Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\n" + line("Final-Recipient: rfc822; user%d@example.org\nAction: failed\n\n", 15_000),
		"nested":     head + line("Content-Type: multipart/mixed; boundary=b%d\n\n--b%[1]d\n", 20_000),
		"parts":      head + "Content-Type: multipart/mixed; boundary=b\n\n" + line("--b\n\n%d\n", 100_000),
		"fields":     head + line("X-Field-%d: a\n\tb\n", 50_000) + "\nx\n",
		"tags":       head + "Content-Type: text/html\n\n" + line("<a%d", 200_000),
		"json":       "{\"" + strings.Repeat("k", 1<<20) + "\":{" + strings.TrimSuffix(line("\"a%d\":1,", 50_000), ",") + "}}",
	} {
		start := time.Now()
		a, err := Read(t.Context(), strings.NewReader(data), name, Options{}, func(*bounceimport.Event) error { return nil })
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		t.Logf("%s: %d events, %s", name, a.Events, time.Since(start))
	}
}
