package reader

import (
	"bytes"
	"strings"
)

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
