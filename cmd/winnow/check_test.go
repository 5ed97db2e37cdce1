package main

import (
	"bytes"
	"context"
	"io"
	"testing"
	"time"
)

// Ctrl-C ends a check that waits for somebody to type.
func TestCheckIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	defer w.Close()
	var out, errs bytes.Buffer
	code := make(chan int)
	go func() { code <- run(ctx, []string{"check", "--no-dns", "-"}, r, &out, &errs) }()
	if _, err := io.WriteString(w, "jane.doe@acme.de\n"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(20 * time.Millisecond) // for the answer to be printed; the outcome does not depend on it
	cancel()
	select {
	case got := <-code:
		if got != exitInterrupt {
			t.Errorf("exit code %d: %s", got, errs.String())
		}
	case <-time.After(10 * time.Second):
		t.Fatal("check still waits")
	}
}
