package reply

import "strings"

// Template returns a reply with everything that differs from mail to mail
// replaced: <email>, <ip>, <host>, <path>, <uuid>, <id> and <n>. Reply codes and
// words stay as they are, control characters become spaces. Replies of one
// wording have one template, which is what a report can count; no address is
// left in it.
func Template(reply string) string {
	if len(reply) > maxReply {
		reply = reply[:maxReply]
	}
	var b strings.Builder
	b.Grow(len(reply))
	space := false
	for i := 0; i < len(reply); {
		c := reply[i]
		if c <= ' ' || c == 0x7f {
			space = b.Len() > 0
			i++
			continue
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		if byteClass[c] == cDelim {
			b.WriteByte(c)
			i++
			continue
		}
		j := i
		for j < len(reply) && byteClass[reply[j]] != cDelim {
			j++
		}
		if k := strings.Index(reply[i:j], "://"); k > 0 {
			for j < len(reply) && reply[j] > ' ' && !strings.ContainsRune("<>\"')]", rune(reply[j])) {
				j++
			}
		}
		templateWord(&b, reply[i:j])
		i = j
	}
	return b.String()
}

func templateWord(b *strings.Builder, w string) {
	if k := strings.Index(w, ".."); k > 0 { // user@example.org...User unknown
		templateWord(b, w[:k])
		rest := strings.TrimLeft(w[k:], ".")
		b.WriteString(w[k : len(w)-len(rest)])
		if rest != "" {
			templateWord(b, rest)
		}
		return
	}
	// Punctuation around the word stays.
	start, end := 0, len(w)
	for start < end && byteClass[w[start]]&(cLetter|cDigit|cHigh) == 0 && w[start] != '@' {
		start++
	}
	for end > start && byteClass[w[end-1]]&(cLetter|cDigit|cHigh) == 0 && w[end-1] != '@' {
		end--
	}
	b.WriteString(w[:start])
	core := w[start:end]
	switch k := strings.IndexByte(core, '@'); {
	case core == "":
	case k >= 0:
		if c := strings.IndexByte(core[k:], ':'); c > 0 {
			b.WriteString("<email>:")
			templateWord(b, core[k+c+1:])
		} else {
			b.WriteString("<email>")
		}
	case strings.Contains(core, "://"):
		scheme, rest, _ := strings.Cut(core, "://")
		host, path := rest, ""
		if k := strings.IndexAny(rest, "/?#"); k >= 0 {
			host, path = rest[:k], rest[k:]
		}
		b.WriteString(scheme + "://")
		if isIPv4(host) {
			b.WriteString("<ip>")
		} else {
			b.WriteString(host)
		}
		if len(path) > 1 {
			b.WriteString("/<path>")
		} else {
			b.WriteString(path)
		}
	default:
		templateCore(b, core)
	}
	b.WriteString(w[end:])
}

func templateCore(b *strings.Builder, w string) {
	head, rest := w, ""
	if k := strings.IndexAny(w, ":/"); k > 0 {
		head, rest = w[:k], w[k:]
	}
	switch {
	case isIPv6(w):
		b.WriteString("<ip>")
		return
	case isIPv4(head):
		b.WriteString("<ip>")
		if rest != "" {
			b.WriteString(rest[:1])
			if rest[1:] != "" {
				templateWord(b, rest[1:])
			}
		}
		return
	case strings.IndexByte(head, '.') > 0 && isHost(head):
		b.WriteString("<host>")
		if rest != "" {
			b.WriteString(rest[:1])
			if rest[1:] != "" {
				templateWord(b, rest[1:])
			}
		}
		return
	case isUUID(w):
		b.WriteString("<uuid>")
		return
	}
	// The word's parts between punctuation. A run of letters and digits that no
	// person would write is an id.
	for i := 0; i < len(w); {
		if byteClass[w[i]]&(cLetter|cDigit|cHigh) == 0 {
			b.WriteByte(w[i])
			i++
			continue
		}
		if n := statusAt(w, i); n > 0 && (i == 0 || byteClass[w[i-1]]&(cLetter|cDigit) == 0) {
			b.WriteString(w[i : i+n])
			i += n
			continue
		}
		j, digits, letters, turns := i, 0, 0, 0
		for ; j < len(w) && byteClass[w[j]]&(cLetter|cDigit|cHigh) != 0; j++ {
			if byteClass[w[j]] == cDigit {
				digits++
			} else {
				letters++
			}
			if j > i && (byteClass[w[j]] == cDigit) != (byteClass[w[j-1]] == cDigit) {
				turns++
			}
		}
		switch run := w[i:j]; {
		case letters == 0 && i == 0 && len(run) == 3 && (run[0] == '2' || run[0] == '4' || run[0] == '5'):
			b.WriteString(run)
		case letters == 0:
			b.WriteString("<n>")
		case digits > 0 && len(run) >= 8 && (turns >= 2 || digits >= 4):
			b.WriteString("<id>")
		case len(run) >= 16 && mixedCase(run):
			b.WriteString("<id>")
		default:
			b.WriteString(run)
		}
		i = j
	}
}

// mixedCase says whether a run changes between cases more often than words put
// together in CamelCase do.
func mixedCase(w string) bool {
	turns := 0
	for i := 1; i < len(w); i++ {
		if w[i]&0x20 != w[i-1]&0x20 {
			turns++
		}
	}
	return turns*5 > len(w)*2
}

func isUUID(w string) bool {
	if len(w) != 36 {
		return false
	}
	for i := 0; i < len(w); i++ {
		c := w[i]
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return false
			}
		} else if byteClass[c] != cDigit && (c|0x20 < 'a' || c|0x20 > 'f') {
			return false
		}
	}
	return true
}
