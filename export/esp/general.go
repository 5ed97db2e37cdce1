package esp

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/winnow-email/winnow/internal/shown"
)

// words says every one of the given reasons with one word.
func words(word string, rs ...Reason) map[Reason]string {
	m := map[Reason]string{}
	for _, r := range rs {
		m[r] = word
	}
	return m
}

// own says every reason with its own word.
func own() map[Reason]string {
	m := map[Reason]string{}
	for _, r := range reasons {
		m[r] = string(r)
	}
	return m
}

// The reasons by what they say: the address does not work, or its owner does
// not want. Providers and the law treat them differently (CAN-SPAM, 15 USC
// 7704(a)(4): opt-outs may be handed on only to be obeyed).
var (
	undeliverable = []Reason{HardBounce, DeadDomain, SoftBounce, Disposable, Role, Typo, Stale}
	optOuts       = []Reason{Complaint, Unsubscribe, Manual}
	wellFormed    = []Reason{HardBounce, DeadDomain, Complaint, Unsubscribe, Manual, SoftBounce, Disposable, Role, Typo, Stale}
)

type csvRow struct {
	Address string `csv:"address"`
	Reason  string `csv:"reason"`
	Word    string `csv:"winnow_reason"`
	Code    string `csv:"code"`
	Status  string `csv:"status"`
	Date    string `csv:"date"`
	Source  string `csv:"source"`
	Text    string `csv:"text"`
}

func date(t time.Time, layout string) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(layout)
}

func code(n int) string {
	if n < 100 || n > 999 {
		return ""
	}
	return string([]byte{byte('0' + n/100), byte('0' + n/10%10), byte('0' + n%10)})
}

var csvTarget = &Target{
	Name: "csv", Title: "a CSV file for any use",
	Caps:       Caps{Words: own(), Scope: "file", Reversible: true},
	anyAddress: true,
	files: []file{{name: "suppressions", what: "one row an address, with its reason", enc: rows(func(e *Entry, word string) []csvRow {
		return []csvRow{{e.Address, word, shown.Cell(e.Word), code(e.Code), shown.Cell(e.Status), date(e.At, time.RFC3339), shown.Cell(e.Source), shown.Cell(e.Text)}}
	})}},
	Steps: []string{"Import the column 'address' wherever suppressions are kept; 'reason' tells bounces from opt-outs."},
}

type jsonRow struct {
	Address string    `json:"address"`
	Reason  string    `json:"reason"`
	Word    string    `json:"winnow_reason,omitempty"`
	Code    int       `json:"code,omitempty"`
	Status  string    `json:"status,omitempty"`
	Date    time.Time `json:"date,omitzero"`
	Source  string    `json:"source,omitempty"`
	Text    string    `json:"text,omitempty"`
}

var jsonlTarget = &Target{
	Name: "jsonl", Title: "JSON lines for any use",
	Caps:       Caps{Words: own(), Scope: "file", Reversible: true},
	anyAddress: true,
	files: []file{{name: "suppressions", ext: "jsonl", what: "one object an address, with its reason", enc: func() encoder {
		return &objects[jsonRow]{row: func(e *Entry, word string) jsonRow {
			return jsonRow{e.Address, word, e.Word, e.Code, e.Status, e.At, oneLine(e.Source, 512), oneLine(e.Text, 512)}
		}}
	}}},
	Steps: []string{"Read one JSON object a line."},
}

// hashed makes a target of digests. The address is trimmed and lower-cased and
// nothing else before it is hashed: no dots or +tags are folded, as those who
// compare do not fold them either (OPTIZMO, DoNotContact, UnsubCentral).
func hashed(name, title, beside string) *Target {
	says := own()
	delete(says, Invalid) // what is no address is on nobody's list in a form to compare
	digest := func() encoder { return &column{cell: func(e *Entry) string { return e.Address }} }
	return &Target{
		Name: name, Title: title, hash: name,
		Caps:       Caps{Words: says, Scope: "file", Reversible: true, Beside: beside},
		anyAddress: true,
		files: []file{
			{name: "optouts-" + name, ext: "txt", reasons: optOuts, what: "digests of complaints, unsubscribes and own blocks", enc: digest},
			{name: "undeliverable-" + name, ext: "txt", reasons: undeliverable, what: "digests of bounced and dead addresses", enc: digest},
		},
		Steps: []string{
			"Give the file to whoever mails for you; they hash their list (trimmed, lower case) the same way and drop what matches.",
			"Opt-outs and bounces are apart, because opt-outs may be handed on only to be obeyed.",
		},
	}
}

var (
	md5Target    = hashed("md5", "MD5 digests, 32 hex digits a line", "an unkeyed hash of an address can be guessed: it is a pseudonym, not anonymous")
	sha256Target = hashed("sha256", "SHA-256 digests, 64 hex digits a line", "an unkeyed hash of an address can be guessed: it is a pseudonym, not anonymous")
	hmacTarget   = hashed("hmac", "HMAC-SHA-256 digests with your key (--hmac-key-file)", "only who has the key can compare; keep the key as long as the file")
)

// digest returns what stands for an address in a hashed file.
func (t *Target) digest(address string, key []byte) (string, error) {
	a := []byte(strings.ToLower(strings.TrimSpace(address)))
	switch t.hash {
	case "md5":
		d := md5.Sum(a)
		return hex.EncodeToString(d[:]), nil
	case "sha256":
		d := sha256.Sum256(a)
		return hex.EncodeToString(d[:]), nil
	case "hmac":
		if len(key) < 16 {
			return "", errors.New("the key for hmac must have at least 16 bytes")
		}
		m := hmac.New(sha256.New, key)
		m.Write(a)
		return hex.EncodeToString(m.Sum(nil)), nil
	}
	return address, nil
}
