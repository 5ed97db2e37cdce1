package reply

import (
	"bufio"
	"os"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/winnow-email/winnow/bounceimport"
)

// table reads a table of replies: a header, then reply, category, and more.
func replyTable(tb testing.TB, path string) [][2]string {
	tb.Helper()
	f, err := os.Open(path)
	if os.IsNotExist(err) {
		tb.Skipf("skipped: no %s", path)
	}
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	var rows [][2]string
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for n := 0; sc.Scan(); n++ {
		if c := strings.Split(sc.Text(), "\t"); n > 0 && len(c) >= 2 {
			rows = append(rows, [2]string{c[0], c[1]})
		}
	}
	if err := sc.Err(); err != nil || len(rows) == 0 {
		tb.Fatalf("%s: %d rows, %v", path, len(rows), err)
	}
	return rows
}

func TestVectors(t *testing.T) {
	var c Classifier
	for _, r := range replyTable(t, "../../testdata/bounces/vectors.tsv") {
		if _, ok := bounceimport.LookupCategory(r[1]); !ok {
			t.Errorf("%q: no category %q", r[0], r[1])
		}
		if e := c.Classify(Evidence{Reply: r[0]}); e.Category != r[1] {
			t.Errorf("%q: got %s (rule %s, %q), want %s", r[0], e.Category, e.Rule, e.Matched, r[1])
		}
	}
}

// The figures that the project promises for the labelled development replies.
func TestDevelopmentReplies(t *testing.T) {
	var c Classifier
	for _, prefix := range []string{"", "554"} {
		suppress, found, sender, wrong := 0, 0, 0, 0
		for _, r := range replyTable(t, "../../../shared/data/bounces/replies_dev.tsv") {
			if !strings.HasPrefix(r[0], prefix) {
				continue
			}
			want, ok := bounceimport.LookupCategory(r[1])
			if !ok {
				t.Fatalf("no category %q", r[1])
			}
			got := c.Classify(Evidence{Reply: r[0]})
			switch {
			case want.Action == bounceimport.SuppressNow && (got.Code/100 == 4 || strings.HasPrefix(got.Status, "4")):
				if got.Action == bounceimport.SuppressNow {
					t.Errorf("%q will pass, and was suppressed", r[0])
				}
			case want.Action == bounceimport.SuppressNow:
				suppress++
				if got.Action == bounceimport.SuppressNow {
					found++
				} else {
					t.Logf("missed: %q is %s, got %s %s", r[0], r[1], got.Category, got.Action)
				}
			case want.Side == bounceimport.Sender:
				sender++
				if got.Action == bounceimport.SuppressNow {
					wrong++
					t.Logf("wrongly suppressed: %q is %s, got %s", r[0], r[1], got.Category)
				}
			}
		}
		allowed := 0.003
		if prefix != "" {
			allowed = 0.01
		}
		if float64(found) < 0.97*float64(suppress) || float64(wrong) > allowed*float64(sender) {
			t.Errorf("replies %s...: %d of %d found, %d of %d wrongly suppressed", prefix, found, suppress, wrong, sender)
		}
	}
}

// A line of codes.txt for a provider that rules.txt does not know would count for all.
func TestCodeProviders(t *testing.T) {
	names := map[string]bool{"": true}
	for _, p := range builtin().providers {
		names[p.name] = true
	}
	for _, c := range builtin().codes {
		if !names[c.provider] {
			t.Errorf("codes.txt:%d: no provider %q", c.line, c.provider)
		}
	}
}

// Every rule decides its own test replies.
func TestRuleTests(t *testing.T) {
	var c Classifier
	for _, r := range builtin().rules {
		for _, f := range r.tests {
			if e := c.Classify(Evidence{Reply: f.Value}); e.Rule != r.id {
				t.Errorf("rules.txt:%d: decided by %s, not by %s", f.Line, e.Rule, r.id)
			}
		}
	}
}

