package reader

import (
	"bytes"
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// A part is a leaf of a mail's MIME tree (RFC 2045): its header and its body as
// they stand in the mail, with line ends as LF.
type part struct {
	kind string // lower-case media type, without parameters
	head []byte
	body []byte
	inMH bool // inside a message/rfc822: of the returned mail, not of the bounce
}

// mail is a mail taken apart as far as a bounce reader needs: truncated,
// unterminated and wrongly labelled mails are taken as they come.
type mail struct {
	head  []byte
	parts []part
}

const (
	maxParts = 64
	maxNest  = 8
)

// parseMail takes a mail apart. It overwrites raw, which the parts point into.
func parseMail(raw []byte) *mail {
	raw = unixLines(raw)
	m := &mail{}
	var body []byte
	m.head, body = splitHead(raw)
	m.walk(m.head, body, 0, false)
	return m
}

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

// cutLine returns the first line of b without its end, and what follows.
func cutLine(b []byte) (line, rest []byte) {
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		return b[:i], b[i+1:]
	}
	return b, nil
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

func mediaType(contentType string) string {
	if i := strings.IndexAny(contentType, "; \t"); i >= 0 {
		contentType = contentType[:i]
	}
	return strings.ToLower(contentType)
}

func (m *mail) walk(head, body []byte, depth int, inMH bool) {
	if len(m.parts) >= maxParts {
		return
	}
	ct, _ := headerField(head, "content-type")
	kind := mediaType(ct)
	if kind == "" {
		kind = "text/plain" // RFC 2045 5.2
	}
	if strings.HasPrefix(kind, "multipart/") && depth < maxNest {
		boundary := param(ct, "boundary")
		if boundary == "" {
			boundary = guessBoundary(body)
		}
		if boundary != "" && m.split(body, boundary, depth, inMH) {
			return
		}
		kind = "text/plain" // no boundary in it: read what is there
	}
	m.parts = append(m.parts, part{kind, head, body, inMH})
}

// guessBoundary takes the first line that looks like one, for a header that lost its parameter.
func guessBoundary(body []byte) string {
	for n := 0; n < 50 && len(body) > 0; n++ {
		var line []byte
		line, body = cutLine(body)
		if bytes.HasPrefix(line, []byte("--")) && len(line) > 4 && bytes.IndexByte(line, ' ') < 0 {
			if next, _ := cutLine(body); isField(next) {
				return string(line[2:])
			}
		}
	}
	return ""
}

// split divides a multipart body (RFC 2046 5.1). The last part may lack its end.
func (m *mail) split(body []byte, boundary string, depth int, inMH bool) bool {
	delim := []byte("--" + strings.TrimRight(boundary, " \t"))
	start, found := -1, false
	for i := 0; i <= len(body); {
		j := bytes.Index(body[i:], delim)
		if j < 0 {
			break
		}
		j += i
		if j > 0 && body[j-1] != '\n' {
			i = j + len(delim)
			continue
		}
		line, _ := cutLine(body[j+len(delim):])
		tail := bytes.TrimRight(line, " \t")
		if len(tail) != 0 && !bytes.HasPrefix(tail, []byte("--")) {
			i = j + len(delim) // a longer boundary that begins like this one
			continue
		}
		if start >= 0 {
			m.entity(body[start:max(start, j)], depth, inMH)
		}
		found = true
		i = j + len(delim) + len(line) + 1
		start = min(i, len(body))
		if bytes.HasPrefix(tail, []byte("--")) {
			// What follows the end is an epilogue, or a second bounce that some
			// program appended; bounces have been seen there.
			return true
		}
	}
	if start >= 0 && start < len(body) {
		m.entity(body[start:], depth, inMH)
	}
	return found
}

func (m *mail) entity(b []byte, depth int, inMH bool) {
	head, body := splitHead(b)
	m.walk(head, body, depth+1, inMH)
}

// text returns the decoded text of a part: transfer encoding and charset undone,
// tags of HTML removed.
func (p *part) text() string {
	s := p.decoded()
	if strings.HasSuffix(p.kind, "/html") {
		s = htmlText(s)
	}
	return s
}

// decoded returns the body with its transfer encoding and charset undone.
func (p *part) decoded() string {
	b := p.body
	cte, _ := headerField(p.head, "content-transfer-encoding")
	switch enc := strings.ToLower(strings.TrimSpace(cte)); {
	case strings.HasPrefix(enc, "base64"):
		b = unbase64(b)
	case strings.HasPrefix(enc, "quoted-printable"):
		b = unquoted(b)
	}
	ct, _ := headerField(p.head, "content-type")
	return decodeText(b, param(ct, "charset"))
}

// unbase64 decodes as far as it goes, skipping what is not in the alphabet (RFC 2045 6.8).
func unbase64(b []byte) []byte {
	clean := make([]byte, 0, len(b))
	for _, c := range b {
		switch {
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', isDigit(c), c == '+', c == '/':
			clean = append(clean, c)
		case c == '=':
			for len(clean)%4 != 0 { // the end of one of several pieces
				clean = append(clean, '=')
				if len(clean)%4 == 0 {
					break
				}
			}
		}
	}
	out := make([]byte, 0, len(clean)*3/4)
	var quad [3]byte
	for len(clean) >= 4 {
		n, err := base64.StdEncoding.Decode(quad[:], clean[:4])
		if err != nil {
			n = 0
		}
		out = append(out, quad[:n]...)
		clean = clean[4:]
	}
	if len(clean) > 1 {
		n, _ := base64.RawStdEncoding.Decode(quad[:], clean)
		out = append(out, quad[:n]...)
	}
	return bytes.ReplaceAll(out, []byte("\r\n"), []byte("\n"))
}

// unquoted decodes quoted-printable (RFC 2045 6.7), leaving what is malformed as it is.
func unquoted(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] != '=' {
			out = append(out, b[i])
			continue
		}
		if i+2 < len(b) && unhex(b[i+1]) >= 0 && unhex(b[i+2]) >= 0 {
			out = append(out, byte(unhex(b[i+1])<<4|unhex(b[i+2])))
			i += 2
			continue
		}
		j := i + 1
		for j < len(b) && (b[j] == ' ' || b[j] == '\t') {
			j++
		}
		if j >= len(b) || b[j] == '\n' { // soft line break
			i = j
			continue
		}
		out = append(out, '=')
	}
	return bytes.ReplaceAll(out, []byte("\r\n"), []byte("\n"))
}

