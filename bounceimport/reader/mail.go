package reader

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/winnow-email/winnow/internal/shown"
)

// maxMail is how much of one mail is looked at. What comes after it is the
// returned message, which can be of any size.
const maxMail = 1 << 20

// mail reads one mail as a stream.
func (d *reading) mail(r *bufio.Reader) error {
	d.format("mail")
	raw, err := io.ReadAll(io.LimitReader(r, maxMail))
	if err != nil {
		return fmt.Errorf("%s: %w", shown.Name(d.name), err)
	}
	return d.oneMail(raw, 1)
}

// oneMail reads a mail that may be a bounce, a complaint or an automatic answer.
func (d *reading) oneMail(raw []byte, line int64) error {
	if err := d.record(); err != nil {
		return err
	}
	b := newBounce(parseMail(raw))
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
		if why := d.foreign(b); why != "" {
			d.ignored(why)
			return nil
		}
		return d.mailed(line, b, report{rcpt: r}, "arf", "complaint", "abuse")
	}
	if b.receipt != "" { // RFC 8098: the recipient's program says that the mail was shown
		if f, _ := statusBlocks(b.receipt); len(f) > 0 && strings.Contains(strings.ToLower(f[0]["disposition"]), "displayed") {
			if r := dsnReport(f[0]); looksLikeAddress(r.rcpt) {
				// What it is about, it names itself (RFC 8098 3.2.5) or returns.
				if why := d.foreignMessage(cmp.Or(b.original("message-id"), f[0]["original-message-id"]), b.original("from"), b.original("return-path")); why != "" {
					d.ignored(why)
					return nil
				}
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
	if b.left > 0 {
		d.acct.Read++ // a record of its own: what was read is used
		d.malformed(line, "a report about so many recipients that not all were read")
	}
	return nil
}

// foreign tells why a mail is about a message that is none of ours, or returns "".
func (d *reading) foreign(b *bounce) string {
	return d.foreignMessage(b.original("message-id"), b.original("return-path"), b.original("from"), b.original("sender"))
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
	m := parseMail(b.returned)
	if m.head == nil {
		return nil
	}
	return newBounce(m)
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
		if b.help == "groups" || b.help == "workspace" && strings.HasSuffix(strings.ToLower(e.Recipient), "@googlegroups.com") {
			e.Hint = "recipient_restricted" // Google Groups says so in the language of the sender
		}
	}
	if err := d.emit(line); err != nil {
		return err
	}
	return d.forwarded(r.original)
}

// notification returns the JSON of a notification that Amazon SNS mailed, or "".
func notification(body string) string {
	s := strings.TrimSpace(body)
	if !strings.HasPrefix(s, "{") || !strings.Contains(s, "otificationType") && !strings.Contains(s, "eventType") {
		return ""
	}
	return s
}
