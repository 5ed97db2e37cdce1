package reader

import (
	"bytes"
	"strings"
)

// unixLines makes CRLF and lone CR into LF, in place.
func unixLines(b []byte) []byte {
	i := bytes.IndexByte(b, '\r')
	if i < 0 {
		return b
	}
	out := b[:i]
	for ; i < len(b); i++ {
		c := b[i]
		if c == '\r' {
			if i+1 < len(b) && b[i+1] == '\n' {
				continue
			}
			c = '\n'
		}
		out = append(out, c)
	}
	return out
}

// splitHead divides an entity into header and body at the first empty line. An
// entity that does not begin with a header field is all body.
func splitHead(b []byte) (head, body []byte) {
	if len(b) > 0 && b[0] == '\n' {
		return nil, b[1:]
	}
	for i := 0; i < len(b); {
		end := bytes.IndexByte(b[i:], '\n')
		line := b[i:]
		if end >= 0 {
			line = b[i : i+end]
		}
		if len(bytes.TrimRight(line, " \t")) == 0 {
			return b[:i], b[min(i+end+1, len(b)):]
		}
		if !isField(line) && line[0] != ' ' && line[0] != '\t' && !bytes.HasPrefix(line, []byte("From ")) && !bytes.HasPrefix(line, []byte(">From ")) {
			return b[:i], b[i:]
		}
		if end < 0 {
			break
		}
		i += end + 1
	}
	return b, nil
}

// isField tells whether a line begins with a header field's name and colon.
func isField(line []byte) bool {
	for i, c := range line {
		switch {
		case c == ':':
			return i > 0
		case c == ' ' || c == '\t': // obsolete syntax: blanks before the colon (RFC 5322 4.5.3)
			rest := bytes.TrimLeft(line[i:], " \t")
			return len(rest) > 0 && rest[0] == ':' && i > 0
		case c < '!' || c > '~':
			return false
		}
	}
	return false
}

// headerField returns the unfolded value of the first header field of that name
// (lower case), and whether there is one.
func headerField(head []byte, name string) (string, bool) {
	for len(head) > 0 {
		line, rest := cutLine(head)
		if hasName(line, name) {
			return unfold(line[bytes.IndexByte(line, ':')+1:], rest), true
		}
		head = rest
	}
	return "", false
}

func hasName(line []byte, name string) bool {
	if len(line) <= len(name) {
		return false
	}
	for i := 0; i < len(name); i++ {
		c := line[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != name[i] {
			return false
		}
	}
	for _, c := range line[len(name):] {
		if c == ':' {
			return true
		}
		if c != ' ' && c != '\t' {
			return false
		}
	}
	return false
}

// unfold joins a field's first line with its continuation lines (RFC 5322 2.2.3).
func unfold(first, rest []byte) string {
	if len(rest) == 0 || rest[0] != ' ' && rest[0] != '\t' {
		return string(bytes.TrimSpace(first))
	}
	var b strings.Builder
	b.Write(bytes.TrimSpace(first))
	for len(rest) > 0 && (rest[0] == ' ' || rest[0] == '\t') {
		var line []byte
		line, rest = cutLine(rest)
		if line = bytes.TrimSpace(line); len(line) == 0 {
			break
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.Write(line)
	}
	return b.String()
}

// param returns a parameter of a Content-Type or Content-Disposition value.
func param(value, name string) string {
	for {
		i := strings.IndexByte(value, ';')
		if i < 0 {
			return ""
		}
		value = strings.TrimLeft(value[i+1:], " \t")
		eq := strings.IndexByte(value, '=')
		if eq < 0 {
			return ""
		}
		key := strings.TrimSpace(value[:eq])
		v := strings.TrimLeft(value[eq+1:], " \t")
		if strings.HasPrefix(v, `"`) {
			var b strings.Builder
			j := 1
			for ; j < len(v) && v[j] != '"'; j++ {
				if v[j] == '\\' && j+1 < len(v) {
					j++
				}
				b.WriteByte(v[j])
			}
			if strings.EqualFold(key, name) {
				return b.String()
			}
			value = v[min(j+1, len(v)):]
			continue
		}
		if strings.EqualFold(key, name) {
			if j := strings.IndexAny(v, "; \t"); j >= 0 {
				v = v[:j]
			}
			return v
		}
		value = v
	}
}

// decodeWords decodes the encoded words of a header value (RFC 2047).
func decodeWords(s string) string {
	if !strings.Contains(s, "=?") {
		return utf8Text(s)
	}
	var out strings.Builder
	for {
		i := strings.Index(s, "=?")
		if i < 0 {
			break
		}
		p := strings.SplitN(s[i+2:], "?", 4)
		if len(p) < 4 || !strings.HasPrefix(p[3], "=") {
			break
		}
		if strings.TrimSpace(s[:i]) != "" || out.Len() == 0 {
			out.WriteString(s[:i])
		}
		data := []byte(p[2])
		if strings.EqualFold(p[1], "b") {
			data = unbase64(data)
		} else {
			data = unquoted(bytes.ReplaceAll(data, []byte{'_'}, []byte{' '}))
		}
		if j := strings.IndexByte(p[0], '*'); j >= 0 {
			p[0] = p[0][:j] // RFC 2231 5: language
		}
		out.WriteString(decodeText(data, p[0]))
		s = p[3][1:]
	}
	out.WriteString(s)
	return utf8Text(out.String())
}
