package reader

import "strings"

// maxBlocks is how many recipients of one report are read.
const maxBlocks = 10_000

// statusBlocks divides a message/delivery-status (RFC 3464 2.1) into the fields
// of the message and those of each recipient. Blank lines that should part them
// are often missing or too many: a field that comes a second time begins the
// next recipient.
func statusBlocks(s string) (blocks []map[string]string, whole map[string]string) {
	whole = make(map[string]string)
	cur := whole
	fresh := false // a blank line was seen since the last field
	var last string
	for len(s) > 0 {
		line := s
		if i := strings.IndexByte(s, '\n'); i >= 0 {
			line, s = s[:i], s[i+1:]
		} else {
			s = ""
		}
		line = strings.TrimRight(line, " \t\r")
		if line == "" {
			fresh, last = true, ""
			continue
		}
		if line[0] == ' ' || line[0] == '\t' {
			if last != "" {
				unfolded(cur, last, line)
				continue
			}
			line = strings.TrimLeft(line, " \t") // some indent the whole report
		}
		if strings.HasPrefix(line, "--") {
			if len(blocks) > 0 {
				return blocks, whole // the next MIME part
			}
			continue
		}
		colon := strings.IndexByte(line, ':')
		if colon <= 0 || strings.IndexByte(line[:colon], ' ') >= 0 {
			if last == "diagnostic-code" { // folded without the blank
				unfolded(cur, last, line)
			}
			continue
		}
		name := strings.ToLower(line[:colon])
		value := strings.TrimSpace(line[colon+1:])
		switch name {
		case "final-recipient", "original-recipient", "action", "status":
			_, again := cur[name]
			_, hasFinal := cur["final-recipient"]
			if again || fresh && (hasFinal || len(blocks) == 0) || cur["final-recipient"] == "" && len(blocks) == 0 {
				if again || hasFinal || len(blocks) == 0 {
					cur = make(map[string]string)
					blocks = append(blocks, cur)
				}
			}
		}
		fresh = false
		if old, again := cur[name]; again && (name != "diagnostic-code" || wordsIn(old) >= wordsIn(value)) {
			last = ""
			continue
		}
		cur[name] = value
		last = name
	}
	return blocks, whole
}

// unfolded adds a continuation line to a field, up to more than any classifier reads.
func unfolded(f map[string]string, name, line string) {
	if len(f[name]) < maxSaid {
		f[name] += " " + strings.TrimSpace(line)
	}
}

func dsnReport(f map[string]string) report {
	r := report{rcpt: cleanRecipient(f["final-recipient"]), original: cleanRecipient(f["original-recipient"]), action: strings.ToLower(firstWord(f["action"])),
		status: statusOnly(f["status"]), remote: hostOf(f["remote-mta"]), date: f["last-attempt-date"]}
	if r.rcpt == "" {
		r.rcpt = r.original
	}
	r.reply = unSMTP(f["diagnostic-code"])
	if i := strings.IndexByte(f["status"], '('); r.reply == "" && i >= 0 { // "5.4.4 (Illegal host/domain name found)"
		r.reply = strings.Trim(f["status"][i:], "() ")
	}
	if r.action == "" && strings.HasPrefix(r.status, "2") {
		r.action = "delivered"
	}
	return r
}

// hostOf takes the name out of "dns; mx.example.org (192.0.2.1)".
func hostOf(v string) string {
	if i := strings.IndexByte(v, ';'); i >= 0 {
		v = v[i+1:]
	}
	return strings.TrimSuffix(firstWord(v), ".")
}
