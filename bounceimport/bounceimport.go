package bounceimport

import (
	"context"
	"time"
)

// Side says whose problem an event shows.
type Side string

// The sides of an event.
const (
	Recipient Side = "recipient" // the mailbox or its domain: the address may be suppressed
	Sender    Side = "sender"    // reputation, authentication, content, policy, relay: never the address
	Transient Side = "transient" // routing and load: counted, or ignored
	None      Side = "none"      // not a bounce
)

// Action says what one event of a category does to its address.
type Action string

// The actions of taxonomy.txt.
const (
	SuppressNow Action = "suppress_now" // one event is enough
	Count       Action = "count"        // suppress for a time, once a threshold is reached
	Report      Action = "report"       // sender-side: report it with what to fix, never suppress
	Ignore      Action = "ignore"
	Clear       Action = "clear" // proof of life: resets what was counted
)

// Class is what a reply means.
type Class struct {
	Category   string   `json:"category"` // a name of the taxonomy, e.g. "user_unknown"
	Bucket     string   `json:"bucket"`   // recipient, complaint, reputation, authentication, content, policy, relay, routing, none, unknown
	Side       Side     `json:"side"`
	Action     Action   `json:"action"`
	Confidence string   `json:"confidence"` // high, medium, low
	Rule       string   `json:"rule"`       // id of the deciding stanza in rules.txt, or of the code table
	Matched    []string `json:"matched,omitempty"`
	Provider   string   `json:"provider,omitempty"` // whose wording it is, where it can be told
	Meaning    string   `json:"meaning,omitempty"`
	Fix        string   `json:"fix,omitempty"` // what to check first
}

// Event is one thing that happened to one address, as a source recorded it.
type Event struct {
	Recipient string    `json:"recipient"`
	Time      time.Time `json:"time,omitzero"`
	Reply     string    `json:"reply,omitempty"`   // what the remote server said, as received
	Code      int       `json:"code,omitempty"`    // basic reply code, 0 when there is none
	Status    string    `json:"status,omitempty"`  // enhanced status code, "" when there is none
	Phase     string    `json:"phase,omitempty"`   // connect, ehlo, mail, rcpt, data, "" when not known
	Remote    string    `json:"remote,omitempty"`  // the host that replied, where the source names it
	Verdict   string    `json:"verdict,omitempty"` // the source's own words, e.g. "hard_bounce", "Permanent/General"
	Hint      string    `json:"-"`                 // category to use when there is no reply to read
	Format    string    `json:"format,omitempty"`  // name of the reader, e.g. "sendgrid_csv"
	Source    string    `json:"source,omitempty"`  // file:line or file#member:line
	MessageID string    `json:"message_id,omitempty"`
	Sender    string    `json:"sender,omitempty"` // original From or envelope sender, where known
	Class
}

// Record is what all events of one address (or of one domain, under the key
// "@example.com") come to: what Decide needs, and no more.
type Record struct {
	Category string    `json:"category"`       // of the event that decides
	Action   Action    `json:"action"`         // SuppressNow: suppress; Count: suppress until Until; Report, Ignore, Clear: never
	Held     string    `json:"held,omitempty"` // not "": an incident; the address is for review instead, and why
	Events   int       `json:"events"`         // how many events count
	First    time.Time `json:"first,omitzero"` // zero: not known
	Last     time.Time `json:"last,omitzero"`
	Until    time.Time `json:"until,omitzero"`  // zero: never expires
	Reply    string    `json:"reply,omitempty"` // of the deciding event, control characters removed, at most 512 bytes
	Rule     string    `json:"rule,omitempty"`
	Source   string    `json:"source,omitempty"` // of the deciding event
}

// Source yields what is known of addresses. It is the seam between the job and
// its evidence: a Ledger holds the events of the files of this run, a history
// those of all runs.
type Source interface {
	// Records calls yield once for each key (Address.Key, or "@domain") about
	// which the source knows something that can change what is done with an
	// address at the time now. Keys for which want answers false are skipped, and
	// cost no memory where the source can avoid it; a nil want wants all.
	Records(ctx context.Context, now time.Time, want func(key string) bool, yield func(key string, r Record) error) error
}

// HashedSource is a Source that also knows addresses of which it holds no more
// than a keyed hash: those that were forgotten and must stay suppressed.
type HashedSource interface {
	Source
	// Hashed returns a function that looks an address key up by its hash, or nil
	// when there are no hashes. The function may be called from any goroutine.
	Hashed(ctx context.Context) (func(key string) (Record, bool), error)
}
