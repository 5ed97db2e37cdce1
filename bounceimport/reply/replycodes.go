package reply

import "strings"

// Codes finds the basic reply code and the enhanced status code (RFC 3463)
// in a reply; 0 and "" when it holds none.
func Codes(s string) (code int, status string) {
	for i := 0; i+3 <= len(s); i++ {
		c := s[i]
		if c != '2' && c != '4' && c != '5' || i > 0 && s[i-1] < 0x80 && isWordByte(s[i-1]) {
			continue
		}
		switch {
		case s[i+1] == '.' && status == "":
			if n := statusAt(s, i); n > 0 {
				status = s[i : i+n]
				i += n
			}
		case code == 0 && isDigit(s[i+1]) && isDigit(s[i+2]) && s[i+1] <= '6' &&
			(i+3 == len(s) || s[i+3] == ' ' || s[i+3] == '-' || s[i+3] == '\t' || s[i+3] == '\n' || s[i+3] == '\r' || s[i+3] == ':' && (i+4 == len(s) || s[i+4] == ' ') || s[i+3] == '/' || s[i+3] == ',' || s[i+3] == ']' || s[i+3] == ')' || s[i+3] == '.' && (i+4 == len(s) || s[i+4] == ' ')):
			if i > 0 && !codeMayFollow(s[:i]) {
				continue
			}
			code = int(c-'0')*100 + int(s[i+1]-'0')*10 + int(s[i+2]-'0')
			i += 2
		}
		if code != 0 && status != "" {
			break
		}
	}
	return code, status
}

// codeMayFollow tells whether a number at the end of before is a reply code
// rather than a quantity or a part of a name ("port 587 ", "within 450 seconds").
func codeMayFollow(before string) bool {
	t := strings.TrimRight(before, " \t\r\n")
	if t == "" {
		return true
	}
	if t[len(t)-1] >= 0x80 { // Chinese and Japanese sentences end without a blank
		return true
	}
	switch t[len(t)-1] {
	case ':', ';', '(', '[', '<', '"', '\'', '|', '>', '#', '=', ',', '.', ')', '/', '-', '!', ']':
		return true
	}
	w := t[strings.LastIndexAny(t, " \t\r\n")+1:]
	switch strings.ToLower(w) {
	case "said", "with", "error", "response", "reply", "code", "smtp", "esmtp", "status", "returned", "was", "is", "recipienterror", "undefined", "rejected", "host", "command", "failed":
		return true
	}
	// An enhanced code before the basic one, as in "5.1.1 550 No such user".
	return w != "" && Status(w) == w
}

// Status returns the enhanced status code that s begins with, or "".
func Status(s string) string { return s[:statusAt(s, 0)] }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isWordByte(c byte) bool {
	return isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '.' || c >= 0x80
}
