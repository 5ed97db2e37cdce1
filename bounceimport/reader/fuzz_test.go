package reader

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/internal/anytime"
)

// seeds adds the files of the golden tests whose names begin with prefix.
func seeds(f *testing.F, prefix string) {
	files, _ := filepath.Glob(filepath.Join("..", "..", "testdata", "bounces", "formats", prefix+"*"))
	for _, name := range files {
		if strings.HasSuffix(name, ".golden") {
			continue
		}
		if b, err := os.ReadFile(name); err == nil {
			f.Add(b)
		}
	}
}

// readsSoundly reads data and checks what must hold for any input: every record
// is accounted for, every event names an address, and texts are UTF-8.
func readsSoundly(t *testing.T, data []byte) {
	if len(data) > 8<<10 { // what is longer says no more and takes long
		return
	}
	for round, events := 0, int64(0); round < 2; round++ {
		var n int64
		a, err := Read(t.Context(), bytes.NewReader(data), "fuzz", Options{Now: testNow}, func(e *bounceimport.Event) error {
			n++
			if strings.IndexByte(e.Recipient, '@') < 0 {
				t.Errorf("event for %q", e.Recipient)
			}
			if !utf8.ValidString(e.Recipient) || !utf8.ValidString(e.Reply) {
				t.Errorf("not UTF-8: %q %q", e.Recipient, e.Reply)
			}
			if e.Category == "" || e.Action == "" {
				t.Errorf("no class for %q", e.Reply)
			}
			return nil
		})
		if sum := a.Used + a.Ignored + a.Unmapped + a.Malformed; sum != a.Read {
			t.Errorf("%d read, %d accounted for", a.Read, sum)
		}
		if err != nil && strings.Contains(err.Error(), ownFault) {
			t.Error(err)
		}
		if n != a.Events || round > 0 && n != events {
			t.Errorf("%d events, account says %d, first reading gave %d", n, a.Events, events)
		}
		events = n
	}
}

func FuzzRead(f *testing.F) {
	seeds(f, "")
	f.Fuzz(func(t *testing.T, data []byte) { readsSoundly(t, data) })
}

func FuzzMail(f *testing.F) {
	seeds(f, "mail_")
	f.Fuzz(func(t *testing.T, data []byte) {
		readsSoundly(t, append([]byte("From: MAILER-DAEMON@example.com\nSubject: failure notice\n"), data...))
	})
}

func FuzzLog(f *testing.F) {
	for _, p := range []string{"postfix", "exim", "sendmail", "opensmtpd", "qmail"} {
		seeds(f, p)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		readsSoundly(t, append([]byte("Mar  5 08:00:01 mx postfix/smtp[1]: started\n"), data...))
	})
}

func FuzzCSV(f *testing.F) {
	for _, p := range []string{"sendgrid_b", "mailgun", "generic_german", "powermta", "hubspot", "mailchimp", "flags"} {
		seeds(f, p)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		readsSoundly(t, append([]byte("email,reason,status,type,created\n"), data...))
	})
}

// FuzzJSON compares the flat reader with encoding/json: it takes every object
// that encoding/json takes, and finds the same strings in it.
func FuzzJSON(f *testing.F) {
	for _, p := range []string{"ses_events", "sendgrid_events", "mailtrap", "unisender", "mailersend", "postmark", "kumomta", "generic_nested"} {
		seeds(f, p)
	}
	f.Add([]byte(`{"a":"\ud83d\ude00\n\"","b":[1,{"c":null}],"A":"x"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		readsSoundly(t, data)
		var want map[string]any
		if len(data) > 1<<16 || json.Unmarshal(data, &want) != nil {
			return
		}
		var r jsonRecord
		if err := r.parse(string(data)); err != nil {
			if bytes.Count(data, []byte("["))+bytes.Count(data, []byte("{")) <= maxJSONDepth {
				t.Fatalf("%v: %q", err, data)
			}
			return
		}
		folded := map[string]int{}
		for k := range want {
			folded[strings.ToLower(k)]++
		}
		for k, v := range want {
			s, ok := v.(string)
			if !ok || s == "" || !isPlainName(k) || folded[strings.ToLower(k)] > 1 || bytes.Count(data, []byte(`"`+k+`"`)) > 1 {
				continue
			}
			if got := r.get(strings.ToLower(k)); got != s && utf8.Valid(data) && !strings.ContainsAny(s, "\b\f\uFFFD") {
				t.Errorf("%q: got %q, want %q", k, got, s)
			}
		}
	})
}

func isPlainName(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c != '_' && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return s != ""
}

func FuzzParseTime(f *testing.F) {
	for _, s := range []string{"1699000000.5", "2024-05-01 10:00:00+0000", "Fri, 21 Oct 2011 11:02:55 +0900 (JST)", "22.11.2024 10:00", "11/22/2024 3:24:01 AM", "Oct 21 11:02:55", "21-Oct-2011 11:02"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v := anytime.Parse(s, time.UTC)
		if !v.IsZero() && v.Location() != time.UTC {
			t.Errorf("%q: in %v", s, v.Location())
		}
		if again := anytime.Parse(v.Format(time.RFC3339Nano), time.UTC); !v.IsZero() && v.Year() > 1973 && v.Year() < 10000 && !again.Equal(v) {
			t.Errorf("%q: %v, and %v again", s, v, again)
		}
	})
}
