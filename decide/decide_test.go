package decide

import (
	"bufio"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/validate"
)

// The categories of the taxonomy by what they may do, written down a second
// time so that a slip in the table of Decide shows.
var (
	atOnce  = strings.Fields("user_unknown address_syntax domain_unknown domain_no_mail mailbox_disabled mailbox_moved recipient_blocked_sender complaint unsubscribe esp_suppressed")
	counted = strings.Fields("mailbox_full recipient_restricted domain_not_hosted mail_loop expired network_error server_error unknown")
	never   = strings.Fields(`ip_reputation domain_reputation rate_limit ptr_missing auth_failure tls_required sender_rejected
		spam_content virus message_too_big message_format policy_block relay_denied protocol_error too_many_rcpts
		recipient_rate greylisted delayed auto_reply delivered not_spam`)
)

var march = time.Date(2026, 3, 12, 9, 0, 0, 0, time.UTC)

func allCategories() []string { return slices.Concat(atOnce, counted, never) }

func TestCategories(t *testing.T) {
	all := allCategories()
	if len(all) != 39 || len(categories()) != 39 {
		t.Fatalf("%d categories here, %d in Decide, 39 in the taxonomy", len(all), len(categories()))
	}
	for _, c := range all {
		if categories()[c].reason != "bounce_"+c {
			t.Errorf("%s: %+v", c, categories()[c])
		}
	}
}

// Every pair of what the DNS says and what a bounce says, under every policy,
// and whatever action the source asks for: nothing but a proof against the
// recipient suppresses.
func TestIgnoranceNeverSuppresses(t *testing.T) {
	actions := []bounceimport.Action{"", bounceimport.SuppressNow, bounceimport.Count, bounceimport.Report, bounceimport.Ignore, bounceimport.Clear, "nonsense"}
	suppressedBy := map[string]bool{}
	for _, verdict := range []validate.DomainVerdict{validate.NotAsked, validate.Accepts, validate.Unknown, validate.DoesNotAccept} {
		for _, cat := range append(allCategories(), "", "a_category_of_next_year") {
			for _, action := range actions {
				for _, held := range []string{"", "an outage"} {
					for _, kind := range []PolicyKind{"", Marketing, Transactional, Strict} {
						for _, typos := range []Action{"", Suppress, Review, Keep} {
							r := validate.Result{Address: validate.Address{Local: "a", Domain: "firm.org"}, Answer: validate.Answer{Domain: "firm.org", Verdict: verdict, Reason: "dns_reason"}}
							b := bounceimport.Record{Category: cat, Action: action, Held: held, Events: 9, Last: march}
							d := Decide(User{}, &r, &b, &Policy{Kind: kind, Typos: typos})
							may := verdict == validate.DoesNotAccept ||
								held == "" && action == bounceimport.SuppressNow && slices.Contains(atOnce, cat) ||
								held == "" && action == bounceimport.Count && (slices.Contains(atOnce, cat) || slices.Contains(counted, cat))
							if (d.Action == Suppress) != may {
								t.Fatalf("DNS %q, bounce %s %s held %q, policy %s: %s %s", verdict, cat, action, held, kind, d.Action, d.Reason)
							}
							if d.Action == Suppress && d.Reason != "dns_reason" {
								suppressedBy[d.Reason] = true
							}
							if d.Reason == "" || d.Detail == "" || d.Verdict == "" {
								t.Fatalf("an empty decision: %+v", d)
							}
						}
					}
				}
			}
		}
	}
	if len(suppressedBy) != len(atOnce)+len(counted) {
		t.Errorf("%d categories can suppress, want %d", len(suppressedBy), len(atOnce)+len(counted))
	}
}

// The table of the taxonomy that the rules are made from agrees.
func TestTaxonomy(t *testing.T) {
	f, err := os.Open("../../shared/data/bounces/taxonomy.tsv")
	if err != nil {
		t.Skip("skipped: no shared data")
	}
	defer f.Close()
	n := 0
	for sc := bufio.NewScanner(f); sc.Scan(); n++ {
		cols := strings.Split(sc.Text(), "\t")
		if n == 0 {
			continue
		}
		want := map[string][]string{"suppress_now": atOnce, "count": counted}[cols[3]]
		if want == nil {
			want = never
		}
		if !slices.Contains(want, cols[0]) {
			t.Errorf("%s is %s in the taxonomy", cols[0], cols[3])
		}
	}
	if n != 40 {
		t.Errorf("%d lines", n)
	}
}

