package dnsmx

import (
	"bytes"
	"context"
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

func TestTapeRepeats(t *testing.T) {
	srv := dnstest.Start(t, `
acme.com.     MX 10 mx.acme.com.
mx.acme.com.  A  198.41.0.4
onlya.com.    A  198.41.0.4
null.com.     MX 0 .
! broken.com  *  servfail
! slow.com    *  timeout
`)
	var tape bytes.Buffer
	r := &Resolver{Servers: []string{srv.Addr}, Timeout: 100 * time.Millisecond, Record: &tape}
	names := []string{"acme.com", "onlya.com", "null.com", "gone.com", "sub.gone.com", "broken.com", "slow.com", "x.test"}
	got, err := resolve(t, r, names...)
	t.Logf("%v %+v", err, r.Stats())
	for _, d := range names {
		t.Logf("%+v", got[d])
	}
	t.Log(tape.String())
	tp, err := OpenTape(&tape, "tape")
	if err != nil {
		t.Fatal(err)
	}
	again, _ := resolve(t, tp, names...)
	for _, d := range names {
		t.Logf("%+v", again[d])
	}
}
