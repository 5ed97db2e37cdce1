package validate

import (
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// Limits in octets: RFC 5321 4.5.3.1.1 (local part) and 4.5.3.1.3 (a path of
// 256 includes its two angle brackets), RFC 1035 2.3.4 (label, name).
const (
	maxLocal   = 64
	maxAddress = 254
	maxLabel   = 63
	maxDomain  = 253
)

// Classes of octets.
const (
	cAtext  = 1 << iota // RFC 5322 3.2.3
	cQtext              // RFC 5321 4.1.2, qtextSMTP
	cLDH                // lower-case letter, digit, hyphen
	cUpper              // upper-case letter
	cDigit              // digit
	cDtext              // RFC 5321 4.1.3, dcontent
	cLetter             // letter
)

var class = func() (t [256]uint8) {
	for c := 0x20; c < 0x7f; c++ {
		if c != '"' && c != '\\' {
			t[c] |= cQtext
		}
		if c > 0x20 && c != '[' && c != ']' && c != '\\' {
			t[c] |= cDtext
		}
		switch {
		case c >= 'a' && c <= 'z':
			t[c] |= cAtext | cLDH | cLetter
		case c >= 'A' && c <= 'Z':
			t[c] |= cAtext | cUpper | cLetter
		case c >= '0' && c <= '9':
			t[c] |= cAtext | cLDH | cDigit
		}
	}
	for _, c := range "!#$%&'*+-/=?^_`{|}~" {
		t[c] |= cAtext
	}
	t['-'] |= cLDH
	return t
}()

// ParseAddress takes a bare address (RFC 5321 4.1.2, RFC 6531 3.3) apart. It
// repairs nothing: spaces, angle brackets, comments and a final dot are errors.
// The error is a *SyntaxError.
func ParseAddress(s string) (Address, error) {
	if a, ok := parseCommon(s); ok {
		return a, nil
	}
	a, e := parseAny(s)
	if e != nil {
		return Address{}, e
	}
	return a, nil
}

// parseCommon parses the addresses that lists are made of: a dot-atom and a
// lower-case ASCII host name, all within the limits. It allocates nothing, and
// whatever it does not accept is left to parseAny.
func parseCommon(s string) (Address, bool) {
	if len(s) > maxAddress {
		return Address{}, false
	}
	i := 0
	for dot := true; ; i++ { // dot: a dot may not stand here
		if i == len(s) {
			return Address{}, false
		}
		c := s[i]
		if class[c]&cAtext != 0 {
			dot = false
			continue
		}
		if dot {
			return Address{}, false
		}
		if c == '@' {
			break
		}
		if c != '.' {
			return Address{}, false
		}
		dot = true
	}
	d := s[i+1:]
	if i > maxLocal || !isHostName(d) {
		return Address{}, false
	}
	return Address{Local: s[:i], Domain: d, Raw: s}, true
}

// isHostName reports whether d is a lower-case host name of two or more labels
// that needs no closer look: no upper case, no "--" where an A-label or a
// reserved label has it (RFC 5890 2.3.1), no numeric top-level label.
func isHostName(d string) bool {
	if len(d) > maxDomain {
		return false
	}
	start := 0
	for i := 0; i < len(d); i++ {
		c := d[i]
		if class[c]&cLDH != 0 {
			continue
		}
		if c != '.' || !isLabel(d[start:i]) {
			return false
		}
		start = i + 1
	}
	last := d[start:]
	return start > 0 && isLabel(last) && class[last[len(last)-1]]&class[last[0]]&cLetter != 0
}

func isLabel(l string) bool {
	n := len(l)
	return n > 0 && n <= maxLabel && l[0] != '-' && l[n-1] != '-' &&
		(n < 4 || l[2] != '-' || l[3] != '-')
}

func fail(code string, pos int, detail string) (Address, *SyntaxError) {
	return Address{}, &SyntaxError{Code: code, Pos: pos, Detail: detail}
}

// parseAny is the whole grammar, and finds the first thing that is wrong.
func parseAny(s string) (Address, *SyntaxError) {
	if s == "" {
		return fail("syntax_empty", 0, "there is no address")
	}
	// Control characters and malformed UTF-8 come before structure: with them in
	// it nothing else can be said of a string. Go's UTF-8 has no surrogates (RFC 3629 3).
	for i, r := range s {
		switch {
		case r == utf8.RuneError:
			if _, n := utf8.DecodeRuneInString(s[i:]); n == 1 {
				return fail("syntax_utf8", i, "the address is not valid UTF-8")
			}
		case r < 0x20 || r >= 0x7f && r < 0xa0:
			return fail("syntax_control", i, "the address contains a control character")
		}
	}
	if strings.IndexByte(s, '@') < 0 {
		return fail("syntax_no_at", 0, "there is no @ in the address")
	}
	if len(s) > 4*maxAddress { // no mapping can bring it down
		return fail("syntax_too_long", maxAddress, "an address is at most 254 octets long (RFC 5321 4.5.3.1.3)")
	}
	at, e := scanLocal(s)
	if e != nil {
		return Address{}, e
	}
	local, raw := s[:at], s[at+1:]
	size := len(local)
	if !isASCII(local) {
		size = max(size, len(norm.NFC.String(local))) // whichever form is sent (RFC 6532 3.1) must fit
	}
	if size > maxLocal {
		return fail("syntax_local_too_long", min(maxLocal, len(local)-1), "the part before the @ is longer than 64 octets (RFC 5321 4.5.3.1.1)")
	}
	dom, e := parseDomain(raw)
	if e != nil {
		e.Pos += at + 1
		return Address{}, e
	}
	if size+1+len(dom) > maxAddress {
		return fail("syntax_too_long", min(maxAddress, len(s)-1), "an address is at most 254 octets long (RFC 5321 4.5.3.1.3)")
	}
	return Address{Local: local, Domain: dom, Raw: s}, nil
}

// scanLocal checks the local part and returns the offset of the @ that ends it.
func scanLocal(s string) (int, *SyntaxError) {
	bad := func(code string, pos int, detail string) (int, *SyntaxError) {
		_, e := fail(code, pos, detail)
		return 0, e
	}
	switch {
	case s[0] == '"':
		return scanQuoted(s)
	case s[0] == '@':
		return bad("syntax_no_local", 0, "there is nothing before the @")
	}
	if i := strings.IndexByte(s, '<'); i >= 0 && s[len(s)-1] == '>' {
		return bad("syntax_display_name", i, "this is an address with angle brackets or a name; the bare address is wanted")
	}
	dot := true
	for i, r := range s {
		switch {
		case r < utf8.RuneSelf && class[r]&cAtext != 0:
			dot = false
		case r == '@':
			if dot {
				return bad("syntax_local_dot", i-1, "the part before the @ ends with a dot")
			}
			return i, nil
		case r == '.':
			if dot {
				return bad("syntax_local_dot", i, "a dot stands first or twice in a row before the @")
			}
			dot = true
		case r == '(' || r == ')':
			return bad("syntax_comment", i, "comments in parentheses are not part of an address that can be mailed")
		case r == '"':
			if i > 0 && dot {
				return bad("syntax_obsolete", i, "quoted and unquoted words are mixed, an obsolete form (RFC 5322 4.4)")
			}
			return bad("syntax_quote", i, "a quote may only stand around the whole part before the @")
		case r == ' ' || unicode.IsSpace(r) || unicode.Is(unicode.Z, r):
			return bad("syntax_space", i, "there is a space in the address")
		case r == '<' || r == '>':
			return bad("syntax_display_name", i, "there is an angle bracket in the address")
		case r < utf8.RuneSelf:
			return bad("syntax_local_char", i, "there is a character before the @ that no mailbox name may have: "+string(r))
		default:
			if e := checkLocalRune(s, i, r); e != nil {
				return 0, e
			}
			dot = false
		}
	}
	return bad("syntax_no_at", 0, "there is no @ in the address")
}

// scanQuoted reads a quoted string (RFC 5321 4.1.2, RFC 6532 3.2) that is the
// whole local part, and returns the offset of the @ behind it.
func scanQuoted(s string) (int, *SyntaxError) {
	bad := func(code string, pos int, detail string) (int, *SyntaxError) {
		_, e := fail(code, pos, detail)
		return 0, e
	}
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			i++ // the next octet is taken as it is; control characters have been refused
		case c == '"':
			if i+1 == len(s) {
				return bad("syntax_no_at", 0, "there is no @ in the address")
			}
			switch s[i+1] {
			case '@':
				return i + 1, nil
			case '.':
				return bad("syntax_obsolete", i+1, "quoted and unquoted words are mixed, an obsolete form (RFC 5322 4.4)")
			case '(':
				return bad("syntax_comment", i+1, "comments in parentheses are not part of an address that can be mailed")
			case ' ', '<':
				if strings.HasSuffix(s, ">") {
					return bad("syntax_display_name", i+1, "this is an address with a name before it; the bare address is wanted")
				}
			}
			return bad("syntax_quote", i+1, "there is text behind the closing quote")
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRuneInString(s[i:])
			if unicode.In(r, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp) {
				return bad("syntax_invisible", i, "there is an invisible character in the address")
			}
			i += n - 1
		}
	}
	return bad("syntax_quote", 0, "the opening quote is never closed")
}