func TestDecide(t *testing.T) {
	type v = validate.Result
	accepts := validate.Answer{Domain: "firm.org", Verdict: validate.Accepts, Reason: "mx_ok"}
	dead := validate.Answer{Domain: "firm.org", Verdict: validate.DoesNotAccept, Reason: "domain_null_mx"}
	lost := validate.Answer{Domain: "firm.org", Verdict: validate.Unknown, Reason: "dns_servfail"}
	gone := &bounceimport.Record{Category: "user_unknown", Action: bounceimport.SuppressNow}
	full := &bounceimport.Record{Category: "mailbox_full", Action: bounceimport.Count, Events: 4, Last: march, Until: march.AddDate(0, 3, 0)}
	angry := &bounceimport.Record{Category: "complaint", Action: bounceimport.SuppressNow}
	badSyntax := &validate.SyntaxError{Code: "syntax_no_at", Detail: "There is no @."}
	typo := validate.Domain{Name: "gmial.com", Typo: "gmail.com"}
	throwaway := validate.Domain{Name: "trash.io", Disposable: validate.Confirmed}
	maybe := validate.Domain{Name: "trash.io", Disposable: validate.Listed}
	for _, c := range []struct {
		what   string
		u      User
		r      v
		b      *bounceimport.Record
		p      *Policy
		action Action
		reason string
		verd   string
	}{
		{"nothing", User{}, v{Answer: accepts}, nil, nil, Keep, "ok", Deliverable},
		{"not asked", User{}, v{}, nil, nil, Keep, "dns_not_asked", Unknown},
		{"unknown", User{}, v{Answer: lost}, nil, nil, Keep, "dns_servfail", Unknown},
		{"unknown, strict", User{}, v{Answer: lost}, nil, &Policy{Kind: "strict"}, Review, "dns_servfail", Unknown},
		// Each line holds all that comes after it in the order of precedence.
		{"block", User{Block: ReasonUserUnsubscribed, Allow: true}, v{Syntax: badSyntax, Answer: dead}, gone, nil, Suppress, "user_unsubscribed", Undeliverable},
		{"block of a good address", User{Block: ReasonUserSuppressed}, v{Answer: accepts}, nil, nil, Suppress, "user_suppressed", Deliverable},
		{"complaint", User{Allow: true}, v{Answer: dead, Domain: typo}, angry, nil, Suppress, "bounce_complaint", Undeliverable},
		{"allow", User{Allow: true}, v{Syntax: badSyntax, Answer: dead}, gone, nil, Keep, "user_allowed", Undeliverable},
		{"allow of a good address", User{Allow: true}, v{Answer: accepts}, nil, nil, Keep, "ok", Deliverable},
		{"syntax", User{}, v{Syntax: badSyntax, Answer: dead}, gone, nil, Suppress, "syntax_no_at", Undeliverable},
		{"bounce", User{}, v{Answer: dead, Domain: typo, Role: validate.System}, gone, nil, Suppress, "bounce_user_unknown", Undeliverable},
		{"dead domain", User{}, v{Answer: dead, Domain: typo, Role: validate.System}, full, nil, Suppress, "domain_null_mx", Undeliverable},
		{"reserved domain", User{}, v{Domain: validate.Domain{Code: "domain_special_use", Detail: "Reserved.", Typo: "x.org"}}, full, nil, Suppress, "domain_special_use", Undeliverable},
		{"typo", User{}, v{Answer: accepts, Domain: typo, Role: validate.System}, full, nil, Suppress, "domain_typo", Risky},
		{"typo, review", User{}, v{Answer: accepts, Domain: typo}, nil, &Policy{Typos: "review"}, Review, "domain_typo", Risky},
		{"typo, keep", User{}, v{Answer: accepts, Domain: typo}, nil, &Policy{Typos: "keep"}, Keep, "ok", Risky},
		{"disposable", User{}, v{Answer: accepts, Domain: throwaway, Role: validate.System}, full, nil, Suppress, "disposable_domain", Risky},
		{"disposable, transactional", User{}, v{Answer: accepts, Domain: throwaway}, nil, &Policy{Kind: "transactional"}, Keep, "ok", Risky},
		{"on one list", User{}, v{Answer: accepts, Domain: maybe}, nil, nil, Review, "disposable_suspected", Risky},
		{"on one list, strict", User{}, v{Answer: accepts, Domain: maybe}, nil, &Policy{Kind: "strict"}, Suppress, "disposable_suspected", Risky},
		{"system", User{}, v{Answer: lost, Role: validate.System}, full, nil, Suppress, "role_system", Risky},
		{"no-reply", User{}, v{Answer: lost, Role: validate.NoReply}, nil, nil, Suppress, "role_no_reply", Risky},
		{"system, transactional", User{}, v{Answer: accepts, Role: validate.System}, nil, &Policy{Kind: "transactional"}, Review, "role_system", Risky},
		{"soft", User{}, v{Answer: lost, Risky: "gmail_length"}, full, nil, Suppress, "bounce_mailbox_full", Risky},
		{"provider rule", User{}, v{Answer: accepts, Risky: "gmail_length"}, nil, nil, Review, "gmail_length", Risky},
		{"exotic", User{}, v{Answer: accepts, Exotic: "quoted_local_part"}, nil, nil, Review, "quoted_local_part", Risky},
		{"exotic, transactional", User{}, v{Answer: accepts, Exotic: "quoted_local_part"}, nil, &Policy{Kind: "transactional"}, Keep, "ok", Risky},
		{"shared", User{}, v{Answer: accepts, Role: validate.Shared}, nil, nil, Keep, "ok", Deliverable},
		{"shared, strict", User{}, v{Answer: accepts, Role: validate.Shared}, nil, &Policy{Kind: "strict"}, Review, "role_shared", Risky},
	} {
		c.r.Address = validate.Address{Local: "x", Domain: "firm.org"}
		d := Decide(c.u, &c.r, c.b, c.p)
		if d.Action != c.action || d.Reason != c.reason || d.Verdict != c.verd {
			t.Errorf("%s: %s %s %s, want %s %s %s", c.what, d.Action, d.Reason, d.Verdict, c.action, c.reason, c.verd)
		}
	}
	d := Decide(User{}, &v{Answer: accepts, Domain: typo, Address: validate.Address{Local: "x", Domain: "gmial.com"}}, nil, nil)
	if d.Suggestion != "x@gmail.com" {
		t.Errorf("suggestion %q", d.Suggestion)
	}
	d = Decide(User{}, &v{Answer: accepts}, full, nil)
	if want := "The mail system answered that the mailbox is full (4 times), last on 2026-03-12; suppressed until 2026-06-12."; d.Detail != want {
		t.Errorf("detail %q", d.Detail)
	}
	d = Decide(User{}, &v{Answer: accepts}, &bounceimport.Record{Category: "user_unknown", Action: bounceimport.SuppressNow, Held: "Gmail was down", Last: time.Now()}, nil)
	if d.Action != Review || d.Reason != ReasonBounceHeld {
		t.Errorf("held: %+v", d)
	}
}

