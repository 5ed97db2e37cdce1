package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/winnow-email/winnow/export/report"
	"github.com/winnow-email/winnow/export/rundir"
)

func newVerifyCmd(e *env) *cobra.Command {
	var jsonText bool
	cmd := &cobra.Command{
		Use:   "verify DIR",
		Short: "Prove that a run folder is whole and unchanged",
		Long: `Check a run folder with code that shares nothing with the code that wrote it:
summary.json is unchanged and adds up, every file has its size and hash, no other
file is there, the reasons are counted right, and (where the input files are
still in their place) every line of the lists is in exactly one list, and the
evidence is what the run read.

Exit code 1 when something is wrong.`,
		Example: `  winnow verify out/`,
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			proof, err := rundir.Verify(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if jsonText {
				err = printJSON(e.stdout, proof)
			} else {
				err = report.Proof(e.stdout, proof)
			}
			if err != nil {
				return err
			}
			if n := len(proof.Problems); n > 0 {
				return exitCode(exitFailed, withHint(fmt.Errorf("%s is not as the run wrote it: %d of the checks failed", args[0], n), "run the cleaning again; do not send from this folder"))
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&jsonText, "json", false, "print one JSON object")
	return cmd
}
