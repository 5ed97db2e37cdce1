package reader

import "strings"

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
		b.left += max(0, len(blocks)-maxBlocks)
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
		b.bounced = true
	} else {
		b.format = "dsn"
	}
	t := scanText(b, failed)
	if len(out) == 0 {
		b.left = t.left
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
