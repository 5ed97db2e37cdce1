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
