package lists

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/net/publicsuffix"
)

// Every list is sorted, without duplicates, well-formed, and says where it is from.
func TestListsAreWellFormed(t *testing.T) {
	for _, l := range Embedded().All() {
		if len(l.Head("source")) == 0 || len(l.Head("source")) != len(l.Head("licence")) || l.Date().IsZero() || l.Len() == 0 {
			t.Errorf("%s: source %q, licence %q, date %v, %d entries", l.Name, l.Head("source"), l.Head("licence"), l.Date(), l.Len())
		}
		last := ""
		l.each(func(off int, key string) {
			if key <= last && l.Name != "targets" { // those are ranked; the others are searched in place
				t.Errorf("%s: %s behind %s", l.Name, key, last)
			}
			if off < l.body && l.Name != "targets" {
				t.Errorf("%s: %s stands in the head", l.Name, key)
			}
			last = key
			if key != strings.ToLower(key) || strings.TrimSpace(key) != key || key == "" {
				t.Errorf("%s: %q", l.Name, key)
			}
			first, second := l.columns(off, len(key))
			switch l.Name {
			case "roles":
				if first != "system" && first != "no-reply" && first != "shared" {
					t.Errorf("roles: %s is %q", key, first)
				}
				if len(key) > 32 {
					t.Errorf("roles: %s is too long to be looked for", key)
				}
				return
			case "providers":
				if first == "" || second != "free" && second != "isp" && second != "mailbox" && second != "forwarder" {
					t.Errorf("providers: %s is %q, %q", key, first, second)
				}
			case "disposable":
				if first != "confirmed" && first != "listed" || second == "" {
					t.Errorf("disposable: %s is %q, %q", key, first, second)
				}
			case "targets":
				if _, ok := levels[first]; !ok || second == "" || key != strings.ToLower(key) {
					t.Errorf("targets: %s is %q, %q", key, first, second)
				}
				return
			case "aliases", "mx":
				if first == "" {
					t.Errorf("%s: %s says nothing", l.Name, key)
				}
			}
			if !isDomain(key) && l.Name != "mx" {
				t.Errorf("%s: %s is not a domain", l.Name, key)
			}
		})
	}
}

// Nothing that would condemn ordinary people may be on the list of disposable domains.
func TestDisposableIsClean(t *testing.T) {
	set := Embedded()
	for i := range set.domains.lists {
		l := &set.domains.lists[i]
		if l.kind != Disposable {
			continue
		}
		l.each(func(_ int, d string) {
			if suffix, _ := publicsuffix.PublicSuffix(d); suffix == d {
				t.Errorf("%s is a public suffix", d)
			}
			if isAcademic(d) {
				t.Errorf("%s is academic", d)
			}
			if e, _ := set.Domain(d); e.Kind != Disposable {
				t.Errorf("%s is on list %s too", d, e.List.Name)
			}
			if s := set.Typo(d); s != "" && !strings.HasPrefix(d, "xn--") {
				t.Errorf("%s is a slip for %s", d, s)
			}
		})
	}
	for _, d := range []string{"co.id", "outlook.de", "zoho.com", "craigslist.org", "nus.edu.sg", "gmail.com", "mozmail.com", "duck.com", "simplelogin.com", "mail.com", "gmx.net", "qq.com", "mooo.com"} {
		if e, ok := set.Domain(d); ok && e.Kind == Disposable {
			t.Errorf("%s counts as disposable", d)
		}
	}
	for _, d := range []string{"mailinator.com", "yopmail.com", "10minutemail.com", "temp-mail.org", "guerrillamail.com", "maildrop.cc", "trashmail.com", "sharklasers.com"} {
		if e, _ := set.Domain(d); e.Kind != Disposable || e.Class != "confirmed" {
			t.Errorf("%s is not confirmed: %+v", d, e)
		}
	}
}

