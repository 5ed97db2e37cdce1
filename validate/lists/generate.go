package lists

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Source is one npm package whose list of domains goes into the embedded lists.
type Source struct {
	Package, Version, Licence string
	Date                      time.Time // of publication
	Files                     map[string][]byte
}

// The packages Generate reads, and the file in each.
var Packages = map[string]string{
	"disposable-email-domains-js": "dist/dict/disposable_email_blocklist.json",
	"fakefilter":                  "json/data_version2.json",
	"free-email-domains":          "domains.json",
	"email-providers":             "all.json",
}

// Generate writes disposable.txt, free.txt and the indexes of all embedded lists
// into dir, where the hand-written ones are, and returns one line for every entry
// of a source that the lint refused.
func Generate(dir string, sources map[string]Source) (refused []string, err error) {
	read := func(name string) string {
		b, e := os.ReadFile(filepath.Join(dir, name+".txt"))
		err = cmp.Or(err, e)
		return string(b)
	}
	hand := []List{
		{Name: "providers", kind: Provider, text: read("providers")},
		{Name: "aliases", kind: Alias, text: read("aliases")},
		{Name: "known", kind: Known, text: read("known")},
	}
	roles := newIndex("", List{Name: "roles", text: read("roles")})
	mx := newIndex("", List{Name: "mx", text: read("mx")})
	if err != nil {
		return nil, err
	}
	guard := &Set{domains: newIndex("", hand...)}
	if err := guard.domains.build(); err != nil {
		return nil, err
	}

	disposable := map[string][]string{} // domain -> sources
	atProvider := map[string]bool{}     // seen on the provider's own page
	var blocklist []string
	if err := unmarshal(sources, "disposable-email-domains-js", &blocklist); err != nil {
		return nil, err
	}
	for _, d := range blocklist {
		disposable[d] = append(disposable[d], "disposable-email-domains")
	}
	var fake struct {
		Domains map[string]struct {
			Providers []string
		}
	}
	if err := unmarshal(sources, "fakefilter", &fake); err != nil {
		return nil, err
	}
	for d, e := range fake.Domains {
		src := "fakefilter"
		for _, p := range e.Providers {
			if p != "static" {
				src = "fakefilter:" + p
				atProvider[d] = true
			}
		}
		disposable[d] = append(disposable[d], src)
	}
	var lines []string
	for d, src := range disposable {
		if why := refuse(guard, d); why != "" {
			refused = append(refused, fmt.Sprintf("%s: %s (%s)", d, why, strings.Join(src, ", ")))
			delete(disposable, d)
			continue
		}
		tier := "listed"
		if len(src) > 1 || atProvider[d] {
			tier = "confirmed"
		}
		slices.Sort(src)
		lines = append(lines, d+"\t"+tier+"\t"+strings.Join(src, " "))
	}
	disposableText := head("disposable", "Domains that hand out throw-away mailboxes.", sources,
		"domain, tier (confirmed: seen on the provider's own page or on two lists; listed: on one list), sources",
		"disposable-email-domains-js", "fakefilter") + join(lines)

	free := map[string]bool{}
	for _, name := range []string{"free-email-domains", "email-providers"} {
		var l []string
		if err := unmarshal(sources, name, &l); err != nil {
			return nil, err
		}
		for _, d := range l {
			d = strings.ToLower(strings.TrimSpace(d))
			if disposable[d] != nil || free[d] {
				continue
			}
			if refuse(guard, d) != "" {
				continue // on a better list already, a slip, or nothing that a provider could own
			}
			free[d] = true
		}
	}
	lines = lines[:0]
	for d := range free {
		lines = append(lines, d)
	}
	freeText := head("free", "Further domains under which mailboxes are or were given away; taken for real, never for a slip of the hand.",
		sources, "domain", "free-email-domains", "email-providers") + join(lines)

	domains := newIndex("", hand[0], hand[1],
		List{Name: "disposable", kind: Disposable, text: disposableText},
		List{Name: "free", kind: Free, text: freeText}, hand[2])
	out := map[string]string{"disposable.txt": disposableText, "free.txt": freeText}
	for name, x := range map[string]*index{"domains": &domains, "roles": &roles, "mx": &mx} {
		if err := x.build(); err != nil {
			return nil, err
		}
		out[name+".idx"] = x.slots
	}
	for name, text := range out {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	slices.Sort(refused)
	return refused, nil
}

func unmarshal(sources map[string]Source, name string, v any) error {
	b := sources[name].Files[Packages[name]]
	if b == nil {
		return fmt.Errorf("package %s has no file %s", name, Packages[name])
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("package %s: %s: %w", name, Packages[name], err)
	}
	return nil
}

func head(name, what string, sources map[string]Source, columns string, from ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n# name: %s\n", what, name)
	var oldest time.Time
	for _, f := range from {
		s := sources[f]
		fmt.Fprintf(&b, "# source: npm %s@%s, %s\n# licence: %s\n", s.Package, s.Version, s.Date.Format(time.DateOnly), s.Licence)
		if oldest.IsZero() || s.Date.Before(oldest) {
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
