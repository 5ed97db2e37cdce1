package reader

import "strings"

// postfixLine reads "… to=<a@b>, relay=x[1.2.3.4]:25, …, dsn=5.1.1, status=bounced (text)".
func postfixLine(s string) ([]report, string, string) {
	at := strings.Index(s, " status=")
	if at < 0 {
		return nil, "", "log line about something else"
	}
	head, tail := s[:at], s[at+len(" status="):]
	status, text, _ := strings.Cut(tail, " ")
	status = strings.TrimRight(status, ",")
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "(") {
		text = strings.TrimSuffix(text[1:], ")")
	}
	to, _ := between(head, " to=<", ">")
	if to = cleanRecipient(to); !looksLikeAddress(to) {
		return nil, "", "a delivery without a recipient"
	}
	r := report{rcpt: to, action: status, reply: text}
	r.original, _ = between(head, "orig_to=<", ">")
	if v, ok := between(head, "relay=", ","); ok && v != "none" && v != "local" {
		r.remote = firstWord(v)
	}
	if v, ok := between(head, "dsn=", ","); ok {
		r.status = statusOnly(v)
	}
	r.phase = phaseInText(text)
	switch status {
	case "bounced", "undeliverable":
		return []report{r}, "unknown", ""
	case "expired":
		return []report{r}, "expired", ""
	case "deferred":
		return []report{r}, "delayed", ""
	case "sent", "deliverable":
		return []report{r}, "delivered", ""
	}
	return nil, "", "status " + status
}
