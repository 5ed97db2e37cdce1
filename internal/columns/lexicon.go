package columns

import (
	"embed"
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/winnow-email/winnow/internal/stanza"
)

// speech is a set of what a word can say: the keys of the lexicon, which
// lexicon/README.txt explains.
type speech uint64

const (
	unsubscribed speech = 1 << iota
	left
	blocklisted
	blocked
	closed
	bounced
	undelivered
	complained
	complaint
	cancelled
	refused
	notSubscribed
	subscribed
	optedIn
	registered
	consent
	receive
	newsletter
	topic
	frequency
	mail
	not
	never
	status
	preference
	reason
	date
	count
	detail
	kindOf
	channel
	thing
	record
	data
	party
	filler
	yes
	no
	nothing
	fine
	waiting
	dead
	alive
	hard
	soft
	keys = iota
)

// keyNames are the keys of a language's stanza, in the order of the constants.
var keyNames = [keys]string{
	"unsubscribed", "left", "blocklisted", "blocked", "closed", "bounced", "undelivered", "complained", "complaint", "cancelled", "refused", "not-subscribed",
	"subscribed", "opted-in", "registered", "consent", "receive", "newsletter", "topic", "frequency", "mail", "not", "never", "status", "preference", "reason", "date", "count",
	"detail", "kind", "channel", "thing", "record", "data", "party", "filler", "yes", "no", "nothing", "fine", "waiting", "dead", "alive", "hard", "soft",
}

//go:embed lexicon/*.txt
var lexiconFiles embed.FS

// lexicon is what is known of words, names and tools. It does not change.
type lexicon struct {
	exact map[string]speech // words and phrases, folded, without blanks
	stems map[string]speech // beginnings of words
	names map[string]sense  // whole names of which the words tell the wrong thing
	tools []tool
	files []exported
}

// exported is a file that a service names by what all of its records are.
type exported struct {
	prefix string
	kind   Kind
}

// tool is an exporting program that is known by the names of its columns.
type tool struct {
	name    string
	with    []string          // names that are all in its header
	columns map[string]sense  // what some of them mean
	words   map[string]speech // what words mean in its status columns
}

var theLexicon = sync.OnceValue(func() *lexicon {
	l, err := loadLexicon()
	if err != nil {
		panic("columns: " + err.Error()) // a test loads the same files
	}
	return l
})

func loadLexicon() (*lexicon, error) {
	l := &lexicon{exact: make(map[string]speech, 16<<10), stems: make(map[string]speech, 4<<10), names: make(map[string]sense)}
	files, err := lexiconFiles.ReadDir("lexicon")
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if f.Name() == "README.txt" {
			continue
		}
		text, err := lexiconFiles.ReadFile("lexicon/" + f.Name())
		if err != nil {
			return nil, err
		}
		err = stanza.Each(f.Name(), string(text), func(s stanza.Stanza) error {
			switch s.Fields[0].Key {
			case "lang":
				return l.addLanguage(f.Name(), s)
			case "tool":
				return l.addTool(f.Name(), s)
			case "file":
				return l.addFile(f.Name(), s)
			}
			return fmt.Errorf("%s:%d: a stanza begins with \"lang:\", \"tool:\" or \"file:\"", f.Name(), s.Line)
		})
		if err != nil {
			return nil, err
		}
	}
	return l, nil
}

// addLanguage takes the words of one language in.
func (l *lexicon) addLanguage(file string, s stanza.Stanza) error {
	for _, f := range s.Fields[1:] {
		if f.Key == "source" {
			continue
		}
		if means, ok := nameKeys[f.Key]; ok {
			for name := range strings.SplitSeq(f.Value, ",") {
				l.names[joined(name)] = means
			}
			continue
		}
		bit, ok := keyOf(f.Key)
		if !ok {
			return fmt.Errorf("%s:%d: there is no key %q", file, f.Line, f.Key)
		}
		for entry := range strings.SplitSeq(f.Value, ",") {
			word, stem := strings.CutSuffix(strings.TrimSpace(entry), "*")
			key := joined(word)
			switch {
			case key == "" || strings.ContainsRune(word, '*'):
				return fmt.Errorf("%s:%d: %q is not a word, a phrase or the beginning of one", file, f.Line, entry)
			case !stem:
				l.exact[key] |= bit
			case utf8.RuneCountInString(key) < 3:
				return fmt.Errorf("%s:%d: %q is too short for the beginning of words", file, f.Line, entry)
			default:
				l.stems[key] |= bit
			}
		}
	}
	return nil
}

