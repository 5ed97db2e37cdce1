package csvrows

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
)

// benchList writes a list of ten columns, 3% of its rows with quoted cells that
// hold commas or line ends, and returns its path and its size.
func benchList(b *testing.B, rows int) (string, int64) {
	b.Helper()
	r := rand.New(rand.NewPCG(1, 1))
	var buf bytes.Buffer
	buf.WriteString("id,first_name,last_name,email,company,city,country,phone,signup,notes\n")
	for i := range rows {
		notes := "none"
		switch r.IntN(66) {
		case 0:
			notes = "\"met in Rome, spring\""
		case 1:
			notes = "\"first line\nsecond \"\"line\"\"\""
		}
		fmt.Fprintf(&buf, "%d,Ann%d,Example,user.%d@mail%d.example.org,Acme %d,Town,DE,+49301234%d,2024-05-17,%s\n",
			i, r.IntN(1000), i, r.IntN(200_000), r.IntN(5000), r.IntN(10000), notes)
	}
	path := b.TempDir() + "/bench.csv"
	if err := os.WriteFile(path, buf.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	return path, int64(buf.Len())
}

// cpuSeconds returns the processor time that the process has used.
func cpuSeconds(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

const benchRows = 1_000_000

// BenchmarkScan reads a list: record bounds alone, with the address cell of every
// record, and what encoding/csv takes for the same file.
func BenchmarkScan(b *testing.B) {
	path, size := benchList(b, benchRows)
	pass := func(b *testing.B, path string, each func(*Chunk, int)) {
		l, err := Open(path, Options{})
		if err != nil {
			b.Fatal(err)
		}
		defer l.Close()
		b.SetBytes(size)
		b.ReportAllocs()
		start := cpuSeconds(b)
		var c Chunk
		for b.Loop() {
			s, err := l.Scan()
			if err != nil {
				b.Fatal(err)
			}
			n := 0
			for {
				err := s.Next(&c)
				if err == io.EOF {
					break
				}
				if err != nil {
					b.Fatal(err)
				}
				n += c.Len()
				if each != nil {
					for i := range c.Len() {
						each(&c, i)
					}
				}
			}
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
			if n != benchRows {
				b.Fatalf("%d records, want %d", n, benchRows)
			}
		}
		b.ReportMetric(float64(benchRows)*float64(b.N)/(cpuSeconds(b)-start)/1e6, "Mrows/cpu-s")
	}
	b.Run("records", func(b *testing.B) { pass(b, path, nil) })
	b.Run("cell", func(b *testing.B) {
		buf := make([]byte, 0, 256)
		total := 0
		pass(b, path, func(c *Chunk, i int) { total += len(c.Cell(i, 3, buf)) })
	})
	data, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	for name, other := range map[string][]byte{"gzip": gzipped1(b, data), "zstd": zstd1(b, data), "utf-16": utf16Bytes(string(data), utf16LE)} {
		path := write(b, other)
		b.Run(name, func(b *testing.B) { pass(b, path, nil) })
	}
	b.Run("encoding-csv", func(b *testing.B) {
		b.SetBytes(size)
		start := cpuSeconds(b)
		for b.Loop() {
			f, err := os.Open(path)
			if err != nil {
				b.Fatal(err)
			}
			r := csv.NewReader(f)
			r.ReuseRecord = true
			n := 0
			for {
				if _, err := r.Read(); err == io.EOF {
					break
				} else if err != nil {
					b.Fatal(err)
				}
				n++
			}
			f.Close()
			if n != benchRows+1 {
				b.Fatalf("%d records", n)
			}
		}
		b.ReportMetric(float64(benchRows)*float64(b.N)/(cpuSeconds(b)-start)/1e6, "Mrows/cpu-s")
	})
}

// BenchmarkOpen is what detection costs for a small list.
func BenchmarkOpen(b *testing.B) {
	path, _ := benchList(b, 1000)
	for b.Loop() {
		l, err := Open(path, Options{})
		if err != nil {
			b.Fatal(err)
		}
		l.Close()
	}
}

func BenchmarkRowReader(b *testing.B) {
	path, size := benchList(b, 100_000)
	b.SetBytes(size)
	start := cpuSeconds(b)
	for b.Loop() {
		f, err := os.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		r, err := NewRowReader(f, path)
		if err != nil {
			b.Fatal(err)
		}
		for err == nil {
			_, _, err = r.Next()
		}
		f.Close()
	}
	b.ReportMetric(100_000*float64(b.N)/(cpuSeconds(b)-start)/1e6, "Mrows/cpu-s")
}

// BenchmarkAppend writes records with further cells, as for suppressed.csv.
func BenchmarkAppend(b *testing.B) {
	l := &List{Charset: utf8Charset, Newline: "\n", Comma: ',', format: format{comma: ',', width: 5}}
	raw := []byte("1234,Ann,ann.lee@example.org,Acme 12,Town\n")
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = l.Append(dst[:0], raw, "bounce_user_unknown", "The mailbox does not exist, says its server.", "", "550 5.1.1 User unknown", "2024-05-17")
	}
}
