package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/bounceimport/reader"
	"github.com/winnow-email/winnow/internal/shown"
)

func newBouncesReadCmd(e *env) *cobra.Command {
	var asJSON bool
	var read bounceFlags
	cmd := &cobra.Command{
		Use:   "read FILE… | -",
		Short: "Print what bounce files say, one event a line, without keeping it",
		Long: `Read bounces, complaints, unsubscribes and deliveries from files, directories
(maildir too) or standard input ("-") and print one event a line. What a file
is, its content tells, never its name:

  CSV    SendGrid, Mailgun, SparkPost, Mailchimp, HubSpot, Klaviyo,
         ActiveCampaign, Amazon SES, PowerMTA, Exchange, promio.connect, and
         any other with a column of addresses and one that says what happened
  JSON   webhooks, API answers and NDJSON of SendGrid, Mailgun, Amazon SES/SNS,
         Postmark, SparkPost, Mandrill, Brevo, Mailjet, Resend, MailerSend,
         Mailtrap, Postal, Unisender Go, GreenArrow, KumoMTA
  logs   Postfix, Exim, sendmail, OpenSMTPD, qmail
  mail   delivery reports (RFC 3464), bounces of some sixty mail servers, abuse
         reports (ARF), automatic answers; one a file, mbox, maildir
  gzip, zstd, bzip2 and zip of all these

Where the server's own words are there, they are judged, not the verdict of
the service that reports them. Standard error says, for each file, how many
records were used, ignored or not understood, and why.

With --json every line is an object: recipient, time, reply, code, status,
phase, remote, verdict (the source's own), format, source (file:line),
message_id, sender, category, bucket, side, action, confidence, rule, matched,
provider, meaning, fix.`,
		Example: `  winnow bounces read bounces.csv
  winnow bounces read --json maildir/ mail.log.gz > events.jsonl
  zcat events.json.gz | winnow bounces read - --json`,
		Args: usageArgs(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			opt, err := read.options(cmd.Context())
			if err != nil {
				return err
			}
			return readBounces(cmd.Context(), e, args, opt, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object an event")
	read.add(cmd.Flags())
	return cmd
}

// readBounces prints the events of the files and what became of their records.
// A file that cannot be read does not keep the others from being read.
func readBounces(ctx context.Context, e *env, paths []string, opt reader.Options, asJSON bool) error {
	out := bufio.NewWriterSize(e.stdout, 1<<16)
	columns := 0
	if f, ok := e.stdout.(*os.File); ok && isTerminal(f) {
		columns, _, _ = term.GetSize(int(f.Fd()))
	}
	show := eventTable(out, columns)
	if asJSON {
		enc := jsonLines(out)
		show = func(ev *bounceimport.Event) error { return enc.Encode(ev) }
	}
	count := map[bounceimport.Action]int64{}
	var total int64
	yield := func(ev *bounceimport.Event) error {
		count[ev.Action]++
		total++
		return show(ev)
	}
	var failed error
	for _, p := range paths {
		var a reader.Account
		var err error
		if p == "-" {
			a, err = reader.Read(ctx, e.stdin, "stdin", opt, yield)
		} else {
			a, err = reader.ReadPath(ctx, p, opt, yield)
		}
		if err := out.Flush(); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if a.Read > 0 || err == nil {
			noteAccount(e, &a)
		}
		if err != nil {
			if failed != nil {
				e.note("error: %v", failed)
			}
			failed = err
		}
	}
	if total > 0 {
		var parts []string
		for _, c := range []bounceimport.Action{bounceimport.SuppressNow, bounceimport.Count, bounceimport.Report, bounceimport.Ignore, bounceimport.Clear} {
			if count[c] > 0 {
				parts = append(parts, fmt.Sprintf("%s %d", c, count[c]))
			}
		}
		e.note("%d events: %s", total, strings.Join(parts, ", "))
	}
	return failed
}

// noteAccount says on standard error what became of a file's records.
func noteAccount(e *env, a *reader.Account) {
	e.note("%s", shown.Line(a.String()))
	const most = 5
	for i, p := range a.Problems {
		if i == most {
			e.note("  … and %d more", a.Malformed+a.Unmapped-most)
			break
		}
		e.note("  %s", shown.Line(p))
	}
}

// eventTable returns a printer of events as lines: the day, what to do, why, for
// whom, and what the server said, cut short. Where a terminal is too narrow for
// all of it, that stands on a line of its own.
func eventTable(w io.Writer, columns int) func(*bounceimport.Event) error {
	const before = 12 + 14 + 26 + 32
	header := false
	return func(ev *bounceimport.Event) error {
		said := ev.Reply
		if said == "" {
			said = "(" + ev.Verdict + ")"
		}
		date := "-"
		if !ev.Time.IsZero() {
			date = ev.Time.UTC().Format("2006-01-02")
		}
		narrow := columns > 0 && columns < before+40
		var err error
		if !header {
			header = true
			if narrow {
				_, err = shown.Fprintf(w, "%-10s  %-12s  %-24s  %s\n", "DATE", "ACTION", "CATEGORY", "RECIPIENT")
			} else {
				_, err = shown.Fprintf(w, "%-10s  %-12s  %-24s  %-30s  %s\n", "DATE", "ACTION", "CATEGORY", "RECIPIENT", "REPLY")
			}
		}
		var err2 error
		if narrow {
			_, err2 = shown.Fprintf(w, "%-10s  %-12s  %-24s  %s\n%12s%s\n", date, ev.Action, ev.Category, shown.Line(ev.Recipient), "", shown.Fit(shown.Line(said), columns-13, "…"))
		} else {
			_, err2 = shown.Fprintf(w, "%-10s  %-12s  %-24s  %-30s  %s\n", date, ev.Action, ev.Category, shown.Line(ev.Recipient), shown.Fit(shown.Line(said), max(100, columns-before), "…"))
		}
		return errors.Join(err, err2)
	}
}
