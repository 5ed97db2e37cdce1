package validate

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// CellAddress is one address found in a cell of a list.
type CellAddress struct {
	Address string   // repaired, to be parsed
	Repairs []string // what had to be done, as codes ("space", "quotes" …), in order; nil when nothing
}

// The codes of repairs. A repair is made for judging only: the cell stays as it
// is in every file that is written.
const (
	repairSpace       = "space"        // white space around the address
	repairInvisible   = "invisible"    // zero-width, no-break and direction characters
	repairEntity      = "entity"       // HTML entities: &#64;
	repairFullwidth   = "fullwidth"    // full-width forms, with ＠ among them
	repairMailto      = "mailto"       // mailto:, and labels such as "smtp:" and "email:"
	repairApostrophe  = "apostrophe"   // the apostrophe by which a spreadsheet marks text
	repairFormula     = "formula"      // ="a@b.example", =HYPERLINK("mailto:a@b.example")
	repairQuotes      = "quotes"       // the whole address in quotes
	repairBrackets    = "brackets"     // <a@b.example>, [a@b.example]
	repairDisplayName = "display_name" // a name before <a@b.example>
	repairComment     = "comment"      // a@b.example (work)
	repairSeveral     = "several"      // one of several addresses in the cell
	repairText        = "text"         // other words behind a comma or semicolon
	repairPunctuation = "punctuation"  // a comma, semicolon or the like around the address
	repairTrailingDot = "trailing_dot" // a dot behind the domain
)

// ParseCell finds the addresses in a cell of a list and appends them to dst:
// usually one, as it stands, in which case nothing is allocated beyond dst. An
// empty cell has none. What cannot be repaired without guessing (a space within
// the address, "a at b dot example") is returned as one address that ParseAddress
// will refuse. Addresses are substrings of cell where nothing had to be replaced.
func ParseCell(dst []CellAddress, cell string) []CellAddress {
	if isPlainCell(cell) {
		return append(dst, CellAddress{Address: cell})
	}
	return parseCell(dst, cell)
}

// isPlainCell reports whether a cell is of characters that stand in bare
// addresses only, with one @, and needs no closer look.
func isPlainCell(cell string) bool {
	n := len(cell)
	if n == 0 || cell[0] == '\'' || class[cell[n-1]]&(cLetter|cDigit) == 0 {
		return false
	}
	ats := 0
	for i := 0; i < n; i++ {
		c := cell[i]
		if class[c]&cAtext == 0 {
			if c == '@' {
				ats++
			} else if c != '.' {
				return false
			}
		}
	}
	return ats == 1
}

// maxCell is the size in octets up to which a cell is repaired. A longer one is
// no address, and a list of more than a hundred is no contact.
const maxCell = 8 << 10

// cellParser holds what was done to the cell as a whole.
type cellParser struct {
	dst   []CellAddress
	start int // of this cell's addresses in dst
	done  []string
}

func parseCell(dst []CellAddress, cell string) []CellAddress {
	p := cellParser{dst: dst, start: len(dst)}
	if len(cell) > maxCell {
		return p.add(cell, nil)
	}
	s := p.trim(cell)
	if s == "" {
		return dst
	}
	if s[0] != '\'' {
		if _, err := ParseAddress(s); err == nil {
			return p.add(s, nil)
		}
	}
	if t := unescapeEntities(s); t != s {
		p.note(repairEntity)
		s = t
	}
	if t := dropInvisible(s); t != s {
		p.note(repairInvisible)
		s = t
	}
	if strings.ContainsAny(s, "＠﹫，；、") {
		p.note(repairFullwidth)
		s = narrow(s)
	}
	if s = p.trim(s); s == "" {
		return dst
	}
	pieces, rest := splitCell(s)
	if len(pieces) == 1 && len(rest)+len(pieces[0]) < len(s) {
		if strings.Trim(rest, " \t\r\n,;|/:") == "" {
			p.note(repairPunctuation)
		} else {
			p.note(repairText)
		}
	}
	for _, piece := range pieces {
		p.piece(piece, len(pieces) > 1)
	}
	if len(p.dst) == p.start {
		return p.add(s, nil)
	}
	return p.dst
}

