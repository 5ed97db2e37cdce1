package reader

import "strings"

// sendmailLine reads "… to=<a@b>,<c@d>, …, relay=x. [1.2.3.4], dsn=5.1.1, reply=550 …, stat=User unknown".
func sendmailLine(s string) ([]report, string, string) {
	at := strings.LastIndex(s, ", stat=")
	if at < 0 {
		return nil, "", "log line about something else"
	}
	head, stat := s[:at], s[at+len(", stat="):]
	reply := ""
	if i := strings.Index(head, ", reply="); i >= 0 {
		head, reply = head[:i], head[i+len(", reply="):]
	}
	dsn, _ := between(head, ", dsn=", ",")
	relay, _ := between(head, ", relay=", ",")
	list, ok := between(head, " to=", ", ")
	if !ok {
		return nil, "", "log line about something else"
	}
	hint, low := "unknown", strings.ToLower(stat)
	switch {
	case strings.HasPrefix(low, "sent"):
		hint = "delivered"
	case strings.HasPrefix(low, "deferred"):
		hint = "delayed"
	case strings.HasPrefix(low, "queued"), strings.HasPrefix(low, "please try again later"):
		return nil, "", "stat " + stat
	}
	text := reply
	if wordsIn(text) < 2 {
		text = strings.TrimSpace(text + " " + stat)
	}
	if statusOnly(dsn) != "" && !strings.Contains(text, dsn) && reply == "" {
		text = dsn + " " + text
	}
	var out []report
	for _, a := range strings.Split(list, ",") {
		if a = cleanRecipient(a); looksLikeAddress(a) {
			out = append(out, report{rcpt: a, action: stat, reply: text, status: statusOnly(dsn), remote: strings.TrimSuffix(firstWord(relay), ".")})
		}
	}
	return out, hint, "a delivery without a recipient"
}
