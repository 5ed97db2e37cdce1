package reader

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/winnow-email/winnow/bounceimport"
)

// maxBlocks is how many recipients of one report are read.
const maxBlocks = 10_000

// maxMail is how much of one mail is looked at. What comes after it is the
// returned message, which can be of any size.
const maxMail = 1 << 20

// mail reads one mail as a stream.
func (d *reading) mail(r *bufio.Reader) error {
	d.format("mail")
	raw, err := io.ReadAll(io.LimitReader(r, maxMail))
	if err != nil {
		return fmt.Errorf("%s: %w", d.name, err)
	}
	return d.oneMail(raw, 1)
}

// mbox reads a file of mails, each after a line "From sender date" that follows
// an empty line (RFC 4155 and its older relatives).
func (d *reading) mbox(r *bufio.Reader) error {
	d.format("mbox")
	var msg []byte
	var line, start int64
	begun, blank := false, true
	flush := func() error {
		if !begun {
			return nil
		}
		return d.oneMail(msg, start)
	}
	for {
		b, err := r.ReadSlice('\n')
		if err != nil && err != io.EOF && err != bufio.ErrBufferFull {
			return fmt.Errorf("%s: %w", d.name, err)
		}
		if len(b) == 0 && err == io.EOF {
			return flush()
		}
		if blank && bytes.HasPrefix(b, []byte("From ")) {
			if err := flush(); err != nil {
				return err
			}
			msg, begun, start = msg[:0], true, line+1
		} else if begun && len(msg) < maxMail {
			msg = append(msg, b...)
		}
		if err != bufio.ErrBufferFull {
			line++
		}
		blank = len(bytes.TrimRight(b, "\r\n")) == 0
	}
}

// A report is what a mail says of one recipient.
type report struct {
	rcpt     string // who did not get the message
	original string // whom it was addressed to, where that is another (RFC 3464 2.3.1)
	action   string
	status   string
	reply    string
	remote   string
	phase    string
	date     string
}

// oneMail reads a mail that may be a bounce, a complaint or an automatic answer.
func (d *reading) oneMail(raw []byte, line int64) error {
	if err := d.record(); err != nil {
		return err
	}
	m := parseMail(raw)
	b := &bounce{m: m}
	b.collect()
	if b.feedback != nil {
		if why := d.foreign(b); why != "" {
			d.ignored(why)
			return nil
		}
		return d.complaint(b, line)
	}
	if j := notification(b.body); j != "" {
		return d.mailedJSON([]byte(j), line)
	}
	if r := b.original("x-hmxmroriginalrecipient"); r != "" { // Outlook.com's JMRP reports are not ARF
		return d.mailed(line, b, report{rcpt: r}, "arf", "complaint", "abuse")
	}
	if b.receipt != "" { // RFC 8098: the recipient's program says that the mail was shown
		if f, _ := statusBlocks(b.receipt); len(f) > 0 && strings.Contains(strings.ToLower(f[0]["disposition"]), "displayed") {
			if r := dsnReport(f[0]); looksLikeAddress(r.rcpt) {
				return d.mailed(line, b, report{rcpt: r.rcpt}, "read_receipt", "delivered", "displayed")
			}
		}
	}
	reports := b.reports()
	if !named(reports) {
		if in := b.inner(); in != nil { // a bounce within a bounce, or forwarded as an attachment
			if r := in.reports(); named(r) {
				b, reports = in, r
			}
		}
	}
	if len(reports) == 0 {
		return d.answer(b, line)
	}
	if why := d.foreign(b); why != "" {
		d.ignored(why)
		return nil
	}
	used := false
	for i := range reports {
		if strings.IndexByte(reports[i].rcpt, '@') < 0 {
			continue
		}
		if !used {
			d.acct.Used++
			used = true
		}
		if err := d.bounced(line, b, &reports[i]); err != nil {
			return err
		}
	}
	if !used {
		d.malformed(line, "a bounce that names no recipient")
	}
	return nil
}

