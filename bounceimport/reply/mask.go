package reply

import (
	"strings"
	"unicode/utf8"
)

// MaxMasked is how many bytes of a reply AppendMasked keeps.
const MaxMasked = 512

// AppendMasked appends a reply made fit to be kept and shown: on one line,
// without control characters, at most 512 bytes, and with every local part in
// it as "***". local is the local part of the recipient, which servers also
// quote without its domain; it is masked where it is more than a plain word.
func AppendMasked(dst []byte, s, local string) []byte {
	start := len(dst)
	space := true // at the start, and after a space
	i := 0
	for i < len(s) && len(dst)-start < MaxMasked {
		c := s[i]
		switch {
		case c <= ' ' || c == 0x7f:
			if !space {
				dst = append(dst, ' ')
			}
			space = true
			i++
			continue
		case c == '@' && i+1 < len(s) && domainByte(s[i+1]):
			n := len(dst)
			for n > start && localByte(dst[n-1]) {
				n--
			}
			if n < len(dst) {
				dst = append(dst[:n], "***"...)
			}
			dst = append(dst, '@')
			i++
		case c == '%' && strings.HasPrefix(s[i:], "%40") && i+3 < len(s) && domainByte(s[i+3]): // in an URL
			n := len(dst)
			for n > start && localByte(dst[n-1]) && dst[n-1] != '=' && dst[n-1] != '/' && dst[n-1] != '?' && dst[n-1] != '&' {
				n--
			}
			dst = append(dst[:n], "***%40"...)
			i += 3
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 || r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x200e || r == 0x200f {
				r = utf8.RuneError // not text, C1 controls, and what turns the direction of writing
			}
			dst = utf8.AppendRune(dst, r)
			i += n
		default:
			dst = append(dst, c)
			i++
		}
		space = false
	}
	if i < len(s) {
		dst = maskCut(dst, start, s[i:])
	}
	if len(dst)-start > MaxMasked {
		cut := start + MaxMasked
		for !utf8.RuneStart(dst[cut]) {
			cut--
		}
		dst = dst[:cut]
	}
	for len(dst) > start && dst[len(dst)-1] == ' ' {
		dst = dst[:len(dst)-1]
	}
	if telling(local) {
		dst = maskWord(dst, start, local)
	}
	return dst
}

// maskCut masks a local part at the end of dst whose "@" is in the rest that does
// not fit any more.
func maskCut(dst []byte, start int, rest string) []byte {
	j := 0
	for j < min(len(rest), 320) && localByte(rest[j]) && !strings.HasPrefix(rest[j:], "%40") {
		j++
	}
	if rest = rest[j:]; !strings.HasPrefix(rest, "@") && !strings.HasPrefix(rest, "%40") {
		return dst
	}
	n := len(dst)
	for n > start && localByte(dst[n-1]) {
		n--
	}
	if n == len(dst) {
		return dst
	}
	return append(dst[:n], "***"...)
}

// telling says whether a local part found in a reply without its domain is the
// address, rather than a word of the language: "user", "unknown" and "info"
// stay, "jane.doe" goes.
func telling(local string) bool {
	return len(local) >= 4 && strings.ContainsAny(local, "0123456789._+-")
}

// maskWord replaces word by "***" where it stands alone in dst[start:].
func maskWord(dst []byte, start int, word string) []byte {
	for i := start; i+len(word) <= len(dst); i++ {
		if (i > start && wordByte(dst[i-1])) || (i+len(word) < len(dst) && wordByte(dst[i+len(word)])) || !equalFold(dst[i:i+len(word)], word) {
			continue
		}
		dst = append(append(dst[:i], "***"...), dst[i+len(word):]...)
		i = max(start, i-len(word)) - 1 // the stars may stand in the word themselves
	}
	return dst
}

// equalFold compares ASCII letters without regard to case.
func equalFold(b []byte, s string) bool {
	for i := range b {
		x, y := b[i], s[i]
		if x == y {
			continue
		}
		if x|0x20 != y|0x20 || x|0x20 < 'a' || x|0x20 > 'z' {
			return false
		}
	}
	return true
}

func letterOrDigit(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c >= utf8.RuneSelf
}

func wordByte(c byte) bool { return letterOrDigit(c) || c == '_' }

func domainByte(c byte) bool { return letterOrDigit(c) || c == '[' }

// localByte says whether c can be part of a local part as servers quote it:
// atext of RFC 5322 3.2.3, the dot, and "%" of percent-encoding.
func localByte(c byte) bool {
	return letterOrDigit(c) || strings.IndexByte(".!#$%&'*+-/=?^_`{|}~", c) >= 0
}
