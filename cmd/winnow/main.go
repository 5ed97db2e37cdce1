// Command winnow says whom on a mailing list you may mail, and why.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"sync/atomic"
	"syscall"
)

func main() { os.Exit(mainCode()) }

// mainCode runs the command line and turns a signal into its exit code:
// 130 for an interrupt, 143 for a termination, 129 for a terminal that is gone, as
// shells do.
func mainCode() int {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50) // a third less memory for a few percent of time
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var caught atomic.Int32
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // nohup says that the run goes on without a terminal
		signal.Notify(signals, syscall.SIGHUP)
	}
	go func() {
		s := <-signals
		caught.Store(128 + int32(s.(syscall.Signal)))
		cancel()
		// A second signal ends the process at once; what it leaves is removed by the next run.
		s = <-signals
		os.Exit(128 + int(s.(syscall.Signal)))
	}()
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	if c := caught.Load(); c != 0 && code != 0 {
		return int(c)
	}
	return code
}