// The codes are frozen: testdata/reasons.golden only grows.
func TestReasonsAreFrozen(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "reasons.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	ast.Inspect(f, func(n ast.Node) bool {
		s, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		for i, name := range s.Names {
			if strings.HasPrefix(name.Name, "Reason") {
				code, err := strconv.Unquote(s.Values[i].(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				codes = append(codes, code)
			}
		}
		return false
	})
	for _, c := range categories() {
		codes = append(codes, c.reason)
	}
	slices.Sort(codes)
	got := strings.Join(codes, "\n") + "\n"
	const golden = "../testdata/reasons.golden"
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the reason codes changed:\n%s", got)
	}
	if len(slices.Compact(codes)) != len(strings.Fields(got)) {
		t.Error("two constants have one code")
	}
}

// What is not known is neither kept nor taken for something else.
func TestDecideKnowsNothing(t *testing.T) {
	good := &validate.Result{Address: validate.Address{Local: "x", Domain: "firm.org"}, Answer: validate.Answer{Domain: "firm.org", Verdict: validate.Accepts, Reason: "mx_ok"}}
	gone := &bounceimport.Record{Category: "user_unknown", Action: bounceimport.SuppressNow}
	typo := &validate.Result{Domain: validate.Domain{Name: "gmial.com", Typo: "gmail.com"}, Answer: good.Answer}
	for _, c := range []struct {
		what   string
		u      User
		r      *validate.Result
		b      *bounceimport.Record
		p      *Policy
		action Action
		reason string
	}{
		{"nothing at all", User{}, nil, nil, nil, Review, ReasonNotChecked},
		{"nothing but a block", User{Block: ReasonUserSuppressed}, nil, nil, nil, Suppress, ReasonUserSuppressed},
		{"nothing but a dead mailbox", User{}, nil, gone, nil, Suppress, "bounce_user_unknown"},
		{"nothing but the allow list", User{Allow: true}, nil, nil, nil, Keep, ReasonUserAllowed},
		{"an unknown policy", User{}, good, nil, &Policy{Kind: "nice"}, Review, ReasonUnknownPolicy},
		{"an unknown word for typos", User{}, good, nil, &Policy{Typos: "fix"}, Review, ReasonUnknownPolicy},
		{"an unknown policy and a block", User{Block: ReasonUserSuppressed}, good, nil, &Policy{Kind: "Strict"}, Suppress, ReasonUserSuppressed},
		{"an unknown policy and a dead mailbox", User{}, good, gone, &Policy{Kind: "Strict"}, Suppress, "bounce_user_unknown"},
		{"an unknown word for a typo", User{}, typo, nil, &Policy{Typos: "fix"}, Review, ReasonUnknownPolicy},
	} {
		if d := Decide(c.u, c.r, c.b, c.p); d.Action != c.action || d.Reason != c.reason || d.Detail == "" || d.Verdict == "" {
			t.Errorf("%s: %+v", c.what, d)
		}
	}
}

// Who wants nothing but a decision gets no reader of files, mails, archives and
// code pages with it.
func TestDecideIsLight(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: asks the go command for every package")
	}
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Skipf("skipped: no go command: %v", err)
	}
	for _, p := range strings.Fields(string(out)) {
		for _, heavy := range []string{"golang.org/x/text/encoding", "net/mail", "archive/", "encoding/csv", "database/sql", "html/template", "github.com/miekg/", "github.com/gocarina/", "zombiezen.com/", "modernc.org/"} {
			if p == heavy || strings.HasPrefix(p, strings.TrimSuffix(heavy, "/")+"/") {
				t.Errorf("Decide needs %s", p)
			}
		}
	}
}
