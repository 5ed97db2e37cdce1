package lists

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Source is somebody's list of domains, as fetched.
type Source struct {
	Name     string    // e.g. "fakefilter"
	From     string    // where it came from: package and version, URL or file
	Licence  string    // "" when not known
	Date     time.Time // when it was published
	Confirms bool      // the source only confirms what others list: it is too loose to list anything
	Domains  map[string]string
	// Domains maps a domain to what else the source says of it: the provider on
	// whose page it was seen, a tier, or "".
}

// Parse reads a list in any of the forms that lists of domains come in: lines of
// text (with # comments), a list of winnow's own, a JSON array, or fakefilter's JSON.
func (s *Source) Parse(b []byte) error {
	s.Domains = map[string]string{}
	b = bytes.TrimPrefix(b, []byte("\ufeff"))
	switch t := bytes.TrimLeft(b, " \t\r\n"); {
	case len(t) == 0:
		return errors.New("it is empty")
	case t[0] == '[':
		var names []string
		if err := json.Unmarshal(b, &names); err != nil {
			return fmt.Errorf("not a JSON array of domains: %w", err)
		}
		for _, d := range names {
			s.Domains[strings.ToLower(strings.TrimSpace(d))] = ""
		}
		return nil
	case t[0] == '{':
		var fake struct {
			Domains map[string]struct{ Providers []string }
		}
		if err := json.Unmarshal(b, &fake); err != nil || len(fake.Domains) == 0 {
			return fmt.Errorf("not a JSON object with domains in it (%v)", err)
		}
		for d, e := range fake.Domains {
			provider := ""
			for _, p := range e.Providers {
				if p != "static" { // by hand, not from a provider's page
					provider = p
				}
			}
			s.Domains[strings.ToLower(d)] = provider
		}
		return nil
	case t[0] == '<':
		return errors.New("it is a web page, not a list")
	}
	n := 0
	for line := range bytes.Lines(b) {
		n++
		text := strings.TrimSpace(string(line))
		if text == "" || text[0] == '#' || strings.HasPrefix(text, "//") {
			continue
		}
		f := strings.FieldsFunc(text, func(r rune) bool { return r == '\t' || r == ',' || r == ' ' || r == ';' })
		if len(f) == 0 {
			continue
		}
		what := ""
		if len(f) > 1 && (f[1] == "confirmed" || f[1] == "listed") {
			what = f[1]
		}
		s.Domains[strings.ToLower(strings.TrimPrefix(f[0], "@"))] = what
	}
	return nil
}

// MergeDisposable makes the list of disposable domains of what sources say. A
// domain is confirmed when it was seen on the provider's own page, is on two
// sources, or was confirmed before. What the lint refuses is left out and
// returned, one line each.
func MergeDisposable(guard *Set, sources ...Source) (text string, refused []string) {
	from := map[string][]string{}
	confirmed := map[string]bool{}
	listed := map[string]bool{}
	for _, s := range sources {
		for d, what := range s.Domains {
			if !s.Confirms {
				listed[d] = true
			}
			name := s.Name
			switch what {
			case "":
			case "confirmed":
				confirmed[d] = true
			case "listed":
			default:
				confirmed[d] = true
				name += ":" + what
			}
			from[d] = append(from[d], name)
		}
	}
	var lines []string
	for d, names := range from {
		if !listed[d] {
			continue
		}
		slices.Sort(names)
		if why := refuse(guard, d); why != "" {
			refused = append(refused, fmt.Sprintf("%s: %s (%s)", d, why, strings.Join(names, " ")))
			continue
		}
		tier := "listed"
		if len(names) > 1 || confirmed[d] {
			tier = "confirmed"
		}
		lines = append(lines, d+"\t"+tier+"\t"+strings.Join(names, " "))
	}
	slices.Sort(refused)
	return head("disposable", "Domains that hand out throw-away mailboxes.",
		"domain, tier (confirmed: seen on the provider's own page or on two lists; listed: on one list), sources", sources) + join(lines), refused
}

// MergeFree makes the list of further mailbox domains of what sources say, less
// what disposable (the text of that list) has and what the lint refuses: domains
// on a better list already, slips of the hand, and what no provider could own.
func MergeFree(guard *Set, disposable string, sources ...Source) string {
	thrown := map[string]bool{}
	(&List{text: disposable}).each(func(_ int, key string) { thrown[key] = true })
	var lines []string
	for _, s := range sources {
		for d := range s.Domains {
			if !thrown[d] && refuse(guard, d) == "" {
				lines = append(lines, d)
			}
		}
	}
	slices.Sort(lines)
	return head("free", "Further domains under which mailboxes are or were given away; taken for real, never for a slip of the hand.",
		"domain", sources) + join(slices.Compact(lines))
}

// Guard returns the set of hand-written lists by which MergeDisposable and
// MergeFree judge; the texts are those of providers, aliases and known.
func Guard(providers, aliases, real string) (*Set, error) {
	s := &Set{domains: newIndex(
		List{Name: "providers", kind: Provider, text: providers},
		List{Name: "aliases", kind: Alias, text: aliases},
		List{Name: "known", kind: known, text: real})}
	return s, s.domains.build()
}

func head(name, what, columns string, sources []Source) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n# name: %s\n", what, name)
	var oldest time.Time
	for _, s := range sources {
		fmt.Fprintf(&b, "# source: %s, %s\n", s.From, s.Date.Format(time.DateOnly))
		if s.Licence != "" {
			fmt.Fprintf(&b, "# licence: %s\n", s.Licence)
		}
		if !s.Confirms && (oldest.IsZero() || s.Date.Before(oldest)) {
			oldest = s.Date
		}
	}
	fmt.Fprintf(&b, "# date: %s\n# columns: %s\n", oldest.Format(time.DateOnly), columns)
	return b.String()
}

func join(lines []string) string {
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}