// checkLocalRune checks a non-ASCII character outside of quotes. RFC 6531 would
// let every one pass; what providers that offer such mailboxes let pass is
// letters, marks and digits (RFC 8264 4.2, the PRECIS identifier class), and the
// full-width forms that an input method leaves behind.
func checkLocalRune(s string, i int, r rune) *SyntaxError {
	bad := func(code, detail string) *SyntaxError {
		_, e := fail(code, i, detail)
		return e
	}
	switch {
	case unicode.Is(unicode.M, r):
		if i == 0 {
			return bad("syntax_local_char", "a combining mark has no letter before it")
		}
	case unicode.In(r, unicode.L, unicode.N), isFullwidth(r), isEmoji(r):
	case r == 0xb7 || r == 0x30fb || r == 0x5f3 || r == 0x5f4: // letters in all but name: Catalan, Japanese, Hebrew
	case unicode.In(r, unicode.Cf, unicode.Co):
		return bad("syntax_invisible", "there is an invisible character in the address")
	default:
		return bad("syntax_local_char", "there is a symbol before the @ that no mailbox name has: "+string(r))
	}
	return nil
}

// isFullwidth reports whether r is the full-width form of an ASCII character,
// or one of the dots that IDNA maps to a full stop.
func isFullwidth(r rune) bool {
	return r >= 0xff01 && r <= 0xff5e || r == 0x3002 || r == 0xff61
}

