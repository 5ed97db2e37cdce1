package esp

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestPushUnconfirmed: a call that is answered 200 with an error in the body has
// sent nothing. What it was about is unknown and in a list, and the next push
// sends it.
func TestPushUnconfirmed(t *testing.T) {
	for _, name := range pushTargets() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, tg, es := newFake(t, name), small(t, name), pushSet(30)
			lie := 2
			switch name {
			case "ses-import":
				lie = 4 // the second job, behind two objects and the first
			case "sendgrid-group":
				lie = 1 // of one
			}
			f.faults = map[int]string{lie: "lie"}
			o := f.options(t)
			b := must(Push(t.Context(), tg, source("set", es), o))(t)
			b.adds(t)
			if lost := int64(tg.Batch); b.Unknown == 0 || b.Unknown > lost || b.Rejected != 0 {
				t.Errorf("%+v", b)
			}
			if len(b.Lists) != 1 || !strings.HasSuffix(b.Lists[0], unknownName) {
				t.Fatalf("lists: %v", b.Lists)
			}
			got := string(must(os.ReadFile(b.Lists[0]))(t))
			if int64(strings.Count(got, "\n")) != b.Unknown+1 || strings.Contains(got, ",\n") {
				t.Errorf("%s:\n%s", b.Lists[0], got)
			}
			b = must(Push(t.Context(), tg, source("set", es), o))(t)
			if b.adds(t); b.Unknown != 0 || b.Sent == 0 {
				t.Errorf("%+v", b)
			}
			f.has(t, want(tg, es))
		})
	}
}

// TestPushMute: what was done and not confirmed is looked for, and found.
func TestPushMute(t *testing.T) {
	for _, name := range pushTargets() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, tg, es := newFake(t, name), small(t, name), pushSet(30)
			f.faults = map[int]string{1: "mute", 3: "mute"}
			if name == "ses-import" {
				f.faults = map[int]string{2: "mute"} // the first is an object
			}
			b := must(Push(t.Context(), tg, source("set", es), f.options(t)))(t)
			b.adds(t)
			if b.Unknown+b.Rejected+b.Pending != 0 {
				t.Errorf("%+v", b)
			}
			f.has(t, want(tg, es))
		})
	}
}

// TestPushPartly: an answer that confirms a part confirms no more than that.
func TestPushPartly(t *testing.T) {
	for _, name := range pushTargets() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, tg, good := newFake(t, name), small(t, name), pushSet(40)
			f.silent = func(a string) bool { return strings.HasPrefix(a, "lost") }
			es := slices.Clone(good)
			for _, i := range []int{2, 3, 31} {
				es = slices.Insert(es, i, Entry{Address: fmt.Sprintf("lost%d@example.com", i), Reason: HardBounce, Word: "bounce_user_unknown"})
			}
			if name == "sendgrid-group" {
				for i := range es {
					es[i].Reason = Unsubscribe
				}
				for i := range good {
					good[i].Reason = Unsubscribe
				}
			}
			o := f.options(t)
			// Their answer says no more than that the call went well.
			o.Verify = name == "ses" || name == "sparkpost"
			b := must(Push(t.Context(), tg, source("set", es), o))(t)
			b.adds(t)
			if b.Unknown+b.Rejected != 3 || b.Pending != 0 {
				t.Errorf("%+v", b)
			}
			for _, list := range b.Lists {
				got := string(must(os.ReadFile(list))(t))
				if strings.Count(got, "\nlost") != strings.Count(got, "\n")-1 {
					t.Errorf("%s:\n%s", list, got)
				}
			}
		})
	}
}
