//go:build unix

package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// lockJob makes sure that a job does not run twice at the same time. The lock
// is on the job file itself, and ends with the process.
func lockJob(path string) (unlock func(), err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close() // only read
		return nil, withHint(fmt.Errorf("%s: this job is running already", path), "wait for it to end")
	}
	return func() { f.Close() }, nil
}
