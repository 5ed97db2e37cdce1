package diagnosis

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/bounceimport/reply"
)

// someReplies are the ordinary bounces of two weeks, and a problem of the
// sender's authentication at Microsoft since the twelfth day, nine o'clock.
func someReplies(seed uint64) []bounceimport.Event {
	r := rand.New(rand.NewPCG(seed, 1))
	var c reply.Classifier
	var list []bounceimport.Event
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	add := func(recipient, said string, at time.Time) {
		v := c.Classify(reply.Evidence{Recipient: recipient, Reply: said})
		list = append(list, bounceimport.Event{Recipient: recipient, Reply: said, Code: v.Code, Status: v.Status, Time: at, Source: fmt.Sprintf("a.csv:%d", len(list)), Class: v.Class})
	}
	domains := []string{"gmail.com", "gmail.com", "gmail.com", "outlook.com", "hotmail.com", "yahoo.com", "example.org", "example.net"}
	for day := range 14 {
		for range 100 {
			to := fmt.Sprintf("user.%d@%s", r.IntN(5000), domains[r.IntN(len(domains))])
			at := start.AddDate(0, 0, day).Add(time.Duration(r.IntN(24*60)) * time.Minute)
			switch k := r.IntN(20); {
			case k < 10:
				add(to, "550 5.1.1 <"+to+">: Recipient address rejected: User unknown in virtual mailbox table", at)
			case k < 16:
				add(to, "452 4.2.2 The email account that you tried to reach is over quota.", at)
			case k < 18:
				add(to, "554 5.7.1 Message rejected as spam by Content Filtering.", at)
			case k < 19:
				add(to, fmt.Sprintf("554 zorglub failure code %d at node %d", r.IntN(999), r.IntN(99)), at)
			default:
				add(to, "554 5.7.1 <"+to+">: Relay access denied", at)
			}
		}
		for k := range 80 {
			if day >= 11 {
				add(fmt.Sprintf("m.%d@outlook.com", r.IntN(9000)), fmt.Sprintf("550 5.7.515 Access denied, sending domain news.example.com does not meet the required authentication level. Spf= Fail , Dkim= Fail , DMARC= Fail [AB%d.namprd01.prod.outlook.com]", r.IntN(99999)),
					start.AddDate(0, 0, day).Add(9*time.Hour+time.Duration(k*5)*time.Minute))
			}
		}
	}
	return list
}

func TestDiagnosis(t *testing.T) {
	events := someReplies(1)
	d := Diagnosis{Changes: []Change{{time.Date(2026, 3, 12, 8, 30, 0, 0, time.UTC), "new From domain"}, {time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), "new template"},
		{time.Date(2026, 3, 13, 0, 0, 0, 0, time.UTC), "too late"}}}
	for i := range events {
		d.Add(&events[i])
	}
	f := d.Findings()
	var order []string
	for _, p := range f.Problems {
		order = append(order, p.Bucket)
	}
	if want := []string{"authentication", "content", "relay"}; !slices.Equal(order, want) {
		t.Fatalf("problems %v, want %v", order, want)
	}
	auth := f.Problems[0]
	if auth.Category != "auth_failure" || auth.Scope != "one_provider" || auth.Providers[0].Provider != "microsoft" || auth.N != 240 || auth.Domain != "outlook.com" {
		t.Errorf("authentication: %+v", auth)
	}
	if auth.Since == nil || auth.Since.Time.Format("2006-01-02 15:04") != "2026-03-12 09:00" || auth.Since.Before.N != 0 || auth.Since.After == nil || auth.Since.After.What != "new From domain" {
		t.Errorf("onset: %+v", auth.Since)
	}
	if auth.Fix == "" || auth.Meaning == "" || !strings.Contains(auth.Sample, "5.7.515") {
		t.Errorf("%+v", auth)
	}
	if c := f.Problems[1]; c.Scope != "everywhere" || c.Since != nil || c.Over {
		t.Errorf("content: %+v", c)
	}
	if len(f.Unknown) == 0 || f.Unknown[0].Template != "554 zorglub failure code <n> at node <n>" {
		t.Errorf("unclassified: %+v", f.Unknown)
	}
	if f.On554[bounceimport.Sender] == 0 || f.On554["unknown"] == 0 || f.On554[bounceimport.Recipient] != 0 {
		t.Errorf("554: %v", f.On554)
	}
	if len(f.Timeline) == 0 || f.Timeline[0].Day != "2026-03-01" {
		t.Errorf("timeline %v", f.Timeline)
	}
	var n int64
	for _, p := range f.Timeline {
		n += p.N
	}
	if n != f.Events {
		t.Errorf("the timeline holds %d of %d events", n, f.Events)
	}
	for _, c := range slices.Concat(f.FixFirst, f.Unknown) {
		if i := strings.IndexByte(c.Sample, '@'); i > 0 && c.Sample[i-1] != '*' {
			t.Errorf("an address in %q", c.Sample)
		}
	}
}

