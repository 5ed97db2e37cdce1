package reader

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/winnow-email/winnow/internal/shown"
)

// json reads a file of JSON: one object, an array, an object that holds an
// array of records, or one object a line (NDJSON).
func (d *reading) json(r *bufio.Reader) error {
	d.format("json")
	s := &jsonStream{d: d, r: r, line: 1}
	head, _ := r.Peek(peekSize)
	if byLine(head) {
		return s.lines()
	}
	for {
		c, err := s.next()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			switch c {
			case '[':
				err = s.array(1)
			case '{':
				err = s.object()
			default:
				err = errJSON
			}
		}
		switch {
		case err == nil:
		case err == errJSON || err == errJSONLarge || err == errJSONDeep || err == io.ErrUnexpectedEOF:
			if err == io.ErrUnexpectedEOF {
				err = errors.New("JSON that ends too early")
			}
			d.acct.Read++
			line, why := s.line, err.Error()
			more, rest := s.skipLine()
			if rest {
				why += "; what follows on its line was not read"
			}
			d.malformed(line, why)
			if !more {
				return nil
			}
		default:
			return err
		}
	}
}

// byLine tells whether each line is a record: the first one is a whole object,
// and another follows.
func byLine(head []byte) bool {
	head = bytes.TrimLeft(head, " \t\r\n")
	line, rest := cutLine(head)
	line = bytes.TrimSpace(line)
	if len(line) < 2 || line[0] != '{' || line[len(line)-1] != '}' {
		return false
	}
	rest = bytes.TrimLeft(rest, " \t\r\n")
	return len(rest) > 0 && rest[0] == '{'
}

// jsonStream reads JSON values one after the other.
type jsonStream struct {
	d    *reading
	r    *bufio.Reader
	buf  []byte
	line int64
	rec  jsonRecord
}

// lines reads one record a line. A line that is damaged costs no other.
func (s *jsonStream) lines() error {
	for {
		b, err := s.r.ReadSlice('\n')
		long := err == bufio.ErrBufferFull
		if long {
			s.buf = append(s.buf[:0], b...)
			for err == bufio.ErrBufferFull {
				b, err = s.r.ReadSlice('\n')
				if len(s.buf) <= maxRecordBytes {
					s.buf = append(s.buf, b...)
				}
			}
			b = s.buf
		}
		if err != nil && err != io.EOF {
			return fmt.Errorf("%s: %w", shown.Name(s.d.name), err)
		}
		line := s.line
		s.line++
		if t := bytes.TrimSpace(b); len(t) > 0 {
			switch {
			case len(t) > maxRecordBytes:
				s.d.acct.Read++
				s.d.malformed(line, errJSONLarge.Error())
			default:
				if e := s.record(t, line); e != nil {
					return e
				}
			}
		}
		if err == io.EOF {
			return nil
		}
	}
}

// next skips blanks and separators and returns the byte that begins a value, without taking it.
func (s *jsonStream) next() (byte, error) {
	for {
		c, err := s.r.ReadByte()
		if err == io.EOF {
			return 0, io.EOF
		}
		if err != nil {
			return 0, fmt.Errorf("%s: %w", shown.Name(s.d.name), err)
		}
		switch c {
		case '\n':
			s.line++
		case ' ', '\t', '\r', ',', 0x1e: // RFC 7464: record separator
		default:
			return c, s.r.UnreadByte()
		}
	}
}

// skipLine passes over the rest of a line. It says whether there may be more lines,
// and whether it held another record.
func (s *jsonStream) skipLine() (more, rest bool) {
	for {
		b, err := s.r.ReadSlice('\n')
		rest = rest || bytes.IndexByte(b, '{') >= 0
		if err == nil {
			s.line++
			return true, rest
		}
		if err != bufio.ErrBufferFull {
			return false, rest
		}
	}
}

