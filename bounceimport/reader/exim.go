package reader

import "strings"

// eximLine reads a delivery line of mainlog (Exim specification, chapter 52):
// "1tEHqP-0000Ab-3C ** a@b <c@d> R=… T=… H=…: reason".
func eximLine(s string) ([]report, string, string) {
	const other = "log line about something else"
	flag, rest := eximFlag(s)
	if flag == "" {
		return nil, "", other
	}
	addr, tail, _ := strings.Cut(rest, " ")
	text := ""
	if strings.HasSuffix(addr, ":") { // "** a@b: Unrouteable address"
		addr, text, tail = strings.TrimSuffix(addr, ":"), tail, ""
	}
	r := report{rcpt: cleanRecipient(addr), action: flag}
	for { // "(parent)" and "<original>" of a generated address
		tail = strings.TrimLeft(tail, " ")
		if strings.HasPrefix(tail, "<") {
			if i := strings.IndexByte(tail, '>'); i > 0 {
				if a := tail[1:i]; looksLikeAddress(r.rcpt) {
					r.original = a
				} else {
					r.rcpt = a
				}
				if tail = tail[i+1:]; strings.HasPrefix(tail, ":") {
					text, tail = tail[1:], ""
				}
				continue
			}
		}
		if strings.HasPrefix(tail, "(") {
			if i := strings.IndexByte(tail, ')'); i > 0 {
				tail = tail[i+1:]
				continue
			}
		}
		break
	}
	if !looksLikeAddress(r.rcpt) {
		return nil, "", "a delivery without a recipient"
	}
	if h, ok := between(" "+tail, " H=", " "); ok {
		r.remote = strings.TrimSuffix(h, ":")
	}
	switch flag {
	case "*>", ">>":
		return nil, "", other
	case "=>", "->":
		r.reply, _ = between(tail, `C="`, `"`)
		return []report{r}, "delivered", ""
	}
	if text == "" {
		text = eximReason(tail, flag == "==")
	}
	r.reply, r.phase = strings.TrimSpace(text), phaseInText(text)
	if flag == "==" {
		return []report{r}, "delayed", ""
	}
	return []report{r}, "unknown", ""
}

// eximFlag finds the flag that says what became of a delivery, and what follows it.
func eximFlag(s string) (flag, rest string) {
	for _, f := range []string{" ** ", " == ", " => ", " -> ", " *> ", " >> "} {
		// The flag follows the message id, which may follow a process id.
		if i := strings.Index(s, f); i >= 0 && i < 80 && (flag == "" || i < len(s)-len(rest)-4) && !strings.Contains(s[:i], " R=") {
			flag, rest = strings.TrimSpace(f), s[i+4:]
		}
	}
	return flag, rest
}

// eximReason finds the reason behind the fields, whose values hold no colon before
// a blank.
func eximReason(tail string, deferred bool) string {
	text := tail
	quoted := false
	for i := 0; i+1 < len(tail); i++ {
		if tail[i] == '"' {
			quoted = !quoted
		}
		if tail[i] == ':' && tail[i+1] == ' ' && !quoted && i+2 < len(tail) {
			text = tail[i+2:]
			break
		}
	}
	if deferred {
		if i := strings.Index(tail, "defer ("); i >= 0 {
			if _, v, ok := strings.Cut(tail[i:], "): "); ok {
				if j := strings.LastIndex(v, " H="); j > 0 {
					v = v[:j] // the host comes after the reason
				}
				text = v
			}
		}
	}
	return text
}
