package reply

import (
	"bufio"
	"os"
	"strings"
	"testing"

	"github.com/winnow-email/winnow/bounceimport"
)

// What servers say before they say anything.
var leads = []string{
	"550 Requested action not taken: mailbox unavailable; ",
	"550 5.2.1 Mailbox unavailable. ",
	"550 5.1.1 <x@example.org>: Recipient address rejected: ",
	"550 5.1.1 ",
	"554 5.2.1 ",
	"550 5.1.10 ",
	"550 5.3.2 ",
	"556 ",
}

// Codes that say another thing than the words.
var misleading = []string{"554 ", "554 5.7.1 ", "550 5.0.0 ", "550 5.7.1 ", "554 5.0.0 ", "550 5.7.0 ", "553 ", "550 5.4.1 ",
	"550 5.5.0 ", "550 5.7.27 ", "501 5.5.4 "}

// lines reads a list of texts.
func lines(t *testing.T, path string) (list []string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		if l := sc.Text(); l != "" && l[0] != '#' {
			list = append(list, l)
		}
	}
	return list
}

// bare takes the codes off the beginning of a reply.
func bare(reply string) string {
	for {
		w, rest, ok := strings.Cut(strings.TrimLeft(reply, " -"), " ")
		if !ok || strings.Trim(w, "0123456789.-#()") != "" || strings.Trim(w, "-") == "" {
			return reply
		}
		reply = rest
	}
}

// A generic lead, or a code, before words about the sender proves nothing.
func TestLeadsProveNothing(t *testing.T) {
	var c Classifier
	texts := lines(t, "testdata/senderside.txt")
	if len(texts) < 100 {
		t.Fatalf("only %d texts", len(texts))
	}
	for _, lead := range leads {
		for _, text := range texts {
			if v := c.Classify(Evidence{Reply: lead + text}); v.Action == bounceimport.SuppressNow {
				t.Errorf("%s%s: suppressed as %s (%s, %q)", lead, text, v.Category, v.Rule, v.Matched)
			}
		}
	}
}

// Words about the recipient win against a code that says another thing.
func TestWordsBeatCodes(t *testing.T) {
	var c Classifier
	texts := lines(t, "testdata/deadbox.txt")
	if len(texts) < 60 {
		t.Fatalf("only %d texts", len(texts))
	}
	lost := 0
	for _, code := range misleading {
		for _, text := range texts {
			if v := c.Classify(Evidence{Reply: code + text}); v.Action != bounceimport.SuppressNow {
				lost++
				t.Logf("%s%s: %s %s (%s, %q)", code, text, v.Category, v.Action, v.Rule, v.Matched)
			}
		}
	}
	if all := len(misleading) * len(texts); lost*100 > all {
		t.Errorf("%d of %d lost", lost, all)
	}
}

// The same with the labelled development replies, where they are.
func TestMatricesOfDevelopmentReplies(t *testing.T) {
	var c Classifier
	flips, lost, pairs := 0, 0, 0
	for _, file := range []string{"replies_dev.tsv", "replies_dev2.tsv"} {
		for _, r := range replyTable(t, "../../../shared/data/bounces/"+file) {
			k, ok := bounceimport.LookupCategory(r[1])
			text := bare(r[0])
			if !ok || strings.Trim(text, "0123456789.- ") == "" {
				continue
			}
			switch {
			case k.Side == bounceimport.Sender:
				for _, lead := range leads[:6] {
					if v := c.Classify(Evidence{Reply: lead + text}); v.Action == bounceimport.SuppressNow {
						flips++
						t.Logf("%s%q (%s): suppressed as %s (%s, %q)", lead, text, r[1], v.Category, v.Rule, v.Matched)
					}
				}
			case k.Action == bounceimport.SuppressNow && c.Classify(Evidence{Reply: "550 " + text}).Action == bounceimport.SuppressNow:
				for _, code := range misleading {
					pairs++
					if v := c.Classify(Evidence{Reply: code + text}); v.Action != bounceimport.SuppressNow {
						lost++
						t.Logf("%s%q (%s): %s (%s)", code, text, r[1], v.Category, v.Rule)
					}
				}
			}
		}
	}
	if flips > 0 || lost*100 > pairs {
		t.Errorf("%d sender-side replies suppressed behind a lead; %d of %d dead mailboxes lost behind a code", flips, lost, pairs)
	}
}

func TestTemporaryIsCounted(t *testing.T) {
	var c Classifier
	for _, reply := range []string{
		"450 4.1.1 <x@example.org>: Recipient address rejected: User unknown",
		"421 unable to verify recipient",
		"451 4.3.0 no such user",
		"4.2.1 mailbox disabled",
		"550 5.2.1 This account is temporarily disabled",
		"550 mailbox unavailable, try again later",
		"550 Postfach vorübergehend gesperrt",
		"550 邮箱暂时停用 邮箱已停用",
		"bounced", "550 bounced", "bounce",
	} {
		if v := c.Classify(Evidence{Reply: reply}); v.Action == bounceimport.SuppressNow {
			t.Errorf("%q: suppressed as %s (%s)", reply, v.Category, v.Rule)
		}
	}
	for _, reply := range []string{
		"550 5.1.1 The address couldn't be found. Check for typos and try again.",
		"550 5.1.1 No such user, please check the spelling and try again",
	} {
		if v := c.Classify(Evidence{Reply: reply}); v.Action != bounceimport.SuppressNow {
			t.Errorf("%q: %s %s (%s)", reply, v.Category, v.Action, v.Rule)
		}
	}
	// Google's notice of a dead domain has Status: 4.0.0 beside it.
	if v := c.Classify(Evidence{Reply: "DNS Error: Domain name not found: example.comn", Status: "4.0.0"}); v.Action != bounceimport.SuppressNow {
		t.Errorf("4.0.0: %s %s (%s)", v.Category, v.Action, v.Rule)
	}
	// The quoted reply decides, not the one around it.
	reply := "450 4.1.1 <x@example.org>: Recipient address rejected: unverified address: host mx.example.org[192.0.2.1] said: 550 No such user"
	if v := c.Classify(Evidence{Reply: reply}); v.Category != "user_unknown" || v.Action != bounceimport.SuppressNow {
		t.Errorf("%q: %s %s", reply, v.Category, v.Action)
	}
}
