package reader

import (
	"slices"
	"strings"

	"github.com/winnow-email/winnow/bounceimport/reply"
)

// scanned is what the text of a bounce says, whoever wrote it.
type scanned struct {
	found []report
	rest  string // the text that belongs to no recipient, without the usual phrases
}

// about returns what the text says of a recipient.
func (t *scanned) about(rcpt string, n int) string {
	for i := range t.found {
		if strings.EqualFold(t.found[i].rcpt, rcpt) && t.found[i].reply != "" {
			return t.found[i].reply
		}
	}
	if n == 1 && len(t.found) == 1 && t.found[0].reply != "" {
		return t.found[0].reply
	}
	return t.rest
}

func (t *scanned) phaseOf(rcpt string) string {
	for i := range t.found {
		if r := &t.found[i]; strings.EqualFold(r.rcpt, rcpt) {
			if r.phase != "" {
				return r.phase
			}
			return phaseInText(r.reply)
		}
	}
	return ""
}

// How sure a line is that the address in it is the failed recipient's.
const (
	sure    = 4 // "<addr>: reason", an address on a line of its own, "550 <addr>... reason"
	likely  = 3 // "Recipient address: addr"
	perhaps = 2 // "delivering your mail to <addr>", a RCPT TO in a transcript
	barely  = 1 // "an address here looks like <addr>"
)

// What is taken from one mail is bounded. A report about more recipients than
// this is none that a mail server sends.
const (
	maxRecipients  = 500
	maxReasonLines = 200
)

