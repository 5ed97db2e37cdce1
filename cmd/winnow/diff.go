package main

import (
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/winnow-email/winnow/export/report"
	"github.com/winnow-email/winnow/export/rundir"
)

func newDiffCmd(e *env) *cobra.Command {
	var jsonText, reveal bool
	cmd := &cobra.Command{
		Use:   "diff OLD-DIR NEW-DIR",
		Short: "What changed between two runs, and why",
		Long: `Compare two run folders address by address: who is new, who is gone, who moved
from one list to another, and for which reason. Exit code 0 either way.`,
		Example: `  winnow diff out-yesterday/ out/`,
		Args:    usageArgs(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			changes, err := rundir.Diff(cmd.Context(), args[0], args[1], reveal)
			if err != nil {
				return err
			}
			if jsonText {
				enc := json.NewEncoder(e.stdout)
				for _, c := range changes {
					if err := enc.Encode(c); err != nil {
						return err
					}
				}
				return nil
			}
			return report.Changes(e.stdout, changes)
		},
	}
	cmd.Flags().BoolVar(&jsonText, "json", false, "print one JSON object a change")
	cmd.Flags().BoolVar(&reveal, "reveal", false, "print the examples in full")
	return cmd
}
