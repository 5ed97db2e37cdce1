package reader

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/winnow-email/winnow/internal/anytime"
)

// looksLikeLog tells a mail server's log by the stamps of its first lines.
func looksLikeLog(head []byte) bool {
	lines, stamped := 0, 0
	for lines < 10 && len(head) > 0 {
		var line []byte
		line, head = cutLine(head)
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		lines++
		if _, rest, ok := logStamp(string(line[:min(len(line), 200)]), time.Unix(0, 0), time.UTC); ok && !strings.HasPrefix(rest, ",") && !strings.HasPrefix(rest, ";") {
			stamped++
		}
	}
	return stamped > 0 && stamped*2 > lines
}

// logStamp reads the time at the start of a log line and returns the rest: the
// BSD form without a year (RFC 3164), RFC 3339 (RFC 5424), Exim's, and TAI64N.
func logStamp(s string, now time.Time, loc *time.Location) (t time.Time, rest string, ok bool) {
	if len(s) > 3 && s[0] == '<' && isDigit(s[1]) { // syslog priority, and the version of RFC 5424
		if i := strings.IndexByte(s[:min(len(s), 6)], '>'); i > 0 {
			if s = s[i+1:]; strings.HasPrefix(s, "1 ") {
				s = s[2:]
			}
		}
	}
	switch {
	case len(s) > 15 && s[3] == ' ' && s[6] == ' ' && s[9] == ':' && s[12] == ':' && anytime.Month(s) > 0:
		d, ok1 := anytime.Digits(strings.TrimSpace(s[4:6]))
		h, mi, se, _, rest, ok2 := anytime.Clock(s[7:])
		if !ok1 || !ok2 {
			return t, s, false
		}
		// No year: the last time that this date was not in the future.
		y := now.Year()
		t = time.Date(y, time.Month(anytime.Month(s)), d, h, mi, se, 0, loc).UTC()
		if t.After(now.Add(48 * time.Hour)) {
			t = time.Date(y-1, time.Month(anytime.Month(s)), d, h, mi, se, 0, loc).UTC()
		}
		return t, strings.TrimLeft(rest, " "), true
	case len(s) > 19 && s[4] == '-' && s[7] == '-' && s[13] == ':' && (s[10] == 'T' || s[10] == ' '):
		end := 19
		for end < len(s) && (isDigit(s[end]) || s[end] == '.') {
			end++
		}
		if end < len(s) && s[end] == 'Z' {
			end++
		} else if end+5 < len(s) && (s[end] == '+' || s[end] == '-') {
			end += 5
			if s[end-2] == ':' {
				end++
			}
		} else if end+6 <= len(s) && s[end] == ' ' && (s[end+1] == '+' || s[end+1] == '-') && isDigit(s[end+2]) && isDigit(s[end+5]) {
			end += 6 // Exim with log_timezone
		}
		if t, ok = anytime.ISO(s[:min(end, len(s))], loc); !ok || end >= len(s) || s[end] != ' ' {
			return t, s, false
		}
		return t, strings.TrimLeft(s[end:], " "), true
	case len(s) > 26 && strings.HasPrefix(s, "@4000"): // TAI64N (cr.yp.to/libtai)
		sec, err := strconv.ParseInt(s[2:17], 16, 64)
		if err != nil || s[25] != ' ' {
			return t, s, false
		}
		return time.Unix(sec-10, 0).UTC(), s[26:], true
	}
	return t, s, false
}

// logs reads a mail server's log line by line. What the lines of Postfix, Exim,
// sendmail, OpenSMTPD and qmail say of deliveries is used, all others are ignored.
func (d *reading) logs(r *bufio.Reader) error {
	d.format("mail_log")
	l := &logReader{d: d}
	var line int64
	for {
		b, err := r.ReadSlice('\n')
		for err == bufio.ErrBufferFull { // longer than 64 KiB: nothing we want
			line0 := append([]byte(nil), b[:4096]...)
			for err == bufio.ErrBufferFull {
				_, err = r.ReadSlice('\n')
			}
			b = line0
		}
		if err != nil && err != io.EOF {
			return fmt.Errorf("%s: %w", d.name, err)
		}
		if b = bytes.TrimRight(b, "\r\n"); len(b) > 0 {
			if e := l.line(b, line+1); e != nil {
				return e
			}
		}
		line++
		if err == io.EOF {
			return nil
		}
	}
}

type logReader struct {
	d         *reading
	deliverTo map[string]string // qmail: number of a running delivery -> recipient
}

// maxDeliveries bounds what is remembered of qmail's running deliveries; it
// never runs more than a few hundred at a time.
const maxDeliveries = 10_000

