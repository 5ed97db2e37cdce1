//go:build unix

package validate

import (
	"fmt"
	"math/rand/v2"
	"net/mail"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// benchAddresses makes n addresses as lists have them: names with the marks,
// tags and case that people use; domains from a few big providers down to
// companies, by a Zipf law, or (distinct) each domain once; a hundredth each of
// typos, throw-away domains, upper case, and of addresses that are no addresses.
func benchAddresses(n int, distinct bool) []string {
	r := rand.New(rand.NewPCG(1, 2))
	big := []string{"gmail.com", "yahoo.com", "hotmail.com", "outlook.com", "aol.com", "icloud.com", "gmx.de", "web.de", "orange.fr", "comcast.net",
		"live.com", "msn.com", "yahoo.co.uk", "mail.ru", "libero.it", "qq.com", "t-online.de", "btinternet.com", "wanadoo.fr", "hotmail.fr"}
	slips := []string{"gmial.com", "gmail.con", "hotmial.com", "yaho.com", "outlok.com", "gmail.co"}
	thrown := []string{"mailinator.com", "yopmail.com", "guerrillamail.com"}
	first := []string{"anna", "peter", "maria", "john.smith", "j.doe", "Sophie", "li.wei", "o'neil", "jean-luc", "info", "sales", "k.mueller", "emma_w", "luis", "fatima"}
	syll := []string{"an", "ber", "co", "del", "er", "fin", "gra", "hol", "in", "jor", "kan", "lum", "mar", "net", "or", "pro", "qua", "ris", "sol", "tec", "um", "ver", "wes", "yor", "zen"}
	tlds := []string{"com", "com", "com", "de", "net", "org", "co.uk", "fr", "it", "io", "nl", "com.br"}
	company := func(i int) string {
		q := rand.New(rand.NewPCG(uint64(i), 7))
		s := ""
		for range 2 + q.IntN(3) {
			s += syll[q.IntN(len(syll))]
		}
		if q.IntN(4) == 0 {
			s += "-" + syll[q.IntN(len(syll))]
		}
		if distinct {
			s = fmt.Sprintf("%s%x", s, i)
		}
		return s + "." + tlds[q.IntN(len(tlds))]
	}
	z := rand.NewZipf(r, 1.3, 8, 100_000)
	out := make([]string, n)
	for i := range out {
		local := first[r.IntN(len(first))]
		switch r.IntN(6) {
		case 0:
			local += fmt.Sprint(r.IntN(1000))
		case 1:
			local += "+news"
		case 2:
			local += "." + syll[r.IntN(len(syll))] + syll[r.IntN(len(syll))]
		}
		var domain string
		switch k := int(z.Uint64()); {
		case distinct:
			domain = company(i)
		case k < len(big):
			domain = big[k]
		default:
			domain = company(k)
		}
		switch r.IntN(100) {
		case 0:
			if !distinct {
				domain = slips[r.IntN(len(slips))]
			}
		case 1:
			if !distinct {
				domain = thrown[r.IntN(len(thrown))]
			}
		case 2:
			local = "J." + local + "."
		case 3:
			domain = "Example-" + domain
		}
		out[i] = local + "@" + domain
	}
	return out
}

// cpuSeconds is the processor time this process has used: the metric, because
// other processes share the machine.
func cpuSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
}

func benchmarkEach(b *testing.B, addrs []string, f func(string)) {
	b.ReportAllocs()
	start, i := cpuSeconds(), 0
	for b.Loop() {
		f(addrs[i])
		if i++; i == len(addrs) {
			i = 0
		}
	}
	b.ReportMetric(float64(b.N)/(cpuSeconds()-start), "addr/cpu-s")
}

var sink int

// BenchmarkCheck judges addresses with everything on (syntax, lists, role,
// provider rules, typo suggestion), nothing remembered from one to the next,
// beside what net/mail needs for the syntax alone.
func BenchmarkCheck(b *testing.B) {
	mixed, distinct := benchAddresses(200_000, false), benchAddresses(200_000, true)
	var v Validator
	check := func(s string) {
		r := v.Check(s)
		sink += len(r.Domain.Class)
	}
	b.Run("mixed", func(b *testing.B) { benchmarkEach(b, mixed, check) })
	b.Run("distinct-domains", func(b *testing.B) { benchmarkEach(b, distinct, check) })
	b.Run("parse-only", func(b *testing.B) {
		benchmarkEach(b, mixed, func(s string) {
			a, _ := ParseAddress(s)
			sink += len(a.Domain)
		})
	})
	b.Run("net-mail-ParseAddress", func(b *testing.B) {
		benchmarkEach(b, mixed, func(s string) {
			if a, err := mail.ParseAddress(s); err == nil {
				sink += len(a.Address)
			}
		})
	})
	b.Run("npm-mailchecker", func(b *testing.B) { benchmarkNode(b, mixed) })
}

// benchmarkNode lets the npm package mailchecker judge the same addresses, when
// node is there and finds it: npm install mailchecker --prefix DIR, then
// NODE_PATH=DIR/node_modules.
func benchmarkNode(b *testing.B, addrs []string) {
	if exec.Command("node", "-e", `require("mailchecker")`).Run() != nil {
		b.Skip("skipped: no node, or no mailchecker in NODE_PATH")
	}
	const script = `const c = require("mailchecker"), a = require("fs").readFileSync(0, "utf8").split("\n");
let n = 0, ok = 0; const t = process.cpuUsage();
while (n < 1e6) for (const s of a) { if (c.isValid(s)) ok++; n++; }
const u = process.cpuUsage(t); console.log(n / (u.user + u.system) * 1e6);`
	for b.Loop() {
		cmd := exec.Command("node", "-e", script)
		cmd.Stdin = strings.NewReader(strings.Join(addrs, "\n"))
		out, err := cmd.Output()
		if err != nil {
			b.Fatal(err)
		}
		rate, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(rate, "addr/cpu-s")
	}
}
