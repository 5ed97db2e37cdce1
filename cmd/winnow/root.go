package main

import (
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/winnow-email/winnow/internal/files"
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
	e := &env{stdin: files.Until(ctx, stdin), stdout: stdout, stderr: stderr, args: args}
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