func (l *logReader) line(b []byte, n int64) error {
	d := l.d
	if err := d.record(); err != nil {
		return err
	}
	// Most lines are none of ours; find that out before anything is copied.
	kind := ""
	switch {
	case bytes.Contains(b, []byte("status=")) && bytes.Contains(b, []byte(" to=<")):
		kind = "postfix"
	case bytes.Contains(b, []byte(", stat=")) && bytes.Contains(b, []byte(" to=")):
		kind = "sendmail"
	case bytes.Contains(b, []byte(" result=\"")) && bytes.Contains(b, []byte(" to=<")):
		kind = "opensmtpd"
	case bytes.Contains(b, []byte(" delivery ")) || bytes.HasPrefix(b, []byte("delivery ")) || bytes.Contains(b, []byte("starting delivery ")):
		kind = "qmail"
	case bytes.Contains(b, []byte(" ** ")) || bytes.Contains(b, []byte(" == ")) || bytes.Contains(b, []byte(" => ")) || bytes.Contains(b, []byte(" -> ")) || bytes.Contains(b, []byte(" *> ")) || bytes.Contains(b, []byte(" >> ")):
		kind = "exim"
	}
	if kind == "" {
		d.ignored("log line about something else")
		return nil
	}
	s := utf8Text(string(b))
	t, rest, _ := logStamp(s, d.opt.Now, d.opt.Location)
	var evs []report
	var hint string
	why := "log line about something else"
	switch kind {
	case "postfix":
		evs, hint, why = postfixLine(rest)
	case "sendmail":
		evs, hint, why = sendmailLine(rest)
	case "opensmtpd":
		evs, hint, why = opensmtpdLine(rest)
	case "exim":
		evs, hint, why = eximLine(rest)
	case "qmail":
		evs, hint, why = l.qmailLine(rest)
	}
	if len(evs) == 0 {
		d.ignored(why)
		return nil
	}
	d.acct.Used++
	for i := range evs {
		r := &evs[i]
		e := d.event(kind + "_log")
		e.Recipient, e.Time, e.Reply, e.Status, e.Remote, e.Verdict, e.Hint, e.Phase = r.rcpt, t, r.reply, r.status, r.remote, r.action, hint, r.phase
		if err := d.emit(n); err != nil {
			return err
		}
		if err := d.forwarded(r.original); err != nil {
			return err
		}
	}
	return nil
}

// between returns what stands between two marks, and whether the first is there.
func between(s, from, to string) (string, bool) {
	i := strings.Index(s, from)
	if i < 0 {
		return "", false
	}
	s = s[i+len(from):]
	if j := strings.Index(s, to); j >= 0 {
		return s[:j], true
	}
	return s, true
}

// postfixLine reads "… to=<a@b>, relay=x[1.2.3.4]:25, …, dsn=5.1.1, status=bounced (text)".
func postfixLine(s string) ([]report, string, string) {
	at := strings.Index(s, " status=")
	if at < 0 {
		return nil, "", "log line about something else"
	}
	head, tail := s[:at], s[at+len(" status="):]
	status, text, _ := strings.Cut(tail, " ")
	status = strings.TrimRight(status, ",")
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "(") {
		text = strings.TrimSuffix(text[1:], ")")
	}
	to, _ := between(head, " to=<", ">")
	if to = cleanRecipient(to); !looksLikeAddress(to) {
		return nil, "", "a delivery without a recipient"
	}
	r := report{rcpt: to, action: status, reply: text}
	r.original, _ = between(head, "orig_to=<", ">")
	if v, ok := between(head, "relay=", ","); ok && v != "none" && v != "local" {
		r.remote = firstWord(v)
	}
	if v, ok := between(head, "dsn=", ","); ok {
		r.status = statusOnly(v)
	}
	r.phase = phaseInText(text)
	switch status {
	case "bounced", "undeliverable":
		return []report{r}, "unknown", ""
	case "expired":
		return []report{r}, "expired", ""
	case "deferred":
		return []report{r}, "delayed", ""
	case "sent", "deliverable":
		return []report{r}, "delivered", ""
	}
	return nil, "", "status " + status
}

