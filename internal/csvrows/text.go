package csvrows

import (
	"encoding/binary"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// The values of List.Charset.
const (
	utf8Charset = "UTF-8"
	utf16LE     = "UTF-16LE"
	utf16BE     = "UTF-16BE"
	eightBit    = "8-bit"
	unitBytes   = 2 // of UTF-16
)

func units(text []byte) int {
	n := 0
	for len(text) > 0 {
		if len(text) >= 8 && binary.LittleEndian.Uint64(text)&0x8080808080808080 == 0 {
			n += 8
			text = text[8:]
			continue
		}
		if b := text[0]; b&0xc0 != 0x80 {
			n++ // the first byte of a character
			if b >= 0xf0 {
				n++
			}
		}
		text = text[1:]
	}
	return n
}

// appendUTF8 appends what UTF-16 src says to dst, as far as it is whole, and
// returns how many bytes that were. A lone surrogate becomes U+FFFD. At eof only
// half a unit is left over.
func appendUTF8(dst, src []byte, charset string, eof bool) ([]byte, int) {
	order := binary.ByteOrder(binary.LittleEndian)
	ascii, shift := uint64(0xff80ff80ff80ff80), 0
	if charset == utf16BE {
		order, ascii, shift = binary.BigEndian, 0x80ff80ff80ff80ff, 8
	}
	dst = slices.Grow(dst, len(src)/2)
	i := 0
	for i+1 < len(src) {
		if i+8 <= len(src) {
			// Four ASCII characters at once.
			if x := binary.LittleEndian.Uint64(src[i:]); x&ascii == 0 {
				x >>= shift
				dst = append(dst, byte(x), byte(x>>16), byte(x>>32), byte(x>>48))
				i += 8
				continue
			}
		}
		r := rune(order.Uint16(src[i:]))
		if utf16.IsSurrogate(r) {
			if i+3 >= len(src) {
				if r < 0xdc00 && !eof {
					break // its other half may follow
				}
			} else if pair := utf16.DecodeRune(r, rune(order.Uint16(src[i+2:]))); pair != utf8.RuneError {
				dst = utf8.AppendRune(dst, pair)
				i += 4
				continue
			}
			r = utf8.RuneError
		}
		dst = utf8.AppendRune(dst, r)
		i += 2
	}
	return dst, i
}

// appendUTF16 appends text in the given byte order to dst.
func appendUTF16(dst []byte, text string, charset string) []byte {
	order := binary.AppendByteOrder(binary.LittleEndian)
	if charset == utf16BE {
		order = binary.BigEndian
	}
	for _, r := range text {
		if r1, r2 := utf16.EncodeRune(r); r1 != utf8.RuneError {
			dst = order.AppendUint16(order.AppendUint16(dst, uint16(r1)), uint16(r2))
		} else {
			dst = order.AppendUint16(dst, uint16(r))
		}
	}
	return dst
}

// cut shortens a text to at most n characters.
func cut(s string, n int) string {
	for i := range s {
		if n--; n < 0 {
			return s[:i] + "…"
		}
	}
	return s
}

// looksLikeAddress reports whether a cell holds an address and little else. It
// is a glance for detection, not a judgement.
func looksLikeAddress(cell string) bool {
	if len(cell) > 400 || strings.IndexByte(cell, '@') < 0 && !strings.Contains(cell, "＠") && !strings.Contains(cell, "&#") {
		return false
	}
	for _, r := range [...][2]string{{"＠", "@"}, {"&#64;", "@"}, {"&#x40;", "@"}} {
		cell = strings.Replace(cell, r[0], r[1], 1)
	}
	const blank = " \t\r\n\u00a0\u200b\u200c\u200d\ufeff'\".,;"
	cell = strings.Trim(cell, blank)
	if i := strings.LastIndexByte(cell, '<'); i >= 0 && strings.HasSuffix(cell, ">") {
		cell = cell[i+1 : len(cell)-1]
	} else if i := strings.Index(cell, " ("); i > 0 && strings.HasSuffix(cell, ")") {
		cell = cell[:i]
	} else if i := strings.IndexAny(cell, ",; "); i > 0 && strings.Count(cell, "@") > 1 {
		cell = strings.Trim(cell[:i], blank) // several addresses: the first
	}
	if len(cell) > 7 && strings.EqualFold(cell[:7], "mailto:") {
		cell = cell[7:]
	}
	at := strings.LastIndexByte(cell, '@')
	if at <= 0 || len(cell) > 320 {
		return false
	}
	dot := strings.LastIndexByte(cell, '.')
	return dot > at+1 && dot < len(cell)-2 && !strings.ContainsAny(cell, " \t\r\n,;:/|\\\"<>()[]")
}
