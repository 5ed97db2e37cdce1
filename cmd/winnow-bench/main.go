// Command winnow-bench writes a big mailing list with suppressions and bounces,
// and measures what it costs to clean it. The same program writes the same
// bytes; every name is invented.
//
//	go run ./cmd/winnow-bench -rows 10000000 -dir /tmp/bench
//
// It prints, for copying the list and for cleaning it offline (no DNS, all
// checks on, suppressions and bounces merged, all files written and synced),
// wall time, CPU time and peak memory, and the ratios. Compare ratios of one
// run, never seconds of two machines.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"syscall"
	"time"

	"github.com/winnow-email/winnow"
	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/bounceimport/reader"
)

func main() {
	log.SetFlags(0)
	rows := flag.Int("rows", 10_000_000, "records of the list")
	suppress := flag.Int("suppress", 1_000_000, "lines of the suppression list")
	bounces := flag.Int("bounces", 200_000, "rows of the bounce file")
	dir := flag.String("dir", filepath.Join(os.TempDir(), "winnow-bench"), "folder for the files; kept")
	runs := flag.Int("runs", 1, "runs of each, in turn; the median is printed")
	memory := flag.Int64("memory", 0, "Job.Memory in MiB")
	program := flag.String("winnow", "", "path of the built program: measure it too")
	only := flag.Bool("generate", false, "only write the files")
	profile := flag.String("cpuprofile", "", "write a CPU profile of the cleaning to this file")
	child := flag.String("child", "", "used by itself")
	flag.Parse()

	b := &bench{dir: *dir, rows: *rows, suppress: *suppress, bounces: *bounces, memory: *memory << 20, winnow: *program}
	switch *child {
	case "clean":
		if *profile != "" {
			f, err := os.Create(*profile)
			if err != nil {
				log.Fatal(err)
			}
			if err := pprof.StartCPUProfile(f); err != nil {
				log.Fatal(err)
			}
			defer pprof.StopCPUProfile()
		}
		if err := b.clean(); err != nil {
			log.Fatal(err)
		}
		return
	case "copy":
		if err := b.copy(); err != nil {
			log.Fatal(err)
		}
		return
	}
	if err := b.generate(); err != nil {
		log.Fatal(err)
	}
	if *only {
		return
	}
	if err := b.measure(*runs); err != nil {
		log.Fatal(err)
	}
}

type bench struct {
	dir                     string
	rows, suppress, bounces int
	memory                  int64
	winnow                  string
}

func (b *bench) path(kind string) string {
	return filepath.Join(b.dir, fmt.Sprintf("%s-%d.csv", kind, b.rows))
}

// rnd is a small generator of its own, so that the bytes never depend on a library.
type rnd uint64

func (r *rnd) next() uint64 { // splitmix64
	*r += 0x9e3779b97f4a7c15
	z := uint64(*r)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (r *rnd) n(n int) int { return int(r.next() % uint64(n)) }

var (
	first  = []string{"anna", "ben", "carla", "david", "elena", "farid", "greta", "hassan", "ines", "jonas", "kim", "liam", "maria", "noah", "olga", "paul"}
	last   = []string{"almeida", "becker", "costa", "dubois", "eriksson", "fischer", "garcia", "horvat", "ivanova", "jansen", "kowalski", "larsen", "moreau", "nakamura", "okafor", "petrov"}
	cities = []string{"Berlin", "Lyon", "Porto", "Oslo", "Dublin", "Graz", "Bergen", "Turin"}
	free   = []string{"gmail.com", "yahoo.com", "hotmail.com", "outlook.com", "icloud.com", "gmx.de", "web.de", "aol.com", "orange.fr", "libero.it"}
	bad    = []string{"no-at-sign", "two@@example.com", "dot..dot@gmail.com", ".lead@gmx.de", "space in@web.de", "trailing.@aol.com", "@nolocal.com", "nodomain@"}
)

const domains = 200_000

// domain returns the name of rank k of a Zipf distribution with exponent 1.
func domain(dst []byte, r *rnd) []byte {
	u := float64(r.next()>>11) / (1 << 53)
	k := int(math.Exp(u*math.Log(domains+1))) - 1 // ranks 0 … domains-1, density 1/(k+1)
	if k < len(free) {
		return append(dst, free[k]...)
	}
	dst = append(append(dst, last[k%16]...), '-')
	dst = strconv.AppendInt(dst, int64(k), 36)
	return append(dst, [...]string{".com", ".de", ".org", ".net", ".fr", ".co.uk"}[k%6]...)
}

// address appends the address of person i.
func address(dst []byte, i int) []byte {
	r := rnd(uint64(i)*0x2545f4914f6cdd1d + 99)
	x := r.next()
	dst = append(append(append(dst, first[x%16]...), '.'), last[(x>>4)%16]...)
	dst = strconv.AppendUint(dst, (x>>8)%100_000_000, 10)
	dst = append(dst, '@')
	return domain(dst, &r)
}

func (b *bench) generate() error {
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return err
	}
	err := b.file("list", "id,email,first_name,last_name,city,company,phone,created,source,note\n", b.rows, func(dst []byte, i int, r *rnd) []byte {
		dst = append(strconv.AppendInt(dst, int64(i), 10), ',')
		x := r.n(100)
		switch {
		case x < 3:
			dst = append(dst, bad[r.n(len(bad))]...)
		case x < 8 && i > 1:
			dst = address(dst, r.n(i))
		default:
			dst = address(dst, i)
		}
		dst = append(append(append(dst, ','), first[r.n(16)]...), ',')
		dst = append(append(dst, last[r.n(16)]...), ',')
		dst = append(append(dst, cities[r.n(8)]...), ',')
		dst = append(strconv.AppendInt(append(dst, "company "...), int64(r.n(100_000)), 10), ",+49 30 "...)
		dst = append(strconv.AppendInt(dst, int64(1_000_000+r.n(8_999_999)), 10), ",2025-"...)
		dst = append(dst, [...]string{"01-05", "02-11", "07-21", "11-30"}[r.n(4)]...)
		dst = append(append(dst, ','), [...]string{"web", "shop", "event", "import"}[r.n(4)]...)
		switch y := r.n(100); {
		case y == 0:
			dst = append(dst, ",\"first line\nsecond line\"\n"...)
		case y < 3:
			dst = append(dst, ",\"likes tea, and \"\"cake\"\"\"\n"...)
		default:
			dst = append(dst, ",customer\n"...)
		}
		return dst
	})
	if err != nil {
		return err
	}
	person := func(dst []byte, r *rnd) []byte { // three in ten are on the list
		if r.n(10) < 3 {
			return address(dst, r.n(b.rows))
		}
		return address(dst, b.rows+r.n(1<<30))
	}
	err = b.file("suppress", "email\n", b.suppress, func(dst []byte, _ int, r *rnd) []byte { return append(person(dst, r), '\n') })
	if err != nil {
		return err
	}
	replies := []string{
		"550 5.1.1 The email account that you tried to reach does not exist", "552 5.2.2 mailbox full",
		"554 5.7.1 Service unavailable; client host blocked using a blocklist", "550 5.7.26 unauthenticated mail is refused",
		"550 5.1.1 user unknown", "554 5.7.1 message looks like spam",
	}
	return b.file("bounces", "email,timestamp,reason\n", b.bounces, func(dst []byte, i int, r *rnd) []byte {
		dst = append(person(dst, r), ",2026-03-"...)
		dst = append(dst, [...]string{"01", "05", "09", "12"}[r.n(4)]...)
		dst = append(dst, " 10:00:00,"...)
		return append(append(dst, replies[r.n(len(replies))]...), '\n')
	})
}

