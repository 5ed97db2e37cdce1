package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/winnow-email/winnow/internal/files"
	"github.com/winnow-email/winnow/internal/shown"
	"github.com/winnow-email/winnow/validate"
	"github.com/winnow-email/winnow/validate/lists"
	"github.com/winnow-email/winnow/validate/lists/update"
)

// listsAge is how old a list may be before its age is remarked on: domains of
// throw-away mailboxes come and go within weeks.
const listsAge = 60 * 24 * time.Hour

// listsOptions say where a user's own lists are.
type listsOptions struct{ dir string }

func addListsFlag(f *pflag.FlagSet, o *listsOptions) {
	f.StringVar(&o.dir, "lists-dir", "", "folder of your own lists, which win over the embedded ones (default: winnow/lists in your configuration folder)")
}

// folder returns the folder of the user's lists. A folder that was named must
// exist; the default one need not.
func (o *listsOptions) folder() (string, error) {
	if o.dir != "" {
		return o.dir, nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", nil // no home: nobody's own lists
	}
	return filepath.Join(dir, "winnow", "lists"), nil
}

// validator returns a validator that knows the user's lists.
func (o *listsOptions) validator() (validate.Validator, error) {
	dir, err := o.folder()
	if err != nil || dir == "" {
		return validate.Validator{}, err
	}
	switch _, err := os.Stat(dir); {
	case err == nil:
	case o.dir != "":
		return validate.Validator{}, withHint(err, "--lists-dir names a folder with lists like disposable.txt or known.txt; see 'winnow lists --help'")
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR): // nobody's own lists
		return validate.Validator{}, nil
	default:
		return validate.Validator{}, hiddenLists(dir, err)
	}
	set, err := lists.Load(os.DirFS(dir), dir)
	if errors.Is(err, fs.ErrPermission) {
		return validate.Validator{}, hiddenLists(dir, err)
	}
	if err != nil {
		return validate.Validator{}, withHint(err, "correct the file, or move it out of %s", dir)
	}
	return validate.Validator{Lists: set}, nil
}

// hiddenLists says that there may be lists which cannot be read. To judge without them
// would be to guess: what is in known.txt is condemned by no list.
func hiddenLists(dir string, err error) error {
	return withHint(fmt.Errorf("your own lists in %s cannot be looked at: %w", dir, files.Plain(err)),
		"set HOME to a folder that this user may read, or name a folder with --lists-dir (an empty one for none)")
}

func newListsCmd(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "lists",
		Short: "Show and update what winnow knows of domains and mailbox names",
		Long: `winnow carries lists of mailbox providers, privacy aliases, throw-away domains,
role mailboxes and mail hosts inside. They are facts with a source, a licence and a
date, and they age.

Your own lists win over them, line by line. They are text files in the folder
winnow/lists of your configuration folder (or --lists-dir):

  known.txt        domain                      real, whatever the lists say
  disposable.txt   domain [confirmed|listed]   throw-away mailboxes
  aliases.txt      domain [service]            privacy aliases
  providers.txt    domain [provider class]     mailbox providers
  free.txt         domain                      mailboxes for anybody
  roles.txt        name class                  system, no-reply, shared or person`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newListsShowCmd(e), newListsUpdateCmd(e), newListsWhichCmd(e))
	return cmd
}

func newListsShowCmd(e *env) *cobra.Command {
	var o listsOptions
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show [NAME]",
		Short: "Print the lists with source, licence, date and size, or the entries of one",
		Long: `Without a name: one line a list, those that win first. With a name: the list itself,
as text. Lists of throw-away domains that are older than 60 days are remarked on.`,
		Example: `  winnow lists show
  winnow lists show disposable | grep -c confirmed`,
		Args: usageArgs(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			v, err := o.validator()
			if err != nil {
				return err
			}
			all := lists.Embedded().All()
			if v.Lists != nil {
				all = v.Lists.All()
			}
			if len(args) == 1 {
				return e.printList(all, args[0])
			}
			return e.showLists(all, asJSON, time.Now())
		},
	}
	addListsFlag(cmd.Flags(), &o)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	return cmd
}

func (e *env) printList(all []*lists.List, name string) error {
	var names []string
	for _, l := range all {
		if l.Name == name {
			_, err := l.WriteTo(e.stdout)
			return err
		}
		names = append(names, l.Name)
	}
	return withHint(fmt.Errorf("there is no list %q", name), "the lists are %s", strings.Join(names, ", "))
}