// A problem that was repaired is over.
func TestDiagnosisOver(t *testing.T) {
	var d Diagnosis
	for _, e := range someReplies(2) {
		if e.Category == "auth_failure" && e.Time.Day() > 12 {
			continue
		}
		d.Add(&e)
	}
	p := d.Findings().Problems[0]
	if p.Category != "auth_failure" || !p.Over || p.Since == nil {
		t.Errorf("%+v", p)
	}
}

// The order of events does not show.
func TestDiagnosisDeterministic(t *testing.T) {
	events := someReplies(3)
	for i := range events {
		if i%3 == 0 {
			events[i].Time = time.Time{}
		}
	}
	var want *Findings
	r := rand.New(rand.NewPCG(1, 1))
	for range 4 {
		var d Diagnosis
		for i := range events {
			d.Add(&events[i])
		}
		got := d.Findings()
		if want != nil && !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v\nwant %+v", got, want)
		}
		want = got
		r.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	}
}

func TestDiagnosisEmpty(t *testing.T) {
	var d Diagnosis
	if f := d.Findings(); f.Events != 0 || f.Problems == nil || f.Timeline == nil {
		t.Errorf("%+v", f)
	}
	d.Add(&bounceimport.Event{Recipient: "no address", Reply: "554 no"})
	d.Findings()
}

func TestSketch(t *testing.T) {
	for _, n := range []int{0, 1, 10, 255, 1000, 50000} {
		var s, a, b sketch
		for i := range n {
			v := fmt.Sprintf("user%d@example.org", i)
			s.add(v)
			s.add(v)
			if i%2 == 0 {
				a.add(v)
			} else {
				b.add(v)
			}
		}
		a.merge(&b)
		got := s.n()
		if a.n() != got {
			t.Errorf("%d: merged %d, alone %d", n, a.n(), got)
		}
		if n < sketchSize && got != int64(n) || got < int64(float64(n)*0.8) || got > int64(float64(n)*1.2) {
			t.Errorf("%d: counted %d", n, got)
		}
	}
}

// Memory is bounded: ever new wordings do not pile up.
func TestDiagnosisBounded(t *testing.T) {
	var d Diagnosis
	e := bounceimport.Event{Recipient: "a@example.org", Time: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Class: bounceimport.Class{Category: "unknown", Bucket: "unknown"}}
	word := func(i int) string {
		b := []byte("aaaaaa")
		for k := range b {
			b[k] += byte(i % 26)
			i /= 26
		}
		return string(b)
	}
	for i := range 4 * maxClusters {
		e.Reply = "554 the frequent one"
		if i%4 != 0 {
			e.Reply = "554 " + word(i)
		}
		d.Add(&e)
	}
	f := d.Findings()
	if len(d.clusters) > 2*maxClusters {
		t.Errorf("%d clusters", len(d.clusters))
	}
	if f.Unknown[0].Template != "554 the frequent one" || f.Unknown[0].N != maxClusters {
		t.Errorf("%+v", f.Unknown[0])
	}
}

func BenchmarkDiagnosis(b *testing.B) {
	events := someReplies(1)
	var d Diagnosis
	i := 0
	for b.Loop() {
		d.Add(&events[i%len(events)])
		i++
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
