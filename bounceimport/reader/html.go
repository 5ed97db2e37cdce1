package reader

import "strings"

// htmlText takes the text out of HTML: tags away, block tags as line ends, the
// few entities that matter decoded, styles and scripts skipped.
func htmlText(s string) string {
	h := htmlScan{s: s}
	h.out.Grow(len(s))
	for h.i < len(s) {
		switch c := s[h.i]; c {
		case '<':
			h.tag()
		case '&':
			h.entity()
		default:
			h.out.WriteByte(c)
			h.i++
		}
	}
	return h.out.String()
}

// htmlScan is the state of htmlText.
type htmlScan struct {
	s       string
	i       int
	out     strings.Builder
	endless []string // ends that do not come any more: nobody looks for them again
}

// tag reads a tag at i.
func (h *htmlScan) tag() {
	end := strings.IndexByte(h.s[h.i:], '>')
	if end < 0 {
		h.out.WriteString(h.s[h.i:])
		h.i = len(h.s)
		return
	}
	at, tag := h.i, h.s[h.i+1:h.i+end]
	h.i += end + 1
	// An address in angle brackets that nobody escaped is not a tag.
	if at := strings.IndexByte(tag, '@'); at > 0 && !strings.ContainsAny(tag, " =\"") {
		h.out.WriteString("<" + tag + ">")
		return
	}
	name := tag
	if k := strings.IndexAny(name, " \t\n/>"); k > 0 {
		name = name[:k]
	}
	switch name = strings.ToLower(name); name {
	case "style", "script", "head", "title":
		if k := h.find(h.i, "</"+name); k >= 0 {
			h.i = k
		}
	case "br", "p", "/p", "div", "/div", "tr", "/tr", "li", "h1", "h2", "h3", "/h1", "/h2", "/h3", "pre", "/pre", "table", "/table", "hr", "blockquote", "/blockquote", "ul", "/ul":
		h.out.WriteByte('\n')
	case "td", "th", "/td":
		h.out.WriteByte(' ')
	case "!--":
		if k := h.find(at, "-->"); k >= 0 {
			h.i = k + len("-->")
		}
	}
}

// find returns where end, in lower case, stands from from on, or -1.
func (h *htmlScan) find(from int, end string) int {
	for _, e := range h.endless {
		if e == end {
			return -1
		}
	}
	if k := indexFold(h.s[from:], end); k >= 0 {
		return from + k
	}
	h.endless = append(h.endless, end)
	return -1
}

// entity reads what may be an entity at i.
func (h *htmlScan) entity() {
	n := min(len(h.s)-h.i, 10)
	k := strings.IndexByte(h.s[h.i:h.i+n], ';')
	if k < 0 {
		h.out.WriteByte('&')
		h.i++
		return
	}
	switch e := h.s[h.i+1 : h.i+k]; e {
	case "lt", "#60":
		h.out.WriteByte('<')
	case "gt", "#62":
		h.out.WriteByte('>')
	case "amp", "#38":
		h.out.WriteByte('&')
	case "quot", "#34":
		h.out.WriteByte('"')
	case "apos", "#39", "#x27":
		h.out.WriteByte('\'')
	case "nbsp", "#160":
		h.out.WriteByte(' ')
	case "#64":
		h.out.WriteByte('@')
	case "#8203", "shy", "zwnj":
	default:
		h.out.WriteString(h.s[h.i : h.i+k+1])
	}
	h.i += k + 1
}
