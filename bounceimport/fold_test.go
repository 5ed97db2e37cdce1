package bounceimport

import (
	"math/rand"
	"testing"
	"time"
)

// now is when the tests ask.
var now = time.Date(2026, 3, 31, 0, 0, 0, 0, time.UTC)

func TestFold(t *testing.T) {
	day0 := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	at := func(category string, action Action, days ...int) []DayEvent {
		var l []DayEvent
		for _, n := range days {
			when := day0.Add(time.Duration(n) * day)
			l = append(l, DayEvent{Category: category, Action: action, Events: 1, First: when, Last: when})
		}
		return l
	}
	soft := func(l []DayEvent) []DayEvent {
		for i := range l {
			l[i].Soft = true
		}
		return l
	}
	join := func(ll ...[]DayEvent) (l []DayEvent) {
		for _, x := range ll {
			l = append(l, x...)
		}
		return l
	}
	for _, c := range []struct {
		name     string
		events   []DayEvent
		day      int // of now
		category string
		action   Action
		until    int // day, -1: never
	}{
		{"nothing", nil, 0, "", "", -1},
		{"one dead mailbox", at("user_unknown", SuppressNow, 0), 900, "user_unknown", SuppressNow, -1},
		{"dead domain, to be looked at again", at("domain_unknown", SuppressNow, 0), 89, "domain_unknown", SuppressNow, 90},
		{"dead domain, looked at again", at("domain_unknown", SuppressNow, 0), 91, "", "", -1},
		{"disabled mailbox after a year", at("mailbox_disabled", SuppressNow, 0), 366, "", "", -1},
		{"full thrice", at("mailbox_full", Count, 0, 7, 15), 16, "mailbox_full", Ignore, -1},
		{"full four times within two weeks", at("mailbox_full", Count, 0, 1, 2, 3), 16, "mailbox_full", Ignore, -1},
		{"full four times over two weeks", at("mailbox_full", Count, 0, 5, 9, 14), 16, "mailbox_full", Count, 14 + 90},
		{"full four times over a quarter", at("mailbox_full", Count, 0, 30, 60, 90), 91, "mailbox_full", Ignore, -1},
		{"full, long ago", at("mailbox_full", Count, 0, 5, 9, 14), 14 + 90, "", "", -1},
		{"full, then delivered", join(at("mailbox_full", Count, 0, 5, 9, 14), at("delivered", Clear, 15)), 16, "delivered", Clear, -1},
		{"delivered before it was full", join(at("delivered", Clear, -1), at("mailbox_full", Count, 0, 5, 9, 14)), 16, "mailbox_full", Count, 104},
		{"delivered in between", join(at("mailbox_full", Count, 0, 5, 9, 14), at("delivered", Clear, 7)), 16, "mailbox_full", Ignore, -1},
		{"the same day often", at("mailbox_full", Count, 0, 0, 0, 0, 0, 14), 16, "mailbox_full", Ignore, -1},
		{"dead, then delivered", join(at("user_unknown", SuppressNow, 0), at("delivered", Clear, 1)), 2, "delivered", Clear, -1},
		{"complaint, then delivered", join(at("complaint", SuppressNow, 0), at("delivered", Clear, 1)), 2, "complaint", SuppressNow, -1},
		{"complaint, then not spam", join(at("complaint", SuppressNow, 0), at("not_spam", Clear, 1)), 2, "complaint", SuppressNow, -1},
		{"unsubscribed and dead", join(at("user_unknown", SuppressNow, 9), at("unsubscribe", SuppressNow, 0)), 20, "unsubscribe", SuppressNow, -1},
		{"sender-side, ever so often", at("ip_reputation", Report, 0, 1, 2, 3, 4, 5, 6, 7, 20, 40), 41, "ip_reputation", Report, -1},
		{"unknown 5yz thrice", at("unknown", Count, 0, 7, 14), 15, "unknown", Count, 104},
		{"unknown 4yz thrice", soft(at("unknown", Count, 0, 7, 14)), 15, "unknown", Ignore, -1},
		{"unknown 4yz seven times", soft(at("unknown", Count, 0, 2, 4, 6, 8, 10, 14)), 15, "unknown", Count, 104},
		{"weak evidence once", at("user_unknown", Count, 0), 1, "user_unknown", Ignore, -1},
		{"weak evidence thrice", at("user_unknown", Count, 0, 7, 14), 15, "user_unknown", Count, 104},
		{"full, long ago and once since", at("mailbox_full", Count, 0, 5, 9, 14, 150), 151, "mailbox_full", Ignore, -1},
		{"full, and full again after that", at("mailbox_full", Count, 0, 5, 9, 14, 150, 155, 160, 165), 166, "mailbox_full", Count, 165 + 90},
		{"time-outs for three weeks", at("network_error", Count, 0, 5, 10, 15, 21), 22, "network_error", Count, 111},
		{"not hosted on two days", at("domain_not_hosted", Count, 0, 1), 2, "domain_not_hosted", Count, 91},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := day0.Add(time.Duration(c.day) * day)
			for range 5 { // any order
				r := Fold(c.events, now)
				if r.Category != c.category || r.Action != c.action {
					t.Fatalf("got %s %s, want %s %s", r.Category, r.Action, c.category, c.action)
				}
				if c.until < 0 && !r.Until.IsZero() || c.until >= 0 && !r.Until.Equal(day0.Add(time.Duration(c.until)*day)) {
					t.Fatalf("until %v, want day %d", r.Until, c.until)
				}
				rand.Shuffle(len(c.events), func(i, j int) { c.events[i], c.events[j] = c.events[j], c.events[i] })
			}
		})
	}
}

// A domain that is often out of reach for many years has many days. Folding them
// takes no longer than reading them did.
func TestFoldManyDays(t *testing.T) {
	var l []DayEvent
	for n := range 100_000 {
		when := now.Add(-time.Duration(n) * day)
		l = append(l, DayEvent{Category: "network_error", Action: Count, Events: 1, First: when, Last: when},
			DayEvent{Category: "user_unknown", Action: SuppressNow, Events: 1, First: when, Last: when})
	}
	if r := Fold(l, now); r.Action != SuppressNow || r.Events != 100_000 {
		t.Errorf("got %+v", r)
	}
}

// Events without times can never add up to a suppression by counting.
func TestFoldWithoutTimes(t *testing.T) {
	var l []DayEvent
	for range 20 {
		l = append(l, DayEvent{Category: "mailbox_full", Action: Count, Events: 1})
	}
	if r := Fold(l, now); r.Action != Ignore || r.Events != 20 {
		t.Errorf("got %+v", r)
	}
	l = append(l, DayEvent{Category: "user_unknown", Action: SuppressNow})
	if r := Fold(l, now); r.Action != SuppressNow || r.Category != "user_unknown" {
		t.Errorf("got %+v", r)
	}
}