func (p *cellParser) note(code string) { p.done = addCode(p.done, code) }

// add appends an address of the cell, if it is not there yet.
func (p *cellParser) add(address string, repairs []string) []CellAddress {
	for i := p.start; i < len(p.dst); i++ {
		if p.dst[i].Address == address {
			return p.dst
		}
	}
	all := p.done
	for _, r := range repairs {
		all = addCode(all[:len(all):len(all)], r)
	}
	if len(all) == 0 {
		all = nil
	}
	p.dst = append(p.dst, CellAddress{Address: address, Repairs: all})
	return p.dst
}

func addCode(codes []string, code string) []string {
	for _, c := range codes {
		if c == code {
			return codes
		}
	}
	return append(codes, code)
}

// trim cuts white space off both ends and notes which kind it was.
func (p *cellParser) trim(s string) string {
	t, code := trimSpace(s)
	if code != "" {
		p.note(code)
	}
	return t
}

// trimSpace cuts white space and invisible characters off both ends. It returns
// the code of the repair, "" when there was nothing to cut.
func trimSpace(s string) (string, string) {
	code := ""
	cut := func(r rune) bool {
		switch {
		case r == ' ' || r >= '\t' && r <= '\r':
			if code == "" {
				code = repairSpace
			}
			return true
		case isInvisible(r) || isWideSpace(r):
			code = repairInvisible
			return true
		}
		return false
	}
	s = strings.TrimRightFunc(strings.TrimLeftFunc(s, cut), cut)
	return s, code
}

// isWideSpace reports whether r is one of the spaces beyond ASCII.
func isWideSpace(r rune) bool {
	return r == 0x85 || r == 0xa0 || r == 0x1680 || r >= 0x2000 && r <= 0x200a || r == 0x2028 || r == 0x2029 || r == 0x202f || r == 0x205f || r == 0x3000
}

// isInvisible reports whether r shows nothing: zero-width and direction
// characters, the soft hyphen, the byte order mark.
func isInvisible(r rune) bool {
	switch {
	case r < 0xad:
		return false
	case r == 0xad, r == 0x34f, r == 0x61c, r == 0x180e, r >= 0x200b && r <= 0x200f, r >= 0x202a && r <= 0x202e,
		r >= 0x2060 && r <= 0x206f, r == 0xfeff, r == 0xfff9, r == 0xfffa, r == 0xfffb:
		return true
	}
	return false
}

// dropInvisible takes invisible characters out. A joiner between two letters
// beyond ASCII is left: names of several scripts need it (RFC 5892 A.1, A.2).
func dropInvisible(s string) string {
	if strings.IndexFunc(s, isInvisible) < 0 {
		return s
	}
	var b strings.Builder
	last := rune(0)
	for i, r := range s {
		if isInvisible(r) {
			next, _ := utf8.DecodeRuneInString(s[i+utf8.RuneLen(r):])
			if r != 0x200c && r != 0x200d || last < utf8.RuneSelf || next < utf8.RuneSelf {
				continue
			}
		}
		last = r
		if r == utf8.RuneError {
			_, n := utf8.DecodeRuneInString(s[i:])
			b.WriteString(s[i : i+n]) // keep malformed bytes
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// narrow replaces full-width forms by the ASCII they stand for.
func narrow(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 0xff01 && r <= 0xff5e:
			return r - 0xff01 + '!'
		case r == 0xfe6b: // small commercial at
			return '@'
		case r == 0x3002 || r == 0xff61: // ideographic full stops
			return '.'
		case r == 0x3000:
			return ' '
		case r == 0x3001: // the Japanese comma
			return ','
		}
		return r
	}, s)
}

