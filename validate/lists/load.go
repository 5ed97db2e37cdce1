package lists

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

// Updated is the folder, in the folder of a user's lists, of the lists that stand
// in place of embedded ones: "winnow lists update" writes there.
const Updated = "updated"

// own are the lists a user may keep, with the columns a line that has none gets.
var own = []struct {
	name     string
	kind     Kind
	defaults string
}{
	{"known", known, ""},
	{"providers", Provider, "\town\tmailbox"},
	{"aliases", Alias, "\town list"},
	{"disposable", Disposable, "\tconfirmed\town list"},
	{"free", Free, ""},
}

// Load returns the embedded lists together with those in fsys (path is its name,
// for messages). A file NAME.txt there wins over everything embedded, line by line:
//
//	known.txt       domain                     real, whatever other lists say
//	providers.txt   domain [provider class]
//	aliases.txt     domain [service]
//	disposable.txt  domain [confirmed|listed]
//	free.txt        domain
//	roles.txt       local part and class       system, no-reply, shared or person
//
// A file updated/NAME.txt stands in place of the embedded list NAME. Without any
// of these files Load returns the embedded lists.
func Load(fsys fs.FS, path string) (*Set, error) {
	var mine []List
	for _, o := range own {
		l, err := loadOwn(fsys, path, o.name, func(fields []string) (string, error) { return ownDomain(fields, o.kind, o.defaults) })
		if err != nil {
			return nil, err
		}
		if l != nil {
			l.kind = o.kind
			mine = append(mine, *l)
		}
	}
	roles, err := loadOwn(fsys, path, "roles", ownRole)
	if err != nil {
		return nil, err
	}
	replaced := false
	domains := append([]List(nil), embedded.domains.lists...)
	for i := range domains {
		l := &domains[i]
		file := Updated + "/" + l.Name + ".txt"
		b, err := fs.ReadFile(fsys, file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if !strings.HasSuffix(string(b), "\n") || l.kind != Disposable {
			return nil, fmt.Errorf("%s/%s: not a list that winnow wrote; remove it, or make it anew with 'winnow lists update'", path, file)
		}
		*l = List{Name: l.Name, Path: path + "/" + file, kind: l.kind, text: string(b)}
		replaced = true
	}
	if mine == nil && roles == nil && !replaced {
		return &embedded, nil
	}
	s := &Set{embedded.domains, embedded.roles, embedded.mx}
	if mine != nil || replaced {
		s.domains = newIndex(append(mine, domains...)...)
		if err := s.domains.build(); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	if roles != nil {
		s.roles = newIndex(append([]List{*roles}, embedded.roles.lists...)...)
		if err := s.roles.build(); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return s, nil
}

// loadOwn reads a list that a person writes: any case, spaces or tabs between the
// columns, comments. entry makes a line of the list of its fields.
func loadOwn(fsys fs.FS, path, name string, entry func([]string) (string, error)) (*List, error) {
	b, err := fs.ReadFile(fsys, name+".txt")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	l := &List{Name: "own " + name, Path: path + "/" + name + ".txt"}
	var out strings.Builder
	n := 0
	for line := range strings.Lines(strings.TrimPrefix(string(b), "\ufeff")) {
		n++
		if strings.HasPrefix(line, "# ") && out.Len() == 0 || strings.HasPrefix(line, "# date: ") {
			out.WriteString(strings.TrimRight(line, "\r\n") + "\n")
			continue
		}
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		e, err := entry(f)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", l.Path, n, err)
		}
		out.WriteString(e + "\n")
	}
	l.text = out.String()
	return l, nil
}

func ownDomain(f []string, kind Kind, defaults string) (string, error) {
	d, err := idna.Lookup.ToASCII(strings.TrimPrefix(f[0], "@"))
	if err != nil || !isDomain(strings.ToLower(d)) {
		return "", fmt.Errorf("%q is not a domain", f[0])
	}
	d = strings.ToLower(d)
	if suffix, _ := publicsuffix.PublicSuffix(d); kind == Disposable && suffix == d {
		return "", fmt.Errorf("%s is a public suffix: it would condemn everybody's domain under it", d)
	}
	if len(f) == 1 {
		return d + defaults, nil
	}
	if kind == Disposable && f[1] != "confirmed" && f[1] != "listed" {
		return "", fmt.Errorf("%q: the second column is confirmed or listed", f[1])
	}
	if kind == Disposable {
		return d + "\t" + f[1] + "\town list", nil
	}
	if kind == Provider && len(f) == 2 {
		f = append(f, "mailbox")
	}
	if kind == Provider {
		return d + "\t" + f[1] + "\t" + f[2], nil
	}
	return d + "\t" + strings.Join(f[1:], " "), nil
}

func ownRole(f []string) (string, error) {
	if len(f) != 2 {
		return "", errors.New("want a local part and its class: system, no-reply, shared or person")
	}
	switch f[1] {
	case "system", "no-reply", "shared", "person":
		return strings.ToLower(f[0]) + "\t" + f[1], nil
	}
	return "", fmt.Errorf("%q is no class: use system, no-reply, shared or person", f[1])
}

// Disposable returns the domains on the lists of disposable domains.
func (s *Set) Disposable() map[string]bool {
	all := map[string]bool{}
	for i := range s.domains.lists {
		if l := &s.domains.lists[i]; l.kind == Disposable && !strings.HasPrefix(l.Name, "own ") {
			l.each(func(_ int, key string) { all[key] = true })
		}
	}
	return all
}
