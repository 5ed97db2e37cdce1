package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/winnow-email/winnow/bounceimport/history"
	"github.com/winnow-email/winnow/bounceimport/reader"
)

// mailgunFake is a Mailgun that keeps bounces, on loopback.
type mailgunFake struct {
	mu     sync.Mutex
	have   map[string]string
	status int // of the next writing calls, 0: good
	key    string
	calls  int
	hang   chan struct{}
}

func (l *mailgunFake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, pass, _ := r.BasicAuth(); pass != l.key {
		w.WriteHeader(http.StatusUnauthorized)
		json.NewEncoder(w).Encode(map[string]string{"message": "not good: " + r.Header.Get("Authorization")})
		return
	}
	switch {
	case r.Method == "GET" && strings.HasSuffix(r.URL.Path, "/bounces"):
		items := []map[string]string{}
		for a := range l.have {
			items = append(items, map[string]string{"address": a})
		}
		json.NewEncoder(w).Encode(map[string]any{"items": items})
	case r.Method == "POST":
		l.calls++
		if l.hang != nil {
			io.Copy(io.Discard, r.Body) // or the end of the connection is not seen
			close(l.hang)
			<-r.Context().Done()
			return
		}
		if l.status != 0 {
			w.WriteHeader(l.status)
			return
		}
		var rows []struct{ Address, Error string }
		json.NewDecoder(r.Body).Decode(&rows)
		for _, x := range rows {
			l.have[x.Address] = x.Error
		}
		fmt.Fprintf(w, `{"message":"%d addresses have been added to the bounces table"}`, len(rows))
	default:
		w.Write([]byte(`{}`))
	}
}