// scanText finds the recipients in the text of a bounce and what is said of
// each. Mail servers write it in a hundred ways, but these come down to few:
// an address at the start of a line with the reason beside or below it, a
// labelled field, an SMTP transcript, a sentence. The kinds are ranked; the
// best that is there counts.
func scanText(b *bounce, failed string) scanned {
	type item struct {
		report
		rank   int
		talked bool // named in an SMTP dialogue
		text   []string
	}
	var items []item
	var common []string // lines before the first recipient, and those of sections about all
	section := false    // in a transcript: lines are about all recipients
	cur := -1
	var smtpTo, smtpPhase string // of the transcript: the last RCPT TO, the last command
	var pending []string         // of the transcript: refusals that no recipient has claimed yet
	to, _ := headerField(b.m.head, "to")
	self := cleanRecipient(decodeWords(to))
	mine := func(a string) bool { return strings.EqualFold(a, self) && !strings.EqualFold(a, onlyAddress(failed)) }

	add := func(addr string, rank int, text string) {
		if i := indexOf(len(items), func(i int) bool { return strings.EqualFold(items[i].rcpt, addr) }); i >= 0 {
			items[i].rank = max(items[i].rank, rank)
			cur = i
		} else if len(items) >= maxRecipients {
			cur = -1
			return
		} else {
			items = append(items, item{report: report{rcpt: addr}, rank: rank})
			cur = len(items) - 1
		}
		if text = strings.TrimSpace(text); text != "" && !slices.Contains(items[cur].text, text) {
			items[cur].text = append(items[cur].text, text)
		}
	}
	attach := func(line string) {
		if to := &common; cur >= 0 && !section {
			if to = &items[cur].text; len(*to) < maxReasonLines {
				*to = append(*to, line)
			}
		} else if len(*to) < maxReasonLines {
			*to = append(*to, line)
		}
	}

	body := b.body
	for len(body) > 0 {
		line := body
		if i := strings.IndexByte(body, '\n'); i >= 0 {
			line, body = body[:i], body[i+1:]
		} else {
			body = ""
		}
		t := strings.TrimSpace(line)
		if t == "" || boilerplate(t) {
			continue
		}
		l := t
		if len(l) > 200 {
			l = l[:200]
		}
		low := strings.ToLower(l)

		// An SMTP dialogue: ">>> RCPT To:<a@b>", "<<< 550 no", "Sent <<< …", "In: …", "Out: …".
		if cmd, reply, ok := dialogue(t); ok {
			if cmd != "" {
				smtpPhase = phaseOfCommand(cmd)
				if smtpPhase == "rcpt" {
					if a := addressIn(cmd); a != "" {
						smtpTo = a
						if add(a, perhaps, ""); cur >= 0 {
							items[cur].phase, items[cur].talked = "rcpt", true
						}
					}
				}
				continue
			}
			if strings.HasPrefix(reply, "2") || strings.HasPrefix(reply, "3") {
				continue
			}
			if len(pending) < maxReasonLines {
				pending = append(pending, reply)
			}
			if smtpTo != "" && smtpPhase == "rcpt" {
				add(smtpTo, perhaps, reply)
			} else {
				common = append(common, reply)
			}
			continue
		}
		if strings.Contains(low, "transcript of session") || strings.Contains(low, "transcript of the session") || strings.Contains(low, "non-delivered information") {
			section = true
			continue
		}
		if strings.Contains(low, "addresses had") || strings.Contains(low, "address had") {
			section = false
			continue
		}

		if i := strings.Index(low, "mailing list <"); i >= 0 { // fml, Majordomo: "You are not a member of this mailing list <…>"
			if a, _, ok := leadingAddress(t[i+len("mailing list "):]); ok {
				add(a, sure+1, t)
				continue
			}
		}
		addr, rank, text := recipientIn(t, low)
		if addr != "" && isDigit(t[0]) && strings.Contains(t, "...") {
			// sendmail: "550 <addr>... User unknown" sums up what stands before it. What
			// comes after it is about the next recipient.
			if s := strings.Join(pending, " "); wordsIn(s) >= 2 {
				text = s
			} else if s != "" {
				text = s + " " + text
			}
			add(addr, sure, text)
			cur, pending, section, smtpTo = -1, nil, true, ""
			continue
		}
		if section && addr == "" && isDigit(t[0]) && strings.Contains(t, "...") { // "550 example.org (smtp)... 550 Host unknown"
			if len(pending) < maxReasonLines {
				pending = append(pending, t)
			}
		}
		if addr == "" || mine(addr) && rank < sure || isDaemon(addr) {
			attach(t)
			continue
		}
		add(addr, rank, text)
	}

	best := 0
	for i := range items {
		best = max(best, items[i].rank)
	}
	// Only the best kind counts. A header of X-Failed-Recipients names them for certain.
	var out scanned
	out.rest = strings.Join(common, " ")
	named := addressesIn(failed)
	isNamed := func(a string) bool {
		return indexOf(len(named), func(j int) bool { return strings.EqualFold(named[j], a) }) >= 0
	}
	both := indexOf(len(items), func(i int) bool { return isNamed(items[i].rcpt) }) >= 0
	// Of several addresses in mere sentences, those count that the returned
	// message names; without one, the first.
	sentences := 0
	inReturned := func(i int) bool { return indexFold(string(b.returned), strings.ToLower(items[i].rcpt)) >= 0 }
	if best <= perhaps {
		for i := range items {
			if items[i].rank == best && !items[i].talked {
				sentences++
			}
		}
	}
	anyReturned := sentences > 1 && indexOf(len(items), func(i int) bool { return items[i].rank == best && inReturned(i) }) >= 0
	firstSentence := indexOf(len(items), func(i int) bool { return items[i].rank == best && !items[i].talked })
	for i := range items {
		it := &items[i]
		ok := it.rank == best
		if ok && sentences > 1 && !it.talked {
			if anyReturned {
				ok = inReturned(i)
			} else {
				ok = i == firstSentence
			}
		}
		if both || len(named) > 0 && best < sure {
			ok = isNamed(it.rcpt)
		}
		if !ok {
			if len(it.text) > 0 && len(items) > 1 {
				out.rest += " " + strings.Join(it.text, " ")
			}
			continue
		}
		it.reply = strings.Join(it.text, " ")
		out.found = append(out.found, it.report)
	}
	out.rest = strings.TrimSpace(out.rest)
	for _, a := range named {
		if best == sure && !both {
			break // the text contradicts the header, and goes with the reason
		}
		if indexOf(len(out.found), func(j int) bool { return strings.EqualFold(out.found[j].rcpt, a) }) < 0 {
			out.found = append(out.found, report{rcpt: a})
		}
	}
	for i := range out.found {
		r := &out.found[i]
		if code, status := reply.Codes(r.reply); code == 0 && status == "" && len(out.found) == 1 {
			// What stands below the address may be about the message; a refusal with
			// its codes above it is the reason.
			if c, st := reply.Codes(out.rest); c != 0 || st != "" {
				r.reply = out.rest
			}
		}
		if wordsIn(r.reply) < 2 && out.rest != "" {
			// The reason stands elsewhere: in the line of a transcript that names
			// the recipient, or before it, for all.
			if s := lineAbout(common, r.rcpt); s != "" {
				r.reply = strings.TrimSpace(r.reply + " " + s)
			} else if r.reply == "" || wordsIn(r.reply) < 2 {
				r.reply = strings.TrimSpace(r.reply + " " + out.rest)
			}
		}
		if r.phase == "" {
			r.phase = phaseInText(r.reply)
		}
		r.reply = tidy(r.reply)
	}
	out.rest = tidy(out.rest)
	return out
}

