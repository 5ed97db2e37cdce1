package esp

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestPushKilled kills the process in the middle of a push, again and again,
// until one comes through. What has arrived then is the set, and of the calls
// only those were made twice that a kill had cut.
func TestPushKilled(t *testing.T) {
	if dir := os.Getenv("WINNOW_TEST_PUSH"); dir != "" {
		clock := fakeClock{now: time.Now()}
		o := PushOptions{Scope: os.Getenv("SCOPE"), BaseURL: os.Getenv("BASE"), Key: fakeKeys, Yes: true, Allow: []string{"creates-contacts"}, Journal: dir, clock: clock.clock()}
		b, err := Push(context.Background(), small(t, os.Getenv("TARGET")), source("set", pushSet(120)), o)
		if err != nil || b.Unknown+b.Rejected+b.Pending != 0 {
			t.Fatalf("%v %+v", err, b)
		}
		return
	}
	names := []string{"mailgun", "klaviyo", "listmonk"} // lists, jobs, one job at a time
	if os.Getenv("WINNOW_LONG") != "" {
		names = pushTargets()
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t, name)
			kills := killPushes(t, f)
			tg := small(t, name)
			f.has(t, want(tg, pushSet(120)))
			b, err := Push(t.Context(), tg, source("set", pushSet(120)), func() PushOptions { o := f.options(t); o.Yes = false; return o }())
			if err != nil || b.Written != 0 {
				t.Errorf("after all that %d are new; %v", b.Written, err)
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			perSend := 1
			if name == "ses-import" {
				perSend = 2 // object and job
			}
			if most := int(b.There+9)/tg.Batch*perSend + 3*perSend*kills + 6; f.writes > most {
				t.Errorf("%d writing calls for %d entries and %d kills", f.writes, b.There, kills)
			}
		})
	}
}

// killPushes lets a push begin again until one comes through, and kills the first
// three after two calls. It returns how many it has killed.
func killPushes(t *testing.T, f *fake) (kills int) {
	journal := filepath.Join(t.TempDir(), "journal")
	for range 20 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestPushKilled$")
		cmd.Env = append(os.Environ(), "WINNOW_TEST_PUSH="+journal, "TARGET="+f.name, "SCOPE="+fakeScope[f.name], "BASE="+f.srv.URL)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		reached, dead := make(chan struct{}), make(chan struct{})
		f.mu.Lock()
		f.onCall = nil
		if stop := f.writes + 3; kills < 3 {
			f.onCall = func(n int) { // the call is done; its answer never arrives
				if n == stop {
					close(reached)
					<-dead
				}
			}
		}
		f.mu.Unlock()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			select {
			case <-reached:
				cmd.Process.Kill()
			case <-ended:
			}
		}()
		err := cmd.Wait()
		close(ended)
		close(dead)
		if err == nil {
			if kills == 0 {
				t.Fatal("nothing was killed")
			}
			return kills
		}
		if kills++; !strings.Contains(err.Error(), "killed") {
			t.Fatalf("%v\n%s", err, out.String())
		}
	}
	t.Fatal("it never came through")
	return kills
}