// foreign tells why a mail is about a message that is none of ours, or returns "".
func (d *reading) foreign(b *bounce) string {
	if len(d.opt.Senders) > 0 {
		ours := false
		for _, h := range []string{"return-path", "from", "sender"} {
			a := cleanRecipient(decodeWords(b.original(h)))
			at := strings.LastIndexByte(a, '@')
			for _, s := range d.opt.Senders {
				dom := strings.ToLower(a[at+1:])
				s = strings.ToLower(strings.TrimPrefix(s, "@"))
				ours = ours || at > 0 && (dom == s || strings.HasSuffix(dom, "."+s))
			}
		}
		if !ours {
			return "returned message from another sender"
		}
	}
	if d.opt.MessageID != nil && !d.opt.MessageID(strings.Trim(b.original("message-id"), "<> ")) {
		return "returned message with an unknown Message-ID"
	}
	return ""
}

// named tells whether some report names its recipient.
func named(l []report) bool {
	for i := range l {
		if strings.IndexByte(l[i].rcpt, '@') > 0 {
			return true
		}
	}
	return false
}

// inner returns the returned message if it is a bounce itself.
func (b *bounce) inner() *bounce {
	if b.inline || len(b.returned) == 0 {
		return nil
	}
	in := &bounce{m: parseMail(b.returned)}
	if in.m.head == nil {
		return nil
	}
	in.collect()
	return in
}

// bounced hands on what a report says.
func (d *reading) bounced(line int64, b *bounce, r *report) error {
	e := d.event(b.format)
	d.envelope(e, b)
	e.Recipient, e.Reply, e.Status, e.Remote, e.Phase, e.Verdict = r.rcpt, r.reply, r.status, r.remote, r.phase, r.action
	if t := d.time(r.date); e.Time.IsZero() && !t.IsZero() {
		e.Time = t
	}
	switch r.action {
	case "delayed":
		e.Hint = "delayed"
	case "delivered", "relayed", "expanded", "deliverable": // the last is Postfix's answer to a probe
		e.Hint = "delivered"
	case "expired":
		e.Hint = "expired"
	default:
		e.Hint = "unknown"
		if strings.Contains(b.body, "groups.google.com/support") || strings.Contains(b.body, "support.google.com/a/") && strings.HasSuffix(strings.ToLower(e.Recipient), "@googlegroups.com") {
			e.Hint = "recipient_restricted" // Google Groups says so in the language of the sender
		}
	}
	if err := d.emit(line); err != nil {
		return err
	}
	return d.forwarded(r.original)
}

// forwarded hands on the event that was just emitted once more, for the address
// to which the message was sent before it was forwarded: that is the one on the
// list. It may forward to others too, so this counts against it and does not
// condemn it.
func (d *reading) forwarded(original string) error {
	e := &d.ev
	original = cleanRecipient(original)
	if !looksLikeAddress(original) || strings.EqualFold(original, e.Recipient) {
		return nil
	}
	e.Recipient, e.Verdict = original, "forwarded"
	if e.Action == bounceimport.SuppressNow {
		e.Action, e.Confidence = bounceimport.Count, "low"
	}
	d.acct.Events++
	return d.yield(e)
}

// mailed hands on one event whose category needs no reply, and counts the mail as used.
func (d *reading) mailed(line int64, b *bounce, r report, format, hint, verdict string) error {
	e := d.event(format)
	d.envelope(e, b)
	e.Recipient, e.Hint, e.Verdict, e.Reply = r.rcpt, hint, verdict, r.reply
	d.acct.Used++
	return d.emit(line)
}

// envelope fills in what the mail as a whole says.
func (d *reading) envelope(e *bounceimport.Event, b *bounce) {
	if v, ok := headerField(b.m.head, "date"); ok {
		e.Time = d.time(v)
	}
	if e.Time.IsZero() {
		e.Time = d.time(b.arrival)
	}
	e.MessageID = strings.Trim(b.original("message-id"), "<> ")
	if v := b.original("from"); v != "" {
		e.Sender = cleanRecipient(v)
	} else {
		e.Sender = cleanRecipient(b.original("return-path"))
	}
}