func indexOf(n int, is func(int) bool) int {
	for i := 0; i < n; i++ {
		if is(i) {
			return i
		}
	}
	return -1
}

// lineAbout returns the line that names an address and says something else too.
func lineAbout(lines []string, addr string) string {
	for _, l := range lines {
		if indexFold(l, strings.ToLower(addr)) >= 0 && wordsIn(l) >= 2 {
			return l
		}
	}
	return ""
}

// tidy cuts the words with which a server introduces what another said.
func tidy(s string) string {
	for _, lead := range []string{"The error that the other server returned was:", "the error that the other server returned was:", "The response from the remote server was:", "The response was:", "Remote host said:", "Remote Server returned:", "For the following reason:",
		"The following error occurred:", "for the following reason:", "Error message below:", "Reported error:"} {
		if i := strings.Index(s, lead); i >= 0 && wordsIn(s[i+len(lead):]) > 0 {
			s = strings.TrimSpace(s[i+len(lead):])
		}
	}
	for _, trail := range []string{" Giving up on ", " I'm not going to try again"} { // qmail, after the reply
		if i := strings.LastIndex(s, trail); i > 0 {
			s = s[:i]
		}
	}
	return s
}

// dialogue reads a line of an SMTP transcript.
func dialogue(t string) (cmd, reply string, ok bool) {
	switch {
	case strings.HasPrefix(t, ">>> "):
		if looksLikeCommand(t[4:]) {
			return t[4:], "", true
		}
	case strings.HasPrefix(t, "<<< "):
		return "", t[4:], true
	case strings.HasPrefix(t, "In: "):
		return strings.TrimSpace(t[4:]), "", true
	case strings.HasPrefix(t, "Out: "):
		return "", strings.TrimSpace(t[5:]), true
	}
	// InterScan writes it the other way round: "Sent <<< RCPT TO:<…>", "Received >>> 550 …".
	if i := strings.Index(t, " <<< "); i > 0 && i < 40 && looksLikeCommand(t[i+5:]) {
		return t[i+5:], "", true
	}
	if i := strings.Index(t, " >>> "); i > 0 && i < 40 && len(t) > i+8 {
		if looksLikeCommand(t[i+5:]) {
			return t[i+5:], "", true
		}
		if isDigit(t[i+5]) {
			return "", t[i+5:], true
		}
	}
	if i := strings.Index(t, " <<< "); i > 0 && i < 40 && len(t) > i+8 && isDigit(t[i+5]) {
		return "", t[i+5:], true
	}
	return "", "", false
}

