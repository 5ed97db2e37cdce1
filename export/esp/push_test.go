package esp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/winnow-email/winnow/internal/api"
	"github.com/winnow-email/winnow/internal/files"
)

// pushSet is what the tests push: every reason, and enough for several calls.
func pushSet(n int) []Entry {
	var es []Entry
	for i := range n {
		e := Entry{Address: fmt.Sprintf("Person%04d@example.com", i), Key: fmt.Sprintf("person%04d@example.com", i), Word: "bounce_user_unknown", Text: "550 5.1.1 no such user"}
		e.Reason = []Reason{HardBounce, HardBounce, Complaint, Unsubscribe, DeadDomain}[i%5]
		es = append(es, e)
	}
	return append(es,
		Entry{Address: "no at sign", Reason: Invalid, Word: "syntax_no_at"},
		Entry{Address: "x@throwaway.example", Reason: Disposable, Word: "disposable_domain"},
		Entry{Address: "held@example.org", Word: "bounce_ip_reputation"},
		Entry{Address: "person0000@example.com", Reason: HardBounce, Word: "bounce_user_unknown"},
	)
}

func (f *fake) options(t testing.TB) PushOptions {
	tg, err := Find(f.name)
	if err != nil {
		t.Fatal(err)
	}
	return PushOptions{
		Scope: fakeScope[f.name], BaseURL: f.srv.URL, Key: fakeKeys, timeout: time.Second, clock: f.clock.clock(),
		Yes: true, Allow: tg.Dangers(), Journal: filepath.Join(t.TempDir(), "journal"),
	}
}

// small returns the target with small calls, so that a test needs few entries.
func small(t testing.TB, name string) *Target {
	tg, err := Find(name)
	if err != nil {
		t.Fatal(err)
	}
	c := *tg
	c.Batch = min(c.Batch, 10)
	return &c
}

// want is the state that the fake must have when every entry of es that t can
// hold has arrived.
func want(t *Target, es []Entry) map[string]bool {
	w := map[string]bool{}
	for _, e := range es {
		word, ok := t.Words[e.Reason]
		if !ok || !plain(e.Address) || slices.Contains(optional, e.Reason) {
			continue
		}
		for _, place := range map[string]map[string][]string{
			"mailgun":        {"bounce": {"bounces"}, "unsubscribe": {"unsubscribes"}, "complaint": {"complaints"}},
			"sendgrid":       {word: {"global"}},
			"sendgrid-group": {word: {"group"}},
			"ses":            {word: {"ses"}},
			"ses-import":     {word: {"ses"}},
			"postmark":       {word: {"pm"}},
			"sparkpost":      {"both types": {"transactional", "non_transactional"}, "non_transactional": {"non_transactional"}},
			"mailchimp":      {word: {word}},
			"brevo":          {word: {"black"}},
			"klaviyo":        {word: {"kl"}},
			"listmonk":       {word: {"lm"}},
		}[t.Name][word] {
			w[place+" "+strings.ToLower(e.Address)] = true
		}
	}
	return w
}

func (f *fake) has(t *testing.T, want map[string]bool) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for k := range want {
		if _, ok := f.state[k]; !ok {
			t.Errorf("%s did not arrive", k)
		}
	}
	for k := range f.state {
		if !want[k] {
			t.Errorf("%s arrived and should not have", k)
		}
	}
}

func pushTargets() []string {
	var names []string
	for _, t := range Targets() {
		if t.CanPush() {
			names = append(names, t.Name)
		}
	}
	return names
}

func (b *Balance) adds(t *testing.T) {
	t.Helper()
	if b.Sent+b.Rejected+b.Unknown+b.Pending != b.Written || b.balance() != b.Entries {
		t.Errorf("the balance does not add up: %+v", b)
	}
}

