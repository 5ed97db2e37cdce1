// Package summary is the published document summary.json: what a run says of
// itself. It holds types and nothing that judges.
package summary

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/winnow-email/winnow/internal/files"
)

// Name is the name of the file in a run folder.
const Name = files.RunMark

// SchemaVersion is the version of summary.json. It grows when a field changes
// its meaning or goes; new fields do not change it.
const SchemaVersion = 1

// Summary is what a run says of itself: the content of summary.json. Times and
// durations stand here alone, so that all other files of a run are the same
// bytes for the same input. Times are in UTC. A count that is not there is not
// known, or nothing.
type Summary struct {
	SchemaVersion int       `json:"schema_version"`    // SchemaVersion of the winnow that wrote it
	Kind          string    `json:"kind,omitempty"`    // "": a cleaning; "plan": the waves of a send
	Version       string    `json:"winnow_version"`    // of the program
	Command       []string  `json:"command,omitempty"` // the command line as it was given
	Started       time.Time `json:"started"`           // when the run began
	Finished      time.Time `json:"finished"`          // when its lists were complete
	Seconds       float64   `json:"seconds"`           // between the two

	// Answer says whether what was kept may be sent; nil: nobody asked.
	Answer *Answer `json:"answer,omitempty"`

	Inputs  []InputFile  `json:"inputs"`  // the lists first, then the evidence
	Outputs []OutputFile `json:"outputs"` // all files of the run folder but this one, by name

	Records  int64            `json:"records"`           // of all lists, headers not counted
	Lists    map[string]int64 `json:"lists"`             // records in cleaned, suppressed, review, duplicates, rejected: they add up to Records
	Verdicts map[string]int64 `json:"verdicts"`          // records by verdict: deliverable, risky, undeliverable, unknown
	Reasons  []ReasonCount    `json:"reasons"`           // why the records are where they are: most first, then by name
	Flags    map[string]int64 `json:"flags,omitempty"`   // kept or not: what else is known of records, by code
	Repairs  map[string]int64 `json:"repairs,omitempty"` // cells that had to be repaired to be judged, by code; the rows stay as they came
	Dedupe   string           `json:"dedupe,omitempty"`  // what made two addresses the same: exact, key, provider, off

	// AgainstWish counts the rows of cleaned with an address whose owner complained or
	// unsubscribed, or that the user's own lists forbid. It is counted where the rows
	// are written, apart from what decided about them, and is never above 0 but by a
	// fault; nil: not counted.
	AgainstWish *int64 `json:"kept_against_wish,omitempty"`

	Providers []ProviderCount `json:"providers,omitempty"`       // what became of the records of each mailbox provider, most records first
	Domains   []DomainCount   `json:"failing_domains,omitempty"` // domains whose records were suppressed or held, most records first, at most 1,000
	Typos     []TypoCount     `json:"typos,omitempty"`           // suggestions for domains, most records first, at most 1,000
	SegmentBy string          `json:"segment_by,omitempty"`      // header of the column that Segments counts by
	Segments  []SegmentCount  `json:"segments,omitempty"`        // most records first

	DNS        *DNSSummary    `json:"dns,omitempty"`        // how the domains were asked; nil: they were not
	Bounces    *BounceSummary `json:"bounces,omitempty"`    // what earlier mail says; nil: no bounces were given
	FactLists  []FactList     `json:"fact_lists,omitempty"` // the embedded or user lists of facts that judged
	Gates      []Gate         `json:"gates,omitempty"`      // the conditions for sending, in the order in which they were judged
	Projection *Projection    `json:"projection,omitempty"` // the hard bounces to expect
	Notes      []string       `json:"notes,omitempty"`      // what a person should know, one sentence each

	Checksum string `json:"checksum"` // SHA-256 of this file with the value of this field left empty, in hexadecimal
}

// Encode returns the content of summary.json, with its checksum.
func (s *Summary) Encode() ([]byte, error) {
	encode := func() ([]byte, error) {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		err := enc.Encode(s)
		return b.Bytes(), err
	}
	s.Checksum = ""
	bare, err := encode()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(bare)
	s.Checksum = hex.EncodeToString(sum[:])
	return encode()
}