func TestMasking(t *testing.T) {
	var c Classifier
	for _, tc := range [][2]string{
		{"550 <full@spam.example>: Recipient address rejected: User unknown", "user_unknown"},
		{"550 spam@virus.example... No such user", "user_unknown"},
		{"550 5.1.1 <over.quota@blocked.example>: no such user, see http://help.example/spam/blacklist/virus?spf=dkim", "user_unknown"},
		{"550 5.1.1 mx.spam.example: no such user", "user_unknown"},
		{"550 5.1.1 no such user (host rbl.mailbox-full.example.org)", "user_unknown"},
		{"554 5.7.1 Relay access denied for user-unknown@no-such-user.example", "relay_denied"},
	} {
		if e := c.Classify(Evidence{Reply: tc[0]}); e.Category != tc[1] {
			t.Errorf("%q: got %s (%s, %q), want %s", tc[0], e.Category, e.Rule, e.Matched, tc[1])
		}
	}
}

// The same reply gives the same class in every run and in every classifier.
func TestDeterministic(t *testing.T) {
	rows := replyTable(t, "../../testdata/bounces/vectors.tsv")
	var want []bounceimport.Class
	for run := range 20 {
		c := &Classifier{set: builtinSet()}
		if run%5 == 0 {
			r, err := ParseRules("rules.txt", rulesText)
			if err != nil {
				t.Fatal(err)
			}
			if r.codes, err = parseCodes("codes.txt", codesText); err != nil {
				t.Fatal(err)
			}
			c.set = compile(r)
		}
		c.once.Do(func() {})
		for i, r := range rows {
			e := c.Classify(Evidence{Reply: r[0]})
			if run == 0 {
				want = append(want, e.Class)
			} else if !reflect.DeepEqual(e.Class, want[i]) {
				t.Fatalf("run %d: %q: got %+v, want %+v", run, r[0], e.Class, want[i])
			}
		}
	}
}

// What a source knows beside the reply.
func TestHints(t *testing.T) {
	var c Classifier
	for name, tc := range map[string]struct {
		e        Evidence
		category string
		action   bounceimport.Action
	}{
		"codes in columns":         {Evidence{Code: 550, Status: "5.1.1"}, "user_unknown", bounceimport.SuppressNow},
		"code and words":           {Evidence{Code: 554, Reply: "mailbox unavailable"}, "user_unknown", bounceimport.SuppressNow},
		"nothing at all":           {Evidence{}, "unknown", bounceimport.Count},
		"only the source's hint":   {Evidence{Hint: "esp_suppressed"}, "esp_suppressed", bounceimport.SuppressNow},
		"words beat the hint":      {Evidence{Hint: "user_unknown", Reply: "550 5.7.1 blocked using zen.spamhaus.org"}, "ip_reputation", bounceimport.Report},
		"a complaint is final":     {Evidence{Hint: "complaint", Reply: "550 user unknown"}, "complaint", bounceimport.SuppressNow},
		"delayed is final":         {Evidence{Hint: "delayed", Reply: "450 4.1.1 user unknown"}, "delayed", bounceimport.Ignore},
		"before RCPT":              {Evidence{Phase: "mail", Reply: "550 5.1.1 user unknown"}, "sender_rejected", bounceimport.Report},
		"provider by remote":       {Evidence{Remote: "gmail-smtp-in.l.google.com", Reply: "550 5.7.27"}, "auth_failure", bounceimport.Report},
		"no provider":              {Evidence{Reply: "550 5.7.27"}, "sender_rejected", bounceimport.Report},
		"filter of a mobile phone": {Evidence{Recipient: "x@docomo.ne.jp", Phase: "data", Reply: "550 Unknown user"}, "recipient_blocked_sender", bounceimport.SuppressNow},
	} {
		e := c.Classify(tc.e)
		if e.Category != tc.category || e.Action != tc.action {
			t.Errorf("%s: got %s %s (rule %s), want %s %s", name, e.Category, e.Action, e.Rule, tc.category, tc.action)
		}
	}
}

