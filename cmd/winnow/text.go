package main

import (
	"io"

	"github.com/winnow-email/winnow/internal/shown"
)

func plural(n int64, one, many string) string { return shown.Plural(n, one, many) }

func wrap(w io.Writer, label, text string) { _ = shown.Wrap(w, label, text) }