// Read reads the summary of the run directory dir.
func Read(dir string) (*Summary, error) {
	name := filepath.Join(dir, Name)
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is not a folder that winnow made: it has no %s", dir, Name)
	}
	if err != nil {
		return nil, err
	}
	var s Summary
	if err := json.Unmarshal(b, &s); err != nil || s.SchemaVersion == 0 {
		return nil, fmt.Errorf("%s is not a summary of winnow: %v", name, err)
	}
	if s.SchemaVersion > SchemaVersion {
		return nil, fmt.Errorf("%s has version %d, this winnow knows up to %d: use the winnow that wrote it", name, s.SchemaVersion, SchemaVersion)
	}
	return &s, nil
}

// The answers to the question whether the rows that were kept may be sent.
const (
	Send = "send" // yes
	Look = "look" // not before something was looked at that winnow cannot know
	Fix  = "fix"  // the list is good, the sending is not
	Stop = "stop" // no: something is wrong with the list, or nobody is left
)

// Answer is the one answer of a run, with its one reason and its one next step.
// Where several hold, it is the first of Stop, Look, Fix, Send.
type Answer struct {
	State    string `json:"state"`          // Send, Look, Fix, Stop
	Headline string `json:"headline"`       // the answer as a sentence, without figures that need a reason
	Why      string `json:"why"`            // one or two sentences with their numbers
	Next     string `json:"next"`           // what to do now
	Also     string `json:"also,omitempty"` // the reason of a second answer that holds too
}

// InputFile is one list or evidence file that was read.
type InputFile struct {
	Name       string         `json:"name"`                            // path as the user gave it; of a list in an archive archive.zip/list.csv
	Role       string         `json:"role"`                            // list, suppress, allow, bounces, history, fixes, rules, domains (verdicts), dns (a recording), facts
	Bytes      int64          `json:"bytes"`                           // its size; 0 where it came through a pipe
	SHA256     string         `json:"sha256"`                          // of the file, in hexadecimal; of a folder, of what sha256sum prints of its files; "": it came through a pipe
	Records    int64          `json:"records"`                         // lines or records in it
	Folder     string         `json:"folder,omitempty"`                // of its lists in the run folder, with a final slash; "" when there is one list
	Column     string         `json:"address_column,omitempty"`        // header of the address column
	ColumnNo   int            `json:"address_column_number,omitempty"` // its number, from 1
	ColumnWhy  string         `json:"address_column_why,omitempty"`    // how it was chosen, for a person
	Delimiter  string         `json:"delimiter,omitempty"`             // between cells
	Charset    string         `json:"charset,omitempty"`               // UTF-8, UTF-16LE, UTF-16BE, or 8-bit: some code page
	StatusCols []StatusColumn `json:"status_columns,omitempty"`        // by which the exporting service says who must not be mailed
}

// StatusColumn is a column of the input that says, or may say, who must not be mailed.
type StatusColumn struct {
	Name     string        `json:"name"`                // header
	Kind     string        `json:"kind"`                // unsubscribe, complaint, bounce, blocked: what a yes in it means
	Rows     int64         `json:"rows"`                // in which it says that the person must not be mailed
	Held     bool          `json:"held,omitempty"`      // it is named only: nothing but plain words in it were obeyed
	HeldRows int64         `json:"held_rows,omitempty"` // in which it may say so, and which it did not suppress
	Why      string        `json:"why,omitempty"`       // it is obeyed, or held
	Dates    int64         `json:"dates,omitempty"`     // rows in which it says so by a date
	Texts    int64         `json:"texts,omitempty"`     // rows in which it does, or may, by a text of the user's own
	Values   []StatusValue `json:"values,omitempty"`    // its words and codes, at most 64
}

// StatusValue is a word or a code in a status column.
type StatusValue struct {
	Value string `json:"value"`          // in small letters
	Kind  string `json:"kind,omitempty"` // what it was obeyed as; "" when it was held
	Rows  int64  `json:"rows"`           // that have it
}

// OutputFile is one file of the run folder.
type OutputFile struct {
	Name    string `json:"name"`    // below the run folder, with slashes
	Bytes   int64  `json:"bytes"`   // its size
	SHA256  string `json:"sha256"`  // of its content, in hexadecimal
	Records int64  `json:"records"` // in a list: records, headers not counted
}

