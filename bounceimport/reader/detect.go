package reader

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/winnow-email/winnow/internal/shown"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/unicode"
)

// stream finds out what r holds by its first bytes and reads it. Compressed
// streams are unpacked on the way, archives member by member.
func (d *reading) stream(r io.Reader, name string, layer int) (err error) {
	d.name = name
	defer func() {
		if d.yielding { // a fault of the caller's
			return
		}
		if fault := recover(); fault != nil {
			d.acct.Malformed += d.acct.Read - d.acct.Used - d.acct.Ignored - d.acct.Unmapped - d.acct.Malformed // the record at work
			err = &formError{d.name, fmt.Sprintf("%s (%v)", ownFault, fault), true}
		}
	}()
	err = d.layer(r, name, layer)
	if fault := (*damage)(nil); errors.As(err, &fault) {
		return &formError{d.name, fault.why, true}
	}
	return err
}

// ownFault begins the reason for which a file could not be read that no stranger
// should be able to cause: it costs that file and no other, and never the run.
const ownFault = "winnow fails on this file: please report it"

func (d *reading) layer(r io.Reader, name string, layer int) error {
	if layer > maxLayers {
		return errLayers
	}
	in := r
	if layer == 0 {
		d.budget.in.r = r
		in = &d.budget.in
	}
	br := bufio.NewReaderSize(in, peekSize)
	head, err := br.Peek(peekSize)
	if err != nil && err != io.EOF {
		return fmt.Errorf("%s: %w", shown.Name(name), err)
	}
	switch kind := packing(head); kind {
	case "":
		return d.text(br, name, head)
	case "zip":
		err := members(r, br, name, &d.budget, func(member io.Reader, name string) error {
			err := d.stream(member, name, layer+1)
			if fe := (*formError)(nil); errors.As(err, &fe) {
				d.acct.skip(fe) // one strange member among many costs no other
				return nil
			}
			return err
		})
		d.name = name
		return err
	default:
		z, end, err := unpack(kind, br, &d.budget)
		if err != nil {
			return fmt.Errorf("%s: %w", shown.Name(name), err)
		}
		defer end()
		return d.stream(z, name, layer+1)
	}
}

// text reads what is not compressed.
func (d *reading) text(br *bufio.Reader, name string, head []byte) error {
	if enc := wideText(head); enc != nil {
		br = bufio.NewReaderSize(enc.NewDecoder().Reader(br), peekSize)
		head, _ = br.Peek(peekSize)
	}
	if bytes.HasPrefix(head, []byte("\xef\xbb\xbf")) {
		br.Discard(3)
		head = head[3:]
	}
	body := bytes.TrimLeft(head, " \t\r\n")
	switch {
	case len(body) == 0:
		if len(head) < peekSize {
			d.format("empty")
			return nil
		}
		return unknownForm(name)
	case bytes.IndexByte(body, 0) >= 0:
		return unknownForm(name)
	}
	switch form(head) {
	case "json":
		return d.json(br)
	case "log":
		return d.logs(br)
	case "mbox":
		return d.mbox(br)
	case "mail":
		return d.mail(br)
	}
	return d.csv(br)
}

// form tells what text it is by how it begins.
func form(head []byte) string {
	body := bytes.TrimLeft(head, " \t\r\n")
	if bytes.IndexByte(body, '\n') < 0 && bytes.IndexByte(body, '\r') >= 0 {
		body = unixLines(bytes.Clone(body))
	}
	line, rest := cutLine(body)
	if bytes.HasPrefix(line, []byte("From ")) {
		if next, _ := cutLine(rest); isField(next) {
			return "mbox"
		}
	}
	if looksLikeJSON(body) {
		return "json"
	}
	if looksLikeMail(body) {
		return "mail"
	}
	if looksLikeLog(body) {
		return "log"
	}
	return "csv"
}

// looksLikeMail tells whether b begins with header fields, one of which at
// least is a field of mails (RFC 5322 3.6).
func looksLikeMail(b []byte) bool {
	known := false
	for n := 0; n < 40 && len(b) > 0; n++ {
		var line []byte
		line, b = cutLine(b)
		line = bytes.TrimRight(line, "\r")
		if len(line) == 0 {
			return known
		}
		if n > 0 && (line[0] == ' ' || line[0] == '\t') {
			continue
		}
		if !isField(line) {
			return known && n > 1
		}
		for _, f := range []string{"received", "return-path", "from", "date", "message-id", "delivered-to", "mime-version", "subject", "to", "x-original-to", "dkim-signature", "x-apparently-to", "content-type", "x-mozilla-status", "authentication-results"} {
			if hasName(line, f) {
				known = true
			}
		}
	}
	return known
}

// wideText tells UTF-16 by its mark, or by the NUL bytes of ASCII characters.
func wideText(head []byte) encoding.Encoding {
	switch {
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}):
		return unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)
	case bytes.HasPrefix(head, []byte{0xfe, 0xff}):
		return unicode.UTF16(unicode.BigEndian, unicode.UseBOM)
	case len(head) >= 8 && head[0] != 0 && head[1] == 0 && head[2] != 0 && head[3] == 0 && head[5] == 0:
		return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)
	case len(head) >= 8 && head[0] == 0 && head[1] != 0 && head[2] == 0 && head[3] != 0 && head[4] == 0:
		return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)
	}
	return nil
}

// looksLikeJSON tells an object or an array of objects, arrays or strings.
func looksLikeJSON(b []byte) bool {
	if len(b) == 0 || b[0] != '{' && b[0] != '[' {
		return false
	}
	t := bytes.TrimLeft(b[1:], " \t\r\n")
	if len(t) == 0 {
		return len(b) == 1
	}
	if b[0] == '{' {
		return t[0] == '"' || t[0] == '}'
	}
	return t[0] == '{' || t[0] == '"' || t[0] == ']' || t[0] == '['
}