func TestPush(t *testing.T) {
	for _, name := range pushTargets() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if fakes[name] == nil {
				t.Fatal("there is no fake for this target")
			}
			n := 237
			if name == "ses" {
				n = 90 // one call each
			}
			f, tg, es := newFake(t, name), small(t, name), pushSet(n)
			src := source("set", es)
			o := f.options(t)

			// A dry run asks and changes nothing.
			o.Yes = false
			b := must(Push(t.Context(), tg, src, o))(t)
			b.adds(t)
			if f.writes != 0 || !b.DryRun || b.Written == 0 || b.Calls == 0 {
				t.Fatalf("dry run: %d writing calls, %+v", f.writes, b)
			}
			planned := b.Written
			if _, err := os.Stat(o.Journal); err == nil {
				t.Error("a dry run wrote a journal")
			}

			o.Yes = true
			b = must(Push(t.Context(), tg, src, o))(t)
			b.adds(t)
			if b.Sent != planned || b.Unknown+b.Rejected+b.Pending != 0 {
				t.Errorf("%+v", b)
			}
			f.has(t, want(tg, es))
			if n := len(must(os.ReadDir(o.Journal))(t)); n != 1 { // the journal: no addresses stay
				t.Errorf("%d files in the journal's directory", n)
			}
			if len(f.object) != 0 {
				t.Errorf("import objects were left: %v", len(f.object))
			}

			// Once more: all is there.
			f.writes = 0
			b = must(Push(t.Context(), tg, src, o))(t)
			b.adds(t)
			if f.writes != 0 || b.There != planned || b.Written != 0 {
				t.Errorf("second push: %d writing calls, %+v", f.writes, b)
			}
		})
	}
}

// TestPushFaults: throttled in the provider's own way, half done with a 5xx,
// done with the answer lost, and an answer that never ends.
func TestPushFaults(t *testing.T) {
	for _, name := range pushTargets() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, tg, es := newFake(t, name), small(t, name), pushSet(60)
			f.faults = map[int]string{1: "throttle", 2: "partial", 3: "throttle", 4: "throttle", 6: "reset", 8: "slow", 9: "partial"}
			o := f.options(t)
			o.timeout = 200 * time.Millisecond
			b, err := Push(t.Context(), tg, source("set", es), o)
			if err != nil {
				t.Fatal(err)
			}
			b.adds(t)
			if b.Unknown+b.Rejected+b.Pending != 0 {
				t.Errorf("%+v", b)
			}
			f.has(t, want(tg, es))
			if slices.Contains(patient, name) {
				n := 0
				for _, d := range f.clock.slept {
					if d > 6*time.Second && d <= 8*time.Second {
						n++
					}
				}
				if n != 3 {
					t.Errorf("the provider asked three times to wait 7 s; waits were %v", f.clock.slept)
				}
			}
		})
	}
}

// TestPushRejected: what the provider does not take is named, and nothing else
// is lost with it.
func TestPushRejected(t *testing.T) {
	for _, name := range pushTargets() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, tg, good := newFake(t, name), small(t, name), pushSet(57)
			es := slices.Clone(good)
			for _, i := range []int{3, 20, 21, 50} {
				es = slices.Insert(es, i, Entry{Address: fmt.Sprintf("odd%d@example.com", i), Reason: Unsubscribe, Word: "user_unsubscribed"})
			}
			if tg.Words[Unsubscribe] == "" {
				for i := range es {
					if strings.HasPrefix(es[i].Address, "odd") {
						es[i].Reason = HardBounce
					}
				}
			}
			o := f.options(t)
			b := must(Push(t.Context(), tg, source("set", es), o))(t)
			b.adds(t)
			f.has(t, want(tg, good))
			// Brevo does not say: what is missing afterwards is unknown.
			if name == "brevo" {
				if b.Unknown != 4 {
					t.Errorf("%+v", b)
				}
			} else if b.Rejected != 4 || b.Unknown != 0 {
				t.Errorf("%+v", b)
			}
			if len(b.Lists) != 1 {
				t.Fatalf("lists: %v", b.Lists)
			}
			got := string(must(os.ReadFile(b.Lists[0]))(t))
			if strings.Count(got, "\n") != 5 || strings.Count(got, "\nodd") != 4 {
				t.Errorf("%s:\n%s", b.Lists[0], got)
			}
		})
	}
}

// TestPushFailedJobs: a job that fails leaves its entries unknown, and the next
// push sends them.
func TestPushFailedJobs(t *testing.T) {
	for _, name := range pushTargets() {
		tg := small(t, name)
		if !tg.Async {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, es := newFake(t, name), pushSet(30)
			f.failJobs = true
			o := f.options(t)
			b := must(Push(t.Context(), tg, source("set", es), o))(t)
			b.adds(t)
			if b.Unknown != b.Written || b.Unknown == 0 {
				t.Errorf("%+v", b)
			}
			f.failJobs = false
			b = must(Push(t.Context(), tg, source("set", es), o))(t)
			b.adds(t)
			if b.Unknown != 0 {
				t.Errorf("%+v", b)
			}
			f.has(t, want(tg, es))
		})
	}
}

