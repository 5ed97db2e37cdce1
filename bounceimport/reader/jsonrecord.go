package reader

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/winnow-email/winnow/bounceimport"
)

const (
	maxRecordBytes = 4 << 20
	maxJSONDepth   = 32
	maxJSONName    = 100      // of each key; no name that we look for is longer
	maxPathBytes   = 16 << 20 // of all paths of a record: many values under long names cost memory
)

var (
	errJSON      = errors.New("damaged JSON")
	errJSONDeep  = errors.New("JSON nested too deeply")
	errJSONLarge = errors.New("JSON record of more than 4 MiB")
)

// A leaf is one scalar of a JSON record with the names that lead to it, lower
// case and joined by dots. Elements of an array bear the array's name; objects
// in an array are told apart by elem.
type leaf struct {
	path  string
	value string // as it stands, with the quotes of a string
	elem  int32
}

// jsonRecord is one JSON object laid flat. It costs one allocation for the text
// of the record, and none for its names and values.
type jsonRecord struct {
	text   string
	leaves []leaf
	paths  []byte
	spans  []int32 // ends of the paths in paths, while they are being built
	pos    int
	elem   int32
}

// parse lays an object flat.
func (r *jsonRecord) parse(text string) error {
	r.text, r.leaves, r.paths, r.spans, r.pos, r.elem = text, r.leaves[:0], r.paths[:0], r.spans[:0], 0, 0
	var name [256]byte
	if err := r.val(name[:0], 0); err != nil {
		return err
	}
	r.space()
	if r.pos != len(r.text) {
		return errJSON
	}
	all, at := string(r.paths), int32(0)
	for i, end := range r.spans {
		r.leaves[i].path = all[at:end]
		at = end
	}
	return nil
}

func (r *jsonRecord) space() {
	for r.pos < len(r.text) {
		switch r.text[r.pos] {
		case ' ', '\t', '\r', '\n':
			r.pos++
		default:
			return
		}
	}
}

// str moves behind a string and returns it with its quotes.
func (r *jsonRecord) str() (string, error) {
	start := r.pos
	for i := start + 1; i < len(r.text); i++ {
		switch r.text[i] {
		case '"':
			r.pos = i + 1
			return r.text[start:r.pos], nil
		case '\\':
			i++
		}
	}
	return "", errJSON
}

// val lays the value at pos flat under a name.
func (r *jsonRecord) val(name []byte, depth int) error {
	r.space()
	switch {
	case r.pos >= len(r.text):
		return errJSON
	case depth > maxJSONDepth:
		return errJSONDeep
	case len(r.paths) > maxPathBytes:
		return errJSONLarge
	}
	switch r.text[r.pos] {
	case '{':
		return r.object(name, depth)
	case '[':
		return r.array(name, depth)
	case '"':
		v, err := r.str()
		if err == nil {
			r.leaf(name, v)
		}
		return err
	}
	start := r.pos
	for r.pos < len(r.text) && strings.IndexByte(",]} \t\r\n", r.text[r.pos]) < 0 {
		r.pos++
	}
	switch v := r.text[start:r.pos]; {
	case v == "null":
		return nil
	case v == "true" || v == "false" || v != "" && (isDigit(v[0]) || v[0] == '-'):
		r.leaf(name, v)
		return nil
	}
	return errJSON
}

// more moves on to the next element of an object or array, and says whether there
// is one.
func (r *jsonRecord) more(end byte, first bool) (bool, error) {
	r.space()
	if r.pos < len(r.text) && r.text[r.pos] == end {
		r.pos++
		return false, nil
	}
	if !first {
		if r.pos >= len(r.text) || r.text[r.pos] != ',' {
			return false, errJSON
		}
		r.pos++
		r.space()
	}
	return true, nil
}

