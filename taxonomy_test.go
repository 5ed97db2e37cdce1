package winnow_test

import (
	"testing"
	"time"

	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/bounceimport/reply"
	"github.com/winnow-email/winnow/decide"
	"github.com/winnow-email/winnow/export/esp"
	"github.com/winnow-email/winnow/validate"
)

// Whoever acts on a category does what the taxonomy says of it: Decide, the
// counters, and what leaves to a sending service.
func TestOneTaxonomy(t *testing.T) {
	address := validate.Result{Address: validate.Address{Local: "a", Domain: "firm.org"}, Domain: validate.Domain{Name: "firm.org"}}
	day := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for _, c := range bounceimport.Categories() {
		may := c.Action == bounceimport.SuppressNow || c.Action == bounceimport.Count
		for _, action := range []bounceimport.Action{bounceimport.SuppressNow, bounceimport.Count, bounceimport.Report, bounceimport.Ignore, bounceimport.Clear} {
			d := decide.Decide(decide.User{}, &address, &bounceimport.Record{Category: c.Name, Action: action, Events: 9, Last: day}, nil)
			want := action == bounceimport.SuppressNow && c.Action == bounceimport.SuppressNow || action == bounceimport.Count && may
			if (d.Action == decide.Suppress) != want {
				t.Errorf("Decide: %s with action %s: %s, the taxonomy says %s", c.Name, action, d.Action, c.Action)
			}
			if want && d.Reason != "bounce_"+c.Name {
				t.Errorf("Decide: %s: reason %s", c.Name, d.Reason)
			}
			if allowed := decide.Decide(decide.User{Allow: true}, &address, &bounceimport.Record{Category: c.Name, Action: action, Last: day}, nil); (allowed.Action == decide.Suppress) != (c.Wish && action == bounceimport.SuppressNow) {
				t.Errorf("Decide: %s on the allow list: %s, a wish: %v", c.Name, allowed.Action, c.Wish)
			}
		}

		told := map[string]esp.Reason{"hard": esp.HardBounce, "domain": esp.DeadDomain, "complaint": esp.Complaint, "unsubscribe": esp.Unsubscribe, "soft": esp.SoftBounce}
		reason, ok := esp.ReasonOf("bounce_" + c.Name)
		if want, leaves := told[c.Told]; ok != leaves || reason != want {
			t.Errorf("esp: %s is told as %q, the taxonomy says %s", c.Name, reason, c.Told)
		}

		e := bounceimport.Event{Code: 552, Status: "5.3.4", Reply: "552 5.3.4 Message size exceeds fixed limit", Class: bounceimport.Class{Category: c.Name}}
		switch of := e.DomainCategory(); {
		case c.AboutDomain && of != c.Name, !c.AboutDomain && c.Answered && of != "delivered", !c.AboutDomain && !c.Answered && c.Name != "delivered" && of != "":
			t.Errorf("counters: %s says %q of its domain", c.Name, of)
		}
		if (e.AddressCategory() == "") != c.AboutDomain {
			t.Errorf("counters: %s says %q of its address", c.Name, e.AddressCategory())
		}

		// One event, on its own: what suppresses at once does, what is counted waits.
		r := bounceimport.Fold([]bounceimport.DayEvent{{Category: c.Name, Action: c.Action, Events: 9, First: day, Last: day}}, day)
		suppressed := r.Action == bounceimport.SuppressNow || r.Action == bounceimport.Count
		if suppressed != (c.Action == bounceimport.SuppressNow) {
			t.Errorf("Fold: one day of %s: %s", c.Name, r.Action)
		}
		if suppressed && r.Until.IsZero() != (c.Expiry == 0) {
			t.Errorf("Fold: %s until %v, the taxonomy says %v", c.Name, r.Until, c.Expiry)
		}
		// A delivery afterwards disproves it or not.
		r = bounceimport.Fold([]bounceimport.DayEvent{
			{Category: c.Name, Action: c.Action, Events: 1, First: day, Last: day},
			{Category: "delivered", Action: bounceimport.Clear, Events: 1, First: day.AddDate(0, 0, 1), Last: day.AddDate(0, 0, 1)},
		}, day.AddDate(0, 0, 2))
		if suppressed := r.Action == bounceimport.SuppressNow; suppressed != (c.Action == bounceimport.SuppressNow && !c.Revivable) {
			t.Errorf("Fold: %s, then a delivery: %s, revivable: %v", c.Name, r.Action, c.Revivable)
		}
	}
}

// A mail server that answers is alive, whatever it answers: five days on which it
// could not be reached do not condemn everybody behind it.
func TestAnsweringDomainIsAlive(t *testing.T) {
	start := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	timeouts := func() []bounceimport.DayEvent {
		var days []bounceimport.DayEvent
		for i := range 5 {
			at := start.AddDate(0, 0, 7*i)
			days = append(days, bounceimport.DayEvent{Category: "network_error", Action: bounceimport.Count, Events: 3, First: at, Last: at})
		}
		return days
	}
	now := start.AddDate(0, 0, 30)
	if r := bounceimport.Fold(timeouts(), now); r.Action != bounceimport.Count {
		t.Fatalf("five days of time-outs over four weeks: %s", r.Action)
	}
	for _, said := range []string{
		"552 5.3.4 Message size exceeds fixed limit", "550 5.1.1 no such user", "554 5.7.1 spam", "452 4.2.2 mailbox full",
		"503 5.5.1 bad sequence of commands", "554 xyzzy plugh", "451 4.3.0 internal error", "550 relaying denied",
	} {
		v := (*reply.Classifier)(nil).Classify(reply.Evidence{Reply: said})
		e := bounceimport.Event{Reply: said, Code: v.Code, Class: v.Class}
		days := timeouts()
		for i := range 5 {
			at := start.AddDate(0, 0, 7*i+3)
			if of := e.DomainCategory(); of != "" {
				days = append(days, bounceimport.DayEvent{Category: of, Action: bounceimport.Clear, Events: 1, First: at, Last: at})
			}
		}
		if r := bounceimport.Fold(days, now); r.Action == bounceimport.Count || r.Action == bounceimport.SuppressNow {
			t.Errorf("%q (%s) on five days between: the domain is suppressed as %s", said, e.Category, r.Category)
		}
	}
}
