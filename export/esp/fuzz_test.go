package esp

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzJournal opens a journal of any bytes: it is read or begun anew, and a
// step that was not written whole never counts as done.
func FuzzJournal(f *testing.F) {
	f.Add([]byte(`{"t":"plan","set":"s","report":{},"b":0}` + "\n" + `{"t":"begin","b":1,"hash":"h"}` + "\n" + `{"t":"done","b":1,"n":3}` + "\n"))
	f.Add([]byte(`{"t":"plan","set":"s","report":{}}` + "\n" + `{"t":"job","b":9,"jobs":[{"id":"x","from":-1,"to":99}]}` + "\n" + `{"t":"do`))
	f.Add([]byte("\x00\n{}\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		os.WriteFile(filepath.Join(dir, journalName), b, 0o600)
		os.WriteFile(filepath.Join(dir, planName), nil, 0o600)
		j, err := openJournal(dir, "s")
		if err != nil {
			t.Fatal(err)
		}
		defer j.close()
		if !j.resumed {
			return
		}
		if err := j.write(record{T: "begin", B: 7, Hash: "h"}); err != nil {
			t.Fatal(err)
		}
		got, _ := os.ReadFile(filepath.Join(dir, journalName))
		if !strings.HasSuffix(string(got), "\n") {
			t.Fatal("the journal does not end in a whole line")
		}
		for line := range strings.Lines(string(got)) {
			var r record
			if json.Unmarshal([]byte(line), &r) != nil {
				t.Fatalf("a torn line stayed: %q", line)
			}
		}
	})
}

// FuzzAnswer gives any answer to every judge: the verdict is one of the five,
// and what is said of it shows no address.
func FuzzAnswer(f *testing.F) {
	f.Add(400, `{"errors":[{"message":"bad jane.doe@example.com"}]}`, "7", "1700000000")
	f.Add(429, ``, "Wed, 21 Oct 2026 07:28:00 GMT", "99999999999999")
	f.Add(429, "", "", "9223372036854775807")
	f.Add(403, `<html>jane.doe@example.com`, "-1", "x")
	f.Fuzz(func(t *testing.T, status int, body, retry, reset string) {
		h := http.Header{"Retry-After": {retry}, "X-Ratelimit-Reset": {reset}, "X-Sib-Ratelimit-Reset": {reset}, "X-Amzn-Errortype": {reset}}
		for _, j := range []judge{common, resetSeconds("x-sib-ratelimit-reset"), resetEpoch("X-RateLimit-Reset"), sesJudge, s3Judge, mailchimpJudge} {
			got := j(status, h, []byte(body), time.Unix(1_700_000_000, 0))
			if got.verdict > stopped || got.after < 0 {
				t.Fatalf("%+v", got)
			}
			if strings.Contains(got.why, "jane.doe@") || len(got.why) > 400 || !utf8.ValidString(got.why) {
				t.Fatalf("%q", got.why)
			}
			if status >= 200 && status < 300 != (got.verdict == fine) {
				t.Fatalf("status %d is %d", status, got.verdict)
			}
		}
		sparkpostNext([]byte(body))
		if p := pathOf(body); p != "" && !strings.HasPrefix(p, "/") && strings.Contains(p, "://") {
			t.Fatalf("a link to another host stayed: %q", p)
		}
	})
}

// FuzzFiles writes entries with any text in every form: each file can be read
// again, and the address stands in it as it was.
func FuzzFiles(f *testing.F) {
	f.Add("ann@example.com", "550 5.1.1 no", "bounces.csv:7")
	f.Add("=x+y@example.org", "=cmd|' /C calc'!A0\r\n\"", "a,b\n")
	f.Add("\"a,\\\"b\"@example.org", "\u202e\x00\xff", "＝1")
	f.Fuzz(func(t *testing.T, address, text, source string) {
		e := &Entry{Address: address, Reason: HardBounce, Word: "bounce_user_unknown", Text: text, Source: source}
		for _, tg := range Targets() {
			if !tg.anyAddress && !plain(address) || tg.hash != "" {
				continue
			}
			for _, file := range tg.files {
				word, ok := tg.Words[e.Reason]
				if !ok {
					continue
				}
				enc := file.enc()
				head, err := enc.header()
				if err != nil {
					t.Fatal(err)
				}
				all := string(head)
				line, err := enc.lines(e, word)
				if err != nil {
					t.Fatal(err)
				}
				all += string(line)
				if file.ext == "jsonl" {
					var v jsonRow
					if err := json.Unmarshal(line, &v); err != nil || utf8.ValidString(address) && v.Address != address {
						t.Fatalf("%v: %q became %q", err, address, v.Address)
					}
					continue
				}
				rows, err := csv.NewReader(strings.NewReader(all)).ReadAll()
				if err != nil {
					t.Fatalf("%s: %v in %q", tg.Name, err, all)
				}
				// encoding/csv reads \r\n inside a cell as \n (RFC 4180 says nothing of it).
				if last := rows[len(rows)-1]; strings.ReplaceAll(last[0], "\r\n", "\n") != strings.ReplaceAll(address, "\r\n", "\n") {
					t.Fatalf("%s: %q became %q", tg.Name, address, last[0])
				}
			}
		}
	})
}
