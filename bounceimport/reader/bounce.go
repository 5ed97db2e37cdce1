package reader

import (
	"bytes"
	"strings"

	"github.com/winnow-email/winnow/bounceimport"
)

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
	bounced  bool // it looks like a bounce, though nothing in it may say whose
	left     int  // recipients that were not read: there are too many

	fields map[string]string // of the returned message, once looked for
	sent   string            // the Date of the bounce
	help   string            // of Google, to whose pages it points: groups, workspace
}

func newBounce(m *mail) *bounce {
	b := &bounce{m: m, fields: make(map[string]string)}
	b.sent, _ = headerField(m.head, "date")
	b.collect()
	switch {
	case strings.Contains(b.body, "groups.google.com/support"):
		b.help = "groups"
	case strings.Contains(b.body, "support.google.com/a/"):
		b.help = "workspace"
	}
	return b
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
	v, known := b.fields[name]
	if !known {
		h, _ := splitHead(bytes.TrimLeft(b.returned, "\n \t-=")) // blank lines and rules may stand before it
		var ok bool
		if v, ok = headerField(h, name); !ok && b.inline {
			v, _ = headerField(b.returned, name)
		}
		b.fields[name] = v
	}
	return v
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

// envelope fills in what the mail as a whole says.
func (d *reading) envelope(e *bounceimport.Event, b *bounce) {
	e.Time = d.time(b.sent)
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

// mailed hands on one event whose category needs no reply, and counts the mail as used.
func (d *reading) mailed(line int64, b *bounce, r report, format, hint, verdict string) error {
	e := d.event(format)
	d.envelope(e, b)
	e.Recipient, e.Hint, e.Verdict, e.Reply = r.rcpt, hint, verdict, r.reply
	d.acct.Used++
	return d.emit(line)
}
