package known

import (
	"bytes"
	"unsafe"
)

// foldProvider folds a key at a provider that is known to deliver several
// spellings to one mailbox: Gmail ignores dots and what follows a plus sign
// (support.google.com/mail/answer/7436150). Domains hosted at Google follow
// rules of their own and are not folded.
func foldProvider(key []byte) []byte {
	at := bytes.LastIndexByte(key, '@')
	if at <= 0 || key[0] == '"' {
		return key
	}
	if d := string(key[at+1:]); d != "gmail.com" && d != "googlemail.com" {
		return key
	}
	n := 0
	for _, c := range key[:at] {
		if c == '+' && n > 0 {
			break
		}
		if c != '.' {
			key[n] = c
			n++
		}
	}
	return append(key[:n], "@gmail.com"...)
}

// stringOf returns b as a string without copying it. b must not change while the
// string is in use.
func stringOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
