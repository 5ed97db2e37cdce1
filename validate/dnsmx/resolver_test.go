package dnsmx

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"winnow/validate"
	"winnow/validate/dnsmx/dnstest"
)

// resolve asks r for the domains and returns the answers by domain.
func resolve(tb testing.TB, r validate.Resolver, domains ...string) (map[string]validate.Answer, error) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 60*time.Second)
	defer cancel()
	in := make(chan string)
	go func() {
		defer close(in)
		for _, d := range domains {
			select {
			case in <- d:
			case <-ctx.Done():
				return
			}
		}
	}()
	out := make(chan validate.Answer, len(domains)+1)
	err := r.Resolve(ctx, in, func(a validate.Answer) { out <- a })
	close(out)
	m := map[string]validate.Answer{}
	for a := range out {
		if _, ok := m[a.Domain]; ok {
			tb.Errorf("%s: answered twice", a.Domain)
		}
		m[a.Domain] = a
	}
	for _, d := range domains {
		if _, ok := m[d]; !ok {
			tb.Errorf("%s: not answered", d)
		}
	}
	return m, err
}

// TestTapeRepeats is property P4: a recording gives the answers of the run it
// was made in, to the byte, also when its lines are sorted.
func TestTapeRepeats(t *testing.T) {
	_, zone, domains := scenarios(t)
	for n := 1; n <= 2; n++ {
		for _, first := range []string{"", "! * * nx=198.41.0.4\n", "! * * servfail\n", "! * * flaky=30 servfail\n"} {
			var tape bytes.Buffer
			r := &Resolver{Timeout: testTimeout, Record: &tape}
			for i := range n {
				z := zone
				if i == 0 {
					z = first + zone
				}
				r.Servers = append(r.Servers, dnstest.Start(t, z).Addr)
			}
			got, _ := resolve(t, r, domains...)
			lines := strings.SplitAfter(tape.String(), "\n")
			slices.Sort(lines)
			for _, text := range []string{tape.String(), strings.Join(lines, "")} {
				tp, err := OpenTape(strings.NewReader(text), "tape")
				if err != nil {
					t.Fatal(err)
				}
				again, err := resolve(t, tp, domains...)
				if err != nil {
					t.Fatal(err)
				}
				for _, d := range domains {
					a, _ := json.Marshal(got[d])
					b, _ := json.Marshal(again[d])
					if !bytes.Equal(a, b) {
						t.Errorf("%d resolvers, %q: the recording differs:\n%s\n%s", n, first, a, b)
					}
				}
			}
		}
	}
}