// TestPushStops: a wrong key, a wrong scope and a provider that is down end the
// push, with no key in what it says.
func TestPushStops(t *testing.T) {
	for _, name := range pushTargets() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, tg := newFake(t, name), small(t, name)
			o := f.options(t)
			f.authed = func(r *http.Request) bool { return false }
			b, err := Push(t.Context(), tg, source("set", pushSet(30)), o)
			if err == nil || strings.Contains(err.Error(), canaryKey) || !strings.Contains(err.Error(), "not accepted") {
				t.Errorf("error %v", err)
			}
			if f.writes != 0 || b.Sent != 0 {
				t.Errorf("%d writing calls", f.writes)
			}
			o.Key = func(string) string { return "" }
			var nokey *api.NoKeyError
			if _, err = Push(t.Context(), tg, source("set", pushSet(30)), o); !errors.As(err, &nokey) {
				t.Errorf("without a key: %v", err)
			}
			o.Yes = false
			b = must(Push(t.Context(), tg, source("set", pushSet(30)), o))(t)
			if b.adds(t); !b.Offline || b.Written == 0 {
				t.Errorf("dry run without a key: %+v", b)
			}
			f.srv.Close()
			o = f.options(t)
			if _, err = Push(t.Context(), tg, source("set", pushSet(30)), o); err == nil {
				t.Error("a provider that is down gave no error")
			}
		})
	}
}

// TestPushDown: when the provider goes away in the middle, the rest is pending,
// and the next push goes on.
func TestPushDown(t *testing.T) {
	f, tg, es := newFake(t, "postmark"), small(t, "postmark"), pushSet(100)
	for n := 4; n < 100; n++ {
		f.faults[n] = "partial"
	}
	o := f.options(t)
	b, err := Push(t.Context(), tg, source("set", es), o)
	if err == nil || b.Pending == 0 {
		t.Fatalf("%v, %+v", err, b)
	}
	b.adds(t)
	f.faults = map[int]string{}
	b = must(Push(t.Context(), tg, source("set", es), o))(t)
	b.adds(t)
	if !b.Resumed || b.Unknown+b.Pending != 0 {
		t.Errorf("%+v", b)
	}
	f.has(t, want(tg, es))
}

// TestPushInterrupted: Ctrl-C ends a push promptly; the next one goes on.
func TestPushInterrupted(t *testing.T) {
	f, tg, es := newFake(t, "sendgrid"), small(t, "sendgrid"), pushSet(100)
	o := f.options(t)
	ctx, cancel := context.WithCancel(t.Context())
	f.onCall = func(n int) {
		if n == 4 {
			cancel()
		}
	}
	b, err := Push(ctx, tg, source("set", es), o)
	if !errors.Is(err, context.Canceled) || b.Sent != 30 || b.Pending != 70 {
		t.Errorf("%v, %+v", err, b)
	}
	f.onCall = nil
	b = must(Push(t.Context(), tg, source("set", es), o))(t)
	if b.adds(t); !b.Resumed || b.Sent != 100 || f.writes != 11 {
		t.Errorf("%d calls, %+v", f.writes, b)
	}
	f.has(t, want(tg, es))
}

// TestPushOtherSet: a journal that was cut off is not taken up by another set.
func TestPushOtherSet(t *testing.T) {
	f, tg := newFake(t, "sendgrid"), small(t, "sendgrid")
	o := f.options(t)
	ctx, cancel := context.WithCancel(t.Context())
	f.onCall = func(n int) {
		if n == 2 {
			cancel()
		}
	}
	if _, err := Push(ctx, tg, source("set", pushSet(40)), o); err == nil {
		t.Fatal("not cut off")
	}
	f.onCall = nil
	b := must(Push(t.Context(), tg, source("set", pushSet(50)), o))(t)
	if b.adds(t); b.Resumed || b.There != 20 || b.Sent != 30 {
		t.Errorf("%+v", b)
	}
	unlock := must(files.Lock(filepath.Join(o.Journal, "lock")))(t)
	defer unlock()
	if _, err := Push(t.Context(), tg, source("set", pushSet(50)), o); err == nil || !strings.Contains(err.Error(), "another push") {
		t.Errorf("two at once: %v", err)
	}
}