// unescapeEntities resolves the HTML entities that occur in addresses copied
// from web pages. An ampersand is legal in an address, so everything else stays.
func unescapeEntities(s string) string {
	if strings.IndexByte(s, '&') < 0 || strings.IndexByte(s, ';') < 0 {
		return s
	}
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '&')
		if i < 0 {
			break
		}
		b.WriteString(s[:i])
		s = s[i:]
		end := strings.IndexByte(s[:min(len(s), 10)], ';')
		r := rune(-1)
		if end > 0 {
			r = entity(s[1:end])
		}
		if r < 0 {
			b.WriteByte('&')
			s = s[1:]
			continue
		}
		b.WriteRune(r)
		s = s[end+1:]
	}
	b.WriteString(s)
	return b.String()
}

func entity(name string) rune {
	switch name {
	case "commat":
		return '@'
	case "lt":
		return '<'
	case "gt":
		return '>'
	case "quot":
		return '"'
	case "apos":
		return '\''
	case "amp":
		return '&'
	case "nbsp":
		return ' '
	case "period":
		return '.'
	case "lowbar":
		return '_'
	case "hyphen", "dash":
		return '-'
	}
	if len(name) < 2 || name[0] != '#' {
		return -1
	}
	digits, base := name[1:], 10
	if digits[0] == 'x' || digits[0] == 'X' {
		digits, base = digits[1:], 16
	}
	n, err := strconv.ParseUint(digits, base, 21)
	if err != nil || n < 0x20 || n >= 0x7f && n < 0xa0 || !utf8.ValidRune(rune(n)) {
		return -1
	}
	return rune(n)
}

// splitCell cuts a cell at the marks that stand between addresses, outside of
// quotes, brackets and comments. What has no @ is part of the next piece that
// has one (Doe, John <j@x.example>); rest is what follows the last.
func splitCell(s string) (pieces []string, rest string) {
	start := 0
	cut := func(i, n int) {
		if i < start || strings.IndexByte(s[start:i], '@') < 0 {
			return
		}
		pieces = append(pieces, s[start:i])
		start = i + n
	}
	depth := byte(0) // the closing mark that is waited for
	for i := 0; i < len(s); i++ {
		c := s[i]
		if depth != 0 {
			if c == '\\' && depth == '"' {
				i++
			} else if c == depth {
				depth = 0
			}
			continue
		}
		switch c {
		case '"', '<', '(':
			// Only what is closed again hides a separator.
			if end := closing(c); strings.IndexByte(s[i+1:], end) >= 0 {
				depth = end
			}
		case ',', ';', '\n', '\r', '|':
			cut(i, 1)
		case '/':
			// Legal in a local part: between two addresses only.
			if strings.IndexByte(s[i:], '@') >= 0 {
				cut(i, 1)
			}
		case ':':
			if strings.HasPrefix(s[i:], ":::") {
				cut(i, 3)
			}
		case ' ', '\t':
			// Between two bare addresses only.
			if bareAddress(s[start:i]) {
				rest := strings.TrimLeft(s[i:], " \t")
				end := strings.IndexAny(rest, " \t,;|\r\n")
				if end < 0 {
					end = len(rest)
				}
				if bareAddress(rest[:end]) {
					cut(i, 1)
				}
			}
		}
	}
	rest = s[start:]
	if len(pieces) == 0 || strings.IndexByte(rest, '@') >= 0 {
		return append(pieces, rest), ""
	}
	return pieces, rest
}

func bareAddress(s string) bool {
	if strings.IndexByte(s, '@') < 0 {
		return false
	}
	_, err := ParseAddress(strings.Trim(s, " \t"))
	return err == nil
}

func closing(open byte) byte {
	switch open {
	case '<':
		return '>'
	case '(':
		return ')'
	case '[':
		return ']'
	}
	return open
}

// piece repairs one piece of a cell. Every step takes something off the ends,
// so that the loop ends.
func (p *cellParser) piece(s string, several bool) {
	var repairs []string
	if several {
		repairs = append(repairs, repairSeveral)
	}
	for {
		t, code := repair(s)
		if code == "" {
			break
		}
		repairs = addCode(repairs, code)
		s = t
	}
	if s != "" {
		p.add(s, repairs)
	}
}

