package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf16"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/winnow-email/winnow/internal/shown"
)

// env is what a command may touch of the world. It stands under all commands: what
// they share of arguments, exit codes, errors and printing is here.
type env struct {
	stdin  io.Reader // ends when the command is interrupted
	stdout io.Writer
	stderr io.Writer
	args   []string // the command line, without the name of the program
}

// The exit codes of winnow.
const (
	exitDone      = 0
	exitFailed    = 1
	exitUsage     = 2
	exitGate      = 3   // the run is done, but a gate says: do not send
	exitDNS       = 75  // EX_TEMPFAIL: the DNS was not usable; what depends on it is unknown
	exitInterrupt = 130 // main turns it into 143 on SIGTERM, 129 on SIGHUP
)

// codeOf returns the exit code of an error.
func codeOf(ctx context.Context, err error) int {
	var ue *usageError
	var ce *codeError
	switch {
	case err == nil:
		return exitDone
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return exitInterrupt
	case errors.As(err, &ue):
		return exitUsage
	case errors.As(err, &ce):
		return ce.code
	}
	return exitFailed
}

// report prints err for a person and returns the exit code.
func (e *env) report(ctx context.Context, cmd *cobra.Command, err error) int {
	code := codeOf(ctx, err)
	var ce *codeError
	coded := errors.As(err, &ce)
	switch {
	case code == exitDone:
		return code
	case code == exitInterrupt && coded && ce.err != nil: // a command that had changed something says what
		e.note("%v", ce.err)
		return code
	case code == exitInterrupt:
		e.note("interrupted; nothing was changed")
		return code
	case code == exitUsage:
		var ue *usageError
		if errors.As(err, &ue) && ue.cmd != nil {
			cmd = ue.cmd
		}
		e.note("error: %v", err)
		e.note("usage: %s", cmd.UseLine())
		e.note("hint: '%s --help' explains it", cmd.CommandPath())
		return code
	case coded && ce.err == nil:
		return code
	}
	for _, one := range apart(err) {
		e.note("error: %v", one)
	}
	var he interface{ Hint() string }
	switch {
	case errors.As(err, &he) && he.Hint() != "":
		e.note("hint: %s", he.Hint())
	case errors.Is(err, syscall.ENOSPC):
		e.note("hint: make room on that disk and run it again")
	case errors.Is(err, fs.ErrPermission):
		e.note("hint: check who may read or write it (ls -ld)")
	}
	return code
}

// apart returns the errors that were joined into one: each gets a line of its own.
func apart(err error) (all []error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range joined.Unwrap() {
			all = append(all, apart(one)...)
		}
		return all
	}
	return []error{err}
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

// note prints a remark on standard error.
func (e *env) note(format string, args ...any) {
	shown.Fprintf(e.stderr, "winnow: "+format+"\n", args...)
}

// printf prints on standard output.
func (e *env) printf(format string, args ...any) error {
	_, err := shown.Fprintf(e.stdout, format, args...)
	return err
}

// print prints on standard output, at once, what write writes.
func (e *env) print(write func(io.Writer)) error {
	var b bytes.Buffer
	write(&b)
	_, err := e.stdout.Write(b.Bytes())
	return err
}

// jsonLines returns an encoder that writes one object a line.
func jsonLines(w io.Writer) *json.Encoder {
	enc := json.NewEncoder(plainJSON{w})
	enc.SetEscapeHTML(false)
	return enc
}

// plainJSON writes what a terminal would obey as escapes of JSON, which mean the same
// to a program. It gets whole values.
type plainJSON struct{ to io.Writer }

func (w plainJSON) Write(p []byte) (int, error) {
	bad := func(r rune) bool { return r >= 0x7f && !unicode.IsGraphic(r) }
	if !bytes.ContainsFunc(p, bad) {
		return w.to.Write(p)
	}
	var b bytes.Buffer
	for _, r := range string(p) {
		if !bad(r) {
			b.WriteRune(r)
			continue
		}
		for _, u := range utf16.AppendRune(nil, r) { // RFC 8259 7
			b.WriteString(fmt.Sprintf(`\u%04x`, u))
		}
	}
	if _, err := w.to.Write(b.Bytes()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// printJSON prints one JSON value for people and programs.
func printJSON(w io.Writer, v any) error {
	enc := jsonLines(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// isTerminal says whether w is a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// terminalOf returns the width of a terminal and whether it takes colours: 80
// and false for anything else.
func terminalOf(w io.Writer) (width int, color bool) {
	width = 80
	if !isTerminal(w) {
		return width, false
	}
	if n, _, err := term.GetSize(int(w.(*os.File).Fd())); err == nil && n > 0 {
		width = min(max(n, 60), 120)
	}
	return width, os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
