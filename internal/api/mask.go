package api

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"strconv"
	"strings"
)

// A masker hides secrets in a text, in every form in which they are sent or come
// back in somebody's words: as they are, in Base64 behind a name (RFC 7617), URL-,
// JSON- or HTML-escaped, in hexadecimal. It knows the pieces of those forms, so
// that a secret that was cut off is hidden too.
type masker struct {
	pieces map[string]bool // of width bytes, in lower case
	short  []string        // whole forms that are shorter
}

const (
	pieceWidth = 8
	leastForm  = 4 // what is shorter would hide half of every text
)

func (m *masker) add(secret string) {
	if m.pieces == nil {
		m.pieces = map[string]bool{}
	}
	for _, f := range forms(secret) {
		f = lower(f)
		if len(f) < pieceWidth && len(f) >= leastForm {
			m.short = append(m.short, f)
		}
		for i := 0; i+pieceWidth <= len(f); i++ {
			m.pieces[f[i:i+pieceWidth]] = true
		}
	}
}

// forms returns what a secret looks like on its way.
func forms(s string) []string {
	if len(s) < leastForm {
		return nil
	}
	quoted, _ := json.Marshal(s) // a string always can
	js := string(quoted[1 : len(quoted)-1])
	var percent strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&percent, "%%%02x", s[i])
	}
	all := []string{
		s, js, strings.ReplaceAll(js, "/", `\/`), strings.Trim(strconv.Quote(s), `"`), html.EscapeString(s),
		url.QueryEscape(s), url.PathEscape(s), Escape(s, false), percent.String(), hex.EncodeToString([]byte(s)),
	}
	for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		all = append(all, enc.EncodeToString([]byte(s)))
		// Behind a name and a colon its bytes fall into three kinds of place, and the
		// characters at the ends are of the neighbours too.
		for shift, front := range []int{0, 2, 3} {
			b := enc.EncodeToString(append(make([]byte, shift), s...))
			tail := (3 - (shift+len(s))%3) % 3 // of them padding
			if tail > 0 {
				tail++
			}
			if front < len(b)-tail {
				all = append(all, b[front:len(b)-tail])
			}
		}
	}
	return all
}

// mask puts *** in place of every word that holds a secret.
func (m *masker) mask(s string) string {
	if len(m.pieces) == 0 && len(m.short) == 0 {
		return s
	}
	low := lower(s)
	hide := make([]bool, len(s))
	found := false
	mark := func(at, n int) {
		found = true
		for i := at; i < at+n; i++ {
			hide[i] = true
		}
	}
	for i := 0; i+pieceWidth <= len(low); i++ {
		if m.pieces[low[i:i+pieceWidth]] {
			mark(i, pieceWidth)
		}
	}
	for _, f := range m.short {
		for at := 0; ; at++ {
			i := strings.Index(low[at:], f)
			if i < 0 {
				break
			}
			at += i
			mark(at, len(f))
		}
	}
	if !found {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		end := i + 1
		for inWord(s[i]) && end < len(s) && inWord(s[end]) || hide[i] && end < len(s) && hide[end] {
			end++
		}
		secret := false
		for _, h := range hide[i:end] {
			secret = secret || h
		}
		if secret {
			b.WriteString("***")
		} else {
			b.WriteString(s[i:end])
		}
		i = end
	}
	return b.String()
}

// lower is strings.ToLower for ASCII only: every byte keeps its place.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// inWord says whether a byte can be of an encoded secret: around a piece that is
// known, such bytes are of the same secret.
func inWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c >= 0x80 || strings.IndexByte(`+/=_-%.~\`, c) >= 0
}
