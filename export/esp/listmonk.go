package esp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"

	"github.com/winnow-email/winnow/internal/api"
)

// listmonk blocklists subscribers through its import (knadh/listmonk
// internal/subimporter). The header must be the lower-case word email; an
// invalid or ragged row is left out with a line in the log only.

var listmonk = &Target{
	Name: "listmonk", Title: "listmonk",
	Caps: Caps{
		Words: words("blocklisted", wellFormed...), Scope: "instance", Batch: 10_000,
		CreatesContacts: true, Reversible: true, Async: true,
		Beside: "one import runs at a time; its log, not its status, tells which rows were left out",
	},
	files:    []file{{name: "listmonk-blocklist", what: "a blocklisted subscriber", enc: oneColumn("email")}},
	KeyNames: []string{"LISTMONK_TOKEN"}, open: openListmonk,
	Steps: []string{
		"Subscribers > Import, mode 'Blocklist', delimiter ','.",
		"Choose the file, and compare 'imported' with the number of rows printed above.",
	},
}

// openListmonk uploads files of 10,000 rows, which is what listmonk commits at
// once, and waits for each: a failed import keeps what it has committed, a
// finished one may have left rows out, so winnow looks afterwards. The key is
// "user:token" of an API user.
func openListmonk(a *account) (*service, error) {
	if a.BaseURL == "" {
		return nil, errors.New("--base-url is missing: the address of your listmonk, e.g. https://lists.example.com")
	}
	keys, err := a.Keys.Need("LISTMONK_TOKEN")
	if err != nil {
		return nil, err
	}
	if !strings.Contains(a.Keys.Setting("LISTMONK_TOKEN"), ":") {
		return nil, errors.New("LISTMONK_TOKEN has the form user:token (listmonk: Admin > Users > API)")
	}
	cl, err := api.New(api.Provider{Name: "listmonk", Sign: api.Header("Authorization", "token ", keys[0])}, &a.Config)
	if err != nil {
		return nil, err
	}
	l := listmonkAPI{cl}
	return &service{
		c: cl, serial: true, verify: true,
		check: func(ctx context.Context, _ map[string]bool) error {
			running, err := l.running(ctx)
			if err != nil || !running {
				return err
			}
			// One import at a time: somebody else's, or ours from before a break.
			cl.Note("listmonk works on another import; waiting for its end")
			return l.idle(ctx)
		},
		fetch: l.fetch,
		send: func(ctx context.Context, _ string, batch []item) (outcome, error) {
			return outcome{job: "import"}, l.upload(ctx, batch)
		},
		wait: func(ctx context.Context, _ string, batch []item) (outcome, error) { return l.wait(ctx, batch) },
	}, nil
}

type listmonkAPI struct{ c *api.Client }

const listmonkImport = "/api/import/subscribers"

type listmonkStatus struct {
	Data struct {
		Status   string
		Total    int
		Imported int
	}
}

func (s *listmonkStatus) running() bool {
	return s.Data.Status == "importing" || s.Data.Status == "stopping"
}

func (l listmonkAPI) running(ctx context.Context) (bool, error) {
	var s listmonkStatus
	err := l.c.Get(ctx, listmonkImport, &s)
	return s.running(), err
}

// idle waits until no import runs.
func (l listmonkAPI) idle(ctx context.Context) error {
	return l.c.Poll(ctx, func() (bool, error) {
		running, err := l.running(ctx)
		return !running, err
	})
}

func (l listmonkAPI) fetch(ctx context.Context, found found) error {
	const size = 1000
	type subscriber struct{ Email string }
	at := func(page int) string {
		return "/api/subscribers?" + url.Values{
			"query": {"subscribers.status = 'blocklisted'"}, "page": {fmt.Sprint(page)}, "per_page": {fmt.Sprint(size)}, "order_by": {"id"}, "order": {"asc"},
		}.Encode()
	}
	n := 1
	return l.c.Pages(ctx, at(n), func(path string) (next string, fresh int, err error) {
		var page struct {
			Data struct{ Results []subscriber }
		}
		if err := l.c.Get(ctx, path, &page); err != nil {
			return "", 0, err
		}
		if n++; len(page.Data.Results) == size {
			next = at(n)
		}
		return next, each(found, page.Data.Results, func(s *subscriber) (string, string) { return s.Email, "" }), nil
	})
}

func (l listmonkAPI) upload(ctx context.Context, batch []item) error {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	if err := w.WriteField("params", `{"mode":"blocklist","delim":","}`); err != nil {
		return err
	}
	f, err := w.CreateFormFile("file", "winnow.csv")
	if err != nil {
		return err
	}
	fmt.Fprintf(f, "email\n%s\n", strings.Join(addresses(batch), "\n"))
	if err := w.Close(); err != nil {
		return err
	}
	for range 5 {
		_, err = l.c.Call(ctx, http.MethodPost, listmonkImport, w.FormDataContentType(), b.Bytes())
		if !api.Is(err, http.StatusBadRequest) {
			break
		}
		// 400 also means that an import runs already: perhaps this one, whose answer
		// was lost. When it has ended, the upload may go again.
		if running, e := l.running(ctx); e != nil || !running {
			break
		}
		if e := l.idle(ctx); e != nil {
			return e
		}
	}
	return err
}

func (l listmonkAPI) wait(ctx context.Context, batch []item) (outcome, error) {
	var s listmonkStatus
	looks := 0
	err := l.c.Poll(ctx, func() (bool, error) {
		err := l.c.Get(ctx, listmonkImport, &s)
		if s.running() {
			return false, err
		}
		// The count comes some seconds after the end.
		looks++
		return s.Data.Imported >= len(batch) || s.Data.Status != "finished" || looks > 4, err
	})
	switch left := len(batch) - s.Data.Imported; {
	case err != nil:
		return outcome{}, err
	case s.Data.Status != "finished":
		return outcome{unknown: len(batch), why: "listmonk's import " + ended(s.Data.Status) + "; its log tells why"}, nil
	case left > 0:
		return outcome{rejected: []rejection{{At: -1, N: left, Why: "listmonk left it out; its log tells why"}}}, nil
	}
	return outcome{}, nil
}
