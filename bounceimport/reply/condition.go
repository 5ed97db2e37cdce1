package reply

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// question is what the conditions of rules ask for.
type question struct {
	provider string
	index    int // of the provider, -1: not known
	phase    string
	code     int
	status   string
}

// condition is a "when:" line: every set part must hold.
type condition struct {
	provider []string
	phase    []string
	code     []string      // 550, 5xx
	status   []statusRange // 5.7.1, 5.7.*
}

func (c *condition) parse(s string) error {
	for _, w := range strings.Fields(s) {
		key, list, ok := strings.Cut(w, "=")
		values := strings.Split(list, ",")
		if !ok || slices.Contains(values, "") {
			return fmt.Errorf("when: want key=value[,value], got %q", w)
		}
		switch key {
		case "provider":
			c.provider = values
		case "phase":
			c.phase = values
		case "code":
			c.code = values
		case "status":
			for _, v := range values {
				r := parseStatusRange(v)
				if r == (statusRange{}) {
					return fmt.Errorf("when: status is 5.7.1, 5.7.* or 5.7.606-649, got %q", v)
				}
				c.status = append(c.status, r)
			}
		default:
			return fmt.Errorf("when: unknown condition %q; there are provider, phase, code and status", key)
		}
	}
	return nil
}

func (c *condition) empty() bool {
	return c.provider == nil && c.phase == nil && c.code == nil && c.status == nil
}

func (c *condition) holds(q *question) bool {
	if c.empty() {
		return true
	}
	if c.provider != nil && !slices.Contains(c.provider, q.provider) || c.phase != nil && !slices.Contains(c.phase, q.phase) {
		return false
	}
	if c.code != nil && !slices.ContainsFunc(c.code, func(want string) bool { return codeMatches(want, q.code) }) {
		return false
	}
	return c.status == nil || slices.ContainsFunc(c.status, func(want statusRange) bool { return want.matches(q.status) })
}

// codeMatches compares with 550, 55x or 5xx.
func codeMatches(want string, code int) bool {
	if len(want) != 3 {
		return false
	}
	for i, unit := range [...]int{100, 10, 1} {
		if want[i]|0x20 != 'x' && int(want[i]-'0') != code/unit%10 {
			return false
		}
	}
	return code > 0
}

// statusRange is a set of enhanced status codes: the first and the last value of
// each of the three numbers.
type statusRange [3][2]uint16

// parseStatusRange parses 5.7.1, 5.7.*, *.7.1 or 5.7.606-649; the zero value is
// the answer to anything else.
func parseStatusRange(s string) (r statusRange) {
	part := 0
	for p := range strings.SplitSeq(s, ".") {
		if part == 3 {
			return statusRange{}
		}
		lo, hi, ok := strings.Cut(p, "-")
		switch {
		case p == "*":
			lo, hi = "0", "999"
		case !ok:
			hi = lo
		}
		l, err1 := strconv.ParseUint(lo, 10, 16)
		h, err2 := strconv.ParseUint(hi, 10, 16)
		if err1 != nil || err2 != nil {
			return statusRange{}
		}
		r[part] = [2]uint16{uint16(l), uint16(h)}
		part++
	}
	if part != 3 {
		return statusRange{}
	}
	return r
}

func (r *statusRange) matches(status string) bool {
	part, n := 0, uint16(0)
	for i := 0; i <= len(status); i++ {
		if i < len(status) && status[i] != '.' {
			n = n*10 + uint16(status[i]-'0')
			continue
		}
		if part == 3 || n < r[part][0] || n > r[part][1] {
			return false
		}
		part, n = part+1, 0
	}
	return part == 3
}