// bounce gathers the parts of a mail that matter.
type bounce struct {
	m        *mail
	body     string // text before the returned message
	returned []byte // the returned message or its header
	inline   bool   // returned was cut off the text, so it may hold anything
	status   []string
	feedback []byte
	receipt  string
	arrival  string
	format   string
}

func (b *bounce) collect() {
	var html *part
	seenReturned := false
	for i := range b.m.parts {
		p := &b.m.parts[i]
		switch p.kind {
		case "message/delivery-status", "message/global-delivery-status":
			b.status = append(b.status, p.decoded())
		case "message/disposition-notification":
			b.receipt = p.decoded()
		case "message/feedback-report":
			b.feedback = []byte(p.decoded())
		case "message/rfc822", "text/rfc822-headers", "message/partial", "message/global", "message/global-headers", "text/rfc822-header", "message/rfc822-headers":
			if !seenReturned {
				b.returned, seenReturned = []byte(p.decoded()), true
			}
		case "text/plain", "text", "text/enriched", "message/plain":
			if !seenReturned || b.body == "" {
				if b.body != "" {
					b.body += "\n\n"
				}
				b.body += p.text()
			}
		case "text/html":
			if html == nil {
				html = p
			}
		}
	}
	if strings.TrimSpace(b.body) == "" && html != nil {
		b.body = html.text()
	}
	if len(b.feedback) == 0 {
		b.feedback = nil
	}
	// The returned message at the end of the text itself.
	if cut := returnedAt(b.body); cut < len(b.body) {
		if !seenReturned {
			b.returned, b.inline = []byte(strings.TrimLeft(afterLine(b.body[cut:]), "\n")), true
		}
		// A report that lost its MIME header stands in the text with all its parts.
		if at := indexFold(b.body, "\nfinal-recipient:"); at >= 0 && len(b.status) == 0 {
			from := statusStart(b.body, at)
			b.status = append(b.status, b.body[from:])
			cut = min(cut, from)
		}
		b.body = b.body[:cut]
	}
	if at := indexFold(b.body, "\nfinal-recipient:"); at >= 0 && len(b.status) == 0 {
		from := statusStart(b.body, at)
		b.status = append(b.status, b.body[from:])
		b.body = b.body[:from]
	}
}

// statusStart goes back from a field of a delivery status to where its paragraph,
// and the one before it with the fields of the message, begins.
func statusStart(s string, at int) int {
	for n := 0; n < 2; n++ {
		if i := strings.LastIndex(s[:at], "\n\n"); i >= 0 {
			para := strings.TrimLeft(s[i+2:at], "\n")
			if line, _, _ := strings.Cut(para, "\n"); n == 1 && !isField([]byte(line)) {
				break
			}
			at = i
			continue
		}
		return 0
	}
	return at
}

func afterLine(s string) string {
	if i := strings.IndexByte(s, '\n'); i >= 0 {
		l := s[:i]
		if isField([]byte(l)) && !strings.HasSuffix(strings.TrimSpace(l), ":") {
			return s // the line is itself a header field
		}
		return s[i+1:]
	}
	return s
}

// original returns a header field of the returned message.
func (b *bounce) original(name string) string {
	h, _ := splitHead(bytes.TrimLeft(b.returned, "\n \t-=")) // blank lines and rules may stand before it
	if v, ok := headerField(h, name); ok {
		return v
	}
	if b.inline {
		if v, ok := headerField(b.returned, name); ok {
			return v
		}
	}
	return ""
}

// returnedAt finds where the text of a bounce ends and the returned message begins.
func returnedAt(s string) int {
	for at := 0; at < len(s); {
		end := strings.IndexByte(s[at:], '\n')
		line := s[at:]
		if end >= 0 {
			line = s[at : at+end]
		}
		if at > 0 && startsReturned(line) || isReturnedMark(line) {
			return at
		}
		if end < 0 {
			break
		}
		at += end + 1
	}
	return len(s)
}

