package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// env is what a command may touch of the world.
type env struct {
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	run    func(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int // winnow itself, for jobs of several steps
}

// The exit codes of winnow.
const (
	exitDone      = 0
	exitFailed    = 1
	exitUsage     = 2
	exitGate      = 3   // the run is done, but a gate says: do not send
	exitDNS       = 75  // EX_TEMPFAIL: the DNS was not usable; what depends on it is unknown
	exitInterrupt = 130 // main turns it into 143 on SIGTERM
)

// commands are the constructors of all commands, in the order of the help text.
var commands = []struct {
	title string
	list  []func(*env) *cobra.Command
}{
	{"Judge:", []func(*env) *cobra.Command{newCleanCmd, newCheckCmd, newExplainAddressCmd, newDomainsCmd, newBouncesCmd, newListsCmd}},
	{"Feed back:", []func(*env) *cobra.Command{newExportCmd, newPushCmd}},
	{"After a run:", []func(*env) *cobra.Command{newReportCmd, newDiffCmd, newVerifyCmd, newPlanCmd}},
	{"Every night:", []func(*env) *cobra.Command{newRunCmd, newInitCmd}},
	{"Other:", []func(*env) *cobra.Command{newVersionCmd}},
}

// run is winnow without the process around it: tests call it.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	e := &env{stdin: stdin, stdout: stdout, stderr: stderr, run: run}
	root := &cobra.Command{
		Use:   "winnow",
		Short: "Whom on a mailing list you may mail, and why",
		Long: `winnow checks every address of a list (syntax, does the domain take mail,
disposable, role, likely typo), merges what history says (bounces, complaints),
and writes a cleaned and a suppressed CSV with a reason for every row.
It runs on your machine: only domain names leave it, and only to your DNS
resolver. It never probes a mailbox, never changes an address, never drops a row.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       versionString(),
		Args:          unknownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cmd.Help()
		},
	}
	root.SetVersionTemplate("winnow {{.Version}}\n")
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &usageError{cmd: cmd, err: err}
	})
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveDefault)
	cobra.EnableCommandSorting = false
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), "Flags.FlagUsages ", "Flags.FlagUsagesWrapped 80 "))
	for _, group := range commands {
		root.AddGroup(&cobra.Group{ID: group.title, Title: group.title})
		for _, c := range group.list {
			cmd := c(e)
			cmd.GroupID = group.title
			root.AddCommand(cmd)
		}
	}
	root.SetHelpCommandGroupID("Other:")
	root.SetCompletionCommandGroupID("Other:")
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd(args...)
	for _, c := range root.Commands() {
		switch c.Name() {
		case "completion":
			c.Args, c.RunE = unknownCommand, func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		case "help":
			help := c.Run
			c.Run, c.RunE = nil, func(cmd *cobra.Command, args []string) error {
				if found, rest, err := root.Find(args); err != nil || len(rest) > 0 {
					return unknownCommand(found, rest)
				}
				help(cmd, args)
				return nil
			}
		}
	}
	cmd, err := root.ExecuteContextC(ctx)
	return e.report(ctx, cmd, err)
}

// codeOf returns the exit code of an error.
func codeOf(ctx context.Context, err error) int {
	var ce *codeError
	switch {
	case err == nil:
		return exitDone
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return exitInterrupt
	case isUsage(err):
		return exitUsage
	case errors.As(err, &ce):
		return ce.code
	}
	return exitFailed
}

func isUsage(err error) bool {
	var ue *usageError
	return errors.As(err, &ue) || strings.HasPrefix(err.Error(), "unknown command")
}

// report prints err for a person and returns the exit code.
func (e *env) report(ctx context.Context, cmd *cobra.Command, err error) int {
	code := codeOf(ctx, err)
	switch code {
	case exitDone:
		return code
	case exitInterrupt:
		var ce *codeError
		if errors.As(err, &ce) && ce.err != nil { // a command that had changed something says what
			fmt.Fprintf(e.stderr, "winnow: %v\n", ce.err)
			return code
		}
		fmt.Fprintln(e.stderr, "winnow: interrupted; nothing was changed")
		return code
	case exitUsage:
		var ue *usageError
		if errors.As(err, &ue) && ue.cmd != nil {
			cmd = ue.cmd
		}
		fmt.Fprintf(e.stderr, "winnow: error: %v\n", err)
		fmt.Fprintf(e.stderr, "winnow: usage: %s\nwinnow: hint: '%s --help' explains it\n", cmd.UseLine(), cmd.CommandPath())
		return code
	}
	var ce *codeError
	if errors.As(err, &ce) && ce.err == nil {
		return code
	}
	fmt.Fprintf(e.stderr, "winnow: error: %v\n", err)
	var he interface{ Hint() string }
	switch {
	case errors.As(err, &he) && he.Hint() != "":
		fmt.Fprintf(e.stderr, "winnow: hint: %s\n", he.Hint())
	case errors.Is(err, syscall.ENOSPC):
		fmt.Fprintln(e.stderr, "winnow: hint: make room on that disk and run it again")
	case errors.Is(err, fs.ErrPermission):
		fmt.Fprintln(e.stderr, "winnow: hint: check who may read or write it (ls -ld)")
	}
	return code
}

// usageError is a mistake on the command line: exit code 2, with the usage line.
type usageError struct {
	cmd *cobra.Command
	err error
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// usagef returns a usage error.
func usagef(cmd *cobra.Command, format string, args ...any) error {
	return &usageError{cmd: cmd, err: fmt.Errorf(format, args...)}
}

// unknownCommand is the error for arguments of a command that has only
// subcommands, with what may have been meant.
func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := fmt.Errorf("unknown command %q for %q", args[0], cmd.CommandPath())
	if cmd.SuggestionsMinimumDistance = 2; len(cmd.SuggestionsFor(args[0])) > 0 {
		err = fmt.Errorf("%w: did you mean %s?", err, strings.Join(cmd.SuggestionsFor(args[0]), " or "))
	}
	return &usageError{cmd: cmd, err: err}
}

// usageArgs makes a wrong number of arguments a usage error.
func usageArgs(f cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch err := f(cmd, args); {
		case err != nil && cmd.HasSubCommands() && len(args) > 0:
			return unknownCommand(cmd, args)
		case err != nil && strings.HasPrefix(err.Error(), "unknown command"):
			return usagef(cmd, "%q means nothing here: %s takes no arguments", args[0], cmd.CommandPath())
		case err != nil && len(args) == 0:
			return usagef(cmd, "nothing is named to work on")
		case err != nil:
			return usagef(cmd, "the wrong number of arguments, %d (quote one that holds spaces)", len(args))
		}
		return nil
	}
}

// hintError says what to do next.
type hintError struct {
	err  error
	hint string
}

func (e *hintError) Error() string { return e.err.Error() }
func (e *hintError) Unwrap() error { return e.err }
func (e *hintError) Hint() string  { return e.hint }

// withHint adds to err what the user can do about it.
func withHint(err error, format string, args ...any) error {
	return &hintError{err: err, hint: fmt.Sprintf(format, args...)}
}

// codeError carries an exit code. Without an error nothing more is printed.
type codeError struct {
	code int
	err  error
}

func (e *codeError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}
func (e *codeError) Unwrap() error { return e.err }

// exitCode returns an error that ends winnow with code, printing err when it is not nil.
func exitCode(code int, err error) error { return &codeError{code: code, err: err} }

// isTerminal says whether w is a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// note prints a remark on standard error.
func (e *env) note(format string, args ...any) {
	fmt.Fprintf(e.stderr, "winnow: "+format+"\n", args...)
}

// untilDone returns a reader of r that ends with the error of ctx as soon as ctx
// is done, also while r waits for somebody to type. What r reads after that is lost.
func untilDone(ctx context.Context, r io.Reader) io.Reader {
	return &doneReader{ctx: ctx, r: r, buf: make([]byte, 1<<16), got: make(chan readDone, 1)}
}

type doneReader struct {
	ctx  context.Context
	r    io.Reader
	buf  []byte // lent to the read that is under way
	got  chan readDone
	rest []byte // read, and not taken yet
	err  error
}

type readDone struct {
	n   int
	err error
}

func (d *doneReader) Read(p []byte) (int, error) {
	if len(d.rest) == 0 && d.err == nil {
		go func() {
			n, err := d.r.Read(d.buf)
			d.got <- readDone{n, err}
		}()
		select {
		case got := <-d.got:
			d.rest, d.err = d.buf[:got.n], got.err
		case <-d.ctx.Done():
			d.err = d.ctx.Err()
		}
	}
	if len(d.rest) == 0 {
		return 0, d.err
	}
	n := copy(p, d.rest)
	d.rest = d.rest[n:]
	return n, nil
}
