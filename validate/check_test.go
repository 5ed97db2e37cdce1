package validate

import (
	"strings"
	"testing"
)

func TestRole(t *testing.T) {
	var v Validator
	for _, c := range []struct {
		locals string
		want   RoleClass
	}{
		{"info Info INFO info+news sales-uk info.de info_2 contact.us hr team-1 Info.FR vertrieb-ch", Shared},
		{"postmaster ABUSE Mailer-Daemon support billing+eu bounce+a1b2c3 webmaster-de", System},
		{"noreply no-reply No_Reply noreply-orders donotreply+x no-reply-123 noreply2", NoReply},
		{"jane jane.info info.jane information.desk.berlin j.sales may.li mark.ed hr.li it.li jane+info replyto nora.reply per chef 2024 us", Person},
	} {
		for local := range strings.FieldsSeq(c.locals) {
			r := v.Check(local + "@acme.de")
			if r.Syntax != nil || r.Role != c.want {
				t.Errorf("%s: role %d, want %d (%v)", local, r.Role, c.want, r.Syntax)
			}
			if ev := v.Evidence(&r); (len(ev) > 0) != (c.want != Person) {
				t.Errorf("%s: evidence %v", local, ev)
			}
		}
	}
}

func TestProviderRules(t *testing.T) {
	var v Validator
	for addr, risky := range map[string]bool{
		"jane.doe@gmail.com": false, "j.a.n.e.d.o.e@gmail.com": false, "janedoe+news@googlemail.com": false, "123456@gmail.com": false,
		"jane@gmail.com": true, "j.a.n.e@gmail.com": true, "jane_doe@gmail.com": true, "jane-doe@gmail.com": true, "abcdefghijklmnopqrstuvwxyz12345@gmail.com": true,
		"jane@acme.de":           false, // a rule is its provider's alone
		"jane_doe-shop@yahoo.de": false, "o'neil@yahoo.com": true, "jo@yahoo.com": true,
		"jane.doe_1-2+x@outlook.com": false, "o'neil@hotmail.com": true, "jane!@live.co.uk": true,
		"dinghy-rapids.0a@icloud.com": false, "jane#@me.com": true,
		"jane_doe@aol.com": false, "jane&joe@aol.com": true,
	} {
		r := v.Check(addr)
		if r.Syntax != nil || (r.Risky != "") != risky {
			t.Errorf("%s: %q, want %v", addr, r.Risky, risky)
		}
	}
}

func TestSuggestion(t *testing.T) {
	var v Validator
	for addr, want := range map[string]string{
		"jane@gmial.com":       "jane@gmail.com",
		"Jane.Doe@Hotmial.COM": "Jane.Doe@hotmail.com",
		"jane@gmail":           "jane@gmail.com",
		"jane@gmail,com":       "jane@gmail.com",
		"jane@gmail..com":      "jane@gmail.com",
		"jane@gmail.com.":      "jane@gmail.com",
		"jane@gmail.com?":      "jane@gmail.com",
		"jane@@gmail.com":      "jane@gmail.com",
		"jane@gmail. com":      "jane@gmail.com",
		" jane@acme.de":        "jane@acme.de",
		"<jane@acme.de>":       "jane@acme.de",
		"Jane <jane@acme.de>":  "jane@acme.de",
		"mailto:jane@acme.de":  "jane@acme.de",
		"jane＠acme.de":         "jane@acme.de",
		"jane@acme.de\n":       "jane@acme.de",
		"jane@\u200bacme.de":   "jane@acme.de",
		"jane@ymail.com":       "", "jane@acme.de": "", "jane@example.com": "", "jane": "", "": "", "@": "",
		"jane..doe@gmial.com": "", // the local part is never guessed
		"jane@acme.con":       "jane@acme.com",
		"jane@gmaíl.com":      "jane@gmail.com", // a dead key
		"jane@gm\u0430il.com": "jane@gmail.com", // Cyrillic
		"jane@gmaıl.com":      "jane@gmail.com",
		"jane@yahoó.fr":       "jane@yahoo.fr",
		"jane@müller.de":      "", "jane@fréé.fr": "", "jane@örange.fr": "",
	} {
		if r := v.Check(addr); r.Suggestion != want {
			t.Errorf("%q: %q, want %q", addr, r.Suggestion, want)
		}
	}
}

// A domain is judged in a fixed order, and every fact names its list.
func TestCheckDomain(t *testing.T) {
	var v Validator
	for name, want := range map[string]Domain{
		"gmail.com":     {Provider: "gmail", Class: "free"},
		"comcast.net":   {Provider: "comcast", Class: "isp"},
		"fastmail.com":  {Provider: "fastmail", Class: "mailbox"},
		"mozmail.com":   {Alias: "Firefox Relay", Class: "forwarder"},
		"yopmail.com":   {Disposable: Confirmed},
		"gmial.com":     {Typo: "gmail.com"},
		"acme-tools.de": {},
	} {
		d := v.CheckDomain(name)
		onList := want.Provider+want.Alias != "" || want.Disposable != NotDisposable
		if (d.Source != "") != onList {
			t.Errorf("%s: source %q", name, d.Source)
		}
		d.Name, d.Source = "", ""
		if d != want {
			t.Errorf("%s: %+v, want %+v", name, d, want)
		}
	}
	if d := v.CheckDomain("[192.0.2.1]"); d.Typo != "" || d.Code != "" {
		t.Errorf("%+v", d)
	}
}