// startsReturned tells a trace field, with which returned headers begin.
func startsReturned(line string) bool {
	if line == "" || line[0] != 'R' && line[0] != 'D' && line[0] != 'X' {
		return false
	}
	for _, p := range []string{"Received: ", "Received:from ", "Return-Path: ", "Return-path: ", "DKIM-Signature: ", "X-Received: ", "Received:\t"} {
		if strings.HasPrefix(line, p) {
			return true
		}
	}
	return false
}

// isReturnedMark tells the lines with which mail servers announce the returned message.
func isReturnedMark(line string) bool {
	t := strings.TrimSpace(line)
	if len(t) < 12 || len(t) > 90 {
		return false
	}
	dashes := t[0] == '-' || t[0] == '=' || t[0] == '*' || t[0] == '|' || t[0] == '_' || t[0] == '+'
	if c := t[0] | 0x20; !dashes && c != 'o' && c != 'm' && c != 'b' && c != 'i' && c != 'a' && c != 'u' && c != 't' {
		return false
	}
	l := strings.ToLower(strings.Trim(t, "-=*|_+ :."))
	if dashes {
		for _, w := range []string{"original message", "returned message", "copy of the message", "copy of your message", "header of the original", "message header", "unsent message", "below this line",
			"enclosed is a copy", "headers of the original", "undelivered message", "original mail", "body of message", "returned mail", "message text follows", "the header of", "message body", "rejected message", "original headers",
			"copy of the body", "of the message follow", "forwarded message", "text of the message", "original e-mail", "元のメール", "ursprüngliche nachricht", "message d'origine"} {
			if strings.Contains(l, w) {
				return true
			}
		}
		return false
	}
	switch {
	case strings.HasPrefix(l, "original message follows"), strings.HasPrefix(l, "message headers follow"), strings.HasPrefix(l, "message header follows"), strings.HasPrefix(l, "below is a copy of the original message"),
		strings.HasPrefix(l, "original message headers"), strings.HasPrefix(l, "original mail as follows"), strings.HasPrefix(l, "included is a copy of the message header"), strings.HasPrefix(l, "a copy of the original message"),
		strings.HasPrefix(l, "below this line is"), strings.HasPrefix(l, "the original message follows"), strings.HasPrefix(l, "original message as received"), strings.HasPrefix(l, "your message reads"), strings.HasPrefix(l, "original message attached"), strings.HasPrefix(l, "a summary of the undelivered message"), strings.HasPrefix(l, "the body of the message is"), strings.HasPrefix(l, "unsent message below"), strings.HasPrefix(l, "original headers follow"),
		strings.HasPrefix(l, "below is the original message"), strings.HasPrefix(l, "the following is the original message"), strings.HasPrefix(l, "undelivered message follows"), strings.HasPrefix(l, "the text of your message follows"),
		strings.HasPrefix(l, "below are the message headers"), strings.HasPrefix(l, "message text follows"), strings.HasPrefix(l, "the original message is"),
		l == "original message", l == "original message header", l == "old message":
		return true
	}
	return false
}

