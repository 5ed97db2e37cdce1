package esp

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/winnow-email/winnow/internal/api"
	"github.com/winnow-email/winnow/internal/shown"
)

// FuzzJournal reads a journal of any bytes: what it takes up is whole lines, and a
// step that was not written whole never counts as done.
func FuzzJournal(f *testing.F) {
	f.Add([]byte(`{"t":"plan","set":"s","report":{},"b":0}` + "\n" + `{"t":"begin","b":1,"hash":"h"}` + "\n" + `{"t":"done","b":1,"n":3}` + "\n"))
	f.Add([]byte(`{"t":"plan","set":"s","report":{}}` + "\n" + `{"t":"job","b":9,"jobs":[{"id":"x","from":-1,"to":99}]}` + "\n" + `{"t":"do`))
	f.Add([]byte("\x00\n{}\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		j := journal{set: "s"}
		good := j.read(b)
		if good > len(b) || good > 0 && b[good-1] != '\n' {
			t.Fatalf("%d bytes of %d are good", good, len(b))
		}
		again := journal{set: "s"}
		if again.read(b[:good]) != good || again.resumed != j.resumed || len(again.state) != len(j.state) {
			t.Fatal("the torn end changes what was done")
		}
		for n, st := range j.state {
			if (again.state[n].done != nil) != (st.done != nil) {
				t.Fatalf("batch %d is done with the torn end only", n)
			}
		}
	})
}

// FuzzAnswer gives any answer to the judges and readers of single providers: a
// verdict is one of the five, only 2xx is fine, and nothing is confirmed that was
// not sent.
func FuzzAnswer(f *testing.F) {
	f.Add(403, "<html>", "")
	f.Add(400, `{"__type":"ThrottlingException"}`, "x")
	f.Add(420, `{"links":[{"rel":"next","href":"/x"}]}`, "ThrottlingException")
	f.Add(200, `{"message":"3 addresses have been added to the bounces table"}`, "")
	f.Add(200, `{"message":"99999999999999999999 addresses have been added to the bounces table"}`, "")
	batch := make([]item, 5)
	f.Fuzz(func(t *testing.T, status int, body, kind string) {
		h := http.Header{"X-Amzn-Errortype": {kind}, "X-Amz-Bucket-Region": {kind}}
		for _, judge := range []api.Judge{sesJudge, s3Judge, mailchimpJudge, sparkpostJudge} {
			if got := judge(status, h, []byte(body), time.Unix(1_700_000_000, 0)); got.Verdict > api.Stopped || (got.Verdict == api.Fine) != (status >= 200 && status < 300) {
				t.Fatalf("status %d: %+v", status, got)
			}
		}
		sparkpostNext([]byte(body))
		if out := mailgunDone(batch, []byte(body)); out.unknown < 0 || out.unknown > len(batch) || out.unknown == 0 && !strings.Contains(body, "been added to the ") && !strings.Contains(body, `\u`) {
			t.Fatalf("%+v", out)
		}
	})
}

// FuzzFiles writes entries with any text in every form: each file can be read
// again, and the address stands in it as it was.
func FuzzFiles(f *testing.F) {
	f.Add("ann@example.com", "550 5.1.1 no", "bounces.csv:7")
	f.Add("=x+y@example.org", "=cmd|' /C calc'!A0\r\n\"", "a,b\n")
	f.Add("\"a,\\\"b\"@example.org", "\u202e\x00\xff", "＝1")
	f.Add("ann@example.com", "said;=1+1;\"=2\";\"\"@x,+1", "list;-1.csv")
	f.Fuzz(func(t *testing.T, address, text, source string) {
		e := &Entry{Address: address, Reason: HardBounce, Word: text, Status: source, Text: text, Source: source}
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
				noFormulas(t, tg, rows)
			}
		}
	})
}

// noFormulas: no text beside an address begins a formula, also in a spreadsheet
// that divides cells at semicolons.
func noFormulas(t *testing.T, tg *Target, rows [][]string) {
	for _, row := range rows {
		for _, cell := range row[1:] {
			for part := range strings.SplitSeq(cell, ";") {
				if shown.Formula(strings.TrimLeft(part, `"`)) {
					t.Fatalf("%s: a formula in %q", tg.Name, cell)
				}
			}
		}
	}
}
