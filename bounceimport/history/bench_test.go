//go:build unix

package history

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/winnow-email/winnow/bounceimport"
)

// benchEvents is the number of events of the benchmarks. The goal of the
// project is stated for five million: go test -bench . -events 5000000
var benchEvents = flag.Int("events", 500_000, "events in the history of the benchmarks")

// cpuSeconds is the processor time of the process so far. It includes the
// garbage collector, and excludes what neighbours on the machine use.
func cpuSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

// peakMiB is the largest amount of memory the process had so far.
func peakMiB() float64 {
	b, _ := os.ReadFile("/proc/self/status")
	_, after, _ := strings.Cut(string(b), "VmHWM:")
	n, _ := strconv.Atoi(strings.TrimSpace(strings.SplitN(after, "kB", 2)[0]))
	return float64(n) / 1024
}

// benchEvent fills e with the i-th event of a realistic mixture: two thirds hard
// bounces, each of an address of its own, of 20,000 domains.
func benchEvent(r *rand.Rand, e *bounceimport.Event, buf []byte) []byte {
	n := r.IntN(*benchEvents)
	domain := n % 20000
	buf = fmt.Appendf(buf[:0], "%x.user%d@example%d.org", n*2654435761%1048573, n, domain)
	*e = bounceimport.Event{Recipient: string(buf), Time: now.Add(-time.Duration(r.IntN(300*24*3600)) * time.Second), Source: "bounces-2026-05.csv:" + strconv.Itoa(n)}
	switch n % 6 {
	case 0:
		e.Class = bounceimport.Class{Category: "mailbox_full", Action: bounceimport.Count, Rule: "words:full"}
		e.Code, e.Status, e.Reply = 452, "4.2.2", "452 4.2.2 The email account that you tried to reach is over quota."
	case 1:
		e.Class = bounceimport.Class{Category: "ip_reputation", Action: bounceimport.Report, Rule: "token:s3140"}
		e.Code, e.Status, e.Reply = 550, "5.7.1", "550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. Part of their network is on our block list (S3140)."
	default:
		e.Class = bounceimport.Class{Category: "user_unknown", Action: bounceimport.SuppressNow, Rule: "gmail:nosuchuser"}
		e.Code, e.Status = 550, "5.1.1"
		e.Reply = "550-5.1.1 The email account that you tried to reach does not exist. " + strconv.Itoa(n*7919) + " - gsmtp <" + e.Recipient + ">"
	}
	if domain < 100 {
		e.Provider = "gmail"
	}
	return buf
}

func fillHistory(b *testing.B, path string, from int) float64 {
	s, err := Create(path)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	r := rand.New(rand.NewPCG(uint64(from), 9))
	var e bounceimport.Event
	var buf []byte
	start := cpuSeconds()
	for range *benchEvents { // what making them costs is not the history's
		buf = benchEvent(r, &e, buf)
	}
	making := cpuSeconds() - start

	r = rand.New(rand.NewPCG(uint64(from), 9))
	start = cpuSeconds()
	m := s.Begin(context.Background())
	for range *benchEvents {
		buf = benchEvent(r, &e, buf)
		if err := m.Add(&e); err != nil {
			b.Fatal(err)
		}
	}
	if err := m.Done(); err != nil {
		b.Fatal(err)
	}
	return cpuSeconds() - start - making
}

// BenchmarkImport measures a first import and the same again, which changes
// nothing.
func BenchmarkImport(b *testing.B) {
	for b.Loop() {
		path := filepath.Join(b.TempDir(), "winnow.db")
		first := fillHistory(b, path, 1)
		again := fillHistory(b, path, 1)
		b.ReportMetric(float64(*benchEvents)/first, "events/cpu-s")
		b.ReportMetric(float64(*benchEvents)/again, "known-events/cpu-s")
		st, err := os.Stat(path)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(st.Size())/float64(*benchEvents), "B/event")
	}
	b.ReportMetric(peakMiB(), "peak-MiB")
}

// BenchmarkRecords measures what `clean --history` costs: a scan that folds
// every row, for a list that holds all addresses and for one that holds none.
func BenchmarkRecords(b *testing.B) {
	path := filepath.Join(b.TempDir(), "winnow.db")
	fillHistory(b, path, 1)
	s, err := Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	rows, err := s.int("SELECT count(*) FROM event")
	if err != nil {
		b.Fatal(err)
	}
	for _, v := range []struct {
		name string
		want func(string) bool
	}{{"all", nil}, {"none", func(string) bool { return false }}} {
		b.Run(v.name, func(b *testing.B) {
			runtime.GC()
			start := cpuSeconds()
			for b.Loop() {
				if err := s.Records(context.Background(), now, v.want, func(string, bounceimport.Record) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(rows)*float64(b.N)/(cpuSeconds()-start), "rows/cpu-s")
			b.ReportMetric(peakMiB(), "peak-MiB")
		})
	}
}

// BenchmarkHashed measures what each row of a list costs once an address was
// forgotten.
func BenchmarkHashed(b *testing.B) {
	s := create(b)
	if _, err := s.Forget(context.Background(), now, false, "jane@example.org"); err != nil {
		b.Fatal(err)
	}
	look, err := s.Hashed(context.Background())
	if err != nil || look == nil {
		b.Fatal(err)
	}
	start := cpuSeconds()
	for b.Loop() {
		look("another.address@example.org")
	}
	b.ReportMetric(float64(b.N)/(cpuSeconds()-start), "rows/cpu-s")
}