// ReasonCount counts the records of a list that are there for a reason.
type ReasonCount struct {
	List   string `json:"list"`   // cleaned, suppressed, review, duplicates, rejected
	Reason string `json:"reason"` // code; a code once released is never renamed
	N      int64  `json:"n"`      // records
}

// ProviderCount says what became of the records of one mailbox provider.
type ProviderCount struct {
	Provider string           `json:"provider"`        // gmail, microsoft and so on, by the domain or its mail hosts; other
	Class    string           `json:"class,omitempty"` // free, isp, mailbox and so on
	Records  int64            `json:"records"`         // all of them
	Lists    map[string]int64 `json:"lists"`           // by list
}

// SegmentCount says what became of the records that have a value in a column
// the user named (a source, a sign-up year).
type SegmentCount struct {
	Value   string           `json:"value"`   // of the column; "(other values)" beyond the first 1,000
	Records int64            `json:"records"` // all of them
	Lists   map[string]int64 `json:"lists"`   // by list
}

// Example is one address that is on a list for a reason. It is not part of
// summary.json.
type Example struct {
	List    string `json:"list"`    // cleaned, suppressed and so on
	Reason  string `json:"reason"`  // code
	Address string `json:"address"` // masked, unless the user asked to see it
}

// DomainCount is a domain whose records were suppressed or held.
type DomainCount struct {
	Domain string `json:"domain"` // in Unicode, lower case
	Reason string `json:"reason"` // code
	N      int64  `json:"n"`      // records
}

// TypoCount is a suggestion for a domain.
type TypoCount struct {
	Domain     string `json:"domain"`     // as it stands in the list
	Suggestion string `json:"suggestion"` // what was probably meant
	N          int64  `json:"n"`          // records
}

// DNSSummary says how the domains were asked.
type DNSSummary struct {
	Domains   int64            `json:"domains"`             // different ones
	Cached    int64            `json:"cached"`              // of them answered from the cache of an earlier run
	Queries   int64            `json:"queries"`             // sent
	Seconds   float64          `json:"seconds"`             // from the first to the last answer
	Verdicts  map[string]int64 `json:"verdicts"`            // domains by verdict: accepts, does_not_accept, unknown
	Reasons   map[string]int64 `json:"reasons"`             // domains by reason, as code
	Resolvers []string         `json:"resolvers,omitempty"` // that were asked
	Unusable  string           `json:"unusable,omitempty"`  // not "": why the DNS could not be used, one sentence; then nothing was suppressed because of it
}

// BounceSummary says what the bounce files held, or, of a history alone, what it
// knows of the time since the run before, and of 30 days at the least.
type BounceSummary struct {
	Events       int64          `json:"events"`                 // bounces, complaints, deliveries and what else was told
	Classified   int64          `json:"classified"`             // of them with a category other than unknown
	OnList       int64          `json:"on_list"`                // addresses of the list with evidence
	Newest       time.Time      `json:"newest,omitzero"`        // of the events; zero: none has a time
	Oldest       time.Time      `json:"oldest,omitzero"`        // of the events
	Categories   []BounceCount  `json:"categories"`             // category x provider, most frequent first
	SenderSide   int64          `json:"sender_side"`            // events that are about the sender, not the address
	Clusters     []BounceFix    `json:"fix_first,omitempty"`    // of them, by wording, most first: what to fix
	Incidents    []Incident     `json:"incidents,omitempty"`    // windows in which a provider's replies were not believed
	Timeline     []DayCount     `json:"timeline,omitempty"`     // day by day, for events with a time
	Sources      []BounceSource `json:"sources,omitempty"`      // what was read
	Patterns     int64          `json:"patterns,omitempty"`     // of a job: how many patterns name its bounce files
	Missing      []string       `json:"missing,omitempty"`      // those of them that match no file
	Unclassified []BounceFix    `json:"unclassified,omitempty"` // wordings that no rule knows, most first
}

// BounceCount is a cell of the heat map.
type BounceCount struct {
	Category string `json:"category"`           // name in the taxonomy
	Bucket   string `json:"bucket"`             // its group: recipient, complaint, routing, reputation, authentication, content, policy, relay, none, unknown
	Side     string `json:"side"`               // whom it is about: recipient, sender, transient, none
	Action   string `json:"action"`             // suppress_now, count, report, ignore, clear
	Provider string `json:"provider,omitempty"` // "": not known
	N        int64  `json:"n"`                  // events
}

