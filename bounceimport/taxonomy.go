package bounceimport

import (
	_ "embed"
	"fmt"
	"strconv"
	"sync"

	"github.com/winnow-email/winnow/internal/stanza"
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
	err := stanza.Each("taxonomy.txt", taxonomyText, func(s stanza.Stanza) error {
		var c Category
		for _, f := range s.Fields {
			var err error
			switch f.Key {
			case "category":
				c.Name = f.Value
			case "bucket":
				c.Bucket = f.Value
			case "side":
				c.Side = Side(f.Value)
			case "action":
				c.Action = Action(f.Value)
			case "weight":
				c.weight, err = strconv.Atoi(f.Value)
			case "meaning":
				c.Meaning = f.Value
			case "fix":
				c.Fix = f.Value
			default:
				err = fmt.Errorf("unknown field %q", f.Key)
			}
			if err != nil {
				return fmt.Errorf("taxonomy.txt:%d: %w", f.Line, err)
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
