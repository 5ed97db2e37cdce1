package reply

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxReply is how much of a reply is read. RFC 5321 4.5.3.1.5 allows 512 bytes
// a line; quoted transcripts are longer, and what counts stands near their ends
// as often as near their starts, so the limit is generous.
const maxReply = 4096

// segment is one reply inside a text: several stand in one text when a server
// quotes another one, or when a client sent several commands at once.
type segment struct {
	start  int    // in norm
	code   int    // basic code, 0 when there is none
	status string // enhanced code, "" when there is none
}

// text is a reply in normal form: words in lower case between single spaces
// (one at both ends), without accents, punctuation, reply codes and everything
// that the sender or the recipient chose: addresses become "@", IP addresses
// "%". A host name stays, as one word between "^", where no phrase of a rule can
// match it but a rule's host can. Letters outside the Latin script become "~"
// and four digits of base 36; Chinese and Japanese characters are words.
type text struct {
	norm []byte
	segs []segment
	addr string // the domain of the last address, where it is one
}

// The classes of bytes, as flags so that a word's bytes can be or-ed together.
const (
	cLetter = 1 << iota
	cDigit
	cDot
	cAt
	cColon
	cApostrophe
	cMark // other punctuation inside a word
	cHigh
	cDelim = 0
)

var byteClass = func() (t [256]uint8) {
	for c := range 256 {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
			t[c] = cLetter
		case c >= '0' && c <= '9':
			t[c] = cDigit
		case c >= 0x80:
			t[c] = cHigh
		}
	}
	t['.'], t['@'], t[':'], t['\''], t['`'] = cDot, cAt, cColon, cApostrophe, cApostrophe
	for _, c := range "#$%&*+-/=\\^_~" {
		t[c] = cMark
	}
	return t
}()

// normalise fills t from a reply.
func (t *text) normalise(s string) {
	if len(s) > maxReply {
		s = s[:maxReply]
	}
	t.norm = append(t.norm[:0], ' ')
	t.segs = append(t.segs[:0], segment{start: 1})
	t.addr = ""
	n := len(s)
	for i := 0; i < n; {
		f := byteClass[s[i]]
		if f == cDelim || f == cApostrophe {
			i++
			continue
		}
		j := i + 1
		for j < n {
			c := byteClass[s[j]]
			if c == cDelim {
				break
			}
			f |= c
			j++
		}
		if f == cLetter {
			for ; i < j; i++ {
				t.norm = append(t.norm, s[i]|0x20)
			}
			t.norm = append(t.norm, ' ')
			continue
		}
		i = t.word(s, i, j, f)
	}
}

// word adds the run s[i:j] of bytes without a delimiter, whose classes are f.
// It returns where to go on, which is not j when only a part was taken.
func (t *text) word(s string, i, j int, f uint8) int {
	// Punctuation around the word: "unknown." "#5.1.1" "...User" "--".
	for i < j && byteClass[s[i]]&(cLetter|cDigit|cHigh) == 0 {
		i++
	}
	if i == j {
		return j
	}
	if c := s[i]; c >= '0' && c <= '9' {
		if end := t.code(s, i); end > 0 {
			return end
		}
	}
	end := j
	for end > i && byteClass[s[end-1]]&(cLetter|cDigit|cHigh) == 0 {
		end--
	}
	w := s[i:end]
	if f&cDot != 0 {
		if k := strings.Index(w, ".."); k > 0 { // user@example.org...User unknown
			t.word(s, i, i+k, f)
			return i + k
		}
	}
	if f&cAt != 0 {
		if k := strings.IndexByte(w, '@'); k > 0 {
			t.addr = w[k+1:]
			if c := strings.IndexByte(w[k:], ':'); c > 0 { // user@example.org:unknown
				t.addr = w[k+1 : k+c]
				t.norm = append(t.norm, '@', ' ')
				return i + k + c
			}
			t.norm = append(t.norm, '@', ' ')
			return j
		}
	}
	if f&cColon != 0 {
		if k := strings.Index(w, "://"); k > 0 {
			for j < len(s) && s[j] > ' ' && s[j] != '>' && s[j] != '"' && s[j] != ')' && s[j] != ']' && s[j] != '\'' {
				j++
			}
			t.url(s[i+k+3 : j])
			return j
		}
		if isIPv6(w) {
			t.norm = append(t.norm, '%', ' ')
			return j
		}
	}
	if f&cDot != 0 && t.dotted(w) {
		return j
	}
	t.addWords(w)
	return j
}

