package reader

import "strings"

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
