package main

import (
	"bytes"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/winnow-email/winnow/export/report"
	"github.com/winnow-email/winnow/export/rundir"
	"github.com/winnow-email/winnow/export/summary"
	"github.com/winnow-email/winnow/internal/files"
)

func newReportCmd(e *env) *cobra.Command {
	var (
		out, previous string
		reveal, text  bool
		examples      int
	)
	cmd := &cobra.Command{
		Use:   "report DIR",
		Short: "Write the report of a run again",
		Long: `Make report.html from the summary of a run folder, without the lists being
judged again. The page is one file that asks nothing of any network. It is
written beside the run folder as DIR.html, or to the file given with -o: a run
folder never changes after the run.

--examples shows some addresses of every reason, masked; --reveal shows them in
full.`,
		Example: `  winnow report out/
  winnow report out/ --examples 5 --reveal -o for-support.html
  winnow report out/ --text`,
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := filepath.Clean(args[0])
			run, err := rundir.Open(dir)
			if err != nil {
				return err
			}
			s := run.Summary
			if text {
				width, color := terminalOf(e.stdout)
				return report.Terminal(e.stdout, s, report.TerminalOptions{Width: width, Color: color, Dir: dir})
			}
			var opt report.PageOptions
			if previous != "" {
				if opt.Previous, err = summary.Read(previous); err != nil {
					return err
				}
			}
			if reveal && examples == 0 {
				examples = 3
			}
			if examples > 0 {
				if opt.Examples, err = rundir.Examples(cmd.Context(), dir, examples, reveal); err != nil {
					return err
				}
			}
			var page bytes.Buffer
			if err := report.Page(&page, s, opt); err != nil {
				return err
			}
			switch out {
			case "-":
				_, err := e.stdout.Write(page.Bytes())
				return err
			case "":
				out = dir + ".html"
			}
			if err := files.Write(out, report.PageMark, page.Bytes()); err != nil {
				return err
			}
			return e.printf("%s\n", out)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&out, "output", "o", "", `the file to write, "-" for standard output (default: DIR.html)`)
	f.StringVar(&previous, "previous", "", "an earlier run folder, to show what changed")
	f.IntVar(&examples, "examples", 0, "addresses to show for every reason")
	f.BoolVar(&reveal, "reveal", false, "show addresses in full")
	f.BoolVar(&text, "text", false, "print the summary for the terminal instead")
	return cmd
}
