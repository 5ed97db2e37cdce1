package update

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/winnow-email/winnow/validate/lists"
)

// page serves a list that can change, with an ETag.
type page struct {
	body, etag string
	status     int
	full, not  int // answers given: whole, not modified
}

func (p *page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p.status != 0 {
		w.WriteHeader(p.status)
		return
	}
	w.Header().Set("ETag", p.etag)
	w.Header().Set("Last-Modified", "Mon, 02 Nov 2026 10:00:00 GMT")
	if r.Header.Get("If-None-Match") == p.etag {
		p.not++
		w.WriteHeader(http.StatusNotModified)
		return
	}
	p.full++
	fmt.Fprint(w, p.body)
}

// list returns a list of n domains that pass the lint.
func list(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "wegwerf-%d-adresse.de\n", i)
	}
	return b.String()
}

func TestUpdate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lists[1]") // a name is no pattern
	p := &page{body: list(1000) + "co.uk\ngmail.com\ngmial.com\nnus.edu.sg\n", etag: `"1"`}
	s := httptest.NewServer(p)
	defer s.Close()
	u := Updater{Dir: dir, Force: true} // it replaces a list that is much larger
	ctx := context.Background()

	r, err := u.Update(ctx, s.URL+"/list.txt")
	u.Force = false
	if err != nil {
		t.Fatal(err)
	}
	if r.Entries != 1000 || r.Added != 1000 || r.Removed != r.Before || len(r.Refused) != 4 || r.Unchanged {
		t.Errorf("%+v", r)
	}
	check := func(d string, want bool) {
		t.Helper()
		set, err := lists.Load(os.DirFS(dir), dir)
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := set.Domain(d); (ok && e.Kind == lists.Disposable) != want {
			t.Errorf("%s: %+v", d, e)
		}
	}
	check("wegwerf-999-adresse.de", true)
	check("mailinator.com", false)
	check("gmail.com", false)
	text, err := os.ReadFile(r.Path)
	if err != nil || !strings.Contains(string(text), "\n# date: 2026-11-02\n") {
		t.Errorf("%v: %.300s", err, text)
	}
	if info, err := os.Stat(r.Path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}

	// The same again: the server says so in one line.
	if r, err = u.Update(ctx, s.URL+"/list.txt"); err != nil || !r.Unchanged || p.not != 1 || p.full != 1 {
		t.Errorf("%+v, %v; %d whole, %d not modified", r, err, p.full, p.not)
	}

	// Whatever is wrong: the list in use stays.
	before := snapshot(t, dir)
	for _, c := range []struct {
		p    page
		want string
	}{
		{page{status: 500}, "500"},
		{page{status: 404}, "404"},
		{page{body: "", etag: `"2"`}, "it is empty"},
		{page{body: "<html>sign in</html>", etag: `"3"`}, "web page"},
		{page{body: list(1000/shrink - 1), etag: `"4"`}, "too few to be believed"},
		{page{body: list(grow*1000 + 1), etag: `"5"`}, "too many to be believed"},
		{page{body: list(1000) + strings.Repeat("x.gmail.com\n", 1) + badLines(2000), etag: `"6"`}, "no domains of throw-away mailboxes"},
		{page{body: strings.Repeat("#", maxSize+1), etag: `"7"`}, "larger than 16 MiB"},
	} {
		*p = c.p
		if _, err := u.Update(ctx, s.URL+"/list.txt"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("want %q: %v", c.want, err)
		}
		if after := snapshot(t, dir); after != before {
			t.Errorf("%s: the list in use changed", c.want)
		}
	}

	// Changed, and believed.
	*p = page{body: list(1001), etag: `"8"`}
	if r, err = u.Update(ctx, s.URL+"/list.txt"); err != nil || r.Added != 1 || r.Removed != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	// A body that was damaged on disk is fetched again.
	there, err := os.ReadDir(filepath.Dir(r.Path))
	if err != nil {
		t.Fatal(err)
	}
	bodies := 0
	for _, f := range there {
		if strings.HasSuffix(f.Name(), ".body") {
			bodies++
			if err := os.WriteFile(filepath.Join(filepath.Dir(r.Path), f.Name()), []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if bodies != 1 {
		t.Fatalf("%d bodies are kept", bodies)
	}
	if r, err = u.Update(ctx, s.URL+"/list.txt"); err != nil || !r.Unchanged || r.Entries != 1001 {
		t.Errorf("%+v, %v", r, err)
	}
}

func badLines(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "dep%d.uni.edu\n", i)
	}
	return b.String()
}

// snapshot is the list in use.
func snapshot(t *testing.T, dir string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, lists.Updated, "disposable.txt"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestUpdateRefusesPlainHTTP(t *testing.T) {
	u := Updater{Dir: t.TempDir()}
	for _, from := range []string{"http://lists.example.net/x", "ftp://lists.example.net/x"} {
		if _, err := u.Update(context.Background(), from); err == nil || !strings.Contains(err.Error(), "only https") {
			t.Errorf("%s: %v", from, err)
		}
	}
	// Nor by a redirect.
	s := httptest.NewServer(http.RedirectHandler("http://lists.example.net/x", http.StatusFound))
	defer s.Close()
	if _, err := u.Update(context.Background(), s.URL); err == nil || !strings.Contains(err.Error(), "only https") {
		t.Errorf("a redirect: %v", err)
	}
}

func TestUpdateIsInterrupted(t *testing.T) {
	stop := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-stop:
		case <-r.Context().Done():
		}
	}))
	defer s.Close()
	defer close(stop)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	u := Updater{Dir: t.TempDir()}
	if _, err := u.Update(ctx, s.URL); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}