func looksLikeCommand(s string) bool {
	return phaseOfCommand(s) != "" || indexFold(s[:min(len(s), 5)], "quit") == 0 || indexFold(s[:min(len(s), 5)], "rset") == 0
}

// phaseOfCommand names the phase of an SMTP session by the command that was refused.
func phaseOfCommand(c string) string {
	c = strings.ToLower(c[:min(len(c), 10)])
	switch {
	case strings.HasPrefix(c, "rcpt"):
		return "rcpt"
	case strings.HasPrefix(c, "mail"):
		return "mail"
	case strings.HasPrefix(c, "data"), strings.HasPrefix(c, "bdat"), c == ".", strings.HasPrefix(c, "end of da"):
		return "data"
	case strings.HasPrefix(c, "helo"), strings.HasPrefix(c, "ehlo"), strings.HasPrefix(c, "lhlo"), strings.HasPrefix(c, "starttls"), strings.HasPrefix(c, "auth"):
		return "ehlo"
	}
	return ""
}

// recipientIn finds the failed recipient in a line of a bounce's text, how sure
// that is, and the rest of the line. low is t in lower case.
func recipientIn(t, low string) (addr string, rank int, text string) {
	if strings.IndexByte(t, '@') < 0 {
		return "", 0, ""
	}
	// What other lines name: the sender, people to turn to, headers of the message.
	for _, w := range []string{"please contact", "contact ", "for assistance", "assistance", "from:", "from ", "message-id", "reply-to", "generated from", "sent by", "mail from", "postmaster", "subject:", "please send", "sender:", "help", "questions",
		"http://", "https://", "reporting-mta", "message id", "envelope-from", "return-path", "x-", "received:", "you sent", "send mail to", "sender address", "originator", "visit "} {
		if strings.HasPrefix(low, w) {
			return "", 0, ""
		}
	}

	s := t
	rank = sure
	// Marks before the address.
	for _, p := range []string{"-- ", ">>> ", "* ", "- ", "• ", "· ", "> "} {
		s = strings.TrimPrefix(s, p)
	}
	// "550 5.1.1 <addr>... User unknown": the codes belong to the reason.
	codes := ""
	for n := 0; n < 3; n++ {
		w, rest, ok := strings.Cut(s, " ")
		w = strings.TrimSuffix(w, "-")
		if !ok || !(len(w) == 3 && isDigit(w[0]) && isDigit(w[1]) && isDigit(w[2]) || reply.Status(w) == w && w != "" || strings.HasPrefix(w, "#")) {
			break
		}
		codes += w + " "
		s = strings.TrimLeft(rest, " ")
	}
	if a, rest, ok := leadingAddress(s); ok {
		r := strings.TrimLeft(rest, " \t")
		switch {
		case r == "" && codes == "", r == ":" && codes == "":
			return a, sure, ""
		case strings.HasPrefix(r, "<mailto:"), strings.HasPrefix(r, "(mailto:"):
			return a, sure, ""
		case strings.HasPrefix(r, "<") && strings.HasSuffix(r, ">") && codes == "": // "a@b <a@b>"
			return a, sure, ""
		case strings.HasPrefix(r, ":"), strings.HasPrefix(r, "..."), strings.HasPrefix(r, "["), strings.HasPrefix(r, "("), strings.HasPrefix(r, ","), strings.HasPrefix(r, ";"), strings.HasPrefix(r, "-"), strings.HasPrefix(r, "…"):
			return a, sure, codes + strings.TrimLeft(r, ":.-,; ")
		case codes != "":
			return a, likely, codes + strings.TrimSpace(t[strings.Index(t, strings.TrimSpace(codes))+len(strings.TrimSpace(codes)):])
		}
		// "a@b on Thu, 29 Apr …", "a@b Invalid Address, ERROR_CODE :550", "a@b was not found".
		return a, likely, r
	}

	// A label before it.
	if i := strings.IndexByte(s, ':'); i > 0 && i < 60 {
		label := strings.ToLower(strings.TrimSpace(s[:i]))
		if a, rest, ok := leadingAddress(strings.TrimSpace(s[i+1:])); ok {
			switch label {
			case "to", "cc":
				return a, perhaps, ""
			case "rcpt to", "recipient", "recipient address", "recipients", "addressed to", "failed recipient", "failed recipients", "address", "could not be delivered to", "original recipient", "failed address", "undeliverable to", "to address", "envelope recipient", "rcpt", "delivery failed to", "error-for", "error for", "destinataire", "empfänger", "destinatario", "宛先", "受信者", "recipient(s)":
				return a, likely, rest
			}
			if strings.Contains(label, "deliver") || strings.Contains(label, "recipient") || strings.Contains(label, "following address") || strings.Contains(label, "fail") || strings.Contains(label, "user") || strings.Contains(label, "mailbox") || strings.Contains(label, "unknown") {
				return a, likely, t // the label is the reason: "Invalid final delivery userid: …"
			}
		}
	}

	// A sentence or an SMTP reply that names it.
	a := addressIn(t)
	if a == "" {
		return "", 0, ""
	}
	for _, w := range []string{"deliver", "message to", "mail to", "messages to", "email to", "e-mail to", "addressed", "recipient", "mailbox", "generated by", "expanded from", "unknown", "reject", "rcpt", "failed", "duplicated", "inbox", "no longer", "not reach", "not exist", "not found", "送信", "宛", "送達"} {
		if strings.Contains(low, w) {
			return a, perhaps, t
		}
	}
	for _, w := range []string{"user", "address", "account", "member"} {
		if strings.Contains(low, w) {
			return a, barely, t
		}
	}
	return "", 0, ""
}

