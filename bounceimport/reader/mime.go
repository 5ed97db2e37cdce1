package reader

import (
	"bytes"
	"strings"
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
