package reader

import (
	"strings"

	"github.com/winnow-email/winnow/bounceimport/reply"
	"github.com/winnow-email/winnow/internal/anytime"
)

// maxSaid is how much of what a server said is put together from a mail; the
// classifier reads 4 KiB.
const maxSaid = 8 << 10

// statusOnly returns the enhanced status code at the start of s, as in
// "5.1.1 (bad destination mailbox address)", or "".
func statusOnly(s string) string {
	s = strings.TrimSpace(s)
	return reply.Status(s)
}

// withCode puts a reply together whose basic code stands in a column of its own.
func withCode(code, text string) (string, int) {
	n, ok := anytime.Digits(strings.TrimSpace(code))
	if !ok || n < 200 || n > 599 {
		return text, 0 // 0, or a number of the ESP's own (Mailgun: 605, 607)
	}
	switch c, _ := reply.Codes(text); {
	case c != 0:
		return text, c
	case text != "":
		return strings.TrimSpace(code) + " " + text, n
	}
	return text, n
}

// unSMTP cuts the type of a diagnostic off: "smtp;550 5.1.1 …" (RFC 3464 2.3.6).
func unSMTP(s string) string {
	if i := strings.IndexByte(s, ';'); i > 0 && i <= 12 && !strings.ContainsAny(s[:i], " \t<") {
		return strings.TrimSpace(s[i+1:])
	}
	return s
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
