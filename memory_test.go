//go:build unix

package winnow

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// Job.Memory is kept, beside what a run takes in any case, by lists that are made
// to break it: one address many times, kept or suppressed, nothing but mistakes,
// and hundreds of lists in one archive.
func TestMemoryIsKept(t *testing.T) {
	if list := os.Getenv("WINNOW_MEMORY_LIST"); list != "" {
		j := &Job{Lists: []string{list}, Out: os.Getenv("WINNOW_MEMORY_OUT"), Memory: 16 << 20}
		if never := os.Getenv("WINNOW_MEMORY_NEVER"); never != "" {
			j.Suppress = []string{never}
		}
		if _, err := Run(context.Background(), j); err != nil {
			t.Fatal(err)
		}
		return
	}
	if runtime.GOOS != "linux" || testing.Short() {
		t.Skip("skipped: measures a process of its own, on Linux, without the race detector")
	}
	dir := memoryDir(t)
	never := write(t, filepath.Join(dir, "never.txt"), "a@firm.org\n")
	for name, c := range map[string]struct {
		list, never string
		limit       int64 // MiB
	}{
		"one address":            {oneAddress(t, filepath.Join(dir, "one.csv"), "a@firm.org\n", 1_000_000), "", 64},
		"one suppressed address": {oneAddress(t, filepath.Join(dir, "never.csv"), "a@firm.org\n", 300_000), never, 96},
		"mistakes":               {oneAddress(t, filepath.Join(dir, "bad.csv"), "a@@\n", 200_000), "", 96},
		"many lists":             {manyLists(t, filepath.Join(dir, "many.zip"), 500), "", 44},
	} {
		child := exec.Command(os.Args[0], "-test.run=^TestMemoryIsKept$")
		child.Env = append(os.Environ(), "WINNOW_MEMORY_LIST="+c.list, "WINNOW_MEMORY_NEVER="+c.never, "WINNOW_MEMORY_OUT="+filepath.Join(dir, "out"), "GOGC=50")
		if out, err := child.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		if most := child.ProcessState.SysUsage().(*syscall.Rusage).Maxrss >> 10; most > c.limit {
			t.Errorf("%s: %d MiB were held, %d are enough", name, most, c.limit)
		}
	}
}

// oneAddress writes a list of one record many times, in pieces: what this process
// holds would count for the one that it starts.
func oneAddress(t *testing.T, path, record string, n int) string {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	thousand := strings.Repeat(record, 1000)
	_, err = io.WriteString(f, "email\n")
	for range n / 1000 {
		_, werr := io.WriteString(f, thousand)
		err = errors.Join(err, werr)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

func manyLists(t *testing.T, path string, n int) string {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	for i := range n {
		w, err := z.Create(fmt.Sprintf("list-%d.csv", i))
		if err == nil {
			_, err = io.WriteString(w, fmt.Sprintf("Email\np%d@firm.org\n", i))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}
