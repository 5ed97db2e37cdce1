// Package stanza reads the files in which winnow keeps its knowledge: groups of
// "key: value" lines, which a person can read and extend without Go.
package stanza

import (
	"fmt"
	"strings"
)

// Stanza is a group of "key: value" lines.
type Stanza struct {
	Line   int // of the first
	Fields []Field
}

// Field is one line of a stanza, with what continues it.
type Field struct {
	Key, Value string
	Line       int
}

// Each calls do for each stanza of src: lines "key: value" without an empty
// line between them. A line that begins with white space goes on with the value
// before it; "#" begins a comment line.
func Each(name, src string, do func(Stanza) error) error {
	var cur Stanza
	flush := func() error {
		if len(cur.Fields) == 0 {
			return nil
		}
		s := cur
		cur = Stanza{}
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
			if len(cur.Fields) == 0 {
				return fmt.Errorf("%s:%d: an indented line continues a value, but there is none before it", name, line)
			}
			f := &cur.Fields[len(cur.Fields)-1]
			f.Value = strings.TrimSpace(f.Value + " " + strings.TrimSpace(l))
		default:
			key, value, ok := strings.Cut(l, ":")
			if !ok {
				return fmt.Errorf("%s:%d: want \"key: value\", got %q", name, line, short(l))
			}
			if len(cur.Fields) == 0 {
				cur.Line = line
			}
			cur.Fields = append(cur.Fields, Field{strings.TrimSpace(key), strings.TrimSpace(value), line})
		}
	}
	return flush()
}

// short cuts s for a message.
func short(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "..."
	}
	return s
}
