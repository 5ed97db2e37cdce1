package reader

import "strings"

// answer reads a mail that reports no failure: a request to unsubscribe, an
// automatic answer (RFC 3834), or something that is none of ours.
func (d *reading) answer(b *bounce, line int64) error {
	head := b.m.head
	from, _ := headerField(head, "from")
	sender := cleanRecipient(decodeWords(from))
	subject, _ := headerField(head, "subject")
	subject = strings.ToLower(strings.TrimSpace(decodeWords(subject)))
	if !looksLikeAddress(sender) {
		d.noBounce(b, line, subject)
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
	d.noBounce(b, line, subject)
	return nil
}

// noBounce counts a mail that says nothing of an address. One that is a bounce by its
// subject is a bounce that could not be read.
func (d *reading) noBounce(b *bounce, line int64, subject string) {
	if b.bounced && bounceSubject(subject) {
		d.malformed(line, "a bounce that names no recipient")
		return
	}
	d.ignored("mail that is no bounce")
}

func firstLines(s string) string {
	f := strings.Fields(s)
	return strings.Join(f[:min(len(f), 60)], " ")
}
