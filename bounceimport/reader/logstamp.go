package reader

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"github.com/winnow-email/winnow/internal/anytime"
)

// looksLikeLog tells a mail server's log by the stamps of its first lines.
func looksLikeLog(head []byte) bool {
	lines, stamped := 0, 0
	for lines < 10 && len(head) > 0 {
		var line []byte
		line, head = cutLine(head)
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		lines++
		if _, rest, ok := logStamp(string(line[:min(len(line), 200)]), time.Unix(0, 0), time.UTC); ok && !strings.HasPrefix(rest, ",") && !strings.HasPrefix(rest, ";") {
			stamped++
		}
	}
	return stamped > 0 && stamped*2 > lines
}

// logStamp reads the time at the start of a log line and returns the rest: the
// BSD form without a year (RFC 3164), RFC 3339 (RFC 5424), Exim's, and TAI64N.
func logStamp(s string, now time.Time, loc *time.Location) (t time.Time, rest string, ok bool) {
	if len(s) > 3 && s[0] == '<' && isDigit(s[1]) { // syslog priority, and the version of RFC 5424
		if i := strings.IndexByte(s[:min(len(s), 6)], '>'); i > 0 {
			if s = s[i+1:]; strings.HasPrefix(s, "1 ") {
				s = s[2:]
			}
		}
	}
	switch {
	case len(s) > 15 && s[3] == ' ' && s[6] == ' ' && s[9] == ':' && s[12] == ':' && anytime.Month(s) > 0:
		d, ok1 := anytime.Digits(strings.TrimSpace(s[4:6]))
		h, mi, se, _, rest, ok2 := anytime.Clock(s[7:])
		if !ok1 || !ok2 {
			return t, s, false
		}
		// No year: the last time that this date was not in the future.
		y := now.Year()
		t = time.Date(y, time.Month(anytime.Month(s)), d, h, mi, se, 0, loc).UTC()
		if t.After(now.Add(maxAhead)) {
			t = time.Date(y-1, time.Month(anytime.Month(s)), d, h, mi, se, 0, loc).UTC()
		}
		return t, strings.TrimLeft(rest, " "), true
	case len(s) > 19 && s[4] == '-' && s[7] == '-' && s[13] == ':' && (s[10] == 'T' || s[10] == ' '):
		end := 19
		for end < len(s) && (isDigit(s[end]) || s[end] == '.') {
			end++
		}
		if end < len(s) && s[end] == 'Z' {
			end++
		} else if end+5 < len(s) && (s[end] == '+' || s[end] == '-') {
			end += 5
			if s[end-2] == ':' {
				end++
			}
		} else if end+6 <= len(s) && s[end] == ' ' && (s[end+1] == '+' || s[end+1] == '-') && isDigit(s[end+2]) && isDigit(s[end+5]) {
			end += 6 // Exim with log_timezone
		}
		if t, ok = anytime.ISO(s[:min(end, len(s))], loc); !ok || end >= len(s) || s[end] != ' ' {
			return t, s, false
		}
		return t, strings.TrimLeft(s[end:], " "), true
	case len(s) > 26 && strings.HasPrefix(s, "@4000"): // TAI64N (cr.yp.to/libtai)
		sec, err := strconv.ParseInt(s[2:17], 16, 64)
		if err != nil || s[25] != ' ' {
			return t, s, false
		}
		return time.Unix(sec-10, 0).UTC(), s[26:], true
	}
	return t, s, false
}
