// Package lists holds what is known of mail domains, mail hosts and local parts
// without asking anyone: sorted text files, embedded, each headed by its source,
// licence and date, and searched in place.
package lists

import (
	_ "embed"
	"strings"
)

// The files. "make lists" writes disposable.txt and free.txt; the others are written
// by hand.
var (
	//go:embed providers.txt
	providersText string
	//go:embed aliases.txt
	aliasesText string
	//go:embed disposable.txt
	disposableText string
	//go:embed free.txt
	freeText string
	//go:embed known.txt
	knownText string
	//go:embed roles.txt
	rolesText string
	//go:embed mx.txt
	mxText string
	//go:embed targets.txt
	targetsText string
)

// Entry is what a list says of a domain.
type Entry struct {
	Kind   Kind
	Name   string // Provider, Alias: the provider or service; Disposable: the sources that list it
	Class  string // Provider: free, isp, mailbox, forwarder; Disposable: confirmed, listed
	Domain string // the listed domain: the one asked for, or one above it
	List   *List  // the list that says so
}

// A Set is lists that are searched together. It is never changed once made.
type Set struct {
	domains, roles, mx *index
}

var embedded = Set{
	domains: newIndex(
		List{Name: "providers", kind: Provider, text: providersText},
		List{Name: "aliases", kind: Alias, text: aliasesText},
		List{Name: "disposable", kind: Disposable, text: disposableText},
		List{Name: "free", kind: Free, text: freeText},
		List{Name: "known", kind: known, text: knownText}),
	roles: newIndex(List{Name: "roles", text: rolesText}),
	mx:    newIndex(List{Name: "mx", text: mxText}),
}

// All returns the lists of the set, those that win first.
func (s *Set) All() []*List {
	var all []*List
	for _, x := range []*index{s.domains, s.roles, s.mx} {
		for i := range x.lists {
			all = append(all, &x.lists[i])
		}
	}
	return append(all, &List{Name: "targets", text: targetsText})
}

// Embedded returns the lists that are part of the program.
func Embedded() *Set { return &embedded }

// Domain finds a domain (lower-case A-labels). A subdomain of an alias domain, or
// of a domain seen on the page of a provider of throw-away mailboxes, is one too. A
// subdomain of another confirmed domain is only listed: it may be that of a
// stranger who rents a name there. A subdomain of a provider's domain is nothing.
func (s *Set) Domain(domain string) (Entry, bool) {
	if e, ok := s.exact(domain); ok {
		return e, true
	}
	for rest := domain; ; {
		i := strings.IndexByte(rest, '.')
		if i < 0 {
			return Entry{}, false
		}
		rest = rest[i+1:]
		if strings.IndexByte(rest, '.') < 0 {
			return Entry{}, false
		}
		e, ok := s.exact(rest)
		if !ok {
			continue
		}
		switch {
		case e.Kind == Alias:
			return e, true
		case e.Kind == Disposable && e.Class == "confirmed":
			if !strings.Contains(e.Name, ":") && e.List.Path == "" {
				e.Class = "listed"
			}
			return e, true
		}
		return Entry{}, false
	}
}

func (s *Set) exact(domain string) (Entry, bool) {
	l, off := s.domains.find(domain)
	if l == nil {
		return Entry{}, false
	}
	e := Entry{Kind: l.kind, Domain: l.text[off : off+len(domain)], List: l}
	switch first, second := l.columns(off, len(domain)); l.kind {
	case Provider:
		e.Name, e.Class = first, second
	case Disposable:
		e.Class, e.Name = first, second
	default:
		e.Name = first
	}
	return e, true
}

// Role returns the class of a local part (lower case): "system", "no-reply",
// "shared", or "" for what may be a person; and the list that says so.
func (s *Set) Role(local string) (class string, from *List) {
	l, off := s.roles.find(local)
	if l == nil {
		return "", nil
	}
	class, _ = l.columns(off, len(local))
	return class, l
}

// mxSuffix finds the longest listed suffix of a mail host (lower case, no final
// dot), at a label boundary: "google.com.evil.example" is not Google.
func (s *Set) mxSuffix(host string) (provider, class string) {
	for h := strings.TrimSuffix(host, "."); h != ""; {
		if l, off := s.mx.find(h); l != nil {
			return l.columns(off, len(h))
		}
		i := strings.IndexByte(h, '.')
		if i < 0 {
			break
		}
		h = h[i+1:]
	}
	return "", ""
}

// MXProvider names who runs a mail host (lower case), by its name alone: a hint,
// no proof. The class is free, mailbox, isp, gateway, forwarder, app, shared, or
//
//	disposable  a provider of throw-away mailboxes; hosts that ordinary domains share are none
//	alias       a service for privacy aliases: information only
//	parked      a parking service: the domain is for sale and nobody reads its mail
//
// and "" when the host is not known.
func MXProvider(host string) (provider, class string) { return embedded.mxSuffix(host) }