// addWords adds w, split at its punctuation. Apostrophes join (doesn't: doesnt).
func (t *text) addWords(w string) {
	for i := 0; i < len(w); {
		c := w[i]
		switch f := byteClass[c]; {
		case f&cLetter != 0:
			t.norm = append(t.norm, c|0x20)
			i++
		case f&cDigit != 0:
			t.norm = append(t.norm, c)
			i++
		case c == '.' && i > 0 && i+1 < len(w) && byteClass[w[i-1]]&cDigit != 0 && byteClass[w[i+1]]&cDigit != 0:
			t.norm = append(t.norm, c)
			i++
		case f&cApostrophe != 0:
			i++
		case f&cHigh != 0:
			i += t.rune(w[i:])
		case c == '-' && i > 0 && w[i-1]|0x20 == 'e' && strings.HasSuffix(string(t.norm[max(0, len(t.norm)-2):]), " e") && len(w) >= i+5 && strings.EqualFold(w[i+1:i+5], "mail"):
			i++ // e-mail is email
		default:
			t.space()
			i++
		}
	}
	t.space()
}

func (t *text) space() {
	if t.norm[len(t.norm)-1] != ' ' {
		t.norm = append(t.norm, ' ')
	}
}

// plainLatin has the letters of U+00C0 to U+017F without their accents.
const plainLatin = "aaaaaaaceeeeiiii" + "dnooooo ouuuuyts" + "aaaaaaaceeeeiiii" + "dnooooo ouuuuyty" +
	"aaaaaaccccccccdd" + "ddeeeeeeeeeegggg" + "gggghhhhiiiiiiii" + "iiiijjkkklllllll" + "lllnnnnnnnnnoooo" + "oooorrrrrrssssss" + "ssttttttuuuuuuuu" + "uuuuwwyyyzzzzzzs"

const base36 = "0123456789abcdefghijklmnopqrstuvwxyz"

// rune adds the first letter of w, which is not ASCII, and returns its length.
func (t *text) rune(w string) int {
	r, size := utf8.DecodeRuneInString(w)
	if r == utf8.RuneError && size == 1 {
		r = rune(w[0]) // ISO 8859-1 is what servers send when they send no UTF-8
	}
	switch {
	case r < 0xA0, r == 0x2018, r == 0x2019, r == 0xFEFF, r == 0x200B:
		return size // C1, curly apostrophes, marks without a width
	case r == 0xDF || r == 0x1E9E:
		t.norm = append(t.norm, 's', 's')
	case r >= 0xC0 && r < 0x180:
		if c := plainLatin[r-0xC0]; c != ' ' {
			t.norm = append(t.norm, c)
		} else {
			t.space()
		}
	case r >= 0xFF01 && r <= 0xFF5E: // full-width ASCII
		if c := byte(r - 0xFF01 + '!'); byteClass[c]&cLetter != 0 {
			t.norm = append(t.norm, c|0x20)
		} else if byteClass[c]&cDigit != 0 {
			t.norm = append(t.norm, c)
		} else {
			t.space()
		}
	case !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r) && r != 0x30FC:
		t.space()
	default:
		cjk := r >= 0x2E80 && r < 0xA000 || r >= 0xAC00 && r < 0xD7B0 || r >= 0xF900 && r < 0xFB00 || r > 0x1FFFF
		if cjk {
			t.space()
		}
		r = unicode.ToLower(r)
		t.norm = append(t.norm, '~', base36[r/36/36/36], base36[r/36/36%36], base36[r/36%36], base36[r%36])
		if cjk {
			t.norm = append(t.norm, ' ')
		}
	}
	return size
}

