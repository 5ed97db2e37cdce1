package diagnosis

import (
	"fmt"
	"strings"
)

// Where says in words where a problem is met.
func (p *Problem) Where() string {
	top := p.Providers[0]
	name := title(top.Provider)
	switch p.Scope {
	case "one_provider":
		return name + " only"
	case "mostly_one_provider":
		return fmt.Sprintf("mostly %s (%d of %d)", name, top.N, p.N)
	case "everywhere":
		n := 0
		for _, c := range p.Providers {
			if c.Provider != "" {
				n++
			}
		}
		if n > 1 {
			return fmt.Sprintf("everywhere: %d providers", n)
		}
		return "everywhere"
	}
	if name != "" {
		return name + ", and there is nothing else to compare with"
	}
	return "providers that cannot be told apart"
}

// title writes a provider's name as a name.
func title(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// Extent says in words how much of the sending is met by a problem.
func (p *Problem) Extent() string {
	about := func(n int64, one, many string) string {
		switch {
		case n == 1:
			return "one " + one
		case n >= sketchSize:
			return fmt.Sprintf("about %d %s", n, many)
		}
		return fmt.Sprintf("%d %s", n, many)
	}
	s := about(p.Recipients, "mailbox", "mailboxes")
	switch {
	case p.Domain != "":
		s += " at " + p.Domain
	case p.Domains > 1:
		s += " in " + about(p.Domains, "domain", "domains")
	}
	switch {
	case p.Recipients > 1 && p.Sender != "":
		s += ", all mail from " + p.Sender
	case p.Senders > 1:
		s += ", mail from " + about(p.Senders, "domain", "domains")
	}
	return s
}
