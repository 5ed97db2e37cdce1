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
// bytes for the same input.
type Summary struct {
	SchemaVersion int       `json:"schema_version"`
	Kind          string    `json:"kind,omitempty"` // "": a cleaning; "plan": waves of a send
	Version       string    `json:"winnow_version"`
	Command       []string  `json:"command,omitempty"`
	Started       time.Time `json:"started"`
	Finished      time.Time `json:"finished"`
	Seconds       float64   `json:"seconds"`

	Inputs  []InputFile  `json:"inputs"`
	Outputs []OutputFile `json:"outputs"`

	Records  int64            `json:"records"`  // of all inputs, headers not counted
	Lists    map[string]int64 `json:"lists"`    // cleaned, suppressed, review, duplicates, rejected: they add up to Records
	Verdicts map[string]int64 `json:"verdicts"` // deliverable, risky, undeliverable, unknown, by record
	Reasons  []ReasonCount    `json:"reasons"`  // most frequent first, then by name
	Flags    map[string]int64 `json:"flags,omitempty"`
	Repairs  map[string]int64 `json:"repairs,omitempty"` // cells that had to be repaired to be judged, by code

	Providers []ProviderCount `json:"providers,omitempty"` // most records first
	Domains   []DomainCount   `json:"failing_domains,omitempty"`
	Typos     []TypoCount     `json:"typos,omitempty"`
	SegmentBy string          `json:"segment_by,omitempty"` // header of the column that Segments counts by
	Segments  []SegmentCount  `json:"segments,omitempty"`   // most records first

	DNS        *DNSSummary    `json:"dns,omitempty"` // nil: not asked
	Bounces    *BounceSummary `json:"bounces,omitempty"`
	FactLists  []FactList     `json:"fact_lists,omitempty"` // the embedded or user lists that were used
	Gates      []Gate         `json:"gates,omitempty"`
	Projection *Projection    `json:"projection,omitempty"`
	Notes      []string       `json:"notes,omitempty"` // what a person should know, one sentence each

	Checksum string `json:"checksum"` // SHA-256 of this file with the value of this field left empty
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

// InputFile is one list or evidence file that was read.
type InputFile struct {
	Name       string         `json:"name"`
	Role       string         `json:"role"` // list, bounces, suppress, allow, history, domains
	Bytes      int64          `json:"bytes"`
	SHA256     string         `json:"sha256"`
	Records    int64          `json:"records"`
	Folder     string         `json:"folder,omitempty"`         // of its lists in the run directory, with a final slash; "" when there is one list
	Column     string         `json:"address_column,omitempty"` // header name
	ColumnNo   int            `json:"address_column_number,omitempty"`
	ColumnWhy  string         `json:"address_column_why,omitempty"`
	Delimiter  string         `json:"delimiter,omitempty"`
	Charset    string         `json:"charset,omitempty"`
	StatusCols []StatusColumn `json:"status_columns,omitempty"`
}

// StatusColumn is a column of an ESP's export that was obeyed.
type StatusColumn struct {
	Name string `json:"name"`
	Kind string `json:"kind"`
	Rows int64  `json:"rows"` // how many rows it suppressed
}

// OutputFile is one file of the run directory.
type OutputFile struct {
	Name    string `json:"name"`
	Bytes   int64  `json:"bytes"`
	SHA256  string `json:"sha256"`
	Records int64  `json:"records"`
}

// ReasonCount counts the records of a list that are there for a reason.
type ReasonCount struct {
	List   string `json:"list"`
	Reason string `json:"reason"`
	N      int64  `json:"n"`
}

// ProviderCount says what became of the records of one mailbox provider.
type ProviderCount struct {
	Provider string           `json:"provider"`
	Class    string           `json:"class,omitempty"`
	Records  int64            `json:"records"`
	Lists    map[string]int64 `json:"lists"`
}

// SegmentCount says what became of the records that have a value in a column
// the user named (a source, a sign-up year).
type SegmentCount struct {
	Value   string           `json:"value"`
	Records int64            `json:"records"`
	Lists   map[string]int64 `json:"lists"`
}

// Example is one address that is on a list for a reason.
type Example struct {
	List    string `json:"list"`
	Reason  string `json:"reason"`
	Address string `json:"address"`
}

// DomainCount is a domain whose records were suppressed or held.
type DomainCount struct {
	Domain string `json:"domain"`
	Reason string `json:"reason"`
	N      int64  `json:"n"`
}

// TypoCount is a suggestion for a domain.
type TypoCount struct {
	Domain     string `json:"domain"`
	Suggestion string `json:"suggestion"`
	N          int64  `json:"n"`
}

// DNSSummary says how the domains were asked.
type DNSSummary struct {
	Domains   int64            `json:"domains"`
	Cached    int64            `json:"cached"`
	Queries   int64            `json:"queries"`
	Seconds   float64          `json:"seconds"`
	Verdicts  map[string]int64 `json:"verdicts"`
	Reasons   map[string]int64 `json:"reasons"`
	Resolvers []string         `json:"resolvers,omitempty"`
	Unusable  string           `json:"unusable,omitempty"` // not "": why the DNS could not be used
}

// BounceSummary says what the bounce sources held.
type BounceSummary struct {
	Events       int64          `json:"events"`
	Classified   int64          `json:"classified"` // category other than unknown
	OnList       int64          `json:"on_list"`    // addresses of the list with evidence
	Newest       time.Time      `json:"newest,omitzero"`
	Oldest       time.Time      `json:"oldest,omitzero"`
	Categories   []BounceCount  `json:"categories"` // category x provider, most frequent first
	SenderSide   int64          `json:"sender_side"`
	Clusters     []BounceFix    `json:"fix_first,omitempty"` // sender-side templates: what to fix, in order
	Incidents    []Incident     `json:"incidents,omitempty"`
	Timeline     []DayCount     `json:"timeline,omitempty"`
	Sources      []BounceSource `json:"sources,omitempty"`
	Unclassified []BounceFix    `json:"unclassified,omitempty"` // templates no rule matched
}

// BounceCount is a cell of the heat map.
type BounceCount struct {
	Category string `json:"category"`
	Bucket   string `json:"bucket"`
	Side     string `json:"side"`
	Action   string `json:"action"`
	Provider string `json:"provider,omitempty"`
	N        int64  `json:"n"`
}

// BounceFix is a group of replies alike but for names and numbers.
type BounceFix struct {
	Template string    `json:"template"`
	Category string    `json:"category"`
	Bucket   string    `json:"bucket"`
	Provider string    `json:"provider,omitempty"`
	N        int64     `json:"n"`
	First    time.Time `json:"first,omitzero"`
	Last     time.Time `json:"last,omitzero"`
	Sample   string    `json:"sample"` // masked
	Fix      string    `json:"fix"`
}

// Incident is a window in which a provider's replies are not believed.
type Incident struct {
	Provider string    `json:"provider"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	N        int64     `json:"n"`
	Why      string    `json:"why"`
}

// DayCount is a point of the timeline.
type DayCount struct {
	Day      string `json:"day"` // YYYY-MM-DD, UTC
	Bucket   string `json:"bucket"`
	Provider string `json:"provider,omitempty"`
	N        int64  `json:"n"`
	Hard     int64  `json:"hard,omitempty"` // of N: hard bounces
	Sent     int64  `json:"sent,omitempty"` // of N: deliveries and bounces, when the source has deliveries
}

// BounceSource is the account of one bounce file.
type BounceSource struct {
	Name     string           `json:"name"`
	Format   string           `json:"format"`
	Read     int64            `json:"read"`
	Used     int64            `json:"used"`
	Ignored  int64            `json:"ignored"`
	Unmapped int64            `json:"unmapped"`
	Why      map[string]int64 `json:"why,omitempty"`
}

// FactList is a list of facts that judged.
type FactList struct {
	Name    string `json:"name"`
	Source  string `json:"source"`
	Date    string `json:"date"`
	Entries int    `json:"entries"`
}

// Gate is a condition under which a run may be sent.
type Gate struct {
	Name   string  `json:"name"`
	Value  float64 `json:"value"`
	Limit  float64 `json:"limit"`
	Unit   string  `json:"unit"` // share, hours, times, count
	N      int64   `json:"n"`    // on how many records or events Value rests
	Pass   bool    `json:"pass"`
	Detail string  `json:"detail"`
}

// Projection is the hard-bounce rate to expect, with its 95% interval.
type Projection struct {
	Before Rate            `json:"before"`
	After  Rate            `json:"after"`
	By     map[string]Rate `json:"by_provider,omitempty"` // after
	Basis  string          `json:"basis"`                 // "history" or "prior", and which
}

// Rate is a share with the ends of its interval.
type Rate struct {
	Rate float64 `json:"rate"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
	N    int64   `json:"n"`
}