// hyperlink is the formula of a link, up to its address.
const hyperlink = `=HYPERLINK("`

// repair makes one repair and returns its code, or "".
func repair(s string) (string, string) {
	if s == "" {
		return s, ""
	}
	if t, code := trimSpace(s); code != "" {
		return t, code
	}
	first, last := s[0], s[len(s)-1]
	switch {
	case strings.IndexByte(s, '@') < 0:
		return s, ""
	case first == '=' && last == '"' && len(s) > 3 && s[1] == '"':
		return s[2 : len(s)-1], repairFormula
	case first == '=' && len(s) > len(hyperlink) && strings.EqualFold(s[:len(hyperlink)], hyperlink):
		s = s[len(hyperlink):]
		if i := strings.IndexByte(s, '"'); i >= 0 {
			s = s[:i]
		}
		return s, repairFormula
	case last == '>':
		if i := strings.LastIndexByte(s, '<'); i > 0 && strings.IndexByte(s[i:], '@') > 0 {
			return s[i+1 : len(s)-1], repairDisplayName
		} else if i == 0 {
			return s[1 : len(s)-1], repairBrackets
		}
		return s[:len(s)-1], repairBrackets
	case first == '<':
		if i := strings.IndexByte(s, '>'); i > 0 && strings.IndexByte(s[:i], '@') > 0 {
			return s[1:i], repairDisplayName // the name stands behind
		}
		return s[1:], repairBrackets
	case last == ']' && strings.LastIndexByte(s, '[') > 0 && strings.IndexByte(s[strings.LastIndexByte(s, '['):], '@') > 0:
		return s[strings.LastIndexByte(s, '[')+1 : len(s)-1], repairDisplayName
	case first == '[' && last == ']', first == '(' && last == ')' && strings.IndexByte(s, ')') == len(s)-1:
		return s[1 : len(s)-1], repairBrackets
	case first == '"' && last == '"' && len(s) > 1, first == '\'' && last == '\'' && len(s) > 1, first == '`' && last == '`' && len(s) > 1:
		return s[1 : len(s)-1], repairQuotes
	case first == '\'':
		return s[1:], repairApostrophe
	case last == '\'' || last == '"':
		return s[:len(s)-1], repairQuotes
	case last == ')':
		if i := strings.LastIndexByte(s, '('); i > 0 && strings.IndexByte(s[:i], '@') > 0 {
			return s[:i], repairComment
		}
	case first == '(':
		if i := strings.IndexByte(s, ')'); i > 0 && strings.IndexByte(s[i:], '@') > 0 {
			return s[i+1:], repairComment
		}
	case last == '.':
		return strings.TrimRight(s, "."), repairTrailingDot
	case strings.IndexByte(",;:!?|/\\", last) >= 0 && strings.LastIndexByte(s, '@') < len(s)-1:
		return s[:len(s)-1], repairPunctuation
	case first == ',' || first == ';' || first == ':' || first == '|':
		return s[1:], repairPunctuation
	}
	for _, q := range [...][2]string{{"“", "”"}, {"„", "“"}, {"‘", "’"}, {"«", "»"}, {"\"", "\""}, {"’", ""}, {"‘", ""}} {
		if strings.HasPrefix(s, q[0]) && strings.HasSuffix(s, q[1]) && len(s) > len(q[0])+len(q[1]) {
			if q[1] == "" {
				return s[len(q[0]):], repairApostrophe
			}
			return s[len(q[0]) : len(s)-len(q[1])], repairQuotes
		}
	}
	for _, label := range [...]string{"mailto:", "smtp:", "sip:", "email:", "e-mail:", "mail:"} {
		if len(s) > len(label) && strings.EqualFold(s[:len(label)], label) {
			s = s[len(label):]
			if i := strings.IndexByte(s, '?'); i > strings.IndexByte(s, '@') {
				s = s[:i] // mailto:a@b.example?subject=… (RFC 6068 2)
			}
			return s, repairMailto
		}
	}
	return s, ""
}
