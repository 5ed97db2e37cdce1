package diagnosis

import (
	"time"

	"github.com/winnow-email/winnow/bounceimport"
)

// Findings are what a Diagnosis comes to.
type Findings struct {
	Events     int64                       `json:"events"`
	Classified int64                       `json:"classified"` // category other than unknown
	Oldest     time.Time                   `json:"oldest,omitzero"`
	Newest     time.Time                   `json:"newest,omitzero"`
	Sides      map[bounceimport.Side]int64 `json:"sides"` // recipient, sender, transient, none, unknown
	On554      map[bounceimport.Side]int64 `json:"replies_554,omitempty"`
	Categories []CategoryCount             `json:"categories"` // category x provider, most frequent first
	Problems   []Problem                   `json:"problems"`   // of the sender, in the order in which to look at them
	Recipients []Problem                   `json:"recipients"` // of the list: what cleaning takes care of
	FixFirst   []Cluster                   `json:"fix_first"`  // sender-side replies, alike put together, in the order of Problems
	Unknown    []Cluster                   `json:"unclassified"`
	Incidents  []bounceimport.Incident     `json:"incidents"`
	Timeline   []TimelinePoint             `json:"timeline"`
	Changes    []Change                    `json:"changes,omitempty"`
}

// CategoryCount is a cell of the table category x provider.
type CategoryCount struct {
	Category string              `json:"category"`
	Bucket   string              `json:"bucket"`
	Side     bounceimport.Side   `json:"side"`
	Action   bounceimport.Action `json:"action"`
	Provider string              `json:"provider,omitempty"` // "" all that could not be told
	N        int64               `json:"n"`
}

// Cluster is a group of replies that are alike but for names and numbers.
type Cluster struct {
	Template string    `json:"template"`
	Category string    `json:"category"`
	Bucket   string    `json:"bucket"`
	Provider string    `json:"provider,omitempty"`
	N        int64     `json:"n"`
	First    time.Time `json:"first,omitzero"`
	Last     time.Time `json:"last,omitzero"`
	Sample   string    `json:"sample"` // masked
	Rule     string    `json:"rule,omitempty"`
	Fix      string    `json:"fix,omitempty"`
}

// TimelinePoint counts the events of a day (UTC), bucket and provider.
type TimelinePoint struct {
	Day      string `json:"day"` // YYYY-MM-DD
	Bucket   string `json:"bucket"`
	Provider string `json:"provider,omitempty"`
	N        int64  `json:"n"`
	Hard     int64  `json:"hard,omitempty"`        // of N: hard bounces
	Sender   int64  `json:"sender_side,omitempty"` // of N: about the sender
	Sent     int64  `json:"sent,omitempty"`        // of N: deliveries and bounces, a message each
}

// Problem is one category, with the questions of a diagnosis answered: what do
// the words say, where, since when, right after what, what to check.
type Problem struct {
	Category   string          `json:"category"`
	Bucket     string          `json:"bucket"`
	N          int64           `json:"n"`
	Providers  []ProviderCount `json:"providers"`  // most first
	Scope      string          `json:"scope"`      // one_provider, mostly_one_provider, everywhere, not_known
	Recipients int64           `json:"recipients"` // different mailboxes; about, beyond 256
	Domains    int64           `json:"domains"`
	Domain     string          `json:"domain,omitempty"`  // the only recipient domain
	Senders    int64           `json:"senders,omitempty"` // different sender domains, where the source names them
	Sender     string          `json:"sender,omitempty"`  // the only one
	First      time.Time       `json:"first,omitzero"`
	Last       time.Time       `json:"last,omitzero"`
	Since      *Onset          `json:"since,omitempty"` // nil: as long as the files go back
	Over       bool            `json:"over,omitempty"`  // later mail to the same providers did not meet it
	Meaning    string          `json:"meaning,omitempty"`
	Fix        string          `json:"check,omitempty"`
	Sample     string          `json:"sample,omitempty"`
}

// ProviderCount counts the events at a provider.
type ProviderCount struct {
	Provider string `json:"provider"` // "" all that could not be told
	N        int64  `json:"n"`
}

// Onset is when a problem began: its share of all events at the same providers
// before and after.
type Onset struct {
	Time   time.Time `json:"time"`
	Before Share     `json:"before"`
	From   Share     `json:"from_then"`
	After  *Change   `json:"right_after,omitempty"` // what the user did last before it
}

// Share is a number of events out of all.
type Share struct {
	N  int64 `json:"n"`
	Of int64 `json:"of"`
}