// phaseInText finds the SMTP phase in the words of the server that gave up:
// Postfix's "(in reply to RCPT TO command)", Exim's "after RCPT TO:<…>", what
// DragonFly "did not like", qmail's sentences, Gmail's states.
func phaseInText(s string) string {
	for _, mark := range []string{"(in reply to ", " after ", "did not like our ", "remote server for ", "command\n"} {
		if i := strings.LastIndex(s, mark); i >= 0 {
			rest := s[i+len(mark):]
			rest = strings.TrimPrefix(strings.TrimPrefix(rest, "pipelined "), "final ")
			if p := phaseOfCommand(rest); p != "" {
				return p
			}
			switch {
			case strings.HasPrefix(rest, "end of "), strings.HasPrefix(rest, "TEXT "), strings.HasPrefix(rest, "sending "):
				return "data"
			case strings.HasPrefix(rest, "initial connection"):
				return "connect"
			}
		}
	}
	for _, w := range [...][2]string{
		{"greeting failed", "connect"}, {"my name was rejected", "ehlo"}, {"sender was rejected", "mail"}, {"does not like recipient", "rcpt"}, {"RCPT TO response", "rcpt"},
		{"failed on DATA", "data"}, {"failed after I sent", "data"}, {"SENT_EHLO", "ehlo"}, {"SENT_SECOND_EHLO", "ehlo"}, {"SENT_HELO", "ehlo"}, {"SENT_MAIL_FROM", "mail"}, {"SENT_RCPT_TO", "rcpt"}, {"SENT_DATA", "data"}, {"SENT_MESSAGE", "data"}} {
		if strings.Contains(s, w[0]) {
			return w[1]
		}
	}
	return ""
}

// sendmailLine reads "… to=<a@b>,<c@d>, …, relay=x. [1.2.3.4], dsn=5.1.1, reply=550 …, stat=User unknown".
func sendmailLine(s string) ([]report, string, string) {
	at := strings.LastIndex(s, ", stat=")
	if at < 0 {
		return nil, "", "log line about something else"
	}
	head, stat := s[:at], s[at+len(", stat="):]
	reply := ""
	if i := strings.Index(head, ", reply="); i >= 0 {
		head, reply = head[:i], head[i+len(", reply="):]
	}
	dsn, _ := between(head, ", dsn=", ",")
	relay, _ := between(head, ", relay=", ",")
	list, ok := between(head, " to=", ", ")
	if !ok {
		return nil, "", "log line about something else"
	}
	hint, low := "unknown", strings.ToLower(stat)
	switch {
	case strings.HasPrefix(low, "sent"):
		hint = "delivered"
	case strings.HasPrefix(low, "deferred"):
		hint = "delayed"
	case strings.HasPrefix(low, "queued"), strings.HasPrefix(low, "please try again later"):
		return nil, "", "stat " + stat
	}
	text := reply
	if wordsIn(text) < 2 {
		text = strings.TrimSpace(text + " " + stat)
	}
	if statusOnly(dsn) != "" && !strings.Contains(text, dsn) && reply == "" {
		text = dsn + " " + text
	}
	var out []report
	for _, a := range strings.Split(list, ",") {
		if a = cleanRecipient(a); looksLikeAddress(a) {
			out = append(out, report{rcpt: a, action: stat, reply: text, status: statusOnly(dsn), remote: strings.TrimSuffix(firstWord(relay), ".")})
		}
	}
	return out, hint, "a delivery without a recipient"
}

// opensmtpdLine reads `… to=<a@b> … relay="1.2.3.4 (mx)" result="PermFail" stat="550 …"`.
func opensmtpdLine(s string) ([]report, string, string) {
	to, _ := between(s, " to=<", ">")
	result, _ := between(s, ` result="`, `"`)
	stat := ""
	if i := strings.Index(s, ` stat="`); i >= 0 {
		stat = strings.TrimSuffix(strings.TrimSpace(s[i+len(` stat="`):]), `"`)
	}
	relay, _ := between(s, ` relay="`, `"`)
	if h, ok := between(relay, "(", ")"); ok {
		relay = h
	}
	if to = cleanRecipient(to); !looksLikeAddress(to) {
		return nil, "", "a delivery without a recipient"
	}
	r := []report{{rcpt: to, action: result, reply: stat, remote: firstWord(relay)}}
	switch result {
	case "PermFail":
		return r, "unknown", ""
	case "TempFail":
		return r, "delayed", ""
	case "Ok":
		return r, "delivered", ""
	}
	return nil, "", "result " + result
}