// The least that the classifier must say of 554 (the articles this project began with).
func TestClassify554(t *testing.T) {
	var c Classifier
	for _, tc := range []struct {
		reply, category string
		action          bounceimport.Action
	}{
		{"554 5.7.1 security violation", "policy_block", bounceimport.Report},
		{"554 5.7.1 client host blocked", "ip_reputation", bounceimport.Report},
		{"554 message rejected for policy reasons", "policy_block", bounceimport.Report},
		{"554 relay access denied", "relay_denied", bounceimport.Report},
		{"554 6.6.0", "unknown", bounceimport.Count},
		{"554 transaction failed", "policy_block", bounceimport.Report},
		{"554 mailbox unavailable", "user_unknown", bounceimport.SuppressNow},
		{"554 mailbox disabled", "mailbox_disabled", bounceimport.SuppressNow},
	} {
		if e := c.Classify(Evidence{Reply: tc.reply}); e.Category != tc.category || e.Action != tc.action {
			t.Errorf("%q: got %s %s (rule %s), want %s %s", tc.reply, e.Category, e.Action, e.Rule, tc.category, tc.action)
		}
	}
}

func TestCodes(t *testing.T) {
	for _, tc := range []struct {
		reply, status, phase string
		code                 int
	}{
		{"550 5.1.1 no", "5.1.1", "", 550},
		{"550-5.1.1 no\r\n550 5.1.1 no", "5.1.1", "", 550},
		{"smtp; 550 5.7.1 no", "5.7.1", "", 550},
		{"host a.example[192.0.2.1] said: 554 5.7.1 no (in reply to end of DATA command)", "5.7.1", "data", 554},
		{"5.1.0 - Unknown address error 550-'5.1.1 no such user'", "5.1.1", "", 550},
		{"554 5.4.7 (last transfail: 452-4.2.2 full)", "4.2.2", "", 452},
		{"554 4.4.7 expired <421 4.4.2 Connection timed out>", "4.4.2", "", 421},
		{"503 5.5.2 Need rcpt command 550 5.7.606 Access denied", "5.7.606", "", 550},
		{"550 5.1.1 unknown 503 RCPT first", "5.1.1", "", 550},
		{"Sorry, no mailbox here by that name. (#5.1.1)", "5.1.1", "", 0},
		{"I sent 500 messages to room 550 of 192.0.2.1", "", "", 0},
		{"554 6.6.0", "", "", 554},
		{"#5.1.0 smtp; 550 no", "5.1.0", "", 550},
	} {
		var c Classifier
		if e := c.Classify(Evidence{Reply: tc.reply}); e.Code != tc.code || e.Status != tc.status || e.Phase != tc.phase {
			t.Errorf("%q: got %d %q %q, want %d %q %q", tc.reply, e.Code, e.Status, e.Phase, tc.code, tc.status, tc.phase)
		}
	}
}

func TestMatchedIsReadable(t *testing.T) {
	var c Classifier
	for _, tc := range [][2]string{
		{"550 邮箱不存在", "邮箱不存在"},
		{"550 Пользователь не найден", "пользователь не найден"},
		{"550 Empfänger unbekannt", "empfanger unbekannt"},
		{"554 5.7.1 Client host [192.0.2.1] blocked using x", "client host % blocked"},
		{"550 blocked, see https://www.spamhaus.org/query", "spamhaus.org"},
	} {
		if e := c.Classify(Evidence{Reply: tc[0]}); strings.Join(e.Matched, ", ") != tc[1] {
			t.Errorf("%q: matched %q, want %q", tc[0], e.Matched, tc[1])
		}
	}
}

