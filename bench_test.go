package winnow

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// BenchmarkRun cleans 200,000 records of 10 columns, 5% of them copies, offline.
// The benchmark of a whole machine, with a list of any size, is
// go run ./cmd/winnow-bench.
func BenchmarkRun(b *testing.B) {
	const n = 200_000
	r := rand.New(rand.NewPCG(1, 2))
	var list bytes.Buffer
	list.WriteString("id,email,first,last,city,company,phone,created,source,note\n")
	for i := range n {
		who := i
		if r.IntN(20) == 0 {
			who = r.IntN(i + 1)
		}
		fmt.Fprintf(&list, "%d,person.%d@firm-%d.org,anna,becker,Berlin,company %d,+49 30 1234567,2025-07-21,shop,customer\n", i, who, who*7919%20011, i%1000)
	}
	dir := b.TempDir()
	in := filepath.Join(dir, "list.csv")
	if err := os.WriteFile(in, list.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(list.Len()))
	for b.Loop() {
		if _, err := Run(context.Background(), &Job{Lists: []string{in}, Out: filepath.Join(dir, "out")}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/record")
}
