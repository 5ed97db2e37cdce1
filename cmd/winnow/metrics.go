package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/winnow-email/winnow"
	"github.com/winnow-email/winnow/export/report"
	"github.com/winnow-email/winnow/internal/files"
)

// writeMetrics replaces a textfile at once: the collector may read at any time.
func writeMetrics(path string, inputs []string, s *winnow.Summary, job string, code int) error {
	w, err := files.Create(path, report.MetricsMark, inputs...)
	if err == nil {
		defer w.Abandon()
		err = w.Chmod(0o644) // others read it, and it holds no addresses
	}
	var last []byte // of the file that is replaced
	if err == nil {
		if last, err = os.ReadFile(path); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	if err == nil {
		var b bytes.Buffer
		if err = report.Metrics(&b, s, job, code, last); err == nil {
			err = w.Finish(b.Bytes())
		}
	}
	if err != nil {
		return fmt.Errorf("the metrics could not be written: %w", err)
	}
	return nil
}