// eximLine reads a delivery line of mainlog (Exim specification, chapter 52):
// "1tEHqP-0000Ab-3C ** a@b <c@d> R=… T=… H=…: reason".
func eximLine(s string) ([]report, string, string) {
	const other = "log line about something else"
	var flag, rest string
	for _, f := range []string{" ** ", " == ", " => ", " -> ", " *> ", " >> "} {
		// The flag follows the message id, which may follow a process id.
		if i := strings.Index(s, f); i >= 0 && i < 80 && (flag == "" || i < len(s)-len(rest)-4) && !strings.Contains(s[:i], " R=") {
			flag, rest = strings.TrimSpace(f), s[i+4:]
		}
	}
	if flag == "" {
		return nil, "", other
	}
	addr, tail, ok := strings.Cut(rest, " ")
	if !ok {
		tail = ""
	}
	text := ""
	if strings.HasSuffix(addr, ":") { // "** a@b: Unrouteable address"
		addr, text, tail = strings.TrimSuffix(addr, ":"), tail, ""
	}
	r := report{rcpt: cleanRecipient(addr), action: flag}
	for { // "(parent)" and "<original>" of a generated address
		tail = strings.TrimLeft(tail, " ")
		if strings.HasPrefix(tail, "<") {
			if i := strings.IndexByte(tail, '>'); i > 0 {
				if a := tail[1:i]; looksLikeAddress(r.rcpt) {
					r.original = a
				} else {
					r.rcpt = a
				}
				if tail = tail[i+1:]; strings.HasPrefix(tail, ":") {
					text, tail = tail[1:], ""
				}
				continue
			}
		}
		if strings.HasPrefix(tail, "(") {
			if i := strings.IndexByte(tail, ')'); i > 0 {
				tail = tail[i+1:]
				continue
			}
		}
		break
	}
	if !looksLikeAddress(r.rcpt) {
		return nil, "", "a delivery without a recipient"
	}
	if h, ok := between(" "+tail, " H=", " "); ok {
		r.remote = strings.TrimSuffix(h, ":")
	}
	if flag == "=>" || flag == "->" || flag == "*>" || flag == ">>" {
		if flag != "=>" && flag != "->" {
			return nil, "", other
		}
		if c, ok := between(tail, `C="`, `"`); ok {
			r.reply = c
		}
		return []report{r}, "delivered", ""
	}
	if text == "" {
		// The reason follows the fields, whose values hold no colon before a blank.
		quoted := false
		for i := 0; i+1 < len(tail); i++ {
			if tail[i] == '"' {
				quoted = !quoted
			}
			if tail[i] == ':' && tail[i+1] == ' ' && !quoted {
				text = tail[i+2:]
				break
			}
		}
		if text == "" {
			text = tail
		}
		if flag == "==" {
			if i := strings.Index(tail, "defer ("); i >= 0 {
				if _, v, ok := strings.Cut(tail[i:], "): "); ok {
					if j := strings.LastIndex(v, " H="); j > 0 {
						v = v[:j] // the host comes after the reason
					}
					text = v
				}
			}
		}
	}
	r.reply, r.phase = strings.TrimSpace(text), phaseInText(text)
	if flag == "==" {
		return []report{r}, "delayed", ""
	}
	return []report{r}, "unknown", ""
}

// qmailLine reads qmail-send's log, in which a delivery starts and ends on lines
// of their own that share a number.
func (l *logReader) qmailLine(s string) ([]report, string, string) {
	const other = "log line about something else"
	if i := strings.Index(s, "starting delivery "); i >= 0 {
		// starting delivery 1: msg 12345 to remote a@b
		num, rest, _ := strings.Cut(s[i+len("starting delivery "):], ":")
		if j := strings.Index(rest, " to "); j >= 0 {
			f := strings.Fields(rest[j+4:])
			if len(f) == 2 && looksLikeAddress(f[1]) {
				if l.deliverTo == nil || len(l.deliverTo) >= maxDeliveries {
					l.deliverTo = make(map[string]string)
				}
				l.deliverTo[strings.Clone(num)] = strings.Clone(f[1])
			}
		}
		return nil, "", other
	}
	i := strings.Index(s, "delivery ")
	if i < 0 {
		return nil, "", other
	}
	num, rest, ok := strings.Cut(s[i+len("delivery "):], ": ")
	if !ok {
		return nil, "", other
	}
	what, text, ok := strings.Cut(rest, ":")
	if !ok {
		return nil, "", other
	}
	to := l.deliverTo[num]
	delete(l.deliverTo, num)
	if to == "" {
		return nil, "", "a delivery whose start is not in the log"
	}
	// qmail writes blanks as "_" and line ends as "/".
	text = strings.TrimSpace(strings.ReplaceAll(strings.TrimRight(text, "/"), "_", " "))
	r := []report{{rcpt: to, action: strings.TrimSpace(what), reply: strings.ReplaceAll(text, "./", ". ")}}
	switch strings.TrimSpace(what) {
	case "failure":
		return r, "unknown", ""
	case "deferral":
		return r, "delayed", ""
	case "success":
		return r, "delivered", ""
	}
	return nil, "", other
}