// isEmoji reports whether r is a pictograph of the blocks that some registries
// outside ICANN's rules sell as domains, and some mail systems allow in names.
func isEmoji(r rune) bool {
	return r >= 0x2600 && r <= 0x27bf || r >= 0x1f000 && r <= 0x1faff
}

// mapping is UTS 46 non-transitional processing: case, width and NFC mapping,
// then the Bidi and joiner rules of RFC 5893 and RFC 5892 A. What IDNA2008 adds
// (no symbols, no punctuation) is checked by isPValid.
var mapping = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.Transitional(false), idna.StrictDomainName(true))

// parseDomain returns the A-label form of a domain. Positions are offsets in raw.
func parseDomain(raw string) (string, *SyntaxError) {
	bad := func(code string, pos int, detail string) (string, *SyntaxError) {
		_, e := fail(code, pos, detail)
		return "", e
	}
	if raw == "" {
		return bad("syntax_no_domain", 0, "there is nothing behind the @")
	}
	if raw[0] == '[' {
		return parseLiteral(raw)
	}
	ascii := true
	for i, r := range raw {
		switch {
		case r >= utf8.RuneSelf:
			ascii = false
			if unicode.Is(unicode.Z, r) {
				return bad("syntax_space", i, "there is a space in the domain")
			}
		case class[r]&(cLDH|cUpper) != 0 || r == '.':
		case r == '@':
			return bad("syntax_multiple_at", i, "there is more than one @")
		case r == ' ':
			return bad("syntax_space", i, "there is a space in the domain")
		case r == '(' || r == ')':
			return bad("syntax_comment", i, "comments in parentheses are not part of an address that can be mailed")
		case r == '<' || r == '>':
			return bad("syntax_display_name", i, "there is an angle bracket in the address")
		default:
			return bad("domain_char", i, "there is a character in the domain that host names do not have (RFC 1123 2.1): "+string(r))
		}
	}
	dom := raw
	if !ascii {
		for i, r := range raw {
			if unicode.In(r, unicode.Co) || unicode.Is(unicode.Cf, r) && r != 0x200c && r != 0x200d {
				return bad("syntax_invisible", i, "there is an invisible character in the domain")
			}
		}
	}
	if !ascii || aLabel(raw) >= 0 {
		mapped, err := mapping.ToUnicode(raw)
		if err == nil {
			dom, err = mapping.ToASCII(mapped)
		}
		if err != nil {
			if e := checkLabels(strings.ToLower(norm.NFKC.String(raw))); e != nil {
				e.Pos = min(e.Pos, len(raw)-1)
				return "", e
			}
			pos := firstNonASCII(raw)
			if pos == len(raw) {
				pos = max(0, aLabel(raw))
			}
			return bad("domain_idna_invalid", pos, "the international domain name is not valid (RFC 5891)")
		}
		if i := strings.IndexFunc(mapped, notPValid); i >= 0 && !isASCII(raw) {
			return bad("domain_idna_invalid", firstNonASCII(raw), "the domain has a symbol that international domain names may not have (RFC 5892)")
		}
	}
	dom = strings.ToLower(dom)
	if e := checkLabels(dom); e != nil {
		e.Pos = min(e.Pos, len(raw)-1)
		return "", e
	}
	return dom, nil
}