func TestParseRulesErrors(t *testing.T) {
	for _, tc := range [][2]string{
		{"id: a\ncategory: nonsense\nmatch: x\n", `r.txt:2: unknown category "nonsense"`},
		{"id: a\ncategory: user-unknown\nmatch: x\n", "did you mean user_unknown?"},
		{"id: a\nmatch: x\n", "r.txt:1: rule a has no category"},
		{"id: a\ncategory: virus\n", "r.txt:1: rule a has no match line"},
		{"\n\nhello\n", `r.txt:3: want "key: value", got "hello"`},
		{"id: a\ncategory: virus\nmatch: (a|b\n", "r.txt:3: ( without )"},
		{"id: a\ncategory: virus\nmatch: !x\n", "r.txt:3: match needs something that must be there"},
		{"id: a\ncategory: virus\nmatch: a* b\n", "r.txt:3: "},
		{"id: a\ncategory: virus\nmatch: x\nwhen: color=red\n", `r.txt:4: when: unknown condition "color"`},
		{"id: a\ncategory: virus\nmatch: x\nweight: heavy\n", "r.txt:4: weight is a number"},
		{"id: a\ncategory: virus\nmatch: x\n\nid: a\ncategory: virus\nmatch: y\n", `r.txt:5: id "a" is already used in line 1`},
		{"id: a\ncategory: virus\nmatch: x\nmeening: y\n", `r.txt:4: unknown field "meening"`},
		{"  id: a\n", "r.txt:1: an indented line"},
		{"id: a\ncategory: virus\nmatch: предварительноепредупреждение*\n", "the word before * is longer than"},
		{"id: a\ncategory: user_unknown\nweight: 0\nmatch: x\n", "r.txt:1: rule a: weight 0 counts against a lead"},
		{"id: a\ncategory: virus\nmatch: host:any\n", "host: needs one domain"},
		{"id: a\ncategory: virus\nmatch: 5.7.1 x\n", "r.txt:3: \"5.7.1 x\": reply codes are not among the words"},
	} {
		_, err := ParseRules("r.txt", tc[0])
		if err == nil || !strings.Contains(err.Error(), tc[1]) {
			t.Errorf("%q: got %v, want %s", tc[0], err, tc[1])
		}
	}
}

func TestUserRules(t *testing.T) {
	r, err := ParseRules("mine.txt", "id: mine\ncategory: recipient_restricted\nmatch: user unknown .. blue moon\nmeaning: Our partner says so.\n")
	if err != nil {
		t.Fatal(err)
	}
	c := &Classifier{User: r}
	if e := c.Classify(Evidence{Reply: "550 5.1.1 User unknown in a blue moon"}); e.Rule != "mine" || e.Action != bounceimport.Count || e.Meaning != "Our partner says so." {
		t.Errorf("got %+v", e.Class)
	}
	if e := c.Classify(Evidence{Reply: "550 5.1.1 User unknown"}); e.Category != "user_unknown" {
		t.Errorf("got %+v", e.Class)
	}
	// A user's rule also says what a temporary reply is worth, and what speaks against a lead.
	r, err = ParseRules("mine.txt", "id: gone\ncategory: user_unknown\nmatch: over the hills\n\nid: blimp\ncategory: policy_block\nweight: 0\nmatch: blimp\n")
	if err != nil {
		t.Fatal(err)
	}
	c = &Classifier{User: r}
	if e := c.Classify(Evidence{Reply: "450 4.2.1 gone over the hills"}); e.Rule != "gone" || e.Action != bounceimport.SuppressNow {
		t.Errorf("got %+v", e.Class)
	}
	if e := c.Classify(Evidence{Reply: "550 5.1.1 blimp"}); e.Rule != "blimp" || e.Action != bounceimport.Report {
		t.Errorf("got %+v", e.Class)
	}
	if e := c.Classify(Evidence{Reply: "550 5.7.8 blimp"}); e.Rule == "blimp" {
		t.Errorf("got %+v", e.Class)
	}
	if k := CheckRules(r, nil); len(k.Failed)+len(k.Shadowed) > 0 {
		t.Errorf("%+v", k)
	}
}

