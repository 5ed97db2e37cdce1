package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/winnow-email/winnow/internal/shown"
)

func newBouncesVerifyCmd(e *env) *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "verify --history winnow.db",
		Short: "Check that a history is whole",
		Long: `verify reads every row of a history and holds it to its checksum: that of the row,
and that of all rows together, so that a bit that turned on the disk and a row that
was lost are both found. A run that uses a damaged history stops by itself; verify
is for a backup, or for a disk that is not trusted. It changes nothing.`,
		Example: `  winnow bounces verify --history winnow.db`,
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			s, err := historyOf(cmd, path)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.Close()) }()
			if err := s.Verify(cmd.Context()); err != nil {
				return err
			}
			shown.Fprintf(e.stdout, "%s: whole\n", path)
			return nil
		},
	}
	cmd.Flags().StringVar(&path, "history", "", "the history `FILE`")
	return cmd
}
