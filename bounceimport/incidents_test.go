package bounceimport

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestKnownIncidents(t *testing.T) {
	list := KnownIncidents()
	if len(list) < 2 {
		t.Fatal(list)
	}
	for _, in := range list {
		if in.Provider != ProviderFamily(in.Provider) || !in.From.Before(in.To) || in.Why == "" {
			t.Errorf("%+v", in)
		}
	}
	at := func(s string) time.Time {
		v, err := time.Parse("2006-01-02 15:04", s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, tt := range []struct {
		recipient, provider, category, time string
		want                                bool
	}{
		{"a@gmail.com", "gmail", "user_unknown", "2020-12-14 23:00", true},
		{"a@company.example", "gmail", "user_unknown", "2020-12-15 19:38", true},
		{"a@gmail.com", "gmail", "user_unknown", "2020-12-15 00:39", false},
		{"a@gmail.com", "gmail", "user_unknown", "2020-12-15 00:00", true}, // the source gives the day only
		{"a@gmail.com", "gmail", "user_unknown", "2020-12-14 00:00", true},
		{"a@gmail.com", "gmail", "user_unknown", "2020-12-13 00:00", false},
		{"a@gmail.com", "gmail", "mailbox_disabled", "2020-12-14 23:00", false},
		{"a@yahoo.com", "yahoo", "user_unknown", "2020-12-14 23:00", false},
	} {
		e := Event{Recipient: tt.recipient, Class: Class{Provider: tt.provider}}
		got := slices.ContainsFunc(list, func(in Incident) bool {
			return in.Holds(new(Providers).Of(&e), tt.category, at(tt.time), at(tt.time))
		})
		if got != tt.want {
			t.Errorf("%+v: got %v", tt, got)
		}
	}
}

func TestFoldIncidents(t *testing.T) {
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	in := []Incident{{Provider: "google", From: now.Add(-50 * time.Hour), To: now.Add(-40 * time.Hour), Why: "test"}}
	e := func(category string, a Action, ago time.Duration) DayEvent {
		return DayEvent{Category: category, Action: a, Provider: "google", First: now.Add(-ago), Last: now.Add(-ago), Events: 1}
	}
	inside, outside := e("user_unknown", SuppressNow, 45*time.Hour), e("user_unknown", SuppressNow, 90*time.Hour)
	for _, tt := range []struct {
		name   string
		events []DayEvent
		action Action
		held   bool
	}{
		{"inside only", []DayEvent{inside}, SuppressNow, true},
		{"outside only", []DayEvent{outside}, SuppressNow, false},
		{"both", []DayEvent{outside, inside}, SuppressNow, false},
		{"inside and a complaint", []DayEvent{inside, e("complaint", SuppressNow, 45*time.Hour)}, SuppressNow, false},
		{"inside, then delivered", []DayEvent{inside, e("delivered", Clear, time.Hour)}, Clear, false},
		{"inside and sender-side", []DayEvent{e("ip_reputation", Report, 45*time.Hour), inside}, SuppressNow, true},
	} {
		r := FoldIncidents(tt.events, in, now)
		if r.Action != tt.action || (r.Held != "") != tt.held {
			t.Errorf("%s: %+v", tt.name, r)
		}
	}
}

// world simulates the "no such user" answers that a sender gets over 60 days:
// mailings on some days, most answers at once and a tail of later ones that is
// longer at some providers, a few transactional mails at all hours.
type world struct {
	r     *rand.Rand
	f     *IncidentFinder
	names []string
	size  []float64 // mails of a mailing to each provider
	dead  float64   // share of dead addresses
}

func newWorld(seed uint64) *world {
	r := rand.New(rand.NewPCG(seed, 42))
	return &world{r: r, f: &IncidentFinder{},
		names: []string{"google", "microsoft", "yahoo", "apple", ""},
		size:  []float64{8000 + 4000*r.Float64(), 5000, 3000, 1500, 6000},
		dead:  0.002 + 0.008*r.Float64()}
}

func (w *world) poisson(mean float64) int64 {
	if mean > 50 {
		return max(0, int64(mean+math.Sqrt(mean)*w.r.NormFloat64()+0.5))
	}
	limit, p := math.Exp(-mean), 1.0
	for n := int64(0); ; n++ {
		if p *= w.r.Float64(); p <= limit {
			return n
		}
	}
}

// run lets 60 days pass. fail gives the share of the live mailboxes of a
// provider for which it answers "no such user" in an hour; more multiplies the
// dead addresses of a mailing (a bad import).
func (w *world) run(fail func(provider string, hour int64) float64, more func(hour int64) float64) {
	for hour := int64(0); hour < 60*24; hour++ {
		for i, name := range w.names {
			mails := 20.0 // transactional
			if day := hour / 24; day%3 == 0 {
				switch h := hour % 24; {
				case h >= 9 && h < 11:
					mails += w.size[i] * 0.45
				case h >= 11: // retries and throttled mail, slower at the small ones
					mails += w.size[i] * 0.1 / 13 * float64(1+i)
				}
			}
			n := w.poisson(mails*w.dead*more(hour)) + w.poisson(mails*fail(name, hour))
			if n > 0 {
				w.f.AddHour(name, incidentCategory, 480000+hour, n)
			}
			w.f.AddHour(name, "mailbox_full", 480000+hour, w.poisson(mails*0.002))
		}
	}
}

func usual(int64) float64            { return 1 }
func none(string, int64) float64     { return 0 }
func mailing(r *rand.Rand) int64     { return int64(6+3*r.IntN(14))*24 + 9 } // an hour in which one goes out
func hours(in Incident) (a, b int64) { return in.From.Unix()/3600 - 480000, in.To.Unix()/3600 - 480000 }

// An outage: for some hours the provider disowns all its mailboxes, or one in
// ten. It is found each time, where it was and nowhere else.
func TestIncidentsFound(t *testing.T) {
	for _, share := range []float64{1, 0.1} {
		worlds := uint64(60)
		if share < 1 {
			worlds = 20
		}
		found := 0
		for seed := range worlds {
			w := newWorld(seed)
			from := mailing(w.r)
			to := from + 2 + w.r.Int64N(4)
			w.run(func(p string, hour int64) float64 {
				if p == "google" && hour >= from && hour < to {
					return share
				}
				return 0
			}, usual)
			list := w.f.Find()
			if len(list) != 1 {
				t.Errorf("share %v, seed %d: %d incidents: %v", share, seed, len(list), list)
				continue
			}
			if a, b := hours(list[0]); list[0].Provider != "google" || a > from || b < min(to, from+2) || b-a > 12 {
				t.Errorf("share %v, seed %d: hours %d to %d, want %d to %d", share, seed, a, b, from, to)
				continue
			}
			found++
		}
		t.Logf("outage of %.0f%% of the mailboxes: %d of %d found", 100*share, found, worlds)
	}
}

// Nothing happens, a bad import, a provider that answers faster, a first
// mailing: none is an incident.
func TestNoFalseIncidents(t *testing.T) {
	alarms := 0
	for seed := range uint64(60) {
		w := newWorld(1000 + seed)
		switch seed % 4 {
		case 0:
			w.run(none, usual)
		case 1: // an old list is mailed once
			bad := mailing(w.r) / 24
			w.run(none, func(hour int64) float64 {
				if hour/24 == bad {
					return 30
				}
				return 1
			})
		case 2: // the list gets worse all the time
			w.run(none, func(hour int64) float64 { return 1 + float64(hour)/100 })
		case 3: // one mailing is all there is: Google answers at once, the others over four days
			for h := range int64(96) {
				w.f.AddHour("", incidentCategory, 480000+h, 1+w.poisson(200*math.Exp(-float64(h)/10)))
				if h < 3 {
					w.f.AddHour("google", incidentCategory, 480000+h, 200)
				}
			}
		}
		if list := w.f.Find(); len(list) > 0 {
			alarms++
			t.Errorf("seed %d: %v", seed, list)
		}
	}
	t.Logf("%d false alarms in 60", alarms)
}

// The order of events, and which of them came first, do not show.
func TestIncidentsDeterministic(t *testing.T) {
	var want []Incident
	for range 5 {
		w := newWorld(5)
		from := mailing(w.r)
		w.run(func(p string, hour int64) float64 {
			if p == "yahoo" && hour >= from && hour < from+3 {
				return 1
			}
			return 0
		}, usual)
		got := w.f.Find()
		if want == nil {
			want = got
		}
		if len(got) != 1 || !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
}
