package reader

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/bounceimport/reply"
	"github.com/winnow-email/winnow/internal/anytime"
	"github.com/winnow-email/winnow/internal/shown"
)

// Options tell the readers what the files cannot. The zero value is useful.
type Options struct {
	Now      time.Time      // for log lines without a year; zero: time.Now
	Location *time.Location // zone of times that name none; nil: UTC

	// Anyone can send a forged bounce to the address that collects them. With
	// either of these set, bounces and complaints that came by mail count only
	// when the message they return is one of ours.
	Senders   []string             // domains that the returned message may be from
	MessageID func(id string) bool // whether a message with this Message-ID was sent

	Classifier *reply.Classifier // nil: the embedded rules only
}

// maxAhead is how far in the future an event may lie: a zone that nobody named, a
// clock that is a day ahead.
const maxAhead = 48 * time.Hour

// peekSize is how much of a file tells what it is.
const peekSize = 64 << 10

// reading is the state that the readers of one source share.
type reading struct {
	ctx    context.Context
	opt    Options
	yield  func(*bounceimport.Event) error
	acct   Account
	name   string // of the source or member that is being read
	ev     bounceimport.Event
	src    []byte
	budget budget

	yielding bool // the caller is at work
	byMail   bool // the JSON that is read came by mail
}

// record counts a record that starts; it returns the context's error now and then.
func (d *reading) record() error {
	d.acct.Read++
	if d.acct.Read&255 == 0 {
		return d.ctx.Err()
	}
	return nil
}

// event clears and returns the event that the reader is to fill.
func (d *reading) event(format string) *bounceimport.Event {
	d.ev = bounceimport.Event{Format: format}
	return &d.ev
}

func (d *reading) ignored(why string) { d.acct.Ignored++; d.acct.count(why, 1) }

func (d *reading) unmapped(line int64, why string) {
	d.acct.Unmapped++
	d.acct.count(why, 1)
	d.problem(line, why)
}

func (d *reading) malformed(line int64, why string) {
	d.acct.Malformed++
	d.acct.count(why, 1)
	d.problem(line, why)
}

func (d *reading) problem(line int64, why string) {
	if len(d.acct.Problems) < maxProblems {
		d.acct.Problems = append(d.acct.Problems, shown.Name(d.name)+":"+strconv.FormatInt(line, 10)+": "+shown.Prefix(shown.Line(why), 80))
	}
}

// format notes which reader is at work.
func (d *reading) format(name string) {
	if d.acct.Format == "" || d.acct.Used+d.acct.Ignored+d.acct.Unmapped+d.acct.Malformed == 0 {
		d.acct.Format = name
	} else if d.acct.Format != name {
		d.acct.Format = "mixed"
	}
}

// outcome is what a reader found in one record.
type outcome struct {
	kind byte // 0: an event
	why  string
}

func ignore(why string) outcome { return outcome{'i', why} }

func unmapped(why string) outcome { return outcome{'u', why} }

// row finishes a record of which a reader made an event, or did not.
func (d *reading) row(line int64, o outcome) error {
	switch {
	case o.kind == 'i':
		d.ignored(o.why)
	case o.kind == 'u':
		d.unmapped(line, o.why)
	case strings.IndexByte(d.ev.Recipient, '@') < 0:
		d.malformed(line, "no address in the record")
	default:
		d.acct.Used++
		return d.emit(line)
	}
	return nil
}

// emit completes the event, classifies it and hands it on.
func (d *reading) emit(line int64) error {
	e := &d.ev
	d.src = append(append(d.src[:0], d.name...), ':')
	d.src = strconv.AppendInt(d.src, line, 10)
	e.Source = string(d.src)
	if e.Time.After(d.opt.Now.Add(maxAhead)) {
		e.Time = time.Time{} // a clock that is wrong: in time to come it would outlive all proof
	}
	e.Reply = utf8Text(e.Reply)
	e.Recipient = cleanRecipient(e.Recipient)
	if e.Code == 0 || e.Status == "" {
		code, status := reply.Codes(e.Reply)
		if e.Code == 0 {
			e.Code = code
		}
		if e.Status == "" {
			e.Status = status
		}
	}
	d.classify(e)
	return d.hand(e)
}

// hand gives an event to the caller.
func (d *reading) hand(e *bounceimport.Event) error {
	d.acct.Events++
	d.yielding = true
	err := d.yield(e)
	d.yielding = false
	return err
}

// time reads a time of the source.
func (d *reading) time(s string) time.Time { return anytime.Parse(s, d.opt.Location) }

// classify sets the class of an event, with its codes and its phase.
func (d *reading) classify(e *bounceimport.Event) {
	is := reply.Evidence{Reply: e.Reply, Code: e.Code, Status: e.Status, Phase: e.Phase, Remote: e.Remote, Recipient: e.Recipient, Hint: e.Hint}
	v := d.verdict(is)
	e.Class, e.Code, e.Status, e.Phase = v.Class, v.Code, v.Status, v.Phase
}

// verdict classifies evidence in the light of what the source says of it.
func (d *reading) verdict(is reply.Evidence) reply.Verdict {
	c := d.opt.Classifier
	if is.Hint != "delayed" || is.Reply == "" {
		v := c.Classify(is)
		if v.Category == "delivered" && is.Hint != "delivered" && is.Hint != "" {
			// The source reports a failure; the 2yz in its text is something else.
			v.Class = c.Classify(reply.Evidence{Phase: v.Phase, Remote: is.Remote, Recipient: is.Recipient, Hint: is.Hint}).Class
		}
		return v
	}
	// The server is still trying, which says nothing of the address, unless the
	// reply names a cause that will not go away by trying.
	cause := is
	cause.Hint = ""
	v := c.Classify(cause)
	switch {
	case v.Action == bounceimport.Report:
	case v.Category == "mailbox_full", v.Category == "greylisted", v.Category == "recipient_rate":
	case v.Action == bounceimport.SuppressNow && v.Code >= 500 && v.Confidence != "low":
	default:
		return c.Classify(is)
	}
	return v
}
