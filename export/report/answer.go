package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/winnow-email/winnow/export"
	"github.com/winnow-email/winnow/export/summary"
	"github.com/winnow-email/winnow/internal/shown"
)

// answerWords are the four answers as they are printed everywhere.
var answerWords = map[string]string{summary.Send: "SEND", summary.Look: "LOOK FIRST", summary.Fix: "FIX YOUR SENDING", summary.Stop: "DO NOT SEND"}

// maxUnknown is the share of the rows that were kept, but not known, from which a
// person should look first.
const maxUnknown = 0.10

// answer says whether what was kept may be sent: the first that holds of "something
// is wrong", "something was not looked at", "the sender is the trouble" and yes. The
// gate dns is no fault of the list, nor is the gate sending: each has its own answer.
func answer(s *summary.Summary) summary.Answer {
	var all []summary.Answer
	for _, find := range []func(*summary.Summary) *summary.Answer{stopped, lookFirst, fixFirst} {
		if a := find(s); a != nil {
			all = append(all, *a)
		}
	}
	if len(all) == 0 {
		return mayBeSent(s)
	}
	if len(all) > 1 {
		all[0].Also = all[1].Headline + " " + all[1].Why
	}
	return all[0]
}

// stopped says what is wrong with the list.
func stopped(s *summary.Summary) *summary.Answer {
	var failed []summary.Gate
	for _, g := range s.Gates {
		if g.State == summary.Fail && g.Name != "dns" && g.Name != "sending" {
			failed = append(failed, g)
		}
	}
	kept, sum := s.Lists[export.Cleaned], int64(0)
	for _, m := range listMeanings {
		sum += s.Lists[m.list]
	}
	switch {
	case sum != s.Records:
		return &summary.Answer{State: summary.Stop, Headline: "Something is wrong with this run.", Next: nextOf("records_add_up"),
			Why: fmt.Sprintf("The records do not add up: %s were read, and %s are in the lists.", shown.Number(s.Records), shown.Number(sum))}
	case s.Records == 0:
		return &summary.Answer{State: summary.Stop, Headline: "Nobody is left to send to.", Why: "The list holds no record.", Next: "Check that it was exported as a whole."}
	case len(failed) > 0:
		a := &summary.Answer{State: summary.Stop, Headline: "Something is wrong with this list.", Why: sentence(failed[0].Detail), Next: nextOf(failed[0].Name)}
		if n := len(failed) - 1; n > 0 {
			a.Why += fmt.Sprintf(" %d more %s.", n, pick(int64(n), "check fails", "checks fail"))
		}
		return a
	case kept == 0:
		a := &summary.Answer{State: summary.Stop, Headline: "Nobody is left to send to.", Why: fmt.Sprintf("None of %s %s was kept.", shown.Number(s.Records), plural(s.Records, "record")),
			Next: "Look at the reasons in suppressed.csv: is it the right address column?"}
		if i := slices.IndexFunc(s.Reasons, func(r summary.ReasonCount) bool { return r.List != export.Duplicates }); i >= 0 {
			r := s.Reasons[i]
			a.Why = fmt.Sprintf("None of %s %s was kept; %s of them: %s.", shown.Number(s.Records), plural(s.Records, "record"), shown.Number(r.N), r.Reason)
		}
		return a
	}
	return nil
}

// nextOf says what to do about a gate that fails.
func nextOf(gate string) string {
	switch gate {
	case "records_add_up", "complaints_in_cleaned":
		return "This is a fault of winnow. Send nothing from this folder, and report it with summary.json."
	case "suppressed_share":
		return "Look at the reasons in suppressed.csv, at the address column and at the bounce files. If all is right: --gate suppressed_share=SHARE."
	case "review_share":
		return "Look through review.csv and decide, or set --gate review_share=SHARE."
	case "duplicate_share":
		return "Look at duplicates.csv and at the address column. If all is right: --gate duplicate_share=SHARE."
	case "records":
		return "Check that the list was exported as a whole. If it is right, run once with --gate records=off."
	case "jump":
		return "Look at what is new with 'winnow diff OLD-DIR NEW-DIR'. If it is right, run once with --gate jump=off."
	case "feed_age":
		return "Bring in the newest bounces, then run it again."
	case "bounce_files":
		return "Check the paths of the bounce files in the job, and whether they still come; then run it again."
	case "unclassified":
		return "Look at the wordings in the report; teach the frequent ones with --rules."
	case "complaint":
		return "Send only to people who asked for it and were active lately; every mail needs a way out that works."
	case "hard_bounce", "hard_bounce_provider":
		return "Take off who was not active lately, give all the bounces you have, then run it again."
	}
	return "Look at the gate " + gate + " in the report."
}