// array reads the records of an array, which may stand in depth others.
func (s *jsonStream) array(depth int) error {
	if depth > maxJSONDepth {
		return errJSONDeep
	}
	s.r.ReadByte()
	for {
		c, err := s.next()
		if err == io.EOF {
			return io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
		switch c {
		case ']':
			s.r.ReadByte()
			return nil
		case '{':
			line := s.line
			s.buf = s.buf[:0]
			err := s.value()
			if err == errJSONLarge {
				s.d.acct.Read++
				s.d.malformed(line, err.Error())
				continue
			}
			if err == nil {
				err = s.record(s.buf, line)
			}
			if err != nil {
				return err
			}
		case '[':
			if err := s.array(depth + 1); err != nil {
				return err
			}
		case '"':
			// A bare list of addresses.
			s.buf = s.buf[:0]
			line := s.line
			if err := s.value(); err != nil {
				return err
			}
			if err := s.d.record(); err != nil {
				return err
			}
			s.d.format("json")
			e := s.d.event("json")
			e.Recipient, e.Hint, e.Verdict = jsonText(string(s.buf)), "esp_suppressed", "listed"
			if err := s.d.row(line, outcome{}); err != nil {
				return err
			}
		default:
			s.buf = s.buf[:0]
			if err := s.value(); err != nil {
				return err
			}
		}
	}
}

// wraps tells the names under which APIs return their records.
func wraps(key string) bool {
	switch strings.ToLower(key) {
	case "items", "suppressions", "suppresseddestinationsummaries", "results", "bounces", "events", "data", "contacts", "records", "blocks", "list", "entries", "rejects", "recipients", "complaints", "unsubscribes", "members", "messages", "content", "events_by_user", "value", "blockedcontacts":
		return true
	}
	return false
}

// object reads an object that is a record, or holds an array of records.
func (s *jsonStream) object() error {
	line := s.line
	s.r.ReadByte()
	s.buf = append(s.buf[:0], '{')
	found := false
	for {
		c, err := s.next()
		if err == io.EOF {
			return io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
		if c == '}' {
			s.r.ReadByte()
			break
		}
		if c != '"' {
			return errJSON
		}
		if len(s.buf) > 1 {
			s.buf = append(s.buf, ',')
		}
		at := len(s.buf)
		if err := s.value(); err != nil {
			return err
		}
		key := jsonText(string(s.buf[at:]))
		s.buf = append(s.buf, ':')
		if c, err = s.next(); err != nil || c != ':' {
			return errJSON
		}
		s.r.ReadByte()
		if c, err = s.next(); err != nil {
			return io.ErrUnexpectedEOF
		}
		if c == '[' && wraps(key) {
			b, _ := s.r.Peek(200)
			if b = bytes.TrimLeft(b[min(1, len(b)):], " \t\r\n"); len(b) > 0 && b[0] == '{' {
				keep := append([]byte(nil), s.buf[:at]...)
				if err := s.array(1); err != nil {
					return err
				}
				s.buf, found = append(s.buf[:0], bytes.TrimSuffix(keep, []byte{','})...), true
				continue
			}
		}
		if err := s.value(); err != nil {
			return err
		}
	}
	if found {
		return nil // what stands beside the records: paging, totals
	}
	s.buf = append(s.buf, '}')
	return s.record(s.buf, line)
}

// value appends the next value to buf as it stands.
func (s *jsonStream) value() error {
	depth, quoted, escaped, large := 0, false, false, false
	start := len(s.buf)
	end := func(b []byte) error {
		if s.take(b); large {
			return errJSONLarge
		}
		return nil
	}
	for {
		b, err := s.r.Peek(max(1, s.r.Buffered()))
		if len(b) == 0 {
			if err == io.EOF {
				return io.ErrUnexpectedEOF
			}
			return fmt.Errorf("%s: %w", shown.Name(s.d.name), err)
		}
		for i, c := range b {
			if quoted {
				switch {
				case escaped:
					escaped = false
				case c == '\\':
					escaped = true
				case c == '"':
					quoted = false
					if depth == 0 {
						return end(b[:i+1])
					}
				}
				continue
			}
			switch c {
			case '"':
				quoted = true
			case '{', '[':
				depth++
			case '}', ']':
				if depth == 0 { // the end of what a scalar stands in
					if i == 0 && len(s.buf) == start {
						return errJSON
					}
					return end(b[:i])
				}
				if depth--; depth == 0 {
					return end(b[:i+1])
				}
			case ',', ' ', '\n', '\t', '\r':
				if depth == 0 && (i > 0 || len(s.buf) > start) {
					return end(b[:i])
				}
			}
		}
		if s.take(b); len(s.buf)-start > maxRecordBytes {
			large = true
			s.buf = append(s.buf[:start], ' ') // its end is looked for all the same: others follow
		}
	}
}

func (s *jsonStream) take(b []byte) {
	s.line += int64(bytes.Count(b, []byte{'\n'}))
	s.buf = append(s.buf, b...)
	s.r.Discard(len(b))
}

// record reads one record.
func (s *jsonStream) record(b []byte, line int64) error {
	if err := s.d.record(); err != nil {
		return err
	}
	if err := s.rec.parse(string(b)); err != nil {
		s.d.malformed(line, err.Error())
		return nil
	}
	return s.d.jsonEvents(&s.rec, line, 0)
}

// mailedJSON reads a notification that came by mail. What follows it in the
// mail (SNS appends how to unsubscribe) is left alone.
func (d *reading) mailedJSON(b []byte, line int64) error {
	s := &jsonStream{d: d, r: bufio.NewReader(bytes.NewReader(b))}
	// Long lines were folded on the way: a line end within a string was a blank.
	if err := s.value(); err != nil {
		d.malformed(line, errJSON.Error())
		return nil
	}
	if err := s.rec.parse(string(s.buf)); err != nil {
		d.malformed(line, err.Error())
		return nil
	}
	d.byMail = true
	defer func() { d.byMail = false }()
	return d.jsonEvents(&s.rec, line, 0)
}