// TestPushCommand drives the whole command against a provider.
func TestPushCommand(t *testing.T) {
	const key = "key-7c3a-canary"
	t.Chdir(t.TempDir())
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	l := &mailgunFake{have: map[string]string{"old@quietharbor.com": "x"}, key: key}
	srv := httptest.NewServer(l)
	defer srv.Close()
	t.Setenv("MAILGUN_API_KEY", key)

	os.WriteFile("bounces.csv", []byte("email,timestamp,reason,type\nann@quietharbor.com,2026-04-01T10:00:00Z,550 5.1.1 User unknown,bounce\nold@quietharbor.com,2026-04-01T10:00:00Z,550 5.1.1 User unknown,bounce\nsue@quietharbor.com,2026-04-01T10:00:00Z,554 5.7.1 blocked using a blocklist,bounce\n"), 0o600)
	os.WriteFile("list.csv", []byte("Email\nann@quietharbor.com\nold@quietharbor.com\nsue@quietharbor.com\nno at sign\n"), 0o600)
	winnow := func(code int, args ...string) (string, string) {
		t.Helper()
		var out, errs bytes.Buffer
		if got := run(context.Background(), args, strings.NewReader(""), &out, &errs); got != code {
			t.Fatalf("winnow %v: exit code %d, want %d\n%s%s", args, got, code, out.String(), errs.String())
		}
		for _, secret := range []string{key, base64.StdEncoding.EncodeToString([]byte("api:" + key)), "ann@quietharbor.com"} {
			if s := out.String() + errs.String(); strings.Contains(s, secret) {
				t.Fatalf("%s is shown: %s", secret, s)
			}
		}
		return out.String(), errs.String()
	}
	has := func(s string, parts ...string) {
		t.Helper()
		for _, p := range parts {
			if !strings.Contains(s, p) {
				t.Errorf("%q is missing in\n%s", p, s)
			}
		}
	}
	winnow(exitDone, "clean", "list.csv", "--bounces", "bounces.csv", "--no-dns", "--no-gates", "-q", "-o", "out")
	push := []string{"push", "--to", "mailgun", "--scope", "mg.example.com", "--from", "out", "--base-url", srv.URL}

	out, _ := winnow(exitDone, push...)
	has(out, "Mailgun: 1 entry would be sent (dry run, nothing was changed)", "1  already there", "1  not expressible: invalid", "Send it with --yes.")
	if l.calls != 0 {
		t.Fatal("the dry run wrote")
	}
	out, _ = winnow(exitDone, append(push, "--yes")...)
	has(out, "Mailgun: 1 entry sent", "0  unknown")
	if l.have["ann@quietharbor.com"] != "550 5.1.1 User unknown" || len(l.have) != 2 {
		t.Errorf("%v", l.have)
	}
	if _, err := os.Stat(filepath.Join("out.push", "mailgun-mg.example.com", "journal.jsonl")); err != nil {
		t.Error(err)
	}

	// Of a history, with the keys in a file.
	store, err := history.Create("winnow.db")
	if err != nil {
		t.Fatal(err)
	}
	imp := store.Begin(context.Background())
	_, err = reader.ReadPath(context.Background(), "bounces.csv", reader.Options{Now: time.Now()}, imp.Add)
	if err != nil {
		t.Fatal(err)
	}
	if err := imp.Done(); err != nil {
		t.Fatal(err)
	}
	store.Close()
	delete(l.have, "ann@quietharbor.com")
	os.Unsetenv("MAILGUN_API_KEY")
	os.WriteFile("keys.env", []byte("MAILGUN_API_KEY="+key+"\n"), 0o644)
	fromHistory := []string{"push", "--to", "mailgun", "--scope", "mg.example.com", "--history", "winnow.db", "--base-url", srv.URL, "--key-file", "keys.env", "--yes"}
	_, errs := winnow(exitFailed, fromHistory...)
	has(errs, "can be read by others (mode 0644)", "chmod 600 keys.env")
	os.Chmod("keys.env", 0o600)
	out, _ = winnow(exitDone, fromHistory...)
	has(out, "Mailgun: 1 entry sent")

	// Without a key a dry run is still a plan, and says that nothing was asked.
	out, errs = winnow(exitFailed, push...)
	has(out, "2 entries would be sent", "Note: no credentials: set MAILGUN_API_KEY")
	has(errs, "winnow: error: nothing was asked of Mailgun: there is no key", "winnow: hint")
	_, errs = winnow(exitFailed, append(push, "--yes")...)
	has(errs, "winnow: error: no credentials: set MAILGUN_API_KEY")

	// The mistakes.
	t.Setenv("MAILGUN_API_KEY", "wrong-key")
	_, errs = winnow(exitFailed, push...)
	has(errs, "not good: Basic *** (the key is not accepted)")
	t.Setenv("MAILGUN_API_KEY", key)
	_, errs = winnow(exitFailed, "push", "--to", "mailgun", "--from", "out")
	has(errs, "--scope is missing: the sending domain")
	_, errs = winnow(exitFailed, "push", "--to", "mailgun", "--scope", "x", "--from", "out", "--base-url", "http://api.example.com")
	has(errs, "would carry the key in the open")
	_, errs = winnow(exitFailed, "push", "--to", "hubspot", "--from", "out")
	has(errs, "winnow export --to hubspot")
	winnow(exitUsage, "push", "--to", "mailgun", "--from", "out", "--allow", "anything")
	winnow(exitUsage, "push", "--from", "out")
	_, errs = winnow(exitFailed, "push", "--to", "mailchimp", "--scope", "x", "--from", "out", "--yes")
	has(errs, "--allow creates-contacts", "winnow: hint")
	delete(l.have, "ann@quietharbor.com")
	delete(l.have, "old@quietharbor.com")
	_, errs = winnow(exitFailed, append(push, "--yes", "--max-new", "1")...)
	has(errs, "more than --max-new 1 allows; nothing was sent")

	// Ctrl-C in the middle of a call.
	ctx, cancel := context.WithCancel(context.Background())
	hang := make(chan struct{})
	l.hang = hang
	go func() { <-hang; cancel() }()
	var both bytes.Buffer
	if got := run(ctx, append(push, "--yes"), strings.NewReader(""), &both, &both); got != exitInterrupt {
		t.Errorf("exit code %d after Ctrl-C", got)
	}
	has(both.String(), "the same command goes on from there")
	l.mu.Lock()
	l.hang = nil
	l.mu.Unlock()
	out, _ = winnow(exitDone, append(push, "--yes")...)
	has(out, "2 entries sent", "went on with a push that had been cut off")

	// What stays on the disk is for one's own eyes, and the key is not in it.
	if left, err := os.ReadDir(tmp); err != nil || len(left) != 0 {
		t.Errorf("%v was left among the temporary files; %v", left, err)
	}
	filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == "." || path == "keys.env" || path == "list.csv" || path == "bounces.csv" {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o600)
		if d.IsDir() {
			want = 0o700
		} else if b, err := os.ReadFile(path); err != nil || bytes.Contains(b, []byte(key)) {
			t.Errorf("the key is in %s; %v", path, err)
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return nil
	})
}