// lookFirst says what was not looked at, or should be by a person.
func lookFirst(s *summary.Summary) *summary.Answer {
	kept := s.Lists[export.Cleaned]
	if kept == 0 {
		return nil
	}
	a := &summary.Answer{State: summary.Look}
	expected := ""
	if p := s.Projection; p != nil {
		expected = fmt.Sprintf(" %s to %s of what was kept may bounce hard.", rate(p.After.Low), rate(p.After.High))
	}
	rows := shown.Number(kept) + " " + plural(kept, "row")
	var unknown int64
	for _, r := range s.Reasons {
		if r.List == export.Cleaned && strings.HasPrefix(r.Reason, "dns_") {
			unknown += r.N
		}
	}
	hard := slices.IndexFunc(s.Gates, func(g summary.Gate) bool {
		return g.Name == "hard_bounce" && g.State == summary.Inform && g.Value > g.Limit
	})
	switch {
	case s.DNS == nil:
		a.Headline = "Nobody checked the domains."
		a.Why = fmt.Sprintf("%s %s form and on what you know alone: the domains were not checked.%s", rows, pick(kept, "was kept on its", "were kept on their"), expected)
		a.Next = "Run it again without --no-dns, or send a test to 150 people first: winnow plan cleaned.csv -o waves/."
	case s.DNS.Unusable != "":
		a.Headline = "The domains could not be checked."
		a.Why = sentence(s.DNS.Unusable) + " Nothing was suppressed because of it." + expected
		a.Next = "Check the resolver (--resolver), then run it again."
	case float64(unknown) >= maxUnknown*float64(kept):
		a.Headline = fmt.Sprintf("The domains of %s rows are not known.", shown.Number(unknown))
		a.Why = fmt.Sprintf("%s of %s (%s) were kept without an answer of the DNS for their domain.%s", shown.Number(unknown), rows, percent(unknown, kept), expected)
		a.Next = "Run it again later, or send a test to 150 people first: winnow plan cleaned.csv -o waves/."
	case len(s.Gates) == 0:
		a.Headline = "The safety checks were not made."
		a.Why = fmt.Sprintf("%s %s kept, and no gate was judged.%s", rows, pick(kept, "was", "were"), expected)
		a.Next = "Run it again without --no-gates."
	case hard >= 0:
		a.Headline = "More may bounce than you allow."
		a.Why = sentence(s.Gates[hard].Detail)
		a.Next = "Send a test to 150 people first: winnow plan cleaned.csv -o waves/."
	default:
		return nil
	}
	return a
}

// fixFirst says that the sender is the trouble.
func fixFirst(s *summary.Summary) *summary.Answer {
	i := slices.IndexFunc(s.Gates, func(g summary.Gate) bool { return g.Name == "sending" && g.State == summary.Fail })
	if i < 0 || s.Lists[export.Cleaned] == 0 {
		return nil
	}
	t := senderSide(s.Bounces, s.Finished)
	a := &summary.Answer{State: summary.Fix, Headline: "Your list is good. Your sending is not.", Why: t.words() + ".", Next: "Fix what the replies name first: see fix_first in summary.json."}
	if c, ok := largest(s.Bounces.Clusters); ok {
		a.Why = t.words() + ", " + pick(c.N, "one of them: ", "most of them: ") + where(c.Provider, c.Category) + "."
		a.Next = cmp.Or(sentence(c.Fix), a.Next)
	} else if c, ok := topSender(s.Bounces.Categories); ok {
		a.Why = t.words() + ", most of them: " + where(c.Provider, c.Category) + "."
	}
	return a
}

// mayBeSent is the answer when nothing speaks against sending.
func mayBeSent(s *summary.Summary) summary.Answer {
	kept := s.Lists[export.Cleaned]
	whom := plural(kept, "row")
	if s.Dedupe != "" && s.Dedupe != "off" {
		whom = pick(kept, "person", "people")
	}
	a := summary.Answer{State: summary.Send, Headline: fmt.Sprintf("You may send to %s %s.", shown.Number(kept), whom), Why: gateCount(s.Gates) + ".", Next: "Send cleaned.csv."}
	if p := s.Projection; p != nil {
		a.Why += fmt.Sprintf(" %s of the messages will bounce hard, as far as can be told (%s to %s).", rate(p.After.Rate), rate(p.After.Low), rate(p.After.High))
	}
	if b := s.Bounces; b != nil && b.Events > 0 {
		if t := senderSide(b, s.Finished); t.old {
			a.Why += " " + sentence(t.tooOld())
		}
	}
	return a
}

// gateCount says how many gates pass, and what the others say.
func gateCount(gates []summary.Gate) string {
	n := map[string]int{}
	for _, g := range gates {
		n[g.State]++
	}
	text := fmt.Sprintf("%d of %d safety checks passed", n[summary.Pass], len(gates))
	for _, more := range []struct{ state, words string }{{summary.Fail, "failed"}, {summary.Inform, "for information"}, {summary.Unknown, "not known"}} {
		if n[more.state] > 0 {
			text += fmt.Sprintf(", %d %s", n[more.state], more.words)
		}
	}
	return text
}
