package bounceimport

import (
	"fmt"
	"testing"
	"time"
)

func TestLedger(t *testing.T) {
	when := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var l Ledger
	add := func(to, category string, action Action, n int, reply string) {
		e := Event{Recipient: to, Time: when.Add(time.Duration(n) * day), Reply: reply, Code: 550, Source: "b.csv:1", Class: Class{Category: category, Action: action}}
		if err := l.Add(&e); err != nil {
			t.Fatal(err)
		}
	}
	add("Dead@Example.com", "user_unknown", SuppressNow, 0, "550 5.1.1\x1b[31m no\r\nsuch user")
	for n := range 5 {
		add("a@slow.example", "network_error", Count, n*6, "")
		add("b@busy.example", "network_error", Count, n*6, "")
	}
	add("c@busy.example", "user_unknown", SuppressNow, 25, "550 5.1.1 no such user") // busy.example answers
	add("not an address", "user_unknown", SuppressNow, 0, "")
	got := map[string]Record{}
	err := l.Records(t.Context(), when.Add(30*day), nil, func(key string, r Record) error { got[key] = r; return nil })
	if err != nil {
		t.Fatal(err)
	}
	if r := got["dead@example.com"]; r.Action != SuppressNow || r.Reply != "550 5.1.1 [31m no such user" || r.Source != "b.csv:1" {
		t.Errorf("dead mailbox: %+v", r)
	}
	if r := got["@slow.example"]; r.Action != Count || r.Category != "network_error" {
		t.Errorf("domain that never answers: %+v", r)
	}
	if r := got["@busy.example"]; r.Action == Count {
		t.Errorf("domain that answers: %+v", r)
	}
	if _, ok := got["a@slow.example"]; ok {
		t.Error("a time-out was held against an address")
	}
	if l.Foreign != 1 {
		t.Errorf("%d recipients that are no addresses, want 1", l.Foreign)
	}
	got = map[string]Record{}
	l.Records(t.Context(), when.Add(30*day), func(key string) bool { return key == "dead@example.com" }, func(key string, r Record) error { got[key] = r; return nil })
	if len(got) != 1 {
		t.Errorf("%d records for one wanted key", len(got))
	}
}

// A maildir has a file a mail: their names must not crowd out the words that decide.
func TestLedgerOfManyFiles(t *testing.T) {
	var l Ledger
	add := func(to, category string, n int) {
		e := Event{Recipient: to, Time: now, Source: fmt.Sprintf("cur/%d.eml:1", n), Class: Class{Category: category, Action: SuppressNow, Rule: "rule-" + category}}
		if err := l.Add(&e); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 70_000 {
		add(fmt.Sprintf("u%d@example.org", n%100), "user_unknown", n)
	}
	add("angry@example.org", "complaint", 70_000)
	n := 0
	err := l.Records(t.Context(), now, func(key string) bool { return key == "angry@example.org" }, func(key string, r Record) error {
		if n++; r.Category != "complaint" || r.Rule != "rule-complaint" || r.Source != "cur/70000.eml:1" || r.Action != SuppressNow {
			t.Errorf("%s: %+v", key, r)
		}
		return nil
	})
	if err != nil || n != 1 {
		t.Error(n, err)
	}
}

// BenchmarkLedger adds events of distinct addresses and folds them.
func BenchmarkLedger(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		var l Ledger
		for i := range 100_000 {
			e := Event{Recipient: fmt.Sprintf("user%d@example%d.com", i, i%500), Time: now, Reply: "550 5.1.1 The email account that you tried to reach does not exist.", Code: 550, Source: "bounces.csv:1",
				Class: Class{Category: "user_unknown", Action: SuppressNow, Rule: "user-unknown"}}
			l.Add(&e)
		}
		l.Records(b.Context(), now, nil, func(string, Record) error { return nil })
	}
	b.ReportMetric(float64(b.N)*100_000/b.Elapsed().Seconds(), "events/s")
}
