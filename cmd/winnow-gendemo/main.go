// Command winnow-gendemo writes the demo: a contact list as a shop would export it,
// the bounces of its last campaigns, and a recording of what the DNS says of the
// domains in it. People and companies are invented, and the recording is made
// from a zone text by a resolver on loopback, so what the DNS says of them in
// the demo is invented too. The same program writes the same bytes.
//
//	go run ./cmd/winnow-gendemo testdata
package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/winnow-email/winnow/validate"
	"github.com/winnow-email/winnow/validate/dnsmx"
	"github.com/winnow-email/winnow/validate/dnsmx/dnstest"
)

var (
	first = strings.Fields(`Anna Ben Carla David Elena Farid Greta Hassan Ines Jonas Katarzyna Liam Maria Noah Olga Paul
		Quentin Rosa Samir Tomas Ulrike Vera Wei Xenia Yusuf Zoe Aiko Bruno Chiara Dmitri Esther Felix Giulia Henrik
		Irina Jorge Kwame Lucia Mehmet Nadia Oskar Priya Rafael Sofia Theo Uma Viktor Wanda Yara Amelie`)
	last = strings.Fields(`Almeida Becker Costa Dubois Eriksson Fischer Garcia Horvat Ivanova Jansen Kowalski Larsen
		Moreau Nakamura Okafor Petrov Quinn Rossi Silva Tanaka Ueda Vogel Weber Yilmaz Zhang Andersen Bianchi Cohen
		Diaz Evans Fontaine Greco Hughes Ito Jovanovic Kaya Lindberg Martin Novak Olsen`)
	cities = []string{"Berlin", "Lyon", "Porto", "Oslo", "Kraków", "Dublin", "Zürich", "Graz", "Bergen", "Málaga"}
	// Companies' own domains: they live in the demo's zone only.
	company = strings.Fields(`alder-analytics.com birchwood-tools.de cedar-clinic.org dune-logistics.nl ember-studio.fr
		fjord-outdoor.no granite-legal.co.uk harbor-foods.com iris-optics.it juniper-hotels.es kestrel-bikes.dk
		lagoon-spa.pt maple-school.ca nimbus-it.ch orchard-farms.at pine-printing.se quarry-stone.be river-yoga.com
		summit-gear.com tulip-garden.nl`)
	free = strings.Fields(`gmail.com gmail.com gmail.com gmail.com gmail.com outlook.com hotmail.com yahoo.com icloud.com
		gmx.de web.de orange.fr libero.it seznam.cz`)
	// Domains that take no mail, each for another reason; the zone says which.
	dead = strings.Fields(`closed-bakery.com expired-shop.net gone-agency.de nullmx-parking.com dangling-mx.org
		loopback-mx.net no-hosts.com`)
	typos      = strings.Fields(`gmial.com gmai.com hotmial.com yahoo.con outlok.com gmail.co`)
	disposable = strings.Fields(`mailinator.com yopmail.com guerrillamail.com 10minutemail.com`)
	roles      = strings.Fields(`info sales postmaster no-reply abuse office`)
	broken     = []string{"not-an-address", "two@@signs.com", "dot..dot@alder-analytics.com", "trailing.@river-yoga.com",
		"space in@local.com", "missing@tld", "@nobody.com", "", "bad@-label.com", "n/a"}
)

// Replies of the bounce file: the wording decides, not the code.
var replies = []struct{ code, text string }{
	{"550", "550 5.1.1 The email account that you tried to reach does not exist."},
	{"554", "554 5.1.1 <%s>: Recipient address rejected: User unknown in virtual mailbox table"},
	{"554", "554 delivery error: dd This user doesn't have an account here"},
	{"550", "550 5.2.1 The email account that you tried to reach is disabled."},
	{"554", "554 5.7.1 Service unavailable; Client host [192.0.2.10] blocked using a blocklist"},
	{"550", "550 5.7.515 Access denied, sending domain does not meet the required authentication level."},
	{"550", "550 5.7.26 This mail has been blocked because the sender is unauthenticated."},
	{"554", "554 5.7.1 Message rejected for policy reasons"},
	{"554", "554 5.7.1 <%s>: Relay access denied"},
	{"452", "452 4.2.2 The email account that you tried to reach is over quota."},
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("winnow-gendemo: ")
	if len(os.Args) != 2 {
		log.Fatal("usage: winnow-gendemo DIR")
	}
	list, bounces := generate()
	tape, err := record()
	if err != nil {
		log.Fatal(err)
	}
	for name, content := range map[string]string{"lists/demo.csv": list, "bounces/demo.csv": bounces, "dns/demo.tape": tape} {
		path := filepath.Join(os.Args[1], name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			log.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			log.Fatal(err)
		}
	}
}

