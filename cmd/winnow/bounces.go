package main

import (
	"github.com/spf13/cobra"
)

// bouncesCommands are the constructors of the commands under bounces, in the
// order of the help text.
var bouncesCommands = []func(*env) *cobra.Command{
	newExplainCmd,
	newBouncesReadCmd,
	newEvalCmd,
	newTestRulesCmd,
	newBouncesReportCmd,
	newBouncesImportCmd,
	newBouncesShowCmd,
	newBouncesStatsCmd,
	newBouncesReclassifyCmd,
	newBouncesForgetCmd,
	newBouncesExportCmd,
	newBouncesVerifyCmd,
}

func newBouncesCmd(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bounces",
		Short: "Read, explain and keep what mail servers answered",
		Long: `What servers say when they refuse mail, and what it means for the address. A code
such as 550, 554 or 5.7.1 is no verdict: only the wording tells whether the
mailbox is dead (suppress it) or whether the sender was refused (never suppress;
repair what the reply names).`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	for _, c := range bouncesCommands {
		cmd.AddCommand(c(e))
	}
	return cmd
}
