package bounceimport

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// Category is one kind of thing that happens to mail, and what it means for the
// address. (How counted events add up: thresholdOf.)
type Category struct {
	Name   string
	Bucket string
	Side   Side
	Action Action

	Meaning string // what happened, one sentence
	Fix     string // what to check first

	weight int // of a phrase that says so: the stronger wins where two disagree
}

//go:embed taxonomy.txt
var taxonomyText string

var taxonomy = sync.OnceValue(func() []Category {
	var list []Category
	err := stanzas("taxonomy.txt", taxonomyText, func(s stanza) error {
		var c Category
		for _, f := range s.fields {
			var err error
			switch f.key {
			case "category":
				c.Name = f.value
			case "bucket":
				c.Bucket = f.value
			case "side":
				c.Side = Side(f.value)
			case "action":
				c.Action = Action(f.value)
			case "weight":
				c.weight, err = strconv.Atoi(f.value)
			case "meaning":
				c.Meaning = f.value
			case "fix":
				c.Fix = f.value
			default:
				err = fmt.Errorf("unknown field %q", f.key)
			}
			if err != nil {
				return fmt.Errorf("taxonomy.txt:%d: %w", f.line, err)
			}
		}
		list = append(list, c)
		return nil
	})
	if err != nil {
		panic(err) // embedded, and tested
	}
	return list
})

// LookupCategory returns the category of a name.
func LookupCategory(name string) (Category, bool) {
	if i := categoryIndex(name); i >= 0 {
		return taxonomy()[i], true
	}
	return Category{}, false
}

func categoryIndex(name string) int {
	for i, c := range taxonomy() {
		if c.Name == name {
			return i
		}
	}
	return -1
}

// stanza is a group of "key: value" lines; the files of this package are made of them.
type stanza struct {
	line   int
	fields []field
}

type field struct {
	key, value string
	line       int
}

// stanzas calls do for each stanza of src: lines "key: value" without an empty
// line between them. A line that begins with white space goes on with the value
// before it; "#" begins a comment line.
func stanzas(name, src string, do func(stanza) error) error {
	var cur stanza
	flush := func() error {
		if len(cur.fields) == 0 {
			return nil
		}
		s := cur
		cur = stanza{}
		return do(s)
	}
	line := 0
	for l := range strings.Lines(strings.TrimPrefix(src, "\ufeff")) {
		line++
		l = strings.TrimRight(l, " \t\r\n")
		switch {
		case l == "":
			if err := flush(); err != nil {
				return err
			}
		case l[0] == '#':
		case l[0] == ' ' || l[0] == '\t':
			if len(cur.fields) == 0 {
				return fmt.Errorf("%s:%d: an indented line continues a value, but there is none before it", name, line)
			}
			f := &cur.fields[len(cur.fields)-1]
			f.value = strings.TrimSpace(f.value + " " + strings.TrimSpace(l))
		default:
			key, value, ok := strings.Cut(l, ":")
			if !ok {
				return fmt.Errorf("%s:%d: want \"key: value\", got %q", name, line, shorten(l, 40))
			}
			if len(cur.fields) == 0 {
				cur.line = line
			}
			cur.fields = append(cur.fields, field{strings.TrimSpace(key), strings.TrimSpace(value), line})
		}
	}
	return flush()
}

// shorten cuts s to at most n bytes at a rune's edge.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n] + "..."
}
