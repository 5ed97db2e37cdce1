package reader

import "strings"

// cleanRecipient takes an address out of what sources wrap it in: "<a@b>",
// "rfc822;a@b", "Name <a@b>", "mailto:a@b".
func cleanRecipient(s string) string {
	s = utf8Text(s)
	if i := strings.IndexByte(s, ';'); i >= 0 && strings.IndexByte(s[:i], '@') < 0 {
		s = strings.TrimSpace(s[i+1:]) // RFC 3464 2.3.1: address-type ";" generic-address
	}
	if i := strings.LastIndexByte(s, '<'); i >= 0 {
		if j := strings.IndexByte(s[i:], '>'); j > 0 {
			s = s[i+1 : i+j]
		} else {
			s = s[i+1:]
		}
	}
	s = strings.Trim(s, " \t\r\n<>,;")
	if len(s) > 7 && strings.EqualFold(s[:7], "mailto:") {
		s = s[7:]
	}
	return s
}

// looksLikeAddress is a quick look, not a check.
func looksLikeAddress(s string) bool {
	s = strings.Trim(s, " <>\"'")
	at := strings.LastIndexByte(s, '@')
	return at > 0 && at < len(s)-1 && len(s) <= 320 && !strings.ContainsAny(s, " \t")
}

// plausible tells what may be a recipient in running text.
func plausible(a string) bool {
	at := strings.LastIndexByte(a, '@')
	if at <= 0 || at == len(a)-1 || len(a) > 320 || strings.ContainsAny(a, "<>()[]\\ \t\"/=|") && !strings.Contains(a[:at], "=") && !strings.Contains(a[:at], "/") {
		return false
	}
	d := a[at+1:]
	if strings.Contains(d, "..") {
		return false
	}
	for i := 0; i < len(d); i++ {
		c := d[i]
		if c < 0x80 && !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'z') && c != '.' && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// onlyAddress returns the address of a header value that holds just one.
func onlyAddress(v string) string {
	if v == "" || strings.Count(v, "@") != 1 {
		return ""
	}
	if a := cleanRecipient(v); looksLikeAddress(a) {
		return a
	}
	return ""
}

// leadingAddress reads an address at the start of s: bare, in angle brackets or
// quotes, and returns what follows it.
func leadingAddress(s string) (addr, rest string, ok bool) {
	if s == "" {
		return "", "", false
	}
	end := 0
	switch s[0] {
	case '<':
		if end = strings.IndexByte(s, '>'); end < 0 {
			return "", "", false
		}
		addr, rest = s[1:end], s[end+1:]
	case '"', '\'':
		end = strings.IndexByte(s[1:], s[0])
		if end < 0 {
			return "", "", false
		}
		addr, rest = s[1:end+1], s[end+2:]
		if strings.HasPrefix(rest, "@") { // a quoted local part
			return "", "", false
		}
	default:
		for at := -1; end < len(s) && strings.IndexByte(" \t<>,;:()[]\"", s[end]) < 0; end++ {
			if s[end] == '@' {
				at = end
			}
			if at >= 0 && strings.HasPrefix(s[end:], "..") { // "a@b...User unknown"
				break
			}
			// Chinese and Japanese text follows an address without a blank.
			if s[end] >= 0x80 && at >= 0 && strings.IndexByte(s[at:end], '.') > 0 {
				break
			}
		}
		addr, rest = s[:end], s[end:]
		for strings.HasSuffix(addr, ".") {
			addr, rest = addr[:len(addr)-1], "."+rest
		}
	}
	addr = strings.TrimPrefix(addr, "mailto:")
	if !plausible(addr) {
		return "", "", false
	}
	return addr, rest, true
}

// addressIn returns the first address in a line, one in angle brackets before others.
func addressIn(s string) string {
	for i := 0; i < len(s); {
		j := strings.IndexByte(s[i:], '<')
		if j < 0 {
			break
		}
		if a, _, ok := leadingAddress(s[i+j:]); ok {
			return a
		}
		i += j + 1
	}
	for _, w := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" \t<>,;()[]\"'", r) }) {
		w, _, _ = strings.Cut(w, "...")
		w = strings.Trim(w, ".:!?")
		if i := strings.LastIndexByte(w, ':'); i >= 0 {
			w = w[i+1:]
		}
		if plausible(w) {
			return w
		}
	}
	return ""
}

// addressesIn returns all addresses of a header value.
func addressesIn(v string) []string {
	var out []string
	for _, w := range strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' }) {
		if w = strings.Trim(w, "<>;"); plausible(w) {
			out = append(out, w)
		}
	}
	return out
}
