package reader

import (
	"bufio"
	"bytes"
	"fmt"
	"io"

	"github.com/winnow-email/winnow/internal/shown"
)

// logs reads a mail server's log line by line. What the lines of Postfix, Exim,
// sendmail, OpenSMTPD and qmail say of deliveries is used, all others are ignored.
func (d *reading) logs(r *bufio.Reader) error {
	d.format("mail_log")
	l := &logReader{d: d}
	var line int64
	for {
		b, err := r.ReadSlice('\n')
		for err == bufio.ErrBufferFull { // longer than 64 KiB: nothing we want
			line0 := append([]byte(nil), b[:4096]...)
			for err == bufio.ErrBufferFull {
				_, err = r.ReadSlice('\n')
			}
			b = line0
		}
		if err != nil && err != io.EOF {
			return fmt.Errorf("%s: %w", shown.Name(d.name), err)
		}
		if b = bytes.TrimRight(b, "\r\n"); len(b) > 0 {
			if e := l.line(b, line+1); e != nil {
				return e
			}
		}
		line++
		if err == io.EOF {
			return nil
		}
	}
}

type logReader struct {
	d     *reading
	qmail qmailLog
}

func (l *logReader) line(b []byte, n int64) error {
	d := l.d
	if err := d.record(); err != nil {
		return err
	}
	// Most lines are none of ours; find that out before anything is copied.
	kind := ""
	switch {
	case bytes.Contains(b, []byte("status=")) && bytes.Contains(b, []byte(" to=<")):
		kind = "postfix"
	case bytes.Contains(b, []byte(", stat=")) && bytes.Contains(b, []byte(" to=")):
		kind = "sendmail"
	case bytes.Contains(b, []byte(" result=\"")) && bytes.Contains(b, []byte(" to=<")):
		kind = "opensmtpd"
	case bytes.Contains(b, []byte(" delivery ")) || bytes.HasPrefix(b, []byte("delivery ")) || bytes.Contains(b, []byte("starting delivery ")):
		kind = "qmail"
	case bytes.Contains(b, []byte(" ** ")) || bytes.Contains(b, []byte(" == ")) || bytes.Contains(b, []byte(" => ")) || bytes.Contains(b, []byte(" -> ")) || bytes.Contains(b, []byte(" *> ")) || bytes.Contains(b, []byte(" >> ")):
		kind = "exim"
	}
	if kind == "" {
		d.ignored("log line about something else")
		return nil
	}
	s := utf8Text(string(b))
	t, rest, _ := logStamp(s, d.opt.Now, d.opt.Location)
	var evs []report
	var hint string
	why := "log line about something else"
	switch kind {
	case "postfix":
		evs, hint, why = postfixLine(rest)
	case "sendmail":
		evs, hint, why = sendmailLine(rest)
	case "opensmtpd":
		evs, hint, why = opensmtpdLine(rest)
	case "exim":
		evs, hint, why = eximLine(rest)
	case "qmail":
		evs, hint, why = l.qmail.line(rest)
	}
	if len(evs) == 0 {
		d.ignored(why)
		return nil
	}
	d.acct.Used++
	for i := range evs {
		r := &evs[i]
		e := d.event(kind + "_log")
		e.Recipient, e.Time, e.Reply, e.Status, e.Remote, e.Verdict, e.Hint, e.Phase = r.rcpt, t, r.reply, r.status, r.remote, r.action, hint, r.phase
		if err := d.emit(n); err != nil {
			return err
		}
		if err := d.forwarded(r.original); err != nil {
			return err
		}
	}
	return nil
}