// generate returns the contact list and the bounce file.
func generate() (list, bounces string) {
	r := rand.New(rand.NewPCG(554, 571))
	pick := func(words []string) string { return words[r.IntN(len(words))] }
	var b, bb strings.Builder
	w := bufio.NewWriter(&b)
	w.WriteString("Customer ID,First Name,Last Name,E-mail Address,City,Signed up,Notes\n")
	bb.WriteString("email,smtp_reply,created_at\n")
	var seen []string
	signup := time.Date(2023, 1, 2, 9, 0, 0, 0, time.UTC)
	for i := range 1200 {
		f, l := pick(first), pick(last)
		local := strings.ToLower(f + "." + l)
		switch r.IntN(4) {
		case 0:
			local = strings.ToLower(f[:1] + l)
		case 1:
			local += fmt.Sprint(1960 + r.IntN(45))
		}
		domain := pick(free)
		if r.IntN(3) == 0 {
			domain = pick(company)
		}
		address := local + "@" + domain
		switch n := r.IntN(200); {
		case n < 6:
			address = pick(broken)
		case n < 12:
			address = local + "@" + pick(typos)
		case n < 18:
			address = local + "@" + pick(disposable)
		case n < 26:
			address = pick(roles) + "@" + pick(company)
		case n < 38:
			address = local + "@" + pick(dead)
		case n < 40:
			address = local + "@slow-dns.com" // its servers do not answer: unknown, and kept
		case n < 52 && len(seen) > 0:
			address = pick(seen)
			if r.IntN(2) == 0 {
				address = strings.ToUpper(address[:1]) + address[1:]
			}
		case n < 56:
			address = strings.ToUpper(address[:1]) + address[1:]
		}
		if strings.Contains(address, "@") {
			seen = append(seen, address)
		}
		notes := ""
		switch r.IntN(12) {
		case 0:
			notes = `"Prefers mail, not phone"`
		case 1:
			notes = "\"Asked for the catalogue.\nCall back in spring.\""
		case 2:
			notes = `"Said ""maybe later"""`
		}
		signup = signup.Add(time.Duration(1+r.IntN(40)) * time.Hour)
		fmt.Fprintf(w, "%d,%s,%s,%s,%s,%s,%s\n", 10001+i, f, l, address, pick(cities), signup.Format("2006-01-02"), notes)

		if n := r.IntN(100); n < 14 && strings.Count(address, "@") == 1 && len(address) > 8 {
			reply := replies[r.IntN(len(replies))]
			if n < 3 {
				reply = replies[5] // one provider's authentication demand hits many at once
			}
			text := reply.text
			if strings.Contains(text, "%s") {
				text = fmt.Sprintf(text, address)
			}
			when := time.Date(2026, 3, 12, 9, 0, 0, 0, time.UTC).Add(time.Duration(r.IntN(60*24)) * time.Hour)
			fmt.Fprintf(&bb, "%s,\"%s\",%s\n", address, strings.ReplaceAll(text, `"`, `""`), when.Format(time.RFC3339))
		}
	}
	if err := w.Flush(); err != nil {
		log.Fatal(err) // a strings.Builder does not fail
	}
	return b.String(), bb.String()
}

// mailHosts are the mail hosts of the free providers, as the DNS names them.
var mailHosts = map[string]string{
	"gmail.com": "gmail-smtp-in.l.google.com", "outlook.com": "outlook-com.olc.protection.outlook.com",
	"hotmail.com": "hotmail-com.olc.protection.outlook.com", "yahoo.com": "mta5.am0.yahoodns.net", "icloud.com": "mx01.mail.icloud.com",
	"gmx.de": "mx00.emig.gmx.net", "web.de": "mx-ha02.web.de", "orange.fr": "smtp-in.orange.fr", "libero.it": "smtp-in.libero.it",
	"seznam.cz": "mx1.seznam.cz",
}

// zone is what the DNS says in the demo.
func zone() string {
	var b strings.Builder
	host := func(name string) { fmt.Fprintf(&b, "%s. A 198.41.0.4\n", name) }
	for _, d := range slices.Compact(slices.Sorted(slices.Values(free))) {
		fmt.Fprintf(&b, "%s. MX 10 %s.\n", d, mailHosts[d])
		host(mailHosts[d])
	}
	for i, d := range company {
		mx := []string{"aspmx.l.google.com", "mx." + d, d[:strings.IndexByte(d, '-')] + ".mail.protection.outlook.com", "mxa-001.pphosted.com"}[i%4]
		fmt.Fprintf(&b, "%s. MX 10 %s.\n", d, mx)
		host(mx)
	}
	for _, d := range append(slices.Clone(disposable), "gmial.com", "hotmial.com", "gmail.co") {
		fmt.Fprintf(&b, "%s. MX 10 mx.%s.\n", d, d)
		host("mx." + d)
	}
	// closed-bakery.com, expired-shop.net and gone-agency.de are in no zone: NXDOMAIN.
	b.WriteString("nullmx-parking.com. MX 0 .\n")
	b.WriteString("dangling-mx.org. MX 10 mail.dangling-mx.org.\n")
	b.WriteString("loopback-mx.net. MX 10 localhost.\n")
	b.WriteString("no-hosts.com. TXT \"v=spf1 -all\"\n")
	b.WriteString("! slow-dns.com * timeout\n")
	return b.String()
}

// recorded is the day of the recording.
const recorded = "2026-11-20T06:00:00Z"

// record asks a resolver on loopback for every domain of the demo and returns
// the recording, with a fixed time and in a fixed order.
func record() (string, error) {
	server, err := dnstest.New(zone())
	if err != nil {
		return "", err
	}
	defer server.Close()
	var tape bytes.Buffer
	r := &dnsmx.Resolver{Servers: []string{server.Addr}, Record: &tape, Timeout: 100 * time.Millisecond}
	domains := make(chan string)
	go func() {
		defer close(domains)
		for _, d := range slices.Compact(slices.Sorted(slices.Values(slices.Concat(free, company, dead, typos, disposable, []string{"slow-dns.com"})))) {
			domains <- d
		}
	}()
	if err := r.Resolve(context.Background(), domains, func(validate.Answer) {}); err != nil {
		return "", err
	}
	head, body, _ := strings.Cut(tape.String(), "\n")
	body = strings.ReplaceAll(body, server.Addr, "127.0.0.1:53")
	body = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`).ReplaceAllString(body, recorded)
	lines := strings.SplitAfter(body, "\n")
	slices.Sort(lines)
	return head + "\n" + strings.Join(lines, ""), nil
}
