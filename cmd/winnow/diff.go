package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/winnow-email/winnow"
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
			changes, err := winnow.Diff(cmd.Context(), args[0], args[1], reveal)
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
			var b strings.Builder
			if len(changes) == 0 {
				b.WriteString("Nothing changed.\n")
			}
			for _, c := range changes {
				fmt.Fprintf(&b, "%9d  %s\n           %s\n", c.N, describe(c), strings.Join(c.Examples, ", "))
			}
			_, err = e.stdout.Write([]byte(b.String()))
			return err
		},
	}
	cmd.Flags().BoolVar(&jsonText, "json", false, "print one JSON object a change")
	cmd.Flags().BoolVar(&reveal, "reveal", false, "print the examples in full")
	return cmd
}

// describe says in a few words what a change is.
func describe(c winnow.Change) string {
	at := func(list, reason string) string {
		if reason == "" || list == "cleaned" {
			return list
		}
		return list + " (" + reason + ")"
	}
	switch {
	case c.WasList == "":
		return "new: " + at(c.List, c.Reason)
	case c.List == "":
		return "gone: was " + at(c.WasList, c.WasReason)
	}
	return at(c.WasList, c.WasReason) + " -> " + at(c.List, c.Reason)
}
