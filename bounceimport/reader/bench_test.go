//go:build unix

package reader

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/bounceimport/reply"
)

// cpuSeconds returns the CPU time of this process, user and system.
func cpuSeconds() float64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
}

// benchRead reads data over and over and reports records per CPU-second.
func benchRead(b *testing.B, data []byte, unit string) {
	b.Helper()
	(*reply.Classifier)(nil).Classify(reply.Evidence{}) // the rules are compiled once a process
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	var n int64
	start := cpuSeconds()
	for b.Loop() {
		a, err := Read(b.Context(), bytes.NewReader(data), "bench", Options{Now: testNow}, func(*bounceimport.Event) error { return nil })
		if err != nil {
			b.Fatal(err)
		}
		if a.Used != a.Read {
			b.Fatalf("not all used: %s", a.String())
		}
		n += a.Read
	}
	b.ReportMetric(float64(n)/(cpuSeconds()-start), unit)
}

// BenchmarkMail reads real bounce mails one after the other from an mbox, with
// all of their classification. The goal of speed.md is 15,000 mails/cpu-s.
func BenchmarkMail(b *testing.B) {
	files, _ := filepath.Glob(filepath.Join(mailData, "*.eml"))
	if len(files) == 0 {
		files, _ = filepath.Glob("../../testdata/bounces/formats/mail_*.eml")
	}
	var box []byte
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			b.Fatal(err)
		}
		if bytes.HasPrefix(raw, []byte("From ")) || strings.HasSuffix(f, "mail_human.eml") {
			continue
		}
		box = append(box, "From MAILER-DAEMON Thu Mar  5 08:00:01 2026\n"...)
		box = append(box, bytes.ReplaceAll(raw, []byte("\nFrom "), []byte("\n>From "))...)
		box = append(box, "\n\n"...)
	}
	benchRead(b, box, "mails/cpu-s")
}

// benchReplies are the kinds of replies that fill bounce files.
var benchReplies = []string{
	"550 5.1.1 The email account that you tried to reach does not exist. Please try double-checking the recipient's email address for typos. https://support.google.com/mail/?p=NoSuchUser %d - gsmtp",
	"550 5.7.1 Unfortunately, messages from [192.0.2.%d] weren't sent. Please contact your Internet service provider since part of their network is on our block list (S3150).",
	"452 4.2.2 The email account that you tried to reach is over quota. https://support.google.com/mail/?p=OverQuotaTemp %d - gsmtp",
	"554 delivery error: dd This user doesn't have a yahoo.com account (%d@yahoo.com) [0] - mta1061.mail.ne1.yahoo.com",
}

// BenchmarkCSV reads the rows of a SendGrid export; the goal is 300,000 rows/cpu-s.
func BenchmarkCSV(b *testing.B) {
	var data bytes.Buffer
	data.WriteString("status,reason,email,created\n")
	for i := range 20_000 {
		fmt.Fprintf(&data, "5.1.1,\"%s\",user%d@example.com,%d\n", fmt.Sprintf(benchReplies[i%len(benchReplies)], i), i, 1_700_000_000+i)
	}
	benchRead(b, data.Bytes(), "rows/cpu-s")
}

// BenchmarkCSVGeneric reads rows whose columns are told by their names.
func BenchmarkCSVGeneric(b *testing.B) {
	var data bytes.Buffer
	data.WriteString("E-Mail;Name;Type;Date;Reason\n")
	for i := range 20_000 {
		fmt.Fprintf(&data, "user%d@example.com;User %d;hard;2026-03-05 08:00:01;\"%s\"\n", i, i, fmt.Sprintf(benchReplies[i%len(benchReplies)], i))
	}
	benchRead(b, data.Bytes(), "rows/cpu-s")
}

// BenchmarkNDJSON reads SendGrid webhook events, one a line; the goal is 300,000 rows/cpu-s.
func BenchmarkNDJSON(b *testing.B) {
	var data bytes.Buffer
	for i := range 20_000 {
		fmt.Fprintf(&data, `{"ip":"192.0.2.1","status":"5.1.1","smtp-id":"<%d@ismtpd0006p1sjc2.sendgrid.net>","sg_event_id":"lC0Rc-FuQmKbnxCWxX1jRQ","reason":%q,"sg_message_id":"Lli-03HcQ5-JLybO9fXsJg.filter0077p1las1.21536.5717FC482.0","tls":1,"event":"bounce","email":"user%d@example.com","timestamp":%d,"type":"bounce"}`+"\n",
			i, fmt.Sprintf(benchReplies[i%len(benchReplies)], i), i, 1_700_000_000+i)
	}
	benchRead(b, data.Bytes(), "rows/cpu-s")
}

// BenchmarkLog reads lines of Postfix's log, all of them deliveries.
func BenchmarkLog(b *testing.B) {
	var data bytes.Buffer
	for i := range 20_000 {
		fmt.Fprintf(&data, "Mar  5 08:00:01 mx postfix/smtp[12345]: 4XyZ1a2b3c: to=<user%d@example.org>, relay=mx.example.org[192.0.2.27]:25, delay=1.2, delays=0.1/0/0.5/0.6, dsn=5.1.1, status=bounced (host mx.example.org[192.0.2.27] said: %s (in reply to RCPT TO command))\n",
			i, fmt.Sprintf(benchReplies[i%len(benchReplies)], i))
	}
	benchRead(b, data.Bytes(), "rows/cpu-s")
}