func (e *env) showLists(all []*lists.List, asJSON bool, now time.Time) error {
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	if !asJSON {
		shown.Fprintf(w, "LIST\tENTRIES\tDATE\tAGE\tWHERE\n")
	}
	old := []string{}
	for _, l := range all {
		date := l.Date()
		days := int(now.Sub(date).Hours() / 24)
		if asJSON {
			line := map[string]any{"name": l.Name, "entries": l.Len(), "sources": l.Head("source"), "licences": l.Head("licence"), "path": l.Path}
			if !date.IsZero() {
				line["date"], line["age_days"] = date.Format(time.DateOnly), days
			}
			if err := json.NewEncoder(e.stdout).Encode(line); err != nil {
				return err
			}
			continue
		}
		when, age := "-", "-"
		if !date.IsZero() {
			when, age = date.Format(time.DateOnly), fmt.Sprintf("%d days", days)
		}
		shown.Fprintf(w, "%s\t%d\t%s\t%s\t%s\n", l.Name, l.Len(), when, age, cmp.Or(l.Path, "embedded"))
		if !date.IsZero() && now.Sub(date) > listsAge {
			old = append(old, l.Name)
		}
	}
	if err := w.Flush(); err != nil || asJSON {
		return err
	}
	for _, l := range all {
		shown.Fprintf(e.stdout, "\n%s\n", l.Name)
		for i, s := range l.Head("source") {
			shown.Fprintf(e.stdout, "  source   %s\n", s)
			if licences := l.Head("licence"); i < len(licences) {
				shown.Fprintf(e.stdout, "  licence  %s\n", licences[i])
			}
		}
		if len(l.Head("source")) == 0 {
			shown.Fprintf(e.stdout, "  source   your own, %s\n", l.Path)
		}
	}
	if len(old) > 0 {
		e.note("older than %d days: %s; 'winnow lists update' fetches the list of throw-away domains anew", int(listsAge.Hours()/24), strings.Join(old, ", "))
	}
	return nil
}

func newListsUpdateCmd(e *env) *cobra.Command {
	var o listsOptions
	var from string
	var force bool
	cmd := &cobra.Command{
		Use:   "update",
		Short: "Fetch the list of throw-away domains anew",
		Long: `Fetches the lists behind the embedded list of throw-away domains (or the one list
that --from names), and puts the result in place of the embedded one. A server is
asked only for what changed (ETag, Last-Modified).

Public suffixes, universities, mailbox providers and slips of their names are left
out: other lists hold hundreds of them. A list that is much smaller or larger than
the one in use is not believed. When anything is wrong, the list in use stays.

This is the only command of winnow that asks a server for lists. Nothing of yours is sent.`,
		Example: `  winnow lists update
  winnow lists update --from blocklist.txt`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := o.folder()
			if err != nil {
				return err
			}
			if dir == "" {
				return withHint(fmt.Errorf("there is no configuration folder to keep lists in"), "name one with --lists-dir")
			}
			u := update.Updater{Dir: dir, Force: force}
			r, err := u.Update(cmd.Context(), from)
			if err != nil {
				return withHint(fmt.Errorf("the list in use stays: %w", err), "the embedded lists work without a network; --from takes a file")
			}
			if r.Unchanged {
				_, err = shown.Fprintf(e.stdout, "nothing new: %d throw-away domains\n", r.Entries)
				return err
			}
			for i, line := range r.Refused {
				if i == 5 {
					e.note("left out %d more", len(r.Refused)-i)
					break
				}
				e.note("left out %s", line)
			}
			_, err = shown.Fprintf(e.stdout, "%d throw-away domains, %d new, %d gone; %s\n", r.Entries, r.Added, r.Removed, r.Path)
			return err
		},
	}
	addListsFlag(cmd.Flags(), &o)
	cmd.Flags().StringVar(&from, "from", "", "a file or https URL: lines of domains, a JSON array, or a list of winnow's")
	cmd.Flags().BoolVar(&force, "force", false, "take a list that is much smaller or larger than the one in use")
	return cmd
}

func newListsWhichCmd(e *env) *cobra.Command {
	var o listsOptions
	cmd := &cobra.Command{
		Use:   "which DOMAIN…",
		Short: "Say which list knows a domain, and what it says",
		Example: `  winnow lists which mailinator.com gmial.com
  winnow lists which acme-widgets.com`,
		Args: usageArgs(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			v, err := o.validator()
			if err != nil {
				return err
			}
			for _, d := range args {
				if err := e.which(&v, d); err != nil {
					return err
				}
			}
			return nil
		},
	}
	addListsFlag(cmd.Flags(), &o)
	return cmd
}

func (e *env) which(v *validate.Validator, name string) error {
	a, err := validate.ParseAddress("x@" + name[strings.LastIndexByte(name, '@')+1:]) // an address is taken for its domain
	if err != nil {
		return withHint(fmt.Errorf("%s: %w", name, err), "give a domain, like example.com")
	}
	d := v.CheckDomain(a.Domain)
	says := "on no list"
	switch {
	case d.Code != "":
		says = d.Detail
	case d.Disposable == validate.Confirmed:
		says = "disposable, confirmed"
	case d.Disposable == validate.Listed:
		says = "disposable, on one list"
	case d.Alias != "":
		says = "privacy alias of " + d.Alias
	case d.Provider != "":
		says = "provider " + d.Provider + ", " + d.Class
	case d.Class != "":
		says = d.Class + " mailboxes"
	case d.Typo != "":
		says = "on no list; probably meant is " + d.Typo
	case d.Source != "":
		says = "a real domain, whatever it looks like"
	}
	if d.Source != "" {
		says += " (" + d.Source + ")"
	}
	_, err = shown.Fprintf(e.stdout, "%s: %s\n", d.Name, says)
	return err
}