// file writes a file of n records once.
func (b *bench) file(kind, head string, n int, record func(dst []byte, i int, r *rnd) []byte) error {
	path := b.path(kind)
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	f, err := os.Create(path + ".part")
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	r := rnd(len(kind))
	w.WriteString(head)
	var buf []byte
	for i := range n {
		buf = record(buf[:0], i, &r)
		w.Write(buf)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(path+".part", path)
}

// copy is what cp does, with the same sync at the end as a run.
func (b *bench) copy() error {
	in, err := os.Open(b.path("list"))
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(filepath.Join(b.dir, "copy.csv"))
	if err != nil {
		return err
	}
	buf := make([]byte, 1<<18)
	if _, err := io.CopyBuffer(struct{ io.Writer }{out}, struct{ io.Reader }{in}, buf); err != nil {
		return err
	}
	if err := out.Sync(); err != nil {
		return err
	}
	return out.Close()
}

func (b *bench) clean() error {
	j := &winnow.Job{
		Lists: []string{b.path("list")}, Out: filepath.Join(b.dir, "out"), Suppress: []string{b.path("suppress")}, Memory: b.memory,
	}
	if b.bounces > 0 {
		ledger := &bounceimport.Ledger{}
		if _, err := reader.ReadPath(context.Background(), b.path("bounces"), reader.Options{}, ledger.Add); err != nil {
			return err
		}
		j.Evidence = []bounceimport.Source{ledger}
	}
	s, err := winnow.Run(context.Background(), j)
	if err != nil {
		return err
	}
	fmt.Printf("  %d records: %v\n", s.Records, s.Lists)
	return nil
}

type cost struct {
	wall, cpu time.Duration
	peak      int64 // KiB
}

func (b *bench) measure(runs int) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	kinds := []string{"copy", "clean"}
	if b.winnow != "" {
		kinds = append(kinds, "winnow")
	}
	got := map[string][]cost{}
	for range runs {
		for _, k := range kinds {
			os.RemoveAll(filepath.Join(b.dir, "out"))
			os.Remove(filepath.Join(b.dir, "copy.csv"))
			cmd := exec.Command(self, append([]string{"-child", k}, os.Args[1:]...)...)
			if k == "winnow" {
				cmd = exec.Command(b.winnow, "clean", b.path("list"), "--no-dns", "--no-gates", "-q", "--suppress", b.path("suppress"), "--bounces", b.path("bounces"), "-o", filepath.Join(b.dir, "out"))
			}
			cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
			start := time.Now()
			if err := cmd.Run(); err != nil {
				return err
			}
			c := cost{wall: time.Since(start), cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
			if ru, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
				c.peak = ru.Maxrss
			}
			got[k] = append(got[k], c)
		}
	}
	base := median(got["copy"])
	for _, k := range kinds {
		c := median(got[k])
		fmt.Printf("%-6s wall %6.2f s (%4.1f x copy)  cpu %6.2f s (%5.0f ns a record)  peak %4d MiB\n", k, c.wall.Seconds(), c.wall.Seconds()/base.wall.Seconds(),
			c.cpu.Seconds(), float64(c.cpu.Nanoseconds())/float64(b.rows), c.peak>>10)
	}
	return nil
}

func median(c []cost) cost {
	m := c[0]
	for _, x := range c { // of few runs: the one with as many above as below
		less := 0
		for _, y := range c {
			if y.wall < x.wall {
				less++
			}
		}
		if less == len(c)/2 {
			m = x
		}
	}
	return m
}
