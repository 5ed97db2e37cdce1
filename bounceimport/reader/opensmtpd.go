package reader

import "strings"

// opensmtpdLine reads `… to=<a@b> … relay="1.2.3.4 (mx)" result="PermFail" stat="550 …"`.
func opensmtpdLine(s string) ([]report, string, string) {
	to, _ := between(s, " to=<", ">")
	result, _ := between(s, ` result="`, `"`)
	stat := ""
	if i := strings.Index(s, ` stat="`); i >= 0 {
		stat = strings.TrimSuffix(strings.TrimSpace(s[i+len(` stat="`):]), `"`)
	}
	relay, _ := between(s, ` relay="`, `"`)
	if h, ok := between(relay, "(", ")"); ok {
		relay = h
	}
	if to = cleanRecipient(to); !looksLikeAddress(to) {
		return nil, "", "a delivery without a recipient"
	}
	r := []report{{rcpt: to, action: result, reply: stat, remote: firstWord(relay)}}
	switch result {
	case "PermFail":
		return r, "unknown", ""
	case "TempFail":
		return r, "delayed", ""
	case "Ok":
		return r, "delivered", ""
	}
	return nil, "", "result " + result
}