func TestPushSettings(t *testing.T) {
	f := newFake(t, "ses")
	o := f.options(t)
	serve := f.serve
	f.serve = func(f *fake, w http.ResponseWriter, r *http.Request, body []byte) {
		if r.URL.Path == "/v2/email/account" {
			reply200(w, map[string]any{"SuppressionAttributes": map[string]any{"SuppressedReasons": []string{"BOUNCE"}}})
			return
		}
		serve(f, w, r, body)
	}
	if _, err := Push(t.Context(), ses, source("set", pushSet(10)), o); err == nil || !strings.Contains(err.Error(), "COMPLAINT") {
		t.Errorf("an account that does not suppress complaints: %v", err)
	}
	f.name = "ses-import"
	o.Scope = "s3://bucket/winnow/in"
	es := slices.DeleteFunc(pushSet(10), func(e Entry) bool { return e.Reason == Complaint })
	if _, err := Push(t.Context(), sesImport, source("set", es), o); err == nil || !strings.Contains(err.Error(), "sandbox") {
		t.Errorf("an account in the sandbox: %v", err)
	}
	if f.writes != 0 {
		t.Error("something was sent")
	}

	g := newFake(t, "sendgrid-group")
	o = g.options(t)
	o.Scope = "43"
	if _, err := Push(t.Context(), sendgridGroup, source("set", pushSet(10)), o); err == nil || !strings.Contains(err.Error(), "no unsubscribe group 43") || g.writes != 0 {
		t.Errorf("a group that is not there: %v", err)
	}
}

func TestPushBrakes(t *testing.T) {
	f := newFake(t, "mailgun")
	o := f.options(t)
	kept := make([]string, 1000)
	src := source("set", pushSet(400), kept...)
	var brake *BrakeError
	o.MaxNew = 399
	if _, err := Push(t.Context(), mailgun, src, o); !errors.As(err, &brake) {
		t.Errorf("--max-new: %v", err)
	}
	o.MaxNew, o.MaxPercent = 0, 25
	if _, err := Push(t.Context(), mailgun, src, o); !errors.As(err, &brake) || !strings.Contains(err.Error(), "28.") {
		t.Errorf("--max-percent: %v", err)
	}
	if names := must(os.ReadDir(o.Journal))(t); len(names) != 0 {
		t.Errorf("the brake left %v", names)
	}
	o.Yes = false
	b := must(Push(t.Context(), mailgun, src, o))(t)
	if b.Stopped == "" {
		t.Error("a dry run does not tell that the brake would hold")
	}
	o.Yes, o.MaxPercent = true, 30
	if b = must(Push(t.Context(), mailgun, src, o))(t); b.Sent != 400 {
		t.Errorf("%+v", b)
	}
	m := newFake(t, "mailchimp")
	o = m.options(t)
	o.Allow = nil
	if _, err := Push(t.Context(), mailchimp, src, o); !errors.As(err, &brake) || !strings.Contains(err.Error(), "--allow creates-contacts") {
		t.Errorf("without --allow: %v", err)
	}
	if f.writes == 0 || m.writes != 0 {
		t.Error("the brakes do not hold")
	}
}

// TestPushBytes: no call has a larger body than the target takes, with the
// longest texts that there can be.
func TestPushBytes(t *testing.T) {
	const limit = 20_000
	for _, name := range []string{"sparkpost", "brevo", "mailgun"} {
		f, tg := newFake(t, name), small(t, name)
		tg.Batch, tg.BatchBytes = 10_000, limit
		serve, calls := f.serve, 0
		f.serve = func(f *fake, w http.ResponseWriter, r *http.Request, body []byte) {
			if r.Method != "GET" {
				if calls++; len(body) > limit {
					t.Errorf("%s: a body of %d bytes", name, len(body))
				}
			}
			serve(f, w, r, body)
		}
		es := pushSet(300)
		for i := range es {
			es[i].Text = strings.Repeat("\u2028\"<", 400)
		}
		if b := must(Push(t.Context(), tg, source("set", es), f.options(t)))(t); b.Unknown+b.Rejected+b.Pending != 0 || calls < 3 {
			t.Errorf("%s: %d calls, %+v", name, calls, b)
		}
		f.has(t, want(tg, es))
	}
}