func unhex(c byte) int {
	switch {
	case isDigit(c):
		return int(c - '0')
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}

// decodeText makes UTF-8 of text in a named charset. Without a name, ISO-2022-JP
// is told by its escapes, and other bytes are taken for UTF-8, or else Windows-1252.
func decodeText(b []byte, charset string) string {
	ascii := true
	for _, c := range b {
		if c >= 0x80 || c == 0x1b {
			ascii = false
			break
		}
	}
	if ascii {
		return string(b)
	}
	if e := charsetOf(b, charset); e != nil {
		if s, err := e.NewDecoder().Bytes(b); err == nil {
			return string(s)
		}
	}
	return utf8Text(string(b))
}

func charsetOf(b []byte, name string) encoding.Encoding {
	name = strings.ToLower(strings.Trim(name, ` "'`))
	switch name {
	case "", "us-ascii", "ascii", "unknown-8bit", "x-unknown", "8bit", "iso-2022-jp", "iso-2022-jp-2", "iso-2022-jp-ms", "cp50220", "cp50221":
		switch {
		case bytes.Contains(b, []byte("\x1b$")) || bytes.Contains(b, []byte("\x1b(J")):
			return japanese.ISO2022JP
		case utf8.Valid(b):
			return nil
		}
		return guessCJK(b)
	case "utf-8", "utf8":
		return nil
	case "gb2312", "gbk", "cp936", "x-gbk", "gb18030":
		return simplifiedchinese.GB18030
	case "hz-gb-2312":
		return simplifiedchinese.HZGB2312
	case "x-sjis", "sjis", "cp932", "windows-31j", "ms_kanji", "shift-jis":
		return japanese.ShiftJIS
	case "ks_c_5601-1987", "cp949", "euckr":
		return korean.EUCKR
	}
	e, err := htmlindex.Get(name)
	if err != nil {
		return nil
	}
	return e
}

// guessCJK tells Shift_JIS and EUC-JP, which unlabelled Japanese bounces use,
// from other 8-bit text: all of it must decode.
func guessCJK(b []byte) encoding.Encoding {
	for _, e := range []encoding.Encoding{japanese.EUCJP, japanese.ShiftJIS} {
		s, err := e.NewDecoder().Bytes(b)
		if err != nil || bytes.ContainsRune(s, utf8.RuneError) {
			continue
		}
		kana := 0
		for _, r := range string(s) {
			if r >= 0x3040 && r < 0x3100 {
				kana++
			}
		}
		if kana > 3 {
			return e
		}
	}
	return nil
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

// htmlText takes the text out of HTML: tags away, block tags as line ends, the
// few entities that matter decoded, styles and scripts skipped.
func htmlText(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); {
		switch c := s[i]; c {
		case '<':
			j := strings.IndexByte(s[i:], '>')
			if j < 0 {
				b.WriteString(s[i:])
				i = len(s)
				continue
			}
			tag := s[i+1 : i+j]
			name := tag
			if k := strings.IndexAny(name, " \t\n/>"); k > 0 {
				name = name[:k]
			}
			name = strings.ToLower(name)
			// An address in angle brackets that nobody escaped is not a tag.
			if at := strings.IndexByte(tag, '@'); at > 0 && !strings.ContainsAny(tag, " =\"") {
				b.WriteString(s[i : i+j+1])
				i += j + 1
				continue
			}
			i += j + 1
			switch name {
			case "style", "script", "head", "title":
				if k := indexFold(s[i:], "</"+name); k >= 0 {
					i += k
				}
			case "br", "p", "/p", "div", "/div", "tr", "/tr", "li", "h1", "h2", "h3", "/h1", "/h2", "/h3", "pre", "/pre", "table", "/table", "hr", "blockquote", "/blockquote", "ul", "/ul":
				b.WriteByte('\n')
			case "td", "th", "/td":
				b.WriteByte(' ')
			case "!--":
				if k := strings.Index(s[i-j-1:], "-->"); k >= 0 {
					i = i - j - 1 + k + 3
				}
			}
		case '&':
			n := min(len(s)-i, 10)
			k := strings.IndexByte(s[i:i+n], ';')
			if k < 0 {
				b.WriteByte(c)
				i++
				continue
			}
			switch e := s[i+1 : i+k]; e {
			case "lt", "#60":
				b.WriteByte('<')
			case "gt", "#62":
				b.WriteByte('>')
			case "amp", "#38":
				b.WriteByte('&')
			case "quot", "#34":
				b.WriteByte('"')
			case "apos", "#39", "#x27":
				b.WriteByte('\'')
			case "nbsp", "#160":
				b.WriteByte(' ')
			case "#64":
				b.WriteByte('@')
			case "#8203", "shy", "zwnj":
			default:
				b.WriteString(s[i : i+k+1])
			}
			i += k + 1
		default:
			b.WriteByte(c)
			i++
		}
	}
	return b.String()
}

// indexFold is strings.Index without regard to ASCII case; sub is lower case.
func indexFold(s, sub string) int {
	if sub == "" {
		return 0
	}
	lo, up := sub[0], sub[0]
	if lo >= 'a' && lo <= 'z' {
		up = lo - 32
	}
	for i := 0; i+len(sub) <= len(s); i++ {
		if s[i] != lo && s[i] != up {
			continue
		}
		j := 1
		for ; j < len(sub); j++ {
			c := s[i+j]
			if c >= 'A' && c <= 'Z' {
				c += 'a' - 'A'
			}
			if c != sub[j] {
				break
			}
		}
		if j == len(sub) {
			return i
		}
	}
	return -1
}
