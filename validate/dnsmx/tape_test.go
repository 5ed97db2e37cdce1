package dnsmx

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// TestTapeRepeats is property P4: a recording gives the answers of the run it
// was made in, to the byte, also when its lines are sorted.
func TestTapeRepeats(t *testing.T) {
	t.Parallel()
	_, zone, domains := scenarios(t)
	for n := 1; n <= 2; n++ {
		for _, first := range []string{"", "! * * nx=198.41.0.4\n", "! * * servfail\n", "! * * flaky=30 servfail\n", "! * * flaky=10 gone\n", "! * MX flaky=50 nullmx\n"} {
			bubble(t, func(t *testing.T) {
				var tape bytes.Buffer
				zones := []string{first + zone, zone}
				r := offline(t, &Resolver{Record: &tape}, zones[:n]...)
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
			})
		}
	}
}
