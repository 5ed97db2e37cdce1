// Command gendemo writes the demo: a contact list as a shop would export it,
// the bounces of its last campaigns, and the DNS zone of the domains in it.
// Every name is invented; the same program writes the same bytes.
//
//	go run ./internal/gendemo testdata
package main

import (
	"bufio"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"
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
	log.SetPrefix("gendemo: ")
	if len(os.Args) != 2 {
		log.Fatal("usage: gendemo DIR")
	}
	list, bounces := generate()
	for name, content := range map[string]string{"lists/demo.csv": list, "bounces/demo.csv": bounces} {
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
