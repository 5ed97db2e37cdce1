// Command winnow-benchdns makes the zone that bench.sh serves, and measures package dnsmx
// against it: every verdict is compared with what the zone says.
//
//	bench gen DIR N                       zone files, names and truth for N domains
//	bench run [flags] NAMES RESOLVER      ask for all names, print one line of figures
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/winnow-email/winnow/validate"
	"github.com/winnow-email/winnow/validate/dnsmx"
)

func main() {
	if len(os.Args) > 3 && os.Args[1] == "gen" {
		var n int
		fmt.Sscan(os.Args[3], &n)
		check(gen(os.Args[2], n))
		return
	}
	if len(os.Args) > 1 && os.Args[1] == "run" {
		check(run(os.Args[2:]))
		return
	}
	fmt.Fprintln(os.Stderr, "usage: bench gen DIR N | bench run [flags] NAMES RESOLVER")
	os.Exit(2)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// gen writes the zone com for nsd, the names to ask for, and the verdict that is
// true of each. The mix is that of a list that has not been cleaned: three
// quarters with a big provider, a tenth gone, 1% SERVFAIL, 0.5% dead.
func gen(dir string, n int) error {
	create := func(name string) (*bufio.Writer, *os.File, error) {
		f, err := os.Create(filepath.Join(dir, name))
		return bufio.NewWriterSize(f, 1<<20), f, err
	}
	zone, zf, err := create("com.zone")
	if err != nil {
		return err
	}
	names, nf, err := create("names.txt")
	if err != nil {
		return err
	}
	perf, pf, err := create("dnsperf.txt")
	if err != nil {
		return err
	}
	fmt.Fprint(zone, `$ORIGIN com.
$TTL 86400
@ SOA ns.com. hostmaster.com. 1 7200 3600 1209600 3600
@ NS ns.com.
ns A 127.0.0.1
gmail MX 5 mx0.provider
outlook MX 5 mx1.provider
yahoo MX 5 mx2.provider
example MX 0 .
`)
	for i := range 60 {
		fmt.Fprintf(zone, "mx%d.provider A 198.41.%d.%d\n", i, i/250, i%250+1)
	}
	rng := rand.New(rand.NewPCG(7, 7))
	for i := range n {
		d := fmt.Sprintf("d%07d", i)
		verdict := ""
		switch p := rng.IntN(1000); {
		case p < 5: // dead: delegated to an address where nobody is
			fmt.Fprintf(zone, "%s NS ns.%s\nns.%s A 127.%d.%d.%d\n", d, d, d, 64+i>>16&63, i>>8&255, i&255)
			verdict = "unknown"
		case p < 15: // SERVFAIL: delegated to a name that does not exist
			fmt.Fprintf(zone, "%s NS ns.gone-%s\n", d, d)
			verdict = "unknown"
		case p < 115:
			verdict = "does_not_accept domain_not_found"
		case p < 145:
			fmt.Fprintf(zone, "%s MX 0 .\n", d)
			verdict = "does_not_accept domain_null_mx"
		case p < 160:
			fmt.Fprintf(zone, "%s TXT \"no mail here\"\n", d)
			verdict = "does_not_accept domain_no_mail_host"
		case p < 170:
			fmt.Fprintf(zone, "%s MX 10 gone.%s\n", d, d)
			verdict = "does_not_accept mx_unresolvable"
		case p < 210:
			fmt.Fprintf(zone, "%s A 198.42.%d.%d\n", d, i>>8&255, i&255)
			verdict = "accepts mx_implicit_a"
		case p < 290:
			fmt.Fprintf(zone, "%s MX 10 mail.%s\nmail.%s A 198.43.%d.%d\n", d, d, d, i>>8&255, i&255)
			verdict = "accepts mx_ok"
		default:
			h := rng.IntN(60)
			fmt.Fprintf(zone, "%s MX 10 mx%d.provider\n%s MX 20 mx%d.provider\n", d, h, d, (h+1)%60)
			verdict = "accepts mx_ok"
		}
		fmt.Fprintf(names, "%s.com %s\n", d, verdict)
		fmt.Fprintf(perf, "%s.com MX\n", d)
	}
	for _, w := range []*bufio.Writer{zone, names, perf} {
		if err := w.Flush(); err != nil {
			return err
		}
	}
	for _, f := range []*os.File{zf, nf, pf} {
		if err := f.Close(); err != nil {
			return err
		}
	}
	return nil
}

func run(args []string) error {
	fs := flag.NewFlagSet("run", flag.ExitOnError)
	r := &dnsmx.Resolver{}
	fs.IntVar(&r.Concurrency, "concurrency", 0, "")
	fs.DurationVar(&r.Timeout, "timeout", 0, "")
	fs.StringVar(&r.Cache, "cache", "", "")
	verbose := fs.Bool("v", false, "")
	fs.Parse(args)
	if fs.NArg() != 2 {
		return fmt.Errorf("want NAMES RESOLVER")
	}
	b, err := os.ReadFile(fs.Arg(0))
	if err != nil {
		return err
	}
	r.Servers = []string{fs.Arg(1)}
	var names []string
	c := comparison{truth: map[string]string{}}
	for line := range strings.Lines(string(b)) {
		d, want, _ := strings.Cut(strings.TrimSpace(line), " ")
		names = append(names, d)
		c.truth[d] = want
	}
	runtime.GC()
	mem := heap()
	in := make(chan string, 1000)
	go func() {
		defer close(in)
		for _, d := range names {
			in <- d
		}
	}()
	stop, peak := make(chan struct{}), make(chan int64)
	go func() { peak <- mostHeap(stop) }()
	if *verbose {
		go func() {
			for range time.Tick(time.Second) {
				s := r.Stats()
				fmt.Fprintf(os.Stderr, "  %3.0fs received %d answered %d unknown %d %+v\n", s.Seconds, s.Domains, s.Answered, s.Unknown, s.Resolvers)
			}
		}()
	}
	start, cpu := time.Now(), cpuTime()
	err = r.Resolve(context.Background(), in, c.take)
	wall, used := time.Since(start).Seconds(), (cpuTime() - cpu).Seconds()
	close(stop)
	mem = <-peak - mem
	if err != nil {
		return err
	}
	s := r.Stats()
	n := float64(len(names))
	fmt.Printf("domains=%d wrong=%d (condemned %d, passed %d) wall=%.2fs domains/s=%.0f queries/s=%.0f cpu=%.2fs domains/cpu-s=%.0f queries/domain=%.3f bytes/domain=%.0f cached=%d\n",
		c.answered, c.wrong, c.condemned, c.passed, wall, n/wall, float64(s.Queries)/wall, used, n/used, float64(s.Queries)/n, float64(mem)/n, s.Cached)
	if c.answered != len(names) || c.wrong > 0 {
		return fmt.Errorf("%d of %d answered, %d differ from the truth", c.answered, len(names), c.wrong)
	}
	return nil
}

// comparison compares answers with what the zone says.
type comparison struct {
	truth map[string]string

	mu                                 sync.Mutex
	answered, wrong, condemned, passed int
}

func (c *comparison) take(a validate.Answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answered++
	got := string(a.Verdict) + " " + a.Reason
	if a.Verdict == validate.Unknown {
		got = "unknown"
	}
	if got == c.truth[a.Domain] {
		return
	}
	if c.wrong++; c.wrong <= 5 {
		fmt.Fprintf(os.Stderr, "  %s: got %s %s, want %s\n", a.Domain, a.Verdict, a.Reason, c.truth[a.Domain])
	}
	switch a.Verdict {
	case validate.DoesNotAccept:
		c.condemned++
	case validate.Accepts:
		c.passed++
	}
}

func heap() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

// mostHeap looks at the memory in use until stop is closed.
func mostHeap(stop chan struct{}) (most int64) {
	for {
		most = max(most, heap())
		select {
		case <-stop:
			return most
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