// What is found is what is there, and nothing else is found.
func TestFind(t *testing.T) {
	set := Embedded()
	n := 0
	for _, x := range []*index{set.domains, set.roles, set.mx} {
		for i := range x.lists {
			x.lists[i].each(func(off int, key string) {
				for _, find := range []func(string) (*List, int){x.search, x.find} {
					l, at := find(key)
					if l == nil || !l.hasKey(at, key) {
						t.Fatalf("%s is not found", key)
					}
				}
				if n++; n%5 != 0 {
					return
				}
				for _, other := range []string{key + "x", key[1:], "x" + key, key + "\t", key + "\n", key + "-", key + ".", key[:len(key)-1], "#" + key} {
					l, at := x.find(other)
					if l != nil && !l.hasKey(at, other) {
						t.Fatalf("%q is found for %q", key, other)
					}
					if m, o := x.search(other); m != l || o != at {
						t.Fatalf("%q: the table and the text say different things", other)
					}
				}
			})
		}
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 100_000 {
		if e, ok := set.Domain(fmt.Sprintf("q%dzz%d.nowhere.example", r.Uint32(), r.Uint32())); ok {
			t.Fatalf("found %+v", e)
		}
	}
	if _, ok := set.Domain(""); ok {
		t.Error("the empty domain is found")
	}
}

func TestSubdomains(t *testing.T) {
	set := Embedded()
	for d, want := range map[string]string{
		"x.mailinator.com":      "confirmed", // seen at the provider
		"x.y.mailinator.com":    "confirmed",
		"x.10minutemail.com":    "listed", // confirmed by other lists only
		"x.gmail.com":           "",
		"smith.mooo.com":        "",
		"anothermailinator.org": "",
		"mailinator.com.evil":   "",
	} {
		if e, _ := set.Domain(d); e.Class != want {
			t.Errorf("%s: %q, want %q", d, e.Class, want)
		}
	}
	if e, _ := set.Domain("me.anonaddy.com"); e.Kind != Alias || e.Name != "addy.io" {
		t.Errorf("me.anonaddy.com: %+v", e)
	}
}

func TestMX(t *testing.T) {
	for host, want := range map[string][2]string{
		"gmail-smtp-in.l.google.com":             {"gmail", "free"},
		"alt1.gmail-smtp-in.l.google.com":        {"gmail", "free"},
		"aspmx.l.google.com":                     {"google-workspace", "mailbox"},
		"aspmx.l.google.com.":                    {"google-workspace", "mailbox"},
		"aspmx2.googlemail.com":                  {"google-workspace", "mailbox"},
		"smtp.google.com":                        {"google-workspace", "mailbox"},
		"acme-com.mail.protection.outlook.com":   {"microsoft-365", "mailbox"},
		"hotmail-com.olc.protection.outlook.com": {"outlook-consumer", "free"},
		"acme.h-v1.mx.microsoft":                 {"microsoft-365", "mailbox"},
		"mta5.am0.yahoodns.net":                  {"yahoo-aol", "free"},
		"mx01.mail.icloud.com":                   {"icloud", "free"},
		"mxa-00123.gslb.pphosted.com":            {"proofpoint", "gateway"},
		"eu-smtp-inbound-1.mimecast.com":         {"mimecast", "gateway"},
		"d1.ess.barracudanetworks.com":           {"barracuda", "gateway"},
		"route1.mx.cloudflare.net":               {"cloudflare-email-routing", "forwarder"},
		"mx.zoho.eu":                             {"zoho", "mailbox"},
		"google.com.evil.net":                    {"", ""},
		"notgoogle.com":                          {"", ""},
		"mail.acme.example":                      {"", ""},
		"":                                       {"", ""},
	} {
		if p, c := MXProvider(host); p != want[0] || c != want[1] {
			t.Errorf("%s: %s, %s", host, p, c)
		}
	}
	for host, want := range map[string]string{
		"mail.wabblywabble.com": "disposable", "in.mail.tm": "disposable", "mx.in.mail.tm": "disposable", "mail2.mailinator.com": "disposable", "mx1.mytemp.email": "disposable",
		"park-mx.above.com": "parked", "mail.h-email.net": "parked", "mx.above.com": "",
		"mx2.simplelogin.co": "alias", "mail.anonaddy.me": "alias",
		"us2.mx1.mailhostbox.com": "mailbox", "mx.cloudflare.net": "forwarder", "aspmx.l.google.com": "mailbox", "evilmail.tm": "",
	} {
		if _, class := MXProvider(host); class != want {
			t.Errorf("%s: %q, want %q", host, class, want)
		}
	}
}

func TestRoles(t *testing.T) {
	set := Embedded()
	for want, names := range map[string]string{
		// mailchimp.com/help/limits-on-role-based-addresses, but for those nobody reads
		"system":   "abuse admin billing compliance devnull dns ftp hostmaster inoc ispfeedback ispsupport list-request list maildaemon noc null phish phishing postmaster privacy registrar root security spam support sysadmin tech undisclosed-recipients unsubscribe usenet uucp webmaster www mailer-daemon majordomo listserv notifications spamtrap fbl bounce bounces",
		"no-reply": "noreply no-reply no_reply donotreply do-not-reply do_not_reply",
		"shared":   "info contact hello help helpdesk office team sales enquiries enquiry inquiry orders accounts accounting finance hr jobs careers press media marketing newsletter reception vertrieb verwaltung einkauf bewerbung rechnung secretariat accueil mairie vendite segreteria ufficio acquisti verkoop inkoop boekhouding klantenservice kadry sklep obchod ucetni muhasebe satis bilgi destek ekonomi faktura kundtjanst salg bogholderi soumu eigyo jinji keiri buh sklad otdel",
		"":         "sydney paris boston denver india france angels dean chef per chicago singapore berlin usa us uk se ca md la hi no mt sf lt ta pd cm bd ny 123 2015 2026 anna peter maria rose will mark bill grace joy sales1 kim lee jean rene andrea dominique claire florence victoria austin dallas savannah sofia lima roma",
	} {
		for name := range strings.FieldsSeq(names) {
			if got, _ := set.Role(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
	}
}

func TestLoad(t *testing.T) {
	if s, err := Load(fstest.MapFS{}, "none"); err != nil || s != Embedded() {
		t.Errorf("an empty folder: %v", err)
	}
	s, err := Load(fstest.MapFS{
		"disposable.txt": {Data: []byte("\ufeff# mine\r\nWegwerf.DE\r\n@neu.de listed # seen in spring\nbücher.de\n")},
		"known.txt":      {Data: []byte("gmial.com\nmailinator.com")},
		"providers.txt":  {Data: []byte("firm.de firm\n")},
		"roles.txt":      {Data: []byte("einsatz shared\nsupport person\n")},
	}, "lists")
	if err != nil {
		t.Fatal(err)
	}
	for d, want := range map[string]string{"wegwerf.de": "3 confirmed", "neu.de": "3 listed", "xn--bcher-kva.de": "3 confirmed", "gmial.com": "5 ", "mailinator.com": "5 ", "firm.de": "1 mailbox", "gmail.com": "1 free"} {
		e, _ := s.Domain(d)
		if got := fmt.Sprint(e.Kind, " ", e.Class); got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
	for name, want := range map[string]string{"einsatz": "shared", "support": "person", "info": "shared"} {
		if got, _ := s.Role(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	for text, want := range map[string]string{
		"disposable.txt\nok.de\nco.uk\n":   "lists/disposable.txt:2: co.uk is a public suffix",
		"disposable.txt\nok.de maybe\n":    `lists/disposable.txt:1: "maybe": the second column is`,
		"known.txt\nno domain\nx..y\n":     `lists/known.txt:1: "no" is not a domain`,
		"roles.txt\nboss\n":                "lists/roles.txt:1: want a local part and its class",
		"updated/disposable.txt\nno end":   "lists/updated/disposable.txt: not a list that winnow wrote",
		"updated/providers.txt\nfirm.de\n": "lists/updated/providers.txt: not a list that winnow wrote",
	} {
		name, body, _ := strings.Cut(text, "\n")
		if _, err := Load(fstest.MapFS{name: {Data: []byte(body)}}, "lists"); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestParseSource(t *testing.T) {
	for text, want := range map[string]string{
		"# head\na.com\n\nB.com # c\n@c.com\r\n":  "map[a.com: b.com: c.com:]",
		"a.com\tconfirmed\tx\nb.com\tlisted\ty\n": "map[a.com:confirmed b.com:listed]",
		`["a.com","b.com"]`:                       "map[a.com: b.com:]",
		`{"domains":{"a.com":{"providers":["static"]},"b.com":{"providers":["yopmail.com"]}}}`: "map[a.com: b.com:yopmail.com]",
	} {
		var s Source
		if err := s.Parse([]byte(text)); err != nil || fmt.Sprint(s.Domains) != want {
			t.Errorf("%q: %v, %v", text, s.Domains, err)
		}
	}
	for _, text := range []string{"", "  \n", "[1,2]", `{"a":1}`, "<html>"} {
		var s Source
		if err := s.Parse([]byte(text)); err == nil {
			t.Errorf("%q is taken for a list: %v", text, s.Domains)
		}
	}
}

func FuzzParseSource(f *testing.F) {
	f.Add([]byte("a.com\tconfirmed\n"))
	f.Add([]byte(`["a.com"]`))
	f.Add([]byte(`{"domains":{"a.com":{"providers":["x.com"]}}}`))
	guard, err := Guard(providersText, aliasesText, knownText)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s := Source{Name: "fuzz"}
		if s.Parse(b) != nil {
			return
		}
		text, _ := MergeDisposable(guard, s)
		x := newIndex(List{Name: "disposable", kind: Disposable, text: text})
		if err := x.build(); err != nil {
			t.Fatal(err)
		}
		(&List{text: text}).each(func(_ int, key string) {
			if !isDomain(key) || guard.Typo(key) != "" && !strings.HasPrefix(key, "xn--") {
				t.Fatalf("%q got through", key)
			}
			if l, at := x.find(key); l == nil || !l.hasKey(at, key) {
				t.Fatalf("%q is not found", key)
			}
		})
	})
}

func FuzzTypo(f *testing.F) {
	for _, s := range []string{"gmial.com", "gmailcom", "gmail.co.uk", ".", "", "a", "www.gmail.com", "x.y.z"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		s = strings.ToLower(s)
		got := Embedded().Typo(s)
		if got == "" {
			return
		}
		if got == s || !isDomain(got) && isDomain(s) {
			t.Fatalf("%q: %q", s, got)
		}
		if again := suggestion(got); again != "" {
			t.Fatalf("%q: %q, which is corrected to %q", s, got, again)
		}
	})
}
