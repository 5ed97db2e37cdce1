package bounceimport

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/winnow-email/winnow/internal/stanza"
)

// Category is one kind of thing that happens to mail, and all that winnow knows
// of it: taxonomy.txt says what each field means.
type Category struct {
	Name   string
	Bucket string
	Side   Side
	Action Action

	Counts     Threshold     // when counted events suppress; zero: they never do
	CountsSoft Threshold     // the same when every reply was temporary
	Expiry     time.Duration // of a suppression, after the last event; 0: never

	AboutDomain bool // an event counts against the domain, not against the address
	Answered    bool // a server of the recipient's domain replied: with a reply code, that domain is alive
	Wish        bool // the person does not want the mail
	Revivable   bool // a later delivery disproves it
	Hard        bool // counts as a hard bounce: the address or its domain is dead

	Told string // what a sending service is told: hard, domain, complaint, unsubscribe, soft, never

	Words   string // completes "The mail system answered that …"
	Meaning string // what happened, one sentence
	Fix     string // what to check first

	Weight int // of a phrase that says so: of two in one reply that disagree, the heavier wins

	rank int // of a suppression: the higher is told where there are several
}

const day = 24 * time.Hour

// Threshold says when counted events lead to a suppression.
type Threshold struct {
	Days   int           // on how many different days
	Span   time.Duration // at least this long from the first to the last of them
	Window time.Duration // all within this time; 0: any
}

//go:embed taxonomy.txt
var taxonomyText string

var taxonomy = sync.OnceValue(func() []Category {
	list, err := parseTaxonomy("taxonomy.txt", taxonomyText)
	if err != nil {
		panic(err) // embedded, and tested
	}
	return list
})

var byName = sync.OnceValue(func() map[string]int {
	m := map[string]int{}
	for i, c := range taxonomy() {
		m[c.Name] = i
	}
	return m
})

// Categories returns all categories, in the order of taxonomy.txt.
func Categories() []Category { return append([]Category{}, taxonomy()...) }

// LookupCategory returns the category of a name.
func LookupCategory(name string) (Category, bool) {
	if i := categoryIndex(name); i >= 0 {
		return taxonomy()[i], true
	}
	return Category{}, false
}

func categoryIndex(name string) int {
	if i, ok := byName()[name]; ok {
		return i
	}
	return -1
}

// categoryOf is LookupCategory for callers that take what nobody knows for what
// says nothing.
func categoryOf(name string) *Category {
	if i := categoryIndex(name); i >= 0 {
		return &taxonomy()[i]
	}
	return &Category{Name: name, Side: None, Action: Ignore, Revivable: true, Told: "never"}
}

func parseTaxonomy(name, src string) (list []Category, err error) {
	err = stanza.Each(name, src, func(s stanza.Stanza) error {
		c := Category{Revivable: true, rank: 50}
		for _, f := range s.Fields {
			if err := c.set(f.Key, f.Value); err != nil {
				return fmt.Errorf("%s:%d: %w", name, f.Line, err)
			}
		}
		if c.CountsSoft == (Threshold{}) {
			c.CountsSoft = c.Counts
		}
		if err := c.check(); err != nil {
			return fmt.Errorf("%s:%d: %w", name, s.Line, err)
		}
		list = append(list, c)
		return nil
	})
	return list, err
}

// set takes one line of a stanza.
func (c *Category) set(key, value string) (err error) {
	switch key {
	case "category":
		c.Name = value
	case "bucket":
		c.Bucket = value
	case "side":
		c.Side = Side(value)
	case "action":
		c.Action = Action(value)
	case "counts":
		c.Counts, err = parseThreshold(value)
	case "counts-soft":
		c.CountsSoft, err = parseThreshold(value)
	case "expiry":
		if value != "never" {
			c.Expiry, err = parseDays(value)
		}
	case "about":
		c.AboutDomain = value == "domain"
		err = oneOf(value, "address", "domain", "sender", "nobody")
	case "answered":
		c.Answered, err = parseYes(value)
	case "wish":
		c.Wish, err = parseYes(value)
	case "revivable":
		c.Revivable, err = parseYes(value)
	case "hard":
		c.Hard, err = parseYes(value)
	case "esp":
		c.Told = value
		err = oneOf(value, "hard", "domain", "complaint", "unsubscribe", "soft", "never")
	case "rank":
		c.rank, err = strconv.Atoi(value)
	case "weight":
		c.Weight, err = strconv.Atoi(value)
	case "words":
		c.Words = value
	case "meaning":
		c.Meaning = value
	case "fix":
		c.Fix = value
	default:
		err = fmt.Errorf("unknown field %q", key)
	}
	return err
}

// check holds a stanza to what the rest of winnow relies on: nothing that is not
// about the recipient may condemn, and nothing that must be counted leaves as a
// hard bounce.
func (c *Category) check() error {
	condemns := c.Told != "never" && c.Told != "soft"
	switch {
	case c.Name == "" || c.Bucket == "" || c.Words == "" || c.Meaning == "" || c.Fix == "" || c.Weight == 0 || c.Told == "":
		return fmt.Errorf("category %q lacks a field", c.Name)
	case (c.Action == Count) != (c.Counts.Days > 0):
		return fmt.Errorf("category %s: action count and counts go together", c.Name)
	case (c.Side == Sender) != (c.Action == Report):
		return fmt.Errorf("category %s: what is about the sender is reported, and nothing else is", c.Name)
	case c.Action == SuppressNow && c.Side != Recipient:
		return fmt.Errorf("category %s: only what is about the recipient suppresses at once", c.Name)
	case condemns != (c.Action == SuppressNow):
		return fmt.Errorf("category %s: a sending service is told of what suppresses at once; what is counted is soft", c.Name)
	case c.Told == "soft" && c.Action != Count:
		return fmt.Errorf("category %s: soft is what is counted", c.Name)
	case c.Hard && c.Side != Recipient:
		return fmt.Errorf("category %s: a hard bounce is about the recipient", c.Name)
	case c.Wish && (c.Action != SuppressNow || c.Revivable):
		return fmt.Errorf("category %s: a wish suppresses at once, and no delivery disproves it", c.Name)
	case c.AboutDomain && (c.Answered || c.Action != Count):
		return fmt.Errorf("category %s: what counts against a domain is counted, and no answer of it", c.Name)
	}
	return nil
}

func oneOf(value string, words ...string) error {
	for _, w := range words {
		if value == w {
			return nil
		}
	}
	return fmt.Errorf("want one of %s, got %q", strings.Join(words, ", "), value)
}

func parseYes(value string) (bool, error) { return value == "yes", oneOf(value, "yes", "no") }

func parseDays(value string) (time.Duration, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("want a number of days, got %q", value)
	}
	return time.Duration(n) * day, nil
}

// parseThreshold reads "4 days over 14 within 30"; "over" may be left out.
func parseThreshold(value string) (t Threshold, err error) {
	f := strings.Fields(value)
	if len(f) < 2 || len(f)%2 != 0 || f[1] != "days" {
		return t, fmt.Errorf("want \"N days [over SPAN] within WINDOW\", got %q", value)
	}
	if t.Days, err = strconv.Atoi(f[0]); err != nil {
		return t, fmt.Errorf("want a number of days, got %q", f[0])
	}
	for i := 2; i < len(f) && err == nil; i += 2 {
		switch f[i] {
		case "over":
			t.Span, err = parseDays(f[i+1])
		case "within":
			t.Window, err = parseDays(f[i+1])
		default:
			err = fmt.Errorf("unknown word %q in %q", f[i], value)
		}
	}
	return t, err
}
