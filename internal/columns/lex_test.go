package columns

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestLoad(t *testing.T) {
	s := time.Now()
	l, err := loadLexicon()
	if err != nil {
		t.Fatal(err)
	}
	t.Log(len(l.exact), len(l.stems), time.Since(s))
}
func TestShow(t *testing.T) {
	l := theLexicon()
	show := func(ps []part) {
		for _, p := range ps {
			var k []string
			for i, n := range keyNames {
				if p.says&(1<<i) != 0 {
					k = append(k, n)
				}
			}
			t.Log("   ", p.text, k)
		}
	}
	for _, n := range strings.Split(os.Getenv("NAMES"), "|") {
		if n == "" {
			continue
		}
		t.Logf("NAME %q %+v", n, l.nameSense(n))
		show(l.parse(Words(n)))
	}
	for _, n := range strings.Split(os.Getenv("VALUES"), "|") {
		if n == "" {
			continue
		}
		t.Logf("VALUE %q %+v", n, l.value(n, nil))
		show(l.parse(Words(n)))
	}
}