func TestTemplate(t *testing.T) {
	for _, tc := range [][2]string{
		{"550 5.1.1 <jane@example.com>: Recipient address rejected", "550 5.1.1 <<email>>: Recipient address rejected"},
		{"421 Service refused [192.0.2.1] mx1.example.org 4f2a99b1c3d0", "421 Service refused [<ip>] <host> <id>"},
		{"550 jane@example.com...User unknown\r\n", "550 <email>...User unknown"},
		{"see https://example.org/x?y=1 (id 12345)", "see https://example.org/<path> (id <n>)"},
		{"421 4.7.0 [TSS04] Messages from 2001:db8::1 deferred - 4.16.55.1", "421 4.7.0 [TSS04] Messages from <ip> deferred - <ip>"},
		{"id 123e4567-e89b-12d3-a456-426614174000", "id <uuid>"},
	} {
		if got := Template(tc[0]); got != tc[1] {
			t.Errorf("Template(%q) = %q, want %q", tc[0], got, tc[1])
		}
	}
}

func FuzzClassify(f *testing.F) {
	for _, r := range replyTable(f, "../../testdata/bounces/vectors.tsv")[:60] {
		f.Add(r[0])
	}
	f.Add("550-\xff\xfe 5.1.1 \x00 <a@b> \u3042")
	f.Fuzz(func(t *testing.T, reply string) {
		var c Classifier
		e := c.Classify(Evidence{Reply: reply})
		k, ok := bounceimport.LookupCategory(e.Category)
		if !ok {
			t.Fatalf("no category %q", e.Category)
		}
		if k.Side == bounceimport.Sender && e.Action != bounceimport.Report || e.Action == bounceimport.SuppressNow && e.Confidence == "low" {
			t.Fatalf("%q: %+v", reply, e.Class)
		}
		if again := c.Classify(Evidence{Reply: reply}); !reflect.DeepEqual(e, again) {
			t.Fatalf("%q: %+v, then %+v", reply, e, again)
		}
		Template(reply)
	})
}

func FuzzParseRules(f *testing.F) {
	f.Add("id: a\ncategory: virus\nmatch: (a|b|) c .. d* & !e\nwhen: code=5xx status=5.7.*\n test\n\nprovider: p\nhosts: a.b\n")
	f.Add(rulesText[len(rulesText)-3000:])
	f.Fuzz(func(t *testing.T, src string) {
		if len(src) > 1<<14 {
			return
		}
		r, err := ParseRules("f", src)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f:") {
				t.Fatalf("error without a place: %v", err)
			}
			return
		}
		c := &Classifier{set: compile(r)}
		c.once.Do(func() {})
		c.Classify(Evidence{Reply: "550 5.1.1 a c d e"})
	})
}

// replies/cpu-s is the figure of speed.md: classifications per second of one
// core, of replies that come again as they do in a bounce feed.
func BenchmarkClassify(b *testing.B) {
	rows := replyTable(b, "../../testdata/bounces/vectors.tsv")
	var c Classifier
	c.Classify(Evidence{})
	b.ReportAllocs()
	b.ResetTimer()
	start := cpuTime()
	for i := range b.N {
		c.Classify(Evidence{Reply: rows[i%len(rows)][0]})
	}
	b.ReportMetric(float64(b.N)/(cpuTime()-start).Seconds(), "replies/cpu-s")
}

// cpuTime is the processor time of the process so far: neighbours do not count.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkClassifyNew is the same when no reply was seen before.
func BenchmarkClassifyNew(b *testing.B) {
	rows := replyTable(b, "../../testdata/bounces/vectors.tsv")
	set := builtinSet()
	t := set.scratch()
	b.ReportAllocs()
	b.ResetTimer()
	start := cpuTime()
	for i := range b.N {
		e := Evidence{Reply: rows[i%len(rows)][0]}
		t.normalise(e.Reply)
		t.outer = set.outerProvider(&t.reading, &e)
		set.classify(&t.reading, &e)
	}
	b.ReportMetric(float64(b.N)/(cpuTime()-start).Seconds(), "replies/cpu-s")
}

// BenchmarkCompile is what the first classification costs.
func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		r, err := ParseRules("rules.txt", rulesText)
		if err != nil {
			b.Fatal(err)
		}
		s := compile(r)
		b.ReportMetric(float64(len(s.phrases.nodes)), "nodes")
		b.ReportMetric(float64(len(s.phrases.ids)), "words")
	}
}