// BounceFix is a group of replies alike but for names and numbers.
type BounceFix struct {
	Template string    `json:"template"`           // the wording with the names and numbers left out
	Category string    `json:"category"`           // name in the taxonomy
	Bucket   string    `json:"bucket"`             // its group
	Provider string    `json:"provider,omitempty"` // "": not known
	N        int64     `json:"n"`                  // events
	First    time.Time `json:"first,omitzero"`     // the first of them
	Last     time.Time `json:"last,omitzero"`      // the last of them
	Sample   string    `json:"sample"`             // one of the replies, addresses masked
	Fix      string    `json:"fix"`                // what to check first
}

// Incident is a window in which a provider's replies are not believed.
type Incident struct {
	Provider string    `json:"provider"` // whose
	From     time.Time `json:"from"`     // inclusive
	To       time.Time `json:"to"`       // exclusive
	N        int64     `json:"n"`        // replies held back
	Why      string    `json:"why"`      // what speaks for an incident
}

// DayCount is a point of the timeline.
type DayCount struct {
	Day        string `json:"day"`                   // YYYY-MM-DD, UTC
	Bucket     string `json:"bucket"`                // as in BounceCount
	Provider   string `json:"provider,omitempty"`    // "": not known, or years at so many providers that they are added up
	N          int64  `json:"n"`                     // events
	Hard       int64  `json:"hard,omitempty"`        // of N: hard bounces
	Sent       int64  `json:"sent,omitempty"`        // of N: deliveries and bounces, a message each
	SenderSide int64  `json:"sender_side,omitempty"` // of N: about the sender, not the address
}

// BounceSource is the account of one bounce file.
type BounceSource struct {
	Name     string           `json:"name"`          // path as the user gave it
	Format   string           `json:"format"`        // what it was taken for
	Read     int64            `json:"read"`          // records in it
	Used     int64            `json:"used"`          // of them events
	Ignored  int64            `json:"ignored"`       // of them known and of no interest, such as openings
	Unmapped int64            `json:"unmapped"`      // of them not understood
	Why      map[string]int64 `json:"why,omitempty"` // of Ignored and Unmapped
}

// FactList is a list of facts that judged.
type FactList struct {
	Name    string `json:"name"`    // disposable, role and so on
	Source  string `json:"source"`  // where it comes from
	Date    string `json:"date"`    // YYYY-MM-DD of its state
	Entries int    `json:"entries"` // in it
}

// The states of a gate.
const (
	Pass    = "pass"    // measured, and within the limit
	Fail    = "fail"    // measured, and beyond it: the run ends with exit code 3
	Inform  = "inform"  // an estimate that rests on general experience and not on the sender's own figures: it stops nothing and proves nothing
	Unknown = "unknown" // not measured, or on too little to judge
)

// Gate is a condition under which what was kept may be sent.
type Gate struct {
	Name   string  `json:"name"`   // as in --gate NAME=VALUE
	State  string  `json:"state"`  // Pass, Fail, Inform, Unknown
	Value  float64 `json:"value"`  // what was measured
	Limit  float64 `json:"limit"`  // beyond which the gate fails
	Unit   string  `json:"unit"`   // of Value and Limit: share, hours, times, count
	N      int64   `json:"n"`      // on how many records or events Value rests
	Detail string  `json:"detail"` // the same in words
}

// Projection is the hard-bounce rate to expect, with its 95% interval.
type Projection struct {
	Before Rate            `json:"before"`                // of the list as it came
	After  Rate            `json:"after"`                 // of what was kept
	By     map[string]Rate `json:"by_provider,omitempty"` // After, by provider; only from the sender's own figures
	Basis  string          `json:"basis"`                 // "history" or "prior", and which
}

// Rate is a share with the ends of its interval.
type Rate struct {
	Rate float64 `json:"rate"` // 0 to 1
	Low  float64 `json:"low"`  // lower end
	High float64 `json:"high"` // upper end
	N    int64   `json:"n"`    // on how many records or messages it rests
}