// reports returns what the mail says of its recipients.
func (b *bounce) reports() []report {
	var out []report
	var common report
	for _, s := range b.status {
		blocks, whole := statusBlocks(s)
		if whole["arrival-date"] != "" {
			b.arrival = whole["arrival-date"]
		}
		if common.remote == "" {
			common.remote = hostOf(whole["remote-mta"])
		}
		for _, f := range blocks[:min(len(blocks), maxBlocks)] {
			out = append(out, dsnReport(f))
		}
	}
	failed, _ := headerField(b.m.head, "x-failed-recipients")
	if len(out) == 0 {
		b.format = "bounce_mail"
		if !b.looksBounced(failed) {
			return nil
		}
	} else {
		b.format = "dsn"
	}
	t := scanText(b, failed)
	if len(out) == 0 {
		// Nothing but text.
		out = append(out, t.found...)
		if len(out) == 0 && failed != "" {
			for _, a := range strings.Split(failed, ",") {
				out = append(out, report{rcpt: cleanRecipient(a), reply: t.rest})
			}
		}
		if len(out) == 0 && t.rest != "" {
			// Some hide the recipient: then it is whom the message was sent to.
			if to := onlyAddress(b.original("to")); to != "" {
				out = append(out, report{rcpt: to, reply: t.rest})
			} else if to := onlyAddress(b.original("x-original-to")); to != "" {
				out = append(out, report{rcpt: to, reply: t.rest})
			}
		}
		if len(out) == 0 {
			if to := verp(b.m.head); to != "" {
				out = append(out, report{rcpt: to, reply: t.rest})
			}
		}
		if warning(b) {
			for i := range out {
				out[i].action = "delayed"
			}
		}
		return out
	}
	for i := range out {
		r := &out[i]
		if !looksLikeAddress(cleanRecipient(r.rcpt)) { // a pipe, a file, a bare local part, a name of X.400
			r.rcpt = b.instead(r, failed, &t, len(out))
		}
		if wordsIn(r.reply) < 2 {
			if s := t.about(r.rcpt, len(out)); wordsIn(s) >= 1 {
				switch {
				case r.reply == "" || wordsIn(r.reply) == 0:
					r.reply = s
				default:
					r.reply += " " + s
				}
			}
		}
		if r.phase == "" {
			r.phase = t.phaseOf(r.rcpt)
		}
		if r.remote == "" {
			r.remote = common.remote
		}
	}
	return out
}

// instead finds the address behind a final recipient that is none.
func (b *bounce) instead(r *report, failed string, t *scanned, n int) string {
	if a := cleanRecipient(r.original); looksLikeAddress(a) {
		return a
	}
	if a := onlyAddress(failed); a != "" {
		return a
	}
	if len(t.found) == 1 || len(t.found) == n && n == 1 {
		return t.found[0].rcpt
	}
	if a := onlyAddress(b.original("x-original-to")); a != "" {
		return a
	}
	if a := onlyAddress(b.original("to")); a != "" {
		return a
	}
	return ""
}

// verp takes the recipient out of the address that the bounce was sent to, where
// the sender put it there: "bounces+ann=example.org@our.example" (VERP).
func verp(head []byte) string {
	for _, name := range []string{"delivered-to", "x-original-to", "to"} {
		v, _ := headerField(head, name)
		a := cleanRecipient(v)
		at := strings.LastIndexByte(a, '@')
		if at < 0 {
			continue
		}
		local := a[:at]
		eq := strings.LastIndexByte(local, '=')
		if eq <= 0 || strings.IndexByte(local[eq:], '.') < 0 {
			continue
		}
		from := strings.IndexByte(local[:eq], '+')
		if from < 0 {
			from = strings.IndexByte(local[:eq], '-')
		}
		if from >= 0 {
			if r := local[from+1:eq] + "@" + local[eq+1:]; plausible(r) {
				return r
			}
		}
	}
	return ""
}

// onlyAddress returns the address of a header value that holds just one.
func onlyAddress(v string) string {
	if v == "" || strings.Count(v, "@") != 1 {
		return ""
	}
	if a := cleanRecipient(v); looksLikeAddress(a) {
		return a
	}
	return ""
}

// looksBounced tells a bounce that is no RFC 3464 report from other mail.
func (b *bounce) looksBounced(failed string) bool {
	if failed != "" {
		return true
	}
	from, _ := headerField(b.m.head, "from")
	from = strings.ToLower(decodeWords(from))
	subject, _ := headerField(b.m.head, "subject")
	subject = strings.ToLower(decodeWords(subject))
	ct, _ := headerField(b.m.head, "content-type")
	if indexFold(ct, "report-type=delivery-status") >= 0 || indexFold(ct, `report-type="delivery-status"`) >= 0 {
		return true
	}
	for _, w := range []string{"mailer-daemon", "mailer_daemon", "postmaster", "post_master", "mail delivery", "mail deliver system", "maildelivery", "delivery subsystem", "mail administrator", "system administrator", "ndr administrator", "no-reply@", "noreply@", "bounce", "mail system", "mailsystem", "interscan", "imss@", "mdaemon", "mail-daemon", "<>"} {
		if strings.Contains(from, w) {
			return !autoSubject(subject) || bounceSubject(subject)
		}
	}
	if from == "" || bounceSubject(subject) {
		return true
	}
	if v, ok := headerField(b.m.head, "return-path"); ok && strings.TrimSpace(v) == "<>" && !autoSubject(subject) && (len(b.returned) > 0 || bounceBody(b.body)) {
		return true
	}
	if _, ok := headerField(b.m.head, "x-mlserver"); ok && bounceBody(b.body) { // fml
		return true
	}
	return false
}