// checkLabels checks a lower-case ASCII domain name.
func checkLabels(d string) *SyntaxError {
	bad := func(code string, pos int, detail string) *SyntaxError {
		_, e := fail(code, pos, detail)
		return e
	}
	start, labels := 0, 0
	for i := 0; i <= len(d); i++ {
		if i < len(d) && d[i] != '.' {
			continue
		}
		l := d[start:i]
		n := len(l)
		switch {
		case n == 0 && i == len(d):
			return bad("domain_empty_label", i-1, "the domain ends with a dot")
		case n == 0:
			return bad("domain_empty_label", i, "a dot stands first or twice in a row in the domain")
		case n > maxLabel:
			return bad("domain_label_too_long", start+maxLabel, "a label of the domain is longer than 63 octets (RFC 1035 2.3.4)")
		case l[0] == '-':
			return bad("domain_hyphen", start, "a label of the domain begins with a hyphen (RFC 1123 2.1)")
		case l[n-1] == '-':
			return bad("domain_hyphen", i-1, "a label of the domain ends with a hyphen (RFC 1123 2.1)")
		case n >= 4 && l[2:4] == "--" && l[:2] != "xn":
			return bad("domain_hyphen", start+2, "hyphens in third and fourth place are reserved (RFC 5891 4.2.3.1)")
		}
		start = i + 1
		labels++
	}
	if len(d) > maxDomain {
		return bad("domain_too_long", maxDomain, "the domain is longer than 253 octets (RFC 1035 2.3.4)")
	}
	if labels < 2 {
		return bad("domain_not_fqdn", 0, "the domain has no dot: no mail goes to a top-level domain or a bare host name (RFC 7085)")
	}
	tld := d[strings.LastIndexByte(d, '.')+1:]
	if strings.Trim(tld, "0123456789") == "" {
		return bad("domain_numeric_tld", len(d)-len(tld), "the top-level domain is a number (RFC 3696 2); an IP address needs brackets")
	}
	return nil
}