// dotted adds w if it is an IP address or a host name, with or without a port
// or a path behind it.
func (t *text) dotted(w string) bool {
	host := w
	if k := strings.IndexAny(w, ":/"); k > 0 {
		host = w[:k]
	}
	if isIPv4(host) {
		t.norm = append(t.norm, '%', ' ')
		return true
	}
	if !isHost(host) {
		return false
	}
	t.host(host)
	if rest := w[len(host):]; strings.HasPrefix(rest, ":") {
		if k := strings.IndexFunc(rest, unicode.IsLetter); k > 0 { // example.org:unknown
			t.addWords(rest[k:])
		}
	}
	return true
}

// isHost says whether a word with a dot in it is a host name.
func isHost(w string) bool {
	last := strings.LastIndexByte(w, '.')
	if last <= 0 {
		return false
	}
	for i := 0; i < len(w); i++ {
		switch c := w[i]; {
		case byteClass[c]&(cLetter|cDigit) != 0, c == '-', c == '_':
		case c == '.':
			// A full stop without its space: "unavailable.Reject due to policy".
			if i+1 < len(w) && w[i+1] >= 'A' && w[i+1] <= 'Z' && i > 0 && w[i-1] >= 'a' && w[i-1] <= 'z' {
				return false
			}
		default:
			return false
		}
	}
	return isTLD(w[last+1:])
}

