package reader

import (
	"slices"
	"strings"

	"github.com/winnow-email/winnow/bounceimport/reply"
	"github.com/winnow-email/winnow/internal/shown"
)

// scanned is what the text of a bounce says, whoever wrote it.
type scanned struct {
	found []report
	left  int    // lines about recipients that were not read
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

// What is taken from one mail is bounded: a report about more recipients than
// this, or with longer lines, is none that a mail server sends.
const (
	maxRecipients  = 500
	maxReasonLines = 200
	maxTextLine    = 16 << 10
	maxLooked      = 256 << 10 // of the returned message, when recipients are looked for in it
)

// scanText finds the recipients in the text of a bounce and what is said of
// each. Mail servers write it in a hundred ways, but these come down to few:
// an address at the start of a line with the reason beside or below it, a
// labelled field, an SMTP transcript, a sentence. The kinds are ranked; the
// best that is there counts.
func scanText(b *bounce, failed string) scanned {
	to, _ := headerField(b.m.head, "to")
	s := &textScan{cur: -1, self: cleanRecipient(decodeWords(to)), failed: failed}
	for line := range strings.SplitSeq(b.body, "\n") {
		if t := strings.TrimSpace(line); t != "" && !boilerplate(t) {
			s.line(shown.Prefix(t, maxTextLine))
		}
	}
	return s.result(string(b.returned[:min(len(b.returned), maxLooked)]))
}

// textScan is the state of scanText.
type textScan struct {
	self   string // whom the bounce was sent to
	failed string // the header X-Failed-Recipients
	items  []textItem
	cur    int      // the item that lines belong to; -1: none
	left   int      // lines about recipients beyond the most that are read
	common []string // lines before the first recipient, and those of sections about all

	// Of a transcript:
	section           bool     // lines are about all recipients
	smtpTo, smtpPhase string   // the last RCPT TO, the last command
	pending           []string // refusals that no recipient has claimed yet
}

// textItem is a recipient that the text names.
type textItem struct {
	report
	rank   int
	talked bool // named in an SMTP dialogue
	text   []string
}

func (s *textScan) add(addr string, rank int, text string) {
	if i := slices.IndexFunc(s.items, func(it textItem) bool { return strings.EqualFold(it.rcpt, addr) }); i >= 0 {
		s.items[i].rank = max(s.items[i].rank, rank)
		s.cur = i
	} else if len(s.items) >= maxRecipients {
		s.cur = -1
		s.left++
		return
	} else {
		s.items = append(s.items, textItem{report: report{rcpt: addr}, rank: rank})
		s.cur = len(s.items) - 1
	}
	if it := &s.items[s.cur]; len(it.text) < maxReasonLines {
		if text = strings.TrimSpace(text); text != "" && !slices.Contains(it.text, text) {
			it.text = append(it.text, text)
		}
	}
}

// attach notes a line for the recipient that was named last, or for all.
func (s *textScan) attach(line string) {
	to := &s.common
	if s.cur >= 0 && !s.section {
		to = &s.items[s.cur].text
	}
	note(to, line)
}

func note(to *[]string, line string) {
	if len(*to) < maxReasonLines {
		*to = append(*to, line)
	}
}

// line reads one line of the text.
func (s *textScan) line(t string) {
	low := strings.ToLower(shown.Prefix(t, 200))
	switch cmd, said, ok := dialogue(t); {
	case ok:
		s.talk(cmd, said)
		return
	case strings.Contains(low, "transcript of session"), strings.Contains(low, "transcript of the session"), strings.Contains(low, "non-delivered information"):
		s.section = true
		return
	case strings.Contains(low, "addresses had"), strings.Contains(low, "address had"):
		s.section = false
		return
	}
	if i := indexFold(t, "mailing list <"); i >= 0 && i < 200 { // fml, Majordomo: "You are not a member of this mailing list <…>"
		if a, _, ok := leadingAddress(t[i+len("mailing list "):]); ok {
			s.add(a, sure+1, t)
			return
		}
	}
	addr, rank, text := recipientIn(t, low)
	summary := isDigit(t[0]) && strings.Contains(t, "...")
	switch {
	case addr != "" && summary:
		// sendmail: "550 <addr>... User unknown" sums up what stands before it. What
		// comes after it is about the next recipient.
		if before := strings.Join(s.pending, " "); wordsIn(before) >= 2 {
			text = before
		} else if before != "" {
			text = before + " " + text
		}
		s.add(addr, sure, text)
		s.cur, s.pending, s.section, s.smtpTo = -1, nil, true, ""
		return
	case s.section && addr == "" && summary: // "550 example.org (smtp)... 550 Host unknown"
		note(&s.pending, t)
	}
	mine := strings.EqualFold(addr, s.self) && !strings.EqualFold(addr, onlyAddress(s.failed))
	if addr == "" || mine && rank < sure || isDaemon(addr) {
		s.attach(t)
		return
	}
	s.add(addr, rank, text)
}

// talk reads a line of an SMTP dialogue: a command, or what was said to it.
func (s *textScan) talk(cmd, said string) {
	switch {
	case cmd != "":
		if s.smtpPhase = phaseOfCommand(cmd); s.smtpPhase == "rcpt" {
			if a := addressIn(cmd); a != "" {
				s.smtpTo = a
				if s.add(a, perhaps, ""); s.cur >= 0 {
					s.items[s.cur].phase, s.items[s.cur].talked = "rcpt", true
				}
			}
		}
	case strings.HasPrefix(said, "2"), strings.HasPrefix(said, "3"):
	default:
		note(&s.pending, said)
		if s.smtpTo != "" && s.smtpPhase == "rcpt" {
			s.add(s.smtpTo, perhaps, said)
		} else {
			note(&s.common, said)
		}
	}
}

// result is what the text comes to. Only the best kind of lines counts. A header
// of X-Failed-Recipients names them for certain.
func (s *textScan) result(returned string) scanned {
	best := 0
	for i := range s.items {
		best = max(best, s.items[i].rank)
	}
	named := addressesIn(s.failed)
	isNamed := func(a string) bool {
		return slices.ContainsFunc(named, func(n string) bool { return strings.EqualFold(n, a) })
	}
	both := slices.ContainsFunc(s.items, func(it textItem) bool { return isNamed(it.rcpt) })
	counts := s.sentences(best, returned)
	out := scanned{left: s.left, rest: strings.Join(s.common, " ")}
	for i := range s.items {
		it := &s.items[i]
		ok := it.rank == best && (counts == nil || it.talked || counts(i))
		if both || len(named) > 0 && best < sure {
			ok = isNamed(it.rcpt)
		}
		if !ok {
			if len(it.text) > 0 && len(s.items) > 1 {
				out.rest += " " + strings.Join(it.text, " ")
			}
			continue
		}
		it.reply = shown.Prefix(strings.Join(it.text, " "), maxSaid)
		out.found = append(out.found, it.report)
	}
	out.rest = shown.Prefix(strings.TrimSpace(out.rest), maxSaid)
	for _, a := range named {
		if best == sure && !both {
			break // the text contradicts the header, and goes with the reason
		}
		if !slices.ContainsFunc(out.found, func(r report) bool { return strings.EqualFold(r.rcpt, a) }) {
			out.found = append(out.found, report{rcpt: a})
		}
	}
	for i := range out.found {
		s.explain(&out, &out.found[i])
	}
	out.rest = tidy(out.rest)
	return out
}

// sentences says which of several addresses in mere sentences count: those that
// the returned message names; without one, the first. It is nil where all count.
func (s *textScan) sentences(best int, returned string) func(i int) bool {
	if best > perhaps {
		return nil
	}
	n, first := 0, -1
	for i := range s.items {
		if it := &s.items[i]; it.rank == best && !it.talked {
			if n++; first < 0 {
				first = i
			}
		}
	}
	if n <= 1 {
		return nil
	}
	inReturned := func(i int) bool { return indexFold(returned, strings.ToLower(s.items[i].rcpt)) >= 0 }
	for i := range s.items {
		if s.items[i].rank == best && inReturned(i) {
			return inReturned
		}
	}
	return func(i int) bool { return i == first }
}

// explain finds the reason where it does not stand beside the recipient.
func (s *textScan) explain(out *scanned, r *report) {
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
		if about := lineAbout(s.common, r.rcpt); about != "" {
			r.reply = strings.TrimSpace(r.reply + " " + about)
		} else {
			r.reply = strings.TrimSpace(r.reply + " " + out.rest)
		}
	}
	if r.phase == "" {
		r.phase = phaseInText(r.reply)
	}
	r.reply = tidy(r.reply)
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