// leadingAddress reads an address at the start of s: bare, in angle brackets or
// quotes, and returns what follows it.
func leadingAddress(s string) (addr, rest string, ok bool) {
	if s == "" {
		return "", "", false
	}
	end := 0
	switch s[0] {
	case '<':
		if end = strings.IndexByte(s, '>'); end < 0 {
			return "", "", false
		}
		addr, rest = s[1:end], s[end+1:]
	case '"', '\'':
		end = strings.IndexByte(s[1:], s[0])
		if end < 0 {
			return "", "", false
		}
		addr, rest = s[1:end+1], s[end+2:]
		if strings.HasPrefix(rest, "@") { // a quoted local part
			return "", "", false
		}
	default:
		for at := -1; end < len(s) && strings.IndexByte(" \t<>,;:()[]\"", s[end]) < 0; end++ {
			if s[end] == '@' {
				at = end
			}
			if at >= 0 && strings.HasPrefix(s[end:], "..") { // "a@b...User unknown"
				break
			}
			// Chinese and Japanese text follows an address without a blank.
			if s[end] >= 0x80 && at >= 0 && strings.IndexByte(s[at:end], '.') > 0 {
				break
			}
		}
		addr, rest = s[:end], s[end:]
		for strings.HasSuffix(addr, ".") {
			addr, rest = addr[:len(addr)-1], "."+rest
		}
	}
	addr = strings.TrimPrefix(addr, "mailto:")
	if !plausible(addr) {
		return "", "", false
	}
	return addr, rest, true
}

// addressIn returns the first address in a line, one in angle brackets before others.
func addressIn(s string) string {
	for i := 0; i < len(s); {
		j := strings.IndexByte(s[i:], '<')
		if j < 0 {
			break
		}
		if a, _, ok := leadingAddress(s[i+j:]); ok {
			return a
		}
		i += j + 1
	}
	for _, w := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" \t<>,;()[]\"'", r) }) {
		w, _, _ = strings.Cut(w, "...")
		w = strings.Trim(w, ".:!?")
		if i := strings.LastIndexByte(w, ':'); i >= 0 {
			w = w[i+1:]
		}
		if plausible(w) {
			return w
		}
	}
	return ""
}

