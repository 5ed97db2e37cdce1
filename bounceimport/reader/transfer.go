package reader

import (
	"bytes"
	"encoding/base64"
)

// unbase64 decodes as far as it goes, skipping what is not in the alphabet (RFC 2045 6.8).
func unbase64(b []byte) []byte {
	clean := make([]byte, 0, len(b))
	for _, c := range b {
		switch {
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', isDigit(c), c == '+', c == '/':
			clean = append(clean, c)
		case c == '=':
			for len(clean)%4 != 0 { // the end of one of several pieces
				clean = append(clean, '=')
				if len(clean)%4 == 0 {
					break
				}
			}
		}
	}
	out := make([]byte, 0, len(clean)*3/4)
	var quad [3]byte
	for len(clean) >= 4 {
		n, err := base64.StdEncoding.Decode(quad[:], clean[:4])
		if err != nil {
			n = 0
		}
		out = append(out, quad[:n]...)
		clean = clean[4:]
	}
	if len(clean) > 1 {
		n, _ := base64.RawStdEncoding.Decode(quad[:], clean)
		out = append(out, quad[:n]...)
	}
	return bytes.ReplaceAll(out, []byte("\r\n"), []byte("\n"))
}

// unquoted decodes quoted-printable (RFC 2045 6.7), leaving what is malformed as it is.
func unquoted(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] != '=' {
			out = append(out, b[i])
			continue
		}
		if i+2 < len(b) && unhex(b[i+1]) >= 0 && unhex(b[i+2]) >= 0 {
			out = append(out, byte(unhex(b[i+1])<<4|unhex(b[i+2])))
			i += 2
			continue
		}
		j := i + 1
		for j < len(b) && (b[j] == ' ' || b[j] == '\t') {
			j++
		}
		if j >= len(b) || b[j] == '\n' { // soft line break
			i = j
			continue
		}
		out = append(out, '=')
	}
	return bytes.ReplaceAll(out, []byte("\r\n"), []byte("\n"))
}

func unhex(c byte) int {
	switch {
	case isDigit(c):
		return int(c - '0')
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}
