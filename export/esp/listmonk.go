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
func openListmonk(c *Config) (*api, error) {
	if c.BaseURL == "" {
		return nil, errors.New("--base-url is missing: the address of your listmonk, e.g. https://lists.example.com")
	}
	keys, err := c.keys("LISTMONK_TOKEN")
	if err != nil {
		return nil, err
	}
	if !strings.Contains(keys[0].s, ":") {
		return nil, errors.New("LISTMONK_TOKEN has the form user:token (listmonk: Admin > Users > API)")
	}
	cl, err := newClient("listmonk", "", c, common, 0, bearer("token ", keys[0]))
	if err != nil {
		return nil, err
	}
	const at = "/api/import/subscribers"
	type status struct {
		Data struct {
			Status   string
			Total    int
			Imported int
		}
	}
	running := func(s string) bool { return s == "importing" || s == "stopping" }
	a := &api{c: cl, serial: true, verify: true}
	a.check = func(ctx context.Context, _ map[string]bool) error {
		var s status
		if err := cl.json(ctx, "GET", at, nil, &s); err != nil {
			return err
		}
		if !running(s.Data.Status) {
			return nil
		}
		// One import at a time: somebody else's, or ours from before a break.
		cl.note("listmonk works on another import; waiting for its end")
		return a.poll(ctx, func() (bool, error) {
			err := cl.json(ctx, "GET", at, nil, &s)
			return !running(s.Data.Status), err
		})
	}
	a.fetch = func(ctx context.Context, yield func(address, place string)) error {
		const size = 1000
		for page := 1; ; page++ {
			q := url.Values{"query": {"subscribers.status = 'blocklisted'"}, "page": {fmt.Sprint(page)}, "per_page": {fmt.Sprint(size)}, "order_by": {"id"}, "order": {"asc"}}
			var got struct {
				Data struct {
					Results []struct{ Email string }
				}
			}
			if err := cl.json(ctx, "GET", "/api/subscribers?"+q.Encode(), nil, &got); err != nil {
				return err
			}
			for _, s := range got.Data.Results {
				yield(s.Email, "")
			}
			if len(got.Data.Results) < size {
				return nil
			}
		}
	}
	a.send = func(ctx context.Context, _ string, batch []item) (outcome, error) {
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		if err := w.WriteField("params", `{"mode":"blocklist","delim":","}`); err != nil {
			return outcome{}, err
		}
		f, err := w.CreateFormFile("file", "winnow.csv")
		if err != nil {
			return outcome{}, err
		}
		fmt.Fprintf(f, "email\n%s\n", strings.Join(addresses(batch), "\n"))
		if err := w.Close(); err != nil {
			return outcome{}, err
		}
		for range 5 {
			_, err = cl.call(ctx, http.MethodPost, at, w.FormDataContentType(), b.Bytes())
			if !is(err, http.StatusBadRequest) {
				break
			}
			// 400 also means that an import runs already: perhaps this one, whose answer
			// was lost. When it has ended, the upload may go again.
			var s status
			if e := cl.json(ctx, "GET", at, nil, &s); e != nil || !running(s.Data.Status) {
				break
			}
			if e := a.poll(ctx, func() (bool, error) {
				e := cl.json(ctx, "GET", at, nil, &s)
				return !running(s.Data.Status), e
			}); e != nil {
				return outcome{}, e
			}
		}
		return outcome{job: "import"}, err
	}
	a.wait = func(ctx context.Context, _ string, batch []item) (outcome, error) {
		var s status
		looks := 0
		err := a.poll(ctx, func() (bool, error) {
			err := cl.json(ctx, "GET", at, nil, &s)
			if running(s.Data.Status) {
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
			return outcome{unknown: len(batch), why: "listmonk's import ended as " + oneLine(s.Data.Status, 40) + "; its log tells why"}, nil
		case left > 0:
			return outcome{rejected: []rejection{{At: -1, N: left, Why: "listmonk left it out; its log tells why"}}}, nil
		}
		return outcome{}, nil
	}
	return a, nil
}