// addressesIn returns all addresses of a header value.
func addressesIn(v string) []string {
	var out []string
	for _, w := range strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' }) {
		if w = strings.Trim(w, "<>;"); plausible(w) {
			out = append(out, w)
		}
	}
	return out
}

// plausible tells what may be a recipient in running text.
func plausible(a string) bool {
	at := strings.LastIndexByte(a, '@')
	if at <= 0 || at == len(a)-1 || len(a) > 320 || strings.ContainsAny(a, "<>()[]\\ \t\"/=|") && !strings.Contains(a[:at], "=") && !strings.Contains(a[:at], "/") {
		return false
	}
	d := a[at+1:]
	if strings.Contains(d, "..") {
		return false
	}
	for i := 0; i < len(d); i++ {
		c := d[i]
		if c < 0x80 && !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'z') && c != '.' && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

func isDaemon(a string) bool {
	l := strings.ToLower(a[:strings.LastIndexByte(a, '@')])
	return l == "mailer-daemon" || l == "mailer_daemon"
}

// boilerplate knows the sentences of bounces that say nothing of the cause.
func boilerplate(t string) bool {
	if strings.HasPrefix(t, "--") && strings.IndexByte(t, ' ') < 0 && len(t) > 6 { // a MIME boundary in a mail that lost its header
		return true
	}
	l := strings.ToLower(t[:min(len(t), 120)])
	if strings.HasPrefix(l, "from ") && strings.IndexByte(l, '@') > 0 && strings.Count(l, " ") <= 2 { // sendmail: whom the message came from
		return true
	}
	for _, p := range []string{"this message was created automatically", "a message that you sent could not", "a message that you have sent could not", "its recipients", "it's recipients", "recipients. this is a permanent", "failed:", "the following address", "your message", "hi. this is the", "i'm afraid i wasn't able", "this is a permanent error",
		"this is the postfix program", "this is the mail system at", "i'm sorry to have to inform", "be delivered to one or more", "below could not be delivered", "for further assistance", "if you do so, please", "delete your own text", "the postfix program", "the mail system",
		"the original message was received", "this is an automatically generated", "delivery to the following recipient", "technical details of", "this is the dragonfly mail", "message from", "hi!", "this is the mailer-daemon", "an error has occurred while attempting", "the following list of recipients",
		"----", "====", "****", "____", "////", "++++", "number of lines", "size (in bytes)", "sent date", "subject:", "sent:", "date:", "generating server", "diagnostic information for administrators", "for email administrators", "message will be retried", "does not need",
		"delivery has failed to these", "this report relates to", "message-id:", "this is a mime", "content-type:", "content-transfer", "content-disp", "content-desc", "mime-version", "did not reach the following", "google tried to deliver", "please do not reply", "do not reply", "message details:", "mail from:", "from:", "additional information", "original sender:", "sender-mta:", "remote-mta:", "reporting-mta:", "messagename:", "last-attempt-date:", "this condition occurred", "if you sent the email to multiple", "the message subject was", "the message date was", "the message identifier was", "the message reference was", "please consult the message", "the following recipients did not receive", "please reply to", "if you feel this message", "the following data may contain", "most likely there is", "original recipient", "you do not need to resend", "this is a warning message only",
		"このメール", "メールサーバー", "以下の"} {
		if strings.HasPrefix(l, p) {
			// Sentences that go on with the reason are kept.
			if strings.HasPrefix(l, "please ") || strings.HasPrefix(l, "if you feel") || strings.HasPrefix(l, "from:") || strings.HasPrefix(l, "mail from:") || strings.HasPrefix(l, "original sender:") || strings.Contains(l, "-mta:") || strings.HasPrefix(l, "messagename:") {
				return true
			}
			return !strings.Contains(l, "because") && !strings.Contains(l, "couldn't be") && !strings.Contains(l, " 5") && !strings.Contains(l, "<") && !strings.Contains(l, "was not delivered within") && !strings.Contains(l, "rejected") && !strings.Contains(l, "@")
		}
	}
	return false
}
