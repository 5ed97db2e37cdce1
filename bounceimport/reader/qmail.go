package reader

import "strings"

// A qmailLog remembers the deliveries that run: in qmail-send's log a delivery
// starts and ends on lines of their own that share a number.
type qmailLog struct {
	to map[string]string // number of a running delivery -> recipient
}

// maxDeliveries bounds what is remembered of qmail's running deliveries; it
// never runs more than a few hundred at a time.
const maxDeliveries = 10_000

func (l *qmailLog) line(s string) ([]report, string, string) {
	const other = "log line about something else"
	if i := strings.Index(s, "starting delivery "); i >= 0 {
		// starting delivery 1: msg 12345 to remote a@b
		num, rest, _ := strings.Cut(s[i+len("starting delivery "):], ":")
		if j := strings.Index(rest, " to "); j >= 0 {
			f := strings.Fields(rest[j+4:])
			if len(f) == 2 && looksLikeAddress(f[1]) {
				if l.to == nil || len(l.to) >= maxDeliveries {
					l.to = make(map[string]string)
				}
				l.to[strings.Clone(num)] = strings.Clone(f[1])
			}
		}
		return nil, "", other
	}
	i := strings.Index(s, "delivery ")
	if i < 0 {
		return nil, "", other
	}
	num, rest, ok := strings.Cut(s[i+len("delivery "):], ": ")
	if !ok {
		return nil, "", other
	}
	what, text, ok := strings.Cut(rest, ":")
	if !ok {
		return nil, "", other
	}
	to := l.to[num]
	delete(l.to, num)
	if to == "" {
		return nil, "", "a delivery whose start is not in the log"
	}
	// qmail writes blanks as "_" and line ends as "/".
	text = strings.TrimSpace(strings.ReplaceAll(strings.TrimRight(text, "/"), "_", " "))
	r := []report{{rcpt: to, action: strings.TrimSpace(what), reply: strings.ReplaceAll(text, "./", ". ")}}
	switch strings.TrimSpace(what) {
	case "failure":
		return r, "unknown", ""
	case "deferral":
		return r, "delayed", ""
	case "success":
		return r, "delivered", ""
	}
	return nil, "", other
}