// parseLiteral checks an address literal (RFC 5321 4.1.3).
func parseLiteral(raw string) (string, *SyntaxError) {
	bad := func(pos int, detail string) (string, *SyntaxError) {
		_, e := fail("domain_literal_invalid", pos, detail)
		return "", e
	}
	end := strings.IndexByte(raw, ']')
	if end < 0 {
		return bad(0, "the bracket behind the @ is never closed")
	}
	if end != len(raw)-1 {
		return bad(end+1, "there is text behind the closing bracket")
	}
	in := raw[1:end]
	if len(in) > 5 && strings.EqualFold(in[:5], "IPv6:") {
		ip, err := netip.ParseAddr(in[5:])
		if err != nil || !ip.Is6() || ip.Zone() != "" {
			return bad(6, "this is not an IPv6 address")
		}
		return "[IPv6:" + strings.ToLower(in[5:]) + "]", nil
	}
	ip, err := netip.ParseAddr(in)
	if err != nil || !ip.Is4() {
		return bad(1, "between the brackets there is no IP address; IPv6 needs its tag (RFC 5321 4.1.3)")
	}
	return raw, nil
}

// notPValid reports whether IDNA2008 (RFC 5892) disallows r in a U-label. Emoji
// pass: registries sell them, DNS resolves them; they are reported as exotic.
func notPValid(r rune) bool {
	if r < utf8.RuneSelf || unicode.In(r, unicode.L, unicode.Mn, unicode.Mc, unicode.Nd) || isEmoji(r) {
		return false
	}
	switch r {
	case 0xb7, 0x375, 0x5f3, 0x5f4, 0x30fb, 0x3007, 0x200c, 0x200d, 0x6fd, 0x6fe, 0xf0b: // RFC 5892 2.6, A
		return false
	}
	return true
}

// aLabel returns where the first label with the prefix of an A-label begins, or -1.
func aLabel(d string) int {
	for i := 0; i+4 <= len(d); i++ {
		if (i == 0 || d[i-1] == '.') && strings.EqualFold(d[i:i+4], "xn--") {
			return i
		}
	}
	return -1
}

func isASCII(s string) bool {
	for len(s) >= 8 { // eight at a time: the compiler makes one load of it
		if (uint64(s[0])|uint64(s[1])<<8|uint64(s[2])<<16|uint64(s[3])<<24|
			uint64(s[4])<<32|uint64(s[5])<<40|uint64(s[6])<<48|uint64(s[7])<<56)&0x8080808080808080 != 0 {
			return false
		}
		s = s[8:]
	}
	return firstNonASCII(s) == len(s)
}

func firstNonASCII(s string) int {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return i
		}
	}
	return len(s)
}

// Key returns the form under which an address is compared: the local part in
// lower case and NFC, the domain as lower-case A-labels.
func (a Address) Key() string {
	return string(a.AppendKey(make([]byte, 0, len(a.Local)+1+len(a.Domain))))
}

// AppendKey appends Key to dst. For an ASCII address it does not allocate when
// dst has room.
func (a Address) AppendKey(dst []byte) []byte {
	n := len(dst)
	for i := 0; i < len(a.Local); i++ {
		c := a.Local[i]
		if c >= utf8.RuneSelf {
			// Lower-casing can undo NFC and NFC can bring out a letter that has a lower case.
			dst = append(dst[:n], norm.NFC.String(strings.ToLower(norm.NFC.String(a.Local)))...)
			break
		}
		if class[c]&cUpper != 0 {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	dst = append(dst, '@')
	return append(dst, a.Domain...)
}