func (t *text) host(h string) {
	t.norm = append(t.norm, '^')
	for i := 0; i < len(h); i++ {
		c := h[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		t.norm = append(t.norm, c)
	}
	t.norm = append(t.norm, '^', ' ')
}

// url adds the host of a URL (without its scheme), and Gmail's p=… which names
// the reason; the rest of it is the sender's.
func (t *text) url(u string) {
	host := u
	if k := strings.IndexAny(u, "/?#:"); k >= 0 {
		host = u[:k]
	}
	if i := strings.IndexByte(host, '@'); i >= 0 {
		host = host[i+1:]
	}
	host = strings.TrimRight(host, ".,;")
	if isIPv4(host) || host == "" {
		t.norm = append(t.norm, '%', ' ')
	} else {
		t.host(host)
	}
	for _, key := range [...]string{"?p=", "&p="} {
		if _, v, ok := strings.Cut(u, key); ok {
			k := 0
			for k < len(v) && byteClass[v[k]]&cLetter != 0 {
				k++
			}
			t.norm = append(t.norm, 'p', ' ')
			t.addWords(v[:k])
		}
	}
}

// isIPv4 also takes the forms in which published replies hide an address: x.xx.xx.xx, #.#.#.#.
func isIPv4(w string) bool {
	dots, run := 0, 0
	for i := 0; i < len(w); i++ {
		switch c := w[i]; {
		case c == '.':
			if run == 0 {
				return false
			}
			dots, run = dots+1, 0
		case c >= '0' && c <= '9', c|0x20 == 'x', c == '#', c == '*':
			run++
		default:
			return false
		}
		if run > 3 {
			return false
		}
	}
	return dots == 3 && run > 0
}

func isIPv6(w string) bool {
	colons := 0
	for i := 0; i < len(w); i++ {
		c := w[i]
		switch {
		case c == ':':
			colons++
		case c >= '0' && c <= '9', c|0x20 >= 'a' && c|0x20 <= 'f', c == '.':
		default:
			return false
		}
	}
	return colons >= 2
}

// isTLD says whether a dotted name ending in label is taken for a host name.
// A country's two letters, or a generic name seen in replies; anything else
// (RESOLVER.ADR.RecipNotFound, winmail.dat) is words.
func isTLD(label string) bool {
	if len(label) == 2 {
		return byteClass[label[0]]&byteClass[label[1]]&cLetter != 0
	}
	if len(label) < 3 || len(label) > 9 {
		return false
	}
	var b [9]byte
	for i := 0; i < len(label); i++ {
		b[i] = label[i] | 0x20
	}
	switch string(b[:len(label)]) {
	case "com", "net", "org", "edu", "gov", "mil", "int", "biz", "info", "name", "pro", "mobi", "arpa", "aero", "coop", "cat", "asia", "tel",
		"jobs", "travel", "museum", "example", "invalid", "test", "local", "lan", "home", "corp", "internal", "localdomain",
		"app", "dev", "xyz", "top", "club", "site", "online", "shop", "store", "cloud", "email", "live", "news", "blog", "tech",
		"group", "agency", "digital", "global", "world", "life", "link", "zone", "systems", "solutions", "services", "network",
		"berlin", "hamburg", "koeln", "bayern", "wien", "swiss", "paris", "london", "tokyo", "moscow", "nyc", "bank", "goog", "google", "exn", "comn":
		return true
	}
	return false
}

// code takes a reply code or an enhanced status code at s[i:] out of the text,
// and starts a new segment where another reply begins. It returns where to go
// on, or 0 when there is no code at i.
func (t *text) code(s string, i int) int {
	cur := &t.segs[len(t.segs)-1]
	if n := statusAt(s, i); n > 0 {
		status := s[i : i+n]
		switch cur.status {
		case "":
			cur.status = status
		case status: // the next line of the same reply
		default:
			return 0
		}
		return i + n
	}
	if i+3 > len(s) || s[i] != '2' && s[i] != '4' && s[i] != '5' || s[i+1] > '9' || s[i+1] < '0' || s[i+2] > '9' || s[i+2] < '0' {
		return 0
	}
	end := i + 3
	if end < len(s) {
		if c := s[end]; byteClass[c]&(cLetter|cDigit|cHigh|cAt) != 0 || c == '_' || c == '%' || c == '/' || c == '.' && end+1 < len(s) && byteClass[s[end+1]]&cDigit != 0 {
			return 0
		}
	}
	code := int(s[i]-'0')*100 + int(s[i+1]-'0')*10 + int(s[i+2]-'0')
	p := end
	for p < len(s) && (s[p] == ' ' || s[p] == '-' || s[p] == '\'' || s[p] == '#' || s[p] == '(' || s[p] == '"' || s[p] == ':') && p < end+4 {
		p++
	}
	status := ""
	if n := statusAt(s, p); n > 0 {
		status, end = s[p:p+n], p+n
	}
	if status == "" {
		before := i - 1
		for before >= 0 && (s[before] == ' ' || s[before] == '\t') {
			before--
		}
		known := false
		for k := range t.segs {
			known = known || t.segs[k].code == code
		}
		if before >= 0 && !known && strings.IndexByte(":;'\"(<>|\n\r`=", s[before]) < 0 && !(before > 1 && s[before] == '.' && s[before-1] == '.') {
			return 0
		}
		if end >= len(s) || s[end] == ')' || s[end] == ']' {
			if cur.code == 0 {
				cur.code = code
			}
			return end
		}
	}
	if cur.code == code && (status == "" || cur.status == "" || status == cur.status) {
		if cur.status == "" {
			cur.status = status
		}
		return end
	}
	if cur.code == 0 && cur.start == len(t.norm) {
		if status == "" {
			status = cur.status
		}
		t.segs = t.segs[:len(t.segs)-1]
	}
	t.segs = append(t.segs, segment{start: len(t.norm), code: code, status: status})
	return end
}

// statusAt returns the length of the enhanced status code at s[i:] (RFC 3463 2), or 0.
func statusAt(s string, i int) int {
	if i+5 > len(s) || s[i] != '2' && s[i] != '4' && s[i] != '5' || s[i+1] != '.' {
		return 0
	}
	p := i + 2
	for range 2 {
		d := p
		for p < len(s) && byteClass[s[p]] == cDigit {
			p++
		}
		if p == d || p > d+3 {
			return 0
		}
		if d == i+2 {
			if p >= len(s) || s[p] != '.' {
				return 0
			}
			p++
		}
	}
	if p < len(s) {
		if c := s[p]; byteClass[c]&(cLetter|cHigh|cAt) != 0 || c == '.' && p+1 < len(s) && byteClass[s[p+1]]&cDigit != 0 {
			return 0
		}
	}
	return p - i
}