// bounceSubject knows the subjects of bounces, in the languages of the servers
// that translate them.
func bounceSubject(s string) bool {
	for _, w := range []string{"undeliver", "delivery failure", "delivery status", "delivery notification", "delivery report", "delivery has failed", "delivery fail", "failure notice", "failure delivery", "failed delivery", "mail failed", "mail failure",
		"returned mail", "returned to sender", "returning message", "mail delivery", "non-delivery", "nondelivery", "not delivered", "could not be delivered", "couldn't be delivered", "cannot be delivered", "unable to deliver", "mail system error",
		"message delivery", "message status - undeliverable", "warning: could not send", "warning: message", "could not send message", "rejected", "bounce", "unzustellbar", "nicht zugestellt", "zustellung", "unzustellbarkeit", "non remis", "échec de la remise", "non distribu",
		"no se puede entregar", "no se ha podido", "devuelto", "entrega fallida", "não entreg", "falha na entrega", "mancato recapito", "impossibile recapitare", "onbestelbaar", "niet bezorgd", "nie dostarczon", "недоставлен", "не доставлен", "не удалось доставить",
		"配信できません", "配信不能", "送信できません", "届けられません", "配信失敗", "エラー", "退信", "無法傳遞", "无法送达", "退回", "系统退信", "投递失败", "반송", "loop alert", "are not member", "user unknown", "unknown user", "no such user", "mailbox full", "over quota", "failed mail", "undelivered", "address not found", "delivery error"} {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

func bounceBody(s string) bool {
	s = strings.ToLower(s[:min(len(s), 4000)])
	for _, w := range []string{"could not be delivered", "couldn't be delivered", "cannot be delivered", "was not delivered", "delivery failed", "delivery to the following", "undeliverable", "permanent error", "fatal errors", "unable to deliver", "did not reach", "user unknown", "unknown user", "not a member", "duplicated message-id", "was rejected", "no such user", "error occurred while", "permanent failure"} {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

// warning tells a notice that the server is still trying (RFC 3464: "delayed").
func warning(b *bounce) bool {
	subject, _ := headerField(b.m.head, "subject")
	subject = strings.ToLower(decodeWords(subject))
	body := strings.ToLower(b.body)
	for _, w := range []string{"(delay)", "delayed", "warning: could not send", "warning: message", "verzögert", "delayed mail"} {
		if strings.Contains(subject, w) {
			return true
		}
	}
	for _, w := range []string{"this is a warning message only", "you do not need to resend", "has been delayed:", "will be retried for", "delivery attempts will continue", "no action is required on your part", "still being retried", "message will continue to be"} {
		if strings.Contains(body, w) {
			return true
		}
	}
	return false
}

// statusBlocks divides a message/delivery-status (RFC 3464 2.1) into the fields
// of the message and those of each recipient. Blank lines that should part them
// are often missing or too many: a field that comes a second time begins the
// next recipient.
func statusBlocks(s string) (blocks []map[string]string, whole map[string]string) {
	whole = make(map[string]string)
	cur := whole
	fresh := false // a blank line was seen since the last field
	var last string
	for len(s) > 0 {
		line := s
		if i := strings.IndexByte(s, '\n'); i >= 0 {
			line, s = s[:i], s[i+1:]
		} else {
			s = ""
		}
		line = strings.TrimRight(line, " \t\r")
		if line == "" {
			fresh, last = true, ""
			continue
		}
		if line[0] == ' ' || line[0] == '\t' {
			if last != "" {
				cur[last] += " " + strings.TrimSpace(line)
				continue
			}
			line = strings.TrimLeft(line, " \t") // some indent the whole report
		}
		if strings.HasPrefix(line, "--") {
			if len(blocks) > 0 {
				return blocks, whole // the next MIME part
			}
			continue
		}
		colon := strings.IndexByte(line, ':')
		if colon <= 0 || strings.IndexByte(line[:colon], ' ') >= 0 {
			if last == "diagnostic-code" { // folded without the blank
				cur[last] += " " + strings.TrimSpace(line)
			}
			continue
		}
		name := strings.ToLower(line[:colon])
		value := strings.TrimSpace(line[colon+1:])
		switch name {
		case "final-recipient", "original-recipient", "action", "status":
			_, again := cur[name]
			_, hasFinal := cur["final-recipient"]
			if again || fresh && (hasFinal || len(blocks) == 0) || cur["final-recipient"] == "" && len(blocks) == 0 {
				if again || hasFinal || len(blocks) == 0 {
					cur = make(map[string]string)
					blocks = append(blocks, cur)
				}
			}
		}
		fresh = false
		if old, again := cur[name]; again && (name != "diagnostic-code" || wordsIn(old) >= wordsIn(value)) {
			last = ""
			continue
		}
		cur[name] = value
		last = name
	}
	return blocks, whole
}

func dsnReport(f map[string]string) report {
	r := report{rcpt: cleanRecipient(f["final-recipient"]), original: cleanRecipient(f["original-recipient"]), action: strings.ToLower(firstWord(f["action"])),
		status: statusOnly(f["status"]), remote: hostOf(f["remote-mta"]), date: f["last-attempt-date"]}
	if r.rcpt == "" {
		r.rcpt = r.original
	}
	r.reply = unSMTP(f["diagnostic-code"])
	if i := strings.IndexByte(f["status"], '('); r.reply == "" && i >= 0 { // "5.4.4 (Illegal host/domain name found)"
		r.reply = strings.Trim(f["status"][i:], "() ")
	}
	if r.action == "" && strings.HasPrefix(r.status, "2") {
		r.action = "delivered"
	}
	return r
}

// hostOf takes the name out of "dns; mx.example.org (192.0.2.1)".
func hostOf(v string) string {
	if i := strings.IndexByte(v, ';'); i >= 0 {
		v = v[i+1:]
	}
	return strings.TrimSuffix(firstWord(v), ".")
}

// wordsIn counts the words of a text that are not codes, hosts or addresses: a
// reply without at least two says nothing that its codes do not say.
func wordsIn(s string) int {
	n := 0
	for _, w := range strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == '\t' || r == '\n' }) {
		if strings.Contains(w, "://") { // a page that explains the refusal
			n += 2
			continue
		}
		if strings.ContainsAny(w, "@[<") {
			continue
		}
		letters := 0
		for _, r := range w {
			if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r > 0x7f {
				letters++
			}
		}
		if letters >= 2 && !strings.Contains(strings.Trim(w, ".,:;()"), ".") {
			n++
		}
	}
	return n
}

// complaint reads a feedback report (RFC 5965).
func (d *reading) complaint(b *bounce, line int64) error {
	f := b.feedback
	kind, _ := headerField(f, "feedback-type")
	kind = strings.ToLower(strings.TrimSpace(kind))
	hint := "complaint"
	switch kind {
	case "not-spam": // RFC 6430
		hint = "not_spam"
	case "opt-out", "opt-out-list":
		hint = "unsubscribe"
	case "auth-failure", "dmarc": // RFC 6591: about us, not about the recipient
		hint = "auth_failure"
	}
	if b.arrival, _ = headerField(f, "arrival-date"); b.arrival == "" {
		b.arrival, _ = headerField(f, "received-date")
	}
	var to []string
	for h := f; len(h) > 0; { // may come several times
		line, rest := cutLine(h)
		for _, name := range []string{"original-rcpt-to", "removal-recipient", "redacted-address"} {
			if hasName(line, name) {
				v := unfold(line[bytes.IndexByte(line, ':')+1:], rest)
				for _, a := range strings.Split(v, ",") {
					if a = cleanRecipient(a); looksLikeAddress(a) {
						to = append(to, a)
					}
				}
			}
		}
		h = rest
	}
	for _, name := range []string{"x-hmxmroriginalrecipient", "to", "x-original-to", "delivered-to"} {
		if len(to) > 0 {
			break
		}
		if a := cleanRecipient(b.original(name)); looksLikeAddress(a) {
			to = append(to, a)
		}
	}
	if len(to) == 0 {
		d.unmapped(line, "a complaint that names no recipient")
		return nil
	}
	d.acct.Used++
	for _, a := range to {
		e := d.event("arf")
		d.envelope(e, b)
		e.Recipient, e.Hint, e.Verdict = a, hint, kind
		if hint == "auth_failure" {
			e.Reply, _ = headerField(f, "authentication-results")
		}
		if e.Sender == "" {
			v, _ := headerField(f, "original-mail-from")
			e.Sender = cleanRecipient(v)
		}
		if err := d.emit(line); err != nil {
			return err
		}
	}
	return nil
}

// answer reads a mail that reports no failure: a request to unsubscribe, an
// automatic answer (RFC 3834), or something that is none of ours.
func (d *reading) answer(b *bounce, line int64) error {
	head := b.m.head
	from, _ := headerField(head, "from")
	sender := cleanRecipient(decodeWords(from))
	subject, _ := headerField(head, "subject")
	subject = strings.ToLower(strings.TrimSpace(decodeWords(subject)))
	if !looksLikeAddress(sender) {
		d.ignored("mail that is no bounce")
		return nil
	}
	if subject == "unsubscribe" || strings.HasPrefix(subject, "unsubscribe ") { // RFC 2369 3.2: List-Unsubscribe: <mailto:…?subject=unsubscribe>
		return d.mailed(line, b, report{rcpt: sender}, "unsubscribe_mail", "unsubscribe", "List-Unsubscribe")
	}
	auto, _ := headerField(head, "auto-submitted")
	auto = strings.ToLower(auto)
	_, autoreply := headerField(head, "x-autoreply")
	_, autorespond := headerField(head, "x-autorespond")
	precedence, _ := headerField(head, "precedence")
	switch {
	case strings.HasPrefix(auto, "auto-replied"), autoreply, autorespond, strings.EqualFold(precedence, "auto_reply"), autoSubject(subject):
		return d.mailed(line, b, report{rcpt: sender, reply: firstLines(b.body)}, "auto_reply", "auto_reply", "automatic answer")
	}
	d.ignored("mail that is no bounce")
	return nil
}

// autoSubject knows the subjects of automatic answers.
func autoSubject(s string) bool {
	for _, w := range []string{"auto:", "auto reply", "auto-reply", "autoreply", "automatic reply", "automatic response", "auto response", "auto-response", "autoresp", "out of office", "out of the office", "out-of-office", "vacation",
		"abwesen", "automatische antwort", "réponse automatique", "absence", "respuesta automática", "fuera de la oficina", "risposta automatica", "resposta automática", "automatisch antwoord", "autosvar", "automatyczna odpowied", "автоответ", "автоматический ответ",
		"自動返信", "自動応答", "不在", "自动回复", "自動回覆", "자동 응답"} {
		if strings.HasPrefix(s, w) || len(w) > 8 && strings.Contains(s, w) {
			return true
		}
	}
	return false
}

func firstLines(s string) string {
	f := strings.Fields(s)
	return strings.Join(f[:min(len(f), 60)], " ")
}

// notification returns the JSON of a notification that Amazon SNS mailed, or "".
func notification(body string) string {
	s := strings.TrimSpace(body)
	if !strings.HasPrefix(s, "{") || !strings.Contains(s, "otificationType") && !strings.Contains(s, "eventType") {
		return ""
	}
	return s
}
