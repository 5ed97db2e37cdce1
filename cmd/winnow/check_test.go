package main

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"testing/iotest"
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

func TestUntilDone(t *testing.T) {
	text := strings.Repeat("line\n", 50_000)
	for _, r := range []io.Reader{strings.NewReader(text), iotest.OneByteReader(strings.NewReader(text[:500])), iotest.DataErrReader(strings.NewReader(text))} {
		b, err := io.ReadAll(untilDone(context.Background(), r))
		if err != nil || string(b) != text[:len(b)] || len(b)%500 != 0 || len(b) == 0 {
			t.Errorf("%d octets, %v", len(b), err)
		}
	}
	if _, err := io.ReadAll(untilDone(context.Background(), iotest.ErrReader(io.ErrClosedPipe))); err != io.ErrClosedPipe {
		t.Errorf("%v", err)
	}
}
