package history

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/bounceimport/diagnosis"
	"github.com/winnow-email/winnow/bounceimport/reply"
)

// A run with a history must be able to say whose side the trouble is on, as one
// with the files themselves is.
func TestDiagnose(t *testing.T) {
	var c reply.Classifier
	start := time.Date(2026, 4, 1, 9, 0, 0, 0, time.UTC)
	var events []bounceimport.Event
	for day := range 20 {
		for i := range 12 {
			to := fmt.Sprintf("u%d.%d@%s", day, i, []string{"gmail.com", "outlook.com", "example.org"}[i%3])
			said := "550 5.1.1 no such user"
			if day >= 10 && i%3 == 1 {
				said = "550 5.7.515 Access denied, sending domain news.example does not meet the required authentication level."
			}
			at := start.AddDate(0, 0, day).Add(time.Duration(i) * time.Minute)
			events = append(events, judged(bounceimport.Event{Recipient: to, Time: at, Reply: said, Source: "a.csv:1"}, c.Classify))
		}
	}
	s := create(t)
	add(t, s, events...)
	find := func(from, to time.Time) *diagnosis.Findings {
		var d diagnosis.Diagnosis
		if err := s.Diagnose(context.Background(), &d, from, to); err != nil {
			t.Fatal(err)
		}
		return d.Findings()
	}

	var d diagnosis.Diagnosis
	for i := range events {
		d.Add(&events[i])
	}
	got, want := find(time.Time{}, time.Time{}), d.Findings()
	if got.Events != want.Events || got.Sides[bounceimport.Sender] != want.Sides[bounceimport.Sender] || got.Sides[bounceimport.Sender] != 40 {
		t.Errorf("%d events, %d on the sender's side; the files say %d, %d", got.Events, got.Sides[bounceimport.Sender], want.Events, want.Sides[bounceimport.Sender])
	}
	if !slices.Equal(got.Categories, want.Categories) || !slices.Equal(got.Timeline, want.Timeline) {
		t.Errorf("categories or timeline differ:\n%+v\n%+v", got.Categories, want.Categories)
	}
	if len(got.FixFirst) != 1 || got.FixFirst[0].N != 40 || got.FixFirst[0].Fix == "" || len(got.Problems) != 1 || got.Problems[0].Since == nil || !got.Problems[0].Since.Time.Equal(want.Problems[0].Since.Time) {
		t.Errorf("what to fix: %+v %+v", got.FixFirst, got.Problems)
	}
	// A window: from its first moment on, up to its last and not beyond.
	if f := find(start.AddDate(0, 0, 15), start.AddDate(0, 0, 17)); f.Events != 24 {
		t.Errorf("%d events in two days", f.Events)
	}
}

// The incidents that hold addresses in a run are those that its diagnosis names,
// however short the window is.
func TestDiagnoseNamesIncidents(t *testing.T) {
	start := time.Date(2026, 4, 1, 9, 0, 0, 0, time.UTC)
	s, err := Create(filepath.Join(t.TempDir(), "h.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	m := s.Begin(context.Background())
	bounce := func(to string, at time.Time) {
		e := event(to, "user_unknown", bounceimport.SuppressNow, at, "550 5.1.1 no such user")
		if err := m.Add(&e); err != nil {
			t.Fatal(err)
		}
	}
	for day := range 20 {
		for i := range 30 {
			bounce(fmt.Sprintf("d%d.u%d@%s", day, i, []string{"gmail.com", "yahoo.com", "example.org"}[i%3]), start.AddDate(0, 0, day).Add(time.Duration(i*19)*time.Minute))
		}
	}
	outage := start.AddDate(0, 0, 12).Add(2 * time.Hour)
	for i := range 400 {
		bounce(fmt.Sprintf("alive%d@gmail.com", i), outage.Add(time.Duration(i%120)*time.Minute))
	}
	if err := m.Done(); err != nil {
		t.Fatal(err)
	}
	for _, from := range []time.Time{{}, outage.Add(-time.Hour)} {
		var d diagnosis.Diagnosis
		if err := s.Diagnose(context.Background(), &d, from, outage.Add(24*time.Hour)); err != nil {
			t.Fatal(err)
		}
		if in := d.Findings().Incidents; len(in) != 1 || in[0].Provider != "google" || in[0].N < 400 {
			t.Errorf("from %v: %+v", from, in)
		}
	}
	var d diagnosis.Diagnosis
	if err := s.Diagnose(context.Background(), &d, outage.Add(72*time.Hour), time.Time{}); err != nil {
		t.Fatal(err)
	}
	if in := d.Findings().Incidents; len(in) != 0 {
		t.Errorf("long after it: %+v", in)
	}
}