// nameKeys are the keys for whole names whose words would tell the wrong thing.
var nameKeys = map[string]sense{
	"name-none":    {does: saysNothing},
	"name-held":    {does: saysHeld, kind: KindBlocked},
	"name-bounced": {does: saysNo, kind: KindBounce, clear: true},
	"name-blocked": {does: saysNo, kind: KindBlocked, clear: true},
	"name-reason":  {does: saysReason, kind: KindUnsubscribe, clear: true},
	"name-calls":   {does: saysNo, kind: KindBlocked, phoneOnly: true},
	"name-status":  {does: saysStatus, level: levelMail, kind: KindUnsubscribe, clear: true},
}

// addTool takes in what is known of one exporting program.
func (l *lexicon) addTool(file string, s stanza.Stanza) error {
	t := tool{name: s.Fields[0].Value, columns: make(map[string]sense), words: make(map[string]speech)}
	for _, f := range s.Fields[1:] {
		for item := range strings.SplitSeq(f.Value, ",") {
			switch f.Key {
			case "source":
			case "with":
				t.with = append(t.with, joined(item))
			case "word":
				word, means, _ := strings.Cut(item, "=")
				bit, ok := keyOf(strings.TrimSpace(means))
				if !ok {
					return fmt.Errorf("%s:%d: %q: write WORD = KEY", file, f.Line, item)
				}
				t.words[joined(word)] |= bit
			default:
				means, ok := toolKeys[f.Key]
				if !ok {
					return fmt.Errorf("%s:%d: there is no key %q", file, f.Line, f.Key)
				}
				t.columns[joined(item)] = means
			}
		}
	}
	if len(t.with) == 0 || len(t.columns)+len(t.words) == 0 {
		return fmt.Errorf("%s:%d: a tool needs \"with\", and columns or words", file, s.Line)
	}
	l.tools = append(l.tools, t)
	return nil
}

// addFile takes in the names of files that hold nothing but people who must not be
// mailed.
func (l *lexicon) addFile(file string, s stanza.Stanza) error {
	kind := Kind("")
	for _, f := range s.Fields {
		if f.Key == "means" {
			kind = toolKeys[f.Value].kind
		}
	}
	if kind == "" {
		return fmt.Errorf("%s:%d: a file needs \"means\": unsubscribed, blocked, bounced or complained", file, s.Line)
	}
	for prefix := range strings.SplitSeq(s.Fields[0].Value, ",") {
		l.files = append(l.files, exported{strings.TrimSpace(prefix), kind})
	}
	return nil
}

// WholeFile returns what every record of a file is, by the name that an exporting
// service gives it: Mailchimp's unsubscribed_members_export_….csv. "" is for all
// other files, also for those that somebody has named "cleaned_…" himself.
func WholeFile(name string) Kind {
	base := strings.ToLower(name[strings.LastIndexAny(name, "/\\")+1:])
	for _, f := range theLexicon().files {
		if strings.HasPrefix(base, f.prefix) {
			return f.kind
		}
	}
	return ""
}

// toolKeys are the keys of a tool's stanza that say what its columns mean.
var toolKeys = map[string]sense{
	"ignore":       {does: saysNothing},
	"hold":         {does: saysHeld, kind: KindUnsubscribe},
	"status":       {does: saysStatus, level: levelMail, kind: KindUnsubscribe, clear: true},
	"unsubscribed": {does: saysNo, kind: KindUnsubscribe, clear: true},
	"blocked":      {does: saysNo, kind: KindBlocked, clear: true},
	"bounced":      {does: saysNo, kind: KindBounce, clear: true},
	"complained":   {does: saysNo, kind: KindComplaint, clear: true},
	"yes":          {does: saysYes, kind: KindUnsubscribe, clear: true},
	"reason":       {does: saysReason, kind: KindUnsubscribe, clear: true},
}

// keyOf returns the bit of a key.
func keyOf(name string) (speech, bool) {
	for i, k := range keyNames {
		if k == name {
			return 1 << i, true
		}
	}
	return 0, false
}

// joined returns the words of a text without the blanks between them.
func joined(text string) string { return strings.Join(Words(text), "") }

// toolOf returns the tool that writes such a header, or nil. Of several the one
// that is known by most columns.
func (l *lexicon) toolOf(names map[string]bool) *tool {
	var best *tool
tools:
	for i := range l.tools {
		t := &l.tools[i]
		if best != nil && len(best.with) >= len(t.with) {
			continue
		}
		for _, n := range t.with {
			if !names[n] {
				continue tools
			}
		}
		best = t
	}
	return best
}