func (r *jsonRecord) object(name []byte, depth int) error {
	r.pos++
	for first := true; ; first = false {
		if more, err := r.more('}', first); !more {
			return err
		}
		if r.pos >= len(r.text) || r.text[r.pos] != '"' {
			return errJSON
		}
		key, err := r.str()
		if err != nil {
			return err
		}
		sub := name
		if len(sub) > 0 {
			sub = append(sub, '.')
		}
		for i := 1; i < min(len(key)-1, maxJSONName); i++ {
			b := key[i]
			if b >= 'A' && b <= 'Z' {
				b += 'a' - 'A'
			}
			sub = append(sub, b)
		}
		r.space()
		if r.pos >= len(r.text) || r.text[r.pos] != ':' {
			return errJSON
		}
		r.pos++
		if err := r.val(sub, depth+1); err != nil {
			return err
		}
	}
}

func (r *jsonRecord) array(name []byte, depth int) error {
	r.pos++
	for first := true; ; first = false {
		if more, err := r.more(']', first); !more {
			return err
		}
		if r.pos < len(r.text) && r.text[r.pos] == '{' {
			r.elem++
		}
		if err := r.val(name, depth+1); err != nil {
			return err
		}
	}
}

func (r *jsonRecord) leaf(name []byte, v string) {
	r.paths = append(r.paths, name...)
	r.spans = append(r.spans, int32(len(r.paths)))
	r.leaves = append(r.leaves, leaf{value: v, elem: r.elem})
}

// raw returns the value of the first leaf of that name as it stands.
func (r *jsonRecord) raw(path string) (string, bool) {
	for i := range r.leaves {
		if r.leaves[i].path == path {
			return r.leaves[i].value, true
		}
	}
	return "", false
}

func (r *jsonRecord) has(path string) bool { _, ok := r.raw(path); return ok }

// get returns the first value that is not empty among the names, decoded.
func (r *jsonRecord) get(paths ...string) string {
	for _, p := range paths {
		if v, ok := r.raw(p); ok {
			if s := jsonText(v); s != "" {
				return s
			}
		}
	}
	return ""
}

// element returns the leaves that stand in the same element of an array as leaf i:
// from the first to the one after the last.
func (r *jsonRecord) element(i int) (from, to int) {
	from, to = i, i+1
	for from > 0 && r.leaves[from-1].elem == r.leaves[i].elem {
		from--
	}
	for to < len(r.leaves) && r.leaves[to].elem == r.leaves[i].elem {
		to++
	}
	return from, to
}

// beside returns the value of that name in the same element of an array as leaf i.
func (r *jsonRecord) beside(i int, path string) string {
	from, to := r.element(i)
	for _, l := range r.leaves[from:to] {
		if l.path == path {
			return jsonText(l.value)
		}
	}
	return ""
}

// jsonText decodes a scalar: a string's escapes (RFC 8259 7), anything else as it stands.
func jsonText(v string) string {
	if len(v) < 2 || v[0] != '"' {
		return v
	}
	v = v[1 : len(v)-1]
	if strings.IndexByte(v, '\\') < 0 {
		return v
	}
	out := make([]byte, 0, len(v))
	for i := 0; i < len(v); i++ {
		if v[i] != '\\' || i+1 >= len(v) {
			out = append(out, v[i])
			continue
		}
		i++
		switch c := v[i]; c {
		case 'n':
			out = append(out, '\n')
		case 't':
			out = append(out, '\t')
		case 'r':
			out = append(out, '\r')
		case 'b', 'f':
			out = append(out, ' ')
		case 'u':
			r, n := hexRune(v[i+1:])
			i += n
			if utf16.IsSurrogate(r) && strings.HasPrefix(v[i+1:], `\u`) {
				lo, n := hexRune(v[i+3:])
				if d := utf16.DecodeRune(r, lo); d != utf8.RuneError {
					r = d
					i += 2 + n
				}
			}
			out = utf8.AppendRune(out, r)
		default:
			out = append(out, c)
		}
	}
	return string(out)
}

func hexRune(s string) (rune, int) {
	if len(s) < 4 {
		return utf8.RuneError, len(s)
	}
	n, err := strconv.ParseUint(s[:4], 16, 32)
	if err != nil {
		return utf8.RuneError, 0
	}
	return rune(n), 4
}

// A jsonLayout is the form in which one provider reports events: webhooks, API
// answers, exports, logs.
type jsonLayout struct {
	name string
	is   func(r *jsonRecord) bool
	read func(d *reading, r *jsonRecord, e *bounceimport.Event) outcome
}
